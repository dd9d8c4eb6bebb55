//! `drawdown recommend`: the earliest date under conditions, searched for with a stated budget and checked on fresh random numbers.

mod goal;
mod space;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::forecast::{quoted, stem, stop_on_interrupt};
use super::progress::{self, Progress};
use super::publish::{self, below};
use super::what_if::cases::{self, Asked, Read};
use super::what_if::{Common, file_word};
use super::{Done, Failure};
use crate::forecast::cases::Run;
use crate::forecast::compare::compare;
use crate::forecast::draw::uniform;
use crate::forecast::recommend::{self as search, Found, Goal, Judged, Point, Search};
use crate::forecast::replicate::Watch;
use crate::report::files::sha256;
use crate::report::recommend::{self as report, Recommendation, SearchFacts};
use crate::report::terminal;
use crate::report::what_if::WhatIf;
use crate::sim::RunId;
use space::{Part, Space};

/// Simulations of a search where nobody says how many.
const BUDGET: u32 = 400;
/// Fresh replications where nobody says how many, if the conditions do not ask for more.
const REPLICATIONS: u32 = 100;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  drawdown recommend my.toml --subject-to 'minutes_above_objective_by_migration <= 600 with 90 %'
  drawdown recommend my.toml --objective 'head-1 emptied P90' --subject-to 'expected_mailbox_hours_down <= 5000 with 80 %' \\
    --keep windows,order --budget 1000

Measures: minutes_above_objective_by_migration, minutes_above_objective, outage_hours, mailbox_hours_down,
expected_mailbox_hours_down, mailbox_hours_at_risk, hold_hours; of one replication, all heads together.
Exit codes: 0 a plan that surely keeps the conditions, 2 bad usage or scenario, 10 no plan found that keeps them, 11 none for
sure, 12 ended early.")]
pub(super) struct Arguments {
    /// The scenario file
    scenario: PathBuf,
    /// As early as possible: a milestone and a level of its dates
    #[arg(long, value_name = "MILESTONE LEVEL", default_value = "all emptied P80")]
    objective: String,
    /// What has to be kept, with which probability; may be given several times
    #[arg(long = "subject-to", value_name = "MEASURE <= NUMBER with PROBABILITY", required = true)]
    subject_to: Vec<String>,
    /// What is not varied
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    keep: Vec<Part>,
    /// Simulations for the search; checking its answer comes on top
    #[arg(long, value_parser = clap::value_parser!(u32).range(16..=1_000_000), default_value_t = BUDGET)]
    budget: u32,
    /// Change a key of the file, for every plan
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    let common = &arguments.common;
    let base = read(arguments, "as it is", &[])?;
    let warnings = cases::warn(std::slice::from_ref(&base));
    let middle = base.middle();
    let goal = goal::read(&arguments.objective, &arguments.subject_to, &middle).map_err(Failure::Input)?;
    let space = Space::of(&base.source, &middle, &arguments.keep);
    let confidence = middle.forecast.confidence;
    // As few as could tell at all would do only where every one of them keeps the conditions.
    let fresh = common.replications.unwrap_or_else(|| {
        let of_conditions = search::fewest(&goal, confidence).saturating_mul(2);
        REPLICATIONS.max(of_conditions).max(search::fewest_for_level(&goal, confidence))
    });
    let seed = common.seed.unwrap_or(middle.forecast.seed);
    let stop = stop_on_interrupt()?;
    let began = progress::now();
    let mut plans = Plans { arguments, space: &space, seed, stop: &stop, read: BTreeMap::new(), refused: 0, warnings };
    plans.read.insert(space.origin.clone(), Some(base));
    let found = plans.search(&goal.with_margin(fresh, confidence), arguments.budget)?;
    let known = plans.check(&goal, &found, fresh)?;
    publish(arguments, &known, began.elapsed().as_secs_f64())?;
    Ok(ending(&known))
}

fn ending(known: &Recommendation) -> Done {
    if known.what_if.interrupted {
        Done::Incomplete
    } else if known.chosen.is_some() {
        Done::Complete
    } else if known.may_be() {
        Done::Inconclusive
    } else {
        Done::NotMet
    }
}

fn read(arguments: &Arguments, name: &str, settings: &[String]) -> Result<Read, Failure> {
    let asked = Asked {
        name: name.to_owned(),
        path: arguments.scenario.clone(),
        overrides: arguments.overrides.iter().chain(settings).cloned().collect(),
    };
    let read = cases::read(&arguments.common, &[asked])?.pop();
    read.ok_or_else(|| Failure::Run("the scenario was not read".into()))
}

/// The plans that have been asked for.
struct Plans<'a> {
    arguments: &'a Arguments,
    space: &'a Space,
    seed: u64,
    stop: &'a AtomicBool,
    /// By where they lie; none where the scenario would be no good one with them.
    read: BTreeMap<Point, Option<Read>>,
    refused: u32,
    /// What is dubious in the plan as it is.
    warnings: Vec<String>,
}

impl Plans<'_> {
    fn allows(&mut self, point: &Point) -> bool {
        if !self.read.contains_key(point) {
            // A plan that could never end, such as one that is paused for too long, is said to be none before it is simulated.
            let read = read(self.arguments, &self.space.name(point), &self.space.settings(point)).ok();
            self.refused += u32::from(read.is_none());
            self.read.insert(point.clone(), read);
        }
        self.read.get(point).is_some_and(Option::is_some)
    }

    fn search(&mut self, goal: &Goal, budget: u32) -> Result<Found, Failure> {
        let middle = self.origin()?.middle();
        let place =
            search::place(&middle, goal).ok_or_else(|| Failure::Input("the scenario has no such milestone".into()))?;
        let key = RunId { seed: self.seed, replication: 0 };
        let progress = Progress::new(self.arguments.common.quiet);
        let (common, seed, stop, space) = (&self.arguments.common, self.seed, self.stop, self.space);
        let plans = std::cell::RefCell::new(self);
        let mut done_before = 0;
        let mut simulate = |points: &[&Point], first: u32, count: u32| {
            let plans = plans.borrow();
            let cases: Vec<&Read> = points.iter().filter_map(|point| plans.read.get(*point)?.as_ref()).collect();
            let each = points.len() as u32;
            let watch = Watch { stop, progress: &|done, _| progress.show(done_before + done * each, budget) };
            let runs = cases::simulate_from(common, &cases, seed, (first, count), watch)?;
            done_before += runs.done.len() as u32 * each;
            Ok(runs.done)
        };
        let search = Search {
            goal,
            place,
            bounds: (middle.as_of, middle.horizon),
            sizes: &space.sizes,
            origin: &space.origin,
            uniform: &|name| uniform(key, name),
            allows: &mut |point| plans.borrow_mut().allows(point),
            simulate: &mut simulate,
        };
        let found = search.run(budget);
        progress.finish();
        found
    }

    fn origin(&self) -> Result<&Read, Failure> {
        self.at(&self.space.origin)
    }

    fn at(&self, point: &Point) -> Result<&Read, Failure> {
        let read = self.read.get(point).and_then(Option::as_ref);
        read.ok_or_else(|| Failure::Run("a plan that was not read is asked for".into()))
    }

    /// Tells of the best plans, and of the plan as it is, on fresh random numbers.
    fn check(&self, goal: &Goal, found: &Found, fresh: u32) -> Result<Recommendation, Failure> {
        let base = self.origin()?;
        let mut cases = vec![base];
        // The cases of the finalists, best first; the plan as it is may be one of them.
        let mut order = Vec::new();
        for place in &found.best {
            let point = &found.tried[*place].point;
            if *point == self.space.origin {
                order.push(0);
            } else {
                order.push(cases.len());
                cases.push(self.at(point)?);
            }
        }
        let seed = self.seed.wrapping_add(1);
        let common = &self.arguments.common;
        let progress = Progress::new(common.quiet);
        let watch = Watch { stop: self.stop, progress: &|done, planned| progress.show(done, planned) };
        let runs = cases::simulate_from(common, &cases, seed, (0, fresh), watch)?;
        progress.finish();
        let scenarios: Vec<_> = cases.iter().map(|case| case.middle()).collect();
        let all: Vec<_> = scenarios.iter().collect();
        let confidence = scenarios[0].forecast.confidence;
        let place = search::place(&scenarios[0], goal).unwrap_or_default();
        let of_case = |at: usize| -> Vec<Run> { runs.done.iter().map(|row| row[at].clone()).collect() };
        let judged: Vec<Judged> =
            (0..cases.len()).map(|at| search::judge(goal, place, &of_case(at), cases.len(), confidence)).collect();
        let compared = compare(&all, &runs.done, confidence);
        let milestone = scenarios[0].milestone_name(&goal.milestone);
        let chosen = search::choose(goal, &milestone, &judged, &order, &compared);
        let mut about = Vec::new();
        for case in &cases[1..] {
            about.push(cases::about(base, case, None)?);
        }
        let plan = chosen.map(|at| report::plan(cases[at].source.resolved()));
        let what_if = WhatIf {
            kind: "recommend",
            base: base.name.clone(),
            file: base.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sha256: sha256(base.source.resolved().as_bytes()),
            compared,
            variants: about,
            seed,
            asked: fresh,
            interrupted: found.interrupted || runs.interrupted,
            command: command(self.arguments, fresh),
            warnings: self.warnings.clone(),
            scenario: scenarios[0].clone(),
        };
        let facts = SearchFacts {
            budget: self.arguments.budget,
            simulations: found.simulations,
            looked_at: found.tried.iter().filter(|tried| !tried.runs.is_empty()).count() as u32,
            grid: self.space.plans(),
            refused: self.refused,
            seed: self.seed,
            notes: self.space.notes.clone(),
        };
        Ok(Recommendation { what_if, goal: goal.clone(), judged, order, chosen, plan, search: facts })
    }
}

fn publish(arguments: &Arguments, known: &Recommendation, wall_s: f64) -> Result<(), Failure> {
    let common = &arguments.common;
    let page = if common.json {
        report::json(known).map_err(io::Error::from)?
    } else {
        let plan = known.plan.as_ref().map_or_else(String::new, |plan| format!("\n{plan}"));
        format!("{}{plan}", terminal::render(&report::report(known)))
    };
    let folder = format!("{}-recommend", stem(&arguments.scenario));
    let write = || report::write(&common.output, &folder, known).map_err(below(&common.output));
    publish::publish(&page, (!common.no_files).then(write), |folder| {
        if !common.quiet {
            let (search, fresh) = (known.search.simulations, known.what_if.compared.replications * known.judged.len());
            let text = format!("{search} simulations for the search and {fresh} fresh ones in {wall_s:.1} s");
            progress::say_done(&text, folder);
        }
    })
}

/// The command that gives these numbers again, from the same folder.
fn command(arguments: &Arguments, fresh: u32) -> String {
    let mut words = vec!["drawdown".to_owned(), "recommend".to_owned(), file_word(&arguments.scenario)];
    words.extend(["--objective".to_owned(), quoted(&arguments.objective)]);
    words.extend(arguments.subject_to.iter().flat_map(|one| ["--subject-to".to_owned(), quoted(one)]));
    for part in &arguments.keep {
        let word =
            clap::ValueEnum::to_possible_value(part).map_or_else(String::new, |value| value.get_name().to_owned());
        words.extend(["--keep".to_owned(), word]);
    }
    words.extend(["--budget".to_owned(), arguments.budget.to_string()]);
    words.extend(arguments.overrides.iter().flat_map(|setting| ["--set".to_owned(), quoted(setting)]));
    words.extend(arguments.common.words(fresh));
    words.join(" ")
}
