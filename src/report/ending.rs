//! How it ends: what the last 1 % is made of, and what the old storage has cost by then.

use serde::Serialize;

use super::wording::{count, figure, percent};
use super::{Block, Section, Tone};
use crate::forecast::quantile::{P10, P50, P90, When};
use crate::forecast::{Forecast, MilestoneForecast};
use crate::migration::message::Milestone;
use crate::scenario::Price;
use crate::sim::{LAST_PART_FROM, LastPart};
use crate::units::{Share, Span, Time};

/// Means over the replications in which 99 % moved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct LastPartMeans {
    /// Mailboxes that are left then.
    mailboxes: f64,
    /// Of them, those whose last attempt had failed.
    failed: f64,
    /// Their part of all bytes.
    share_of_bytes: f64,
    /// Their mean size over that of all.
    size_ratio: f64,
    /// The largest of them, bytes.
    largest_bytes: f64,
    /// From 99 % to everything off the old storage, in the median; none where that lies beyond the horizon, or where everything
    /// counts as off before 99 % have moved, but for mailboxes that wait for a person.
    days_median: Option<f64>,
}

pub(super) fn last_part_means(forecast: &Forecast) -> Option<LastPartMeans> {
    let parts: Vec<LastPart> = forecast.replications.iter().filter_map(|one| one.outcome.last_part).collect();
    // Nothing is left where 99 % are all of them, or had moved before the forecast starts.
    if parts.iter().all(|part| part.mailboxes == 0) {
        return None;
    }
    let mean = |of: &dyn Fn(&LastPart) -> f64| parts.iter().map(of).sum::<f64>() / parts.len() as f64;
    let ratio = |part: u64, all: u64| if all > 0 { part as f64 / all as f64 } else { 0.0 };
    let share_of_bytes = mean(&|part| ratio(part.bytes.get(), part.all_bytes.get()));
    let share = mean(&|part| ratio(u64::from(part.mailboxes), u64::from(part.all_mailboxes)));
    Some(LastPartMeans {
        mailboxes: mean(&|part| f64::from(part.mailboxes)),
        failed: mean(&|part| f64::from(part.failed)),
        share_of_bytes,
        size_ratio: if share > 0.0 { share_of_bytes / share } else { 0.0 },
        largest_bytes: mean(&|part| part.largest.get() as f64),
        days_median: days_median(forecast),
    })
}

/// Replication by replication, so that what makes both late does not count; of the two in the middle the lower, as all medians.
/// What is not done by the horizon takes longer than what is.
fn days_median(forecast: &Forecast) -> Option<f64> {
    let place = |wanted: Milestone| forecast.scenario.milestones.iter().position(|milestone| *milestone == wanted);
    let (from, to) = (place(Milestone::ShareMoved { share: LAST_PART_FROM })?, place(Milestone::AllEmptied)?);
    let days = |one: &crate::forecast::Replication| {
        let from = one.outcome.reached[from]?;
        Some(one.outcome.reached[to].map_or(f64::INFINITY, |to| to.since(from).days()))
    };
    let mut days: Vec<f64> = forecast.replications.iter().filter_map(days).collect();
    days.sort_unstable_by(f64::total_cmp);
    let median = days.get((P50.of_count(days.len() as u64) as usize).max(1) - 1).copied();
    // Mailboxes that were set aside are excused from the one and not from the other.
    median.filter(|days| *days >= 0.0 && days.is_finite())
}

/// What is left when 99 % have moved.
pub(super) fn last_part(forecast: &Forecast) -> Section {
    let line = |part: LastPartMeans| {
        let longer = part.days_median.map_or(String::new(), |days| {
            format!(" From there to everything off the old storage: {} (median).", Span::from_secs_f64(days * 86_400.0))
        });
        let text = format!(
            "When 99 % have moved, {} mailboxes are left, with {} of all bytes: {} times the mean size, the largest {}; \
             the last attempt of {} of them has failed.{longer}",
            count(part.mailboxes),
            percent(part.share_of_bytes),
            figure(part.size_ratio),
            crate::units::Bytes::new(part.largest_bytes as u64),
            figure(part.failed),
        );
        Block::Line(Tone::Plain, text)
    };
    Section { title: "The last 1 %".into(), blocks: last_part_means(forecast).map(line).into_iter().collect() }
}

/// What is paid until the old storage is gone, by `LEVELS` of the date.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PricePart {
    currency: String,
    a_day: f64,
    until: String,
    /// None where the date is not estimable or there is none.
    p10: Option<f64>,
    p50: Option<f64>,
    p90: Option<f64>,
}

pub(super) fn price_part(forecast: &Forecast) -> Option<PricePart> {
    let price = forecast.scenario.price.as_ref()?;
    let milestone = forecast.milestones.iter().find(|known| known.milestone == price.until)?;
    let paid = |level: Share| Paid::at(forecast, price, milestone, level).amount();
    Some(PricePart {
        currency: price.currency.clone(),
        a_day: price.a_day,
        until: forecast.scenario.milestone_name(&price.until),
        p10: paid(P10),
        p50: paid(P50),
        p90: paid(P90),
    })
}

/// What is known of an amount.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Paid {
    /// So much.
    Amount(f64),
    /// More than is paid by the horizon, before which the date does not lie.
    MoreThan(f64),
    /// There is no date on which it ends.
    WithoutEnd,
    /// Too few replications for this quantile.
    NotEstimable,
}

impl Paid {
    fn at(forecast: &Forecast, price: &Price, milestone: &MilestoneForecast, level: Share) -> Self {
        let until = |time: Time| time.since(forecast.scenario.as_of).days().max(0.0) * price.a_day;
        match milestone.at(level).map(|estimate| estimate.value) {
            Some(When::At(time)) => Self::Amount(until(time)),
            Some(When::AfterHorizon) => Self::MoreThan(until(forecast.scenario.horizon)),
            Some(When::Never) => Self::WithoutEnd,
            None => Self::NotEstimable,
        }
    }

    const fn amount(self) -> Option<f64> {
        match self {
            Self::Amount(amount) => Some(amount),
            Self::MoreThan(_) | Self::WithoutEnd | Self::NotEstimable => None,
        }
    }
}

/// The price by its quantiles P10, P50 and P90, as people read it.
fn in_words([p10, p50, p90]: [Paid; 3], currency: &str) -> String {
    let money = |paid: Paid| match paid {
        Paid::Amount(amount) => format!("{currency} {}", count(round(amount))),
        Paid::MoreThan(amount) => format!("more than {currency} {}", count(round(amount))),
        Paid::WithoutEnd => "without end".to_owned(),
        Paid::NotEstimable => "not estimable".to_owned(),
    };
    let range = match (p10, p90) {
        // All that can be said has been said.
        _ if p10 == p50 && p90 == p50 && p50.amount().is_none() => String::new(),
        (Paid::NotEstimable, _) | (_, Paid::NotEstimable) => " (too few replications for a range)".to_owned(),
        (Paid::Amount(low), Paid::Amount(high)) => format!(" (80 %: {} to {})", count(round(low)), count(round(high))),
        _ => format!(" (80 %: {} to {})", money(p10), money(p90)),
    };
    let why = match p50 {
        Paid::Amount(_) => "",
        Paid::MoreThan(_) => ", not over by the horizon",
        Paid::WithoutEnd => ": it is never over",
        Paid::NotEstimable => ": too few replications",
    };
    format!("{}{why}{range}", money(p50))
}

/// What the old storage costs until it is gone.
pub(super) fn price(forecast: &Forecast) -> Section {
    let line = |price: &Price| {
        let milestone = forecast.milestones.iter().find(|known| known.milestone == price.until)?;
        let paid = [P10, P50, P90].map(|level| Paid::at(forecast, price, milestone, level));
        let text = format!(
            "From the start of the forecast until \"{}\": {}, at {} a day; a week more costs {}.",
            forecast.scenario.milestone_name(&price.until),
            in_words(paid, &price.currency),
            rate(price.a_day),
            rate(price.a_day * 7.0),
        );
        Some(Block::Line(Tone::Plain, text))
    };
    let blocks = forecast.scenario.price.as_ref().and_then(line).into_iter().collect();
    Section { title: "What the old storage costs".into(), blocks }
}

/// What is paid by the day is known exactly: as it stands in the file, but for thousandths.
fn rate(amount: f64) -> String {
    let cents = (amount * 100.0).round();
    match (amount < 1.0, cents % 100.0) {
        (true, _) if amount > 0.0 => figure(amount),
        (_, 0.0) => count(cents / 100.0),
        (_, rest) => format!("{}.{rest:02}", count((cents / 100.0).trunc())),
    }
}

/// Three figures: the date is not known any better.
fn round(amount: f64) -> f64 {
    if amount < 1.0 {
        return amount.round();
    }
    let unit = 10_f64.powi((amount.log10().floor() as i32 - 2).max(0));
    (amount / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{days_of, made_of, outcome, scenario};
    use crate::units::Bytes;

    #[test]
    fn what_a_day_costs_is_told_as_it_stands_in_the_file() {
        assert_eq!(
            [1.5, 0.4, 2.0, 1_234.5, 10.5, 8_641.999].map(rate),
            ["1.50", "0.40", "2", "1,234.50", "10.50", "8,642"]
        );
    }

    #[test]
    fn money_is_told_in_three_figures() {
        let rounded = [0.4, 12.4, 123.4, 1_234.0, 98_765.0, 1_999_999.0].map(|amount| count(round(amount)));
        assert_eq!(rounded, ["0", "12", "123", "1,230", "98,800", "2,000,000"]);
    }

    #[test]
    fn each_day_is_paid_for_until_the_last_date() {
        let mut scenario = scenario();
        scenario.price = Some(Price { a_day: 1_000.0, currency: "EUR".into(), until: Milestone::AllEmptied });
        let forecast = made_of(&scenario, 200, &|r| outcome(r, days_of(r)));
        let [Block::Line(_, text)] = &price(&forecast).blocks[..] else { panic!("one line") };
        assert!(text.starts_with("From the start of the forecast until \"all emptied\": EUR 29,"), "{text}");
        let part = price_part(&forecast).unwrap();
        assert!(part.p10.unwrap() > 27_000.0 && part.p10 < part.p50 && part.p90.unwrap() < 31_000.0, "{part:?}");
        let never = made_of(&scenario, 200, &|r| {
            let mut never = outcome(r, days_of(r));
            never.reached = vec![None; never.reached.len()];
            never
        });
        let [Block::Line(_, text)] = &price(&never).blocks[..] else { panic!("one line") };
        assert!(text.contains(": without end: it is never over, at 1,000 a day"), "{text}");
        // A day's horizon, and too few replications for any date.
        let mut short = scenario.clone();
        short.horizon = short.as_of + Span::from_secs(86_400);
        let late = made_of(&short, 200, &|r| {
            let mut late = outcome(r, days_of(r));
            late.reached = vec![None; late.reached.len()];
            late.unfinished = Some(crate::migration::message::Binding::Throttle);
            late
        });
        let [Block::Line(_, text)] = &price(&late).blocks[..] else { panic!("one line") };
        assert!(text.contains(": more than EUR 1,000, not over by the horizon, at 1,000 a day"), "{text}");
        assert_eq!(price_part(&late).unwrap().p50, None);
        let few = made_of(&scenario, 2, &|r| outcome(r, days_of(r)));
        let [Block::Line(_, text)] = &price(&few).blocks[..] else { panic!("one line") };
        assert!(text.contains(": not estimable: too few replications, at 1,000 a day"), "{text}");
        let [low, high] = [Paid::Amount(100.0), Paid::MoreThan(500.0)];
        let told = "more than EUR 500, not over by the horizon (80 %: EUR 100 to more than EUR 500)";
        assert_eq!(in_words([low, high, high], "EUR"), told);
        assert_eq!(in_words([low, low, high], "EUR"), "EUR 100 (80 %: EUR 100 to more than EUR 500)");
    }

    #[test]
    fn the_last_part_is_the_mean_of_what_was_left() {
        let mut scenario = scenario();
        scenario.milestones[4] = Milestone::ShareMoved { share: LAST_PART_FROM };
        let forecast = made_of(&scenario, 50, &|r| {
            let mut one = outcome(r, 30.0);
            let (bytes, all_bytes) = (Bytes::new(40 + u64::from(r % 2) * 20), Bytes::new(1_000));
            let largest = Bytes::new(7);
            one.last_part = Some(LastPart {
                mailboxes: 10,
                bytes,
                largest,
                messages: 3,
                failed: r % 2,
                all_mailboxes: 1_000,
                all_bytes,
            });
            // One day or two, as many of either.
            one.reached[4] = Some(crate::forecast::testing::after(29.0 - f64::from(r % 2)));
            one
        });
        let part = last_part_means(&forecast).unwrap();
        assert!((part.share_of_bytes - 0.05).abs() < 1e-12 && (part.size_ratio - 5.0).abs() < 1e-9, "{part:?}");
        assert!((part.failed - 0.5).abs() < 1e-12 && (part.days_median.unwrap() - 1.0).abs() < 1e-9, "{part:?}");
        // Everything is off but for many who wait for a person, and only later has 99 % moved.
        let excused = made_of(&scenario, 50, &|r| {
            let mut one = outcome(r, 30.0);
            one.last_part = Some(LastPart { mailboxes: 10, all_mailboxes: 1_000, ..LastPart::default() });
            one.reached[4] = Some(crate::forecast::testing::after(58.5));
            one
        });
        assert_eq!(last_part_means(&excused).unwrap().days_median, None);
        let [Block::Line(_, text)] = &last_part(&excused).blocks[..] else { panic!("one line") };
        assert!(!text.contains("From there"), "{text}");
    }
}
