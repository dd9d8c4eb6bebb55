//! Neither a step of the machine nor the event loop of a replication allocates anything for a mailbox: counted.
#![allow(unsafe_code, reason = "a counting allocator is the only way to see allocations")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use drawdown::fleet::{ClusterId, Fleet, HeadId, Home};
use drawdown::migration::Migration;
use drawdown::migration::message::{CORE_VERSION, Command, Event, Facts, Limit, Start};
use drawdown::migration::plan::{
    AttemptPlan, ClusterPlan, CopyPlan, HeadPlan, Law, OrderPlan, Overlap, Placement, PlacementPlan, Plan,
    ThrottlePlan, Windows, Within,
};
use drawdown::scenario::{ReadSettings, Source};
use drawdown::sim::{RunId, Workspace, simulate_in};
use drawdown::units::{Bytes, Inodes, InodesUsed, Latency, Rate, Share, Span, Time};

struct Counting;

thread_local! {
    /// By thread, since tests run side by side.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.with(|count| count.set(count.get() + 1));
}

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's contract is the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MAILBOXES: usize = 100_000;

fn plan() -> Plan {
    let throttle = ThrottlePlan {
        law: Law::Fixed { streams: 64 },
        min: 1,
        max: 64,
        rate: Rate::UNLIMITED,
        every: Span::from_secs(60),
        sample_limit: Span::from_secs(1_000_000),
        pause_above: None,
        abort_above: None,
    };
    let cluster = ClusterPlan {
        rated: Bytes::new(100_000_000),
        full_at: Share::from_ppm(400_000),
        reserve: Bytes::ZERO,
        assumed_intake: Rate::per_second(1),
        inodes: None,
    };
    Plan {
        heads: vec![HeadPlan { throttle, windows: Windows::default() }],
        order: OrderPlan {
            heads: vec![HeadId(0)],
            within: Within::Smallest,
            overlap: Overlap::None,
            excluded: Vec::new(),
            scheduled: Vec::new(),
            waves: Vec::new(),
        },
        placement: PlacementPlan {
            rule: Placement::Sequential,
            clusters: vec![cluster; 3],
            slack: Share::from_ppm(100_000),
            sample_limit: Span::from_secs(1_000_000),
            reopen_below: Share::from_ppm(10_000),
            inodes_per_mailbox: Inodes::ZERO,
        },
        copy: CopyPlan {
            stream: Rate::UNLIMITED,
            messages_per_ks: u32::MAX,
            setup: Span::ZERO,
            hold_at_most: Span::from_secs(30),
            purge_after: Some(Span::from_secs(600)),
            purge_streams: 2,
            switches: 8,
        },
        attempts: AttemptPlan {
            limit: 3,
            backoff: Span::from_secs(60),
            backoff_cap: Span::from_secs(600),
            fault_rate: Share::ONE,
            fault_window: 64,
            wait_for_person: false,
        },
        milestones: Vec::new(),
    }
}

fn started() -> Event {
    let fleet = Fleet {
        bytes: (0..MAILBOXES).map(|row| Bytes::new(200 + row as u64 % 777)).collect(),
        messages: vec![1; MAILBOXES],
        activity_micro_op_s: vec![1; MAILBOXES],
        origin: vec![HeadId(0); MAILBOXES],
        home: vec![Home::head(HeadId(0)); MAILBOXES],
        group: Vec::new(),
    };
    let open = (0..3).map(ClusterId).collect();
    let facts = Facts { fleet: Arc::new(fleet), open, ..Facts::default() };
    Event::Started(Arc::new(Start { session: 1, version: CORE_VERSION, plan: Arc::new(plan()), facts }))
}

#[test]
fn a_step_allocates_nothing_in_steady_state() {
    let mut now = Time::default();
    let mut machine = Migration::new();
    let mut commands = Vec::with_capacity(1_024);
    let mut answers: std::collections::VecDeque<Event> = std::collections::VecDeque::with_capacity(4_096);
    machine.step(now, &started(), &mut commands);
    let (utilisation, latency, used) = (Share::ZERO, Latency::default(), Bytes::ZERO);
    for cluster in (0..3).map(ClusterId) {
        answers.push_back(Event::ClusterSampled {
            cluster,
            measured_at: now,
            used,
            inodes: InodesUsed::UNKNOWN,
            utilisation,
            latency,
        });
    }
    answers.push_back(Event::HeadSampled { head: HeadId(0), measured_at: now, utilisation, latency, held_by: None });
    let before = allocations();
    let (mut moved, mut purged) = (0, 0);
    while let Some(event) = answers.pop_front() {
        now = now + Span::from_secs(1);
        moved += usize::from(matches!(event, Event::SwitchEnded { .. }));
        commands.clear();
        machine.step(now, &event, &mut commands);
        for command in &commands {
            match *command {
                Command::StartCopy { effect, bytes, .. } => {
                    answers.push_back(Event::CopyEnded { effect, bytes, messages: 1, limit: Limit::Own });
                }
                Command::Switch { effect } => answers.push_back(Event::SwitchEnded { effect }),
                Command::Purge { effect, batch, .. } => {
                    purged += batch.mailboxes().len();
                    answers.push_back(Event::PurgeEnded { effect });
                }
                Command::Abandon { .. }
                | Command::SetPace { .. }
                | Command::SetIntake { .. }
                | Command::SetAside { .. }
                | Command::Audit { .. }
                | Command::Announce { .. } => {}
            }
        }
    }
    let counted = allocations() - before;
    assert_eq!(moved, MAILBOXES);
    assert!(purged > MAILBOXES / 10, "{purged}");
    assert_eq!(counted, 0, "in {MAILBOXES} moves and {purged} purges");
}

/// Allocations of one replication of the founding case with so many mailboxes, in memory that was used before.
fn of_replication(mailboxes: u64) -> (u64, u64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/opensrs-cluster-b.toml");
    // Stores that grow with the mailboxes: the days stay the same, and so does what is written down about each of them.
    // An hour with deletions and new accounts enters dates into a calendar, which is not the event loop of the moves.
    let mut overrides = vec![
        format!("population.mailboxes={mailboxes}"),
        "population.deletions=0 / day".to_owned(),
        "population.new_accounts=0 / day".to_owned(),
    ];
    for head in ["head-1", "head-2"] {
        overrides.push(format!("head.{head}.capacity={} op/s", mailboxes as f64 * 9_000.0 / 400_000.0));
    }
    let source = Source::read(&path, &ReadSettings { overrides, allow_path: false });
    let scenario = source.unwrap_or_else(|problems| panic!("{problems}")).middle().clone();
    let mut workspace = Workspace::default();
    let run = RunId { seed: 1, replication: 0 };
    let first = simulate_in(&scenario, run, &mut workspace);
    let before = allocations();
    let outcome = simulate_in(&scenario, run, &mut workspace);
    let counted = allocations() - before;
    assert_eq!(outcome, first);
    (outcome.steps, counted)
}

#[test]
fn a_replication_allocates_nothing_for_a_mailbox() {
    let (few_steps, few) = of_replication(20_000);
    let (many_steps, many) = of_replication(60_000);
    assert!(many_steps > few_steps + 80_000, "{few_steps} and {many_steps} steps");
    // What is kept by day, queues that grow to another power of two.
    assert!(many < few + 50, "{few} allocations in {few_steps} steps, {many} in {many_steps}");
}
