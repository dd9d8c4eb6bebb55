//! The status post for those whose mailboxes move: what a forecast says, in plain words, and what has changed since the last one.
//!
//! A date is told as the range that 80 % of the replications fall in, and what has happened already is told as done. What a
//! post says is worked out here; how it reads is its template's affair.

mod change;
pub mod earlier;
mod example;
mod record;
pub mod template;

use jiff::civil::Date;
use serde::Serialize;

use self::change::{Changes, changes};
use self::earlier::Earlier;
#[cfg(test)]
pub(super) use self::record::schema;
use self::record::{DateRecord, Record, SCHEMA_VERSION};
use super::aside;
use super::spoken::{Speaker, Spoken};
use super::standing::{self, Standing};
use super::wording::{count, local, percent, shown, utc};
use crate::fleet::HeadId;
use crate::forecast::quantile::{P10, P50, P90, When};
use crate::forecast::{Forecast, MilestoneForecast};
use crate::migration::message::Milestone;
use crate::scenario::Scenario;
use crate::units::{Span, Time};

/// No post is further from the next one than this.
pub const EVERY_MAX: Span = Span::from_secs(10 * 86_400);

/// What is told of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// It has happened.
    Done,
    /// From the first to the last in 80 % of the replications, and the median.
    Expected { first: Time, median: Time, last: Time },
    /// Not before this, and nobody can say whether at all.
    NotBefore(Time),
    /// Nothing.
    Nothing,
}

/// A date in words.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Line {
    /// Whose: the head's or cluster's name, or "all mailboxes".
    name: String,
    /// What is waited for: "head-1 is empty".
    what: String,
    /// `done`, `expected`, `not_before` or `unknown`.
    state: &'static str,
    /// The date by itself: "late next week, October 18-20".
    when: String,
    /// The whole in a sentence.
    sentence: String,
}

/// How many mailboxes have moved, of all or of those of a head.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Progress {
    /// "about 20 %", "all", "none".
    share: String,
    /// How many: "80,000".
    moved: String,
    /// Of how many.
    all: String,
    /// How many have not.
    left: String,
}

/// One head.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Head {
    /// Its name.
    name: String,
    /// `done`, `checking` (all have moved, and it is made sure that nothing is left), `moving` (the first that has mailboxes) or
    /// `waiting`.
    state: &'static str,
    /// Of its mailboxes.
    progress: Progress,
}

/// When the next post is due.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NextUpdate {
    /// "Saturday, October 20".
    by: String,
    /// "head-1 is empty", where that may be earlier.
    or_when: Option<String>,
}

/// Everything that a template can say.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Announcement {
    /// The scenario's title.
    title: String,
    /// "October 10, 2012".
    today: String,
    /// Of all mailboxes.
    progress: Progress,
    /// In the order in which they are drained.
    heads: Vec<Head>,
    /// Whether all mailboxes are off the old storage.
    all_done: bool,
    /// Heads, and then all mailboxes.
    dates: Vec<Line>,
    /// Clusters that are expected to take their first mailbox.
    opening: Vec<Line>,
    /// Whether accounts are still created, on a cluster then.
    new_accounts: bool,
    /// Mailboxes that wait for a person; none where there are none.
    set_aside: Option<String>,
    /// None without an earlier post.
    changes: Option<Changes>,
    /// None after the last post.
    next_update: Option<NextUpdate>,
    #[serde(skip)]
    record: Record,
}

impl Announcement {
    /// Puts a forecast into words, beside those of an earlier post; the next one is due after `every` at most.
    #[must_use]
    pub fn new(forecast: &Forecast, earlier: Option<&Earlier>, every: Span) -> Self {
        let scenario = &forecast.scenario;
        let voice = Voice::of(scenario);
        let order = &scenario.plan.order.heads;
        let standing = standing::by_head(scenario);
        let all = standing
            .iter()
            .fold(Standing::default(), |sum, head| Standing { all: sum.all + head.all, left: sum.left + head.left });
        // A head that never had a mailbox is nobody's affair; half a mailbox is none.
        let has_users = |head: HeadId| standing[head.index()].all >= 0.5;
        let known: Vec<Known<'_>> = told_of(forecast)
            .filter(|one| !matches!(one.milestone, Milestone::HeadEmptied { head, .. } if !has_users(head)))
            .collect();
        let all_done = known.iter().any(|one| one.milestone == Milestone::AllEmptied && one.told == Told::Done);
        let mut moving = false;
        let heads = order.iter().filter(|head| has_users(**head)).map(|head| {
            let done = known.iter().any(|one| is_emptied(one.milestone, head.index()) && one.told == Told::Done);
            let is_checked = standing[head.index()].left < 0.5;
            let state = match (done, is_checked, moving) {
                (true, ..) => "done",
                (false, true, _) => "checking",
                (false, false, false) => "moving",
                (false, false, true) => "waiting",
            };
            moving |= state == "moving";
            let name = shown(&scenario.heads[head.index()]);
            Head { name, state, progress: progress(standing[head.index()], done || is_checked) }
        });
        let moved_share = if all.all > 0.0 { all.moved() / all.all } else { 0.0 };
        let dates = dated(&known);
        let next_update = (!all_done).then(|| next_update(&known, &voice, every));
        let record = Record {
            schema_version: SCHEMA_VERSION,
            version: env!("CARGO_PKG_VERSION"),
            scenario: scenario.name.clone(),
            as_of_utc: utc(scenario.as_of),
            horizon_utc: utc(scenario.horizon),
            moved_share,
            next_update_by: (!all_done).then(|| voice.due(every).to_string()),
            dates: known.iter().map(|one| one.record(&voice)).collect(),
        };
        Self {
            title: shown(&scenario.name),
            today: voice.speaker.today.strftime("%B %-d, %Y").to_string(),
            progress: progress(all, all_done || all.left < 0.5),
            heads: heads.collect(),
            all_done,
            dates: dates.iter().map(|one| one.line(&voice)).collect(),
            opening: known.iter().filter(|one| one.is_opening()).map(|one| one.line(&voice)).collect(),
            new_accounts: scenario.model.population.new_accounts_per_day > 0.0,
            set_aside: set_aside(forecast),
            changes: earlier.map(|earlier| changes(&known, moved_share, earlier, &voice)),
            next_update,
            record,
        }
    }
}

/// Who speaks: on which day, in which zone.
struct Voice<'a> {
    scenario: &'a Scenario,
    speaker: Speaker,
}

impl<'a> Voice<'a> {
    fn of(scenario: &'a Scenario) -> Self {
        Self { scenario, speaker: Speaker::on(local(scenario.as_of, &scenario.time_zone).date()) }
    }

    fn day(&self, time: Time) -> Date {
        local(time, &self.scenario.time_zone).date()
    }

    fn between(&self, first: Time, last: Time) -> Spoken {
        self.speaker.between(self.day(first), self.day(last))
    }

    /// The last day for the next post.
    fn due(&self, every: Span) -> Date {
        self.day(self.scenario.as_of + every)
    }
}

/// What is waited for, in the forms that a sentence needs.
struct What {
    /// "head-1 is empty".
    now: String,
    /// "head-1 to be empty".
    expected: String,
    /// "head-1 will be empty".
    future: String,
}

/// A milestone, and what is told of it.
struct Known<'a> {
    scenario: &'a Scenario,
    milestone: Milestone,
    told: Told,
    /// Mailboxes that wait for a person, where they are too many to be left out of its sentence.
    excused: Option<f64>,
}

fn told_of(forecast: &Forecast) -> impl Iterator<Item = Known<'_>> {
    let scenario = &forecast.scenario;
    let wanted = |one: &&MilestoneForecast| {
        matches!(one.milestone, Milestone::HeadEmptied { .. } | Milestone::AllEmptied | Milestone::ClusterOpened { .. })
    };
    forecast.milestones.iter().filter(wanted).map(|one| Known {
        scenario,
        milestone: one.milestone,
        told: told(one, scenario),
        excused: aside::excused(forecast, one.milestone),
    })
}

fn told(milestone: &MilestoneForecast, scenario: &Scenario) -> Told {
    if milestone.latest.and_then(When::time).is_some_and(|time| time <= scenario.as_of) {
        return Told::Done;
    }
    let at = |level| milestone.at(level).map(|estimate| estimate.value);
    match (at(P10), at(P50), at(P90)) {
        (Some(When::At(first)), Some(When::At(median)), Some(When::At(last))) => Told::Expected { first, median, last },
        (Some(When::At(first)), _, _) => Told::not_before(first, scenario.as_of),
        (Some(When::AfterHorizon), _, _) => Told::NotBefore(scenario.horizon),
        (Some(When::Never) | None, _, _) => Told::Nothing,
    }
}

fn is_emptied(milestone: Milestone, wanted: usize) -> bool {
    matches!(milestone, Milestone::HeadEmptied { head, .. } if head.index() == wanted)
}

/// The dates that people wait for. A head that is the last one is empty when all mailboxes are off: one date is enough. So it is
/// where nobody can give one, but for the head whose turn it is while others wait.
fn dated<'a, 'b>(known: &'b [Known<'a>]) -> Vec<&'b Known<'a>> {
    let all = known.iter().find(|one| one.milestone == Milestone::AllEmptied);
    let is_head = |one: &&Known<'_>| matches!(one.milestone, Milestone::HeadEmptied { .. });
    let is_left = |one: &&Known<'_>| is_head(one) && one.told != Told::Done;
    let is_next = |one: &Known<'_>| {
        let is_dated = matches!(one.told, Told::Expected { .. });
        let mut left = known.iter().filter(is_left).map(|head| head.milestone);
        !is_dated && left.next() == Some(one.milestone) && left.next().is_some()
    };
    let is_last =
        |one: &&Known<'_>| all.is_some_and(|all| all.told == one.told && all.told != Told::Done) && !is_next(one);
    let heads = known.iter().filter(is_head).filter(|one| !is_last(one));
    heads.chain(all).collect()
}

impl Known<'_> {
    fn is_opening(&self) -> bool {
        matches!(self.milestone, Milestone::ClusterOpened { .. }) && matches!(self.told, Told::Expected { .. })
    }

    fn name(&self) -> String {
        match self.milestone {
            Milestone::HeadEmptied { head, .. } => shown(&self.scenario.heads[head.index()]),
            Milestone::ClusterOpened { cluster } => shown(&self.scenario.clusters[cluster.index()]),
            _ => "all mailboxes".to_owned(),
        }
    }

    /// What is waited for, with its verb: now, expected, in the future.
    fn what(&self) -> What {
        let name = self.name();
        let (name, is, be, rest) = match (self.milestone, self.excused) {
            (Milestone::HeadEmptied { .. }, None) => (name, "is", "be", "empty".to_owned()),
            (Milestone::HeadEmptied { .. }, Some(number)) => {
                (name, "is", "be", format!("empty but for about {}", mailboxes(number)))
            }
            (Milestone::ClusterOpened { .. }, _) => (name, "takes", "take", "its first mailboxes".to_owned()),
            (_, None) => (name, "are", "be", "off the old storage".to_owned()),
            (_, Some(number)) => {
                (format!("{name} but about {}", count(number)), "are", "be", "off the old storage".to_owned())
            }
        };
        What {
            now: format!("{name} {is} {rest}"),
            expected: format!("{name} to {be} {rest}"),
            future: format!("{name} will {be} {rest}"),
        }
    }

    fn line(&self, voice: &Voice<'_>) -> Line {
        let What { now, expected, future } = self.what();
        let told = self.told.in_words(voice);
        let sentence = match self.told {
            Told::Done => format!("{}.", capitalised(&now)),
            Told::Expected { .. } => format!("We expect {expected} {}.", told.in_sentence),
            Told::NotBefore(_) => {
                format!("We do not expect {expected} {}, and cannot give a date yet.", told.in_sentence)
            }
            Told::Nothing => format!("We cannot say yet when {future}."),
        };
        Line { name: self.name(), what: capitalised(&now), state: self.told.state(), when: told.alone, sentence }
    }

    fn record(&self, voice: &Voice<'_>) -> DateRecord {
        let (first, median, last) = match self.told {
            Told::Expected { first, median, last } => (Some(first), Some(median), Some(last)),
            Told::NotBefore(first) => (Some(first), None, None),
            Told::Done | Told::Nothing => (None, None, None),
        };
        DateRecord {
            milestone: self.scenario.milestone_name(&self.milestone),
            state: self.told.state(),
            first_utc: first.map(utc),
            median_utc: median.map(utc),
            last_utc: last.map(utc),
            told: self.told.in_words(voice).alone,
        }
    }
}

impl Told {
    /// That something does not happen before tomorrow goes without saying.
    fn not_before(first: Time, as_of: Time) -> Self {
        if first.since(as_of).days() < 2.0 { Self::Nothing } else { Self::NotBefore(first) }
    }

    const fn state(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Expected { .. } => "expected",
            Self::NotBefore(_) => "not_before",
            Self::Nothing => "unknown",
        }
    }

    fn in_words(self, voice: &Voice<'_>) -> Spoken {
        let said = |words: String| Spoken { in_sentence: words.clone(), alone: words };
        match self {
            Self::Done => said("done".to_owned()),
            Self::Expected { first, last, .. } => voice.between(first, last),
            Self::NotBefore(first) => {
                let first = voice.between(first, first).alone;
                Spoken { alone: format!("not before {first}"), in_sentence: format!("before {first}") }
            }
            Self::Nothing => said("no date yet".to_owned()),
        }
    }
}

/// "none", "about 20 %", "all": nothing that is not done is said to be by rounding.
fn progress(standing: Standing, done: bool) -> Progress {
    let share = if standing.all > 0.0 { standing.moved() / standing.all } else { 0.0 };
    let share = match share {
        _ if done => "all".to_owned(),
        none if none <= 0.0 => "none".to_owned(),
        all if all >= 1.0 => "nearly all".to_owned(),
        some if !(0.01..=0.99).contains(&some) => percent(some),
        some => format!("about {}", percent(some)),
    };
    Progress { share, moved: count(standing.moved()), all: count(standing.all), left: count(standing.left) }
}

/// "36 mailboxes", where a person has to see to some before they can move.
fn set_aside(forecast: &Forecast) -> Option<String> {
    let aside = aside::all(forecast).round();
    (aside >= 1.0).then(|| mailboxes(aside))
}

fn mailboxes(number: f64) -> String {
    format!("{} mailbox{}", count(number), if number < 1.5 { "" } else { "es" })
}

/// After some days at most, and at the next milestone where that may come before.
fn next_update(known: &[Known<'_>], voice: &Voice<'_>, every: Span) -> NextUpdate {
    let due = voice.due(every);
    let soon = |one: &&Known<'_>| match one.told {
        Told::Expected { first, .. } | Told::NotBefore(first) => voice.day(first) <= due,
        Told::Done | Told::Nothing => false,
    };
    let dated = dated(known);
    let first = dated.iter().copied().filter(soon).min_by_key(|one| match one.told {
        Told::Expected { first, .. } | Told::NotBefore(first) => first,
        Told::Done | Told::Nothing => Time::NEVER,
    });
    NextUpdate { by: voice.speaker.weekday(due), or_when: first.map(|one| one.what().now) }
}

fn capitalised(text: &str) -> String {
    // A head is named as the file names it.
    text.strip_prefix("all mailboxes").map_or_else(|| text.to_owned(), |rest| format!("All mailboxes{rest}"))
}

#[cfg(test)]
mod tests;
