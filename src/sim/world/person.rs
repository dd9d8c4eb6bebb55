//! Mailboxes that do not move as others do: those that wait for a person, and the last of all.

use std::collections::BTreeMap;

use super::World;
use super::calendar::Agenda;
use crate::fleet::MailboxId;
use crate::migration::attempt::{Verdict, verdict};
use crate::migration::message::{Event, Fault, Order};
use crate::sim::LastPart;
use crate::sim::attempts::AFTER_PERSON;
use crate::sim::draw::Purpose;
use crate::sim::recording::Outcomes;
use crate::sim::table::tables;
use crate::units::{Bytes, Span};

/// How often a person has seen to a mailbox that was set aside; there are few of them.
#[derive(Debug, Default)]
pub(super) struct Resolved(BTreeMap<MailboxId, u32>);

impl Resolved {
    fn times(&self, mailbox: MailboxId) -> u32 {
        self.0.get(&mailbox).copied().unwrap_or(0)
    }

    /// Whether a person has seen to it.
    #[cold]
    pub(super) fn has_seen(&self, mailbox: MailboxId) -> bool {
        self.times(mailbox) > 0
    }

    /// The number of an attempt for its draws: those after a person's help are others than those before.
    #[inline]
    pub(super) fn attempt(&self, mailbox: MailboxId, attempt: u8) -> u32 {
        if self.0.is_empty() { u32::from(attempt) } else { self.attempt_after_person(mailbox, attempt) }
    }

    #[cold]
    fn attempt_after_person(&self, mailbox: MailboxId, attempt: u8) -> u32 {
        u32::from(attempt) + self.times(mailbox).saturating_mul(AFTER_PERSON)
    }
}

impl<O: Outcomes> World<'_, O> {
    /// An attempt has failed: where the core sets its mailbox aside then, somebody is told.
    #[cold]
    pub(super) fn may_need_person(&mut self, mailbox: MailboxId, fault: Fault, attempt: u8) {
        if verdict(&self.scenario.plan.attempts, fault, attempt) == Verdict::SetAside {
            self.wait_for_person(mailbox);
        }
    }

    /// After a while that is drawn, and the same whenever it begins, somebody has seen to the mailbox.
    #[cold]
    pub(super) fn wait_for_person(&mut self, mailbox: MailboxId) {
        let Some(law) = self.scenario.model.resolves_after else { return };
        if self.outcomes.recording().is_some() {
            return;
        }
        let times = self.resolved.times(mailbox);
        let bits = self.draws.keyed(Purpose::Person, "mailboxes").bits(u64::from(times) << 32 | u64::from(mailbox.0));
        let wait_s = law.median_s * tables().exp(law.sigma * tables().normal(bits));
        self.enter(self.now + Span::from_secs_f64(wait_s).max(Span::TICK), Agenda::Resolved(mailbox));
    }

    /// Somebody has seen to a mailbox, and says that it is to be tried again.
    #[cold]
    pub(super) fn resolve(&mut self, mailbox: MailboxId) {
        if self.places[mailbox.index()].head().is_some() {
            *self.resolved.0.entry(mailbox).or_default() += 1;
            self.tell(Event::Operator(Order::Retry(mailbox)));
        }
    }

    /// Looks at what is left on the heads.
    #[cold]
    pub(super) fn look_at_last_part(&mut self) {
        let mut part = LastPart { all_mailboxes: self.places.len() as u32, ..LastPart::default() };
        part.all_bytes = self.fleet.bytes.iter().fold(Bytes::ZERO, |all, bytes| all + *bytes);
        for (row, place) in self.places.iter().enumerate() {
            if place.head().is_none() {
                continue;
            }
            let bytes = self.fleet.bytes[row];
            part.mailboxes += 1;
            part.bytes += bytes;
            part.largest = part.largest.max(bytes);
            part.messages += u64::from(self.fleet.messages[row]);
            part.failed += u32::from(place.has_failed());
        }
        self.last_part = Some(part);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::migration::message::{Binding, Facts, Milestone};
    use crate::migration::plan::ShareMilestone;
    use crate::scenario::model::{Faults, Lognormal};
    use crate::sim::testing::{quiet, scenario};
    use crate::sim::{LAST_PART_FROM, Outcome, RunId, TraceItem, Workspace, simulate, trace};
    use crate::units::{Share, Time};

    const DAY: Span = Span::from_secs(86_400);

    /// Of 2,000 mailboxes 100 need a person, and of the others every eighth fails three times.
    fn outcome(resolves_after: Option<Lognormal>, look: &mut dyn FnMut(Time, &TraceItem<'_>)) -> Outcome {
        let all = Share::ONE;
        let (mut plan, mut model) = quiet(2_000);
        plan.copy.purge_after = Some(DAY.times(10));
        plan.attempts.wait_for_person = resolves_after.is_some();
        plan.milestones =
            vec![ShareMilestone { head: None, share: LAST_PART_FROM }, ShareMilestone { head: None, share: all }];
        // For months nothing hangs on the load.
        model.load.step = Span::from_secs(3_600);
        model.probe.every = Span::from_secs(600);
        model.cost.purge_rate = 1e6;
        model.faults = Faults { permanent: 0.05, transient: 0.5, switch: 0.0 };
        model.resolves_after = resolves_after;
        let mut scenario = scenario(plan, model);
        scenario.milestones =
            vec![Milestone::AllEmptied, Milestone::ShareMoved { share: all }, Milestone::Decommissioned];
        let run = RunId { seed: 42, replication: 3 };
        let outcome = trace(&scenario, run, &mut |row| look(row.now, &row.item));
        assert_eq!(outcome, simulate(&scenario, run));
        outcome
    }

    #[test]
    fn a_mailbox_that_was_set_aside_moves_once_a_person_has_seen_to_it() {
        let left = outcome(None, &mut |_, _| {});
        let set_aside = |outcome: &Outcome| outcome.heads.iter().map(|head| head.set_aside).sum::<u32>();
        assert!((250..450).contains(&set_aside(&left)), "{}", set_aside(&left));
        assert_eq!(left.moved, 2_000 - u64::from(set_aside(&left)));

        let mut retries: Vec<Time> = Vec::new();
        let law = Lognormal { median_s: DAY.secs(), sigma: 0.3 };
        let resolved = outcome(Some(law), &mut |now, item| {
            if let TraceItem::Event(Event::Operator(Order::Retry(_))) = item {
                retries.push(now);
            }
        });
        assert_eq!((resolved.moved, set_aside(&resolved)), (2_000, 0));
        // Until then all was emptied but for them: most still waited, and the heads' own numbers are of earlier days.
        assert!((100..=set_aside(&left)).contains(&resolved.excused), "{}", resolved.excused);
        assert!(resolved.heads.iter().map(|head| head.excused).sum::<u32>() >= resolved.excused, "{resolved:?}");
        assert_eq!(left.excused, set_aside(&left));
        assert!(left.heads.iter().all(|head| head.excused == head.set_aside), "{left:?}");
        // Some are set aside again: whatever failed three times may do so once more.
        assert!(retries.len() as u32 > set_aside(&left), "{}", retries.len());
        let mut waits: Vec<f64> = retries.iter().map(|at| at.since(crate::sim::testing::AS_OF).days()).collect();
        waits.sort_by(f64::total_cmp);
        assert!((0.8..1.6).contains(&waits[waits.len() / 2]), "{} days", waits[waits.len() / 2]);
        // When 99 % had moved 20 were left, and only those who still waited for somebody.
        let part = resolved.last_part.unwrap();
        assert_eq!((part.mailboxes, part.failed, part.all_mailboxes), (20, 20, 2_000));
        assert!(part.bytes < part.all_bytes && part.largest <= part.bytes && part.messages > 0, "{part:?}");
        assert_eq!(left.last_part, None, "99 % have not moved");
    }

    #[test]
    fn when_all_else_is_done_and_purged_it_goes_on_until_a_person_has_seen_to_everything() {
        // All else is done and purged within eleven days.
        let law = Lognormal { median_s: 40.0 * DAY.secs(), sigma: 0.1 };
        let days = |outcome: &Outcome| {
            let of = |at: &Option<Time>| at.map(|at| at.since(crate::sim::testing::AS_OF).days());
            outcome.reached.iter().map(of).collect::<Vec<_>>()
        };
        let resolved = outcome(Some(law), &mut |_, _| {});
        assert_eq!((resolved.moved, resolved.unfinished), (2_000, None));
        let [Some(emptied), Some(moved), Some(decommissioned)] = days(&resolved)[..] else {
            panic!("{:?}", days(&resolved))
        };
        assert!(emptied < 1.0, "those set aside are excused: {emptied}");
        assert!((45.0..190.0).contains(&moved) && (9.9..10.2).contains(&(decommissioned - moved)), "{decommissioned}");
        // Nobody in sight before the horizon, which is day 200: then that is what is told.
        let law = Lognormal { median_s: 300.0 * DAY.secs(), sigma: 0.1 };
        let late = outcome(Some(law), &mut |_, _| {});
        assert_eq!(late.unfinished, Some(Binding::Paused));
        assert!(matches!(days(&late)[..], [Some(_), None, None]), "{:?}", days(&late));
        // Nobody at all: it ends as a run does, and never comes to all.
        let left = outcome(None, &mut |_, _| {});
        assert_eq!((left.unfinished, days(&left)[1]), (None, None));
    }

    #[test]
    fn whom_a_person_has_asked_is_held_for_longer() {
        let (mut plan, mut model) = quiet(200);
        model.population.size.sigma = 0.5;
        // Nobody can be switched before somebody has asked, half a day later.
        (plan.copy.hold_at_most, model.cost.lock) = (Span::from_secs(10), Span::from_secs(20));
        plan.attempts.wait_for_person = true;
        model.resolves_after = Some(Lognormal { median_s: DAY.secs() / 2.0, sigma: 0.0 });
        let outcome = simulate(&scenario(plan, model), RunId { seed: 1, replication: 0 });
        assert_eq!((outcome.moved, outcome.unfinished, outcome.faults), (200, None, 600));
        // Three times until the plan's limit, and once for as long as it takes.
        assert!((outcome.locked_s - 200.0 * (3.0 * 10.0 + 20.0)).abs() < 1e-6, "{} s", outcome.locked_s);
    }

    #[test]
    fn who_was_deleted_before_the_start_is_on_no_head_and_in_nobodys_way() {
        let all = Milestone::ShareMoved { share: Share::ONE };
        let (mut plan, model) = quiet(2_000);
        plan.milestones = vec![ShareMilestone { head: None, share: Share::ONE }];
        let mut scenario = scenario(plan, model);
        scenario.milestones = vec![all, Milestone::AllEmptied];
        let set_aside = (0..5).map(|row| (MailboxId(row), Fault::Gone)).collect();
        let run = RunId { seed: 1, replication: 0 };
        let fleet = Arc::clone(&World::new(&scenario, run, &mut Workspace::default()).fleet);
        scenario.facts = Some(Arc::new(Facts { fleet, set_aside, ..Facts::default() }));
        let outcome = simulate(&scenario, run);
        assert_eq!((outcome.moved, outcome.unfinished), (1_995, None));
        assert!(outcome.reached.iter().all(Option::is_some), "{:?}", outcome.reached);
        for head in &outcome.heads {
            let last = head.days.last().unwrap();
            assert_eq!((head.set_aside, last.mailboxes), (0, 0), "{last:?}");
        }
    }
}
