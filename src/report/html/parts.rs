//! Parts of the page that the other forms of the report do not have, or not as fully.

use maud::{Markup, html};

use super::super::wording::{Calendar, count, percent, shown};
use super::super::{About, standing};
use super::{as_text, table};
use crate::forecast::Forecast;
use crate::scenario::{Note, NoteKind};

/// How far the migration is when the forecast starts, and what was observed.
pub(super) fn progress(forecast: &Forecast, about: &About) -> Markup {
    let scenario = &forecast.scenario;
    let standings = standing::by_head(scenario);
    let sum = |of: fn(&standing::Standing) -> f64| standings.iter().map(of).sum::<f64>();
    let (all, moved) = (sum(|head| head.all), sum(standing::Standing::moved));
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let row = |(name, head): (&String, &standing::Standing)| {
        let done = percent(share(head.moved(), head.all));
        vec![name.clone(), count(head.all), count(head.moved()), count(head.left), done]
    };
    let rows: Vec<Vec<String>> = scenario.heads.iter().zip(&standings).map(row).collect();
    let header = ["head", "mailboxes", "moved", "still there", "done"].map(str::to_owned);
    let start = Calendar::new(scenario).stamp(scenario.as_of);
    let told = format!(
        "{} of {} mailboxes ({}) have moved when the forecast starts, {start}.",
        count(moved),
        count(all),
        percent(share(moved, all))
    );
    html! {
        p { (as_text(&told)) }
        p { progress max="100" value=(format!("{:.0}", (share(moved, all) * 100.0).floor())) aria-label="Mailboxes moved" {} }
        (table("Mailboxes by head", &header, &rows))
        @for line in &about.observed { p { (as_text(line)) } }
    }
}

/// What the scenario says about its own numbers, with who says so.
pub(super) fn notes(about: &About) -> Option<Markup> {
    let of = |kind: NoteKind| about.notes.iter().filter(move |note| note.kind == kind).collect::<Vec<_>>();
    let list = |caption: &str, notes: &[&Note]| {
        html! {
            @if !notes.is_empty() {
                h3 { (caption) }
                table.prose {
                    caption { (caption) ", who says so, and the keys of the scenario that they are about" }
                    thead { tr { th scope="col" { "what" } th scope="col" { "source" } th scope="col" { "keys" } } }
                    tbody { @for note in notes { (row(note)) } }
                }
            }
        }
    };
    (!about.notes.is_empty()).then(|| {
        html! {
            (list("Assumptions", &of(NoteKind::Assumption)))
            (list("Facts", &of(NoteKind::Fact)))
        }
    })
}

fn row(note: &Note) -> Markup {
    html! {
        tr {
            th scope="row" {
                (as_text(&note.text))
                @if note.chosen_to_fit { " " strong { "[chosen so that the dates fit]" } }
            }
            td { (as_text(&note.source)) }
            td { (as_text(&note.keys.join(", "))) }
        }
    }
}

/// How to get the same numbers again.
pub(super) fn repeat(forecast: &Forecast, about: &About) -> Markup {
    let hash = |file: &str, sum: &str| format!("{file}, SHA-256 {sum}");
    let mut rows = vec![
        ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("seed".to_owned(), forecast.settings.seed.to_string()),
        ("replications".to_owned(), count(forecast.replications.len() as f64)),
        ("scenario, resolved".to_owned(), hash(&about.file, &about.scenario_sha256)),
    ];
    rows.extend(about.inventory.iter().map(|known| ("inventory".to_owned(), hash(&known.file, &known.sha256))));
    rows.extend(about.load.iter().map(|known| ("measured load".to_owned(), hash(&known.file, &known.sha256))));
    html! {
        // As it is, to be copied: a unit that is kept by its number would be none of a scenario.
        pre { code { (shown(&about.command)) } }
        table.prose {
            caption { "What these numbers depend on" }
            thead { tr { th scope="col" { "what" } th scope="col" { "value" } } }
            tbody { @for (what, value) in &rows { tr { th scope="row" { (what) } td { (as_text(value)) } } } }
        }
    }
}
