//! The plans among which a recommendation is looked for: the throttle's law, its streams, windows, and the order within a head.

use std::fmt::Write as _;

use crate::forecast::recommend::Point;
use crate::migration::plan::{Law, Level, ThrottlePlan, Within};
use crate::report::shown;
use crate::scenario::{Scenario, Source};

/// What can be left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Part {
    /// The throttle's law and what it aims at
    Law,
    /// The most streams
    Pace,
    /// The windows
    Windows,
    /// The order within a head
    Order,
}

/// Latencies at which aimd aims, as shares of the users' objective.
const AIMS: [f64; 8] = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/// The integral law's aim below its contract, which is the objective.
const INTEGRAL_AIMS: [u32; 3] = [50, 70, 90];
/// Streams as multiples of those that the plan has.
const PACES: [f64; 7] = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0];
/// Where among these the plan as it is stands.
const AS_IT_IS: usize = 3;
/// Keys of a throttle that are no choice of its law.
const GUARDS: [&str; 5] = ["rate", "every", "sample_limit", "pause_above", "abort_above"];

/// A law that can be chosen.
#[derive(Clone, Debug, PartialEq)]
enum LawChoice {
    AsItIs,
    Aimd { latency_ms: f64 },
    Integral { aim_percent: u32 },
    Steps,
    Fixed,
}

/// What windows can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WindowChoice {
    None,
    AsTheyAre,
    /// A quarter of the streams in business hours.
    Gentle,
    /// Nothing in business hours.
    Paused,
}

/// The grid.
pub(super) struct Space {
    laws: Vec<LawChoice>,
    paces: Vec<f64>,
    windows: Vec<WindowChoice>,
    orders: Vec<Option<&'static str>>,
    /// The most streams of the plan as it is.
    most: u16,
    start: Option<u16>,
    /// Whether the plan's own law has always as many streams.
    is_fixed: bool,
    fewest: u16,
    guards: toml::Table,
    /// The lowest latency above which a guard holds copies back.
    guarded_ms: f64,
    objective_ms: f64,
    stream_load: f64,
    pub(super) sizes: Vec<usize>,
    pub(super) origin: Point,
    /// What is not varied, and why.
    pub(super) notes: Vec<String>,
}

impl Space {
    /// The plans about that of a scenario; `kept` says what is not varied.
    pub(super) fn of(source: &Source, scenario: &Scenario, kept: &[Part]) -> Self {
        let resolved: toml::Table = source.resolved().parse().unwrap_or_default();
        let plan = resolved.get("plan").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        let throttle = plan.get("throttle").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        let objective_ms = (scenario.model.objective.secs() * 1e5).round() / 100.0;
        let first = &scenario.plan.heads[0].throttle;
        let start = match first.law {
            Law::Aimd { start, .. } | Law::Integral { start, .. } => Some(start),
            Law::Fixed { .. } | Law::Steps { .. } => None,
        };
        let is_fixed = matches!(first.law, Law::Fixed { .. });
        let mut space = Self {
            laws: vec![LawChoice::AsItIs],
            paces: vec![1.0],
            windows: vec![WindowChoice::AsTheyAre],
            orders: vec![None],
            most: first.max.max(1),
            start,
            is_fixed,
            // A fixed law has as many streams at least as at most, which is no wish to have never fewer.
            fewest: if is_fixed { 1 } else { first.min.max(1) },
            guards: throttle.into_iter().filter(|(key, _)| GUARDS.contains(&key.as_str())).collect(),
            guarded_ms: guarded_ms(first),
            objective_ms,
            stream_load: stream_load(scenario),
            sizes: Vec::new(),
            origin: Vec::new(),
            notes: Vec::new(),
        };
        let own: Vec<String> = plan
            .get("throttle_for")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flat_map(toml::Table::keys)
            .cloned()
            .collect();
        if own.is_empty() {
            space.vary_throttle(kept);
        } else {
            let heads: Vec<String> = own.iter().map(|head| shown(head)).collect();
            space.notes.push(format!(
                "law and pace stay as they are: plan.throttle_for gives {} a throttle of its own",
                heads.join(", ")
            ));
        }
        space.vary_windows(kept, plan.get("window").is_some());
        space.vary_order(kept, scenario);
        space.sizes = vec![space.laws.len(), space.paces.len(), space.windows.len(), space.orders.len()];
        let place = |found: Option<usize>| found.unwrap_or(0);
        space.origin = vec![
            0,
            place(space.paces.iter().position(|pace| (*pace - 1.0).abs() < 1e-9)),
            place(space.windows.iter().position(|one| *one == WindowChoice::AsTheyAre)),
            0,
        ];
        space
    }

    fn vary_throttle(&mut self, kept: &[Part]) {
        if kept.contains(&Part::Law) {
            self.notes.push("the law stays as it is, as asked for".into());
        } else {
            let aims = AIMS.iter().map(|aim| (aim * self.objective_ms * 100.0).round() / 100.0);
            let chosen = aims.filter(|aim| *aim > 0.0).map(|latency_ms| LawChoice::Aimd { latency_ms });
            let laws = chosen.chain(INTEGRAL_AIMS.map(|aim_percent| LawChoice::Integral { aim_percent }));
            // A law that aims at where a guard holds copies back never gets there.
            let (below, above): (Vec<_>, Vec<_>) = laws.partition(|law| self.aim_ms(law) < self.guarded_ms);
            if !above.is_empty() {
                let guarded = (self.guarded_ms * 100.0).round() / 100.0;
                self.notes.push(format!(
                    "no law aims at {guarded} ms or more: a guard of the throttle holds copies back there"
                ));
            }
            self.laws.extend(below);
            self.laws.extend([LawChoice::Steps, LawChoice::Fixed]);
        }
        if kept.contains(&Part::Pace) {
            self.notes.push("the most streams stay as they are, as asked for".into());
        } else {
            let most = f64::from(self.most);
            let fits = |pace: &f64| most * pace <= 4_096.0 && (most * pace).round() >= f64::from(self.fewest);
            self.paces = PACES.into_iter().filter(fits).collect();
            // Of a few streams some multiples are the same number.
            self.paces.dedup_by_key(|pace| (most * *pace).round() as u64);
            if !self.paces.contains(&PACES[AS_IT_IS]) {
                self.paces = vec![1.0];
            }
        }
    }

    fn aim_ms(&self, law: &LawChoice) -> f64 {
        match law {
            LawChoice::Aimd { latency_ms } => *latency_ms,
            LawChoice::Integral { aim_percent } => self.objective_ms * f64::from(*aim_percent) / 100.0,
            LawChoice::AsItIs | LawChoice::Steps | LawChoice::Fixed => 0.0,
        }
    }

    fn vary_windows(&mut self, kept: &[Part], has_any: bool) {
        if kept.contains(&Part::Windows) {
            return self.notes.push("windows stay as they are, as asked for".into());
        }
        self.windows = if has_any {
            vec![WindowChoice::None, WindowChoice::AsTheyAre, WindowChoice::Gentle, WindowChoice::Paused]
        } else {
            vec![WindowChoice::AsTheyAre, WindowChoice::Gentle, WindowChoice::Paused]
        };
    }

    fn vary_order(&mut self, kept: &[Part], scenario: &Scenario) {
        const ORDERS: [(Within, &str); 5] = [
            (Within::Inventory, "inventory"),
            (Within::Smallest, "smallest"),
            (Within::Largest, "largest"),
            (Within::Busiest, "busiest"),
            (Within::Idlest, "idlest"),
        ];
        let within = scenario.plan.order.within;
        let is_told = scenario.facts.as_ref().is_some_and(|facts| !facts.fleet.home.is_empty());
        let has_moved = scenario.model.population.moved.iter().any(|share| share.ppm() > 0) && !is_told;
        if kept.contains(&Part::Order) {
            self.notes.push("the order stays as it is, as asked for".into());
        } else if matches!(within, Within::Group | Within::WholeGroups) {
            self.notes.push("the order stays as it is: groups are kept together".into());
        } else if has_moved {
            self.notes.push(
                "the order stays as it is: which mailboxes have moved before the start is drawn by it, and would differ".into(),
            );
        } else {
            self.orders.extend(ORDERS.iter().filter(|(one, _)| *one != within).map(|(_, word)| Some(*word)));
        }
    }

    /// How many plans the grid has.
    pub(super) fn plans(&self) -> u64 {
        self.sizes.iter().map(|size| *size as u64).product()
    }

    fn streams(&self, pace: f64) -> u16 {
        (f64::from(self.most) * pace).round().max(1.0) as u16
    }

    /// The settings over the file that make a plan.
    pub(super) fn settings(&self, point: &Point) -> Vec<String> {
        let (law, pace) = (&self.laws[point[0]], self.paces[point[1]]);
        let most = self.streams(pace);
        let mut settings = Vec::new();
        if *law != LawChoice::AsItIs {
            settings.push(format!("plan.throttle={}", toml::Value::Table(self.throttle(law, most))));
        } else if most != self.most {
            settings.extend(self.own_streams(most));
        }
        match self.windows[point[2]] {
            WindowChoice::AsTheyAre => {}
            WindowChoice::None => settings.push("plan.window=[]".into()),
            WindowChoice::Gentle => settings.push(window((most / 4).max(1))),
            WindowChoice::Paused => settings.push(window(0)),
        }
        settings.extend(self.orders[point[3]].map(|word| format!("plan.order.within=\"{word}\"")));
        settings
    }

    /// The plan's own law with other streams; what it begins with has to lie below.
    fn own_streams(&self, most: u16) -> Vec<String> {
        if self.is_fixed {
            return vec![format!("plan.throttle.streams={most}")];
        }
        let mut settings = vec![format!("plan.throttle.max={most}")];
        settings.extend(self.start.filter(|start| *start > most).map(|_| format!("plan.throttle.start={most}")));
        settings
    }

    fn throttle(&self, law: &LawChoice, most: u16) -> toml::Table {
        let mut table = self.guards.clone();
        let mut set = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
        let count = |streams: u16| toml::Value::Integer(i64::from(streams));
        let ms = |ms: f64| toml::Value::String(format!("{} ms", (ms * 100.0).round() / 100.0));
        let word = match law {
            LawChoice::Aimd { latency_ms } => {
                set("latency", ms(*latency_ms));
                "aimd"
            }
            LawChoice::Integral { aim_percent } => {
                set("latency", ms(self.objective_ms));
                set("aim", toml::Value::String(format!("{aim_percent} %")));
                set("stream_load", toml::Value::String(format!("{:.3} %", self.stream_load * 100.0)));
                "integral"
            }
            LawChoice::Steps => {
                let steps = [(0.0, most), (0.4, most / 2), (0.6, most / 4), (0.8, most / 16)];
                let pair = |(part, streams): (f64, u16)| {
                    toml::Value::Array(vec![ms(part * self.objective_ms), count(streams.max(self.fewest))])
                };
                set("table", toml::Value::Array(steps.into_iter().map(pair).collect()));
                "steps"
            }
            LawChoice::Fixed | LawChoice::AsItIs => "fixed",
        };
        set("law", toml::Value::String(word.to_owned()));
        if word == "fixed" {
            set("streams", count(most));
        } else {
            set("min", count(self.fewest));
            set("max", count(most));
        }
        if let Some(start) = self.start.filter(|_| matches!(word, "aimd" | "integral")) {
            set("start", count(start.clamp(self.fewest, most)));
        }
        table
    }

    /// What a plan is called.
    pub(super) fn name(&self, point: &Point) -> String {
        if *point == self.origin {
            return "as it is".into();
        }
        let mut name = match &self.laws[point[0]] {
            LawChoice::AsItIs => String::new(),
            LawChoice::Aimd { latency_ms } => format!("aimd at {latency_ms} ms"),
            LawChoice::Integral { aim_percent } => format!("integral at {aim_percent} %"),
            LawChoice::Steps => "steps".into(),
            LawChoice::Fixed => "fixed".into(),
        };
        let mut add = |text: &str| {
            let between = if name.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(name, "{between}{text}");
        };
        let most = self.streams(self.paces[point[1]]);
        if most != self.most || point[0] != self.origin[0] {
            add(&format!("{most} streams"));
        }
        match self.windows[point[2]] {
            WindowChoice::AsTheyAre => {}
            WindowChoice::None => add("no windows"),
            WindowChoice::Gentle => add("gentle by day"),
            WindowChoice::Paused => add("paused by day"),
        }
        if let Some(word) = self.orders[point[3]] {
            add(&format!("{word} first").replace("inventory first", "in the inventory's order"));
        }
        name
    }
}

fn window(streams: u16) -> String {
    format!("plan.window=[{{ name = \"business hours\", when = \"Mon-Fri 08:00-18:00\", streams = {streams} }}]")
}

/// The lowest latency above which a guard holds copies back; infinite where none does.
fn guarded_ms(throttle: &ThrottlePlan) -> f64 {
    let guards = [throttle.pause_above, throttle.abort_above].into_iter().flatten();
    let latencies = guards.filter_map(|guard| match guard {
        Level::Latency(latency) => Some(latency.secs() * 1e3),
        Level::Utilisation(_) => None,
    });
    latencies.fold(f64::INFINITY, f64::min)
}

/// What one stream adds to the utilisation of the smallest head, by the scenario's own costs at the middle of every input.
fn stream_load(scenario: &Scenario) -> f64 {
    let (copy, cost) = (&scenario.plan.copy, &scenario.model.cost);
    let message = scenario.model.population.message_mean.get() as f64;
    let by_bytes = copy.stream.bytes_per_second() as f64 / message.max(1.0);
    let by_messages =
        if copy.messages_per_ks == u32::MAX { f64::INFINITY } else { f64::from(copy.messages_per_ks) / 1e3 };
    let messages = by_bytes.min(by_messages);
    let each = cost.head_per_message.get() + cost.head_per_megabyte.get() * message / 1e6;
    let asked = messages * each + cost.head_per_stream.ops_per_second();
    let least = scenario.model.heads.iter().map(|head| head.capacity.ops_per_second()).fold(f64::INFINITY, f64::min);
    (asked / least).clamp(1e-5, 1.0)
}

#[cfg(test)]
mod tests;
