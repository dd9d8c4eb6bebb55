//! Any message at all, for tests: numbers that say nothing, in shapes that can be.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId};
use crate::migration::message::{
    Batch, ClustersSoFar, Command, EffectId, Event, Facts, Fault, FullOf, Limit, Milestone, Order, Start, StopCause,
    WavesSoFar,
};
use crate::migration::plan::{
    AttemptPlan, ClusterPlan, CopyPlan, Go, HeadPlan, InodePlan, Law, Level, OrderPlan, Overlap, Placement,
    PlacementPlan, Plan, ShareMilestone, ThrottlePlan, Wave, WindowLimit, Windows, Within,
};
use crate::units::{Bytes, Inodes, Latency, Rate, Share, Span, Time};

fn time() -> impl Strategy<Value = Time> {
    any::<i64>().prop_map(Time::from_unix_micros)
}

fn span() -> impl Strategy<Value = Span> {
    any::<i64>().prop_map(Span::from_micros)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    any::<u64>().prop_map(Bytes::new)
}

fn inodes() -> impl Strategy<Value = Inodes> {
    any::<u64>().prop_map(Inodes::new)
}

fn rate() -> impl Strategy<Value = Rate> {
    prop_oneof![Just(Rate::UNLIMITED), any::<u64>().prop_map(Rate::per_second)]
}

fn share() -> impl Strategy<Value = Share> {
    any::<u32>().prop_map(Share::from_ppm)
}

fn latency() -> impl Strategy<Value = Latency> {
    any::<u32>().prop_map(Latency::from_micros)
}

fn mailbox() -> impl Strategy<Value = MailboxId> {
    any::<u32>().prop_map(MailboxId)
}

fn head() -> impl Strategy<Value = HeadId> {
    (0..64_u8).prop_map(HeadId)
}

fn cluster() -> impl Strategy<Value = ClusterId> {
    (0..64_u8).prop_map(ClusterId)
}

fn home() -> impl Strategy<Value = Home> {
    prop_oneof![head().prop_map(Home::head), cluster().prop_map(Home::cluster)]
}

pub(crate) fn effect() -> impl Strategy<Value = EffectId> {
    (0..1_u16 << 14, 0..1_u64 << 37, 0..1_u16 << 13)
        .prop_map(|(session, sequence, slot)| EffectId::new(session, sequence, slot))
}

fn fault() -> impl Strategy<Value = Fault> {
    prop::sample::select(vec![
        Fault::Transient,
        Fault::Permanent,
        Fault::Unreachable,
        Fault::VerifyFailed,
        Fault::HoldTooLong,
        Fault::NoRoom,
        Fault::Abandoned,
        Fault::Skipped,
        Fault::Gone,
    ])
}

fn limit() -> impl Strategy<Value = Limit> {
    prop::sample::select(vec![Limit::Own, Limit::Head, Limit::Pace, Limit::Link, Limit::Ingest])
}

fn milestone() -> impl Strategy<Value = Milestone> {
    let why = prop_oneof![
        Just(StopCause::FaultRate),
        Just(StopCause::VerifyFailed),
        head().prop_map(|head| StopCause::AuditFailed { head }),
        Just(StopCause::WaveGo),
    ];
    prop_oneof![
        (head(), share()).prop_map(|(head, share)| Milestone::HeadShareMoved { head, share }),
        (head(), any::<u32>()).prop_map(|(head, set_aside)| Milestone::HeadEmptied { head, set_aside }),
        head().prop_map(|head| Milestone::HeadPurged { head }),
        cluster().prop_map(|cluster| Milestone::ClusterOpened { cluster }),
        (cluster(), prop::sample::select(vec![FullOf::Bytes, FullOf::Inodes]))
            .prop_map(|(cluster, of)| Milestone::ClusterFull { cluster, of }),
        share().prop_map(|share| Milestone::ShareMoved { share }),
        Just(Milestone::AllEmptied),
        Just(Milestone::Decommissioned),
        any::<u8>().prop_map(|wave| Milestone::WaveMoved { wave }),
        why.prop_map(|why| Milestone::Stopped { why }),
        Just(Milestone::WindowsEnd),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::Pause),
        Just(Order::Resume),
        (head(), any::<u16>()).prop_map(|(head, streams)| Order::Cap { head, streams }),
        mailbox().prop_map(Order::Skip),
        mailbox().prop_map(Order::Retry),
        mailbox().prop_map(Order::MoveNow),
        cluster().prop_map(Order::CloseCluster),
        cluster().prop_map(Order::OpenCluster),
        Just(Order::HoldPurges),
        Just(Order::ResumePurges),
        time().prop_map(Order::StopCohort),
        Just(Order::EndSession),
    ]
}

pub(crate) fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        (effect(), mailbox(), head(), cluster(), any::<u8>(), bytes()).prop_map(
            |(effect, mailbox, from, to, attempt, bytes)| Command::StartCopy {
                effect,
                mailbox,
                from,
                to,
                attempt,
                bytes
            }
        ),
        effect().prop_map(|effect| Command::Switch { effect }),
        (effect(), fault()).prop_map(|(effect, why)| Command::Abandon { effect, why }),
        (effect(), vec(mailbox(), 0..=Batch::MOST), head()).prop_map(|(effect, mailboxes, from)| Command::Purge {
            effect,
            batch: Batch::new(mailboxes),
            from
        }),
        (effect(), head(), any::<u16>(), rate()).prop_map(|(effect, head, streams, rate)| Command::SetPace {
            effect,
            head,
            streams,
            rate
        }),
        (effect(), cluster()).prop_map(|(effect, cluster)| Command::SetIntake { effect, cluster }),
        (effect(), mailbox()).prop_map(|(effect, mailbox)| Command::SetAside { effect, mailbox }),
        (effect(), head()).prop_map(|(effect, head)| Command::Audit { effect, head }),
        (effect(), milestone()).prop_map(|(effect, milestone)| Command::Announce { effect, milestone }),
    ]
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![share().prop_map(Level::Utilisation), latency().prop_map(Level::Latency)]
}

fn law() -> impl Strategy<Value = Law> {
    prop_oneof![
        any::<u16>().prop_map(|streams| Law::Fixed { streams }),
        (vec((level(), any::<u16>()), 0..4), any::<bool>())
            .prop_map(|(table, interpolate)| Law::Steps { table, interpolate }),
        (level(), any::<u16>(), share()).prop_map(|(target, start, hysteresis)| Law::Aimd {
            target,
            start,
            hysteresis
        }),
        (latency(), share(), any::<u16>(), share(), vec((latency(), latency()), 0..4))
            .prop_map(|(contract, aim, start, gain, slope)| Law::Integral { contract, aim, start, gain, slope }),
    ]
}

fn head_plan() -> impl Strategy<Value = HeadPlan> {
    let throttle =
        (law(), any::<[u16; 2]>(), rate(), span(), span(), prop::option::of(level()), prop::option::of(level()));
    let limit = (any::<u16>(), rate()).prop_map(|(streams, rate)| WindowLimit { streams, rate });
    (throttle, vec((time(), limit), 0..3), prop::option::of(time())).prop_map(|(throttle, changes, end)| {
        let (law, [min, max], rate, every, sample_limit, pause_above, abort_above) = throttle;
        HeadPlan {
            throttle: ThrottlePlan { law, min, max, rate, every, sample_limit, pause_above, abort_above },
            windows: Windows { changes, end },
        }
    })
}

/// A plan whose numbers say nothing, for two heads and three clusters.
pub(crate) fn any_plan() -> impl Strategy<Value = Plan> {
    let within = prop::sample::select(vec![
        Within::Inventory,
        Within::Smallest,
        Within::Largest,
        Within::Busiest,
        Within::Idlest,
        Within::Group,
        Within::WholeGroups,
    ]);
    let go = prop_oneof![Just(Go::Automatic), Just(Go::Operator)];
    let wave = (share(), span(), go).prop_map(|(share, soak, go)| Wave { share, soak, go });
    let overlap = prop_oneof![Just(Overlap::None), Just(Overlap::Tail)];
    let order = (within, overlap, vec(mailbox(), 0..3), vec((mailbox(), time()), 0..3), vec(wave, 0..3)).prop_map(
        |(within, overlap, excluded, scheduled, waves)| OrderPlan {
            heads: vec![HeadId(1), HeadId(0)],
            within,
            overlap,
            excluded,
            scheduled,
            waves,
        },
    );
    let limit = prop::option::of((inodes(), share(), inodes()).prop_map(|(rated, full_at, assumed_a_day)| InodePlan {
        rated,
        full_at,
        assumed_a_day,
    }));
    let one =
        (bytes(), share(), bytes(), rate(), limit).prop_map(|(rated, full_at, reserve, assumed_intake, inodes)| {
            ClusterPlan { rated, full_at, reserve, assumed_intake, inodes }
        });
    let rule = prop_oneof![Just(Placement::Sequential), Just(Placement::LeastFilled)];
    let placement = (rule, vec(one, 3), share(), span(), share(), inodes()).prop_map(
        |(rule, clusters, slack, sample_limit, reopen_below, inodes_per_mailbox)| PlacementPlan {
            rule,
            clusters,
            slack,
            sample_limit,
            reopen_below,
            inodes_per_mailbox,
        },
    );
    let copy = (rate(), any::<u32>(), span(), span(), prop::option::of(span()), any::<[u16; 2]>()).prop_map(
        |(stream, messages_per_ks, setup, hold_at_most, purge_after, [purge_streams, switches])| CopyPlan {
            stream,
            messages_per_ks,
            setup,
            hold_at_most,
            purge_after,
            purge_streams,
            switches,
        },
    );
    let attempts = (any::<([u8; 2], bool)>(), span(), span(), share()).prop_map(
        |(([limit, fault_window], wait_for_person), backoff, backoff_cap, fault_rate)| AttemptPlan {
            limit,
            backoff,
            backoff_cap,
            fault_rate,
            fault_window,
            wait_for_person,
        },
    );
    let milestone = (prop::option::of(head()), share()).prop_map(|(head, share)| ShareMilestone { head, share });
    (vec(head_plan(), 2), order, placement, copy, attempts, vec(milestone, 0..3)).prop_map(
        |(heads, order, placement, copy, attempts, milestones)| Plan {
            heads,
            order,
            placement,
            copy,
            attempts,
            milestones,
        },
    )
}

pub(crate) fn any_start() -> impl Strategy<Value = Start> {
    let place = prop_oneof![
        (0..2_u8).prop_map(|head| Home::head(HeadId(head))),
        (0..3_u8).prop_map(|cluster| Home::cluster(ClusterId(cluster)))
    ];
    let row = (bytes(), any::<[u32; 3]>(), 0..2_u8, place, fault(), time());
    (any_plan(), vec(row, 0..6), any::<u16>(), any::<u32>(), any::<bool>()).prop_map(
        |(plan, rows, session, version, groups)| {
            let ids = (0..rows.len()).map(|row| MailboxId(row as u32));
            let fleet = Fleet {
                bytes: rows.iter().map(|row| row.0).collect(),
                messages: rows.iter().map(|row| row.1[0]).collect(),
                activity_micro_op_s: rows.iter().map(|row| row.1[1]).collect(),
                origin: rows.iter().map(|row| HeadId(row.2)).collect(),
                home: rows.iter().map(|row| row.3).collect(),
                group: rows.iter().map(|row| row.1[2]).take(if groups { rows.len() } else { 0 }).collect(),
            };
            let facts = Facts {
                fleet: Arc::new(fleet),
                set_aside: ids.clone().zip(rows.iter().map(|row| row.4)).step_by(2).collect(),
                attempts: ids.clone().map(|id| (id, id.0 as u8 + 1)).step_by(3).collect(),
                unpurged: ids.clone().zip(rows.iter().map(|row| row.5)).step_by(2).collect(),
                kept: ids.skip(1).step_by(2).collect(),
                open: vec![ClusterId(2), ClusterId(0)],
                waves: rows.first().map(|row| WavesSoFar {
                    mailboxes: u64::from(row.1[0]),
                    over: groups.then_some(u64::from(row.1[1])),
                    moved: groups.then_some((row.2, row.5)),
                    go: row.2 == 1,
                }),
                clusters: ClustersSoFar {
                    closed: (0..session as u8 % 4).map(ClusterId).collect(),
                    filled: rows.first().map(|row| (ClusterId(row.2), FullOf::Inodes)).into_iter().collect(),
                    intake: groups.then_some(ClusterId(1)),
                },
            };
            Start { session, version, plan: Arc::new(plan), facts }
        },
    )
}

pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        any_start().prop_map(|start| Event::Started(Arc::new(start))),
        Just(Event::Wake),
        (head(), time(), share(), latency(), prop::option::of(limit())).prop_map(
            |(head, measured_at, utilisation, latency, held_by)| Event::HeadSampled {
                head,
                measured_at,
                utilisation,
                latency,
                held_by,
            },
        ),
        (cluster(), time(), bytes(), prop::option::of(0..1_u64 << 47), share(), latency()).prop_map(
            |(cluster, measured_at, used, inodes, utilisation, latency)| Event::ClusterSampled {
                cluster,
                measured_at,
                used,
                inodes: inodes.map(Inodes::new).into(),
                utilisation,
                latency
            }
        ),
        cluster().prop_map(|cluster| Event::ClusterOpened { cluster }),
        cluster().prop_map(|cluster| Event::ClusterClosed { cluster }),
        (effect(), bytes(), any::<u32>(), limit()).prop_map(|(effect, bytes, messages, limit)| Event::CopyEnded {
            effect,
            bytes,
            messages,
            limit
        }),
        (effect(), fault()).prop_map(|(effect, fault)| Event::CopyFailed { effect, fault }),
        effect().prop_map(|effect| Event::SwitchEnded { effect }),
        (effect(), fault()).prop_map(|(effect, fault)| Event::SwitchFailed { effect, fault }),
        effect().prop_map(|effect| Event::PurgeEnded { effect }),
        (effect(), fault()).prop_map(|(effect, fault)| Event::PurgeFailed { effect, fault }),
        (mailbox(), home(), bytes()).prop_map(|(mailbox, home, bytes)| Event::MailboxFound { mailbox, home, bytes }),
        mailbox().prop_map(|mailbox| Event::MailboxGone { mailbox }),
        (mailbox(), bytes()).prop_map(|(mailbox, bytes)| Event::MailboxChanged { mailbox, bytes }),
        (head(), any::<[u32; 2]>()).prop_map(|(head, [users_left, folders_left])| Event::HeadAudited {
            head,
            users_left,
            folders_left
        }),
        any::<i64>().prop_map(|by| Event::ClockStepped { by: Span::from_micros(by) }),
        order().prop_map(Event::Operator),
    ]
}
