//! Users who are deleted, come back, or are made while a run goes on, and stores that are not those of the last session.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::operation::text;
use crate::site_world::{World, ended, waits};

const SECOND: Duration = Duration::from_secs(1);

/// Each user is held for about a second.
fn hold_for_a_second(world: &World) {
    let front_end = "[[site.front_end]]\nname = \"imap-1\"\nflush = [\"sleep\", \"1\"]\n\n[site.directory]";
    world.change("scenario.toml", &[("[site.directory]", front_end)]);
}

fn maildir(world: &World, user: &str) -> PathBuf {
    let row = "SELECT home, path FROM mailbox WHERE name = ?1";
    let (home, path): (String, String) =
        world.users().query_row(row, [user], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    world.path(&home).join(path)
}

#[test]
fn who_was_gone_and_is_back_is_named_and_moved_by_the_next_session() {
    let world = World::new(24, 5);
    hold_for_a_second(&world);
    let run = world.start();
    world.wait_until_moved(1);
    let users = world.users();
    users.execute_batch("CREATE TABLE away AS SELECT * FROM mailbox WHERE name = 'user-020'").unwrap();
    users.execute("DELETE FROM mailbox WHERE name = 'user-020'", ()).unwrap();
    world.wait_for_trouble("the directory does not know the user at its head any more");
    let gone = || world.status()["faults_by"]["gone"] == 1;
    assert!(waits(10 * SECOND, gone), "{}", world.status());
    // What no word can do is refused, and why.
    for (user, why) in [
        ("user-020", "user-020 is gone: the directory did not have them at their head any more"),
        ("user-000", "user-000 has moved to nas-"),
    ] {
        for word in ["retry", "skip", "move-now"] {
            let refused = world.say(&[word, user]);
            assert_eq!(refused.status.code(), Some(2), "{word}: {refused:?}");
            assert!(text(&refused.stderr).contains(why), "{word}: {refused:?}");
        }
    }
    users.execute("INSERT INTO mailbox SELECT * FROM away", ()).unwrap();
    world.wait_for_trouble(
        "the directory has users at head-1 whom this session does not move from there: user-020 (was gone)",
    );
    world.wait_for_trouble("`stop`, start again, then `resume`");
    assert_eq!(world.status()["stopped"], "head-1 should be empty and is not");
    // As it says.
    assert!(world.say(&["stop"]).status.success());
    assert_eq!(ended(run).0, Some(12));
    let run = world.start();
    assert!(waits(30 * SECOND, || world.status()["paused"] == true), "{}", world.status());
    assert!(world.say(&["resume"]).status.success());
    let (code, said) = ended(run);
    assert_eq!(code, Some(0), "{said}");
    world.check_moved();
    assert_eq!(world.check_replay(), 2);
}

#[test]
fn who_was_set_aside_and_is_deleted_is_waited_for_no_longer() {
    let world = World::new(6, 3);
    world.change(
        "scenario.toml",
        &[("[users]", "[operator]\nresolves_after = { median = \"1 day\", sigma = 0.5 }\n[users]")],
    );
    let (maildir, away) = (maildir(&world, "user-002"), world.path("away"));
    fs::rename(&maildir, &away).unwrap();
    let mut run = world.start();
    world.wait_until_moved(5);
    world.wait_for_trouble("the directory has the user at head-1: is the store mounted, was it ever made?");
    fs::rename(&away, &maildir).unwrap();
    let users = world.users();
    users.execute_batch("CREATE TABLE away AS SELECT * FROM mailbox").unwrap();
    users.execute("DELETE FROM mailbox WHERE name = 'user-002'", ()).unwrap();
    // Their mail is still there: a person has to see to that.
    world.wait_for_trouble(
        "user-002 is set aside on head-1, the directory does not know them any more, and their mailbox",
    );
    // And now the directory knows nobody at all: then nobody is taken for gone.
    users.execute("DELETE FROM mailbox", ()).unwrap();
    fs::rename(&maildir, &away).unwrap();
    world.wait_for_trouble("it knows none of the users whom it is asked for: nobody is taken for gone");
    std::thread::sleep(12 * SECOND);
    assert!(run.try_wait().unwrap().is_none(), "it waits");
    assert_eq!(world.status()["heads"][0]["set_aside"], 1);
    users.execute("INSERT INTO mailbox SELECT * FROM away WHERE name <> 'user-002'", ()).unwrap();
    let (code, said) = ended(run);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("decommissioned"), "{said}");
    assert_eq!(world.check_replay(), 1);
}

#[test]
fn a_mailbox_made_during_a_run_where_a_copy_is_to_arrive_is_left_alone() {
    let world = World::new(24, 5);
    hold_for_a_second(&world);
    let run = world.command(&["run", "--log", "text"]).spawn().unwrap();
    world.wait_until_moved(1);
    // One of the second head, whose turn comes later, on whichever cluster it goes to.
    let path: String =
        world.users().query_row("SELECT path FROM mailbox WHERE name = 'user-023'", (), |row| row.get(0)).unwrap();
    let beside = format!("{path}.arriving");
    let mails = ["nas-1", "nas-2"].map(|cluster| {
        let cur = world.path(cluster).join(&beside).join("cur");
        fs::create_dir_all(&cur).unwrap();
        fs::write(cur.join("1.x:2,S"), "somebody else's").unwrap();
        let sql = "INSERT INTO mailbox (name, home, path) VALUES (?1, ?2, ?3)";
        world.users().execute(sql, [&format!("other-{cluster}"), cluster, &beside]).unwrap();
        cur.join("1.x:2,S")
    });
    let (code, said) = ended(run);
    assert_eq!(code, Some(12), "{said}");
    assert!(
        said.contains("Maildir.arriving, the mailbox of other-nas-") && said.contains("1 mailbox is set aside"),
        "{said}"
    );
    assert!(mails.iter().all(|mail| fs::read(mail).is_ok_and(|text| text == b"somebody else's")), "{said}");
    assert!(maildir(&world, "user-023").is_dir());
    assert_eq!(world.held(), Vec::<String>::new());
}

#[test]
fn nobody_is_released_on_a_store_that_lies_on_another_file_system() {
    let world = World::new(24, 5);
    hold_for_a_second(&world);
    let run = world.start();
    world.wait_until_moved(1);
    assert!(world.say(&["stop"]).status.success());
    assert_eq!(ended(run).0, Some(12));
    world
        .users()
        .execute("UPDATE mailbox SET state = 'hold', fence = 0 WHERE name IN ('user-022', 'user-023')", ())
        .unwrap();
    let ledger = rusqlite::Connection::open(world.database("ledger.db")).unwrap();
    ledger.execute("UPDATE store SET file_system = file_system + 1 WHERE name = 'head-1'", ()).unwrap();
    drop(ledger);
    let released = world.say(&["release"]);
    assert_eq!(released.status.code(), Some(1), "{released:?}");
    assert!(text(&released.stdout).contains("user-023: released"), "{released:?}");
    let why = [
        "head-1 is left alone: on another file system than when",
        "user-022 is still held: its home head-1 is out of service",
    ];
    assert!(why.iter().all(|why| text(&released.stderr).contains(why)), "{released:?}");
    // A run does not free them either before it says no.
    assert_eq!(world.say(&["run", "--quiet"]).status.code(), Some(1));
    assert_eq!(world.held(), ["user-022"]);
    let released = world.say(&["release", "--accept-stores"]);
    assert!(released.status.success() && text(&released.stdout).contains("user-022: released"), "{released:?}");
}
