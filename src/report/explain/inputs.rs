//! What the inputs do: held at their ends, screened, and as shares of the spread.

use super::words;
use super::{Block, Explain, Section, Tone, days, header, plain, section};
use crate::forecast::compare::{MilestoneShift, Verdict};
use crate::forecast::explain::HeldInput;
use crate::forecast::sensitivity::morris::{Effect, FEWEST, STEP, Way};
use crate::forecast::sensitivity::{Part, Screened};
use crate::forecast::shares::CauseShare;
use crate::report::lengths::{Scale, shifted_by};
use crate::report::shares;
use crate::report::wording::{count, percent};

/// How an input moves the awaited date.
pub(in crate::report) struct Swing<'a> {
    /// Which.
    pub(in crate::report) input: &'a HeldInput,
    /// At its low and at its high end.
    pub(in crate::report) ends: [&'a MilestoneShift; 2],
}

impl Swing<'_> {
    /// The larger of the two shifts, in days.
    pub(super) fn size(&self) -> f64 {
        self.ends.iter().map(|one| days(one).abs()).fold(0.0, f64::max)
    }
}

/// How far each uncertain or varied input moves the date.
pub(in crate::report) fn inputs(explain: &Explain) -> Section {
    let title = "What the uncertain inputs do";
    let swings = explain.swings();
    if swings.is_empty() {
        let many = explain.uncertain.len();
        let is_left_out = explain.screening.is_some() && explain.explained.replications > 0;
        let text = format!(
            "{many} inputs are too many to hold each at its ends: they are screened. --tornado holds them all the same."
        );
        return section(title, if is_left_out { vec![plain(text)] } else { Vec::new() });
    }
    let each = explain.explained.swings.each;
    let shift = |one: &MilestoneShift| match (one.verdict, one.shift) {
        (Verdict::InNeither | Verdict::TooFew, _) | (_, None) => "n/e".to_owned(),
        (Verdict::Open, _) => "not known".to_owned(),
        (_, Some(shift)) => shifted_by(&shift, each),
    };
    let row = |swing: &Swing<'_>| {
        let [low, high] = explain.ends(swing.input);
        vec![words::bar_name(&swing.input.keys), low, shift(swing.ends[0]), high, shift(swing.ends[1])]
    };
    let rows = swings.iter().map(row).collect();
    let correlated = swings.iter().any(|swing| swing.input.keys.len() > 1);
    let together =
        if correlated { " Of inputs that are correlated the first is held, and the others follow it." } else { "" };
    let varied: Vec<&str> =
        swings.iter().filter(|swing| swing.input.is_varied()).map(|swing| swing.input.keys[0].as_str()).collect();
    let (names, text) = if varied.is_empty() {
        let text = "The date when this input is at its P10, and at its P90, against the date with its own draw; all others at \
                    their draws, which are the same.";
        (header(&["input", "P10", "shift", "P90", "shift"]), text.to_owned())
    } else {
        let text = format!(
            "The date when this input is at its low end, and at its high end, against the date with what the file has; all others as \
             in the file, with the same draws. The ends of {} are those that were given with --vary, those of an uncertain input its P10 \
             and P90: lengths of bars compare these ends, and not how much the inputs matter by themselves.",
            varied.join(", ")
        );
        (header(&["input", "low", "shift", "high", "shift"]), text)
    };
    let text = format!("{text}{together}");
    section(title, vec![Block::Table { header: names, rows }, plain(text)])
}

/// What a screening says of each input.
pub(in crate::report) fn screening(explain: &Explain) -> Section {
    let title = "Which inputs matter";
    let Some(screening) = &explain.screening else { return section(title, Vec::new()) };
    let Ok(screened) = &screening.found else {
        let text = format!("not estimable: {}", few_trajectories(screening.trajectories));
        return section(title, vec![Block::Line(Tone::Doubt, text)]);
    };
    let scale = Scale::of(&all_parts(screened));
    let row = |(key, effect): &(String, Effect)| {
        let [size, deviation] = [effect.size, effect.deviation].map(|part| [scale.value(part), scale.interval(part)]);
        let way = match effect.way {
            Way::Up => "always later",
            Way::Down => "always earlier",
            Way::Both => "later or earlier",
            Way::Nowhere => "nothing at all",
        };
        [vec![key.clone()], size.to_vec(), deviation.to_vec(), vec![way.to_owned()]].concat()
    };
    let mut rows: Vec<Vec<String>> = ranked(screened).into_iter().map(row).collect();
    let chance = screened.chance;
    let nothing = String::new;
    rows.push(vec![
        "chance, drawn anew".to_owned(),
        scale.value(chance),
        scale.interval(chance),
        nothing(),
        nothing(),
        nothing(),
    ]);
    let unit = scale.unit();
    let names = ["input", &format!("mu*, {unit}"), "interval", &format!("sigma, {unit}"), "interval", "as it rises"];
    let text = format!(
        "Elementary effects (Morris) from {} trajectories: by how much {} moves when this input alone takes a step of {} of its \
         probability, from its P5 to its P65 or from its P35 to its P95, or back. mu* is the mean size of these moves, sigma their standard deviation: large beside mu* \
         where a step does something else elsewhere, since the date bends, or other inputs or chance act with this one. The last row is the \
         mean size of the move when all of chance is drawn anew. Bootstrap intervals over trajectories, {} each.",
        count(screening.trajectories as f64),
        explain.main(),
        percent(STEP),
        explain.explained.swings.confidence
    );
    let mut blocks = vec![Block::Table { header: header(&names), rows }, plain(text)];
    if screening.is_correlated {
        blocks.push(plain(
            "Of inputs that are correlated the first takes the others along, and each next one moves what the ones before it leave free.",
        ));
    }
    blocks.extend(beyond(screening.bounded));
    section(title, blocks)
}

pub(super) fn few_trajectories(many: usize) -> String {
    format!("{many} trajectories, and fewer than {FEWEST} say nothing")
}

/// The inputs of a screening, what matters most first.
pub(in crate::report) fn ranked(screened: &Screened) -> Vec<&(String, Effect)> {
    let mut ranked: Vec<&(String, Effect)> = screened.inputs.iter().collect();
    ranked.sort_by(|one, other| other.1.size.value.total_cmp(&one.1.size.value));
    ranked
}

/// All sizes and deviations of a screening: they are told in one unit.
pub(in crate::report) fn all_parts(screened: &Screened) -> Vec<Part> {
    let of_inputs = screened.inputs.iter().flat_map(|(_, effect)| [effect.size, effect.deviation]);
    of_inputs.chain([screened.chance]).collect()
}

/// The shares of the spread.
pub(in crate::report) fn indices(explain: &Explain) -> Section {
    let title = "What spreads the date";
    let Some(indices) = &explain.indices else { return section(title, Vec::new()) };
    let rows = indices.rows;
    let causes = match &indices.causes {
        Ok(causes) => causes,
        Err(why) => {
            let text = format!("not estimable: {}", shares::reason(*why, rows as u32));
            return section(title, vec![Block::Line(Tone::Doubt, text)]);
        }
    };
    let sum: f64 = causes.iter().map(|one| one.alone.value).sum();
    let deviation = indices.deviation_days;
    let scale = Scale::of(&[Part { value: deviation, low: deviation, high: deviation }]);
    let varied = explain.explained.inputs.iter().any(HeldInput::is_varied);
    let ranges = if varied {
        " Any value between the ends of --vary counts as equally likely: other ends give other shares."
    } else {
        ""
    };
    let text = format!(
        "Shares of the variance of {}, whose standard deviation is {} {}, from {} rows (Sobol's indices: first order by Saltelli 2010, total \
         by Jansen 1999). alone: would go, in the mean, if this were known; with all: would stay if all else were known. Chance, the draws \
         of the simulation itself, is a cause like any other. The first column adds up to {}; what is missing to 100 % acts together, or \
         is not known from so few rows. Bootstrap intervals over rows, {} each.{ranges}",
        explain.main(),
        scale.number(deviation),
        scale.unit(),
        count(rows as f64),
        whole_percent(sum),
        explain.explained.swings.confidence
    );
    let row = |one: &CauseShare| {
        let [alone, in_all] = [one.alone, one.in_all].map(|part| [share(part), share_interval(part)]);
        [vec![shares::name(&one.cause)], alone.to_vec(), in_all.to_vec()].concat()
    };
    let rows = causes.iter().map(row).collect();
    let mut blocks = vec![Block::Table { header: header(&shares::HEADER), rows }, plain(text)];
    blocks.extend(too_much(sum));
    blocks.extend(beyond(indices.bounded));
    section(title, blocks)
}

/// Shares alone that add up to more than this are too far from what can be.
const TOO_MUCH: f64 = 1.1;

/// That shares alone add up to what cannot be, where they do.
pub(in crate::report) fn too_much(sum: f64) -> Option<Block> {
    let text = "- Shares alone cannot add up to so much more than 100 %: the rows are too few, above all for the largest of them.";
    (sum > TOO_MUCH).then(|| Block::Line(Tone::Doubt, text.to_owned()))
}

/// As it is estimated: below nothing and above all it shows how little is known.
pub(in crate::report) fn share(part: Part) -> String {
    whole_percent(part.value)
}

pub(in crate::report) fn share_interval(part: Part) -> String {
    format!("{} to {} %", whole(part.low), whole(part.high))
}

pub(in crate::report) fn whole_percent(share: f64) -> String {
    format!("{} %", whole(share))
}

fn whole(share: f64) -> String {
    let text = format!("{:.0}", share * 100.0);
    if text == "-0" { "0".into() } else { text }
}

fn beyond(bounded: usize) -> Option<Block> {
    let many = count(bounded as f64);
    let text =
        format!("- {many} of these simulations end at or after the horizon and count as it: more may move than shows.");
    (bounded > 0).then_some(Block::Line(Tone::Doubt, text))
}
