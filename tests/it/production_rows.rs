//! Rows of the user database that change under a run, or that are there before their Maildirs.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::fs;
use std::time::Duration;

use crate::site_world::{CLUSTERS, World, ended, mail, waits};

/// Each flush of caches takes a second, and with it each hold.
fn hold_for_a_second(world: &World) {
    let front_end = "[[site.front_end]]\nname = \"imap-1\"\nflush = [\"sleep\", \"1\"]\n\n[site.directory]";
    world.change("scenario.toml", &[("[site.directory]", front_end)]);
}

#[test]
fn who_is_renamed_while_held_is_free_at_once_and_moves_under_the_new_name() {
    let world = World::new(4, 5);
    hold_for_a_second(&world);
    let run = world.start();
    assert!(waits(Duration::from_secs(30), || world.held().contains(&"user-002".to_owned())), "{}", world.status());
    let users = world.users();
    users.execute("UPDATE mailbox SET name = 'renamed' WHERE name = 'user-002'", ()).unwrap();
    let (code, said) = ended(run);
    assert_eq!(code, Some(0), "{said}");
    world.check_moved();
    assert_eq!(world.check_replay(), 1);
}

#[test]
fn whose_row_a_person_changes_while_held_is_not_left_behind_the_fence() {
    let world = World::new(4, 5);
    hold_for_a_second(&world);
    let run = world.start();
    assert!(waits(Duration::from_secs(30), || world.held().contains(&"user-002".to_owned())), "{}", world.status());
    let users = world.users();
    let freed = "UPDATE mailbox SET state = 'ok', fence = NULL, epoch = epoch + 1 WHERE name = 'user-002'";
    users.execute(freed, ()).unwrap();
    // And another one is held by hand.
    assert!(waits(Duration::from_mins(1), || world.held().contains(&"user-003".to_owned())), "{}", world.status());
    users.execute("UPDATE mailbox SET fence = NULL WHERE name = 'user-003'", ()).unwrap();
    let (code, said) = ended(run);
    assert_eq!(code, Some(12), "{said}");
    assert_eq!(world.held(), ["user-003"]);
    let left: Vec<String> = mail(&["head-1", "head-2"].map(|head| world.path(head))).into_keys().collect();
    assert_eq!(left.len(), 5, "{left:?}");
    assert!(left.iter().all(|name| name.starts_with("example.com/user-003/Maildir/")), "{left:?}");
    assert!(mail(&CLUSTERS.map(|cluster| world.path(cluster))).len() == 15, "{said}");
}

#[test]
fn nobody_moves_to_where_somebody_elses_row_is_before_its_maildir() {
    let world = World::new(4, 5);
    let sql =
        "INSERT INTO mailbox (name, home, path) SELECT 'other-' || ?1, ?1, path FROM mailbox WHERE name = 'user-002'";
    for cluster in CLUSTERS {
        world.users().execute(sql, [cluster]).unwrap();
    }
    let (code, said) = ended(world.command(&["run", "--log", "text"]).spawn().unwrap());
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains("Maildir, the mailbox of other-nas-") && said.contains("1 mailbox is set aside"), "{said}");
    let on_heads = "SELECT group_concat(name) FROM mailbox WHERE home LIKE 'head-%'";
    let on_heads: String = world.users().query_row(on_heads, (), |row| row.get(0)).unwrap();
    assert_eq!(on_heads, "user-002", "{said}");
}

#[test]
fn of_two_with_one_path_on_two_heads_only_one_goes_to_a_cluster() {
    let world = World::of(&[40, 7]);
    hold_for_a_second(&world);
    world.change("scenario.toml", &[("overlap = \"none\"", "overlap = \"tail\"")]);
    let path = world.users[0].path();
    let [old, new] = [&world.users[1].path(), &path].map(|path| world.path("head-2").join(path));
    fs::create_dir_all(new.parent().unwrap()).unwrap();
    fs::rename(old, &new).unwrap();
    world.users().execute("UPDATE mailbox SET path = ?1 WHERE name = 'user-001'", [path.to_str().unwrap()]).unwrap();
    let [first, second] = ["head-1", "head-2"].map(|head| mail(&[world.path(head)]));
    let (code, said) = ended(world.command(&["run", "--log", "text"]).spawn().unwrap());
    assert_eq!(code, Some(12), "{said}");
    // Whose head is sampled first goes first: it is on its way there when the other comes, or there already.
    let is_first = mail(&[world.path("nas-1")]) == first;
    let (moved, [goes, stays], head) =
        if is_first { ("user-000", [first, second], "head-2") } else { ("user-001", [second, first], "head-1") };
    let told = ["where a copy goes of the mailbox of", "the mailbox of"].map(|told| format!("Maildir, {told} {moved}"));
    assert!(told.iter().any(|told| said.contains(told)), "{said}");
    assert!(mail(&[world.path("nas-1")]) == goes && mail(&[world.path(head)]) == stays, "{said}");
    assert_eq!(world.held(), Vec::<String>::new());
}

#[test]
fn who_is_put_back_costs_nobody_else_the_mailbox_that_was_made_where_a_copy_would_have_been() {
    let world = World::new(2, 5);
    hold_for_a_second(&world);
    let mut run = world.start();
    assert!(waits(Duration::from_secs(30), || world.held() == ["user-000"]), "{}", world.status());
    run.kill().unwrap();
    run.wait().unwrap();
    // As if it had been killed just before the copy came to its place; then an account is made there, and another one where it
    // arrives.
    let path = world.users[0].path().to_string_lossy().into_owned();
    let place = world.path("nas-1").join(&path);
    let mark = "drawdown: a copy of a mailbox that has not moved yet, of epoch 0\n";
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place.with_file_name("Maildir.placed"), mark).unwrap();
    let sql = "INSERT INTO mailbox (name, home, path) VALUES ('other', 'nas-1', ?1)";
    world.users().execute(sql, [&path]).unwrap();
    fs::create_dir_all(place.join("cur")).unwrap();
    fs::write(place.join("cur/1.x:2,S"), "somebody else's").unwrap();
    let released = world.say(&["release"]);
    assert!(released.status.success(), "{released:?}");
    assert_eq!(world.held(), Vec::<String>::new());
    assert_eq!(fs::read(place.join("cur/1.x:2,S")).unwrap(), b"somebody else's");
    assert!(mail(&["head-1", "head-2"].map(|head| world.path(head))) == world.before);
}

#[test]
fn the_old_copy_of_one_whose_mailbox_got_another_path_since_is_purged_all_the_same() {
    let world = World::new(4, 5);
    world.change("scenario.toml", &[("purge_after = \"1 s\"", "purge_after = \"8 s\"")]);
    let run = world.start();
    world.wait_until_moved(4);
    assert!(world.say(&["stop"]).status.success());
    ended(run);
    let users = world.users();
    let row = "SELECT home, path FROM mailbox WHERE name = 'user-000'";
    let (home, path): (String, String) = users.query_row(row, (), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let renamed = path.replace("user-000", "user-000-renamed");
    let [old, new] = [&path, &renamed].map(|path| world.path(&home).join(path));
    fs::create_dir_all(new.parent().unwrap()).unwrap();
    fs::rename(old, new).unwrap();
    users.execute("UPDATE mailbox SET path = ?1 WHERE name = 'user-000'", [&renamed]).unwrap();
    world.finish();
    assert_eq!(mail(&["head-1", "head-2"].map(|head| world.path(head))).len(), 0, "the heads are purged");
}

#[test]
fn of_a_copy_that_goes_to_another_cluster_after_a_restart_nothing_stays_on_the_first_one() {
    let world = World::of(&[200, 5]);
    world.change("scenario.toml", &[("stream = \"20 MB/s\"", "stream = \"100 kB/s\"")]);
    let mut run = world.start();
    let arriving = world.path("nas-1").join(world.users[0].path()).with_file_name("Maildir.arriving");
    assert!(waits(Duration::from_secs(30), || arriving.join("cur").is_dir()), "{}", world.status());
    assert!(world.say(&["close-cluster", "nas-1"]).status.success());
    run.kill().unwrap();
    run.wait().unwrap();
    world.finish();
    assert!(!arriving.exists());
    world.check_moved();
}
