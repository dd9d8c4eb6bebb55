//! Our estimators beside those of `SALib`, on the very same samples and outputs. `tests/salib/analyze.sh` installs it and runs it; that needs
//! Python and a package registry, and so it is done where `DRAWDOWN_TEST_SALIB` is set.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::tests::{CONFIDENCE, effects, g, ishigami, morris_function, rows};
use super::{Part, morris, sobol};

/// What `SALib` says of each sample.
fn analysed(asked: &[Value]) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/salib/analyze.sh");
    let mut child = Command::new(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(json!(asked).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}: {}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn same(what: &str, ours: &[f64], theirs: &Value) {
    let theirs: Vec<f64> = theirs.as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0), "{what}: {ours}, SALib {theirs}");
    }
    println!("{what}: the same to 1e-9: {ours:.4?}");
}

/// A name, a function of numbers between 0 and 1, and how many of them.
type Model = (&'static str, fn(&[f64]) -> f64, usize);

const MODELS: [Model; 3] = [("Ishigami", ishigami, 3), ("Sobol's g", g, 8), ("Morris", morris_function, 20)];

#[test]
fn indices_and_effects_are_those_of_salib() {
    if std::env::var_os("DRAWDOWN_TEST_SALIB").is_none() {
        println!("skipped: DRAWDOWN_TEST_SALIB is not set");
        return;
    }
    let (mut asked, mut ours) = (Vec::new(), Vec::new());
    for (name, model, inputs) in MODELS {
        let rows = rows(&model, inputs, 256, 7);
        let found = sobol::indices(&rows, 1, CONFIDENCE).unwrap();
        // In SALib's order: a row's first sample, what is mixed of both, its second sample.
        let outputs: Vec<f64> =
            rows.iter().flat_map(|row| [vec![row.first], row.mixed.clone(), vec![row.second]].concat()).collect();
        asked.push(json!({ "method": "sobol", "inputs": inputs, "outputs": outputs }));
        let of = |part: fn(&(Part, Part)) -> Part| found.iter().map(|one| part(one).value).collect::<Vec<_>>();
        ours.push((name, vec![("S1", of(|one| one.0)), ("ST", of(|one| one.1))]));

        let walks = morris::trajectories(inputs, 40, 7);
        // SALib divides by the step of its own levels.
        let found = effects(&model, &walks, 2.0 / 3.0);
        let found: Vec<morris::Effect> = found.iter().map(|one| morris::effect(one, 1, CONFIDENCE)).collect();
        let points: Vec<&Vec<f64>> = walks.iter().flat_map(|walk| &walk.points).collect();
        let outputs: Vec<f64> = points.iter().map(|point| model(point)).collect();
        asked.push(json!({ "method": "morris", "inputs": inputs, "points": points, "outputs": outputs }));
        let of = |part: fn(&morris::Effect) -> Part| found.iter().map(|one| part(one).value).collect::<Vec<_>>();
        ours.push((
            name,
            vec![("mu_star", of(|one| one.size)), ("mu", of(|one| one.mean)), ("sigma", of(|one| one.deviation))],
        ));
    }
    for ((name, ours), theirs) in ours.iter().zip(analysed(&asked)) {
        for (what, ours) in ours {
            same(&format!("{name}, {what}"), ours, &theirs[what]);
        }
    }
}
