//! Groups in production: the domains of real users move one after the other, over a restart, too, and the simulated world
//! and a forecast know them from the ledger.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use drawdown::fleet::{HeadId, MailboxId, NO_GROUP};
use drawdown::live::ledger::Ledger;
use drawdown::migration::message::{Command, EffectId, Event};
use drawdown::scenario::{ReadSettings, Source};
use drawdown::sim::{Copies, Recording, Step, rerun};

use crate::site_world::{World, ended};

/// Users of two domains on each head, mixed in the order of their rows; the one that comes first by name is not that of the
/// first user. What is in the database as each user's group is another matter.
fn of_two_domains() -> World {
    let world = World::of(&[40; 24]);
    world
        .users()
        .execute_batch(
            "ALTER TABLE mailbox ADD COLUMN customer TEXT; \
             UPDATE mailbox SET customer = CASE CAST(substr(name, 6) AS INTEGER) / 2 % 3 WHEN 0 THEN 'third' WHEN 1 THEN 'a-one' END, \
             name = name || CASE CAST(substr(name, 6) AS INTEGER) / 2 % 2 WHEN 0 THEN '@zeta.example' ELSE '@Alpha.example' END",
        )
        .unwrap();
    world.change("scenario.toml", &[("overlap = \"none\" }", "overlap = \"none\", within = \"whole-groups\" }")]);
    world
}

fn steps(world: &World, session: u16) -> Vec<Step> {
    let mut steps = Vec::new();
    let reader = Ledger::read(&world.path("ledger.db")).unwrap();
    reader
        .visit(session, &mut |recorded| {
            let commands = recorded.read_commands()?;
            steps.push(Step { at: recorded.at, event: recorded.event, commands });
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    steps
}

/// The groups of each head in the order in which they began, each of whose moves ended before one of another group began.
fn in_turn(steps: &[Step], group: &dyn Fn(MailboxId) -> u32) -> BTreeMap<HeadId, Vec<u32>> {
    let mut under_way: BTreeMap<EffectId, (HeadId, u32)> = BTreeMap::new();
    let mut orders: BTreeMap<HeadId, Vec<u32>> = BTreeMap::new();
    for step in steps {
        if let Event::SwitchEnded { effect } | Event::SwitchFailed { effect, .. } | Event::CopyFailed { effect, .. } =
            &step.event
        {
            under_way.remove(effect);
        }
        for command in &step.commands {
            if let Command::StartCopy { effect, mailbox, from, .. } = command {
                let group = group(*mailbox);
                let others = under_way.values().filter(|(head, other)| head == from && *other != group);
                assert_eq!(others.count(), 0, "{mailbox:?} of group {group} begins while another is under way");
                under_way.insert(*effect, (*from, group));
                let order = orders.entry(*from).or_default();
                if order.last() != Some(&group) {
                    order.push(group);
                }
            }
        }
    }
    orders
}

/// The groups that a session began with, by mailbox.
fn groups(world: &World, session: u16) -> Vec<u32> {
    Ledger::read(&world.path("ledger.db")).unwrap().start(session).unwrap().facts.fleet.group.clone()
}

#[test]
fn the_mailboxes_of_a_domain_move_together_also_over_a_restart_and_the_ledger_knows_them() {
    let world = of_two_domains();
    // A stop on the way; what was under way is given up, so that its group is one that has begun.
    world.change("scenario.toml", &[("streams = 4", "streams = 4, rate = \"400 kB/s\"")]);
    let running = world.start();
    world.wait_until_moved(2);
    assert!(world.say(&["stop"]).status.success());
    assert_eq!(ended(running).0, Some(12));

    let first = groups(&world, 1);
    let names: Vec<String> = (0..24).map(|row| world_name(&world, row)).collect();
    let expected: Vec<u32> = names.iter().map(|name| u32::from(name.ends_with("@zeta.example"))).collect();
    assert_eq!(first, expected, "small and capital letters are one domain, and groups come by name");
    let known = Ledger::read(&world.path("ledger.db")).unwrap().last_known().unwrap().unwrap();
    assert_eq!(known.facts.fleet.group, first);

    // A forecast from there moves them whole, too: none is split between two storages at the end.
    let ledger = world.path("ledger.db").display().to_string();
    let page = world.say(&["forecast", "--no-files", "--quiet", "--replications", "20", "--from", &ledger]);
    let said = String::from_utf8(page.stdout).unwrap();
    assert!(
        said.split_whitespace().collect::<Vec<_>>().join(" ").contains("at the end 0.00 groups are split"),
        "{said}"
    );

    world.change("scenario.toml", &[(", rate = \"400 kB/s\"", "")]);
    world.finish();
    world.check_moved();
    assert_eq!(world.check_replay(), 2);
    assert_eq!(groups(&world, 2), first);
    let group = |mailbox: MailboxId| first[mailbox.index()];
    for session in [1, 2] {
        let orders = in_turn(&steps(&world, session), &group);
        let of_first = &orders[&HeadId(0)];
        assert!(matches!(of_first[..], [0] | [0, 1]), "session {session}: {orders:?}");
    }
    let second = in_turn(&steps(&world, 2), &group);
    assert_eq!(second[&HeadId(1)], [0, 1]);

    // Parity: the simulated world asks for the same in the same order, told only how long things took.
    let scenario = Source::read(&world.path("scenario.toml"), &ReadSettings::default()).unwrap().middle().clone();
    let recorded = steps(&world, 2);
    let again = rerun(&scenario, Recording::new(&recorded, Copies::Lasted).expect("a start"));
    assert_eq!(again.len(), recorded.len());
    for (number, (given, was)) in again.iter().zip(&recorded).enumerate() {
        assert_eq!((given.at, &given.commands), (was.at, &was.commands), "step {number}");
    }
}

/// A user's name by its row in the ledger.
fn world_name(world: &World, row: usize) -> String {
    Ledger::read(&world.path("ledger.db")).unwrap().mailboxes().unwrap()[row].name.clone()
}

#[test]
fn where_the_list_has_a_column_of_groups_those_count_and_who_has_none_comes_last() {
    let world = of_two_domains();
    world.change(
        "scenario.toml",
        &[(
            "[site.directory]\n",
            "[site.directory.statements]\nlist = \"SELECT name, home, path, epoch, state, customer FROM mailbox\"\n[site.directory]\n",
        )],
    );
    let said = String::from_utf8(world.say(&["preflight"]).stdout).unwrap();
    assert!(
        said.contains("look  groups: 2 on the heads, by the directory's list; the largest is third with 8 users; 8 users have none, and come last"),
        "{said}"
    );
    world.finish();
    world.check_moved();
    let groups = groups(&world, 1);
    assert_eq!(groups.iter().collect::<BTreeSet<_>>(), BTreeSet::from([&0, &1, &NO_GROUP]));
    let orders = in_turn(&steps(&world, 1), &|mailbox| groups[mailbox.index()]);
    assert_eq!(orders.values().collect::<Vec<_>>(), [&[0, 1, NO_GROUP], &[0, 1, NO_GROUP]]);
}

#[test]
fn a_plan_by_groups_that_nobody_has_is_refused() {
    let world = World::new(4, 2);
    world.change("scenario.toml", &[("overlap = \"none\" }", "overlap = \"none\", within = \"group\" }")]);
    let output = world.say(&["preflight"]);
    let said = String::from_utf8(output.stdout).unwrap();
    let missing = "the plan orders by group, and none of the users on the heads has one";
    assert!(said.contains(&format!("BAD   groups: {missing}")) && output.status.code() == Some(1), "{said}");
    for words in [&["run", "--quiet"][..], &["run", "--dry-run"]] {
        let output = world.say(words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(missing), "{said}");
    }
    assert_eq!(world.held(), Vec::<String>::new());
}
