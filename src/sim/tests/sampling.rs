//! When the stores are asked.

use super::*;

/// When samples of the first head and of the last cluster were taken, in microseconds after the start.
fn sampled(scenario: &Scenario, replication: u32) -> (Vec<i64>, Vec<i64>) {
    let (mut heads, mut clusters) = (Vec::new(), Vec::new());
    let scenario = &Scenario { horizon: AS_OF + Span::from_secs(1_200), ..scenario.clone() };
    let mut world = world::World::new(scenario, run(replication), &mut Workspace::default());
    let delay = scenario.model.probe.delay;
    let Ok(_) = host::run_observed(&mut Migration::new(), &mut world, AS_OF, |_, now, event, _| match event {
        Event::HeadSampled { head: HeadId(0), measured_at, .. } => {
            assert_eq!(now.since(*measured_at), delay);
            heads.push(measured_at.since(AS_OF).micros());
        }
        Event::ClusterSampled { cluster: ClusterId(2), measured_at, .. } => {
            clusters.push(measured_at.since(AS_OF).micros());
        }
        _ => {}
    });
    assert!(heads.len() > 6 && clusters.len() > 3, "{} and {} samples", heads.len(), clusters.len());
    (heads, clusters)
}

#[test]
fn each_kind_of_store_is_asked_at_its_own_interval() {
    let (plan, mut model) = quiet(400);
    (model.probe.every, model.probe.clusters_every) = (Span::from_secs(60), Span::from_secs(150));
    model.probe.delay = Span::from_secs(7);
    // With the part of the interval that they are taken at, how much sooner than after a whole one the second samples come.
    for (phase, heads_sooner, clusters_sooner) in [(0.0, 0, 0), (0.25, 45_000_000, 112_500_000)] {
        model.probe.phase = Some(phase);
        let (heads, clusters) = sampled(&scenario(plan.clone(), model.clone()), 0);
        let at = |sample: i64, every: i64, sooner: i64| if sample == 0 { 0 } else { sample * every - sooner };
        assert!(heads.iter().zip(0..).all(|(is, sample)| *is == at(sample, 60_000_000, heads_sooner)), "{heads:?}");
        let all = |(is, sample): (&i64, i64)| *is == at(sample, 150_000_000, clusters_sooner);
        assert!(clusters.iter().zip(0..).all(all), "{clusters:?}");
    }
}

#[test]
fn where_within_the_interval_samples_are_taken_is_drawn_for_each_replication_and_alike_for_all_stores() {
    let (plan, mut model) = quiet(400);
    (model.probe.every, model.probe.clusters_every) = (Span::from_secs(60), Span::from_secs(150));
    model.probe.phase = None;
    let wider = {
        let mut model = model.clone();
        model.probe.every = Span::from_secs(30);
        scenario(plan.clone(), model)
    };
    let scenario = scenario(plan, model);
    let mut parts = Vec::new();
    for replication in 0..40 {
        let (heads, clusters) = sampled(&scenario, replication);
        assert!(heads[1..].windows(2).all(|two| two[1] - two[0] == 60_000_000), "{heads:?}");
        let part = heads[1] as f64 / 60e6;
        assert!((clusters[1] as f64 / 150e6 - part).abs() < 1e-7, "{part}");
        // Other draws stay what they are where the interval is another one.
        assert!((sampled(&wider, replication).0[1] as f64 / 30e6 - part).abs() < 1e-7, "{part}");
        parts.push(part);
    }
    parts.sort_by(f64::total_cmp);
    // Uniform: no further from the diagonal than Kolmogorov's bound for 1 in 1,000 allows.
    let far = parts.iter().zip(0..).map(|(part, at)| (part - (f64::from(at) + 0.5) / 40.0).abs()).fold(0.0, f64::max);
    assert!(far < 1.95 / 40_f64.sqrt(), "{parts:?}");
}
