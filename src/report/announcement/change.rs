//! What has changed since an earlier post, as its readers would ask.

use serde::Serialize;

use super::earlier::Earlier;
use super::{Known, Told, Voice, What, capitalised, dated};
use crate::report::spoken::{Speaker, lasting};
use crate::report::wording::percent;
use crate::units::Time;

/// Since the earlier post.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Changes {
    /// Its day: "October 3".
    since: String,
    /// "12 %" of all mailboxes; none where nothing is known of it, or nothing has moved.
    moved: Option<String>,
    /// Heads, and then all mailboxes.
    dates: Vec<Change>,
    /// Whether no date has changed.
    none: bool,
}

/// One date.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Change {
    /// The head's name, or "all mailboxes".
    name: String,
    /// What has become of it.
    kind: Kind,
    /// What is told now.
    when: String,
    /// What was told then; none where nothing was.
    was: Option<String>,
    /// "about 4 days", where it is earlier or later.
    by: Option<String>,
    /// The whole in a sentence.
    sentence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// Reached since.
    Done,
    /// The same words would tell both.
    Same,
    /// Known more precisely, about where it was.
    Clearer,
    Earlier,
    Later,
    /// There was no date.
    Dated,
    /// There is none any more.
    Undated,
    /// Nothing was told of it.
    New,
    /// It was done, and is not any more.
    Again,
}

pub(super) fn changes(known: &[Known<'_>], moved: f64, earlier: &Earlier, voice: &Voice<'_>) -> Changes {
    let then = voice.day(earlier.as_of);
    let more = earlier.moved_share.map(|before| moved - before).filter(|more| *more > 0.0);
    let dates: Vec<Change> = dated(known).iter().filter_map(|one| change(one, earlier, voice)).collect();
    Changes {
        since: voice.speaker.number(then),
        moved: more.map(percent),
        none: dates.iter().all(|one| one.kind == Kind::Same),
        dates,
    }
}

/// None where it was done then already, or nothing was told of it and nothing is.
fn change(one: &Known<'_>, earlier: &Earlier, voice: &Voice<'_>) -> Option<Change> {
    let name = one.scenario.milestone_name(&one.milestone);
    let before = earlier.told(&name);
    let kind = match (before, one.told) {
        (Some(Told::Done), Told::Done) | (None, Told::Nothing) => return None,
        (None, _) => Kind::New,
        (Some(_), Told::Done) => Kind::Done,
        (Some(Told::Done), _) => Kind::Again,
        (Some(Told::Expected { first, median, last }), Told::Expected { first: from, median: now, last: to }) => {
            let is_narrower = to.since(from) < last.since(first);
            // What should have happened by now is late, whatever words would be left for it.
            let is_overdue = voice.day(last) < voice.speaker.today;
            match now.since(median).days() {
                _ if !is_overdue && voice.between(first, last) == voice.between(from, to) => Kind::Same,
                shift if shift.abs() < 1.0 && is_narrower => Kind::Clearer,
                shift if shift < 0.0 => Kind::Earlier,
                _ => Kind::Later,
            }
        }
        (Some(Told::Expected { .. }), Told::NotBefore(_))
        | (Some(Told::Expected { .. } | Told::NotBefore(_)), Told::Nothing) => Kind::Undated,
        (Some(Told::NotBefore(_) | Told::Nothing), Told::Expected { .. }) => Kind::Dated,
        (Some(Told::NotBefore(first)), Told::NotBefore(from)) => {
            // How far a forecast looks goes on with the days.
            let is_horizon = from >= one.scenario.horizon;
            match from.since(first).days() {
                _ if is_horizon || voice.between(first, first) == voice.between(from, from) => Kind::Same,
                // It was not known to come before the one either.
                _ if earlier.horizon.is_some_and(|horizon| first >= horizon) => Kind::Clearer,
                shift if shift < 0.0 => Kind::Earlier,
                _ => Kind::Later,
            }
        }
        (Some(Told::Nothing), Told::NotBefore(_)) => Kind::Clearer,
        (Some(Told::Nothing), Told::Nothing) => Kind::Same,
    };
    Some(Change::of(one, kind, before, earlier.as_of, voice))
}

impl Changes {
    /// Of every kind, for a template to be tried on.
    pub(super) fn example() -> Self {
        let kinds = [
            Kind::Done,
            Kind::Same,
            Kind::Clearer,
            Kind::Earlier,
            Kind::Later,
            Kind::Dated,
            Kind::Undated,
            Kind::New,
            Kind::Again,
        ];
        let one = |kind| Change {
            name: "head-1".to_owned(),
            kind,
            when: "late next week, October 18-20".to_owned(),
            was: matches!(kind, Kind::Clearer | Kind::Earlier | Kind::Later).then(|| "mid-October".to_owned()),
            by: matches!(kind, Kind::Earlier | Kind::Later).then(|| "about 4 days".to_owned()),
            sentence: "We expect head-1 to be empty about 4 days later than we said.".to_owned(),
        };
        Self {
            since: "October 3".to_owned(),
            moved: Some("12 %".to_owned()),
            dates: kinds.map(one).to_vec(),
            none: false,
        }
    }

    #[cfg(test)]
    pub(super) fn kinds(&self) -> impl Iterator<Item = String> {
        self.dates.iter().map(|one| serde_json::to_value(one.kind).unwrap().as_str().unwrap().to_owned())
    }

    #[cfg(test)]
    pub(super) fn sentences(&self) -> impl Iterator<Item = String> {
        self.dates.iter().map(|one| one.sentence.clone())
    }
}

impl Change {
    fn of(one: &Known<'_>, kind: Kind, before: Option<Told>, as_of: Time, voice: &Voice<'_>) -> Self {
        let What { now: what, expected, future } = one.what();
        let now = one.told.in_words(voice);
        let was = before.and_then(|before| said_then(before, as_of, voice));
        let by = shift_days(before, one.told).filter(|_| matches!(kind, Kind::Earlier | Kind::Later)).map(lasting);
        let than = was.as_deref().map_or(String::new(), |was| format!(" (before: {was})"));
        let (name, in_sentence) = (one.name(), &now.in_sentence);
        let sentence = match kind {
            Kind::Done => format!("{} now.", capitalised(&what)),
            Kind::Same => format!("What we said about {name} has not changed: {}.", now.alone),
            Kind::Clearer => format!("We know more precisely when {future}: {}{than}.", now.alone),
            Kind::Earlier | Kind::Later => {
                let by = by.as_deref().unwrap_or("slightly");
                let way = if kind == Kind::Later { "later" } else { "earlier" };
                let when = if matches!(one.told, Told::NotBefore(_)) { &now.alone } else { in_sentence };
                format!("We expect {expected} {by} {way} than we said, {when}{than}.")
            }
            Kind::Dated => format!("There is a date now: we expect {expected} {in_sentence}."),
            Kind::Undated => format!("We can no longer say when {future}{than}."),
            Kind::New => one.line(voice).sentence,
            Kind::Again => format!("Something is left to do again before {what}: {}.", now.alone),
        };
        Self { name, kind, when: now.alone, was, by, sentence }
    }
}

fn shift_days(before: Option<Told>, now: Told) -> Option<f64> {
    match (before?, now) {
        (Told::Expected { median, .. }, Told::Expected { median: now, .. })
        | (Told::NotBefore(median), Told::NotBefore(now)) => Some(now.since(median).days()),
        _ => None,
    }
}

/// In the words of the earlier post, but for those that held on its day alone.
fn said_then(told: Told, as_of: Time, voice: &Voice<'_>) -> Option<String> {
    let speaker = Speaker { today: voice.day(as_of), year: voice.speaker.year };
    match told {
        Told::Expected { first, last, .. } => Some(speaker.plainly(voice.day(first), voice.day(last))),
        Told::NotBefore(first) => Some(format!("not before {}", speaker.plainly(voice.day(first), voice.day(first)))),
        Told::Done | Told::Nothing => None,
    }
}
