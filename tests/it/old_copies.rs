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
        let run = world.command(&["run"]).spawn().unwrap();
        world.wait_until_moved(4);
        let late = old_place(&world, 0, ".moving/new/late.M1.host");
        fs::write(&late, "a customer's mail").unwrap();
        let (_, said) = ended(run);
        assert_eq!(fs::read_to_string(&late).unwrap(), "a customer's mail", "{said}");
        assert!(said.contains("1 messages have come behind its fence since it moved"), "{said}");
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
