//! Links between the stores: which stores are behind each, and what other traffic leaves of it, and when.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::calendar::{Stretch, local};
use super::frame::Frame;
use super::frame_plan::{Term, stretches};
use super::item::{Amount, Item};
use super::model::LinkModel;
use super::occasions::joined;
use super::problems::Problem;
use super::reader::{Reader, rate};
use crate::fleet::{ClusterId, HeadId};
use crate::units::{Bytes, Rate, Time};

/// As near to the low end of a range as draws are tried at.
pub(crate) const LOW_END: f64 = 1e-6;

/// A bit a link stands for those of a copy.
const LINKS_MAX: usize = 64;

/// The part of a link that is never uncertain.
#[derive(Clone, Debug)]
pub(crate) struct LinkFrame {
    heads: Vec<HeadId>,
    clusters: Vec<ClusterId>,
    /// When its other traffic runs, by its place in the file.
    traffic: Vec<Vec<Stretch>>,
}

fn list<'a>(table: &'a Item, name: &str) -> &'a [Item] {
    table.get(name).map(Item::list).unwrap_or_default()
}

/// Reads which stores are behind which link, and when it has other traffic, in a calendar's term; what is wrong goes to
/// the reader.
pub(crate) fn read(
    file: &Item,
    zone: &TimeZone,
    term: Term,
    (heads, clusters): (&[String], &[String]),
    reader: &mut Reader<'_>,
) -> Vec<LinkFrame> {
    let links = list(file, "link");
    reader.section();
    if let (true, Some(item)) = (links.len() > LINKS_MAX, file.get("link")) {
        reader.problem(item, format!("there are {}, at most {LINKS_MAX} are allowed", links.len()));
    }
    let mut found = Vec::new();
    for item in links.iter().take(LINKS_MAX) {
        let (heads, clusters) = stores(item, heads, clusters, reader);
        let mut traffic = Vec::new();
        for other in list(item, "traffic") {
            reader.section();
            let always = ["when", "from", "until"].iter().all(|key| other.get(key).is_none());
            traffic.push(if always {
                vec![(term.as_of, term.end)]
            } else {
                joined(stretches(other, zone, term, reader))
            });
        }
        found.push(LinkFrame { heads, clusters, traffic });
    }
    found
}

/// The stores behind a link.
fn stores(
    link: &Item,
    heads: &[String],
    clusters: &[String],
    reader: &mut Reader<'_>,
) -> (Vec<HeadId>, Vec<ClusterId>) {
    let (mut found_heads, mut found_clusters) = (Vec::new(), Vec::new());
    reader.section();
    let Some(names) = link.get("stores").filter(|names| !names.is_bad()) else { return (found_heads, found_clusters) };
    if names.list().is_empty() {
        reader.problem(names, "names no store: needs a head or a cluster behind the link");
    }
    let all: Vec<String> = heads.iter().chain(clusters).cloned().collect();
    for (at, item) in names.list().iter().enumerate() {
        let Some(name) = item.text() else { continue };
        let place = |known: &[String]| known.iter().position(|known| known == name).map(|place| place as u8);
        if names.list()[..at].iter().any(|earlier| earlier.text() == Some(name)) {
            reader.problem(item, format!("names {name} twice"));
            continue;
        }
        match (place(heads), place(clusters)) {
            (Some(head), None) => found_heads.push(HeadId(head)),
            (None, Some(cluster)) => found_clusters.push(ClusterId(cluster)),
            (Some(_), Some(_)) => {
                reader.problem(
                    item,
                    format!("is \"{name}\", the name of a head and of a cluster: one needs another name"),
                );
            }
            (None, None) => reader.unknown(item, "head or cluster", name, &all),
        }
    }
    (found_heads, found_clusters)
}

/// The links, with what other traffic leaves to copies.
pub(crate) fn links(file: &Item, frame: &Frame, reader: &mut Reader<'_>) -> Vec<LinkModel> {
    let link = |(item, known): (&Item, &LinkFrame)| {
        reader.section();
        LinkModel {
            name: item.get("name").and_then(Item::text).unwrap_or_default().to_owned(),
            heads: known.heads.clone(),
            clusters: known.clusters.clone(),
            left: left(item, known, frame, reader),
        }
    };
    list(file, "link").iter().zip(&frame.links).map(link).collect()
}

/// What is left to copies: from each instant on, in order, the first one at the start.
fn left(link: &Item, known: &LinkFrame, frame: &Frame, reader: &mut Reader<'_>) -> Vec<(Time, Rate)> {
    let capacity = reader.rate(link, "capacity");
    let mut is_told = false;
    let mut loads = Vec::new();
    for item in list(link, "traffic") {
        let value = reader.number(item, "load");
        // The first form is a share of the link's capacity.
        let is_share = item.get("load").and_then(Item::choice) == Some(0);
        let load = if is_share { value * capacity.bytes_per_second() as f64 } else { value };
        if rate(load) > capacity {
            is_told = true;
            let message = format!("is {}, above the link's capacity of {}", shown(rate(load)), shown(capacity));
            reader.problem(item.get("load").unwrap_or(item), message);
        }
        loads.push(load);
    }
    let taken = taken(&loads, &known.traffic, frame.as_of);
    let most = taken.iter().max_by_key(|(at, taken)| (*taken, std::cmp::Reverse(*at)));
    let at = link.get("traffic").unwrap_or(link);
    if let Some((when, most)) = most.filter(|(_, most)| *most > capacity && !is_told) {
        let (when, most, capacity) = (local(&frame.zone, *when), shown(*most), shown(capacity));
        reader
            .problem(at, format!("takes {most} together from {when} on, more than the link's capacity of {capacity}"));
    } else if !is_told && taken.iter().all(|(at, taken)| *taken == capacity || *at >= frame.horizon) {
        reader.problem(at, "leaves nothing of the link to copies before the horizon");
    }
    // Where a draw has more traffic than the link lets through it is all of the link: a file that can come to that has been
    // refused, or warned of.
    let left = |taken: Rate| capacity.bytes_per_second().saturating_sub(taken.bytes_per_second());
    taken.into_iter().map(|(at, taken)| (at, Rate::per_second(left(taken)))).collect()
}

/// What is dubious about draws that are not at one end of all ranges: a link with little capacity and much other traffic.
/// Both may be drawn together, unless the file says that they are correlated; so this is told, and not refused.
pub(crate) fn dubious_draws(file: &Item, frame: &Frame) -> Vec<Problem> {
    let mut draw = |item: &Item, amount: &Amount| {
        amount.quantile(if item.key.ends_with(".capacity") { LOW_END } else { 1.0 - LOW_END })
    };
    let mut reader = Reader::new(&mut draw);
    links(file, frame, &mut reader);
    let told = |problem: Problem| {
        let message = format!(
            "with the capacity at the low end of its range and other traffic at the high end: {}; such a draw leaves nothing \
             of the link to copies meanwhile",
            problem.message
        );
        Problem { message, ..problem }
    };
    reader.problems.into_iter().map(told).collect()
}

/// What other traffic takes together: from each instant on, in order, the first one at the start.
fn taken(loads: &[f64], traffic: &[Vec<Stretch>], start: Time) -> Vec<(Time, Rate)> {
    let ends = traffic.iter().flatten().flat_map(|(from, until)| [*from, *until]);
    let changes: BTreeSet<Time> = ends.filter(|at| *at > start).chain([start]).collect();
    let mut over = vec![0; traffic.len()];
    let at_once = |at: Time| {
        // Rounded once: two halves of an odd capacity are all of it, and not more.
        let mut sum = 0.0;
        for ((load, stretches), over) in loads.iter().zip(traffic).zip(&mut over) {
            while stretches.get(*over).is_some_and(|(_, until)| *until <= at) {
                *over += 1;
            }
            if stretches.get(*over).is_some_and(|(from, _)| *from <= at) {
                sum += load;
            }
        }
        (at, rate(sum))
    };
    changes.into_iter().map(at_once).collect()
}

/// A rate for messages.
fn shown(rate: Rate) -> String {
    format!("{}/s", Bytes::new(rate.bytes_per_second()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    fn at(second: i64) -> Time {
        Time::default() + Span::from_secs(second)
    }

    #[test]
    fn what_traffic_takes_adds_up_while_it_overlaps() {
        let all = |stretches: &[(i64, i64)]| stretches.iter().map(|(from, until)| (at(*from), at(*until))).collect();
        let traffic: Vec<Vec<Stretch>> = vec![all(&[(-5, 10), (30, 40)]), all(&[(5, 35)])];
        let taken = taken(&[2.0, 3.0], &traffic, at(0));
        let expected = [(0, 2), (5, 5), (10, 3), (30, 5), (35, 2), (40, 0)];
        assert_eq!(taken, expected.map(|(second, bytes)| (at(second), Rate::per_second(bytes))));
        assert_eq!(super::taken(&[], &[], at(7)), [(at(7), Rate::ZERO)]);
    }
}
