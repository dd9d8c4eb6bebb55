//! The charts of stores over days: fill of clusters; load, pace and risk of heads.

use super::super::wording::Calendar;
use super::dates::Dates;
use super::plot::Plot;
use super::sheet::{Body, MOST_PANELS, Panel, Sheet, Sign};
use super::{Point, days_since, first_of, points, subtitle};
use crate::fleet::ClusterId;
use crate::forecast::Forecast;
use crate::forecast::quantile::P50;
use crate::forecast::series::{DayQuantiles, HeadSeries};
use crate::migration::message::{Binding, FullOf, Milestone};

/// Room above the highest line.
const SPARE: f64 = 1.08;

fn highest<'a>(points: impl IntoIterator<Item = &'a Point>) -> f64 {
    points.into_iter().map(|point| point.high).fold(0.0, f64::max)
}

/// The last day on which anything is known.
fn last_day(panels: &[Panel]) -> f64 {
    let of = |panel: &Panel| match &panel.body {
        Body::Plot(plot) => plot.band.iter().chain(&plot.thin).map(|point| point.day).fold(0.0, f64::max),
        Body::Parts(_, plot) => plot.stacks.len() as f64,
        Body::Nothing => 0.0,
    };
    panels.iter().map(of).fold(0.0, f64::max)
}

fn over_days(
    forecast: &Forecast,
    (title, what): (&str, &str),
    key: Vec<(Sign, &str)>,
    panels: Vec<Panel>,
    columns: usize,
) -> Option<Sheet> {
    let (panels, left_out) = first_of(panels, MOST_PANELS);
    let last_day = last_day(&panels);
    let days = (0.0, last_day.max(1.0));
    (last_day > 0.0).then(|| Sheet {
        title: format!("{}: {title}", forecast.scenario.name),
        subtitle: subtitle(forecast, what, &left_out),
        key: key.into_iter().map(|(sign, text)| (sign, text.to_owned())).collect(),
        panels,
        columns,
        days,
        dates: Dates::new(&forecast.scenario, days.1),
    })
}

/// The day of a milestone's median; `None` where that is no date or lies before the start.
fn median_day(forecast: &Forecast, calendar: &Calendar<'_>, milestone: Milestone) -> Option<f64> {
    let known = forecast.milestones.iter().find(|known| known.milestone == milestone)?;
    let time = known.at(P50)?.value.time().filter(|time| !calendar.already(*time))?;
    Some(days_since(&forecast.scenario, time))
}

fn cell(forecast: &Forecast, calendar: &Calendar<'_>, milestone: Milestone) -> String {
    let known = forecast.milestones.iter().find(|known| known.milestone == milestone);
    calendar.cell(known.and_then(|known| known.at(P50)), false)
}

/// Fill of each cluster against its threshold, with the dates on which it opens and is full.
pub(super) fn fill(forecast: &Forecast) -> Option<Sheet> {
    let scenario = &forecast.scenario;
    let calendar = Calendar::new(scenario);
    let panels_of = |place: usize| {
        let plan = &scenario.plan.placement.clusters[place];
        let cluster = ClusterId(place as u8);
        let (opened, full) =
            (Milestone::ClusterOpened { cluster }, Milestone::ClusterFull { cluster, of: FullOf::Bytes });
        let (level, band) =
            (plan.threshold().of(plan.rated).fraction() * 100.0, points(&forecast.clusters[place].days, 1.0, 100.0));
        let (first, last) = (cell(forecast, &calendar, opened), cell(forecast, &calendar, full));
        let uprights: Vec<_> =
            [opened, full].into_iter().filter_map(|at| median_day(forecast, &calendar, at)).collect();
        let plot = |unit: &str, (level, band): (f64, Vec<Point>)| {
            Body::Plot(Plot {
                unit: unit.into(),
                most: highest(&band).max(level) * SPARE,
                band,
                level: Some(level),
                uprights: uprights.clone(),
                ..Plot::default()
            })
        };
        let name = &scenario.clusters[place];
        let bytes = Panel {
            name: name.clone(),
            notes: vec![format!("first mailbox: {first}; full ({}): {last}", plan.full_at)],
            body: plot("% of the rating", (level, band)),
        };
        // What a cluster is full of may be files: the same dates, against the other threshold.
        let inodes = plan.inodes.zip(forecast.clusters[place].inodes.as_ref()).map(|(plan, one)| {
            let level = plan.threshold().of(plan.rated).fraction() * 100.0;
            let often = one.filled as usize;
            let notes = vec![format!("fills it in {often} of {} replications", forecast.replications.len())];
            let body = plot("% of the rated inodes", (level, points(&one.days, 1.0, 100.0)));
            Panel { name: format!("{name}: inodes"), notes, body }
        });
        std::iter::once(bytes).chain(inodes)
    };
    let key = vec![
        (Sign::Band, "fill at the end of the day, growth included"),
        (Sign::Level, "full at"),
        (Sign::Upright, "first mailbox, full (medians)"),
    ];
    let panels = (0..scenario.clusters.len()).flat_map(panels_of).collect();
    over_days(forecast, ("fill of the clusters", "median and P10 to P90"), key, panels, 3)
}

/// Load and response of each head, with the migration and from its users alone.
pub(super) fn load(forecast: &Forecast) -> Option<Sheet> {
    let scale = |series: HeadSeries, factor: f64| move |head: usize| series_of(forecast, head, series, factor);
    let (load, alone) = (scale(HeadSeries::Utilisation, 100.0), scale(HeadSeries::UserUtilisation, 100.0));
    let (response, response_alone) = (scale(HeadSeries::Latency, 1.0), scale(HeadSeries::LatencyAlone, 1.0));
    let objective = forecast.scenario.model.objective.secs() * 1e3;
    let heads = 0..forecast.scenario.heads.len();
    // The same scale for all heads: they are compared.
    let most = |of: &dyn Fn(usize) -> Vec<Point>| heads.clone().map(|head| highest(&of(head))).fold(0.0, f64::max);
    let most_load = most(&load).max(most(&alone)).max(1.0) * SPARE;
    let most_response = most(&response).max(most(&response_alone)).max(objective) * SPARE;
    let panels = heads.flat_map(|head| {
        let name = &forecast.scenario.heads[head];
        let panel = |what: &str, plot: Plot| Panel {
            name: format!("{name}: {what}"),
            notes: Vec::new(),
            body: Body::Plot(plot),
        };
        let (thin, band) = (alone(head), load(head));
        let load = Plot { unit: "% of capacity".into(), most: most_load, band, thin, ..Plot::default() };
        let (thin, band, level) = (response_alone(head), response(head), Some(objective));
        let response = Plot { unit: "ms".into(), most: most_response, band, thin, level, ..Plot::default() };
        [panel("load", load), panel("response time", response)]
    });
    let key = vec![
        (Sign::Band, "with the migration"),
        (Sign::Thin, "from users alone"),
        (Sign::Level, "the users' objective"),
    ];
    over_days(
        forecast,
        ("load and response of the heads", "means of a day, median and P10 to P90"),
        key,
        panels.collect(),
        2,
    )
}

/// Expected outages of each head, with the migration and from its users alone, and what they cost.
pub(super) fn risk(forecast: &Forecast) -> Option<Sheet> {
    let at_risk = |head: &usize| highest(&series_of(forecast, *head, HeadSeries::Hazard, 1.0)) > 0.0;
    let panels = (0..forecast.scenario.heads.len()).filter(at_risk).flat_map(|head| {
        let name = &forecast.scenario.heads[head];
        let panel = |what: &str, band: Vec<Point>, thin: Vec<Point>| Panel {
            name: format!("{name}: {what}"),
            notes: Vec::new(),
            body: Body::Plot(Plot {
                unit: "a day, expected".into(),
                most: highest(band.iter().chain(&thin)).max(1e-6) * SPARE,
                band,
                thin,
                ..Plot::default()
            }),
        };
        let of = |series| series_of(forecast, head, series, 1.0);
        [
            panel("outages", of(HeadSeries::Hazard), of(HeadSeries::HazardAlone)),
            panel("mailbox-hours of outage", of(HeadSeries::MailboxHoursDown), Vec::new()),
        ]
    });
    let key = vec![(Sign::Band, "with the migration"), (Sign::Thin, "from users alone")];
    let what = "median and P10 to P90, each panel with a scale of its own";
    over_days(forecast, ("risk of outages", what), key, panels.collect(), 2)
}

/// Streams of each head over days, and what has bound it.
pub(super) fn pace(forecast: &Forecast) -> Option<Sheet> {
    let heads = 0..forecast.scenario.heads.len();
    let streams = |head: usize| series_of(forecast, head, HeadSeries::Streams, 1.0);
    let most = heads.clone().map(|head| highest(&streams(head))).fold(1.0, f64::max) * SPARE;
    let panels = heads.flat_map(|head| {
        let name = &forecast.scenario.heads[head];
        let known = &forecast.heads[head];
        let mut causes: Vec<(Binding, f64)> =
            Binding::ALL.into_iter().map(|cause| (cause, known.bound[cause as usize])).collect();
        causes.retain(|(_, share)| *share > 0.0);
        causes.sort_by(|a, b| b.1.total_cmp(&a.1));
        let stacks: Vec<Vec<(f64, usize)>> = known
            .bound_by_day
            .iter()
            .map(|day| causes.iter().map(|(cause, _)| (day[*cause as usize] * 100.0, *cause as usize)).collect())
            .collect();
        let parts: Vec<(String, f64, usize)> =
            causes.into_iter().map(|(cause, share)| (cause.name().to_owned(), share, cause as usize)).collect();
        let plot = Plot { unit: "streams, mean of the day".into(), most, band: streams(head), ..Plot::default() };
        let (what, notes, body) = if parts.is_empty() {
            ("what bound it".to_owned(), vec!["nothing: it never had its turn".to_owned()], Body::Nothing)
        } else {
            let unit = "% of the simulated days, in its turn";
            let days = Plot { unit: unit.into(), most: 100.0, stacks, ..Plot::default() };
            (format!("what bound it in {}", known.turn), Vec::new(), Body::Parts(parts, days))
        };
        let (few, line) = if plot.band.is_empty() {
            (vec!["not estimable: too few replications".to_owned()], Body::Nothing)
        } else {
            (Vec::new(), Body::Plot(plot))
        };
        let pace = Panel { name: format!("{name}: pace"), notes: few, body: line };
        [pace, Panel { name: format!("{name}: {what}"), notes, body }]
    });
    let key = vec![(Sign::Band, "copies that progress at once")];
    over_days(forecast, ("pace and what bound it", "median and P10 to P90"), key, panels.collect(), 2)
}

/// A quantity of a head: means of a day stand at its middle.
fn series_of(forecast: &Forecast, head: usize, wanted: HeadSeries, factor: f64) -> Vec<Point> {
    let days: &[DayQuantiles] =
        forecast.heads[head].days.iter().find(|(series, _)| *series == wanted).map_or(&[], |(_, days)| days);
    points(days, 0.5, factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{days_of, made, outcome};

    #[test]
    fn every_store_has_its_panels() {
        let forecast = made(40, &|r| outcome(r, days_of(r)));
        let names = |sheet: Option<Sheet>| -> Vec<String> {
            sheet.unwrap().panels.into_iter().map(|panel| panel.name).collect()
        };
        assert_eq!(names(fill(&forecast)), ["nas-1", "nas-2"]);
        let of_few_inodes = crate::report::tests::of_few_inodes();
        assert_eq!(names(fill(&of_few_inodes)), ["nas-1", "nas-1: inodes", "nas-2"]);
        assert_eq!(
            names(load(&forecast)),
            ["head-1: load", "head-1: response time", "head-2: load", "head-2: response time"]
        );
        assert_eq!(names(pace(&forecast))[1], "head-1: what bound it in 9.7 days");
        assert_eq!(names(risk(&forecast))[1], "head-1: mailbox-hours of outage");
    }

    #[test]
    fn a_level_and_every_line_lie_within_the_axis() {
        let forecast = made(40, &|r| outcome(r, days_of(r)));
        for sheet in [fill(&forecast), load(&forecast), pace(&forecast), risk(&forecast)] {
            for panel in sheet.unwrap().panels {
                let Body::Plot(plot) = panel.body else { continue };
                assert!(plot.level.is_none_or(|level| level < plot.most), "{}", panel.name);
                assert!(plot.band.iter().chain(&plot.thin).all(|point| point.high < plot.most), "{}", panel.name);
                assert!(!plot.band.is_empty(), "{}", panel.name);
            }
        }
    }

    #[test]
    fn a_head_without_hazard_has_no_risk_to_show() {
        let forecast = made(40, &|r| {
            let mut outcome = outcome(r, days_of(r));
            outcome.heads.iter_mut().flat_map(|head| &mut head.days).for_each(|day| day.hazard = 0.0);
            outcome
        });
        assert_eq!(risk(&forecast), None);
    }
}
