//! A scenario file whose answer is known without a simulation.

use std::path::Path;

use drawdown::migration::message::Milestone;
use drawdown::scenario::{ReadSettings, Source};
use drawdown::sim::{RunId, simulate};

#[test]
fn without_noise_and_with_a_fixed_throttle_completion_is_total_work_over_rate() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/constant-rate.toml");
    for (streams, seconds) in [(8, 62_500.0), (16, 31_250.0)] {
        let settings = ReadSettings {
            overrides: vec![format!("plan.throttle.streams={streams}"), "plan.move.setup=\"0 s\"".into()],
            allow_path: false,
        };
        let source = Source::read(&path, &settings).unwrap_or_else(|problems| panic!("{problems}"));
        let scenario = source.middle();
        let outcome = simulate(scenario, RunId { seed: 1, replication: 0 });
        let place = scenario.milestones.iter().position(|known| *known == Milestone::AllEmptied).expect("a milestone");
        let took = outcome.reached[place].expect("it finishes").since(scenario.as_of).secs();
        // 100,000 mailboxes of 5 s each, shared by the streams.
        assert!((took / seconds - 1.0).abs() < 1e-3, "{streams} streams take {took} s, not {seconds} s");
    }
}
