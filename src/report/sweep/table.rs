//! The points of a sweep as a table: a row a point.

use polars::prelude::{Column, DataFrame, IntoColumn, NamedFrom, PolarsResult, Series};

use super::super::table::{floats, instants, ints};
use super::Sweep;
use crate::forecast::cases::Measure;
use crate::forecast::quantile::LEVELS;
use crate::forecast::sweep::{Mean, Point};

/// One row a point, in the design's order.
///
/// # Errors
/// When columns do not fit together, which is our mistake.
pub(super) fn points(sweep: &Sweep) -> PolarsResult<DataFrame> {
    let all = || sweep.swept.points.iter();
    let mut columns: Vec<Column> = vec![ints("point", (0..sweep.swept.points.len()).map(|place| place as i64))];
    for (place, axis) in sweep.axes.iter().enumerate() {
        let name = if axis.unit.is_empty() { axis.key.clone() } else { format!("{} ({})", axis.key, axis.unit) };
        columns.push(floats(&name, all().map(|point| point.values[place])));
    }
    let mut mean = |name: &str, of: &dyn Fn(&Point) -> Mean| {
        columns.push(floats(name, all().map(|point| of(point).value)));
        let ends: Vec<_> = all().map(|point| of(point).interval.unzip()).collect();
        let end = |ending: &str, values: Vec<Option<f64>>| {
            Series::new(format!("{name}_{ending}").into(), values).into_column()
        };
        columns.push(end("low", ends.iter().map(|end| end.0).collect()));
        columns.push(end("high", ends.iter().map(|end| end.1).collect()));
    };
    mean("mean_days", &|point| point.days);
    for (place, measure) in Measure::ALL.into_iter().enumerate() {
        mean(measure.name(), &|point| point.impact[place]);
    }
    columns.push(ints("not_done_replications", all().map(|point| point.bounded as i64)));
    for (place, level) in LEVELS.iter().enumerate() {
        let name = format!("p{:02.0}_utc", level.fraction() * 100.0);
        columns.push(instants(&name, all().map(|point| point.quantiles[place]?.value.time()))?);
    }
    columns.push(ints("is_on_frontier", all().map(|point| i64::from(point.is_on_frontier))));
    let knee = |place: usize| i64::from(sweep.swept.knee == Some(place));
    columns.push(ints("is_knee", (0..sweep.swept.points.len()).map(knee)));
    DataFrame::new(sweep.swept.points.len(), columns)
}
