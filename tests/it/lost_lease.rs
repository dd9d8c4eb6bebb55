//! An instance whose lease another one has taken, and one that holds a user for too long: what they leave alone, and where
//! they stop.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for real copies")]

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drawdown::fleet::{HeadId, MailboxId};
use drawdown::live::journal::{Journal, Step};
use drawdown::live::ledger::{self, LedgerError};
use drawdown::live::maildir::{self, Root};
use drawdown::live::recorder::Recorder;
use drawdown::migration::message::{Batch, Command, EffectId, Event, Fault};
use drawdown::units::{Rate, Span};

use crate::contract::Director;
use crate::site_world::{World, entries, waits};
use crate::stages::{Limits, Real, Stage as _};

/// A copy at this pace comes to no end.
const CRAWL: Rate = Rate::per_second(1);

/// Everything below the heads and the clusters.
fn everything(world: &World) -> Vec<PathBuf> {
    let stores = ["head-1", "head-2", "nas-1", "nas-2"];
    let mut all: Vec<PathBuf> = stores.iter().flat_map(|store| entries(&world.path(store))).collect();
    all.sort();
    all
}

fn of_name(all: &[PathBuf], end: &str) -> usize {
    all.iter().filter(|path| path.to_string_lossy().ends_with(end)).count()
}

#[test]
fn an_instance_whose_lease_is_taken_purges_removes_and_switches_nothing() {
    let world = World::new(24, 30);
    world.change("scenario.toml", &[("ledger = ", "lease = \"2 s\"\nledger = ")]);
    let stage = Real::of(world);
    let mut director = Director::begin(&stage);
    director.pace(4, Rate::UNLIMITED);
    director.moves(0);
    let arrived = director.copy(1);
    director.arrives(arrived);
    director.pace(4, CRAWL);
    let going = director.copy(2);
    assert_eq!(director.events(Span::from_secs(1)), []);
    // Another ledger's instance has come, as after this one has stood still for long.
    stage.world.users().execute("UPDATE drawdown_lease SET fence = fence + 1, owner = 'another'", ()).unwrap();
    std::thread::sleep(Duration::from_millis(2_100));
    let before = everything(&stage.world);
    assert_eq!((of_name(&before, ".moving"), of_name(&before, ".arriving")), (1, 2));

    director.pace(4, Rate::UNLIMITED);
    let ended = director.next();
    assert!(matches!(ended, Event::CopyFailed { effect, .. } if effect == going), "{ended:?}");
    director.ask(Command::Switch { effect: arrived });
    assert_eq!(director.next(), Event::SwitchFailed { effect: arrived, fault: Fault::Transient });
    let batch = Batch::new([director.mailboxes[0]]);
    let purge = director.effect();
    director.ask(Command::Purge { effect: purge, batch, from: HeadId(0) });
    assert_eq!(director.next(), Event::PurgeFailed { effect: purge, fault: Fault::Transient });
    std::thread::sleep(Duration::from_millis(500));
    // A copy under way may have lost its own temporary files, and nothing else.
    let temporary = |path: &PathBuf| path.to_string_lossy().contains(".temp.");
    let without = |all: Vec<PathBuf>| all.into_iter().filter(|path| !temporary(path)).collect::<Vec<_>>();
    assert_eq!(without(everything(&stage.world)), without(before));
    assert_eq!(stage.world.held(), Vec::<String>::new());
}

/// Makes the hold too long at its fence, with so much to copy behind it; counts what of it has arrived when the switch fails.
#[derive(Debug)]
struct Late {
    inner: Arc<Recorder>,
    mailbox: PathBuf,
    copy: PathBuf,
    arrived: AtomicUsize,
    told: Mutex<Vec<String>>,
}

const HOLD_AT_MOST: Duration = Duration::from_secs(1);
const COME_LATE: usize = 3_000;

impl Journal for Late {
    fn step(&self, effect: EffectId, mailbox: MailboxId, step: Step) -> Result<(), LedgerError> {
        if step.name() == ledger::Step::Fence {
            for number in 0..COME_LATE {
                fs::write(self.mailbox.join(format!("new/late-{number}.host")), "late").unwrap();
            }
            std::thread::sleep(HOLD_AT_MOST);
        }
        self.inner.step(effect, mailbox, step)
    }

    fn trouble(&self, doing: &str, why: &str) {
        // Not removed yet: people are told first.
        let late = |path: &PathBuf| path.to_string_lossy().contains("late-");
        self.arrived.store(entries(&self.copy).iter().filter(|path| late(path)).count(), Ordering::Relaxed);
        self.told.lock().unwrap().push(format!("{doing}: {why}"));
    }
}

#[test]
fn a_hold_that_takes_too_long_ends_in_the_middle_of_a_step() {
    let stage = Real::new();
    let user = &stage.world.users[0];
    let beside = |store: &str, end: &str| stage.world.path(store).join(user.path()).with_extension(end);
    let journal = Mutex::new(None);
    let host = stage.host_with(Limits { hold_at_most: HOLD_AT_MOST, ..Limits::default() }, |inner| {
        let (mailbox, copy) = (beside("head-1", "moving"), beside("nas-1", "arriving"));
        let late = Arc::new(Late { inner, mailbox, copy, arrived: AtomicUsize::new(0), told: Mutex::default() });
        *journal.lock().unwrap() = Some(Arc::clone(&late));
        late
    });
    let mut director = Director::with(&stage, host);
    director.pace(1, Rate::UNLIMITED);
    let effect = director.copy(0);
    director.arrives(effect);
    director.ask(Command::Switch { effect });
    assert_eq!(director.next(), Event::SwitchFailed { effect, fault: Fault::HoldTooLong });
    let late = journal.lock().unwrap().take().unwrap();
    assert!(late.told.lock().unwrap()[0].contains("switch of user-000"), "{:?}", late.told);
    assert_eq!(late.arrived.load(Ordering::Relaxed), 0, "it went on with the step");
    // Back where it was, with what has come.
    assert_eq!(stage.world.held(), Vec::<String>::new());
    let new = stage.world.path("head-1").join(user.path()).join("new");
    assert!(fs::read_dir(new).unwrap().count() >= COME_LATE);
    assert_eq!(stage.left_behind(), 0);
}

#[test]
fn who_is_left_held_behind_a_fence_on_a_cluster_is_put_back_there() {
    let world = World::new(4, 5);
    world.finish();
    let path = world.users[1].path();
    let mailbox = world.path("nas-1").join(&path);
    // As preflight's way back leaves it when it is killed.
    maildir::fence(&Root::open(&world.path("nas-1")).unwrap(), &path).unwrap();
    world.users().execute("UPDATE mailbox SET state = 'hold', fence = 1 WHERE name = 'user-001'", ()).unwrap();
    assert!(!mailbox.is_dir());
    let released = world.say(&["release"]);
    assert!(released.status.success(), "{}", String::from_utf8_lossy(&released.stderr));
    assert!(waits(Duration::from_secs(1), || mailbox.is_dir()));
    assert_eq!(world.held(), Vec::<String>::new());
    world.check_moved();
}
