//! Tests of what is drawn, beside what the scenario expects of it before anything is drawn.

use super::*;
use crate::migration::plan::Within;
use crate::scenario::asked;
use crate::scenario::model::{MeasuredActivity, ParetoTail};
use crate::sim::testing::{quiet, scenario};
use crate::units::OpRate;

const ORDERS: [Within; 6] =
    [Within::Inventory, Within::Smallest, Within::Largest, Within::Busiest, Within::Idlest, Within::Group];

/// Two heads of 15,000 mailboxes each, of which the first has moved two fifths.
fn two_heads(within: Within) -> Scenario {
    let (mut plan, mut model) = quiet(30_000);
    plan.order.within = within;
    for cluster in &mut plan.placement.clusters {
        cluster.rated = Bytes::new(u64::MAX / 4);
    }
    let population = &mut model.population;
    population.moved = vec![Share::from_ppm(400_000), Share::ZERO];
    (population.activity, population.activity_sigma) = (OpRate::per_second(0.03), 1.0);
    population.activity_size_correlation = 0.6;
    population.groups = 50;
    scenario(plan, model)
}

/// Whether those who are left on each head ask for what is expected, within 2 % of what all of its mailboxes ask for.
fn check(scenario: &Scenario) {
    let mut fleet = Fleet::default();
    draw(scenario, Draws::new(RunId { seed: 3, replication: 0 }), &mut fleet, &mut Pattern::default());
    for (head, expected) in asked::at_start(scenario).into_iter().enumerate() {
        let here = |row: &usize| fleet.home[*row].as_head() == Some(HeadId(head as u8));
        let left =
            (0..fleet.len()).filter(here).map(|row| f64::from(fleet.activity_micro_op_s[row]) * 1e-6).sum::<f64>();
        let within = scenario.plan.order.within;
        assert!((left - expected).abs() < 0.02 * 450.0, "{within:?}, head {head}: {left} op/s, expected {expected}");
    }
}

#[test]
fn those_who_are_left_ask_for_what_is_expected_in_whatever_order_the_others_have_moved() {
    let tail = ParetoTail { share: Share::from_ppm(200_000), from: Bytes::new(30_000_000), alpha: 1.2 };
    for within in ORDERS {
        let mut drawn = two_heads(within);
        check(&drawn);
        Arc::make_mut(&mut drawn.model).population.size.tail = Some(tail);
        check(&drawn);
        // Half of all mailboxes are as large as one may be.
        let population = &mut Arc::make_mut(&mut drawn.model).population;
        (population.size.tail, population.size.max) = (None, population.size.median);
        check(&drawn);
    }
    let left = |within| asked::at_start(&two_heads(within))[0];
    let shown = ORDERS.map(|within| (left(within) / 450.0 * 100.0).round() as u32);
    assert_eq!(shown, [60, 80, 36, 23, 89, 60], "by hand: 1 - Phi(-0.253 - 0.6), Phi(0.253 - 1) and so on");
}

#[test]
fn those_who_are_left_of_an_inventory_ask_for_what_is_expected() {
    for within in ORDERS {
        let mut known = two_heads(within);
        let mut fleet = Fleet::default();
        let run = RunId { seed: 8, replication: 0 };
        draw(&known, Draws::new(run), &mut fleet, &mut Pattern::default());
        let homes = std::mem::take(&mut fleet.home);
        let activities = fleet.activity_micro_op_s.clone();
        for (home, activity) in [(&[][..], &activities[..]), (&[], &[]), (&homes, &activities), (&homes, &[])] {
            let mut fleet = fleet.clone();
            (fleet.home, fleet.activity_micro_op_s) = (home.to_vec(), activity.to_vec());
            // What nobody knows of those who have moved is what hangs on their sizes alone.
            if activity.is_empty() && !home.is_empty() && matches!(within, Within::Busiest | Within::Idlest) {
                continue;
            }
            known.facts = Some(Arc::new(Facts { fleet: Arc::new(fleet), ..Facts::default() }));
            check(&known);
        }
    }
}

#[test]
fn those_who_are_left_ask_for_their_part_of_what_was_measured() {
    for (is_sum, with_moved) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut measured = two_heads(Within::Busiest);
        Arc::make_mut(&mut measured.model).population.measured_activity =
            Some(MeasuredActivity { by_head: vec![300.0, 450.0], is_sum, with_moved });
        check(&measured);
    }
}
