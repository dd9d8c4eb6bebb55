//! What the calendar does to the load: holidays, and backups that add to it.

use jiff::tz::TimeZone;

use super::calendar::Stretch;
use super::frame_plan::{Term, applies_to, stretches};
use super::item::Item;
use super::model::HeadModel;
use super::reader::Reader;
use crate::units::{OpRate, Span, Time};

/// A time in which users ask for more or less than on other days.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Holiday {
    /// Its beginning.
    pub from: Time,
    /// Its end.
    pub until: Time,
    /// What it does.
    pub effect: HolidayEffect,
}

/// What a holiday does to the users' load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HolidayEffect {
    /// The load is that of another day of the week, by days since Monday.
    Weekday(usize),
    /// The load of the day is multiplied.
    Factor(f64),
}

/// Load on heads besides that of users, at times.
#[derive(Clone, Debug, PartialEq)]
pub struct Backup {
    /// When it runs: stretches in order, which do not overlap.
    pub stretches: Vec<(Time, Time)>,
    /// What it asks for, by `HeadId`.
    pub load: Vec<OpRate>,
}

/// When holidays and backups are: the part of them that is never uncertain.
#[derive(Clone, Debug, Default)]
pub(crate) struct Occasions {
    /// By holiday of the file.
    holidays: Vec<Vec<Stretch>>,
    /// By backup of the file: when, and on which heads.
    backups: Vec<(Vec<Stretch>, Vec<bool>)>,
}

/// The keys of the days of the week, Monday first.
pub(crate) const WEEKDAYS: &[&str] = &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

fn list<'a>(table: Option<&'a Item>, name: &str) -> &'a [Item] {
    table.and_then(|table| table.get(name)).map(Item::list).unwrap_or_default()
}

impl Occasions {
    /// Reads when they are, in a calendar's term; what is wrong goes to the reader.
    pub(crate) fn read(file: &Item, zone: &TimeZone, term: Term, heads: &[String], reader: &mut Reader<'_>) -> Self {
        let mut found = Self::default();
        for item in list(file.get("load"), "holiday") {
            reader.section();
            found.holidays.push(stretches(item, zone, term, reader));
            if item.get("like").is_some() == item.get("factor").is_some() {
                reader.problem(item, "needs either `like`, a day of the week, or `factor`");
            }
        }
        for item in list(Some(file), "backup") {
            reader.section();
            let applies = applies_to(item, heads, reader);
            found.backups.push((joined(stretches(item, zone, term, reader)), applies));
        }
        found
    }

    /// The holidays with their effects, in order of time; where two overlap, the one that the file has first holds.
    pub(crate) fn holidays(&self, file: &Item, reader: &mut Reader<'_>) -> Vec<Holiday> {
        let mut found: Vec<Holiday> = Vec::new();
        for (item, stretches) in list(file.get("load"), "holiday").iter().zip(&self.holidays) {
            reader.section();
            let like = item.get("like").and_then(Item::text);
            let like = like.and_then(|name| WEEKDAYS.iter().position(|known| *known == name));
            let effect = match like {
                Some(day) => HolidayEffect::Weekday(day),
                None => HolidayEffect::Factor(reader.number_if_any(item, "factor").unwrap_or(1.0)),
            };
            for &(from, until) in stretches {
                // What is left of it beside those that are there already.
                let mut parts = vec![(from, until)];
                for taken in &found {
                    parts = parts.into_iter().flat_map(|part| without(part, (taken.from, taken.until))).collect();
                }
                found.extend(parts.into_iter().map(|(from, until)| Holiday { from, until, effect }));
            }
        }
        found.sort_by_key(|holiday| holiday.from);
        found
    }

    /// Warns of times at which no step of the load begins: the simulation does not see them.
    pub(crate) fn warn_of_missed(&self, file: &Item, start: Time, step: Span, reader: &mut Reader<'_>) {
        let holidays = list(file.get("load"), "holiday").iter().zip(&self.holidays);
        let backups = list(Some(file), "backup").iter().zip(self.backups.iter().map(|(stretches, _)| stretches));
        let every = step.micros().max(1);
        let is_missed = |(from, until): &&Stretch| {
            let steps = from.since(start).micros().max(0).div_euclid(every);
            let next = start + Span::from_micros(steps * every);
            let next = if next < *from { next + step } else { next };
            *until > start && next >= *until
        };
        for (item, stretches) in holidays.chain(backups) {
            let missed = stretches.iter().filter(is_missed).count();
            if missed > 0 {
                reader.section();
                reader.warning(
                    item.get("when").unwrap_or(item),
                    format!(
                        "lies between two steps of the load, which are {step} apart from the start on (load.step), {missed} \
                         of {} times, and is left out there",
                        stretches.len()
                    ),
                );
            }
        }
    }

    /// The backups, with what they ask of each head.
    pub(crate) fn backups(&self, file: &Item, heads: &[HeadModel], reader: &mut Reader<'_>) -> Vec<Backup> {
        let mut found = Vec::new();
        for (item, (stretches, applies)) in list(Some(file), "backup").iter().zip(&self.backups) {
            reader.section();
            let value = reader.number(item, "load");
            // The first form is a share of the head's capacity.
            let is_share = item.get("load").and_then(Item::choice) == Some(0);
            let load = |(place, head): (usize, &HeadModel)| {
                let unit = if is_share { head.capacity.ops_per_second() } else { 1.0 };
                let applies = applies.get(place).copied().unwrap_or(false);
                OpRate::per_second(if applies { value * unit } else { 0.0 })
            };
            found.push(Backup { stretches: stretches.clone(), load: heads.iter().enumerate().map(load).collect() });
        }
        found
    }
}

/// A stretch without another one.
fn without((from, until): Stretch, (start, end): Stretch) -> Vec<Stretch> {
    let parts = [(from, until.min(start)), (from.max(end), until)];
    parts.into_iter().filter(|(from, until)| from < until).collect()
}

/// Stretches in order, those that touch made one.
pub(crate) fn joined(mut stretches: Vec<Stretch>) -> Vec<Stretch> {
    stretches.sort_unstable();
    let mut joined: Vec<Stretch> = Vec::with_capacity(stretches.len());
    for (from, until) in stretches {
        match joined.last_mut() {
            Some(last) if last.1 >= from => last.1 = last.1.max(until),
            Some(_) | None => joined.push((from, until)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    fn at(second: i64) -> Time {
        Time::default() + Span::from_secs(second)
    }

    fn all(stretches: &[(i64, i64)]) -> Vec<Stretch> {
        stretches.iter().map(|(from, until)| (at(*from), at(*until))).collect()
    }

    #[test]
    fn what_overlaps_is_cut_out_of_a_stretch() {
        let cut = |from, until| without((at(10), at(20)), (at(from), at(until)));
        assert_eq!(cut(12, 15), all(&[(10, 12), (15, 20)]));
        assert_eq!(cut(0, 15), all(&[(15, 20)]));
        assert_eq!(cut(15, 30), all(&[(10, 15)]));
        assert_eq!(cut(20, 30), all(&[(10, 20)]));
        assert_eq!(cut(0, 10), all(&[(10, 20)]));
        assert_eq!(cut(10, 20), []);
    }

    #[test]
    fn stretches_that_touch_are_one() {
        assert_eq!(joined(all(&[(30, 40), (0, 10), (10, 20), (35, 38)])), all(&[(0, 20), (30, 40)]));
    }
}
