//! Where hosts come from whose promises are asked for: the simulated world, and production over real Maildirs.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for real copies")]

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use drawdown::fleet::{ClusterId, Fleet, Home};
use drawdown::host::Host;
use drawdown::live::clock::Clock;
use drawdown::live::directory::{Directory, Lease};
use drawdown::live::front::FrontEnds;
use drawdown::live::journal::Journal;
use drawdown::live::ledger::{Ledger, Named, NewSession};
use drawdown::live::maildir::Root;
use drawdown::live::mover::{Left, Moved, Mover, Name, Neighbours};
use drawdown::live::production::Production;
use drawdown::live::recorder::Recorder;
use drawdown::live::status::Status;
use drawdown::migration::message::{CORE_VERSION, Facts, Start};
use drawdown::scenario::{ReadSettings, Scenario, Source};
use drawdown::sim::{self, RunId, Workspace};
use drawdown::units::{Span, Time};

use crate::site_world::{self, World};

/// Where hosts come from: with mailboxes on the first head, without a probe.
pub(crate) trait Stage {
    type Host<'a>: Host<Error: Debug>
    where
        Self: 'a;
    /// Whatever can go on by itself has ended within this.
    const QUIET: Span;
    /// A wake-up may come so much later than it was asked for.
    const LATENESS: Span;

    fn host(&self) -> Self::Host<'_>;

    fn start(&self) -> Time;

    /// From now on as if the machine's clock had been set.
    fn set_clock(host: &mut Self::Host<'_>, now: Time, by: Span);

    /// Copies that lie at the target though nobody wants them.
    fn left_behind(&self) -> usize;
}

/// The simulated world, in which no sample comes.
pub(crate) struct Simulated(Scenario);

impl Simulated {
    pub(crate) fn new() -> Self {
        let mut scenario = source(&World::new(24, 30)).middle().clone();
        Arc::make_mut(&mut scenario.model).probe.loss = 1.0;
        Self(scenario)
    }
}

impl Stage for Simulated {
    type Host<'a> = sim::World<'a>;
    const QUIET: Span = Span::from_secs(600);
    const LATENESS: Span = Span::ZERO;

    fn host(&self) -> sim::World<'_> {
        sim::World::new(&self.0, RunId { seed: 1, replication: 0 }, &mut Workspace::default())
    }

    fn start(&self) -> Time {
        self.0.as_of
    }

    fn set_clock(host: &mut sim::World<'_>, now: Time, by: Span) {
        host.set_clock(now, by);
    }

    fn left_behind(&self) -> usize {
        0
    }
}

/// Production over real Maildirs.
pub(crate) struct Real {
    pub(crate) world: World,
    source: Source,
    clock: Clock,
}

impl Real {
    pub(crate) fn new() -> Self {
        Self::of(World::new(24, 30))
    }

    pub(crate) fn of(world: World) -> Self {
        Self { source: source(&world), world, clock: Clock::start(Time::LONG_AGO) }
    }

    fn names(&self) -> Vec<Named> {
        let path = |wanted: &PathBuf| wanted.to_string_lossy().into_owned();
        self.world.users.iter().map(|user| Named { name: user.user.clone(), path: path(&user.path()) }).collect()
    }

    fn begin(&self) -> Start {
        let users = &self.world.users;
        let fleet = Fleet {
            bytes: users.iter().map(|user| user.bytes).collect(),
            messages: users.iter().map(|user| user.messages).collect(),
            activity_micro_op_s: vec![0; users.len()],
            origin: users.iter().map(|user| user.head).collect(),
            home: users.iter().map(|user| Home::head(user.head)).collect(),
            group: Vec::new(),
        };
        let facts = Facts { fleet: Arc::new(fleet), open: vec![ClusterId(0), ClusterId(1)], ..Facts::default() };
        Start { session: 1, version: CORE_VERSION, plan: Arc::clone(&self.source.middle().plan), facts }
    }
}

/// What a host takes no longer than.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) hangs_after: Duration,
    pub(crate) hold_at_most: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { hangs_after: Duration::from_mins(2), hold_at_most: Duration::from_secs(30) }
    }
}

impl Real {
    /// A host with these limits, whose workers note their steps in what `journal` makes of the recorder.
    pub(crate) fn host_with(
        &self,
        limits: Limits,
        journal: impl FnOnce(Arc<Recorder>) -> Arc<dyn Journal>,
    ) -> Production {
        let (scenario, site) = (self.source.middle(), self.source.site().unwrap());
        let mut ledger = Ledger::open(&site.ledger).unwrap();
        let (start, names) = (self.begin(), self.names());
        let new = NewSession { start: &start, mailboxes: &names, scenario: "", program: "contract" };
        ledger.begin_session(self.clock.now(), &new).unwrap();
        let status = Arc::new(Mutex::new(Status::new(scenario, 1, self.clock.now())));
        let recorder = Arc::new(Recorder::new(ledger, self.clock, status));
        let directory = Arc::new(Directory::connect(&site.directory, site.timeout).unwrap());
        let lease = Lease::take(&directory, "contract", self.clock.now(), site.lease).unwrap().unwrap();
        let roots = |names: &[String]| {
            names.iter().map(|name| (name.clone(), Root::open(&self.world.path(name)).unwrap())).collect()
        };
        let name = |named: Named| Name { user: named.name, path: named.path.into() };
        let mover = Mover {
            heads: roots(&scenario.heads),
            clusters: roots(&scenario.clusters),
            names: RwLock::new(names.into_iter().map(name).collect()),
            directory,
            lease: Arc::new(lease),
            clock: self.clock,
            front_ends: FrontEnds::new(&[], site.timeout),
            journal: journal(Arc::clone(&recorder)),
            moved: Moved::default(),
            neighbours: Neighbours::default(),
            left: Left::default(),
            hold_at_most: limits.hold_at_most,
            drain: site.drain,
            hangs_after: limits.hangs_after,
            closing: AtomicBool::new(false),
        };
        let close = Arc::new(AtomicBool::new(false));
        Production::new(recorder, self.clock, Arc::new(mover), close, Arc::new(start), [], [])
    }
}

impl Stage for Real {
    type Host<'a> = Production;
    const QUIET: Span = Span::from_micros(300_000);
    const LATENESS: Span = Span::from_secs(5);

    fn host(&self) -> Production {
        self.host_with(Limits::default(), |recorder| recorder)
    }

    fn start(&self) -> Time {
        self.clock.now()
    }

    fn set_clock(host: &mut Production, _now: Time, by: Span) {
        host.as_if_clock_set(by);
    }

    fn left_behind(&self) -> usize {
        let arriving = || {
            let copies = site_world::entries(&self.world.path("nas-1"));
            copies.iter().filter(|path| path.to_string_lossy().ends_with(".arriving")).count()
        };
        // A worker removes them after the answer, on a busy machine a while after.
        (0..100).find_map(|_| {
            std::thread::sleep(Duration::from_millis(50));
            (arriving() == 0).then_some(0)
        });
        arriving()
    }
}

fn source(world: &World) -> Source {
    Source::read(&world.path("scenario.toml"), &ReadSettings::default()).unwrap()
}
