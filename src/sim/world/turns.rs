//! Which copies of a head may go on: as many as its pace allows, those that began first.

use super::World;
use crate::fleet::HeadId;
use crate::sim::job::{Job, Phase};
use crate::sim::recording::Outcomes;
use crate::units::Rate;

impl<O: Outcomes> World<'_, O> {
    pub(super) fn set_pace(&mut self, head: HeadId, streams: u16, rate: Rate) {
        self.sharing.set_rate(head, rate);
        let lane = &mut self.heads[head.index()].lane;
        lane.set_streams(streams);
        if lane.excess() > 0 {
            self.suspend_latest(head);
        }
        self.take_turns(head);
    }

    /// Suspends the copies that started latest, as many as go too many.
    #[cold]
    pub(super) fn suspend_latest(&mut self, head: HeadId) {
        let mut going = std::mem::take(&mut self.going);
        let goes =
            |job: &&Job| job.allowed && job.head == head && matches!(job.phase, Phase::SettingUp | Phase::Flowing);
        going.clear();
        going.extend(self.jobs.iter().filter(goes).map(|job| job.effect));
        going.sort_unstable();
        let excess = usize::from(self.heads[head.index()].lane.excess());
        for &effect in going.iter().rev().take(excess) {
            self.heads[head.index()].lane.halt(effect);
            let job = &mut self.jobs[usize::from(effect.slot())];
            job.allowed = false;
            // A set-up goes on; what it may do then is asked at its end.
            if job.phase == Phase::Flowing {
                job.phase = Phase::Suspended;
                self.sharing.leave(self.now, head, job.pair, job.place, &mut job.flow);
            }
            self.sharing.quit(head, job.cluster, job.pair, &job.flow);
        }
        self.going = going;
    }

    /// Lets suspended copies of a head go on, as many as its pace allows.
    #[inline(never)]
    pub(super) fn take_turns(&mut self, head: HeadId) {
        while let Some(effect) = self.heads[head.index()].lane.next_to_go() {
            let job = &mut self.jobs[usize::from(effect.slot())];
            job.allowed = true;
            self.sharing.enter(head, job.cluster, job.pair, &job.flow);
            if job.phase == Phase::Suspended {
                job.phase = Phase::Flowing;
                job.place = self.sharing.join(self.now, head, job.pair, effect.slot(), &job.flow);
            }
        }
        self.changed |= 1 << head.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{ClusterId, MailboxId};
    use crate::host::Host as _;
    use crate::migration::message::{Command, EffectId, Event};
    use crate::sim::testing::{AS_OF, quiet, scenario};
    use crate::sim::{RunId, Workspace};
    use crate::units::{Ops, Span, Time};

    /// Seconds after the start.
    fn at(seconds: i64) -> Time {
        AS_OF + Span::from_secs(seconds)
    }

    /// When each copy ends, by slot, if nothing but time goes by until then.
    fn ends(world: &mut World<'_>, until: i64) -> Vec<(u16, Span)> {
        let mut ended = Vec::new();
        loop {
            let Ok((now, event)) = world.wait(at(until));
            match event {
                Event::Wake => return ended,
                Event::CopyEnded { effect, .. } => ended.push((effect.slot(), now.since(AS_OF))),
                _ => {}
            }
        }
    }

    #[test]
    fn a_lower_pace_suspends_the_copies_that_started_latest_and_they_keep_their_work() {
        // Each of the mailboxes takes 100 s in a stream of its own, whatever else goes on.
        let (mut plan, mut model) = quiet(64);
        (plan.copy.setup, model.cost.head_per_message) = (Span::ZERO, Ops::new(0.0));
        model.population.size.sigma = 0.0;
        model.population.size.max = model.population.size.median;
        plan.copy.stream = Rate::per_second(model.population.size.median.get() / 100);
        let scenario = scenario(plan, model);
        let mut world = World::new(&scenario, RunId { seed: 1, replication: 0 }, &mut Workspace::default());
        let rows = world.fleet.home.iter().zip(0..).filter(|(home, _)| home.as_head() == Some(HeadId(0)));
        let mailboxes: Vec<MailboxId> = rows.map(|(_, row)| MailboxId(row)).take(4).collect();
        let do_it = |world: &mut World<'_>, command: Command| {
            let Ok(()) = world.perform(world.now, &command);
        };
        let pace = |streams| {
            let effect = EffectId::new(1, 1, EffectId::NO_SLOT);
            Command::SetPace { effect, head: HeadId(0), streams, rate: Rate::UNLIMITED }
        };
        do_it(&mut world, pace(4));
        // One each ten seconds, in slots that tell nothing of their order.
        for (mailbox, (slot, begins)) in mailboxes.iter().zip([(2, 0), (0, 10), (3, 20), (1, 30)]) {
            assert_eq!(ends(&mut world, begins), []);
            let (effect, bytes) = (EffectId::new(1, 2 + begins as u64, slot), world.fleet.bytes[mailbox.index()]);
            let (mailbox, from, to) = (*mailbox, HeadId(0), ClusterId(0));
            do_it(&mut world, Command::StartCopy { effect, mailbox, from, to, attempt: 1, bytes });
        }
        // Of four one may go on, then three, then two: always those that began first.
        for (second, streams) in [(40, 1), (60, 3), (70, 2)] {
            assert_eq!(ends(&mut world, second), []);
            do_it(&mut world, pace(streams));
        }
        let ended = ends(&mut world, 1_000);
        // Worked until 70: 70, 40 and 30 of 100 s, and 10 of the last, which waits since 40.
        let secs: Vec<(u16, i64)> = ended.iter().map(|(slot, after)| (*slot, after.secs().round() as i64)).collect();
        assert_eq!(secs, [(2, 100), (0, 130), (3, 170), (1, 220)]);
    }
}
