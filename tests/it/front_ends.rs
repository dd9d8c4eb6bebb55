//! A run whose front ends do not do as they are asked.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::fs;
use std::time::Duration;

use crate::site_world::{World, ended, waits};

#[test]
fn a_front_end_that_hangs_holds_nobody_and_sets_nobody_aside() {
    let world = World::new(6, 5);
    let hang = world.path("hang");
    let flush = format!("while [ -e {} ]; do sleep 0.1; done", hang.display());
    let front_end = format!(
        "[[site.front_end]]\nname = \"imap-1\"\nflush = [\"sh\", \"-c\", \"{flush}\", \"sh\", \"{{user}}\"]\n[site.directory]"
    );
    world.change("scenario.toml", &[("[site.directory]", &front_end), ("socket = ", "timeout = \"1 s\"\nsocket = ")]);
    fs::write(&hang, "").unwrap();
    let run = world.start();
    world.wait_for_trouble("front end \\\"imap-1\\\": flush: had not ended after 1 s");
    // What was held is put back though the front end still hangs, and nobody is held again before it answers.
    let for_a_while = || !waits(Duration::from_secs(3), || !world.held().is_empty());
    assert!(waits(Duration::from_secs(30), for_a_while), "{:?} are held", world.held());
    let status = world.status();
    assert!(status["heads"].as_array().unwrap().iter().all(|head| head["set_aside"] == 0), "{status}");
    fs::remove_file(&hang).unwrap();
    let (code, said) = ended(run);
    assert_eq!(code, Some(0), "{said}");
    world.check_moved();
}
