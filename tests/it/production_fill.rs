//! Room and size: a cluster that fills from two sides, and a mailbox that is larger than anything else.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use drawdown::live::maildir::{self, Root};

use crate::images;
use crate::site_world::{CLUSTERS, HEADS, World, ended, ended_within, mail};

/// Bytes of a message, and messages of a mailbox.
const EACH: u64 = 75_000;
const MESSAGES: u32 = 40;
/// 40 % of the first cluster.
const THRESHOLD: u64 = 24_000_000;
/// What comes to it meanwhile, from elsewhere: 2 MB/s, in messages.
const DELIVERIES: u32 = 120;
const DELIVERY_EVERY: Duration = Duration::from_millis(37);

/// Bytes in use, as the file system says.
fn used(at: &Path) -> u64 {
    let state = rustix::fs::statvfs(at).unwrap();
    (state.f_blocks - state.f_bfree) * state.f_frsize
}

#[test]
fn no_placement_takes_a_cluster_above_its_threshold_while_mail_comes_to_it() {
    if !images::can_mount() {
        return;
    }
    let world = World::on_images(&[MESSAGES; 16], EACH, [72, 40, 64]);
    world.change(
        "scenario.toml",
        &[
            (
                "name = \"nas-1\"\nrated = \"900 TB\"\nfull_at = \"90 %\"",
                "name = \"nas-1\"\nrated = \"60 MB\"\nfull_at = \"40 %\"\nassumed_intake = \"2.2 MB/s\"",
            ),
            ("median = \"100 kB\", sigma = 0.5, max = \"1 GB\"", "median = \"3 MB\", sigma = 0.1, max = \"20 MB\""),
            ("mean = \"3 kB\"", "mean = \"75 kB\""),
        ],
    );
    let cluster = world.path("nas-1");
    let running = world.start();
    let (done, delivered) = (AtomicBool::new(false), AtomicU64::new(0));
    let highest = thread::scope(|scope| {
        scope.spawn(|| {
            fs::create_dir(cluster.join("elsewhere")).unwrap();
            for number in 0..DELIVERIES {
                fs::write(cluster.join(format!("elsewhere/{number}")), vec![b'x'; EACH as usize]).unwrap();
                delivered.fetch_add(EACH, Ordering::Relaxed);
                thread::sleep(DELIVERY_EVERY);
            }
        });
        let highest = scope.spawn(|| {
            let users = world.users();
            let placed = "SELECT count(*) FROM mailbox WHERE home = 'nas-1'";
            let (mut seen, mut highest, mut before) = (0, 0, 0);
            while !done.load(Ordering::Relaxed) {
                let fill = used(&cluster);
                let now = delivered.load(Ordering::Relaxed);
                let count: i64 = users.query_row(placed, (), |row| row.get(0)).unwrap_or(seen);
                if count > seen {
                    // What was delivered since the last look may have come after the placement: on a busy machine that is long ago.
                    (seen, highest) = (count, highest.max(fill.saturating_sub(now - before)));
                }
                before = now;
                thread::sleep(Duration::from_millis(2));
            }
            (seen, highest)
        });
        let (code, said) = ended(running);
        done.store(true, Ordering::Relaxed);
        assert_eq!(code, Some(0), "{said}");
        highest.join().unwrap()
    });
    let (placed, highest) = highest;
    println!("{placed} of 16 on nas-1, its fill at most {highest} of {THRESHOLD} bytes when one was placed");
    assert!(highest <= THRESHOLD, "{highest}");
    assert!(highest * 2 > THRESHOLD && (2..16).contains(&placed), "the test has not come to the threshold");
    world.check_moved();
    world.check_replay();
}

/// Inodes in use, as the file system says.
fn inodes_used(at: &Path) -> u64 {
    let state = rustix::fs::statvfs(at).unwrap();
    state.f_files - state.f_ffree
}

#[test]
fn a_cluster_is_filled_with_files_up_to_its_threshold_and_the_next_one_takes_the_rest() {
    if !images::can_mount() {
        return;
    }
    let world = World::on_images(&[MESSAGES; 12], 3_000, [48, 40, 48]);
    let cluster = world.path("nas-1");
    // Room for some of them: each has forty messages, and the plan counts twenty inodes more for its folders.
    let threshold = inodes_used(&cluster) + 5 * 60;
    let limit = format!("full_at = \"90 %\"\ninodes = {}\ninodes_full_at = \"50 %\"\n", 2 * threshold);
    let (old, new) = ("name = \"nas-1\"\nrated = \"900 TB\"\n", "name = \"nas-1\"\nrated = \"40 MB\"\n");
    world.change("scenario.toml", &[(&format!("{old}full_at = \"90 %\"\n"), &format!("{new}{limit}"))]);
    let said = world.say(&["preflight"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains(&format!("inodes of {threshold} inodes")), "{said}");
    world.finish();
    let users = world.users();
    let placed: i64 =
        users.query_row("SELECT count(*) FROM mailbox WHERE home = 'nas-1'", (), |row| row.get(0)).unwrap();
    let used = inodes_used(&cluster);
    println!("{placed} of 12 on nas-1, with {used} of {threshold} inodes");
    assert!(used <= threshold && (2..12).contains(&placed), "{placed} on nas-1, {used} of {threshold}");
    let ledger = rusqlite::Connection::open(world.path("ledger.db")).unwrap();
    let full = "SELECT count(*) FROM command WHERE body LIKE '%\"cluster_full\":{\"cluster\":0,\"of\":\"inodes\"}%'";
    assert_eq!(ledger.query_row(full, (), |row| row.get::<_, i64>(0)).unwrap(), 1, "it says what it is full of");
    world.check_moved();
    world.check_replay();
    // A forecast from here knows what of the inodes are others'.
    let from = world.path("ledger.db").display().to_string();
    let page = world.say(&["forecast", "--from", &from, "--replications", "20", "--no-files", "--quiet"]);
    assert!(page.status.success(), "{}", String::from_utf8_lossy(&page.stderr));
    // Once it is full, a preflight says of what.
    let full = format!("inodes = {}\n", inodes_used(&cluster));
    world.change("scenario.toml", &[(&format!("inodes = {}\n", 2 * threshold), &full)]);
    let said = world.say(&["preflight"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("room on nas-1") && said.contains("inodes are used, and it counts as full at"), "{said}");
}

/// Leaves no room at all below a folder: neither for a byte nor for a file.
fn fill(at: &Path) {
    let mut rest = File::create(at.join("filler")).unwrap();
    for piece in [1 << 20, 1 << 12, 1] {
        while rest.write_all(&vec![0; piece]).is_ok() {}
    }
    let full = (0..1_000_000).find(|number| File::create(at.join(format!("filler-{number}"))).is_err());
    assert!(full.is_some());
}

#[test]
fn a_full_head_is_emptied_all_the_same() {
    if !images::can_mount() {
        return;
    }
    let world = World::on_images(&[5; 8], 3_000, [24, 16, 16]);
    let head = world.path(HEADS[0]);
    // As the first start makes it.
    maildir::keep_spare(&Root::open(&head).unwrap()).unwrap();
    fill(&head);
    world.finish();
    world.check_moved();
    world.check_replay();
}

#[test]
fn a_head_too_full_for_a_fence_sets_nobody_aside_and_goes_on_when_it_has_room() {
    if !images::can_mount() {
        return;
    }
    let world = World::on_images(&[5; 8], 3_000, [24, 16, 16]);
    let head = world.path(HEADS[0]);
    fill(&head);
    let running = world.start();
    world.wait_for_trouble("No space left");
    thread::sleep(Duration::from_secs(4));
    let status = world.status();
    assert_eq!((&status["heads"][0]["set_aside"], &status["heads"][0]["left"]), (&0.into(), &4.into()), "{status}");
    fs::remove_file(head.join("filler")).unwrap();
    fs::remove_file(head.join("filler-0")).unwrap();
    let (code, said) = ended(running);
    assert_eq!(code, Some(0), "{said}");
    world.check_moved();
}

/// How long each user was held, by name.
fn held(world: &World) -> Vec<(String, f64)> {
    let ledger = rusqlite::Connection::open(world.path("ledger.db")).unwrap();
    let mut held = ledger
        .prepare(
            "SELECT name, json_extract(detail, '$.held_s') FROM job JOIN mailbox ON mailbox.id = job.mailbox \
             WHERE step = 'flip' ORDER BY name",
        )
        .unwrap();
    let held = held.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    held.map(Result::unwrap).collect()
}

/// `DRAWDOWN_TEST_SPARSE_GB` is how large it is; otherwise 2.
#[test]
fn a_mailbox_is_held_no_longer_for_its_bytes() {
    let gigabytes: u64 = std::env::var("DRAWDOWN_TEST_SPARSE_GB").map_or(2, |text| text.parse().unwrap());
    let size = gigabytes * 1_000_000_000;
    let mut world = World::new(4, 10);
    let name = format!("1300000000.M99P1.rehearsal,S={size}:2,S");
    let path = world.path("head-1/example.com/user-000/Maildir/cur").join(&name);
    File::create(&path).unwrap().set_len(size).unwrap();
    world.before = mail(&HEADS.map(|head| world.path(head)));
    world.change(
        "scenario.toml",
        &[("median = \"100 kB\", sigma = 0.5, max = \"1 GB\"", "median = \"100 kB\", sigma = 0.5, max = \"30 GB\"")],
    );
    let began = Instant::now();
    let (code, said) = ended_within(Duration::from_secs(60 + 30 * gigabytes), world.start());
    assert_eq!(code, Some(0), "{said}");
    world.check_moved();
    let held = held(&world);
    let took = began.elapsed().as_secs_f64();
    println!("{gigabytes} GB in one message: {took:.1} s in all, held {:.3} s; the others {:?}", held[0].1, &held[1..]);
    let arrived = world.path(CLUSTERS[0]).join("example.com/user-000/Maildir/cur").join(&name);
    let there = arrived.metadata().unwrap();
    assert!(there.len() == size && there.blocks() * 512 < size / 100, "{there:?}");
    let others = held[1..].iter().map(|(_, held)| *held).fold(0.0, f64::max);
    assert!(held[0].1 < others + 1.0, "{held:?}");
}

#[test]
fn a_message_larger_than_files_may_be_has_no_room_and_ends_nothing() {
    let world = World::new(4, 3);
    let big = world.path(HEADS[0]).join(world.users[0].path()).join("cur/1700000000.big.host:2,S");
    fs::write(&big, vec![b'x'; 24 << 20]).unwrap();
    let plain = world.command(&["run", "--quiet"]);
    let limited = "ulimit -f 20000; exec \"$@\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", limited, "sh"]).arg(plain.get_program()).args(plain.get_args());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let run = command.spawn().unwrap();
    world.wait_for_trouble("copy of user-000: no room on the store");
    world.wait_until_moved(3);
    assert!(world.say(&["stop"]).status.success());
    let (code, said) = ended(run);
    assert_eq!(code, Some(12), "{said}");
    assert!(big.exists());
}
