//! Rows of the user database that change under a run, or that are there before their Maildirs.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::time::Duration;

use crate::site_world::{World, ended, waits};

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
