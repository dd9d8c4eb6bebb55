//! What causes the spread of the dates, for the page and for the document.

use serde::Serialize;

use super::{Block, Section, Tone, explain};
use crate::forecast::Forecast;
use crate::forecast::sensitivity::Part;
use crate::forecast::shares::{Cause, CauseShare, FEWEST, MilestoneShares, NotEstimable, Shares};
use crate::migration::message::Milestone;
use crate::scenario::Scenario;

/// The shares of the day on which everything is off the old storage.
pub(super) fn section(forecast: &Forecast) -> Section {
    let of_last = |shares: &Shares| {
        let last = shares.milestones.iter().find(|one| one.milestone == Milestone::AllEmptied);
        last.map(|one| blocks(one, shares.rows)).unwrap_or_default()
    };
    let blocks = forecast.shares.as_ref().map(of_last).unwrap_or_default();
    Section { title: "What spreads the last date".into(), blocks }
}

fn blocks(shares: &MilestoneShares, rows: u32) -> Vec<Block> {
    let causes = match &shares.causes {
        Ok(causes) => causes,
        Err(why) => return vec![Block::Line(Tone::Doubt, format!("not estimable: {}", reason(*why, rows)))],
    };
    let sum: f64 = causes.iter().map(|one| one.alone.value).sum();
    let text = format!(
        "Shares of the variance of that date, which has a standard deviation of {}, from {rows} rows. alone: would go, in \
         the mean, if this were known; with all: would stay if all else were known. The first column adds up to {}; what is \
         missing to 100 % acts together, or is not known from so few rows. As estimated: also below 0 and above 100 %.",
        shares.deviation,
        explain::whole_percent(sum),
    );
    let mut blocks = vec![table(causes), Block::Line(Tone::Plain, text)];
    blocks.extend(explain::too_much(sum));
    blocks
}

/// What each cause has alone and with all others.
fn table(causes: &[CauseShare]) -> Block {
    let row = |one: &CauseShare| {
        let [alone, in_all] = [one.alone, one.in_all].map(|part| [explain::share(part), explain::share_interval(part)]);
        [vec![name(&one.cause)], alone.to_vec(), in_all.to_vec()].concat()
    };
    Block::Table { header: HEADER.map(str::to_owned).to_vec(), rows: causes.iter().map(row).collect() }
}

/// What stands above the shares.
pub(super) const HEADER: [&str; 5] = ["", "alone", "interval", "with all", "interval"];

pub(super) fn name(cause: &Cause) -> String {
    match cause {
        Cause::Chance => "chance".into(),
        Cause::Inputs(keys) => keys.join(" + "),
    }
}

pub(super) fn reason(why: NotEstimable, rows: u32) -> String {
    match why {
        NotEstimable::NoDate(count) => format!("{count} of the simulations have no date"),
        NotEstimable::NoSpread => "the date is the same in all simulations".into(),
        NotEstimable::TooFew => format!("{rows} rows, and fewer than {FEWEST} say nothing"),
    }
}

/// The same in the document: for every date by which something is empty, and as estimated.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SharesPart {
    /// Rows of the samples.
    rows: u32,
    /// Every date by which something is empty.
    milestones: Vec<MilestonePart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SpreadMilestonePart"))]
struct MilestonePart {
    /// Its name.
    name: String,
    /// Of its date, in days.
    standard_deviation_days: f64,
    /// Why there are no shares; null where there are.
    not_estimable: Option<String>,
    /// By cause, chance last.
    causes: Vec<CausePart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SpreadCausePart"))]
pub(super) struct CausePart {
    /// Empty for chance.
    inputs: Vec<String>,
    /// Of the variance, what would go if this were known: first-order index.
    alone: IndexPart,
    /// Of the variance, what would stay if all else were known: total index.
    in_all: IndexPart,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "SpreadSharePart"))]
pub(super) struct IndexPart {
    /// A share of 1, as estimated: it may lie a little outside.
    value: f64,
    /// Lower end of its bootstrap interval.
    low: f64,
    /// Upper end of its bootstrap interval.
    high: f64,
}

impl From<Part> for IndexPart {
    fn from(Part { value, low, high }: Part) -> Self {
        Self { value, low, high }
    }
}

impl From<&CauseShare> for CausePart {
    fn from(one: &CauseShare) -> Self {
        let inputs = match &one.cause {
            Cause::Chance => Vec::new(),
            Cause::Inputs(keys) => keys.clone(),
        };
        Self { inputs, alone: one.alone.into(), in_all: one.in_all.into() }
    }
}

pub(super) fn part(shares: &Shares, scenario: &Scenario) -> SharesPart {
    let milestone = |one: &MilestoneShares| MilestonePart {
        name: scenario.milestone_name(&one.milestone),
        standard_deviation_days: one.deviation.days(),
        not_estimable: one.causes.as_ref().err().map(|why| reason(*why, shares.rows)),
        causes: one.causes.iter().flatten().map(CausePart::from).collect(),
    };
    SharesPart { rows: shares.rows, milestones: shares.milestones.iter().map(milestone).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    #[test]
    fn what_adds_up_to_more_than_all_is_said_as_it_is() {
        let part = |value: f64| Part { value, low: value - 0.4, high: value + 0.1 };
        let one = |cause, value| CauseShare { cause, alone: part(value), in_all: part(value) };
        let causes = vec![one(Cause::Inputs(vec!["x".into()]), 1.25), one(Cause::Chance, 0.3)];
        let of = |causes| {
            let shares = MilestoneShares {
                milestone: Milestone::AllEmptied,
                deviation: Span::from_secs(86_400),
                causes: Ok(causes),
            };
            format!("{:?}", blocks(&shares, 32))
        };
        let said = of(causes.clone());
        assert!(said.contains("adds up to 155 %") && said.contains("the rows are too few"), "{said}");
        assert!(said.contains("125 %") && said.contains("-10 to 40 %"), "{said}");
        assert!(!of(causes[1..].to_vec()).contains("the rows are too few"));
    }
}
