//! A small site for the program: Maildirs in a folder of the test's own, a user database, and a scenario that names them.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use drawdown::fleet::HeadId;
use drawdown::live::ledger::Ledger;
use drawdown::live::rehearsal::{self, Wanted};
use drawdown::units::Bytes;

use crate::images::Image;

/// Heads, clusters, mailboxes, a user database, and a scenario that names them.
pub(crate) struct World {
    /// Unmounted before the folder goes.
    pub(crate) images: Vec<Image>,
    folder: tempfile::TempDir,
    _files: Option<tempfile::TempDir>,
    pub(crate) users: Vec<Wanted>,
    pub(crate) before: BTreeMap<String, Vec<u8>>,
}

pub(crate) const HEADS: [&str; 2] = ["head-1", "head-2"];
pub(crate) const CLUSTERS: [&str; 2] = ["nas-1", "nas-2"];

impl World {
    /// `users` mailboxes of `messages` messages each, half of them on either head.
    pub(crate) fn new(users: u32, messages: u32) -> Self {
        Self::of(&vec![messages; users as usize])
    }

    /// A mailbox of so many messages each, on one head and the other in turn.
    pub(crate) fn of(messages: &[u32]) -> Self {
        Self::made(messages, 3_000, None)
    }

    /// The same with messages of so many bytes, on file systems of its own of so many megabytes: one for the ledger, the
    /// user database and all that is not said here, one for the first head, one for the first cluster.
    pub(crate) fn on_images(messages: &[u32], each: u64, megabytes: [u64; 3]) -> Self {
        Self::made(messages, each, Some(megabytes))
    }

    fn made(messages: &[u32], each: u64, megabytes: Option<[u64; 3]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut images = Vec::new();
        let files = megabytes.map(|megabytes| {
            let files = tempfile::tempdir().unwrap();
            for (below, megabytes) in ["", HEADS[0], CLUSTERS[0]].iter().zip(megabytes) {
                let at = folder.path().join(below);
                fs::create_dir_all(&at).unwrap();
                let file = files.path().join(format!("image-{below}"));
                images.push(Image::new(file, &at, megabytes).unwrap());
            }
            files
        });
        for store in HEADS.iter().chain(&CLUSTERS) {
            fs::create_dir_all(folder.path().join(store)).unwrap();
        }
        let users: Vec<Wanted> = (0..)
            .zip(messages)
            .map(|(number, &messages): (u32, &u32)| Wanted {
                user: format!("user-{number:03}"),
                head: HeadId((number % 2) as u8),
                bytes: Bytes::new(u64::from(messages) * each),
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
        let world = Self { images, folder, _files: files, users, before };
        fs::write(world.path("scenario.toml"), world.scenario()).unwrap();
        world.images.iter().for_each(Image::sync);
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where one of its databases is: the ledger may be in a folder of its own.
    pub(crate) fn database(&self, name: &str) -> PathBuf {
        let apart = self.path("ledger").join(name);
        if apart.exists() { apart } else { self.path(name) }
    }

    pub(crate) fn scenario(&self) -> String {
        let yesterday = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
        let today = yesterday.to_zoned_datetime(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d");
        let below = self.folder.path().display();
        let store = |store: &&str| {
            format!(
                "[[site.store]]\nname = \"{store}\"\nroot = \"{below}/{store}\"\nmount = false\n\
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

    /// Replaces a part of the scenario, in a file of that name.
    pub(crate) fn change(&self, name: &str, changes: &[(&str, &str)]) {
        let mut text = fs::read_to_string(self.path("scenario.toml")).unwrap();
        for (old, new) in changes {
            assert!(text.contains(old), "the scenario has no {old:?}");
            text = text.replace(old, new);
        }
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        self.command_of("scenario.toml", words)
    }

    /// The same of another scenario. A run goes without the checks that it begins with: they are tried in `operation`, and
    /// elsewhere only the session is meant, its moments and its calls.
    pub(crate) fn command_of(&self, scenario: &str, words: &[&str]) -> Command {
        let mut command = self.plain(scenario, words);
        if words[0] == "run" && !words.contains(&"--dry-run") && !words.contains(&"--skip-preflight") {
            command.arg("--skip-preflight");
        }
        command
    }

    /// The program with these words and no others.
    pub(crate) fn plain(&self, scenario: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
        command.arg(words[0]).arg(self.path(scenario)).args(&words[1..]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(&self) -> Child {
        self.command(&["run", "--quiet"]).spawn().unwrap()
    }

    pub(crate) fn say(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs to the end, at most for three minutes.
    pub(crate) fn finish(&self) -> String {
        let (code, text) = ended(self.start());
        assert_eq!(code, Some(0), "{text}");
        text
    }

    /// What `status --json` says; nothing while nobody answers.
    pub(crate) fn status(&self) -> serde_json::Value {
        serde_json::from_slice(&self.say(&["status", "--json"]).stdout).unwrap_or_default()
    }

    /// Waits until so many have moved.
    pub(crate) fn wait_until_moved(&self, count: i64) {
        let users = self.users();
        let moved = "SELECT count(*) FROM mailbox WHERE home LIKE 'nas-%'";
        let moved = waits(Duration::from_secs(30), || {
            users.query_row(moved, (), |row| row.get::<_, i64>(0)).is_ok_and(|moved| moved >= count)
        });
        assert!(moved, "not {count} moved: {}", self.status());
    }

    /// Waits until a trouble that contains this has been told.
    pub(crate) fn wait_for_trouble(&self, words: &str) {
        let mut last = serde_json::Value::Null;
        let told = waits(Duration::from_secs(30), || {
            last = self.status();
            last["troubles"].as_array().is_some_and(|told| told.iter().any(|line| line.to_string().contains(words)))
        });
        assert!(told, "nothing was told of {words:?}: {last}");
    }

    pub(crate) fn users(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path("users.db")).unwrap()
    }

    /// Users whom the database has held.
    pub(crate) fn held(&self) -> Vec<String> {
        let users = self.users();
        let mut held = users.prepare("SELECT name FROM mailbox WHERE state = 'hold'").unwrap();
        let held = held.query_map((), |row| row.get(0)).unwrap();
        held.map(Result::unwrap).collect()
    }

    /// Everything is where it should be: each message once, on a cluster, as it was; nobody held; nothing half-done.
    pub(crate) fn check_moved(&self) {
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
    pub(crate) fn check_replay(&self) -> usize {
        let reader = Ledger::read(&self.database("ledger.db")).unwrap();
        let sessions = reader.sessions().unwrap();
        for session in &sessions {
            let replayed = reader.replay(session.number).unwrap();
            assert!(replayed.differences.is_empty(), "session {}: {:?}", session.number, replayed.differences);
        }
        sessions.len()
    }
}

/// How a program ends, in three minutes at most, and all that it has said.
pub(crate) fn ended(child: Child) -> (Option<i32>, String) {
    ended_within(Duration::from_mins(3), child)
}

/// The same with another limit.
pub(crate) fn ended_within(limit: Duration, mut child: Child) -> (Option<i32>, String) {
    let ended = waits(limit, || child.try_wait().unwrap().is_some());
    let _ = if ended { Ok(()) } else { child.kill() };
    let output = child.wait_with_output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(ended, "it did not end: {text}");
    (output.status.code(), text)
}

/// Asks again and again until it is true, or the time is over.
pub(crate) fn waits(limit: Duration, mut until: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < limit {
        if until() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

pub(crate) fn entries(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let listed = match fs::read_dir(&folder) {
            // Purged since its name was read.
            Err(gone) if gone.kind() == ErrorKind::NotFound && folder != root => continue,
            listed => listed.unwrap(),
        };
        for entry in listed {
            let entry = entry.unwrap();
            if entry.file_name() == "lost+found" {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found
}

/// Of larger files it is enough that they are there.
const READ_AT_MOST: u64 = 1 << 28;

/// The messages below some stores, by their places below the store.
pub(crate) fn mail(stores: &[PathBuf]) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for store in stores {
        for path in entries(store) {
            let folder = path.parent().and_then(Path::file_name).unwrap().to_owned();
            if path.is_file() && (folder == "cur" || folder == "new") {
                let name = path.strip_prefix(store).unwrap().to_string_lossy().into_owned();
                let size = path.metadata().unwrap().len();
                let text = if size > READ_AT_MOST { size.to_le_bytes().to_vec() } else { fs::read(&path).unwrap() };
                assert!(found.insert(name.clone(), text).is_none(), "{name} is there twice");
            }
        }
    }
    found
}
