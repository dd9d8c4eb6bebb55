//! Mailboxes that dates excuse: those that were set aside wait for a person, and a head counts as empty without them.

use super::wording::{count, percent};
use super::{rows, standing};
use crate::forecast::Forecast;
use crate::migration::message::Milestone;
use crate::scenario::Scenario;

/// From this share of what was to move on, nothing is said to be empty or everything without them.
const TOLD_FROM: f64 = 0.01;

/// How many a milestone excuses, mean of the replications, where they are so many that its sentence would be wrong without them.
pub(super) fn excused(forecast: &Forecast, milestone: Milestone) -> Option<f64> {
    let aside = |head: usize| forecast.heads[head].impact.set_aside;
    let is_much = share(forecast) >= TOLD_FROM;
    let number = match milestone {
        Milestone::AllEmptied if is_much => all(forecast),
        Milestone::HeadEmptied { head, .. } => {
            let head = head.index();
            // A small head may be hardly touched though of all mailboxes few are left.
            let on_it = standing::by_head(&forecast.scenario)[head].all;
            if is_much || aside(head) >= TOLD_FROM * on_it { aside(head) } else { 0.0 }
        }
        _ => 0.0,
    };
    (number >= 0.5).then_some(number)
}

/// "but for about 1,902 mailboxes that wait for a person", where a milestone's sentence needs it.
pub(super) fn but_for(forecast: &Forecast, milestone: Milestone) -> Option<String> {
    excused(forecast, milestone).map(but_for_about)
}

/// The same of any number.
pub(super) fn but_for_about(number: f64) -> String {
    let (mailboxes, wait) = if number < 1.5 { ("mailbox", "waits") } else { ("mailboxes", "wait") };
    format!("but for about {} {mailboxes} that {wait} for a person", count(number))
}

/// Whether so many, of what a scenario has to move, may not go without a word.
pub(super) fn is_much(number: f64, scenario: &Scenario) -> bool {
    number >= 0.5 && share_of(number, scenario) >= TOLD_FROM
}

/// What is said where the dates excuse much of what was to move.
pub(super) fn warning(forecast: &Forecast) -> Option<String> {
    let share = share(forecast);
    (share >= TOLD_FROM).then(|| {
        format!(
            "about {} mailboxes, {} of what was to move, are set aside and wait for a person (mean of the replications): \
             a head counts as empty but for them, and so does everything",
            count(all(forecast)),
            percent(share)
        )
    })
}

fn all(forecast: &Forecast) -> f64 {
    forecast.heads.iter().map(|head| head.impact.set_aside).sum()
}

/// Their share of what was to move before the migration began: towards its end those that are set aside are most of what is left.
fn share(forecast: &Forecast) -> f64 {
    share_of(all(forecast), &forecast.scenario)
}

fn share_of(number: f64, scenario: &Scenario) -> f64 {
    let on_heads: f64 = standing::by_head(scenario).iter().map(|head| head.all).sum();
    let to_move = on_heads - rows::excluded(scenario) as f64;
    if to_move > 0.0 { number / to_move } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::gate::{self, Doubt, Earlier, Gate};
    use super::super::{About, announcement, document, markdown, report, terminal};
    use super::*;
    use crate::fleet::HeadId;
    use crate::forecast::testing::{after, days_of, made_of, outcome, scenario};
    use crate::scenario::Expectation;
    use crate::units::{Share, Span};

    /// Of 400,000 mailboxes so many stay, a third of them on the first head.
    fn forecast(stay: u32) -> Forecast {
        let mut scenario = scenario();
        scenario.expectations = vec![Expectation {
            milestone: Milestone::AllEmptied,
            before: after(40.0),
            by: "2012-11-18".into(),
            probability: Share::from_ppm(900_000),
        }];
        made_of(&scenario, 100, &|r| {
            let mut outcome = outcome(r, days_of(r));
            outcome.moved = u64::from(400_000 - stay);
            (outcome.heads[0].set_aside, outcome.heads[1].set_aside) = (stay / 3, stay - stay / 3);
            outcome
        })
    }

    /// As it reads, however its lines are broken.
    fn flat(page: &str) -> String {
        anstream::adapter::strip_str(page).to_string().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn nothing_claims_everything_where_much_is_set_aside() {
        let forecast = forecast(390_000);
        let all =
            "Everything, but for about 390,000 mailboxes that wait for a person, is off the old storage November 8";
        let head = "head-1, but for about 130,000 mailboxes that wait for a person, is empty October";
        let warning = "about 390,000 mailboxes, 98 % of what was to move, are set aside and wait for a person";
        let about = About::default();
        let gates = [Gate {
            file: "small.toml",
            forecast: &forecast,
            earlier: Earlier::NotAsked,
            may_not_be_later: false,
            warnings: &[],
        }];
        for page in [
            flat(&terminal::render(&report(&forecast, &about))),
            flat(&markdown::render(&report(&forecast, &about))),
            flat(&terminal::render(&gate::report(&gates))),
            flat(&gate::markdown(&gates)),
        ] {
            for told in [all, head, warning] {
                assert!(page.contains(told), "{told}: {page}");
            }
            assert!(page.contains("wanted 90 %, but for about 390,000 mailboxes that wait for a person"), "{page}");
        }
        let headline = rows::headline(&forecast);
        let told = "All mailboxes, but for about 390,000 mailboxes that wait for a person, are off the old storage by ";
        assert!(headline.starts_with(told), "{headline}");
        let documents =
            [serde_json::to_value(document::document(&forecast, &about)), serde_json::to_value(gate::document(&gates))];
        for document in documents.map(Result::unwrap) {
            assert!(document.to_string().contains(warning), "{document}");
        }
        let junit = gate::junit(&gates, Doubt::Stays).unwrap();
        assert!(junit.contains("but for about 390,000 mailboxes") && junit.contains(warning), "{junit}");
        let post = announcement::Announcement::new(&forecast, None, Span::from_secs(86_400));
        let post = serde_json::to_string(&post).unwrap();
        assert!(post.contains("We expect all mailboxes but about 390,000 to be off the old storage"), "{post}");
        assert!(post.contains("We expect head-1 to be empty but for about 130,000 mailboxes"), "{post}");
    }

    #[test]
    fn a_few_are_told_apart_from_the_dates() {
        let few = forecast(300);
        assert_eq!((warning(&few), but_for(&few, Milestone::AllEmptied)), (None, None));
        // A head of which all is set aside is not said to be empty, however small it is.
        let mut small = scenario();
        let population = &mut std::sync::Arc::make_mut(&mut small.model).population;
        population.split = vec![Share::from_ppm(500), Share::from_ppm(999_500)];
        let small = made_of(&small, 100, &|r| {
            let mut outcome = outcome(r, days_of(r));
            (outcome.heads[0].set_aside, outcome.heads[1].set_aside) = (200, 0);
            outcome
        });
        let head = |head| Milestone::HeadEmptied { head: HeadId(head), set_aside: 0 };
        assert_eq!((excused(&small, head(0)), excused(&small, head(1))), (Some(200.0), None));
        assert_eq!(excused(&small, Milestone::AllEmptied), None);
    }
}
