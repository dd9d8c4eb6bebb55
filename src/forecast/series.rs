//! Days: how load, risk and fills go over time, and which of them fall as mailboxes leave.

use super::Replication;
use super::quantile::{Estimate, P10, P50, P90, estimate, point};
use crate::migration::message::Binding;
use crate::sim::{HeadDay, HeadOutcome};
use crate::units::{Share, Span, Time};

/// A quantity of a head that is followed day by day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadSeries {
    /// Mailboxes still on the head at the end of the day.
    Mailboxes,
    /// Streams in use.
    Streams,
    /// Utilisation by users alone.
    UserUtilisation,
    /// Utilisation with the migration.
    Utilisation,
    /// Response time in milliseconds.
    Latency,
    /// Response time without the migration, in milliseconds.
    LatencyAlone,
    /// Expected outages a day from the load of the users alone.
    HazardAlone,
    /// Expected outages a day with the migration.
    Hazard,
    /// Expected mailbox-hours of outage a day.
    MailboxHoursDown,
    /// The share of the day for which a cause bound.
    Bound(Binding),
}

impl HeadSeries {
    /// All of them but those of what bound, in order.
    pub const MEASURED: [Self; 9] = [
        Self::Mailboxes,
        Self::Streams,
        Self::UserUtilisation,
        Self::Utilisation,
        Self::Latency,
        Self::LatencyAlone,
        Self::HazardAlone,
        Self::Hazard,
        Self::MailboxHoursDown,
    ];

    /// Those of which it is asked whether they fall as mailboxes leave.
    pub const LOAD_AND_RISK: [Self; 7] = [
        Self::UserUtilisation,
        Self::Utilisation,
        Self::LatencyAlone,
        Self::Latency,
        Self::HazardAlone,
        Self::Hazard,
        Self::MailboxHoursDown,
    ];

    /// The value of a day.
    #[must_use]
    pub fn of(self, day: &HeadDay) -> f64 {
        match self {
            Self::Mailboxes => f64::from(day.mailboxes),
            Self::Streams => f64::from(day.streams),
            Self::UserUtilisation => f64::from(day.user_utilisation),
            Self::Utilisation => f64::from(day.utilisation),
            Self::Latency => f64::from(day.latency_ms),
            Self::LatencyAlone => f64::from(day.latency_alone_ms),
            Self::HazardAlone => f64::from(day.hazard_alone),
            Self::Hazard => f64::from(day.hazard),
            Self::MailboxHoursDown => f64::from(day.expected_mailbox_hours_down),
            Self::Bound(cause) => bound_share(day, cause),
        }
    }
}

/// The share of a day, or of what there is of it, for which a cause bound.
fn bound_share(day: &HeadDay, cause: Binding) -> f64 {
    let all: u32 = day.bound_minutes.iter().map(|minutes| u32::from(*minutes)).sum();
    if all == 0 { 0.0 } else { f64::from(day.bound_minutes[cause as usize]) / f64::from(all) }
}

/// How much of each day each cause bound, mean over the replications, by `Binding`. Nothing binds a head when it is not its
/// turn, and nothing binds in a replication that has ended: a day's causes add up to the share of simulated days in which
/// it was the head's turn.
#[must_use]
pub fn bound_by_day(heads: &[&[HeadDay]]) -> Vec<[f64; Binding::COUNT]> {
    let longest = heads.iter().map(|days| days.len()).max().unwrap_or(0);
    let mean = |number: usize| {
        let mut shares = [0.0; Binding::COUNT];
        for day in heads.iter().filter_map(|days| days.get(number)) {
            for cause in Binding::ALL.into_iter().filter(|cause| *cause != Binding::NotItsTurn) {
                shares[cause as usize] += bound_share(day, cause) / heads.len() as f64;
            }
        }
        shares
    };
    (0..longest).map(mean).collect()
}

/// One day of a quantity, over the replications.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DayQuantiles {
    /// Number of the day since `as_of`, from 0.
    pub day: u32,
    /// Replications that the quantiles stand on.
    pub replications: u32,
    /// 10 % level; `None` where there are too few replications.
    pub p10: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90 % level.
    pub p90: Option<f64>,
}

/// What a replication that has ended says of later days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterEnd {
    /// Its last value stays: mailboxes left, bytes stored.
    Stays,
    /// Nothing: the quantiles of later days stand on the others.
    Nothing,
}

/// Quantiles of each day over the replications' daily values.
#[must_use]
pub fn days(values: &[Vec<f64>], after_end: AfterEnd, confidence: Share) -> Vec<DayQuantiles> {
    let longest = values.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).map(|day| one_day(values, day, after_end, confidence)).collect()
}

fn one_day(values: &[Vec<f64>], day: usize, after_end: AfterEnd, confidence: Share) -> DayQuantiles {
    let value = |days: &Vec<f64>| match after_end {
        AfterEnd::Stays => days.get(day).or(days.last()).copied(),
        AfterEnd::Nothing => days.get(day).copied(),
    };
    let mut sample: Vec<f64> = values.iter().filter_map(value).collect();
    sample.sort_unstable_by(f64::total_cmp);
    let at = |level| point(&sample, level, confidence);
    DayQuantiles { day: day as u32, replications: sample.len() as u32, p10: at(P10), p50: at(P50), p90: at(P90) }
}

/// Mailboxes left on all heads at the end of each day; a head that is done keeps its last number.
#[must_use]
pub fn left_on_heads(replications: &[Replication], confidence: Share) -> Vec<DayQuantiles> {
    let left = |one: &Replication| -> Vec<f64> {
        let heads = &one.outcome.heads;
        let at = |head: &HeadOutcome, day: usize| {
            head.days.get(day).or(head.days.last()).map_or(0.0, |day| f64::from(day.mailboxes))
        };
        let longest = heads.iter().map(|head| head.days.len()).max().unwrap_or(0);
        (0..longest).map(|day| heads.iter().map(|head| at(head, day)).sum()).collect()
    };
    let values: Vec<Vec<f64>> = replications.iter().map(left).collect();
    days(&values, AfterEnd::Stays, confidence)
}

/// Which way a quantity goes while a head is drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Down by more than 5 %.
    Falls,
    /// Within 5 %.
    Stays,
    /// Up by more than 5 %.
    Rises,
    /// The interval holds more than one of these.
    Unclear,
}

impl Direction {
    /// The word in reports and data files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Falls => "falls",
            Self::Stays => "stays",
            Self::Rises => "rises",
            Self::Unclear => "unclear",
        }
    }
}

/// How a quantity changed from the first week to the last full week before its head was emptied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// The quantity.
    pub series: HeadSeries,
    /// Mean over the first week, median of the replications.
    pub first_week: f64,
    /// Mean over the last full week, median of the replications.
    pub last_week: f64,
    /// Relative change of a replication, -1 for a fall to nothing: median with its interval.
    pub change: Estimate<f64>,
    /// The median as a word.
    pub direction: Direction,
    /// Days that the two weeks share in the median replication: they make a change look smaller than it is.
    pub shared_days: u32,
    /// Replications of which all this is told: the head was emptied in them, and had two different weeks.
    pub compared: usize,
    /// Replications in which the head was not empty at the horizon: nobody knows their last week, and there is no direction where
    /// they could change it.
    pub not_emptied: usize,
}

/// Days in a week: load repeats itself by the week, so only whole weeks can be compared.
const WEEK: usize = 7;
/// A change within this share is none.
const STEADY: f64 = 0.05;

/// Compares the weeks of one head's quantity; `None` when too few replications have two different weeks to compare.
#[must_use]
pub fn trend(
    series: HeadSeries,
    replications: &[Replication],
    head: usize,
    emptied: &[Option<Span>],
    confidence: Share,
) -> Option<Trend> {
    let weeks: Vec<Weeks> = replications
        .iter()
        .zip(emptied)
        .filter_map(|(replication, emptied)| weeks(series, &replication.outcome.heads[head].days, (*emptied)?))
        .collect();
    let median = |of: fn(&Weeks) -> f64| {
        let mut sample: Vec<f64> = weeks.iter().map(of).collect();
        sample.sort_unstable_by(f64::total_cmp);
        estimate(&sample, P50, confidence)
    };
    let change = median(|weeks| weeks.last / weeks.first - 1.0)?;
    let way = |change: f64| match change {
        change if change < -STEADY => Direction::Falls,
        change if change > STEADY => Direction::Rises,
        _ => Direction::Stays,
    };
    let not_emptied = emptied.iter().filter(|emptied| emptied.is_none()).count();
    let with_unknown = |unknown: f64| {
        let changes = weeks.iter().map(|weeks| weeks.last / weeks.first - 1.0);
        let mut sample: Vec<f64> = changes.chain(std::iter::repeat_n(unknown, not_emptied)).collect();
        sample.sort_unstable_by(f64::total_cmp);
        estimate(&sample, P50, confidence)
    };
    let (low, high) = (way(with_unknown(f64::NEG_INFINITY)?.low), way(with_unknown(f64::INFINITY)?.high));
    Some(Trend {
        series,
        first_week: median(|weeks| weeks.first)?.value,
        last_week: median(|weeks| weeks.last)?.value,
        change,
        direction: if low == high { low } else { Direction::Unclear },
        shared_days: median(|weeks| weeks.shared_days)?.value as u32,
        compared: weeks.len(),
        not_emptied,
    })
}

struct Weeks {
    first: f64,
    last: f64,
    shared_days: f64,
}

fn weeks(series: HeadSeries, days: &[HeadDay], emptied: Span) -> Option<Weeks> {
    let full_days = (emptied.days().floor() as usize).min(days.len());
    if full_days <= WEEK {
        return None;
    }
    let mean = |days: &[HeadDay]| days.iter().map(|day| series.of(day)).sum::<f64>() / WEEK as f64;
    let first = mean(&days[..WEEK]);
    let last = mean(&days[full_days - WEEK..full_days]);
    let shared_days = (2 * WEEK).saturating_sub(full_days) as f64;
    // A change from nothing is not a share of anything.
    (first > 0.0).then_some(Weeks { first, last, shared_days })
}

/// Time from `as_of` until the head was emptied, by replication; none where that was before.
#[must_use]
pub fn emptied_after(replications: &[Replication], milestone: Option<usize>, as_of: Time) -> Vec<Option<Span>> {
    let reached =
        |replication: &Replication| Some(replication.outcome.reached[milestone?]?.since(as_of).max(Span::ZERO));
    replications.iter().map(reached).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing;

    const SURE: Share = Share::from_ppm(950_000);

    fn falling(days: u32) -> Vec<HeadDay> {
        (0..days)
            .map(|day| HeadDay { utilisation: 1.0 - day as f32 / 20.0, hazard: 0.2, ..HeadDay::default() })
            .collect()
    }

    fn replications(count: u32, days: u32) -> Vec<Replication> {
        (0..count)
            .map(|r| {
                let mut replication = testing::replication(r, days);
                replication.outcome.heads[0].days = falling(days);
                replication
            })
            .collect()
    }

    #[test]
    fn a_load_that_falls_is_told_from_one_that_stays() {
        let replications = replications(20, 20);
        let emptied = vec![Some(Span::from_secs(20 * 86_400)); 20];
        let falls = trend(HeadSeries::Utilisation, &replications, 0, &emptied, SURE).unwrap();
        assert_eq!(falls.direction, Direction::Falls);
        // Means 0.85 of days 0 to 6 and 0.20 of days 13 to 19.
        assert!((falls.change.value - (0.20 / 0.85 - 1.0)).abs() < 1e-6, "{falls:?}");
        let stays = trend(HeadSeries::Hazard, &replications, 0, &emptied, SURE).unwrap();
        assert_eq!((stays.direction, stays.shared_days), (Direction::Stays, 0));
    }

    #[test]
    fn a_head_that_the_horizon_finds_full_may_turn_a_direction_around() {
        let direction = |late: usize| {
            let mut emptied = vec![Some(Span::from_secs(20 * 86_400)); 40];
            emptied[..late].fill(None);
            let found = trend(HeadSeries::Utilisation, &replications(40, 20), 0, &emptied, SURE).unwrap();
            assert_eq!((found.compared, found.not_emptied), (40 - late, late));
            found.direction
        };
        assert_eq!(
            (direction(0), direction(5), direction(20)),
            (Direction::Falls, Direction::Falls, Direction::Unclear)
        );
    }

    #[test]
    fn weeks_that_overlap_say_by_how_much() {
        let emptied = vec![Some(Span::from_secs(9 * 86_400)); 20];
        let trend = trend(HeadSeries::Utilisation, &replications(20, 9), 0, &emptied, SURE).unwrap();
        assert_eq!(trend.shared_days, 5);
    }

    #[test]
    fn a_head_emptied_within_a_week_has_no_weeks_to_compare() {
        let emptied = vec![Some(Span::from_secs(7 * 86_400)); 20];
        assert_eq!(trend(HeadSeries::Utilisation, &replications(20, 8), 0, &emptied, SURE), None);
        assert_eq!(trend(HeadSeries::Utilisation, &replications(20, 8), 0, &[None; 20], SURE), None);
    }

    #[test]
    fn a_quantity_that_begins_at_nothing_has_no_relative_change() {
        let emptied = vec![Some(Span::from_secs(20 * 86_400)); 20];
        assert_eq!(trend(HeadSeries::Streams, &replications(20, 20), 0, &emptied, SURE), None);
    }

    #[test]
    fn a_replication_that_has_ended_keeps_its_last_value_or_drops_out() {
        let mut values = vec![vec![3.0, 1.0]; 6];
        values.push(vec![3.0, 2.0, 1.0]);
        let stays = days(&values, AfterEnd::Stays, SURE);
        assert_eq!((stays[2].replications, stays[2].p50), (7, Some(1.0)));
        let drops = days(&values, AfterEnd::Nothing, SURE);
        assert_eq!((drops[2].replications, drops[2].p50), (1, None));
        assert_eq!((drops[1].p50, drops[1].p10), (Some(1.0), None));
    }

    #[test]
    fn what_bound_by_day_is_a_share_of_all_simulated_days() {
        let day = |throttle: u16, not_its_turn: u16| {
            let mut bound_minutes = [0; Binding::COUNT];
            bound_minutes[Binding::Throttle as usize] = throttle;
            bound_minutes[Binding::NotItsTurn as usize] = not_its_turn;
            HeadDay { bound_minutes, ..HeadDay::default() }
        };
        // Two replications, one of which ends after a short first day.
        let (long, short) = ([day(720, 720), day(1_440, 0)], [day(300, 0)]);
        let shares = bound_by_day(&[&long, &short]);
        let throttle: Vec<f64> = shares.iter().map(|day| day[Binding::Throttle as usize]).collect();
        assert_eq!(throttle, [0.75, 0.5]);
        assert!(shares.iter().all(|day| day[Binding::NotItsTurn as usize] == 0.0));
    }
}
