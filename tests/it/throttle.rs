//! Throttles as a scenario says them: what their laws and guards come to, and those that contradict themselves.

use drawdown::scenario::{ReadSettings, Source, starter};
use drawdown::sim::{self, Outcome, RunId};

/// The starter, small and quick, with other keys in its throttle's place.
fn read(throttle: &str) -> Result<Source, String> {
    let (before, rest) = starter().split_once("[plan.throttle]").expect("the starter has one");
    let (_, after) = rest.split_once("[plan.move]").expect("the starter has one");
    let text = format!("{before}[plan.throttle]\n{throttle}\n[plan.move]{after}");
    let small = ["population.mailboxes=300", "load.noise.sigma=0.0", "horizon=20 days", "expect=[]"];
    let overrides = small.map(str::to_owned).into();
    let read = Source::from_text("throttle.toml", &text, &ReadSettings { overrides, allow_path: false });
    read.map_err(|problems| problems.to_string())
}

fn run(throttle: &str) -> Outcome {
    let source = read(throttle).unwrap_or_else(|problems| panic!("{problems}"));
    sim::simulate(source.middle(), RunId { seed: 1, replication: 0 })
}

#[test]
fn a_step_of_no_streams_moves_nothing_above_its_load() {
    let never = run("law = \"steps\"\ntable = [[\"0 ms\", 8], [\"0.1 ms\", 0]]\nmax = 8");
    assert!(never.reached.iter().all(Option::is_none), "{:?}", never.reached);
    let slowly = run("law = \"steps\"\ntable = [[\"0 ms\", 8], [\"0.1 ms\", 1]]\nmax = 8");
    assert!(slowly.reached.iter().any(Option::is_some), "{:?}", slowly.reached);
}

#[test]
fn a_step_below_the_fewest_streams_is_refused_where_it_stands() {
    let said = read("law = \"steps\"\ntable = [[\"0 %\", 8], [\"30 %\", 0]]\nmin = 1\nmax = 8").unwrap_err();
    assert!(said.contains("plan.throttle.table.2.2: is 0, below min, which is 1"), "{said}");
    assert!(said.ends_with("\n1 problem\n"), "{said}");
    // A cap below a step is gentler than the step says.
    assert!(read("law = \"steps\"\ntable = [[\"0 %\", 8], [\"30 %\", 0]]\nmax = 4").is_ok());
}

#[test]
fn a_guard_below_what_its_stores_answer_in_at_rest_is_refused() {
    for (key, what) in [("pause_above", "paused"), ("abort_above", "abandoned")] {
        let said = read(&format!("law = \"aimd\"\nlatency = \"4 ms\"\nmax = 8\n{key} = \"0.3 ms\"")).unwrap_err();
        assert!(said.contains(&format!("plan.throttle.{key}: is 0.3 ms, below the ")), "{said}");
        assert!(said.contains(&format!(" at rest: every copy would be {what}")), "{said}");
    }
}

#[test]
fn a_guard_that_is_not_above_the_target_is_warned_of() {
    let aimd = |guard: &str| read(&format!("law = \"aimd\"\nlatency = \"4 ms\"\nmax = 8\n{guard}")).unwrap();
    let integral = |guard: &str| {
        read(&format!(
            "law = \"integral\"\nlatency = \"5 ms\"\naim = \"80 %\"\nstream_load = \"1 %\"\nmax = 8\n{guard}"
        ))
        .unwrap()
    };
    for source in [
        aimd("pause_above = \"3 ms\""),
        aimd("abort_above = \"4 ms\""),
        integral("pause_above = \"4 ms\""),
        read("law = \"aimd\"\nutilisation = \"80 %\"\nmax = 8\npause_above = \"70 %\"").unwrap(),
    ] {
        let said: Vec<&str> = source.warnings().iter().map(|one| one.message.as_str()).collect();
        assert!(said.len() == 1 && said[0].contains("not above what the law aims at, "), "{said:?}");
    }
    // In other terms, or above it: nothing to say.
    for source in
        [aimd("pause_above = \"70 %\""), aimd("pause_above = \"4.1 ms\""), integral("pause_above = \"4.5 ms\"")]
    {
        assert_eq!(source.warnings(), []);
    }
}

#[test]
fn a_target_that_is_not_met_though_nothing_is_copied_is_warned_of() {
    let aimd = |keys: &str| read(&format!("law = \"aimd\"\nmax = 8\n{keys}")).unwrap();
    let integral = "law = \"integral\"\nlatency = \"0.55 ms\"\naim = \"80 %\"\nstream_load = \"1 %\"\nmax = 8";
    for (source, expected) in [
        (aimd("latency = \"0.4 ms\""), "aims at 0.4 ms, below the "),
        (aimd("latency = \"0.4 ms\"\nmin = 0"), "at rest: the pace falls to no copy, and stays there"),
        (read(integral).unwrap(), "aims at 0.44 ms, below the "),
        (aimd("latency = \"4 ms\"\nhysteresis = \"10 %\""), "the pace rises only below 10 % of that"),
        (aimd("utilisation = \"0.01 %\""), "the pace falls to the fewest streams, 1, until enough have moved"),
    ] {
        let said: Vec<&str> = source.warnings().iter().map(|one| one.message.as_str()).collect();
        assert!(said.len() == 1 && said[0].contains(expected), "{expected}: {said:?}");
    }
    for keys in ["latency = \"4 ms\"", "utilisation = \"60 %\"", "latency = \"0.4 ms\"\nmin = 8"] {
        assert_eq!(aimd(keys).warnings(), [], "{keys}");
    }
}
