//! The page of hand-made forecasts: whole, well formed, and never more than text where a scenario speaks.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::chart;
use super::super::tests::{about, uncertain};
use super::*;
use crate::fleet::MailboxId;
use crate::forecast::testing::{days_of, made, made_of, outcome, scenario};
use crate::migration::message::{Binding, Milestone};
use crate::migration::plan::Plan;
use crate::units::Share;

const VOID: [&str; 2] = ["meta", "br"];

fn page(forecast: &Forecast, about: &About) -> String {
    render(forecast, about, &chart::pictures(forecast, about.past.as_ref())).unwrap()
}

/// What a page is made of.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    /// An element's beginning: its name, its attributes with their values, and whether it ends by itself.
    Open(&'a str, Vec<(&'a str, &'a str)>, bool),
    Close(&'a str),
    Text(&'a str),
}

/// Reads a page as strictly as XML: values are quoted, and `<` stands for markup alone.
fn pieces(page: &str) -> Vec<Piece<'_>> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a document type");
    let mut pieces = Vec::new();
    while let Some(start) = rest.find('<') {
        if start > 0 {
            pieces.push(Piece::Text(&rest[..start]));
        }
        let end = rest[start..].find('>').expect("an end of a tag") + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            pieces.push(Piece::Close(name));
            continue;
        }
        let (tag, ends) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut left) = tag.split_once([' ', '\n']).unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while !left.trim().is_empty() {
            let (key, value) = left.trim_start().split_once("=\"").unwrap_or_else(|| panic!("{tag}"));
            let (value, more) = value.split_once('"').unwrap_or_else(|| panic!("{tag}"));
            attributes.push((key, value));
            left = more;
        }
        pieces.push(Piece::Open(name, attributes, ends));
    }
    assert!(rest.trim().is_empty(), "{rest}");
    pieces
}

/// The names of elements and attributes, after a look whether every element ends where it should.
fn names(page: &str) -> BTreeSet<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut names = BTreeSet::new();
    for piece in pieces(page) {
        match piece {
            Piece::Open(name, attributes, ends) => {
                for (key, value) in attributes {
                    names.insert(format!("{name} {key}"));
                    assert!(key != "href" || value.starts_with('#'), "{name} {key} {value}");
                    assert!(!key.starts_with("on") && key != "src" && key != "style", "{name} {key} {value}");
                }
                names.insert(name.to_owned());
                if !ends && !VOID.contains(&name) {
                    open.push(name);
                }
            }
            Piece::Close(name) => assert_eq!(open.pop(), Some(name), "in {open:?}"),
            Piece::Text(text) => assert!(open.last() == Some(&"style") || !text.contains('>'), "{text}"),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    names
}

/// What is read, without the charts: a line an element.
fn text(page: &str) -> String {
    let mut lines = String::new();
    let mut hidden: Vec<&str> = Vec::new();
    for piece in pieces(page) {
        match piece {
            Piece::Open(name @ ("style" | "svg" | "head"), ..) => hidden.push(name),
            Piece::Close(name) if hidden.last() == Some(&name) => {
                hidden.pop();
            }
            Piece::Text(text) if hidden.is_empty() && !text.trim().is_empty() => {
                lines.push_str(text.trim());
                lines.push('\n');
            }
            Piece::Open(..) | Piece::Close(_) | Piece::Text(_) => {}
        }
    }
    lines.replace('\u{a0}', " ")
}

/// A name of forty letters without a space lay over the headings beside it.
#[test]
fn a_heading_that_is_longer_than_its_column_breaks_on_screens_and_on_paper() {
    let rules: Vec<&str> = STYLE.lines().filter(|rule| rule.contains("thead th {")).collect();
    assert_eq!(rules.len(), 2, "{rules:?}");
    assert!(rules.iter().all(|rule| rule.contains("overflow-wrap: break-word")), "{rules:?}");
}

#[test]
fn the_page_says_what_the_other_forms_say() {
    let page = page(&uncertain(), &about());
    names(&page);
    insta::assert_snapshot!(text(&page));
}

#[test]
fn the_answer_comes_first_and_is_honest() {
    let first = |forecast: &Forecast| {
        let page = page(forecast, &About::default());
        names(&page);
        let (_, rest) = page.split_once("id=\"the-answer\">").expect("an answer");
        let (answer, after) = rest.split_once("</p>").expect("its end");
        (answer.replace('\u{a0}', " "), page[..page.len() - after.len()].contains("INCOMPLETE"))
    };
    let done = made(200, &|r| outcome(r, days_of(r)));
    assert_eq!(first(&done).0, "All mailboxes are off the old storage by November 8 (80 %: November 6 to 9).");
    let mut cut = made(40, &|r| outcome(r, days_of(r)));
    cut.rule.interrupted = true;
    assert!(first(&cut).1 && !first(&done).1);
    let few = first(&made(2, &|r| outcome(r, days_of(r)))).0;
    assert_eq!(few, "All mailboxes are off the old storage November 6 to 7 in 2 replications, too few for a median.");
    let without = |unfinished: Option<Binding>| {
        let never = move |r: u32| {
            let mut outcome = outcome(r, days_of(r));
            outcome.reached = vec![None; outcome.reached.len()];
            outcome.unfinished = unfinished;
            outcome
        };
        first(&made(100, &never)).0
    };
    assert_eq!(
        without(Some(Binding::NoRoom)),
        "Mailboxes are still on the old storage on December 9, as far as this forecast looks, in every replication."
    );
    assert_eq!(without(None), "Some mailboxes stay on the old storage in every replication.");
}

#[test]
fn dates_that_never_come_because_of_mailboxes_set_aside_say_so() {
    let told = |waits: bool, unfinished: Option<Binding>| {
        let mut scenario = scenario();
        let mut plan = Plan::clone(&scenario.plan);
        plan.attempts.wait_for_person = waits;
        scenario.plan = Arc::new(plan);
        scenario.milestones.push(Milestone::ShareMoved { share: Share::ONE });
        let forecast = made_of(&scenario, 100, &|r| {
            let mut outcome = outcome(r, days_of(r));
            let stay = r < 40;
            outcome.heads[0].set_aside = if stay { 2 } else { 0 };
            outcome.unfinished = unfinished.filter(|_| stay);
            let moved = outcome.reached[0].filter(|_| !stay);
            outcome.reached.push(moved);
            outcome
        });
        page(&forecast, &about()).replace('\u{a0}', " ")
    };
    let never = "100 % moved: never in 40 % of the replications, since mailboxes that were set aside stay where they are; \
                 [operator] resolves_after says after how long somebody sees to them.";
    assert!(told(false, None).contains(never));
    assert!(!told(true, None).contains("set aside stay where they are"));
    let waits = "At the horizon mailboxes set aside wait for a person in 40 % of the replications.";
    assert!(told(true, Some(Binding::Paused)).contains(waits));
    assert!(!told(true, Some(Binding::NoRoom)).contains("wait for a person"));
}

#[test]
fn the_answer_tells_which_mailboxes_stay() {
    let staying = |excluded: u32, set_aside: f64| {
        let mut scenario = scenario();
        let mut plan = Plan::clone(&scenario.plan);
        plan.order.excluded = (0..excluded).map(MailboxId).collect();
        scenario.plan = Arc::new(plan);
        let mut forecast = made_of(&scenario, 100, &|r| outcome(r, days_of(r)));
        for head in &mut forecast.heads {
            head.impact.set_aside = set_aside;
        }
        let told = rows::staying(&forecast);
        let page = page(&forecast, &about());
        assert_eq!(page.contains("on the heads.</p>"), told.is_some());
        told.unwrap_or_default()
    };
    assert_eq!(staying(0, 0.2), "");
    assert_eq!(staying(0, 0.3), "About 1 mailbox set aside stays on the heads.");
    assert_eq!(staying(2, 0.2), "2 mailboxes excluded by the plan stay on the heads.");
    assert_eq!(staying(1, 8.6), "About 17 mailboxes set aside, and 1 excluded by the plan, stay on the heads.");
    // Where they are not all off, the answer says so already.
    let unfinished = made(100, &|r| {
        let mut outcome = outcome(r, days_of(r));
        outcome.reached = vec![None; outcome.reached.len()];
        outcome
    });
    assert_eq!(rows::staying(&unfinished), None);
}

#[test]
fn a_scenario_puts_nothing_but_text_into_the_page() {
    let harmless = page(&uncertain(), &about());
    let attacks = [
        "</title><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "\"><a href=\"javascript:alert(1)\">x</a>",
        "' onmouseover='alert(1)",
        "--><!-- ]]><svg/onload=alert(1)>",
        "[x](javascript:alert(1)) \u{202e}\0\u{1b}[31m",
    ];
    for attack in attacks {
        let mut scenario = scenario();
        scenario.name = attack.into();
        scenario.heads[0] = attack.into();
        scenario.clusters[0] = attack.into();
        scenario.expectations[0].by = attack.into();
        let mut about = about();
        (about.file, about.command) = (attack.into(), attack.into());
        (about.observed, about.warnings) = (vec![attack.into()], vec![attack.into()]);
        for note in &mut about.notes {
            (note.text, note.source, note.keys) = (attack.into(), attack.into(), vec![attack.into()]);
        }
        let input = &mut about.uncertain[0];
        (input.key, input.low, input.high) = (attack.into(), attack.into(), attack.into());
        let page = page(&made_of(&scenario, 100, &|r| outcome(r, days_of(r))), &about);
        let new: Vec<String> = names(&page).difference(&names(&harmless)).cloned().collect();
        assert!(new.is_empty(), "{attack}: {new:?}");
        assert!(!page.contains(['\0', '\u{1b}', '\u{202e}']), "{attack}");
        for picture in chart::pictures(&made_of(&scenario, 100, &|r| outcome(r, days_of(r))), None) {
            let svg = picture.svg(Paper::FILE).unwrap();
            names(&format!("<!DOCTYPE html>{svg}"));
            assert!(!svg.contains("<script") && !svg.contains("<img") && !svg.contains("<a "), "{attack}");
        }
    }
}

#[test]
fn the_page_is_for_everybody() {
    let page = page(&uncertain(), &about());
    let (mut ids, mut last_heading, mut headings) = (BTreeSet::new(), 0, 0);
    let (mut referred, mut charts) = (Vec::new(), 0);
    for piece in pieces(&page) {
        let Piece::Open(name, attributes, _) = piece else { continue };
        let value = |wanted: &str| attributes.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value);
        if let Some(id) = value("id") {
            assert!(ids.insert(id), "{id} twice");
        }
        referred.extend(value("aria-labelledby").into_iter().flat_map(str::split_whitespace));
        referred.extend(value("href").map(|to| to.trim_start_matches('#')));
        if let Some(level) = name.strip_prefix('h').and_then(|level| level.parse::<u32>().ok()) {
            assert!(level <= last_heading + 1, "h{level} after h{last_heading}");
            (last_heading, headings) = (level, headings + 1);
        }
        if name == "svg" {
            assert!(value("role") == Some("img") && value("aria-labelledby").is_some());
            charts += 1;
        }
        if name == "th" {
            assert!(value("scope").is_some());
        }
        assert!(name != "html" || value("lang") == Some("en"));
    }
    assert!(referred.iter().all(|id| ids.contains(id)), "{referred:?}");
    assert_eq!((charts, headings > 10), (12, true));
    assert_eq!(page.matches("<table").count(), page.matches("<caption").count());
    for landmark in ["<main>", "<header>", "<footer>", "<nav "] {
        assert_eq!(page.matches(landmark).count(), 1, "{landmark}");
    }
    assert!(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"));
}

#[test]
fn a_number_keeps_its_unit_and_a_command_is_as_it_was() {
    assert_eq!(
        as_text("5.4 h, 80 %: 2 d later by 3 ms. So 7 heads"),
        "5.4\u{a0}h, 80\u{a0}%: 2\u{a0}d later by 3\u{a0}ms. So 7 heads"
    );
    assert_eq!(as_text(" a  h "), " a  h ");
    let command = "drawdown forecast small.toml --set plan.pace='40 %'";
    let about = About { command: command.into(), ..about() };
    let page = page(&made(40, &|r| outcome(r, days_of(r))), &about);
    assert!(page.contains("small.toml --set plan.pace='40 %'"), "the command is not as it was");
}
