//! How fast mailboxes are copied, durably, beside `rsync -a` and `cp -a` with a sync after them, and what the ledger costs
//! of a whole run: `cargo bench --bench copy -- [MAILBOXES [MESSAGES [ROUNDS [FOLDER]]]]`.
//!
//! In turns, since other work on the machine comes and goes; the medians and the medians of each round's ratios are told.
//! A mailbox has 35 MB when nothing else is said, the founding case's median. Before each copy the sources leave the page cache. The folder, a temporary one when not given, should lie on a disk.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a measurement, not a part of the program")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Instant, SystemTime};

use drawdown::fleet::HeadId;
use drawdown::live::clock::Clock;
use drawdown::live::ledger::{Ledger, NewSession};
use drawdown::live::maildir::{Copy, Open, Root};
use drawdown::live::mover::arriving;
use drawdown::live::rehearsal::{self, Wanted};
use drawdown::live::session::{self, Accepted, Setting};
use drawdown::scenario::{ReadSettings, Source};
use drawdown::units::{Bytes, Time};
use rustix::fs::{Advice, fadvise, syncfs};

/// Bytes of a message.
const EACH: u64 = 75_000;
/// Copies at once where there are several, as many as a plan typically has.
const STREAMS: usize = 4;

struct World {
    folder: PathBuf,
    users: Vec<Wanted>,
    messages: u64,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let number = |place: usize, other: u32| words.get(place).map_or(other, |word| word.parse().unwrap());
    let (mailboxes, messages, rounds) = (number(0, 12), number(1, 467), number(2, 5));
    let temporary = tempfile::tempdir().unwrap();
    let folder = words.get(3).map_or(temporary.path().to_owned(), PathBuf::from).join("drawdown-bench-copy");
    let world = World::new(folder, mailboxes, messages);
    println!("{mailboxes} mailboxes of {messages} messages of {EACH} bytes, {rounds} rounds");
    let contestants: [(&str, &dyn Fn() -> f64); 5] = [
        ("rsync -a, sync", &|| world.outside("rsync", &["-a"])),
        ("cp -a, sync", &|| world.outside("cp", &["-a"])),
        ("bulk, one after the other", &|| world.bulk(1, false)),
        ("bulk, 4 at once", &|| world.bulk(STREAMS, false)),
        ("bulk and read back, 4 at once", &|| world.bulk(STREAMS, true)),
    ];
    let mut times = vec![Vec::new(); contestants.len()];
    for round in 0..rounds as usize {
        for turn in 0..contestants.len() {
            let place = (round + turn) % contestants.len();
            times[place].push(contestants[place].1());
        }
    }
    for (place, (name, _)) in contestants.iter().enumerate() {
        let ratio = |other: usize| median(times[other].iter().zip(&times[place]).map(|(other, own)| other / own));
        let took = median(times[place].iter().copied());
        let speed = world.messages as f64 / took;
        println!("{name}: {took:.2} s, {speed:.0} messages/s, {:.2} x rsync, {:.2} x cp", ratio(0), ratio(1));
    }
    let runs: Vec<(f64, f64)> = (0..rounds).map(|_| world.run()).collect();
    let took = median(runs.iter().map(|(took, _)| *took));
    let share = median(runs.iter().map(|(took, ledger)| ledger / took)) * 1e2;
    println!("whole run: {took:.2} s, {:.0} messages/s, {share:.1} % of it the ledger", world.messages as f64 / took);
    fs::remove_dir_all(&world.folder).unwrap();
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl World {
    fn new(folder: PathBuf, mailboxes: u32, messages: u32) -> Self {
        fs::create_dir_all(folder.join("head")).unwrap();
        let users: Vec<Wanted> = (0..mailboxes)
            .map(|number| Wanted {
                user: format!("user-{number:04}"),
                head: HeadId(0),
                bytes: Bytes::new(u64::from(messages) * EACH),
                messages,
            })
            .collect();
        for wanted in &users {
            rehearsal::make(&folder.join("head"), wanted, SystemTime::now()).unwrap();
        }
        Self { folder, users, messages: u64::from(mailboxes) * u64::from(messages) }
    }

    fn head(&self) -> PathBuf {
        self.folder.join("head")
    }

    /// An empty cluster, nothing that still has to be written, and nothing of the head in memory.
    fn fresh(&self) -> PathBuf {
        let cluster = self.folder.join("cluster");
        let _ = fs::remove_dir_all(&cluster);
        fs::create_dir(&cluster).unwrap();
        syncfs(File::open(&self.folder).unwrap()).unwrap();
        forget(&self.head());
        cluster
    }

    /// How long another program takes, seconds.
    fn outside(&self, program: &str, words: &[&str]) -> f64 {
        let cluster = self.fresh();
        let began = Instant::now();
        let copied = Command::new(program).args(words).arg(self.head().join("example.com")).arg(&cluster).status();
        assert!(copied.is_ok_and(|status| status.success()), "{program} is needed here");
        syncfs(File::open(&cluster).unwrap()).unwrap();
        began.elapsed().as_secs_f64()
    }

    /// How long the program's own first pass takes, with what is read back after it if that is wanted.
    fn bulk(&self, streams: usize, rehash: bool) -> f64 {
        let (head, cluster) = (Root::open(&self.head()).unwrap(), Root::open(&self.fresh()).unwrap());
        let next = AtomicUsize::new(0);
        let began = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..streams {
                scope.spawn(|| {
                    while let Some(wanted) = self.users.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let path = wanted.path();
                        let mut copy = Copy::new(&head, &cluster, &path, &arriving(&path));
                        assert_eq!(copy.bulk(&Open).unwrap().copied, wanted.messages);
                        if rehash {
                            copy.rehash(&Open).unwrap();
                        }
                    }
                });
            }
        });
        began.elapsed().as_secs_f64()
    }

    /// A whole migration: how long it took, and how long its ledger takes by itself, entry by entry.
    fn run(&self) -> (f64, f64) {
        self.fresh();
        for name in ["users.db", "ledger.db", "ledger.db-wal", "ledger.db-shm", "again.db"] {
            let _ = fs::remove_file(self.folder.join(name));
        }
        let path = |wanted: &Wanted| wanted.path().to_string_lossy().into_owned();
        let entries = self.users.iter().map(|wanted| (wanted.user.clone(), "head".to_owned(), path(wanted)));
        rehearsal::make_directory(&self.folder.join("users.db"), entries).unwrap();
        fs::write(self.folder.join("scenario.toml"), self.scenario()).unwrap();
        let source = Source::read(&self.folder.join("scenario.toml"), &ReadSettings::default()).unwrap();
        let site = source.site().unwrap();
        let clock = Clock::start(Time::LONG_AGO);
        let setting = Setting {
            scenario: source.middle(),
            text: source.resolved(),
            site,
            clock,
            log: None,
            accepted: Accepted::default(),
        };
        let close = Arc::new(AtomicBool::new(false));
        let began = Instant::now();
        let mut took = 0.0;
        session::run(setting, &close, &|_| {}, &mut |seen| {
            // What comes after the last switch waits for dates.
            if took == 0.0 && seen.status().left() == 0 {
                took = began.elapsed().as_secs_f64();
                close.store(true, Ordering::Relaxed);
            }
        })
        .unwrap();
        // For the next time.
        for wanted in &self.users {
            let maildir = self.head().join(wanted.path());
            let moving = maildir.with_file_name("Maildir.moving");
            if moving.is_dir() {
                fs::remove_file(&maildir).unwrap();
                fs::rename(moving, maildir).unwrap();
            }
        }
        (took, self.ledger_alone(source.resolved()))
    }

    /// Writes what the ledger has into another one on the same disk.
    fn ledger_alone(&self, scenario: &str) -> f64 {
        let reader = Ledger::read(&self.folder.join("ledger.db")).unwrap();
        let (start, mailboxes) = (reader.start(1).unwrap(), reader.mailboxes().unwrap());
        let mut recorded = Vec::new();
        reader
            .visit(1, &mut |one| {
                recorded.push((one.at, one.event.clone(), one.read_commands().unwrap()));
                Ok(std::ops::ControlFlow::Continue(()))
            })
            .unwrap();
        let steps = reader.steps(1).unwrap();
        let mut ledger = Ledger::open(&self.folder.join("again.db")).unwrap();
        let began = Instant::now();
        let new = NewSession { start: &start, mailboxes: &mailboxes, scenario, program: "bench" };
        ledger.begin_session(recorded[0].0, &new).unwrap();
        for (at, event, commands) in &recorded {
            ledger.record(*at, event, commands).unwrap();
        }
        let journal = ledger.journal();
        for step in &steps {
            let detail =
                step.detail.as_deref().map_or(serde_json::Value::Null, |text| serde_json::from_str(text).unwrap());
            journal.note(step.at, step.effect, step.mailbox, step.step, &detail).unwrap();
        }
        began.elapsed().as_secs_f64()
    }

    fn scenario(&self) -> String {
        let (below, mailboxes) = (self.folder.display(), self.users.len());
        format!(
            r#"
name = "A measurement"
time_zone = "UTC"
as_of = 2020-01-01T00:00:00
horizon = "30 days"
[[head]]
name = "head"
capacity = "9000 op/s"
latency = {{ points = [["100 %", "5 ms"]] }}
[[cluster]]
name = "cluster"
rated = "900 TB"
full_at = "90 %"
ingest = "400 MB/s"
capacity = "60000 op/s"
latency = {{ points = [["100 %", "5 ms"]] }}
[population]
mailboxes = {mailboxes}
split = {{ head = "100 %" }}
size = {{ median = "15 MB", sigma = 0.1, max = "1 GB" }}
message = {{ mean = "75 kB" }}
activity = "0.01 op/s"
[load]
profile = "flat"
[cost]
purge_rate = "200 / s"
[probe]
every = "1 s"
[users]
objective = "10 ms"
[plan]
order = {{ heads = ["head"] }}
throttle = {{ law = "fixed", streams = {STREAMS} }}
move = {{ stream = "400 MB/s", purge_after = "7 days" }}
[site]
ledger = "{below}/ledger.db"
socket = "{below}/socket"
[[site.store]]
name = "head"
root = "{below}/head"
probe = {{ command = ["echo", "0.2 0.002"] }}
[[site.store]]
name = "cluster"
root = "{below}/cluster"
probe = {{ command = ["echo", "0.2 0.002"] }}
[site.directory]
sqlite = "{below}/users.db"
"#
        )
    }
}

/// Lets what has been read of a tree leave the page cache.
fn forget(root: &Path) {
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            forget(&entry.path());
        } else {
            let file = File::open(entry.path()).unwrap();
            fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        }
    }
}
