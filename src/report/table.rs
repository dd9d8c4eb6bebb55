//! The data files: one row a replication, and one row a day and store, as Parquet and CSV.

use std::num::NonZeroUsize;

use polars::prelude::{
    Column, CsvWriter, DataFrame, IntoColumn, IntoSeries, NamedFrom, ParquetWriter, PolarsResult, SerWriter, Series,
    TimeUnit, TimeZone,
};

use crate::forecast::Forecast;
use crate::forecast::series::{DayQuantiles, HeadSeries, left_on_heads};
use crate::migration::message::Binding;
use crate::scenario::column_name;
use crate::sim::InodeOutcome;
use crate::units::{Share, Time};

/// The name of a head's quantity in the data files, its unit at the end.
#[must_use]
pub const fn head_column(series: HeadSeries) -> &'static str {
    match series {
        HeadSeries::Mailboxes => "mailboxes",
        HeadSeries::Streams => "streams",
        HeadSeries::UserUtilisation => "user_utilisation_share",
        HeadSeries::Utilisation => "utilisation_share",
        HeadSeries::Latency => "latency_ms",
        HeadSeries::LatencyAlone => "latency_without_migration_ms",
        HeadSeries::HazardAlone => "outages_without_migration_per_day",
        HeadSeries::Hazard => "outages_per_day",
        HeadSeries::MailboxHoursDown => "expected_down_mailbox_hours_per_day",
        HeadSeries::Bound(cause) => bound_column(cause),
    }
}

const fn bound_column(cause: Binding) -> &'static str {
    match cause {
        Binding::Throttle => "bound_by_throttle_share",
        Binding::StreamCap => "bound_by_stream_cap_share",
        Binding::Mover => "bound_by_mover_share",
        Binding::Link => "bound_by_link_share",
        Binding::Ingest => "bound_by_cluster_ingest_share",
        Binding::Window => "bound_by_window_share",
        Binding::NoRoom => "bound_by_no_room_share",
        Binding::Outage => "bound_by_outage_share",
        Binding::Tail => "bound_by_tail_share",
        Binding::Paused => "bound_by_paused_share",
        Binding::NotItsTurn => "not_its_turn_share",
    }
}

/// The name of a cluster's fill in the data files.
const FILL: &str = "fill_share";
/// The same of its inodes.
const INODE_FILL: &str = "inode_fill_share";
/// What is left on all heads together, of no store of its own.
pub(super) const LEFT: &str = "mailboxes_on_all_heads";

/// One row a replication.
///
/// # Errors
/// When columns do not fit together, which is our mistake.
pub fn replications(forecast: &Forecast) -> PolarsResult<DataFrame> {
    let scenario = &forecast.scenario;
    let outcomes = || forecast.replications.iter().map(|replication| &replication.outcome);
    let mut columns = vec![
        ints("replication", outcomes().map(|one| i64::from(one.run.replication))),
        texts("unfinished", outcomes().map(|one| one.unfinished.map(|cause| cause.name().to_owned()))),
    ];
    for (place, milestone) in scenario.milestones.iter().enumerate() {
        let name = column_name(&scenario.milestone_name(milestone));
        let reached = || outcomes().map(|one| one.reached[place]);
        columns.push(instants(&format!("{name}_utc"), reached())?);
        let days = reached().map(|time| Some(time?.since(scenario.as_of).days()));
        columns.push(Series::new(format!("{name}_days").into(), days.collect::<Vec<_>>()).into_column());
    }
    columns.push(ints("moved_mailboxes", outcomes().map(|one| one.moved as i64)));
    columns.push(ints("faults", outcomes().map(|one| one.faults as i64)));
    columns.push(ints("steps", outcomes().map(|one| one.steps as i64)));
    columns.push(floats("locked_s", outcomes().map(|one| one.locked_s)));
    for (place, name) in scenario.heads.iter().enumerate() {
        let name = column_name(name);
        let heads = || outcomes().map(|one| &one.heads[place]);
        columns.push(ints(&format!("{name}_set_aside_mailboxes"), heads().map(|head| i64::from(head.set_aside))));
        columns.push(ints(&format!("{name}_outages"), heads().map(|head| i64::from(head.outages))));
        columns.push(floats(&format!("{name}_expected_outages"), heads().map(|head| head.expected_outages)));
        columns.push(floats(&format!("{name}_above_objective_min"), heads().map(|head| head.minutes_above)));
        columns.push(floats(&format!("{name}_down_mailbox_hours"), heads().map(|head| head.mailbox_hours_down)));
    }
    for (place, name) in scenario.clusters.iter().enumerate() {
        let name = column_name(name);
        let clusters = || outcomes().map(|one| &one.clusters[place]);
        let highest = clusters().map(|cluster| cluster.highest_placement.fraction());
        columns.push(floats(&format!("{name}_highest_placement_share"), highest));
        columns.push(floats(&format!("{name}_final_fill_share"), clusters().map(|one| one.final_fill.fraction())));
        if clusters().any(|cluster| cluster.inodes.is_some()) {
            let inodes = |of: fn(&InodeOutcome) -> Share| {
                clusters().map(move |cluster| cluster.inodes.as_ref().map_or(0.0, |inodes| of(inodes).fraction()))
            };
            columns.push(floats(&format!("{name}_highest_inode_placement_share"), inodes(|one| one.highest_placement)));
            columns.push(floats(&format!("{name}_final_inode_fill_share"), inodes(|one| one.final_fill)));
        }
    }
    DataFrame::new(forecast.replications.len(), columns)
}

/// One row a day, store and quantity; what belongs to all heads together has no store.
///
/// # Errors
/// When columns do not fit together, which is our mistake.
pub fn series(forecast: &Forecast) -> PolarsResult<DataFrame> {
    let scenario = &forecast.scenario;
    let left = left_on_heads(&forecast.replications, forecast.settings.confidence);
    let mut rows: Vec<(Option<&str>, &str, &DayQuantiles)> = left.iter().map(|day| (None, LEFT, day)).collect();
    for (name, head) in scenario.heads.iter().zip(&forecast.heads) {
        for (series, days) in &head.days {
            rows.extend(days.iter().map(|day| (Some(name.as_str()), head_column(*series), day)));
        }
    }
    for (name, cluster) in scenario.clusters.iter().zip(&forecast.clusters) {
        rows.extend(cluster.days.iter().map(|day| (Some(name.as_str()), FILL, day)));
        let inodes = cluster.inodes.iter().flat_map(|inodes| &inodes.days);
        rows.extend(inodes.map(|day| (Some(name.as_str()), INODE_FILL, day)));
    }
    let of = |value: fn(&DayQuantiles) -> Option<f64>| rows.iter().map(|row| value(row.2)).collect::<Vec<_>>();
    let columns = vec![
        ints("day", rows.iter().map(|row| i64::from(row.2.day))),
        texts("store", rows.iter().map(|row| row.0.map(str::to_owned))),
        texts("quantity", rows.iter().map(|row| Some(row.1.to_owned()))),
        ints("replications", rows.iter().map(|row| i64::from(row.2.replications))),
        Series::new("p10".into(), of(|day| day.p10)).into_column(),
        Series::new("p50".into(), of(|day| day.p50)).into_column(),
        Series::new("p90".into(), of(|day| day.p90)).into_column(),
    ];
    DataFrame::new(rows.len(), columns)
}

/// The frame as Parquet: one row group, the same bytes for the same frame.
///
/// # Errors
/// When polars cannot write it.
pub fn parquet(frame: &mut DataFrame) -> PolarsResult<Vec<u8>> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).set_parallel(false).finish(frame)?;
    Ok(bytes)
}

/// The frame as CSV with a header; text that a spreadsheet would take for a formula begins with an apostrophe.
///
/// # Errors
/// When polars cannot write it.
pub fn csv(frame: &mut DataFrame) -> PolarsResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let one = NonZeroUsize::MIN;
    CsvWriter::new(&mut bytes)
        .n_threads(one.get())
        .with_datetime_format(Some("%Y-%m-%dT%H:%M:%S%.6fZ".into()))
        .finish(frame)?;
    Ok(bytes)
}

/// Text that no spreadsheet takes for a formula.
pub(super) fn inert(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

pub(super) fn ints(name: &str, values: impl Iterator<Item = i64>) -> Column {
    Series::new(name.into(), values.collect::<Vec<_>>()).into_column()
}

pub(super) fn floats(name: &str, values: impl Iterator<Item = f64>) -> Column {
    Series::new(name.into(), values.collect::<Vec<_>>()).into_column()
}

fn texts(name: &str, values: impl Iterator<Item = Option<String>>) -> Column {
    let values: Vec<Option<String>> = values.map(|value| value.map(|text| inert(&text))).collect();
    Series::new(name.into(), values).into_column()
}

pub(super) fn instants(name: &str, times: impl Iterator<Item = Option<Time>>) -> PolarsResult<Column> {
    let micros: Vec<Option<i64>> = times.map(|time| time.map(Time::unix_micros)).collect();
    let series = Series::new(name.into(), micros);
    let dates = series.i64()?.clone().into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC));
    Ok(dates.into_series().into_column())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::testing::{days_of, made, outcome};

    #[test]
    fn a_row_a_replication_with_dates_and_days() {
        let mut frame = replications(&made(8, &|r| outcome(r, days_of(r)))).unwrap();
        assert_eq!(frame.height(), 8);
        let text = String::from_utf8(csv(&mut frame).unwrap()).unwrap();
        let mut lines = text.lines();
        let header = lines.next().unwrap();
        assert!(header.starts_with("replication,unfinished,head_1_emptied_utc,head_1_emptied_days,"), "{header}");
        let first = lines.next().unwrap();
        assert!(first.starts_with("0,,2012-10-19T13:00:00.000000Z,9.0,"), "{first}");
    }

    #[test]
    fn a_day_without_enough_replications_has_no_number() {
        let frame = series(&made(8, &|r| outcome(r, 9.0))).unwrap();
        let column = |name: &str| frame.column(name).unwrap();
        assert_eq!(column("p50").null_count(), 0);
        assert_eq!(column("p90").null_count(), frame.height());
    }

    #[test]
    fn the_same_forecast_gives_the_same_bytes() {
        let bytes = || parquet(&mut replications(&made(30, &|r| outcome(r, days_of(r)))).unwrap()).unwrap();
        assert!(bytes() == bytes());
    }

    #[test]
    fn a_formula_becomes_text() {
        assert_eq!((inert("=1+1"), inert("head-1")), ("'=1+1".into(), "head-1".into()));
    }
}
