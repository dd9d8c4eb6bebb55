//! Posts of hand-made forecasts, whole.

use std::fmt::Write as _;
use std::sync::Arc;

use super::earlier::{Earlier, NAME};
use super::template::{Form, Template};
use super::*;
use crate::forecast::testing::{after, days_of, made, made_of, scenario};
use crate::migration::message::Binding;
use crate::scenario::Scenario;
use crate::sim::Outcome;
use crate::units::Share;

/// The founding case as it was told: half of the mailboxes on each head, 40 % of the first head's have moved.
fn founding() -> Scenario {
    let mut scenario = scenario();
    scenario.name = "OpenSRS Email Cluster B".into();
    let model = Arc::make_mut(&mut scenario.model);
    model.population.moved = [400_000, 0].map(Share::from_ppm).to_vec();
    model.population.new_accounts_per_day = 300.0;
    scenario
}

/// Its first cluster has been taking mailboxes all along.
fn outcome(replication: u32, days: f64) -> Outcome {
    let mut outcome = crate::forecast::testing::outcome(replication, days);
    outcome.reached[2] = Some(after(0.0));
    outcome
}

/// What the schema has against the post's data.
fn invalid(document: &serde_json::Value) -> Vec<String> {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    validator.iter_errors(document).map(|error| error.to_string()).collect()
}

/// Its data is valid by the schema, whatever post it is.
fn text(post: &Announcement) -> String {
    assert_eq!(invalid(&serde_json::from_str(&post.json().unwrap()).unwrap()), Vec::<String>::new());
    let text = Template::built_in(Form::Text).render(post).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 78), "{text}");
    text
}

fn markdown(post: &Announcement) -> String {
    Template::built_in(Form::Markdown).render(post).unwrap()
}

fn both(post: &Announcement) -> String {
    format!("{}\n=== text ===\n\n{}", markdown(post), text(post))
}

fn reread(post: &Announcement) -> Earlier {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(NAME), post.json().unwrap()).unwrap();
    Earlier::read(folder.path(), "any").unwrap()
}

#[test]
fn posts_of_every_kind_are_valid_by_the_schema_and_others_are_not() {
    for post in super::example::all() {
        let _ = text(&post);
        let mut document: serde_json::Value = serde_json::from_str(&post.json().unwrap()).unwrap();
        document["post"]["progress"].as_object_mut().unwrap().remove("left");
        assert_eq!(invalid(&document).len(), 1, "{:?}", invalid(&document));
        document["moved_share"] = "half".into();
        document["schema_version"] = 2.into();
        assert_eq!(invalid(&document).len(), 3, "{:?}", invalid(&document));
    }
}

#[test]
fn the_founding_case_is_told_as_its_post_told_it() {
    let forecast = made_of(&founding(), 200, &|r| outcome(r, days_of(r)));
    let post = Announcement::new(&forecast, None, EVERY_MAX);
    let date = |what: &str| post.dates.iter().find(|one| one.name == what).unwrap();
    assert_eq!(date("head-1").when, "late next week, October 19-20");
    assert_eq!(date("all mailboxes").when, "early November");
    insta::assert_snapshot!("founding", both(&post));
    insta::assert_snapshot!("founding_json", post.json().unwrap());
}

#[test]
fn of_many_heads_and_clusters_the_next_ones_are_named() {
    let forecast = made_of(&founding(), 200, &|r| outcome(r, days_of(r)));
    let mut post = Announcement::new(&forecast, None, EVERY_MAX);
    let (waiting, opening) = (post.heads[1].clone(), post.opening[0].clone());
    for number in 3..=12 {
        post.heads.push(Head { name: format!("head-{number}"), ..waiting.clone() });
        let sentence = format!("We expect nas-{number} to take its first mailboxes in December.");
        post.opening.push(Line { name: format!("nas-{number}"), sentence, ..opening.clone() });
    }
    insta::assert_snapshot!("many", both(&post));
}

#[test]
fn a_migration_that_may_never_end_has_no_date() {
    let forecast = made_of(&founding(), 200, &|r| {
        let mut outcome = outcome(r, days_of(r));
        if r % 4 == 0 {
            outcome.reached[1] = None;
            outcome.reached[6] = None;
            outcome.unfinished = Some(Binding::NoRoom);
        }
        outcome
    });
    insta::assert_snapshot!("perhaps_never", both(&Announcement::new(&forecast, None, EVERY_MAX)));
    let forecast = made_of(&founding(), 200, &|r| {
        let mut outcome = outcome(r, days_of(r));
        outcome.reached = vec![None; outcome.reached.len()];
        outcome.unfinished = Some(Binding::NoRoom);
        outcome
    });
    insta::assert_snapshot!("never", both(&Announcement::new(&forecast, None, EVERY_MAX)));
}

#[test]
fn the_last_part_is_tomorrow() {
    let mut scenario = founding();
    let model = Arc::make_mut(&mut scenario.model);
    model.population.moved = [1_000_000, 981_000].map(Share::from_ppm).to_vec();
    model.population.new_accounts_per_day = 0.0;
    let forecast = made_of(&scenario, 200, &|r| {
        let mut outcome = outcome(r, 1.0 + f64::from(r % 10) / 100.0);
        outcome.reached[0] = Some(after(0.0));
        outcome.excused = outcome.excused - outcome.heads[1].excused + 36;
        outcome
    });
    insta::assert_snapshot!("nearly_done", both(&Announcement::new(&forecast, None, EVERY_MAX)));
}

#[test]
fn a_head_that_never_had_a_mailbox_is_nobodys_affair() {
    let mut scenario = founding();
    Arc::make_mut(&mut scenario.model).population.split = [0, 1_000_000].map(Share::from_ppm).to_vec();
    let forecast = made_of(&scenario, 200, &|r| {
        let mut outcome = outcome(r, days_of(r));
        outcome.reached[0] = Some(after(0.0));
        outcome
    });
    let post = Announcement::new(&forecast, None, EVERY_MAX);
    assert_eq!((post.heads.len(), post.dates.len()), (1, 1), "{:?}", post.dates);
    assert!(!both(&post).contains("head-1"), "{}", both(&post));
}

#[test]
fn what_is_done_needs_no_further_post() {
    let mut scenario = founding();
    Arc::make_mut(&mut scenario.model).population.moved = vec![Share::from_ppm(1_000_000); 2];
    let forecast = made_of(&scenario, 200, &|r| {
        let mut outcome = outcome(r, 1.0);
        outcome.reached = vec![Some(after(0.0)); outcome.reached.len()];
        outcome
    });
    let post = Announcement::new(&forecast, None, EVERY_MAX);
    assert!(post.all_done && post.next_update.is_none() && post.set_aside.is_some());
    insta::assert_snapshot!("done_but_for_some", both(&post));
    let post = Announcement { set_aside: None, ..post };
    insta::assert_snapshot!("done", both(&post));
}

#[test]
fn one_head_is_told_once_and_too_few_replications_give_no_date() {
    let post = Announcement::new(&made(4, &|r| outcome(r, days_of(r))), None, EVERY_MAX);
    assert!(post.dates.iter().all(|one| one.state == "unknown"), "{:?}", post.dates);
    insta::assert_snapshot!("too_few", text(&post));
    let mut scenario = founding();
    scenario.milestones[1] = Milestone::HeadEmptied { head: crate::fleet::HeadId(0), set_aside: 0 };
    let same = made_of(&scenario, 200, &|r| {
        let mut outcome = outcome(r, days_of(r));
        (outcome.reached[0], outcome.reached[1]) = (outcome.reached[6], outcome.reached[6]);
        outcome
    });
    let names: Vec<_> = Announcement::new(&same, None, EVERY_MAX).dates.into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["all mailboxes"]);
}

/// A post of a week ago, and now: the first head is empty, the rest takes 8 days longer.
#[test]
fn what_has_changed_since_the_last_post_is_told() {
    let mut before = founding();
    before.as_of = after(-11.0);
    Arc::make_mut(&mut before.model).population.moved = [100_000, 0].map(Share::from_ppm).to_vec();
    let then = made_of(&before, 200, &|r| outcome(r, days_of(r) - 8.0));
    let last = Announcement::new(&then, None, EVERY_MAX);
    let mut now = founding();
    Arc::make_mut(&mut now.model).population.moved = [1_000_000, 0].map(Share::from_ppm).to_vec();
    let forecast = made_of(&now, 200, &|r| {
        let mut outcome = outcome(r, days_of(r));
        outcome.reached[0] = Some(after(0.0));
        outcome
    });
    let post = Announcement::new(&forecast, Some(&reread(&last)), Span::from_secs(7 * 86_400));
    let kinds: Vec<_> = post.changes.as_ref().unwrap().kinds().collect();
    assert_eq!(kinds, ["done", "later"]);
    insta::assert_snapshot!("changed", both(&post));
}

#[test]
fn nothing_has_changed_where_nothing_has() {
    let forecast = made_of(&founding(), 200, &|r| outcome(r, days_of(r)));
    let first = Announcement::new(&forecast, None, EVERY_MAX);
    let second = Announcement::new(&forecast, Some(&reread(&first)), EVERY_MAX);
    assert!(second.changes.as_ref().unwrap().kinds().all(|kind| kind == "same"));
    insta::assert_snapshot!("unchanged", text(&second));
}

#[test]
fn each_change_has_its_kind() {
    let at = |first: f64, median: f64, last: f64| Told::Expected {
        first: after(first),
        median: after(median),
        last: after(last),
    };
    let scenario = founding();
    let milestone = Milestone::AllEmptied;
    let kind = |before: Option<Told>, now: Told| {
        let known = [Known { scenario: &scenario, milestone, told: now, excused: None }];
        let dates: Vec<(&str, Told)> = before.map(|told| ("all emptied", told)).into_iter().collect();
        let mut earlier = Earlier::made(after(-7.0), Some(0.1), &dates);
        earlier.horizon = Some(after(50.0));
        let changes = changes(&known, 0.2, &earlier, &Voice::of(&scenario));
        (changes.kinds().next(), changes.sentences().next())
    };
    let cases = [
        (Some(at(20.0, 24.0, 28.0)), at(20.0, 24.4, 28.0), Some("same")),
        (Some(at(20.0, 24.0, 32.0)), at(23.0, 24.4, 28.0), Some("clearer")),
        (Some(at(20.0, 24.0, 28.0)), at(20.0, 24.4, 35.0), Some("later")),
        (Some(at(20.0, 30.0, 35.0)), at(20.0, 24.4, 28.0), Some("earlier")),
        (Some(at(-6.0, -5.0, -4.0)), at(0.1, 0.2, 0.3), Some("later")),
        (Some(at(20.0, 24.0, 28.0)), Told::NotBefore(after(60.0)), Some("undated")),
        (Some(Told::NotBefore(after(53.0))), Told::NotBefore(scenario.horizon), Some("same")),
        (Some(Told::NotBefore(after(50.0))), Told::NotBefore(after(55.0)), Some("clearer")),
        (Some(Told::NotBefore(after(20.0))), Told::NotBefore(after(20.1)), Some("same")),
        (Some(Told::NotBefore(after(20.0))), Told::NotBefore(after(35.0)), Some("later")),
        (Some(Told::NotBefore(after(35.0))), Told::NotBefore(after(20.0)), Some("earlier")),
        (Some(Told::NotBefore(after(20.0))), Told::Nothing, Some("undated")),
        (Some(Told::Nothing), Told::NotBefore(after(20.0)), Some("clearer")),
        (Some(Told::Nothing), at(20.0, 24.4, 28.0), Some("dated")),
        (Some(at(20.0, 24.0, 28.0)), Told::Done, Some("done")),
        (Some(Told::Done), at(20.0, 24.0, 28.0), Some("again")),
        (Some(Told::Done), Told::Done, None),
        (None, at(20.0, 24.0, 28.0), Some("new")),
        (None, Told::Nothing, None),
    ];
    let mut told = String::new();
    for (before, now, expected) in cases {
        let (found, sentence) = kind(before, now);
        assert_eq!(found.as_deref(), expected, "{before:?} to {now:?}");
        writeln!(told, "{}: {}", expected.unwrap_or("-"), sentence.unwrap_or_default()).unwrap();
    }
    insta::assert_snapshot!("sentences", told);
}

#[test]
fn an_earlier_post_that_is_none_is_refused_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str| {
        std::fs::write(folder.path().join(NAME), text).unwrap();
        Earlier::read(folder.path(), "any").unwrap_err()
    };
    let forecast = made_of(&founding(), 200, &|r| outcome(r, days_of(r)));
    let good = Announcement::new(&forecast, None, EVERY_MAX).json().unwrap();
    for (from, to, why) in [
        ("\"schema_version\": 1", "\"schema_version\": 2", "has shape 2"),
        ("\"moved_share\": 0.2", "\"moved_share\": 7", "moved_share is 7"),
        ("\"state\": \"expected\"", "\"state\": \"soon\"", "state is \"soon\""),
        ("2012-10-10T13:00:00Z", "yesterday", "\"yesterday\" is no time"),
        ("\"first_utc\": \"2012-10", "\"first_utc\": \"2013-10", "its dates are out of order"),
        ("{", "", "is not ours"),
    ] {
        assert!(good.contains(from), "{from} in {good}");
        let told = read(&good.replacen(from, to, 1));
        assert!(told.contains(why) && told.contains(NAME), "{told}");
    }
    assert!(read(&" ".repeat(2 << 20)).contains("larger than 1 MiB"));
    let nothing = Earlier::read(&folder.path().join("no"), "any").unwrap_err();
    assert!(nothing.contains("no earlier post and no forecast in"), "{nothing}");
}

#[test]
fn a_forecast_that_was_published_is_an_earlier_post_too() {
    use crate::report::About;
    use crate::report::files::{RunFacts, write};
    let root = tempfile::tempdir().unwrap();
    let forecast = made_of(&founding(), 200, &|r| outcome(r, days_of(r)));
    let run = RunFacts { wall_s: 1.0, cpu_s: None, cpu_per_mailbox_and_replication_ns: None, threads: 2 };
    write(root.path(), "small", &forecast, &About::default(), &run).unwrap();
    for folder in [root.path().to_owned(), root.path().join("small")] {
        let earlier = Earlier::read(&folder, "small").unwrap();
        for known in told_of(&forecast) {
            let name = forecast.scenario.milestone_name(&known.milestone);
            assert_eq!(earlier.told(&name), Some(known.told), "{name}");
        }
    }
}
