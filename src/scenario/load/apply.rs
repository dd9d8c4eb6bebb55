//! From what was fitted to what the simulation needs: a course for each head, and how much its users ask for.

use std::sync::Arc;

use super::{LoadColumn, LoadFit, LoadLevel, LoadSummary};
use crate::scenario::measured::{Course, MeasuredHead, MeasuredLoad};
use crate::scenario::model::{MeasuredActivity, Population};
use crate::units::OpRate;

/// The name of a column for all heads.
const ALL_HEADS: &str = "all";

impl LoadSummary {
    /// What the simulation needs: by head, in operations a second, which a share of the capacity becomes by the head's own.
    pub(crate) fn measured(&self, capacities: &[OpRate]) -> MeasuredLoad {
        let head = |(place, capacity): (usize, &OpRate)| {
            let column = self.columns.get(place).or(self.columns.first());
            let unit = column.filter(|column| column.is_share).map_or(1.0, |_| capacity.ops_per_second());
            let mean = column.map_or(0.0, |column| column.mean(self.fit)) * unit;
            MeasuredHead { mean: OpRate::per_second(mean), course: self.course(column) }
        };
        MeasuredLoad { heads: capacities.iter().enumerate().map(head).collect() }
    }

    /// Whether the file says what a key of the scenario would.
    pub(crate) fn replaces(&self, key: &str) -> bool {
        let of = |name: &str| key == name || key.starts_with(&format!("{name}."));
        let is_mean = key == "population.activity" || of("population.activity.mean");
        of("load.noise") || of("load.profile") || self.level != LoadLevel::Population && is_mean
    }

    /// Whether one column stands for all heads together.
    fn is_total(&self) -> bool {
        matches!(self.columns.as_slice(), [one] if one.name == ALL_HEADS && !one.is_share)
    }

    /// Lets the mailboxes of each head together ask for what was measured, where the scenario says so.
    pub(crate) fn set_level(&self, measured: &MeasuredLoad, population: &mut Population) {
        if self.level == LoadLevel::Population {
            return;
        }
        let with_moved = self.level == LoadLevel::MeasuredWithMoved;
        let mailboxes = f64::from(population.mailboxes);
        let counted = |head: usize| {
            let all = mailboxes * population.split.get(head).map_or(0.0, |share| share.fraction());
            let left = all * (1.0 - population.moved.get(head).map_or(0.0, |share| share.fraction()));
            if with_moved { all } else { left }
        };
        let heads = measured.heads.len();
        let counts: Vec<f64> = (0..heads).map(counted).collect();
        let total: f64 = counts.iter().sum();
        // A column for all heads in operations a second is their sum, which their mailboxes share.
        let wanted = |head: usize| {
            let mean = measured.heads[head].mean.ops_per_second();
            if self.is_total() { mean * counts[head] / total.max(1.0) } else { mean }
        };
        let by_head: Vec<f64> = (0..heads).map(wanted).collect();
        let mean = if total > 0.0 { by_head.iter().sum::<f64>() / total } else { 0.0 };
        population.activity = OpRate::per_second(mean);
        population.measured_activity = Some(MeasuredActivity { by_head, is_sum: self.is_total(), with_moved });
    }

    fn course(&self, column: Option<&LoadColumn>) -> Course {
        let days = |column: &LoadColumn| column.days.as_ref().map_or_else(|_| [].into(), |fit| Arc::clone(&fit.days));
        match (self.fit, column.map(|column| (column, &column.hours))) {
            (LoadFit::Hours, Some((_, Ok(fit)))) => {
                Course::Hours { profile: Arc::clone(&fit.profile), noise: fit.noise }
            }
            (LoadFit::Hours, Some((_, Err(_))) | None) | (LoadFit::Days, None) => Course::Days([].into()),
            (LoadFit::Days, Some((column, _))) => Course::Days(days(column)),
        }
    }
}
