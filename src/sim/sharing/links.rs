//! Links that several stores share: each caps the bytes of all copies that go over it.

use super::Sharing;
use crate::scenario::model::LinkModel;
use crate::units::{Rate, Span, Time};

#[derive(Clone, Debug)]
pub(super) struct LinkSide {
    /// The stores behind it, a bit each.
    heads: u64,
    clusters: u64,
    /// What other traffic leaves to copies now.
    pub(super) left: Rate,
    /// For how long it has held copies, until the instant from which on it holds some.
    held: Span,
    holds_since: Option<Time>,
}

impl LinkSide {
    /// A link without other traffic yet.
    pub(super) fn new(model: &LinkModel) -> Self {
        Self {
            heads: model.heads.iter().fold(0, |all, head| all | 1 << head.0),
            clusters: model.clusters.iter().fold(0, |all, cluster| all | 1 << cluster.0),
            left: Rate::UNLIMITED,
            held: Span::ZERO,
            holds_since: None,
        }
    }

    /// From now on it holds copies, or none.
    pub(super) fn set_holds(&mut self, now: Time, holds: bool) {
        match (self.holds_since, holds) {
            (None, true) => self.holds_since = Some(now),
            (Some(since), false) => {
                self.held += now.since(since);
                self.holds_since = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// The clusters, a bit each, to which a head's copies go over it.
    const fn carries(&self, head: usize) -> u64 {
        if self.heads >> head & 1 == 1 { u64::MAX } else { self.clusters }
    }
}

impl Sharing {
    /// Sets what other traffic leaves of a link.
    pub(crate) fn set_link(&mut self, link: usize, left: Rate) {
        if self.links[link].left == left {
            return;
        }
        self.links[link].left = left;
        self.count_free_copies();
        // A link that held nobody and will hold nobody leaves every speed what it is.
        if self.capped || self.is_link_tight() {
            let link = &self.links[link];
            let uses = |(place, head)| u64::from(head & link.carries(place) != 0) << place;
            let heads = self.heads.iter().map(|head| head.active).enumerate().map(uses).sum();
            self.affect(heads);
        }
    }

    /// For how long each link has held copies until now.
    pub(crate) fn held_by_links(&self, now: Time) -> Vec<Span> {
        let held = |link: &LinkSide| link.held + link.holds_since.map_or(Span::ZERO, |since| now.since(since));
        self.links.iter().map(held).collect()
    }

    /// The links that a pair's copies go over, a bit each.
    pub(super) fn links_of(&self, head: usize, cluster: usize) -> u64 {
        let mut uses = 0;
        for (place, link) in self.links.iter().enumerate() {
            uses |= (link.carries(head) >> cluster & 1) << place;
        }
        uses
    }

    /// Whether some link is asked for more bytes than it lets through.
    pub(super) fn is_link_tight(&self) -> bool {
        let width = self.clusters.len();
        for link in &self.links {
            let mut asked = 0;
            for head in 0..self.heads.len() {
                let carries = link.carries(head);
                for (cluster, pair) in self.pairs[head * width..][..width].iter().enumerate() {
                    if carries >> cluster & 1 == 1 {
                        asked += pair.bytes_s;
                    }
                }
            }
            if asked > link.left.bytes_per_second() {
                return true;
            }
        }
        false
    }
}
