//! Old copies that must not be removed, or are not: what becomes of them, and that nobody is told they are gone.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::fs;
use std::path::PathBuf;

use crate::site_world::{World, ended, mail};

/// Old copies are kept for so long.
fn keep_for(world: &World, grace: &str) {
    let text = fs::read_to_string(world.path("scenario.toml")).unwrap();
    let (before, after) = text.split_once("purge_after = \"").unwrap();
    let (_, after) = after.split_once('"').unwrap();
    fs::write(world.path("scenario.toml"), format!("{before}purge_after = \"{grace}\"{after}")).unwrap();
}

/// Everything has moved and nothing is purged, and the session is over.
fn all_moved(users: u32) -> World {
    let world = World::new(users, 3);
    keep_for(&world, "1 h");
    let run = world.start();
    world.wait_until_moved(users.into());
    assert!(world.say(&["stop"]).status.success());
    assert_eq!(ended(run).0, Some(12));
    keep_for(&world, "1 s");
    world
}

/// Where a user's mailbox was on its head, with another ending.
fn old_place(world: &World, user: usize, ending: &str) -> PathBuf {
    let wanted = &world.users[user];
    let path = world.path(crate::site_world::HEADS[wanted.head.index()]).join(wanted.path());
    let mut name = path.into_os_string();
    name.push(ending);
    name.into()
}

#[test]
fn mail_that_comes_behind_the_fence_after_the_move_is_not_purged() {
    // In the session that has moved it, and in a later one.
    for later in [false, true] {
        let world = if later { all_moved(4) } else { World::new(4, 3) };
        keep_for(&world, "6 s");
        let run = world.command(&["run", "--accept-plan"]).spawn().unwrap();
        world.wait_until_moved(4);
        let late = old_place(&world, 0, ".moving/new/late.M1.host");
        fs::write(&late, "a customer's mail").unwrap();
        let (code, said) = ended(run);
        assert_eq!(code, Some(12), "{said}");
        assert_eq!(fs::read_to_string(&late).unwrap(), "a customer's mail", "{said}");
        assert!(said.contains("1 message has come behind its fence since it moved"), "{said}");
        assert!(!old_place(&world, 1, ".moving").exists(), "the others are purged: {said}");
    }
}

#[test]
fn the_old_copy_of_one_whom_the_directory_has_at_the_head_again_is_not_purged() {
    let world = World::new(4, 3);
    keep_for(&world, "6 s");
    let run = world.start();
    world.wait_until_moved(4);
    world.users().execute("UPDATE mailbox SET home = 'head-1', epoch = epoch + 1 WHERE name = 'user-000'", ()).unwrap();
    let (code, said) = ended(run);
    assert_eq!(mail(&[old_place(&world, 0, ".moving")]).len(), 3, "{said}");
    assert!(!old_place(&world, 1, ".moving").exists(), "the others are purged: {said}");
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains("purge of user-000: the directory has the user at head-1 again"), "{said}");
}

#[test]
fn a_run_that_leaves_an_old_copy_for_a_person_says_so_and_is_not_complete() {
    let world = World::new(4, 3);
    keep_for(&world, "5 s");
    let run = world.start();
    world.wait_until_moved(4);
    let again = old_place(&world, 0, "");
    fs::remove_file(&again).unwrap();
    fs::create_dir_all(again.join("new")).unwrap();
    fs::write(again.join("new/1.host"), "mail").unwrap();
    let (code, said) = ended(run);
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains("1 old copy is still on the heads, and waits for a person"), "{said}");
    assert!(said.contains("purge of user-000: 1 message has come to the old place"), "{said}");
    assert!(said.contains("head-2 purged") && !said.contains("decommissioned"), "{said}");
    // Seen to: the next session finds nothing in its way.
    fs::remove_dir_all(&again).unwrap();
    fs::remove_dir_all(old_place(&world, 0, ".moving")).unwrap();
    assert!(world.finish().contains("decommissioned"));
}

#[test]
fn old_copies_of_a_stopped_cohort_are_told_of_until_a_person_has_removed_them() {
    let world = World::new(4, 3);
    keep_for(&world, "3 s");
    let run = world.start();
    world.wait_until_moved(4);
    let since = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(2);
    let since = since.to_zoned_datetime(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%dT%H:%M").to_string();
    assert!(world.say(&["stop-cohort", "--since", &since]).status.success());
    assert!(world.say(&["resume"]).status.success());
    let (code, said) = ended(run);
    assert_eq!(code, Some(12), "{said}");
    for _ in 0..2 {
        let (code, said) = ended(world.start());
        assert_eq!(code, Some(12), "{said}");
        assert!(said.contains("4 old copies are still on the heads"), "{said}");
        assert!(!said.contains("purged") && !said.contains("decommissioned"), "{said}");
    }
    for user in 0..4 {
        fs::remove_dir_all(old_place(&world, user, ".moving")).unwrap();
        fs::remove_file(old_place(&world, user, "")).unwrap();
    }
    assert!(world.finish().contains("decommissioned"));
    world.check_replay();
}

#[test]
fn old_copies_on_a_head_that_is_not_there_do_not_count_as_purged() {
    let world = all_moved(4);
    // Its mount point, when nothing is mounted there.
    fs::rename(world.path("head-1"), world.path("away")).unwrap();
    fs::create_dir(world.path("head-1")).unwrap();
    let (code, said) = ended(world.command(&["run", "--accept-plan"]).spawn().unwrap());
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains("2 old copies are still on the heads") && said.contains("is the store mounted?"), "{said}");
    assert!(!said.contains("head-1 purged") && !said.contains("decommissioned"), "{said}");
    fs::remove_dir_all(world.path("head-1")).unwrap();
    fs::rename(world.path("away"), world.path("head-1")).unwrap();
    assert!(world.finish().contains("decommissioned"));
    world.check_moved();
}

#[test]
fn an_old_copy_is_not_purged_where_it_may_be_the_last_one() {
    let world = World::new(4, 3);
    keep_for(&world, "6 s");
    let run = world.start();
    world.wait_until_moved(4);
    // The new one is not there any more, and the directory has a store that nobody can look at.
    let home: String = world
        .users()
        .query_row("SELECT home || '/' || path FROM mailbox WHERE name = 'user-000'", (), |row| row.get(0))
        .unwrap();
    fs::rename(world.path(&home), world.path("away")).unwrap();
    world.users().execute("UPDATE mailbox SET home = 'archive' WHERE name = 'user-001'", ()).unwrap();
    // One who is deleted needs none.
    world.users().execute("DELETE FROM mailbox WHERE name = 'user-002'", ()).unwrap();
    let (code, said) = ended(run);
    assert_eq!(code, Some(12), "{said}");
    for (user, kept) in [(0, true), (1, true), (2, false), (3, false)] {
        assert_eq!(old_place(&world, user, ".moving/cur").exists(), kept, "{said}");
    }
    assert!(said.contains("purge of user-000: the directory has the user at nas-"), "{said}");
    assert!(said.contains("purge of user-001: the directory has the user at archive, which is none of"), "{said}");
    assert!(said.contains("2 old copies are still on the heads"), "{said}");
}

#[test]
fn a_mailbox_that_came_during_the_run_under_a_name_of_ours_is_not_removed() {
    let world = World::new(4, 3);
    keep_for(&world, "6 s");
    let run = world.start();
    world.wait_until_moved(4);
    let theirs = old_place(&world, 0, ".purging");
    fs::create_dir_all(theirs.join("cur")).unwrap();
    fs::write(theirs.join("cur/1.host:2,"), "mail").unwrap();
    let row = "INSERT INTO mailbox (name, home, path) SELECT 'other', 'head-1', path || '.purging' FROM mailbox \
               WHERE name = 'user-000'";
    world.users().execute(row, ()).unwrap();
    let (code, said) = ended(run);
    assert_eq!(code, Some(12), "{said}");
    assert!(said.contains(".purging stands beside the old copy, and need not be ours"), "{said}");
    assert_eq!(fs::read_to_string(theirs.join("cur/1.host:2,")).unwrap(), "mail");
}
