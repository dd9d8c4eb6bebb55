//! By how much users ask for more or less than in the mean of a week: by the profile, or as it was measured.
//!
//! Measured days are drawn by simulated day: each measured day of the same weekday gets a number of its own from the draws, and the
//! highest one wins. So heads have the same day wherever they have measured the same days, and neither another head nor a day more
//! or less in a file changes the draw of any other day.

use super::draw::{Draws, Purpose};
use super::load::WeekClock;
use crate::scenario::Scenario;
use crate::scenario::measured::{Course, MeasuredDay, MeasuredLoad, SLOTS_IN_DAY};
use crate::scenario::model::Load;
use crate::scenario::occasions::HolidayEffect;
use crate::units::Time;

/// The weights of the user load of all stores, step by step.
pub(crate) struct Demand<'s> {
    load: &'s Load,
    draws: Draws,
    week: WeekClock,
    /// Holidays that are over.
    over: usize,
    /// The local day, by its number since 1970-01-01, the day of the week that it is like, and by head the place of its
    /// measured day.
    day: Option<(i64, usize)>,
    drawn: Vec<Option<usize>>,
    /// By head.
    weights: Vec<f64>,
    /// Of users of all heads together.
    all: f64,
}

impl<'s> Demand<'s> {
    /// The weights before the first step.
    pub(crate) fn new(scenario: &'s Scenario, draws: Draws) -> Self {
        let heads = scenario.model.heads.len();
        Self {
            load: &scenario.model.load,
            draws,
            week: WeekClock::new(&scenario.offsets),
            over: 0,
            day: None,
            drawn: vec![None; heads],
            weights: vec![1.0; heads],
            all: 1.0,
        }
    }

    /// Goes on to the step that begins now.
    pub(crate) fn pass_to(&mut self, now: Time) {
        let mut at = self.week.five_minutes(now);
        let mut factor = 1.0;
        match self.holiday(now) {
            None => {}
            Some(HolidayEffect::Weekday(day)) => at = day * SLOTS_IN_DAY + at % SLOTS_IN_DAY,
            Some(HolidayEffect::Factor(by)) => factor = by,
        }
        match &self.load.measured {
            None => {
                self.all = self.load.profile[at] * factor;
                self.weights.fill(self.all);
            }
            Some(measured) => self.pass_measured(measured, at, factor, now),
        }
    }

    /// The weight of a head's users now.
    pub(crate) fn of_head(&self, head: usize) -> f64 {
        self.weights[head]
    }

    /// The weight of users of all heads together.
    pub(crate) const fn of_all(&self) -> f64 {
        self.all
    }

    /// What today is, if it is a holiday.
    fn holiday(&mut self, now: Time) -> Option<HolidayEffect> {
        while self.load.holidays.get(self.over).is_some_and(|holiday| holiday.until <= now) {
            self.over += 1;
        }
        self.load.holidays.get(self.over).filter(|holiday| holiday.from <= now).map(|holiday| holiday.effect)
    }

    fn pass_measured(&mut self, measured: &MeasuredLoad, at: usize, factor: f64, now: Time) {
        let (today, like) = (self.week.day(now), at / SLOTS_IN_DAY);
        if self.day != Some((today, like)) {
            self.day = Some((today, like));
            let draws = self.draws.keyed(Purpose::LoadDay, &format!("day {today}"));
            for (drawn, head) in self.drawn.iter_mut().zip(&measured.heads) {
                *drawn = match &head.course {
                    Course::Hours { .. } => None,
                    Course::Days(days) => choose(days, like, |day| draws.bits(day as u64)),
                };
            }
        }
        let (mut sum, mut all) = (0.0, 0.0);
        for (place, head) in measured.heads.iter().enumerate() {
            let weight = match &head.course {
                Course::Hours { profile, .. } => profile[at],
                Course::Days(days) => {
                    let day = self.drawn[place].map(|day| &days[day]);
                    day.map_or(1.0, |day| f64::from(day.weights[at % SLOTS_IN_DAY]))
                }
            } * factor;
            self.weights[place] = weight;
            sum += weight * head.mean.ops_per_second();
            all += head.mean.ops_per_second();
        }
        self.all = if all > 0.0 { sum / all } else { 1.0 };
    }
}

/// The measured day of a weekday with the highest number.
fn choose(days: &[MeasuredDay], weekday: usize, number: impl Fn(i64) -> u64) -> Option<usize> {
    let those = days.iter().enumerate().filter(|(_, day)| day.weekday() == weekday);
    those.max_by_key(|(_, day)| (number(day.number), day.number)).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::scenario::measured::{MeasuredHead, weekday};
    use crate::scenario::occasions::Holiday;
    use crate::sim::RunId;
    use crate::sim::testing;
    use crate::units::{OpRate, Span};

    /// 1970-01-05, a Monday.
    const MONDAY: i64 = 4;

    /// Ten weeks of days, each of which has its number as its weight, but for those left out.
    fn days(left_out: &[i64]) -> Course {
        let day = |number: i64| MeasuredDay { number, weights: vec![number as f32; SLOTS_IN_DAY] };
        Course::Days((MONDAY..MONDAY + 70).filter(|number| !left_out.contains(number)).map(day).collect())
    }

    fn measured(courses: Vec<Course>) -> Scenario {
        let (plan, model) = testing::quiet(10);
        let mut scenario = testing::scenario(plan, model);
        let head = |course| MeasuredHead { mean: OpRate::per_second(10.0), course };
        let model = Arc::make_mut(&mut scenario.model);
        model.load.measured = Some(MeasuredLoad { heads: courses.into_iter().map(head).collect() });
        scenario
    }

    /// The measured days that a replication draws for each of its days, by head.
    fn drawn(scenario: &Scenario, replication: u32, count: i64) -> Vec<Vec<i64>> {
        let mut demand = Demand::new(scenario, Draws::new(RunId { seed: 1, replication }));
        let at = |day: i64| Time::from_unix_micros((day * 86_400 + 43_200) * 1_000_000);
        let day = |day: i64| {
            demand.pass_to(at(20_000 + day));
            (0..scenario.model.heads.len()).map(|head| demand.of_head(head) as i64).collect()
        };
        (0..count).map(day).collect()
    }

    #[test]
    fn each_day_is_a_measured_one_of_its_weekday_and_all_of_them_come_alike() {
        let scenario = measured(vec![days(&[]), days(&[])]);
        let mut seen: BTreeMap<i64, u32> = BTreeMap::new();
        for replication in 0..200 {
            for (day, heads) in (20_000..).zip(drawn(&scenario, replication, 21)) {
                assert_eq!(weekday(heads[0]), weekday(day));
                assert_eq!(heads[0], heads[1], "heads with the same days have the same one");
                *seen.entry(heads[0]).or_default() += 1;
            }
        }
        // 60 draws of each of 70 days: within five standard deviations.
        assert_eq!(seen.len(), 70);
        assert!(seen.values().all(|times| (23..=97).contains(times)), "{seen:?}");
    }

    #[test]
    fn another_head_and_a_missing_day_change_no_other_draw() {
        let one = measured(vec![days(&[])]);
        let two = measured(vec![days(&[]), days(&[MONDAY + 1, MONDAY + 8])]);
        let (alone, together) = (drawn(&one, 3, 200), drawn(&two, 3, 200));
        for (one, two) in alone.iter().zip(&together) {
            assert_eq!(one[0], two[0]);
            assert!(one[0] == two[1] || [MONDAY + 1, MONDAY + 8].contains(&one[0]), "{one:?} {two:?}");
        }
        let longer = drawn(&one, 3, 300);
        assert_eq!(alone[..], longer[..200], "a longer horizon neither");
    }

    #[test]
    fn a_holiday_is_like_another_day_or_a_part_of_its_own() {
        let mut scenario = measured(vec![days(&[]), days(&[])]);
        let noon = |day: i64| Time::from_unix_micros((day * 86_400 + 43_200) * 1_000_000);
        let half = Span::from_secs(6 * 3_600);
        let around = |day: i64, effect| Holiday { from: noon(day) - half, until: noon(day) + half, effect };
        // Day 20,000 is a Friday.
        Arc::make_mut(&mut scenario.model).load.holidays =
            vec![around(20_000, HolidayEffect::Weekday(6)), around(20_001, HolidayEffect::Factor(0.5))];
        let mut plain = scenario.clone();
        Arc::make_mut(&mut plain.model).load.holidays.clear();
        let (with, without) = (drawn(&scenario, 2, 4), drawn(&plain, 2, 4));
        assert_eq!(weekday(with[0][0]), 6, "a Sunday's load");
        assert_eq!(weekday(without[0][0]), 4);
        assert_eq!(with[1][0], without[1][0] / 2, "half of the day that it would have had");
        assert_eq!(with[2..], without[2..], "no other day is drawn anew");
        let model = Arc::make_mut(&mut scenario.model);
        model.load.measured = None;
        model.load.profile = (0..2_016).map(|at| f64::from(at / 288)).collect();
        assert_eq!(
            drawn(&scenario, 2, 3).iter().map(|heads| heads[0]).collect::<Vec<_>>(),
            [6, 2, 6],
            "Sunday, half a Saturday, Sunday"
        );
    }

    #[test]
    fn hours_follow_the_profile_of_each_head_and_clusters_their_mean() {
        let hours = |weight: f64| Course::Hours {
            profile: vec![weight; 2_016].into(),
            noise: crate::scenario::measured::NoiseLaw::NONE,
        };
        let mut scenario = measured(vec![hours(1.0), hours(2.0)]);
        let model = Arc::make_mut(&mut scenario.model);
        if let Some(measured) = &mut model.load.measured {
            measured.heads[1].mean = OpRate::per_second(30.0);
        }
        let mut demand = Demand::new(&scenario, Draws::new(RunId { seed: 1, replication: 0 }));
        demand.pass_to(scenario.as_of + Span::from_secs(60));
        assert!((demand.of_head(0) - 1.0).abs() < 1e-12 && (demand.of_head(1) - 2.0).abs() < 1e-12);
        assert!((demand.of_all() - 1.75).abs() < 1e-12, "{}", demand.of_all());
    }
}
