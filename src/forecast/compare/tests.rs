#![expect(clippy::float_cmp, reason = "these values are exact")]

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Dxsm;

use super::quantiles::{COMPARED, RESAMPLED_MAX};
use super::*;
use crate::forecast::quantile::{P10, P50, P80};
use crate::forecast::testing::{after, days_of, outcome, scenario};
use crate::migration::message::Binding;
use crate::sim::Outcome;
use crate::units::Span;

const SURE: Share = Share::from_ppm(950_000);

/// `count` replications of some cases, each made from the replication's number.
fn runs(count: u32, cases: &[&dyn Fn(u32) -> Outcome]) -> Vec<Vec<Run>> {
    (0..count).map(|r| cases.iter().map(|case| Run::of(&case(r))).collect()).collect()
}

fn compared(count: u32, cases: &[&dyn Fn(u32) -> Outcome]) -> Compared {
    let scenario = scenario();
    compare(&vec![&scenario; cases.len()], &runs(count, cases), SURE)
}

fn all(compared: &Compared, variant: usize) -> &MilestoneShift {
    compared.variants[variant].milestone("all emptied").unwrap()
}

fn at(compared: &Compared, level: Share) -> AtLevel {
    *all(compared, 0).levels.iter().find(|at| at.level == level).unwrap()
}

fn base(r: u32) -> Outcome {
    outcome(r, days_of(r))
}

/// Half a day to a day earlier, differently in each replication.
fn earlier(r: u32) -> Outcome {
    outcome(r, days_of(r) - 0.5 - f64::from(r % 7) / 14.0)
}

#[test]
fn the_same_case_differs_by_exactly_nothing() {
    let compared = compared(50, &[&base, &base]);
    for one in &compared.variants[0].milestones {
        let expected = if one.dates.name == "nas-2 full" { Verdict::InNeither } else { Verdict::Same };
        assert_eq!(one.verdict, expected, "{one:?}");
        assert_eq!((one.order.earlier, one.order.later, one.effective), (0, 0, None));
    }
    for one in &compared.variants[0].impact {
        assert_eq!((one.verdict, one.difference.unwrap().days), (Verdict::Same, 0.0), "{one:?}");
    }
    let level = at(&compared, P50);
    assert_eq!((level.level, level.difference_of_quantiles, level.interval), (P50, Some(0.0), Some((0.0, 0.0))));
    assert_eq!(level.quantile_of_differences.unwrap().value, 0.0);
}

#[test]
fn what_had_happened_before_two_starts_did_not_move_between_them() {
    use std::sync::Arc;
    let (mut one, mut other) = (scenario(), scenario());
    other.as_of = after(-12.0);
    let place = one.milestones.iter().position(|known| one.milestone_name(known) == "nas-1 opened").unwrap();
    // Each tells at its own first instant what had happened before it.
    let runs: Vec<Vec<Run>> = (0..20)
        .map(|r| {
            let told = |start: Time| {
                let mut run = Run::of(&base(r));
                run.dates[place] = When::At(start);
                run
            };
            vec![told(one.as_of), told(other.as_of)]
        })
        .collect();
    let opened = |one: &Scenario, other: &Scenario| {
        let variant = compare(&[one, other], &runs, SURE).variants.remove(0);
        (variant.milestone("nas-1 opened").unwrap().verdict, variant.started)
    };
    // Where nothing had moved, it happens at the start.
    assert_eq!(opened(&one, &other), (Verdict::Less, None));
    for scenario in [&mut one, &mut other] {
        Arc::make_mut(&mut scenario.model).population.moved[0] = Share::from_ppm(250_000);
    }
    assert_eq!(opened(&one, &other), (Verdict::Same, Some(other.as_of)));
}

#[test]
fn pairs_tell_what_independent_samples_would_not() {
    let compared = compared(60, &[&base, &earlier]);
    let one = all(&compared, 0);
    assert_eq!(one.verdict, Verdict::Less);
    assert_eq!((one.order.earlier, one.order.later), (60, 0));
    let shift = one.shift.unwrap();
    assert!((-1.0..-0.5).contains(&shift.days), "{shift:?}");
    // Dates are spread over four days, differences over half a day: variances of some 1.33 each and of 0.02.
    let effective = one.effective.unwrap();
    assert!((60.0 * 60.0..60.0 * 250.0).contains(&effective), "{effective}");
}

#[test]
fn pairs_that_differ_by_the_same_are_worth_more_than_any_number_of_replications() {
    let compared = compared(60, &[&base, &|r| outcome(r, days_of(r) - 0.7)]);
    let one = all(&compared, 0);
    assert_eq!((one.verdict, one.effective, one.shift.unwrap().error), (Verdict::Less, None, 0.0));
}

#[test]
fn two_quantiles_differ_otherwise_than_pairs_do() {
    // Early replications become later and late ones earlier: the quantiles move less than the pairs do.
    let mirrored = |r: u32| outcome(r, 58.0 - days_of(r));
    let compared = compared(101, &[&base, &mirrored]);
    let at = |level| at(&compared, level);
    assert!(at(P80).difference_of_quantiles.unwrap().abs() < 0.1, "{:?}", at(P80));
    assert!(at(P80).quantile_of_differences.unwrap().value > 2.0, "{:?}", at(P80));
    let (low, high) = at(P80).interval.unwrap();
    assert!(low <= 0.0 && high >= 0.0 && high - low < 4.0, "{low} to {high}");
}

#[test]
fn several_variants_share_their_doubt() {
    // A t of about 2.4: enough alone, too little among ten.
    let slight = |r: u32| outcome(r, days_of(r) + 0.145 + 1.2 * (f64::from(r * 13 % 40) / 40.0 - 0.5));
    let alone = compared(40, &[&base, &slight]);
    let p = all(&alone, 0).shift.unwrap().p_value();
    assert!((0.005..=0.05).contains(&p), "p {p} shows no difference between one and ten");
    let cases: Vec<&dyn Fn(u32) -> Outcome> =
        std::iter::once(&base as _).chain((0..10).map(|_| &slight as _)).collect();
    let among = compared(40, &cases);
    assert_eq!((alone.each, among.each), (SURE, Share::from_ppm(995_000)));
    assert_eq!((all(&alone, 0).verdict, all(&among, 0).verdict), (Verdict::More, Verdict::NotSure));
    let interval = |compared: &Compared| all(compared, 0).shift.unwrap().interval(compared.each);
    let ((low, high), (wider_low, wider_high)) = (interval(&alone), interval(&among));
    assert!(wider_low < 0.0 && 0.0 < low && high < wider_high, "{low} to {high}, {wider_low} to {wider_high}");
}

#[test]
fn what_lies_beyond_the_horizon_is_told_and_no_number_is_made_of_it() {
    let cut = |every: u32| {
        move |r: u32| {
            let mut outcome = base(r);
            if r.is_multiple_of(every) {
                *outcome.reached.last_mut().unwrap() = None;
                outcome.unfinished = Some(Binding::NoRoom);
            }
            outcome
        }
    };
    let (half, third) = (cut(2), cut(3));
    let compared = compared(60, &[&half, &third]);
    let one = all(&compared, 0);
    // Of 60: 30 beyond before, 20 after, 10 of them in both.
    assert_eq!((one.order.unknown, one.order.earlier, one.order.later, one.order.same), (10, 20, 10, 20));
    assert_eq!(one.shift.unwrap().bounded, 50);
    assert!(one.order.earlier_share.0 < 20.0 / 60.0 && one.order.earlier_share.1 > 30.0 / 60.0);
    let level = at(&compared, P80);
    assert_eq!((level.difference_of_quantiles, level.quantile_of_differences), (None, None));
    // Half of the differences are known to be nothing; a tenth may be anything: the median is nothing all the same.
    let wide = cut(10);
    let compared = self::compared(60, &[&wide, &wide]);
    let level = at(&compared, P50);
    assert_eq!(level.quantile_of_differences.map(|it| (it.low, it.value, it.high)), Some((0.0, 0.0, 0.0)));
    assert_eq!((all(&compared, 0).order.unknown, all(&compared, 0).verdict), (6, Verdict::SameByHorizon));
}

/// A case that ends after so many days, or not by the horizon.
fn ends(days: impl Fn(u32) -> Option<f64>) -> impl Fn(u32) -> Outcome {
    move |r: u32| {
        let mut outcome = outcome(r, days(r).unwrap_or(60.0));
        if days(r).is_none() {
            *outcome.reached.last_mut().unwrap() = None;
            outcome.unfinished = Some(Binding::Throttle);
        }
        outcome
    }
}

#[test]
fn what_lies_beyond_the_horizon_keeps_a_verdict_that_it_may_turn() {
    let verdict = |before: &dyn Fn(u32) -> Outcome, after: &dyn Fn(u32) -> Outcome| {
        let compared = compared(60, &[before, after]);
        let one = all(&compared, 0);
        (one.verdict, one.shift.unwrap().days < 0.0, one.order.earlier_by_more, one.order.later_by_more)
    };
    let whole = |days: f64| ends(move |r| Some(days + f64::from(r % 3)));
    // 33 of 60 are 30 days earlier, and 27 lie beyond the horizon, which is 10 days later: how much later nobody knows.
    let some = ends(|r| (r % 20 < 11).then_some(20.0 + f64::from(r % 3)));
    assert_eq!(verdict(&whole(50.0), &some), (Verdict::Open, true, 0, 27));
    assert_eq!(verdict(&some, &whole(50.0)), (Verdict::Open, false, 27, 0));
    // The same where not one is known to be later.
    let few = ends(|r| (r != 7).then_some(20.0 + f64::from(r % 3)));
    let fewer = ends(|r| (r != 7).then_some(40.0));
    assert_eq!(verdict(&fewer, &few), (Verdict::Open, true, 0, 0));
    assert_eq!(verdict(&few, &fewer), (Verdict::Open, false, 0, 0));
    // What lies beyond can only make it more sure.
    assert_eq!(verdict(&few, &whole(10.0)), (Verdict::Less, true, 1, 0));
    assert_eq!(verdict(&whole(10.0), &few), (Verdict::More, false, 0, 1));
}

#[test]
fn what_one_of_two_horizons_alone_shows_moves_nothing() {
    let (long, mut short) = (scenario(), scenario());
    short.horizon = after(28.0);
    let cut = |r: u32| {
        let mut outcome = base(r);
        outcome.reached = outcome.reached.iter().map(|date| date.filter(|date| *date < after(28.0))).collect();
        outcome.unfinished = outcome.reached.last().unwrap().is_none().then_some(Binding::Throttle);
        outcome
    };
    let beyond = (0..60).filter(|r| days_of(*r) >= 28.0).count();
    assert!((10..50).contains(&beyond), "{beyond}");
    for (scenarios, runs) in [([&short, &long], runs(60, &[&cut, &base])), ([&long, &short], runs(60, &[&base, &cut]))]
    {
        let compared = compare(&scenarios, &runs, SURE);
        let one = all(&compared, 0);
        let order = (one.order.earlier, one.order.later, one.order.same, one.order.unknown);
        assert_eq!(order, (0, 0, 60 - beyond, beyond));
        assert_eq!(one.verdict, Verdict::SameByHorizon);
        assert_eq!(compared.variants[0].horizon, scenarios[1].horizon);
    }
}

#[test]
fn what_users_go_through_is_not_judged_where_the_horizon_cut_it_off() {
    let minutes = |more: f64, cut: u32| {
        move |r: u32| {
            let mut outcome = base(r);
            outcome.heads[0].minutes_above += more + f64::from(r % 3) * more;
            outcome.unfinished = (r < cut).then_some(Binding::Throttle);
            outcome
        }
    };
    let verdict = |more: f64, cut: u32| {
        let compared = compared(60, &[&minutes(0.0, 0), &minutes(more, cut)]);
        let of = |one: &&MeasureShift| one.measure == Measure::MinutesAbove;
        let one = *compared.variants[0].impact.iter().find(of).unwrap();
        assert_eq!(one.unfinished, cut as usize);
        one.verdict
    };
    assert_eq!((verdict(-5.0, 0), verdict(-5.0, 1)), (Verdict::Less, Verdict::NotSure));
    assert_eq!((verdict(0.0, 0), verdict(0.0, 1)), (Verdict::Same, Verdict::SameByHorizon));
}

#[test]
fn milestones_of_one_case_alone_are_named() {
    let (scenario, mut other) = (scenario(), scenario());
    other.milestones.swap(0, 1);
    other.milestones.truncate(6);
    let cut = |r: u32| {
        let mut outcome = base(r);
        outcome.reached.swap(0, 1);
        outcome.reached.truncate(6);
        outcome
    };
    let compared = compare(&[&scenario, &other], &runs(20, &[&base, &cut]), SURE);
    let variant = &compared.variants[0];
    assert_eq!((variant.missing.as_slice(), variant.added.len()), (&["all emptied".to_owned()][..], 0));
    assert!(variant.milestones.iter().all(|one| matches!(one.verdict, Verdict::Same | Verdict::InNeither)));
    assert_eq!(variant.milestones[0].dates.name, "head-1 emptied");
}

#[test]
fn too_few_replications_give_no_verdict() {
    let compared = compared(4, &[&base, &earlier]);
    assert_eq!((all(&compared, 0).verdict, all(&compared, 0).shift), (Verdict::TooFew, None));
    assert_eq!(compare(&[&scenario()], &[], SURE).variants, Vec::new());
}

/// Of 150 pairs of samples whose medians truly differ by one day, as many intervals hold that as they say.
#[test]
fn bootstrap_intervals_hold_what_they_say() {
    let mut generator = Pcg64Dxsm::seed_from_u64(11);
    let (count, resamples) = (120, Resamples::new(120));
    let mut held = 0;
    for _ in 0..150 {
        let mut common = || generator.random_range(0.0..6.0) + generator.random_range(0.0..6.0);
        let pairs: Vec<(f64, f64)> = (0..count)
            .map(|_| {
                let one = common();
                (one, 0.5 * one + 0.5 * common())
            })
            .collect();
        let when = |days: f64| When::At(after(20.0) + Span::from_secs_f64(days * 86_400.0));
        let (before, later): (Vec<When>, Vec<When>) = pairs.iter().map(|(a, b)| (when(*a), when(*b + 1.0))).unzip();
        let at = at_levels(&before, &later, after(60.0), Share::from_ppm(900_000), &resamples);
        let (low, high) = at.iter().find(|at| at.level == P50).unwrap().interval.unwrap();
        // Both medians are 6 by symmetry: the true difference of the P50s is the one day that was added.
        held += u32::from(low <= 1.0 && 1.0 <= high);
    }
    assert!((122..=148).contains(&held), "{held} of 150, 135 expected");
}

/// A quarter of the dates as they are lies beyond the horizon: their P80 does in most resamples, and in none is the variant's near it.
#[test]
fn what_lies_beyond_the_horizon_leaves_a_difference_of_quantiles_the_end_that_is_known() {
    let cut = |every: u32, days: f64| {
        ends(move |r| (!(r * 7 % 100).is_multiple_of(every)).then_some(days + f64::from(r % 5)))
    };
    let compared = compared(100, &[&cut(6, 50.0), &cut(101, 30.0)]);
    let level = at(&compared, P80);
    // 17 of 100 do not end: the P80 is a date, and of some resamples it is none.
    assert_eq!(level.difference_of_quantiles, Some(-20.0));
    assert_eq!(level.interval.map(|(low, high)| (low, high < -19.0)), Some((f64::NEG_INFINITY, true)));
    let (low, high) = at(&compared, P10).interval.unwrap();
    assert!(low.is_finite() && high < 0.0, "{low} to {high}");
    let beyond = self::compared(100, &[&cut(2, 50.0), &cut(101, 30.0)]);
    assert_eq!(at(&beyond, P80).difference_of_quantiles, None);
    let (low, high) = at(&beyond, P80).interval.unwrap();
    assert!(low.is_infinite() && (-30.0..-25.0).contains(&high), "{low} to {high}");
    let back = self::compared(100, &[&cut(101, 30.0), &cut(2, 50.0)]);
    assert_eq!(at(&back, P80).interval.map(|(low, high)| (low > 25.0, high)), Some((true, f64::INFINITY)));
    // Beyond the horizon on both sides nothing is known.
    let neither = self::compared(100, &[&cut(2, 50.0), &cut(2, 30.0)]);
    assert_eq!(at(&neither, P80).interval, None);
}

#[test]
fn more_replications_than_are_drawn_again_have_intervals_of_their_quantiles() {
    let when = |days: f64| When::At(after(20.0) + Span::from_secs_f64(days * 86_400.0));
    let drawn = |count: u64| -> Vec<f64> { (0..count).map(|r| (r * 7_919 % count) as f64 / count as f64).collect() };
    let interval = |count: u64, level: Share| {
        let before: Vec<When> = drawn(count).into_iter().map(when).collect();
        let later: Vec<When> = drawn(count).into_iter().map(|days| when(days - 0.1)).collect();
        let all = at_levels(&before, &later, after(60.0), SURE, &Resamples::new(count as usize));
        all.into_iter().find(|at| at.level == level).unwrap().interval.unwrap()
    };
    for level in COMPARED {
        let (low, high) = interval(RESAMPLED_MAX as u64 + 1, level);
        assert!((-0.12..-0.1).contains(&low) && (-0.1..-0.08).contains(&high), "{level:?}: {low} to {high}");
    }
}
