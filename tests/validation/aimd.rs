//! The law `aimd` with samples that are old: the simulator against the difference equation that it stands for.

use drawdown::scenario::Scenario;
use drawdown::scenario::curve::{LatencyCurve, preset};
use drawdown::units::Span;

use super::document;
use super::integral::streams_by_period;
use super::setup::{IDLE, Plain};

const PRESET: &str = "specsfs2008-fas3140";
const PERIOD_S: f64 = 30.0;
const PERIODS: usize = 600;
/// The pace rises only below this share of the target.
const HYSTERESIS: f64 = 0.9;

#[derive(Clone, Copy)]
struct Trial {
    /// What a stream adds to the head's utilisation.
    stream_load: f64,
    /// Age of a sample when it arrives, periods.
    delay: usize,
}

/// A head whose target lies at this utilisation, a third of it from users.
struct Plant {
    curve: LatencyCurve,
    users: f64,
    target_ms: f64,
    stream_load: f64,
}

impl Plant {
    fn latency_ms(&self, streams: u32) -> f64 {
        self.curve.response_s(self.users + f64::from(streams) * self.stream_load) * 1e3
    }

    /// The most streams with a latency that is not above this share of the target.
    fn most_within(&self, share: f64) -> u32 {
        (0..2_000).take_while(|streams| self.latency_ms(*streams) <= share * self.target_ms).last().unwrap_or(0)
    }

    /// Chiu and Jain's law, told of the state `delay` periods ago: the streams of each period.
    fn recursion(&self, delay: usize) -> Vec<u32> {
        let mut streams: Vec<u32> = vec![1];
        for period in 0..PERIODS {
            // Before the first sample has come nothing is decided.
            let now = streams[period];
            let next = match period.checked_sub(delay).map(|then| self.latency_ms(streams[then])) {
                Some(seen) if seen > self.target_ms => (now / 2).max(1),
                Some(seen) if seen < HYSTERESIS * self.target_ms => now + 1,
                Some(_) | None => now,
            };
            streams.push(next);
        }
        streams
    }

    fn scenario(&self, delay: usize) -> Scenario {
        let plain = Plain {
            mailboxes: 2_000,
            size: "100 TB",
            activity: &format!("{} op/s", self.users * 1e4 / 2_000.0),
            head: &format!("capacity = \"10000 op/s\"\nlatency = {{ preset = \"{PRESET}\" }}"),
            cluster: &format!("ingest = \"1000 TB/s\"\n{IDLE}"),
            throttle: &format!("law = \"aimd\", latency = \"{} ms\", max = 1500, every = \"30 s\"", self.target_ms),
            step: "30 s",
            copying: "stream = \"1 MB/s\"",
            more: &format!(
                "[probe]\nevery = \"30 s\"\ndelay = \"{} s\"\n[cost]\nhead_per_stream = \"{} op/s\"",
                delay * 30,
                self.stream_load * 1e4
            ),
        };
        let mut scenario = plain.read();
        scenario.horizon = scenario.as_of + Span::from_secs_f64(PERIODS as f64 * PERIOD_S + 1.0);
        scenario
    }
}

/// The fewest and the most streams of the second half, and the most of all.
fn range(streams: &[u32]) -> (u32, u32, u32) {
    let settled = &streams[streams.len() / 2..];
    let of = |list: &[u32], pick: fn(u32, u32) -> u32| list.iter().copied().reduce(pick).unwrap();
    (of(settled, u32::min), of(settled, u32::max), of(streams, u32::max))
}

#[test]
fn old_samples_let_it_pass_its_target_by_as_many_streams_as_they_are_periods_old() {
    let curve = preset(PRESET).unwrap();
    let mut rows = Vec::new();
    for stream_load in [0.004, 0.04] {
        for delay in [0, 1, 3] {
            let trial = Trial { stream_load, delay };
            let mut cells = vec![format!("{:.1} %", stream_load * 1e2), delay.to_string()];
            cells.extend([0.4, 0.7, 0.9].map(|aim| cell(&curve, trial, aim)));
            rows.push(cells);
        }
    }
    document::shows("aimd", &["a stream adds", "samples old by, periods", "u = 0.4", "u = 0.7", "u = 0.9"], &rows);
}

fn cell(curve: &LatencyCurve, trial: Trial, aim: f64) -> String {
    let Trial { stream_load, delay } = trial;
    let plant = Plant { curve: curve.clone(), users: aim / 3.0, target_ms: curve.response_s(aim) * 1e3, stream_load };
    let theory = range(&plant.recursion(delay));
    let streams = streams_by_period(&plant.scenario(delay), PERIODS);
    let seen: Vec<u32> = streams.iter().map(|streams| *streams as u32).collect();
    let found = range(&seen);
    let told = format!("{stream_load} a stream, {delay} old, at {aim}: {found:?} against {theory:?}");
    assert_eq!(found, theory, "{told}");
    // It adds up to the first state that is not far enough below the target, and for as long as that is not seen.
    let (low, high, top) = found;
    let (stops, most) = (plant.most_within(HYSTERESIS) + 1, plant.most_within(1.0));
    assert!(top <= stops + delay as u32, "{told}: it stops adding at {stops}");
    // Where that is within the target it rests; where it is not, it halves once for each period in which the old states show.
    let rests = stops + delay as u32 <= most;
    assert_eq!(low == high, rests, "{told}: {most} are within the target");
    let halved = high >> (delay + 1);
    assert!(rests || (halved.max(1)..=high / 2).contains(&low), "{told}: not below {halved}");
    let over = plant.latency_ms(top) / plant.target_ms - 1.0;
    let range = if rests { format!("rests at {high}") } else { format!("{low} to {high}") };
    format!("{range} of {most}; {:+.0} %", over * 1e2)
}
