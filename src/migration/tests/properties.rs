//! Random plans in a random world, with the oracle looking at every step.

use std::sync::Arc;

use proptest::prelude::*;

use super::dice::Dice;
use super::plans;
use super::world::{Live, World};
use crate::migration::message::Milestone;
use crate::migration::plan::Plan;
use crate::migration::{Migration, Phase};

/// Runs a world until it is finished and checks what it came to; whatever is left of the dice goes to the world.
fn play(mut plan_dice: Dice, world_dice: Dice) {
    let (plan, fleet, roomy) = plans::random(&mut plan_dice);
    let mut world = World::new(Arc::clone(&plan), &fleet, world_dice);
    let finished = world.run(60_000);
    let must_finish = roomy && plan.heads.iter().all(|head| head.windows.end.is_none()) && !world.older_than_days(30);
    if must_finish {
        assert!(finished, "not finished by {:?}: {:?}", world.now, world.log.last());
    }
    if finished {
        check_end(&world, &plan);
    }
    replay(&world);
}

fn check_end(world: &World, plan: &Plan) {
    assert!(world.jobs.is_empty(), "{:?} never ended", world.jobs);
    for (id, live) in &world.live {
        let stays = matches!(world.machine.phase(*id), Some(Phase::SetAside | Phase::Excluded));
        assert!(stays == matches!(live, Live::Head(_)), "{id:?} ends on {live:?}");
    }
    let announced = |milestone: Milestone| {
        world.log.iter().flat_map(|(_, _, commands)| commands).any(|command| {
            matches!(command, super::super::message::Command::Announce { milestone: said, .. } if *said == milestone)
        })
    };
    assert!(announced(Milestone::AllEmptied));
    if plan.copy.purge_after.is_some() {
        for (id, (head, _)) in &world.old {
            let given_up = world.oracle.purge_failed.contains(id);
            assert!(world.keeps(*id) || given_up, "{id:?} has an old copy on {head:?}");
        }
    }
}

/// The same events give the same commands in a machine of its own.
fn replay(world: &World) {
    let mut machine = Migration::new();
    let mut commands = Vec::new();
    for (now, event, recorded) in &world.log {
        commands.clear();
        machine.step(*now, event, &mut commands);
        assert_eq!(&commands, recorded, "replay of {event:?} at {now:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mailbox_is_lost_whatever_plan_and_world(
        plan in prop::collection::vec(any::<u32>(), 0..120),
        events in prop::collection::vec(any::<u32>(), 0..600),
    ) {
        play(Dice::listed(plan), Dice::listed(events));
    }
}

#[test]
fn long_runs_of_trouble_end_well() {
    for seed in 0..40_u64 {
        let run = std::panic::catch_unwind(|| play(Dice::seeded(seed, 1_000), Dice::seeded(seed ^ 0xd1ce, 20_000)));
        assert!(run.is_ok(), "seed {seed}");
    }
}
