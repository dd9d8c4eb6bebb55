//! The shape of `announcement.json`: what a later post is held against, and all that a template is given.

use serde::Serialize;

use super::Announcement;

/// Version of the shape.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// What a later post has to know of this one.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Record {
    /// Version of this shape: fields are only ever added while it stays the same.
    pub(super) schema_version: u32,
    /// Version of the program.
    pub(super) version: &'static str,
    /// The scenario's title.
    pub(super) scenario: String,
    /// The moment that the post is of, in UTC: `2012-10-10T13:00:00Z`.
    pub(super) as_of_utc: String,
    /// How far its forecast looked, in UTC: what is not expected before that may still come at any time after it.
    pub(super) horizon_utc: String,
    /// Of all mailboxes that are to move, a share of 1.
    pub(super) moved_share: f64,
    /// The last day for the next post, in the scenario's zone: `2012-10-20`; null after the last post.
    pub(super) next_update_by: Option<String>,
    /// Of each head, each cluster, and all mailboxes.
    pub(super) dates: Vec<DateRecord>,
}

/// What was told of a milestone.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct DateRecord {
    /// Its name, as scenarios have it.
    pub(super) milestone: String,
    /// `done`, `expected`, `not_before` (whether at all is open) or `unknown`.
    pub(super) state: &'static str,
    /// P10 in UTC, or the date before which it is not expected; null where there is none.
    pub(super) first_utc: Option<String>,
    /// Median in UTC, where it is expected.
    pub(super) median_utc: Option<String>,
    /// P90 in UTC, where it is expected.
    pub(super) last_utc: Option<String>,
    /// In words.
    pub(super) told: String,
}

/// The whole document.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Document<'a> {
    #[serde(flatten)]
    record: &'a Record,
    /// All that a template is given.
    post: &'a Announcement,
}

/// The JSON Schema of the document.
#[cfg(test)]
pub(in crate::report) fn schema() -> serde_json::Value {
    crate::report::schema::of::<Document<'_>>("A post of drawdown", SCHEMA_VERSION)
}

impl Announcement {
    /// What a later post is held against, and all that a template is given.
    ///
    /// # Errors
    /// Never: what it holds has a form in JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(&Document { record: &self.record, post: self })? + "\n")
    }
}
