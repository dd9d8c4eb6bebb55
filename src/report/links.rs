//! Links between the stores: how long each held copies.

use serde::Serialize;

use super::Block;
use super::sections::plain;
use super::wording::percent;
use crate::forecast::Forecast;

/// A link in the document.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct LinkPart {
    /// Its name.
    name: String,
    /// Share of the time until all heads are emptied in which it held copies.
    held: f64,
}

fn by_link(forecast: &Forecast) -> impl Iterator<Item = (&String, f64)> {
    let names = forecast.scenario.model.links.iter().map(|link| &link.name);
    names.zip(forecast.links.iter().copied())
}

/// The links in the document.
pub(super) fn parts(forecast: &Forecast) -> Vec<LinkPart> {
    by_link(forecast).map(|(name, held)| LinkPart { name: name.clone(), held }).collect()
}

/// The links on the page, a line each.
pub(super) fn lines(forecast: &Forecast) -> impl Iterator<Item = Block> {
    by_link(forecast).map(|(name, held)| {
        plain(format!("link {name}: held copies back {} of the time until all heads are emptied", percent(held)))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::forecast::testing::{days_of, made_of, outcome, scenario};
    use crate::scenario::model::LinkModel;
    use crate::units::Span;

    #[test]
    fn a_link_is_told_with_its_share_of_the_time_until_all_heads_are_emptied() {
        let mut scenario = scenario();
        let link = |name: &str| LinkModel { name: name.into(), heads: vec![], clusters: vec![], left: vec![] };
        Arc::make_mut(&mut scenario.model).links = vec![link("uplink"), link("core")];
        let forecast = made_of(&scenario, 20, &|r| {
            let held = Span::from_secs_f64(days_of(r) * 86_400.0 / 4.0);
            crate::sim::Outcome { held_by_links: vec![held, Span::ZERO], ..outcome(r, days_of(r)) }
        });
        let lines: Vec<Block> = lines(&forecast).collect();
        let [Block::Line(_, uplink), Block::Line(_, core)] = &lines[..] else { panic!("two lines") };
        assert_eq!(uplink, "link uplink: held copies back 25 % of the time until all heads are emptied");
        assert_eq!(core, "link core: held copies back 0 % of the time until all heads are emptied");
        assert!((parts(&forecast)[0].held - 0.25).abs() < 1e-6);
        let without = made_of(&crate::forecast::testing::scenario(), 20, &|r| outcome(r, days_of(r)));
        assert_eq!((parts(&without).len(), super::lines(&without).count()), (0, 0));
    }
}
