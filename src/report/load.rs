//! What samples of the load have told, in words, as a page, as TOML to paste, and as a part of documents.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde::Serialize;

use super::wording::{count, figure, local, percent, utc};
use super::{Block, Report, Section, Tone};
use crate::scenario::{Gap, LoadColumn, LoadFit, LoadLevel, LoadSummary, Scenario, asked};
use crate::units::{Span, Time};

/// From this difference on between what was measured and what the population asks for the report says so.
const FAR: f64 = 0.1;

/// What came from the file, what was fitted, and what is odd about it: a sentence each.
#[must_use]
pub fn sentences(load: &LoadSummary, scenario: &Scenario) -> Vec<String> {
    let mut lines = vec![overview(load, &scenario.time_zone)];
    lines.push(match load.fit {
        LoadFit::Hours => {
            "Assumed of the load: means by the hour of the local week, the same in every week, and log-normal noise as measured."
        }
        LoadFit::Days => "Assumed of the load: each day is like a measured day of its weekday, drawn anew for each replication.",
    }
    .to_owned());
    lines.push(match load.level {
        LoadLevel::Population => "How much users ask for is the population's; the file gives its course over time.",
        LoadLevel::Measured => {
            "How much users ask for was measured: as that of the mailboxes that are on each head at the start."
        }
        LoadLevel::MeasuredWithMoved => {
            "How much users ask for was measured: as that of the mailboxes of each head, those that have moved included."
        }
    }
    .to_owned());
    for column in &load.columns {
        lines.push(format!("{}: {}.", column.name, fitted(column, load.fit)));
        lines.extend(odd(column, &scenario.time_zone));
    }
    if load.level == LoadLevel::Population {
        lines.extend(compared(load, scenario));
    }
    if !load.unread.is_empty() {
        lines.push(format!("Columns that are not read: {}.", load.unread.join(", ")));
    }
    lines
}

fn overview(load: &LoadSummary, zone: &TimeZone) -> String {
    let (from, until) = (stamp(load.from, zone), stamp(load.until, zone));
    let hash = load.sha256.get(..12).unwrap_or_default();
    let samples = count(load.samples as f64);
    format!(
        "From {} ({hash}): {samples} samples of the load, {} apart, {from} to {until}.",
        load.file,
        span(load.interval)
    )
}

/// A load in the column's unit.
fn amount(column: &LoadColumn, value: f64) -> String {
    if column.is_share { percent(value) } else { format!("{} op/s", figure(value)) }
}

fn fitted(column: &LoadColumn, fit: LoadFit) -> String {
    let mean = amount(column, column.mean(fit));
    match (fit, &column.hours, &column.days) {
        (LoadFit::Hours, Ok(hours), _) => format!(
            "mean {mean}, highest hour {}, noise sigma {:.3} with a correlation time of {}",
            amount(column, hours.hours.iter().map(|hour| hour.mean).fold(0.0, f64::max)),
            hours.noise.sigma,
            span(hours.noise.correlation)
        ),
        (LoadFit::Days, _, Ok(days)) => {
            let each: Vec<String> = days.by_weekday.iter().map(ToString::to_string).collect();
            let out = plural(days.left_out as u64, "day");
            format!("mean {mean}; {} days from Monday to Sunday, {out} with gaps left out", each.join(", "))
        }
        (LoadFit::Hours, Err(message), _) | (LoadFit::Days, _, Err(message)) => message.clone(),
    }
}

/// Gaps, zeros and spikes.
fn odd(column: &LoadColumn, zone: &TimeZone) -> Vec<String> {
    let mut lines = Vec::new();
    if column.gaps.count > 0 {
        let longest: Vec<String> = column.gaps.longest.iter().map(|gap| between(*gap, zone)).collect();
        let (gaps, missing) = (plural(column.gaps.count, "gap"), plural(column.gaps.missing, "missing sample"));
        lines.push(format!("{}: {gaps} with {missing}; longest: {}.", column.name, longest.join(", ")));
    }
    if column.spikes > 0 {
        let spike = |spike: &crate::scenario::Spike| {
            let (value, expected) = (amount(column, spike.value), amount(column, spike.expected));
            format!("{} {value} where its hour has {expected}", stamp(spike.at, zone))
        };
        let highest: Vec<String> = column.highest.iter().map(spike).collect();
        let spikes = plural(column.spikes, "spike");
        lines.push(format!("{}: {spikes}, kept; highest: {}.", column.name, highest.join(", ")));
    }
    if column.zeros > 0 {
        let zeros = plural(column.zeros, "sample");
        lines.push(format!("{}: {zeros} of nothing, in the means and not in the noise.", column.name));
    }
    lines
}

/// A number of things.
fn plural(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number as f64), if number == 1 { "" } else { "s" })
}

fn between(gap: Gap, zone: &TimeZone) -> String {
    format!("{} from {}", span(gap.until.since(gap.from)), stamp(gap.from, zone))
}

/// How the population's load compares with what was measured, where it differs.
fn compared(load: &LoadSummary, scenario: &Scenario) -> Vec<String> {
    let Some(measured) = &scenario.model.load.measured else { return Vec::new() };
    let mut lines = Vec::new();
    // A column for all heads in op/s is their sum: it says nothing of one head.
    if matches!(load.columns.as_slice(), [one] if !one.is_share && one.name == "all") {
        return lines;
    }
    for ((name, head), asked) in scenario.heads.iter().zip(&measured.heads).zip(asked::at_start(scenario)) {
        let found = head.mean.ops_per_second();
        if found > 0.0 && (asked / found - 1.0).abs() > FAR {
            let (asked, found) = (figure(asked), figure(found));
            lines.push(format!(
                "{name}: measured were {found} op/s, its mailboxes ask for {asked} op/s as population.activity says; \
                 load.level = \"measured\" takes what was measured."
            ));
        }
    }
    lines
}

/// The page of what was fitted to a file.
#[must_use]
pub fn page(load: &LoadSummary, zone: &TimeZone) -> Report {
    let zone_name = zone.iana_name().unwrap_or("UTC").to_owned();
    let plain = |text: String| Block::Line(Tone::Plain, text);
    let top = vec![plain(overview(load, zone)), plain(format!("Hours are those of {zone_name}."))];
    let header = ["", "mean", "top hour", "highest", "sigma", "corr. time", "gaps", "missing", "spikes"];
    let table =
        Block::Table { header: header.map(str::to_owned).to_vec(), rows: load.columns.iter().map(row).collect() };
    let mut fits = vec![table];
    for column in &load.columns {
        fits.extend(
            column.hours.as_ref().err().map(|why| Block::Line(Tone::Doubt, format!("- {}: {why}", column.name))),
        );
    }
    fits.push(plain(
        "Means by the hour of the local week; noise around them is log-normal, sigma of its logarithm, correlation falling to 1/e."
            .to_owned(),
    ));
    let days = load.columns.iter().map(|column| match &column.days {
        Ok(_) => plain(format!("{}: {}.", column.name, fitted(column, LoadFit::Days))),
        Err(why) => Block::Line(Tone::Doubt, format!("- {}: {why}", column.name)),
    });
    let odd: Vec<Block> = load.columns.iter().flat_map(|column| odd(column, zone)).map(plain).collect();
    let section = |title: &str, blocks: Vec<Block>| Section { title: title.to_owned(), blocks };
    let mut sections = vec![
        section("", top),
        section("Hours of the week: fit = \"hours\"", fits),
        section("Days drawn by weekday: fit = \"days\"", days.collect()),
    ];
    sections.extend(load.columns.iter().filter_map(week));
    if !odd.is_empty() {
        sections.push(section("To be looked at", odd));
    }
    Report { title: format!("Load of {}", load.file), sections }
}

fn row(column: &LoadColumn) -> Vec<String> {
    let fit = column.hours.as_ref().ok();
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "n/e".to_owned());
    let top = fit.map(|fit| fit.hours.iter().map(|hour| hour.mean).fold(0.0, f64::max));
    let number = |value: f64| figure(if column.is_share { value * 100.0 } else { value });
    vec![
        format!("{}, {}", column.name, unit(column)),
        or_none(fit.map(|fit| number(fit.mean))),
        or_none(top.map(number)),
        number(column.max),
        or_none(fit.map(|fit| format!("{:.3}", fit.noise.sigma))),
        or_none(fit.map(|fit| span(fit.noise.correlation))),
        count(column.gaps.count as f64),
        count(column.gaps.missing as f64),
        count(column.spikes as f64),
    ]
}

/// The week of a column in steps of three hours, as per cent of its mean.
fn week(column: &LoadColumn) -> Option<Section> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let fit = column.hours.as_ref().ok()?;
    let header = ["", "00-03", "03-06", "06-09", "09-12", "12-15", "15-18", "18-21", "21-24"];
    let cell = |hours: &[crate::scenario::HourOfWeek]| {
        let mean = hours.iter().map(|hour| hour.mean).sum::<f64>() / hours.len() as f64;
        format!("{:.0}", mean / fit.mean * 100.0)
    };
    let row = |(day, hours): (&&str, &[crate::scenario::HourOfWeek])| {
        [(*day).to_owned()].into_iter().chain(hours.chunks(3).map(cell)).collect()
    };
    let rows = DAYS.iter().zip(fit.hours.chunks(24)).map(row).collect();
    let blocks = vec![Block::Table { header: header.map(str::to_owned).to_vec(), rows }];
    Some(Section { title: format!("{}: the week, % of its mean", column.name), blocks })
}

/// `[load]` as a scenario takes it: with the file, or, where `alone`, with what was fitted in place of the file. `None` where
/// nothing could be fitted.
#[must_use]
pub fn toml(load: &LoadSummary, zone: &TimeZone, alone: bool) -> Option<String> {
    let zone_name = zone.iana_name().unwrap_or("UTC");
    let mut text = String::new();
    if !alone {
        let _ = writeln!(text, "[load]\ncsv = {}\nfit = \"hours\"          # or \"days\"", quoted(&load.file));
        let _ =
            writeln!(text, "# level = \"measured\"  # how much users ask for, too; else as population.activity says\n");
        // Names may be those of heads, or are to be changed to them.
        let heads: Vec<String> = load
            .columns
            .iter()
            .map(|column| {
                format!(
                    "{} = {{ column = {}, unit = \"{}\" }}",
                    quoted(&column.name),
                    quoted(&column.header),
                    unit(column)
                )
            })
            .collect();
        let _ = writeln!(text, "[load.columns.heads]\n{}", heads.join("\n"));
        return Some(text);
    }
    let (hours, sigma, correlation) = pooled(load)?;
    let all = if load.columns.len() > 1 { ", all columns together" } else { "" };
    let samples = count(load.samples as f64);
    let _ = writeln!(
        text,
        "# Fitted to {} ({samples} samples){all}; hours of {zone_name}, from Monday 00:00 on.",
        comment(&load.file)
    );
    let _ = writeln!(text, "[load]\nprofile = {{ week = [");
    for day in hours.chunks(24) {
        let weights: Vec<String> = day.iter().map(|weight| format!("{weight:.3}")).collect();
        for half in weights.chunks(12) {
            let _ = writeln!(text, "    {},", half.join(", "));
        }
    }
    let _ = writeln!(text, "] }}");
    if sigma > 0.0 {
        let _ = writeln!(text, "noise = {{ sigma = {sigma:.4}, correlation = \"{}\" }}", span(correlation));
    }
    Some(text)
}

/// The hours of all columns together, mean 1, and their noise, weighed by their means.
fn pooled(load: &LoadSummary) -> Option<(Vec<f64>, f64, Span)> {
    let fits: Vec<_> = load.columns.iter().filter_map(|column| column.hours.as_ref().ok()).collect();
    // Columns of different units have no sum: each counts alike then.
    let is_mixed = load.columns.iter().any(|column| column.is_share != load.columns[0].is_share);
    let weight = |mean: f64| if is_mixed { 1.0 } else { mean };
    let all: f64 = fits.iter().map(|fit| weight(fit.mean)).sum();
    if all <= 0.0 {
        return None;
    }
    let weighed = |of: &dyn Fn(&crate::scenario::HoursFit) -> f64| {
        fits.iter().map(|fit| weight(fit.mean) / all * of(fit)).sum::<f64>()
    };
    let hours = (0..fits[0].hours.len()).map(|hour| weighed(&|fit| fit.hours[hour].mean / fit.mean)).collect();
    let correlation = Span::from_secs_f64(weighed(&|fit| fit.noise.correlation.secs()));
    Some((hours, weighed(&|fit| fit.noise.sigma), correlation))
}

fn unit(column: &LoadColumn) -> &'static str {
    if column.is_share { "%" } else { "op/s" }
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    format!("{text:?}").replace("\\'", "'")
}

/// A text that ends no comment.
fn comment(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

fn stamp(time: Time, zone: &TimeZone) -> String {
    local(time, zone).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A time in a unit that suits it, as scenarios write it.
fn span(span: Span) -> String {
    match span.secs() {
        seconds if seconds >= 2.0 * 86_400.0 => format!("{:.1} days", seconds / 86_400.0),
        seconds if seconds >= 2.0 * 3_600.0 => format!("{:.1} h", seconds / 3_600.0),
        seconds if seconds >= 60.0 => format!("{:.1} min", seconds / 60.0).replace(".0 min", " min"),
        seconds => format!("{seconds:.0} s"),
    }
}

/// A file of samples as documents have it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "LoadPart"))]
pub(super) struct Part {
    file: String,
    sha256: String,
    fit: &'static str,
    samples: u64,
    from_utc: String,
    until_utc: String,
    interval_s: f64,
    columns: Vec<ColumnPart>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "LoadColumnPart"))]
struct ColumnPart {
    name: String,
    header: String,
    unit: &'static str,
    mean: f64,
    max: f64,
    sigma: Option<f64>,
    correlation_s: Option<f64>,
    days: Option<usize>,
    gaps: u64,
    missing: u64,
    spikes: u64,
    zeros: u64,
}

/// The part of the samples in a document. Means and maxima are in op/s, or shares of 1 where the unit is %.
pub(super) fn part(load: &LoadSummary) -> Part {
    let column = |column: &LoadColumn| {
        let noise = column.hours.as_ref().ok().filter(|_| load.fit == LoadFit::Hours).map(|fit| fit.noise);
        ColumnPart {
            name: column.name.clone(),
            header: column.header.clone(),
            unit: unit(column),
            mean: column.mean(load.fit),
            max: column.max,
            sigma: noise.map(|noise| noise.sigma),
            correlation_s: noise.map(|noise| noise.correlation.secs()),
            days: column.days.as_ref().ok().filter(|_| load.fit == LoadFit::Days).map(|fit| fit.days.len()),
            gaps: column.gaps.count,
            missing: column.gaps.missing,
            spikes: column.spikes,
            zeros: column.zeros,
        }
    };
    Part {
        file: load.file.clone(),
        sha256: load.sha256.clone(),
        fit: load.fit.name(),
        samples: load.samples,
        from_utc: utc(load.from),
        until_utc: utc(load.until),
        interval_s: load.interval.secs(),
        columns: load.columns.iter().map(column).collect(),
    }
}
