//! What must be true of the world, whatever the machine thinks: looked at after every event and every command.

mod allowed;
mod asked;
mod settled;

use std::collections::{BTreeMap, BTreeSet};

use super::world::{Doing, Job, Live, World};
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::migration::Phase;
use crate::migration::message::{Batch, Command, EffectId, Event, Fault, Milestone, Next, Order, StopCause};
use crate::migration::plan::{Go, Overlap, Plan, Within};
use crate::units::{Room, Span, Time};

/// What the oracle remembers of what was said.
#[allow(clippy::struct_excessive_bools, reason = "independent facts, not the states of one thing")]
#[derive(Debug, Default)]
pub(super) struct Oracle {
    pub(super) cohort: Time,
    /// Old copies of cohorts stopped in earlier sessions: facts no longer name them.
    pub(super) kept: BTreeSet<MailboxId>,
    /// Mailboxes whose purge has failed: it may have been given up.
    pub(super) purge_failed: BTreeSet<MailboxId>,
    session: u16,
    started_at: Time,
    last_effect: Option<EffectId>,
    head_samples: BTreeMap<HeadId, Time>,
    /// When each cluster's last sample was measured, what it found, and whether it knew the inodes.
    cluster_samples: BTreeMap<ClusterId, (Time, Room, bool)>,
    /// When the clock was last set: no sample from before may start anything.
    stepped_at: Time,
    paused: bool,
    stopped: bool,
    purges_held: bool,
    caps: BTreeMap<HeadId, u16>,
    paces: BTreeMap<HeadId, u16>,
    soak: Option<(Time, Go)>,
    asked_go: bool,
    skipped: BTreeSet<MailboxId>,
    /// Mailboxes that may go ahead of the order of heads and of waves.
    urgent: BTreeSet<MailboxId>,
    /// Mailboxes whose last attempt failed for want of room, or that wait where no open cluster has room for them.
    for_room: BTreeSet<MailboxId>,
    /// Heads of which at some time nothing else was left.
    gave_way: BTreeSet<HeadId>,
    milestones: BTreeSet<Milestone>,
    /// Mailboxes came back or were found: heads may be emptied again.
    revived: bool,
}

impl Oracle {
    pub(super) fn new(plan: &Plan) -> Self {
        let urgent = plan.order.scheduled.iter().map(|(id, _)| *id).collect();
        Self { cohort: Time::NEVER, stepped_at: Time::LONG_AGO, urgent, ..Self::default() }
    }

    /// Takes in an event before the machine does.
    pub(super) fn hear(world: &mut World, event: &Event) {
        let now = world.now;
        let oracle = &mut world.oracle;
        match *event {
            Event::Started(ref start) => {
                let (kept, soak) = (std::mem::take(&mut oracle.kept), oracle.soak.take());
                *oracle = Self { kept, soak, session: start.session, started_at: now, ..Self::new(&world.plan) };
            }
            Event::HeadSampled { head, measured_at, .. } => {
                let last = oracle.head_samples.entry(head).or_insert(measured_at);
                *last = measured_at.max(*last);
            }
            Event::ClusterSampled { cluster, measured_at, used, inodes, .. } => {
                let found = Room { bytes: used, inodes: inodes.get().unwrap_or_default() };
                let sample = (measured_at, found, !inodes.is_unknown());
                let last = oracle.cluster_samples.entry(cluster).or_insert(sample);
                if measured_at >= last.0 {
                    *last = sample;
                }
            }
            Event::ClockStepped { .. } => oracle.stepped_at = now,
            Event::MailboxFound { .. } => oracle.revived = true,
            Event::Operator(order) => Self::hear_order(world, order),
            _ => Self::hear_end(world, event),
        }
    }

    fn hear_order(world: &mut World, order: Order) {
        let oracle = &mut world.oracle;
        match order {
            Order::Pause => oracle.paused = true,
            Order::Resume => {
                (oracle.paused, oracle.stopped) = (false, false);
                if oracle.asked_go {
                    (oracle.asked_go, oracle.soak) = (false, None);
                    if let Some(waves) = &mut world.waves {
                        waves.go = true;
                    }
                }
            }
            Order::Cap { head, streams } => _ = oracle.caps.insert(head, streams),
            Order::Skip(mailbox) => {
                if world.live.contains_key(&mailbox) {
                    oracle.skipped.insert(mailbox);
                }
            }
            Order::Retry(mailbox) => {
                oracle.skipped.remove(&mailbox);
                oracle.urgent.insert(mailbox);
                oracle.revived = true;
            }
            Order::MoveNow(mailbox) => _ = oracle.urgent.insert(mailbox),
            Order::HoldPurges => oracle.purges_held = true,
            Order::ResumePurges => oracle.purges_held = false,
            Order::StopCohort(since) => {
                oracle.cohort = oracle.cohort.min(since);
                oracle.paused = true;
            }
            Order::CloseCluster(_) | Order::OpenCluster(_) | Order::EndSession => {}
        }
    }

    fn hear_end(world: &mut World, event: &Event) {
        let (effect, doing) = match *event {
            Event::CopyEnded { effect, .. } | Event::CopyFailed { effect, .. } => (effect, Doing::Copying),
            Event::SwitchEnded { effect } | Event::SwitchFailed { effect, .. } => (effect, Doing::Switching),
            Event::PurgeEnded { effect } | Event::PurgeFailed { effect, .. } => (effect, Doing::Purging),
            _ => return,
        };
        let Some(job) = world.jobs.get(&effect).copied().filter(|job| job.doing == doing) else { return };
        if let Event::CopyEnded { bytes, messages, .. } = *event
            && !job.abandoned
        {
            let reserved = world.takes(bytes, messages);
            world.jobs.insert(effect, Job { doing: Doing::Copied, reserved, ..job });
            return;
        }
        if let Event::CopyFailed { fault: Fault::Unreachable, .. } = event
            && !job.abandoned
        {
            world.oracle.head_samples.remove(&job.from);
        }
        if let Event::CopyFailed { fault, .. } | Event::SwitchFailed { fault, .. } = event {
            world.oracle.waits_for_room(job.mailbox, *fault == Fault::NoRoom);
        }
        if let Event::SwitchEnded { .. } = event
            && let Some((_, heard)) = world.old.get_mut(&job.mailbox)
        {
            *heard = Some(world.now);
        }
        if let Event::PurgeFailed { .. } = event {
            world.oracle.purge_failed.extend(world.purging[&effect].mailboxes());
        }
        world.jobs.remove(&effect);
    }

    /// Looks at a command before the world acts on it.
    pub(super) fn judge(world: &mut World, command: &Command) {
        let effect = command.effect();
        assert_eq!(effect.session(), world.oracle.session, "{command:?}");
        match *command {
            Command::Switch { .. } => {
                let job = world.jobs.get(&effect).unwrap_or_else(|| panic!("{command:?} of no job"));
                assert!(job.doing == Doing::Copied && !job.abandoned, "{command:?} of {job:?}");
                assert!(!world.oracle.halted(), "{command:?} while paused");
                Self::assert_room(world, job.to, Room::ZERO, command);
            }
            Command::Abandon { .. } => {
                let job = world.jobs.get(&effect).unwrap_or_else(|| panic!("{command:?} of no job"));
                let may_end = matches!(job.doing, Doing::Copying | Doing::Copied) && !job.abandoned;
                assert!(may_end, "{command:?} of {job:?}");
                if job.doing == Doing::Copied {
                    let (mailbox, for_room) =
                        (job.mailbox, matches!(command, Command::Abandon { why: Fault::NoRoom, .. }));
                    if for_room {
                        // Its copy has shown how many messages there are.
                        world.known_messages.insert(mailbox, world.messages[&mailbox]);
                    }
                    world.oracle.waits_for_room(mailbox, for_room);
                }
            }
            _ => {
                assert!(world.oracle.last_effect < Some(effect), "{command:?} after {:?}", world.oracle.last_effect);
                world.oracle.last_effect = Some(effect);
            }
        }
        match *command {
            Command::StartCopy { mailbox, from, to, bytes, .. } => {
                Self::judge_start(world, mailbox, from, command);
                let (measured_at, ..) = world.oracle.cluster_samples[&to];
                assert!(measured_at >= world.oracle.stepped_at, "{command:?} on a fill from before the clock was set");
                let reserved = world.need(mailbox, bytes);
                Self::assert_room(world, to, reserved, command);
            }
            Command::Purge { batch, from, .. } => {
                assert!(!batch.mailboxes().is_empty(), "{command:?} of nothing");
                for mailbox in batch.mailboxes() {
                    Self::judge_purge(world, *mailbox, from);
                }
            }
            Command::SetAside { mailbox, .. } => {
                assert!(matches!(world.live[&mailbox], Live::Head(_)), "{command:?} of what does not live on a head");
                assert!(world.jobs.values().all(|job| job.mailbox != mailbox), "{command:?} beside a job");
            }
            Command::SetPace { head, streams, rate, .. } => {
                assert!(rate <= Self::most_rate(&world.plan, head, world.now), "{command:?} above the window");
                let most = world.oracle.most_streams(&world.plan, head, world.now);
                assert!(streams <= most, "{command:?} above {most}");
                world.oracle.paces.insert(head, streams);
            }
            Command::Announce { milestone, .. } => Self::judge_milestone(world, milestone),
            _ => {}
        }
    }

    fn judge_start(world: &World, mailbox: MailboxId, from: HeadId, command: &Command) {
        let (now, plan, oracle) = (world.now, &world.plan, &world.oracle);
        assert_eq!(world.live[&mailbox], Live::Head(from), "{command:?} moves what does not live there");
        assert!(!plan.order.excluded.contains(&mailbox), "{command:?} of an excluded mailbox");
        assert!(!oracle.skipped.contains(&mailbox), "{command:?} of a skipped mailbox");
        assert!(world.jobs.values().all(|job| job.mailbox != mailbox), "{command:?} beside another job");
        assert!(!oracle.halted(), "{command:?} while paused");
        assert!(oracle.fresh(plan, from, now), "{command:?} on a sample that is missing or too old");
        let copying = world.copying(from);
        let most = oracle.most_streams(plan, from, now).min(oracle.paces[&from]);
        assert!(copying < usize::from(most), "{command:?} beside {copying} copies of {most}");
        if oracle.urgent.contains(&mailbox) {
            return;
        }
        // Whoever has begun has ended before the soak, or has found no room and is as one that has not begun.
        if let Some((until, go)) = oracle.soak {
            assert!(go == Go::Automatic && now >= until, "{command:?} while a wave soaks");
        }
        if world.started_before(mailbox) {
            return;
        }
        if plan.order.within == Within::WholeGroups {
            world.assert_whole_groups(mailbox, from, command);
        }
        if plan.order.overlap == Overlap::None && plan.order.scheduled.is_empty() {
            for earlier in plan.order.heads.iter().take_while(|head| **head != from) {
                let emptied =
                    |milestone: &Milestone| matches!(milestone, Milestone::HeadEmptied { head, .. } if head == earlier);
                let gave_way = oracle.gave_way.contains(earlier) || world.gives_way(*earlier);
                assert!(gave_way || oracle.milestones.iter().any(emptied), "{command:?} before {earlier:?} is empty");
            }
        }
    }

    fn judge_purge(world: &World, mailbox: MailboxId, from: HeadId) {
        let (now, oracle) = (world.now, &world.oracle);
        let after = world.plan.copy.purge_after.expect("purges are asked for only where the plan has them");
        assert_ne!(world.live[&mailbox], Live::Head(from), "{mailbox:?} would be lost");
        let (head, switched) = world.old.get(&mailbox).unwrap_or_else(|| panic!("{mailbox:?} has no old copy"));
        let switched = switched.unwrap_or_else(|| panic!("{mailbox:?} was not switched as far as the machine knows"));
        assert_eq!(*head, from);
        assert!(now >= switched + after, "{mailbox:?} purged within its grace");
        assert!(switched < oracle.cohort && !oracle.kept.contains(&mailbox), "{mailbox:?} belongs to a stopped cohort");
        assert!(!oracle.halted() && !oracle.purges_held && oracle.fresh(&world.plan, from, now), "{mailbox:?}");
        assert!(world.jobs.values().all(|job| job.mailbox != mailbox), "{mailbox:?} purged beside another job");
        let under_way = |(effect, batch): (&EffectId, &Batch)| {
            world.jobs.contains_key(effect) && batch.mailboxes().contains(&mailbox)
        };
        assert!(!world.purging.iter().any(under_way), "{mailbox:?} is being purged already");
    }

    fn judge_milestone(world: &mut World, milestone: Milestone) {
        let again = match milestone {
            Milestone::Stopped { .. } => true,
            Milestone::HeadEmptied { .. }
            | Milestone::HeadPurged { .. }
            | Milestone::AllEmptied
            | Milestone::Decommissioned => world.oracle.revived,
            _ => false,
        };
        let new = world.oracle.milestones.insert(milestone);
        assert!(new || again, "{milestone:?} is announced again");
        match milestone {
            Milestone::HeadEmptied { head, set_aside } => {
                let stays =
                    |id: &MailboxId| matches!(world.machine.phase(*id), Some(Phase::SetAside | Phase::Excluded));
                let left: Vec<_> = world.on_head(head).filter(|id| !stays(id)).collect();
                assert!(left.is_empty(), "{head:?} is announced empty with {left:?} on it");
                let aside = world.on_head(head).filter(|id| world.machine.phase(*id) == Some(Phase::SetAside)).count();
                assert_eq!(set_aside as usize, aside);
            }
            Milestone::AllEmptied => {
                let emptied = |m: &&Milestone| matches!(m, Milestone::HeadEmptied { .. });
                let heads = world.oracle.milestones.iter().filter(emptied).count();
                assert!(heads >= world.plan.heads.len(), "all are announced empty after {heads}");
            }
            Milestone::HeadPurged { head } => {
                let waits = world.set_aside().any(|id| world.live[&id] == Live::Head(head));
                assert!(
                    !waits || !world.plan.attempts.wait_for_person,
                    "{head:?} is announced purged before a person came"
                );
                let left: Vec<_> = world.old.iter().filter(|(_, (at, _))| *at == head).collect();
                assert!(left.is_empty(), "{head:?} is announced purged with {left:?} on it");
            }
            Milestone::WaveMoved { wave } => {
                if let Some(waves) = &mut world.waves {
                    (waves.moved, waves.go) = (Some((wave, world.now)), false);
                }
                let wave = world.plan.order.waves[usize::from(wave)];
                world.oracle.soak = Some((world.now + wave.soak, wave.go));
            }
            Milestone::Stopped { why: StopCause::WaveGo } => world.oracle.asked_go = true,
            _ => world.oracle.stopped |= World::is_stop(milestone),
        }
    }

    /// No placement and no switch takes a cluster above its threshold, as far as samples can tell.
    fn assert_room(world: &World, cluster: ClusterId, more: Room, command: &Command) {
        let (measured_at, used, knows_inodes) = world.oracle.cluster_samples[&cluster];
        let since = world.committed.iter().filter(|(at, to, _)| *to == cluster && *at > measured_at);
        let fill = since.fold(used, |sum, (.., room)| sum + *room);
        // What was switched but not yet told of is both committed and still reserved: it counts once.
        let open =
            world.jobs.values().filter(|job| job.to == cluster && world.live[&job.mailbox] == Live::Head(job.from));
        let fill = open.fold(fill, |sum, job| sum + job.reserved) + more;
        let plan = world.plan.placement.clusters[cluster.index()];
        let threshold = plan.threshold();
        assert!(fill.bytes <= threshold, "{command:?} takes {cluster:?} to {fill:?}, above {threshold:?}");
        // A file system that does not count inodes has no limit of them.
        if let Some(inodes) = plan.inodes.filter(|_| knows_inodes) {
            let threshold = inodes.threshold();
            assert!(fill.inodes <= threshold, "{command:?} takes {cluster:?} to {fill:?}, above {threshold:?}");
        }
    }

    /// Notes whether a mailbox's last attempt failed for want of room.
    fn waits_for_room(&mut self, mailbox: MailboxId, waits: bool) {
        if waits {
            self.for_room.insert(mailbox)
        } else {
            self.for_room.remove(&mailbox)
        };
    }

    /// Looks at the world and the machine after a step.
    pub(super) fn look(world: &mut World, next: Next) {
        let turned_away: Vec<_> = world.live.keys().copied().filter(|id| world.is_turned_away(*id)).collect();
        world.oracle.for_room.extend(turned_away);
        let heads = (0..world.plan.heads.len() as u8).map(HeadId);
        let gave_way: Vec<_> = heads.filter(|head| world.gives_way(*head)).collect();
        world.oracle.gave_way.extend(gave_way);
        world.assert_settled(next);
        if next == Next::Finished && world.machine.session.as_ref().is_some_and(|session| !session.ended) {
            let waits = world.plan.attempts.wait_for_person && world.set_aside().next().is_some();
            assert!(!waits, "finished while {:?} waits for a person", world.set_aside().next());
            let left: u32 = (0..world.plan.heads.len() as u8).map(|head| world.machine.left(HeadId(head))).sum();
            assert_eq!((left, world.jobs.len()), (0, 0), "finished while something is left");
        }
        let (now, machine) = (world.now, &world.machine);
        if let Next::Wait { until, why } = next {
            assert!(until > now, "a wake-up for {why:?} does not lie ahead");
        }
        let moves: Vec<_> = world.jobs.values().filter(|job| job.doing != Doing::Purging).collect();
        let mut open: Vec<_> = moves.iter().map(|job| (job.mailbox, job.to, job.reserved)).collect();
        let mut in_flight: Vec<_> = machine.in_flight().collect();
        open.sort_unstable();
        in_flight.sort_unstable();
        assert_eq!(in_flight, open, "what is in flight");
        for cluster in (0..world.plan.placement.clusters.len() as u8).map(ClusterId) {
            let sum = open.iter().filter(|(_, to, _)| *to == cluster).fold(Room::ZERO, |sum, job| sum + job.2);
            assert_eq!(machine.reserved(cluster), sum, "reserved on {cluster:?}");
        }
        if let Some(session) = &machine.session {
            let to_end = |id: &&MailboxId| {
                let phase = machine.phase(**id);
                let waits = matches!(phase, Some(Phase::Waiting | Phase::BackingOff));
                session.mailboxes.begun(**id) && (waits || matches!(phase, Some(Phase::Copying | Phase::Switching)))
            };
            assert_eq!(world.live.keys().filter(to_end).count() as u64, session.waves.under_way(), "of the wave");
        }
        let mut left = vec![0; world.plan.heads.len()];
        let mut aside = left.clone();
        for (&id, &live) in &world.live {
            let phase = machine.phase(id).unwrap_or_else(|| panic!("{id:?} is lost"));
            let job = moves.iter().find(|job| job.mailbox == id);
            let moving = matches!(phase, Phase::Copying | Phase::Switching);
            assert_eq!(job.is_some(), moving, "{id:?} is {phase:?}, its job {job:?}");
            match (phase, live) {
                (Phase::Waiting | Phase::BackingOff, Live::Head(head)) => left[head.index()] += 1,
                (Phase::SetAside, Live::Head(head)) => aside[head.index()] += 1,
                (Phase::Copying | Phase::Switching, _) => left[job.unwrap().from.index()] += 1,
                (Phase::Excluded, Live::Head(_))
                | (Phase::Moved | Phase::Settled, Live::Cluster(_) | Live::Gone)
                | (Phase::Gone, Live::Gone) => {}
                _ => panic!("{id:?} lives on {live:?} and is {phase:?}"),
            }
        }
        for head in (0..world.plan.heads.len() as u8).map(HeadId) {
            assert_eq!(machine.left(head), left[head.index()], "left on {head:?}");
            assert_eq!(machine.set_aside(head), aside[head.index()], "set aside on {head:?}");
            assert_eq!(usize::from(machine.copying(head)), world.copying(head), "copying from {head:?}");
            let bound = machine.bound(head, now).iter().fold(Span::ZERO, |sum, span| sum + *span);
            assert_eq!(bound, now.since(world.oracle.started_at), "time accounted on {head:?}");
        }
    }

    fn halted(&self) -> bool {
        self.paused || self.stopped
    }

    fn fresh(&self, plan: &Plan, head: HeadId, now: Time) -> bool {
        let limit = plan.heads[head.index()].throttle.sample_limit;
        let counts = |measured_at: &Time| *measured_at >= self.stepped_at && now <= *measured_at + limit;
        self.head_samples.get(&head).is_some_and(counts)
    }
}
