use super::*;
use crate::forecast::cases::Measure;
use crate::forecast::quantile::P80;
use crate::forecast::recommend::{Condition, Kept};
use crate::migration::message::Milestone;
use crate::report::terminal;
use crate::report::what_if::tests::what_if;
use crate::units::Share;

/// Three plans of which the first ones break the condition until one keeps it, where one does.
fn known(verdicts: [Verdict; 3]) -> Recommendation {
    let condition = Condition { measure: Measure::MailboxHoursOut, at_most: 5_000.0, with: Share::from_ppm(900_000) };
    let judged =
        |verdict: Verdict| Judged { kept: vec![Kept { share: 0.93, unknown: 0.0, interval: (0.88, 0.96) }], verdict };
    let chosen = verdicts.iter().position(|verdict| *verdict == Verdict::Keeps).map(|at| [1, 2, 0][at]);
    Recommendation {
        what_if: what_if(&[("aimd at 6 ms", 0.7), ("<b>fixed</b>", -1.5)]),
        goal: Goal { milestone: Milestone::AllEmptied, level: P80, conditions: vec![condition] },
        // By case, of which the plan as it is is the first one; by rank it comes last.
        judged: vec![judged(verdicts[2]), judged(verdicts[0]), judged(verdicts[1])],
        order: vec![1, 2, 0],
        chosen,
        plan: chosen
            .map(|_| plan("name = \"x\"\n[plan.move]\nstream = \"12 h\"\n[plan]\nplacement = \"<sequential>\"\n")),
        search: SearchFacts {
            budget: 400,
            simulations: 396,
            looked_at: 21,
            grid: 1_470,
            refused: 2,
            seed: 1,
            notes: vec!["windows stay as they are, as asked for".into()],
        },
    }
}

#[test]
fn the_page_says_what_is_recommended_and_what_it_costs() {
    let known = known([Verdict::Breaks, Verdict::Keeps, Verdict::Keeps]);
    let page = terminal::render(&report(&known)).replace('\x1b', "ESC");
    let until_users = page.split("WHAT USERS NOTICE").next().unwrap();
    insta::assert_snapshot!("recommended", until_users);
    assert_eq!(known.plan.as_deref(), Some("[plan]\nplacement = \"<sequential>\"\n\n[plan.move]\nstream = \"12 h\"\n"));
}

#[test]
fn where_nothing_is_sure_nothing_is_recommended() {
    let first = |verdicts: [Verdict; 3]| headline(&known(verdicts)).1;
    assert!(first([Verdict::Breaks; 3]).starts_with("None of 21 plans was found"));
    assert!(first([Verdict::Breaks, Verdict::NotSure, Verdict::Breaks]).contains("none surely keeps"));
    assert!(first([Verdict::Breaks, Verdict::Breaks, Verdict::Keeps]).starts_with("The plan as it is keeps"));
    assert!(first([Verdict::NotReached; 3]).contains("in 80 % of the replications: give a longer horizon"));
    assert!(known([Verdict::Breaks, Verdict::NotSure, Verdict::Breaks]).may_be());
    assert!(!known([Verdict::Breaks, Verdict::NotReached, Verdict::Breaks]).may_be());
}

#[test]
fn that_the_plan_as_it_is_may_do_as_well_is_said() {
    let page = |verdicts: [Verdict; 3]| {
        let page = terminal::render(&report(&known(verdicts)));
        page.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let later = page([Verdict::Keeps, Verdict::Breaks, Verdict::NotSure]);
    assert!(
        later.contains("The plan as it is may keep what was asked for, too") && later.contains(" h later (95 %"),
        "{later}"
    );
    let earlier = page([Verdict::Breaks, Verdict::Keeps, Verdict::NotSure]);
    assert!(!earlier.contains("may keep what was asked for, too"), "{earlier}");
    let surely = page([Verdict::Keeps, Verdict::Breaks, Verdict::Breaks]);
    assert!(!surely.contains("may keep what was asked for, too"), "{surely}");
}

#[test]
fn too_few_replications_for_a_level_are_said_to_be_too_few() {
    let mut known = known([Verdict::Keeps, Verdict::Breaks, Verdict::Keeps]);
    (known.chosen, known.plan) = (None, None);
    let said = headline(&known).1;
    assert!(said.contains("and so does aimd at 6 ms: 60 replications are too few for a P80"), "{said}");
    assert!(known.may_be());
}

#[test]
fn what_has_no_date_is_said_as_it_is() {
    let mut known = known([Verdict::Breaks, Verdict::Breaks, Verdict::Keeps]);
    assert!(headline(&known).1.ends_with("all emptied by Nov 9 (P80)"), "{}", headline(&known).1);
    known.what_if.compared.base.last_mut().unwrap().quantiles = [None; 8];
    assert!(headline(&known).1.ends_with("all emptied at a P80 that too few replications do not tell"));
}

#[test]
fn a_plan_in_the_page_is_text_line_by_line() {
    let page = html::recommend(&known([Verdict::Keeps; 3]));
    let plan = "[plan]\nplacement = &quot;&lt;sequential&gt;&quot;\n\n[plan.move]\nstream = &quot;12 h&quot;\n";
    assert!(page.contains(plan), "{page}");
    assert!(!page.contains("<b>fixed") && page.contains("&lt;b&gt;fixed"));
}

#[test]
fn what_is_written_is_as_its_schema_says() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for verdicts in [[Verdict::Keeps; 3], [Verdict::Breaks; 3]] {
        let written: serde_json::Value = serde_json::from_str(&json(&known(verdicts)).unwrap()).unwrap();
        let wrong: Vec<String> = validator.iter_errors(&written).map(|error| error.to_string()).collect();
        assert_eq!(wrong, Vec::<String>::new());
    }
}
