//! What is written down about a head: the day's means, and the totals of a replication.

use super::{HeadDay, HeadOutcome};

/// The state of a head over one step of the load, as it was at some instant of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeadStep {
    /// Length of the step.
    pub(crate) seconds: f64,
    /// Mailboxes on it.
    pub(crate) mailboxes: u32,
    /// Copies that may progress.
    pub(crate) streams: u16,
    /// Utilisation by users alone.
    pub(crate) alone: f64,
    /// Utilisation with the migration.
    pub(crate) utilisation: f64,
    /// Response time in seconds, with and without the migration.
    pub(crate) response_s: f64,
    /// Without it.
    pub(crate) response_alone_s: f64,
    /// Response time that was promised, in seconds.
    pub(crate) objective_s: f64,
    /// Utilisation from which the head is saturated.
    pub(crate) saturation: f64,
    /// Outages a day.
    pub(crate) hazard: f64,
    /// Outages a day from users alone.
    pub(crate) hazard_alone: f64,
    /// Mean repair in hours.
    pub(crate) repair_hours: f64,
    /// Share of the mailboxes that an outage takes down.
    pub(crate) exposed: f64,
    /// Share of the mailboxes that are down.
    pub(crate) down: f64,
}

/// Sums of one head.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeadAccount {
    outcome: HeadOutcome,
    day_seconds: f64,
    day: [f64; 8],
}

impl HeadAccount {
    /// A step of the load has passed.
    pub(crate) fn pass(&mut self, step: &HeadStep) {
        let (minutes, days) = (step.seconds / 60.0, step.seconds / 86_400.0);
        let (mailboxes, hours) = (f64::from(step.mailboxes), step.seconds / 3_600.0);
        let expected_down = step.hazard * step.repair_hours * step.exposed * mailboxes;
        let outcome = &mut self.outcome;
        outcome.mailbox_hours_at_risk += mailboxes * hours;
        outcome.expected_mailbox_hours_down += days * expected_down;
        if step.down > 0.0 {
            outcome.mailbox_hours_down += step.down * mailboxes * hours;
            // An empty head that is out troubles nobody.
            outcome.outage_hours += if step.mailboxes > 0 { hours } else { 0.0 };
        } else if step.mailboxes > 0 {
            outcome.minutes_above += if step.response_s > step.objective_s { minutes } else { 0.0 };
            outcome.minutes_above_alone += if step.response_alone_s > step.objective_s { minutes } else { 0.0 };
            outcome.minutes_saturated += if step.utilisation >= step.saturation { minutes } else { 0.0 };
        }
        // What an empty head goes through troubles nobody: neither waits nor outages, seen or expected.
        let (hazard, hazard_alone) = if step.mailboxes > 0 { (step.hazard, step.hazard_alone) } else { (0.0, 0.0) };
        outcome.expected_outages += hazard * days;
        outcome.expected_outages_alone += hazard_alone * days;
        let values = [
            f64::from(step.streams),
            step.alone,
            step.utilisation,
            step.response_s * 1e3,
            step.response_alone_s * 1e3,
            hazard_alone,
            hazard,
            expected_down,
        ];
        self.day_seconds += step.seconds;
        for (sum, value) in self.day.iter_mut().zip(values) {
            *sum += value * step.seconds;
        }
    }

    /// An outage has struck a head with so many mailboxes.
    pub(crate) fn struck(&mut self, mailboxes: u32) {
        self.outcome.outages += u32::from(mailboxes > 0);
    }

    /// Whether time has passed since the last day.
    pub(crate) fn has_begun_day(&self) -> bool {
        self.day_seconds > 0.0
    }

    /// The day is over; a day in which no time has passed is none.
    pub(crate) fn end_day(&mut self, mailboxes: u32) {
        if self.day_seconds <= 0.0 {
            return;
        }
        let mean = self.day.map(|sum| (sum / self.day_seconds) as f32);
        let [streams, user_utilisation, utilisation, latency_ms, latency_alone_ms, hazard_alone, hazard, down] = mean;
        self.outcome.days.push(HeadDay {
            mailboxes,
            streams,
            user_utilisation,
            utilisation,
            latency_ms,
            latency_alone_ms,
            hazard_alone,
            hazard,
            expected_mailbox_hours_down: down,
            ..HeadDay::default()
        });
        (self.day, self.day_seconds) = ([0.0; 8], 0.0);
    }

    /// The sums; what the machine knows is left empty.
    pub(crate) fn into_outcome(self) -> HeadOutcome {
        self.outcome
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn a_day_holds_means_over_time_and_the_totals_hold_sums() {
        let mut account = HeadAccount::default();
        let step = HeadStep {
            seconds: 3_600.0,
            mailboxes: 10,
            utilisation: 0.5,
            objective_s: 0.01,
            saturation: 1.0,
            ..HeadStep::default()
        };
        account.pass(&HeadStep { response_s: 0.02, response_alone_s: 0.005, hazard: 2.0, ..step });
        account.pass(&HeadStep { seconds: 10_800.0, utilisation: 0.9, ..step });
        account.pass(&HeadStep { down: 0.5, ..step });
        account.end_day(9);
        account.end_day(9);
        let outcome = account.into_outcome();
        assert_eq!((outcome.minutes_above, outcome.minutes_above_alone), (60.0, 0.0));
        assert_eq!(outcome.mailbox_hours_down, 5.0);
        assert_eq!((outcome.outage_hours, outcome.mailbox_hours_at_risk), (1.0, 50.0));
        assert!((outcome.expected_outages - 2.0 / 24.0).abs() < 1e-12);
        assert_eq!(outcome.days.len(), 1);
        assert!((outcome.days[0].utilisation - (0.5 + 2.7 + 0.5) / 5.0).abs() < 1e-6);
    }

    #[test]
    fn days_add_up_to_the_outages_that_are_expected_and_an_empty_head_has_none() {
        let mut account = HeadAccount::default();
        let step = HeadStep { seconds: 43_200.0, hazard: 0.5, hazard_alone: 0.25, ..HeadStep::default() };
        for mailboxes in [3, 0, 0, 0] {
            account.pass(&HeadStep { mailboxes, ..step });
            if account.day_seconds > 43_200.0 {
                account.end_day(0);
            }
        }
        let outcome = account.into_outcome();
        assert_eq!((outcome.expected_outages, outcome.expected_outages_alone), (0.25, 0.125));
        let days: Vec<_> = outcome.days.iter().map(|day| (day.hazard, day.hazard_alone)).collect();
        assert_eq!(days, [(0.25, 0.125), (0.0, 0.0)]);
    }
}
