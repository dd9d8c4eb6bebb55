//! The migration core by itself: every mailbox through copy and switch, in a world without a
//! model where every copy takes a second and every switch a millisecond. `cargo bench --bench core`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use drawdown::fleet::{ClusterId, Fleet, HeadId, Home};
use drawdown::host::{self, Host};
use drawdown::migration::Migration;
use drawdown::migration::message::{CORE_VERSION, Command, EffectId, Event, Facts, Limit, Start};
use drawdown::migration::plan::{
    AttemptPlan, ClusterPlan, CopyPlan, HeadPlan, Law, OrderPlan, Overlap, Placement, PlacementPlan, Plan,
    ThrottlePlan, Windows, Within,
};
use drawdown::units::{Bytes, Inodes, InodesUsed, Latency, Rate, Share, Span, Time};

fn main() {
    divan::main();
}

fn plan() -> Plan {
    let throttle = ThrottlePlan {
        law: Law::Fixed { streams: 64 },
        min: 1,
        max: 64,
        rate: Rate::UNLIMITED,
        every: Span::from_secs(60),
        sample_limit: Span::from_secs(180),
        pause_above: None,
        abort_above: None,
    };
    let cluster = ClusterPlan {
        rated: Bytes::new(u64::MAX / 4),
        full_at: Share::from_ppm(400_000),
        reserve: Bytes::ZERO,
        assumed_intake: Rate::ZERO,
        inodes: None,
    };
    Plan {
        heads: vec![HeadPlan { throttle, windows: Windows::default() }],
        order: OrderPlan {
            heads: vec![HeadId(0)],
            within: Within::Inventory,
            overlap: Overlap::None,
            excluded: Vec::new(),
            scheduled: Vec::new(),
            waves: Vec::new(),
        },
        placement: PlacementPlan {
            rule: Placement::Sequential,
            clusters: vec![cluster],
            slack: Share::from_ppm(50_000),
            sample_limit: Span::from_secs(180),
            reopen_below: Share::from_ppm(10_000),
            inodes_per_mailbox: Inodes::ZERO,
        },
        copy: CopyPlan {
            stream: Rate::UNLIMITED,
            messages_per_ks: u32::MAX,
            setup: Span::ZERO,
            hold_at_most: Span::from_secs(30),
            purge_after: None,
            purge_streams: 1,
            switches: 64,
        },
        attempts: AttemptPlan {
            limit: 5,
            backoff: Span::from_secs(60),
            backoff_cap: Span::from_secs(3_600),
            fault_rate: Share::from_ppm(250_000),
            fault_window: 64,
            wait_for_person: false,
        },
        milestones: Vec::new(),
    }
}

/// Constant delays, so that two rings are the whole event queue.
struct Instant {
    start: Option<Arc<Start>>,
    copies: VecDeque<(Time, EffectId, Bytes)>,
    switches: VecDeque<(Time, EffectId)>,
    sample_at: Time,
    store: u8,
    audit: Option<(Time, HeadId)>,
    now: Time,
}

impl Host for Instant {
    type Error = Infallible;

    fn record(&mut self, _: Time, _: &Event, _: &[Command]) -> Result<(), Infallible> {
        Ok(())
    }

    #[inline]
    fn perform(&mut self, now: Time, command: &Command) -> Result<(), Infallible> {
        match *command {
            Command::StartCopy { effect, bytes, .. } => {
                self.copies.push_back((now + Span::from_secs(1), effect, bytes));
            }
            Command::Switch { effect } => self.switches.push_back((now + Span::from_micros(1_000), effect)),
            Command::Audit { head, .. } => self.audit = Some((now + Span::TICK, head)),
            _ => {}
        }
        Ok(())
    }

    #[inline]
    fn wait(&mut self, until: Time) -> Result<(Time, Event), Infallible> {
        if let Some(start) = self.start.take() {
            return Ok((self.now, Event::Started(start)));
        }
        let copy = self.copies.front().map_or(Time::NEVER, |copy| copy.0);
        let switch = self.switches.front().map_or(Time::NEVER, |switch| switch.0);
        let audit = self.audit.map_or(Time::NEVER, |audit| audit.0);
        let next = copy.min(switch).min(self.sample_at).min(audit).min(until);
        self.now = next;
        if next == switch {
            if let Some((_, effect)) = self.switches.pop_front() {
                return Ok((next, Event::SwitchEnded { effect }));
            }
        } else if next == copy {
            if let Some((_, effect, bytes)) = self.copies.pop_front() {
                return Ok((next, Event::CopyEnded { effect, bytes, messages: 1, limit: Limit::Own }));
            }
        } else if next == audit {
            if let Some((_, head)) = self.audit.take() {
                return Ok((next, Event::HeadAudited { head, users_left: 0, folders_left: 0 }));
            }
        } else if next == self.sample_at {
            let (utilisation, latency) = (Share::from_ppm(500_000), Latency::from_micros(1_000));
            self.store ^= 1;
            if self.store == 1 {
                let (head, measured_at) = (HeadId(0), next);
                return Ok((next, Event::HeadSampled { head, measured_at, utilisation, latency, held_by: None }));
            }
            self.sample_at = next + Span::from_secs(60);
            let (cluster, used) = (ClusterId(0), Bytes::ZERO);
            return Ok((
                next,
                Event::ClusterSampled {
                    cluster,
                    measured_at: next,
                    used,
                    inodes: InodesUsed::UNKNOWN,
                    utilisation,
                    latency,
                },
            ));
        }
        Ok((next, Event::Wake))
    }
}

#[divan::bench(args = [10_000, 100_000, 1_000_000], sample_count = 20)]
fn a_mailbox_through_the_core(bencher: divan::Bencher<'_, '_>, mailboxes: usize) {
    let fleet = Arc::new(Fleet {
        bytes: vec![Bytes::new(40_000_000); mailboxes],
        messages: vec![500; mailboxes],
        activity_micro_op_s: vec![30_000; mailboxes],
        origin: vec![HeadId(0); mailboxes],
        home: vec![Home::head(HeadId(0)); mailboxes],
        group: Vec::new(),
    });
    let plan = Arc::new(plan());
    bencher.counter(divan::counter::ItemsCount::new(mailboxes)).bench(|| {
        let facts = Facts { fleet: Arc::clone(&fleet), open: vec![ClusterId(0)], ..Facts::default() };
        let start = Start { session: 1, version: CORE_VERSION, plan: Arc::clone(&plan), facts };
        let begin = Time::from_unix_micros(0);
        let mut world = Instant {
            start: Some(Arc::new(start)),
            copies: VecDeque::with_capacity(64),
            switches: VecDeque::with_capacity(64),
            sample_at: begin,
            store: 0,
            audit: None,
            now: begin,
        };
        let mut machine = Migration::new();
        let Ok(end) = host::run(&mut machine, &mut world, begin);
        assert_eq!(machine.left(HeadId(0)), 0);
        end
    });
}
