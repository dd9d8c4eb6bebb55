//! Load that stands beside the users' at times: backups.

use crate::scenario::Scenario;
use crate::scenario::occasions::Backup;
use crate::units::Time;

/// The backups of all heads, step by step.
pub(crate) struct Backups<'s> {
    list: &'s [Backup],
    /// By backup: how many of its stretches are over.
    over: Vec<usize>,
    /// What those that run ask of each head, in operations a second.
    load: Vec<f64>,
}

impl<'s> Backups<'s> {
    /// Before the first step.
    pub(crate) fn new(scenario: &'s Scenario) -> Self {
        let model = &scenario.model;
        Self { list: &model.backups, over: vec![0; model.backups.len()], load: vec![0.0; model.heads.len()] }
    }

    /// Goes on to the step that begins now.
    pub(crate) fn pass_to(&mut self, now: Time) {
        self.load.fill(0.0);
        for (backup, over) in self.list.iter().zip(&mut self.over) {
            while backup.stretches.get(*over).is_some_and(|(_, until)| *until <= now) {
                *over += 1;
            }
            if backup.stretches.get(*over).is_some_and(|(from, _)| *from <= now) {
                for (sum, load) in self.load.iter_mut().zip(&backup.load) {
                    *sum += load.ops_per_second();
                }
            }
        }
    }

    /// What they ask of a head now, in operations a second.
    pub(crate) fn of_head(&self, head: usize) -> f64 {
        self.load[head]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sim::testing;
    use crate::units::{OpRate, Span};

    #[test]
    fn backups_run_in_their_stretches_and_add_up() {
        let (plan, model) = testing::quiet(10);
        let mut scenario = testing::scenario(plan, model);
        let start = scenario.as_of;
        let at = |minutes: i64| start + Span::from_secs(60 * minutes);
        let backup = |stretches: Vec<(i64, i64)>, load: [f64; 2]| Backup {
            stretches: stretches.into_iter().map(|(from, until)| (at(from), at(until))).collect(),
            load: load.map(OpRate::per_second).to_vec(),
        };
        Arc::make_mut(&mut scenario.model).backups =
            vec![backup(vec![(10, 20), (40, 50)], [5.0, 0.0]), backup(vec![(15, 45)], [1.0, 2.0])];
        let mut backups = Backups::new(&scenario);
        let mut seen = |minutes| {
            backups.pass_to(at(minutes));
            [backups.of_head(0), backups.of_head(1)].map(|load| load as u32)
        };
        assert_eq!(
            [0, 10, 15, 20, 40, 45, 50].map(&mut seen),
            [[0, 0], [5, 0], [6, 2], [1, 2], [6, 2], [5, 0], [0, 0]]
        );
    }
}
