//! A step of the machine allocates nothing once the session has begun: counted over a hundred thousand mailboxes.
#![allow(unsafe_code, reason = "a counting allocator is the only way to see allocations")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drawdown::fleet::{ClusterId, Fleet, HeadId, Home};
use drawdown::migration::Migration;
use drawdown::migration::message::{CORE_VERSION, Command, Event, Facts, Limit, Start};
use drawdown::migration::plan::{
    AttemptPlan, ClusterPlan, CopyPlan, HeadPlan, Law, OrderPlan, Overlap, Placement, PlacementPlan, Plan,
    ThrottlePlan, Windows, Within,
};
use drawdown::units::{Bytes, Latency, Rate, Share, Span, Time};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
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
        answers.push_back(Event::ClusterSampled { cluster, measured_at: now, used, utilisation, latency });
    }
    answers.push_back(Event::HeadSampled { head: HeadId(0), measured_at: now, utilisation, latency });
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let (mut moved, mut purged) = (0, 0);
    while let Some(event) = answers.pop_front() {
        now = now + Span::from_secs(1);
        moved += usize::from(matches!(event, Event::SwitchEnded { .. }));
        purged += usize::from(matches!(event, Event::PurgeEnded { .. }));
        commands.clear();
        machine.step(now, &event, &mut commands);
        for command in &commands {
            match *command {
                Command::StartCopy { effect, bytes, .. } => {
                    answers.push_back(Event::CopyEnded { effect, bytes, messages: 1, limit: Limit::Own });
                }
                Command::Switch { effect } => answers.push_back(Event::SwitchEnded { effect }),
                Command::Purge { effect, .. } => answers.push_back(Event::PurgeEnded { effect }),
                Command::Abandon { .. }
                | Command::SetPace { .. }
                | Command::SetIntake { .. }
                | Command::Audit { .. }
                | Command::Announce { .. } => {}
            }
        }
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert_eq!(moved, MAILBOXES);
    assert!(purged > MAILBOXES / 10, "{purged}");
    assert_eq!(allocations, 0, "in {MAILBOXES} moves and {purged} purges");
}
