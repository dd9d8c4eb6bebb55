//! The charts of a sweep: date and users over the values, and the frontier between them.

use super::super::sweep::Sweep;
use super::super::wording::{count, replications};
use super::graph::{Body, Graph, Over, Panel};
use super::{Drawing, Picture};
use crate::forecast::sweep::design::Axis;
use crate::forecast::sweep::{Mean, Point};

/// What a chart says of a point: its name, its mean, and in how many replications the horizon cut it off.
type Quantity = (&'static str, fn(&Point) -> (Mean, usize));

const QUANTITIES: [Quantity; 2] = [
    ("days until all is emptied", |point| (point.days, point.bounded)),
    (MINUTES, |point| (point.minutes(), point.unfinished)),
];
const MINUTES: &str = "minutes slow by the migration";

/// The charts that it has, in the order of a page.
pub(in super::super) fn pictures(sweep: &Sweep) -> Vec<Picture> {
    let values = panels(sweep).map(|panels| Picture {
        stem: "values",
        title: "Over the values",
        description: "One key: a line over its values, the mean within its interval, of days until all is emptied and of minutes in \
                      which users wait because of the migration. Two keys: the same as maps, darker for more. The table of the \
                      points has the numbers.",
        drawing: Drawing::Graph(graph(sweep, "over the values", panels)),
    });
    let frontier = frontier(sweep).map(|panel| Picture {
        stem: "frontier",
        title: "Date against users",
        description: "A dot for each point: days until all is emptied to the right, minutes in which users wait because of the \
                      migration upwards. A line joins the points that no other one is better than; a large dot marks its knee. The \
                      table of date against users has the numbers.",
        drawing: Drawing::Graph(graph(sweep, "date against users", vec![panel])),
    });
    values.into_iter().chain(frontier).collect()
}

fn graph(sweep: &Sweep, what: &str, panels: Vec<Panel>) -> Graph {
    let many = replications(sweep.replications as usize);
    let incomplete = if sweep.is_complete() { "" } else { "INCOMPLETE, " };
    let points = count(sweep.swept.points.len() as f64);
    let beyond = if sweep.swept.points.iter().any(is_least) {
        "; where the horizon cut some off, what is known is a lower bound: a hollow dot, or a > on a map"
    } else {
        ""
    };
    Graph {
        title: format!("{}: {what}", sweep.scenario.name),
        subtitle: format!("{incomplete}{points} points, means of {many} of each{beyond}"),
        panels,
    }
}

fn is_least(point: &Point) -> bool {
    point.bounded + point.unfinished > 0
}

fn name(axis: &Axis) -> String {
    if axis.unit.is_empty() { axis.key.clone() } else { format!("{}, {}", axis.key, axis.unit) }
}

/// Lines over one key, maps over two; nothing over more, or where the points are no grid.
fn panels(sweep: &Sweep) -> Option<Vec<Panel>> {
    let points = &sweep.swept.points;
    if points.is_empty() {
        return None;
    }
    let panel = |(what, of): Quantity| {
        let (axes, body) = match &sweep.axes[..] {
            [axis] => {
                let over = |point: &Point| {
                    let (mean, cut_off) = of(point);
                    Over { number: point.values[0], mean: mean.value, interval: mean.interval, is_least: cut_off > 0 }
                };
                let mut line: Vec<Over> = points.iter().map(over).collect();
                line.sort_by(|one, other| one.number.total_cmp(&other.number));
                ((name(axis), "mean and its interval".to_owned()), Body::Line(line))
            }
            [across, up] if sweep.is_grid && sweep.is_complete() => {
                let said = |axis: &Axis| axis.values().iter().map(ToString::to_string).collect::<Vec<_>>();
                let number = |point: &Point| (of(point).0.value, of(point).1 > 0);
                let numbers = points.iter().map(number).collect();
                let body = Body::Map { across: said(across), up: said(up), numbers };
                ((name(across), format!("upwards: {}", name(up))), body)
            }
            _ => return None,
        };
        Some(Panel { name: what.to_owned(), axes, body })
    };
    QUANTITIES.into_iter().map(panel).collect()
}

fn frontier(sweep: &Sweep) -> Option<Panel> {
    let swept = &sweep.swept;
    let dot = |point: &Point| ((point.days.value, point.minutes().value), is_least(point));
    let points: Vec<_> = swept.points.iter().map(dot).collect();
    (points.len() > 1).then(|| Panel {
        name: "a dot a point; joined: the frontier".into(),
        axes: (QUANTITIES[0].0.into(), MINUTES.into()),
        body: Body::Frontier { points, frontier: swept.frontier.clone(), knee: swept.knee },
    })
}
