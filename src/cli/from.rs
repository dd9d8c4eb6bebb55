//! `drawdown forecast --from LEDGER`: what a ledger knows, in place of what the scenario assumes.

mod in_force;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::Failure;
use crate::fleet::{ClusterId, HeadId, Home, MailboxId};
use crate::forecast::Forecast;
use crate::forecast::expect::{Expected, Reached, judge_past};
use crate::live::ledger::{CopySeen, LastKnown, Ledger, LedgerError, Observations};
use crate::migration::message::{Facts, Fault, Milestone, Order};
use crate::migration::plan::OrderPlan;
use crate::report::files::sha256;
use crate::scenario::{Expectation, Scenario, Source};
use crate::units::{Bytes, Inodes, Rate, Room, Span, Time};
use in_force::{in_force, simulated};

/// With fewer copies than these their speed says little.
const COPIES_MIN: usize = 30;
/// Attempts from which on a share of faults is worth more than the scenario's.
const ATTEMPTS_MIN: usize = 200;
/// Of so many copies, the last ones, the speed is taken: what was true a month ago may not be any more.
const COPIES_MAX: usize = 5_000;

/// What is taken from a ledger.
pub(super) struct Observed {
    facts: Arc<Facts>,
    /// Mailboxes on a head that no cluster of its last session could take.
    too_large: Vec<MailboxId>,
    /// The plan, with its mailboxes as rows of the ledger.
    order: OrderPlan,
    /// When it was recorded.
    pub(super) at: Time,
    /// By how much copies were faster than the scenario says for idle stores while they worked, at most a hundredfold either
    /// way. Waiting for the pace is left out: the plan has that, and the simulated copies wait for it anew.
    speed: Option<f64>,
    transient: Option<f64>,
    lock: Option<Span>,
    /// By cluster: what is on it besides the mailboxes that have moved there, and how many inodes that takes, if known.
    used_otherwise: Vec<Option<(Bytes, Option<Inodes>)>>,
    /// How many mailboxes were left on the heads when, since the ledger begins.
    pub(super) course: Vec<(Time, f64)>,
    /// When the ledger begins.
    begun: Time,
    /// When each milestone was reached first.
    reached: BTreeMap<Milestone, Time>,
    /// What was expected by a date that lies before the forecast's start.
    expected: Vec<Expectation>,
    /// Orders that stay in force in the simulation.
    standing: Vec<Order>,
    /// What operators have ordered, or the migration has stopped for, that holds it back still; none where nothing does.
    pub(super) in_force: Option<String>,
    /// For people.
    pub(super) lines: Vec<String>,
}

impl Observed {
    /// Reads a ledger; `source` says what is to be expected.
    pub(super) fn read(path: &Path, source: &Source) -> Result<Self, Failure> {
        let problem = |error: LedgerError| Failure::Run(error.to_string());
        let reader = Ledger::read(path).map_err(problem)?;
        let empty = || Failure::Input(format!("{}: no session has begun in it", path.display()));
        let mut known = reader.last_known().map_err(problem)?.ok_or_else(empty)?;
        let mut seen = Observations::default();
        let mut begun = known.at;
        for session in reader.sessions().map_err(problem)? {
            let more = reader.observations(session.number).map_err(problem)?;
            begun = begun.min(session.started_at);
            seen.copies.extend(more.copies);
            seen.switches.extend(more.switches);
            seen.clusters.extend(more.clusters);
            seen.milestones.extend(more.milestones);
        }
        super::run::the_same_stores(source, path)?;
        check(&known, source, path)?;
        let names = reader.mailboxes().map_err(problem)?;
        let rows: BTreeMap<&str, MailboxId> =
            names.iter().map(|named| named.name.as_str()).zip((0..).map(MailboxId)).collect();
        let (plan, _) = source.middle().plan_for(&|name| rows.get(name).copied());
        let orders = reader.standing_orders().map_err(problem)?;
        known.facts.clusters.plan_anew(&known.plan.placement, &plan.placement);
        let mut observed = Self {
            order: plan.order.clone(),
            at: known.at,
            speed: None,
            transient: None,
            lock: None,
            used_otherwise: used_otherwise(&known, &seen, source.middle()),
            course: course_of(begun, &known, &seen),
            begun,
            reached: BTreeMap::new(),
            expected: Vec::new(),
            in_force: in_force(&orders, source.middle()),
            standing: simulated(&orders),
            lines: vec![progress(&known)],
            too_large: known.too_large,
            facts: Arc::new(known.facts),
        };
        for (milestone, at) in &seen.milestones {
            observed.reached.entry(milestone.as_asked_for()).or_insert(*at);
        }
        let all = source.middle().expectations.iter();
        observed.expected = all.filter(|one| one.before <= observed.start()).cloned().collect();
        observed.lines.extend(observed.in_force.clone());
        observed.observe(&seen, source.middle());
        Ok(observed)
    }

    fn observe(&mut self, seen: &Observations, scenario: &Scenario) {
        let good: Vec<_> = seen.copies.iter().rev().filter(|copy| copy.result.is_ok()).take(COPIES_MAX).collect();
        if good.len() >= COPIES_MIN {
            let plan = &scenario.plan.copy;
            let expected: f64 = good
                .iter()
                .map(|copy| {
                    let by_bytes = copy.bytes.get() as f64 / plan.stream.bytes_per_second().max(1) as f64;
                    let by_messages = f64::from(copy.messages) * 1e3 / f64::from(plan.messages_per_ks.max(1));
                    plan.setup.secs() + by_bytes.max(by_messages)
                })
                .sum();
            let worked = |copy: &&CopySeen| copy.worked.unwrap_or(copy.ended_at.since(copy.started_at)).secs();
            let took: f64 = good.iter().map(worked).sum();
            let speed = (expected / took.max(1e-6)).clamp(0.01, 100.0);
            self.speed = Some(speed);
            self.lines.push(format!(
                "Observed in the last {} copies: {speed:.2} times the speed that the scenario gives them on idle stores, load \
                 included, waiting for the pace not; stream, messages and set-up are set by it.",
                good.len()
            ));
        }
        let attempts = seen.copies.len();
        if attempts >= ATTEMPTS_MIN {
            let failed = seen.copies.iter().filter(|copy| copy.result == Err(Fault::Transient)).count();
            let share = failed as f64 / attempts as f64;
            self.transient = Some(share);
            self.lines
                .push(format!("Observed in {attempts} attempts: {:.2} % failed and could be repeated.", share * 100.0));
        }
        let mut held: Vec<Span> = seen.switches.iter().filter_map(|switch| switch.held).collect();
        held.sort_unstable();
        if held.len() >= COPIES_MIN {
            let median = held[held.len() / 2];
            self.lock = Some(median);
            self.lines.push(format!(
                "Observed in {} switches: a user is held for {:.2} s (median).",
                held.len(),
                median.secs()
            ));
        }
        self.lines.push(
            "Still the scenario's: load, latency curves, outages, what users ask for, growth, and the throttle's probes."
                .to_owned(),
        );
    }

    /// SHA-256 of all that is taken from the ledger, in hexadecimal.
    pub(super) fn sha256(&self) -> serde_json::Result<String> {
        let reached: Vec<_> = self.reached.iter().collect();
        let facts = serde_json::to_vec(&(self.at, &*self.facts, &reached, &self.lines))?;
        Ok(sha256(&facts))
    }

    /// Whether an input of the scenario has been replaced.
    pub(super) fn replaces(&self, key: &str) -> bool {
        let population = ["mailboxes", "split", "moved", "size", "message"];
        let of_population = |name: &&str| key.strip_prefix("population.").is_some_and(|rest| rest.starts_with(*name));
        population.iter().any(of_population)
            || self.transient.is_some() && key == "faults.transient"
            || self.lock.is_some() && ["cost.lock", "cost.lock_per_thousand", "cost.switch"].contains(&key)
    }

    /// The settings that let the forecast start where the ledger ends, in the scenario's local time. What is expected by a date
    /// before that is no expectation of the forecast: it is known how it came out.
    pub(super) fn settings(&self, scenario: &Scenario) -> Vec<String> {
        let stamp = Timestamp::from_microsecond(self.start().unix_micros()).unwrap_or(Timestamp::UNIX_EPOCH);
        let local = stamp.to_zoned_datetime(scenario.time_zone.clone());
        let mut settings = vec![format!("as_of={}", local.strftime("%Y-%m-%dT%H:%M:%S"))];
        if !self.expected.is_empty() {
            let left = scenario.expectations.iter().filter(|one| one.before > self.start());
            let left = left.map(|Expectation { milestone, by, probability, .. }| {
                let milestone = scenario.milestone_name(milestone);
                format!("{{ milestone = \"{milestone}\", by = {by}, probability = \"{probability}\" }}")
            });
            settings.push(format!("expect=[{}]", left.collect::<Vec<_>>().join(", ")));
        }
        settings
    }

    /// Up to the next second: the file knows no smaller ones.
    fn start(&self) -> Time {
        self.at.rounded_up(Span::from_secs(1))
    }

    /// What was expected by dates that have passed, by what has happened.
    pub(super) fn judged(&self, forecast: &Forecast) -> Vec<Expected> {
        let start = forecast.scenario.as_of;
        let is_reached = |milestone: Milestone| {
            let known = forecast.milestones.iter().find(|known| known.milestone == milestone);
            known.and_then(|known| known.latest?.time()).is_some_and(|latest| latest <= start)
        };
        let judge = |one: &Expectation| {
            let announced = self.reached.get(&one.milestone).copied();
            judge_past(one, reached((one.before, self.begun), announced, is_reached(one.milestone)))
        };
        self.expected.iter().map(judge).collect()
    }

    /// Puts what is known in place of what the scenario assumes.
    pub(super) fn apply(&self, scenario: &mut Scenario) {
        scenario.facts = Some(Arc::clone(&self.facts));
        let excused = [&self.order.excluded[..], &self.too_large].concat();
        scenario.standing.clone_from(&self.standing);
        scenario.reached = still_reached(&self.reached, &self.facts, &excused);
        Arc::make_mut(&mut scenario.plan).order = self.order.clone();
        let model = Arc::make_mut(&mut scenario.model);
        model.population.mailboxes = self.facts.fleet.len() as u32;
        if let Some(transient) = self.transient {
            model.faults.transient = transient.min(0.99);
        }
        if let Some(lock) = self.lock {
            (model.cost.lock, model.cost.lock_per_thousand, model.cost.switch) = (lock, Span::ZERO, Span::ZERO);
        }
        for (cluster, used) in model.clusters.iter_mut().zip(&self.used_otherwise) {
            let Some((bytes, inodes)) = *used else { continue };
            cluster.used = bytes;
            cluster.inodes_used = inodes.unwrap_or(cluster.inodes_used);
        }
        if let Some(speed) = self.speed {
            let copy = &mut Arc::make_mut(&mut scenario.plan).copy;
            copy.stream = Rate::per_second(((copy.stream.bytes_per_second() as f64 * speed) as u64).max(1));
            if copy.messages_per_ks != u32::MAX {
                copy.messages_per_ks = ((f64::from(copy.messages_per_ks) * speed) as u32).max(1);
            }
            copy.setup = Span::from_micros((copy.setup.micros() as f64 / speed) as i64);
        }
    }
}

/// When a milestone was reached that was expected before some instant, by a ledger that begins at another one. What was reached
/// when the ledger began is announced then, whenever it was: of an earlier date that says nothing.
fn reached((before, begun): (Time, Time), announced: Option<Time>, is_reached: bool) -> Reached {
    match announced {
        Some(_) if before <= begun => Reached::NobodyKnowsWhen,
        Some(at) => Reached::At(at),
        None if before <= begun && is_reached => Reached::NobodyKnowsWhen,
        None => Reached::NotYet,
    }
}

/// The milestones that were reached and still are, and when first: mailboxes may have been found on a head since it was
/// emptied. Those that are set aside, or `excused` besides, hold it no less empty.
fn still_reached(reached: &BTreeMap<Milestone, Time>, facts: &Facts, excused: &[MailboxId]) -> Vec<(Milestone, Time)> {
    let stays: BTreeSet<MailboxId> =
        facts.set_aside.iter().map(|(mailbox, _)| mailbox).chain(excused).copied().collect();
    let rows = (0..).map(MailboxId).zip(&facts.fleet.home).filter(|(mailbox, _)| !stays.contains(mailbox));
    let left: BTreeSet<HeadId> = rows.filter_map(|(_, home)| home.as_head()).collect();
    let origin = |mailbox: MailboxId| facts.fleet.origin[mailbox.index()];
    let old = facts.unpurged.iter().map(|(mailbox, _)| mailbox).chain(&facts.kept);
    let unpurged: BTreeSet<HeadId> = old.map(|mailbox| origin(*mailbox)).collect();
    let gone = facts.set_aside.iter().filter(|(_, fault)| *fault == Fault::Gone).map(|(mailbox, _)| *mailbox);
    let gone: BTreeSet<MailboxId> = gone.collect();
    let mut rows = (0..).map(MailboxId).zip(&facts.fleet.home).filter(|(mailbox, _)| !gone.contains(mailbox));
    let is_free = rows.all(|(_, home)| home.as_head().is_none());
    let is_still = |milestone: &Milestone| match milestone {
        Milestone::HeadEmptied { head, .. } => !left.contains(head),
        Milestone::HeadPurged { head } => !left.contains(head) && !unpurged.contains(head),
        Milestone::AllEmptied => left.is_empty(),
        Milestone::Decommissioned => is_free && unpurged.is_empty(),
        _ => true,
    };
    reached.iter().filter(|(milestone, _)| is_still(milestone)).map(|(milestone, at)| (*milestone, *at)).collect()
}

/// A ledger of another migration would give numbers without meaning.
fn check(known: &LastKnown, source: &Source, path: &Path) -> Result<(), Failure> {
    let scenario = source.middle();
    let (heads, clusters) = (known.plan.heads.len(), known.plan.placement.clusters.len());
    if (heads, clusters) == (scenario.heads.len(), scenario.clusters.len()) {
        return Ok(());
    }
    Err(Failure::Input(format!(
        "{}: its migration has {heads} heads and {clusters} clusters, the scenario has {} and {}",
        path.display(),
        scenario.heads.len(),
        scenario.clusters.len()
    )))
}

/// Backwards from what is left now.
fn course_of(begun: Time, known: &LastKnown, seen: &Observations) -> Vec<(Time, f64)> {
    let left = known.facts.fleet.home.iter().filter(|home| !home.is_cluster()).count();
    let switched = seen.switches.iter().filter(|switch| switch.fault.is_none());
    let switched: Vec<Time> = switched.map(|switch| switch.ended_at).collect();
    super::watch::course::course(begun, &switched, known.at, left as f64)
}

/// How far the migration is.
fn progress(known: &LastKnown) -> String {
    let facts = &known.facts;
    let left = facts.fleet.home.iter().filter(|home| !home.is_cluster()).count();
    let aside = facts.set_aside.iter().filter(|(_, fault)| *fault != Fault::Gone).count();
    format!(
        "From the ledger: {} mailboxes, {left} still on the heads, {aside} of them set aside, {} deleted, {} on their way.",
        facts.fleet.len(),
        known.gone.len(),
        known.in_flight.len()
    )
}

/// What the last sample of each cluster found there, less the mailboxes that have moved there.
fn used_otherwise(known: &LastKnown, seen: &Observations, scenario: &Scenario) -> Vec<Option<(Bytes, Option<Inodes>)>> {
    let placement = &scenario.plan.placement;
    (0..scenario.clusters.len())
        .map(|place| {
            let cluster = ClusterId(place as u8);
            let last = seen.clusters.iter().rev().find(|sample| sample.cluster == cluster)?;
            let fleet = &known.facts.fleet;
            let here = (0..fleet.len()).filter(|row| fleet.home[*row] == Home::cluster(cluster));
            let moved = here.map(|row| placement.takes(fleet.bytes[row], fleet.messages[row]));
            let moved = moved.fold(Room::ZERO, |sum, mailbox| sum + mailbox);
            let inodes = last.inodes.map(|inodes| inodes.saturating_sub(moved.inodes));
            Some((last.used.saturating_sub(moved.bytes), inodes))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Fleet;

    #[test]
    fn of_a_date_before_the_ledger_only_what_has_not_happened_is_known() {
        let at = Time::from_unix_micros;
        let (within, before_it) = ((at(20), at(10)), (at(10), at(10)));
        assert_eq!(reached(within, Some(at(15)), true), Reached::At(at(15)));
        assert_eq!(reached(within, Some(at(25)), true), Reached::At(at(25)));
        // It is reached with the forecast's first step, and was not by the ledger's end.
        assert_eq!(reached(within, None, true), Reached::NotYet);
        assert_eq!(reached(before_it, Some(at(10)), true), Reached::NobodyKnowsWhen);
        assert_eq!(reached(before_it, None, true), Reached::NobodyKnowsWhen);
        assert_eq!(reached(before_it, None, false), Reached::NotYet);
    }

    #[test]
    fn a_head_on_which_mailboxes_were_found_since_is_not_empty_any_more() {
        let (first, second, nas) = (HeadId(0), HeadId(1), Home::cluster(ClusterId(0)));
        let fleet = Fleet {
            origin: vec![first, first, first, second],
            home: vec![nas, Home::head(first), Home::head(first), nas],
            ..Fleet::default()
        };
        let at = Time::from_unix_micros(7);
        let emptied = |head| Milestone::HeadEmptied { head, set_aside: 0 };
        let opened = Milestone::ClusterOpened { cluster: ClusterId(0) };
        let all =
            [emptied(first), emptied(second), Milestone::HeadPurged { head: second }, Milestone::AllEmptied, opened];
        let reached: BTreeMap<_, _> = all.into_iter().map(|milestone| (milestone, at)).collect();
        let mut facts = Facts { fleet: Arc::new(fleet), ..Facts::default() };
        let still = |facts: &Facts, excluded: &[MailboxId]| {
            still_reached(&reached, facts, excluded)
                .into_iter()
                .map(|(milestone, _)| milestone)
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(
            still(&facts, &[]),
            BTreeSet::from([emptied(second), Milestone::HeadPurged { head: second }, opened])
        );
        // One of the two is set aside and the other one excluded.
        facts.set_aside = vec![(MailboxId(1), Fault::Permanent)];
        assert_eq!(still(&facts, &[MailboxId(2)]), BTreeSet::from(all));
        facts.unpurged = vec![(MailboxId(3), at)];
        assert!(!still(&facts, &[MailboxId(2)]).contains(&Milestone::HeadPurged { head: second }));
    }
}
