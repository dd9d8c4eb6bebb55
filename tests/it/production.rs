//! The migration itself, through the program, on real Maildirs in a folder of the test's own: no mail server, no root.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use drawdown::fleet::HeadId;
use drawdown::live::ledger::Ledger;
use drawdown::live::rehearsal::{self, Wanted};
use drawdown::units::Bytes;

/// Heads, clusters, mailboxes, a user database, and a scenario that names them.
struct World {
    folder: tempfile::TempDir,
    users: Vec<Wanted>,
    before: BTreeMap<String, Vec<u8>>,
}

const HEADS: [&str; 2] = ["head-1", "head-2"];
const CLUSTERS: [&str; 2] = ["nas-1", "nas-2"];

impl World {
    /// `users` mailboxes of `messages` messages each, half of them on either head.
    fn new(users: u32, messages: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for store in HEADS.iter().chain(&CLUSTERS) {
            fs::create_dir(folder.path().join(store)).unwrap();
        }
        let users: Vec<Wanted> = (0..users)
            .map(|number| Wanted {
                user: format!("user-{number:03}"),
                head: HeadId((number % 2) as u8),
                bytes: Bytes::new(u64::from(messages) * 3_000),
                messages,
            })
            .collect();
        for wanted in &users {
            rehearsal::make(&folder.path().join(HEADS[wanted.head.index()]), wanted, SystemTime::now()).unwrap();
        }
        let entries = users.iter().map(|wanted| {
            let path = wanted.path().to_string_lossy().into_owned();
            (wanted.user.clone(), HEADS[wanted.head.index()].to_owned(), path)
        });
        rehearsal::make_directory(&folder.path().join("users.db"), entries).unwrap();
        let before = mail(&HEADS.map(|head| folder.path().join(head)));
        let world = Self { folder, users, before };
        fs::write(world.path("scenario.toml"), world.scenario()).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn scenario(&self) -> String {
        let yesterday = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
        let today = yesterday.to_zoned_datetime(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d");
        let below = self.folder.path().display();
        let store = |store: &&str| {
            format!(
                "[[site.store]]\nname = \"{store}\"\nroot = \"{below}/{store}\"\n\
                 probe = {{ command = [\"echo\", \"0.2 0.002\"] }}\n"
            )
        };
        let stores = HEADS.iter().chain(&CLUSTERS).map(store).collect::<Vec<_>>().concat();
        format!(
            r#"
name = "A test"
time_zone = "UTC"
as_of = {today}T00:00:00
horizon = "30 days"
[[head]]
name = "head-1"
capacity = "9000 op/s"
latency = {{ points = [["100 %", "5 ms"]] }}
[[head]]
name = "head-2"
capacity = "9000 op/s"
latency = {{ points = [["100 %", "5 ms"]] }}
[[cluster]]
name = "nas-1"
rated = "900 TB"
full_at = "90 %"
ingest = "400 MB/s"
capacity = "60000 op/s"
latency = {{ points = [["100 %", "5 ms"]] }}
[[cluster]]
name = "nas-2"
rated = "900 TB"
full_at = "90 %"
ingest = "400 MB/s"
capacity = "60000 op/s"
latency = {{ points = [["100 %", "5 ms"]] }}
[population]
mailboxes = {mailboxes}
split = {{ head-1 = "50 %", head-2 = "50 %" }}
size = {{ median = "100 kB", sigma = 0.5, max = "1 GB" }}
message = {{ mean = "3 kB" }}
activity = "0.01 op/s"
[load]
profile = "flat"
[cost]
purge_rate = "200 / s"
[probe]
every = "0.2 s"
[users]
objective = "10 ms"
[plan]
order = {{ heads = ["head-1", "head-2"], overlap = "none" }}
throttle = {{ law = "fixed", streams = 4 }}
attempts = {{ backoff = "1 s", backoff_cap = "2 s" }}
move = {{ stream = "20 MB/s", purge_after = "1 s", hold_at_most = "20 s" }}
[site]
ledger = "{below}/ledger.db"
socket = "{below}/socket"
{stores}
[site.directory]
sqlite = "{below}/users.db"
"#,
            mailboxes = self.users.len(),
        )
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
        command.arg(words[0]).arg(self.path("scenario.toml")).args(&words[1..]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self) -> Child {
        self.command(&["run", "--quiet"]).spawn().unwrap()
    }

    fn say(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs to the end, at most for a minute.
    fn finish(&self) -> String {
        let mut child = self.start();
        let ended = waits(Duration::from_mins(1), || child.try_wait().unwrap().is_some());
        if !ended {
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(ended && output.status.success(), "{:?}: {text}", output.status);
        text
    }

    /// Everything is where it should be: each message once, on a cluster, as it was; nobody held; nothing half-done.
    fn check_moved(&self) {
        let after = mail(&CLUSTERS.map(|cluster| self.path(cluster)));
        let lost: Vec<&String> = self.before.keys().filter(|name| !after.contains_key(*name)).collect();
        assert!(lost.is_empty(), "lost {lost:?}");
        assert!(after == self.before, "something has changed or come twice");
        assert_eq!(mail(&HEADS.map(|head| self.path(head))).len(), 0, "the heads are purged");
        for store in HEADS.iter().chain(&CLUSTERS) {
            let left = entries(&self.path(store));
            let odd: Vec<_> = left
                .iter()
                .filter(|path| {
                    [".arriving", ".moving", ".purging"].iter().any(|end| path.to_string_lossy().contains(end))
                })
                .collect();
            assert!(odd.is_empty(), "{odd:?}");
        }
        let users = rusqlite::Connection::open(self.path("users.db")).unwrap();
        let odd: i64 = users
            .query_row(
                "SELECT count(*) FROM mailbox WHERE state <> 'ok' OR home NOT LIKE 'nas-%' OR epoch <> 1",
                (),
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(odd, 0, "users held, left behind, or moved twice");
    }

    /// What the ledger says, session by session, is what the machine says to the same events.
    fn check_replay(&self) -> usize {
        let reader = Ledger::read(&self.path("ledger.db")).unwrap();
        let sessions = reader.sessions().unwrap();
        for session in &sessions {
            let replayed = reader.replay(session.number).unwrap();
            assert!(replayed.differences.is_empty(), "session {}: {:?}", session.number, replayed.differences);
        }
        sessions.len()
    }
}

/// Asks again and again until it is true, or the time is over.
fn waits(limit: Duration, mut until: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < limit {
        if until() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

fn entries(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found
}

/// The messages below some stores, by their places below the store.
fn mail(stores: &[PathBuf]) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for store in stores {
        for path in entries(store) {
            let folder = path.parent().and_then(Path::file_name).unwrap().to_owned();
            if path.is_file() && (folder == "cur" || folder == "new") {
                let name = path.strip_prefix(store).unwrap().to_string_lossy().into_owned();
                assert!(found.insert(name.clone(), fs::read(&path).unwrap()).is_none(), "{name} is there twice");
            }
        }
    }
    found
}

#[test]
fn a_run_moves_everything_and_says_so() {
    let world = World::new(12, 20);
    let said = world.finish();
    for milestone in ["head-1 emptied", "head-2 emptied", "all emptied", "decommissioned"] {
        assert!(said.contains(milestone), "{said}");
    }
    world.check_moved();
    assert_eq!(world.check_replay(), 1);
    // Once more there is nothing to do.
    world.finish();
    world.check_moved();
}

#[test]
fn killed_at_any_moment_and_started_again_it_comes_to_the_same_end() {
    let kills: u32 = std::env::var("DRAWDOWN_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let mut killed = 0;
    let mut seed = 0x9e37_79b9_u32;
    while killed < kills {
        let world = World::new(10, 40);
        for _ in 0..8 {
            let mut child = world.start();
            // Somewhere between the start and the end: a different moment each time.
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let after = Duration::from_millis(u64::from(seed >> 22));
            if waits(after, || child.try_wait().unwrap().is_some()) {
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
        }
        world.finish();
        world.check_moved();
        world.check_replay();
    }
}

#[test]
fn a_second_run_is_refused_and_the_operator_is_obeyed() {
    let world = World::new(40, 60);
    let mut child = world.start();
    let socket = world.path("socket");
    assert!(waits(Duration::from_secs(20), || socket.exists()), "it answers");
    assert!(world.say(&["pause"]).status.success());
    let second = world.say(&["run"]);
    assert_eq!(second.status.code(), Some(1));
    let why = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(why.contains("ledger"), "{why}");
    let status = world.say(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["paused"], true, "{status}");
    assert!(waits(Duration::from_secs(20), || {
        let text = world.say(&["status"]).stdout;
        let text = String::from_utf8_lossy(&text).into_owned();
        text.contains("40 mailboxes left, paused by an operator") || text.contains("paused")
    }));
    // Paused it stays, over a stop and a start.
    assert!(world.say(&["stop"]).status.success());
    assert!(waits(Duration::from_secs(20), || child.try_wait().unwrap().is_some()));
    assert_eq!(child.wait().unwrap().code(), Some(12), "it has not finished");
    let mut child = world.start();
    assert!(waits(Duration::from_secs(20), || socket.exists()));
    let left = || {
        let status = world.say(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        status["heads"].as_array().map(|heads| heads.iter().filter_map(|head| head["left"].as_u64()).sum::<u64>())
    };
    let before = left();
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(left(), before, "it is still paused");
    assert_eq!(world.say(&["pace", "head-9", "3"]).status.code(), Some(2));
    assert_eq!(world.say(&["skip", "nobody"]).status.code(), Some(2));
    assert!(world.say(&["skip", "user-001"]).status.success());
    assert!(world.say(&["resume"]).status.success());
    assert!(waits(Duration::from_mins(1), || left().is_none_or(|left| left == 0)));
    let _ = world.say(&["retry", "user-001"]);
    let ended = waits(Duration::from_mins(1), || child.try_wait().unwrap().is_some());
    if !ended {
        child.kill().unwrap();
    }
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(ended, "{said}");
    assert!(child.wait().unwrap().success(), "{said}");
    world.check_replay();
}

#[test]
fn a_user_who_was_left_held_is_released_without_a_run() {
    let world = World::new(2, 3);
    let users = rusqlite::Connection::open(world.path("users.db")).unwrap();
    users.execute("UPDATE mailbox SET state = 'hold', fence = 0 WHERE name = 'user-001'", ()).unwrap();
    let output = world.say(&["release"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("user-001: released"), "{said} {output:?}");
    let held: i64 = users.query_row("SELECT count(*) FROM mailbox WHERE state = 'hold'", (), |row| row.get(0)).unwrap();
    assert_eq!(held, 0);
    drop(users);
    world.finish();
    world.check_moved();
}

#[test]
fn a_forecast_starts_from_where_the_ledger_ends() {
    let world = World::new(40, 30);
    let mut child = world.start();
    let moved = || {
        let status = world.say(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
        status["moved"].as_u64().unwrap_or(0)
    };
    assert!(waits(Duration::from_mins(1), || moved() >= 10));
    let _ = world.say(&["stop"]);
    assert!(waits(Duration::from_secs(20), || child.try_wait().unwrap().is_some()));
    let known = Ledger::read(&world.path("ledger.db")).unwrap().last_known().unwrap().expect("a session");
    let left = known.facts.fleet.home.iter().filter(|home| !home.is_cluster()).count();
    assert!(left > 0 && left <= 30, "{left} are left");
    let ledger = world.path("ledger.db").display().to_string();
    let page = world.say(&["forecast", "--from", &ledger, "--replications", "40", "--no-files", "--quiet"]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("From the ledger: 40 mailboxes, {left} still on the heads")), "{page}");
    assert!(words.contains("Still the scenario's: load"), "{page}");
    let json = world.say(&["forecast", "--from", &ledger, "--replications", "40", "--no-files", "--quiet", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["observed"].as_array().map(|lines| !lines.is_empty()), Some(true), "{json}");
    // A ledger without a session, and one that is none.
    let nothing = world.say(&["forecast", "--from", &world.path("users.db").display().to_string(), "--no-files"]);
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
    world.finish();
    world.check_moved();
}

#[test]
fn the_preflight_names_what_is_wrong_and_leaves_nothing_behind() {
    let world = World::new(4, 2);
    let before = entries(&world.path("nas-1")).len();
    let good = world.say(&["preflight"]);
    let said = String::from_utf8_lossy(&good.stdout).into_owned();
    assert!(good.status.success(), "{said} {good:?}");
    assert!(said.contains("good  directory: 4 users: 2 on head-1, 2 on head-2"), "{said}");
    assert!(said.contains("look  front ends: none"), "{said}");
    assert_eq!(entries(&world.path("nas-1")).len(), before);
    fs::remove_dir(world.path("nas-2")).unwrap();
    let bad = world.say(&["preflight"]);
    let said = String::from_utf8_lossy(&bad.stdout).into_owned();
    assert_eq!(bad.status.code(), Some(1));
    assert!(said.contains("BAD   nas-2 at"), "{said}");
}
