//! Posts that no forecast has made, of every kind that a template may meet: a template is tried on them.

use super::change::Changes;
use super::{Announcement, Head, Line, NextUpdate, Progress, Record, SCHEMA_VERSION};

/// Under way, with and without what has changed; all done.
pub(super) fn all() -> Vec<Announcement> {
    let under_way = under_way();
    let first = Announcement { changes: None, set_aside: None, opening: Vec::new(), ..under_way.clone() };
    let done = Announcement {
        all_done: true,
        heads: under_way.heads.iter().map(|head| Head { state: "done", ..head.clone() }).collect(),
        dates: vec![line("done")],
        next_update: None,
        ..first.clone()
    };
    vec![under_way, first, done]
}

fn under_way() -> Announcement {
    let head = |name: &str, state| Head { name: name.to_owned(), state, progress: progress() };
    Announcement {
        title: "An example".to_owned(),
        today: "October 10, 2012".to_owned(),
        progress: progress(),
        heads: [
            ("head-0", "done"),
            ("head-1", "checking"),
            ("head-2", "moving"),
            ("head-3", "waiting"),
            ("head-4", "waiting"),
        ]
        .map(|(name, state)| head(name, state))
        .to_vec(),
        all_done: false,
        dates: ["done", "expected", "not_before", "unknown"].map(line).to_vec(),
        opening: vec![line("expected")],
        new_accounts: true,
        set_aside: Some("36 mailboxes".to_owned()),
        changes: Some(Changes::example()),
        next_update: Some(NextUpdate {
            by: "Saturday, October 20".to_owned(),
            or_when: Some("head-1 is empty".to_owned()),
        }),
        record: Record {
            schema_version: SCHEMA_VERSION,
            version: env!("CARGO_PKG_VERSION"),
            scenario: "An example".to_owned(),
            as_of_utc: "2012-10-10T13:00:00Z".to_owned(),
            horizon_utc: "2013-02-07T14:00:00Z".to_owned(),
            moved_share: 0.2,
            next_update_by: None,
            dates: Vec::new(),
        },
    }
}

fn progress() -> Progress {
    Progress {
        share: "about 40 %".to_owned(),
        moved: "80,000".to_owned(),
        all: "200,000".to_owned(),
        left: "120,000".to_owned(),
    }
}

fn line(state: &'static str) -> Line {
    Line {
        name: "head-1".to_owned(),
        what: "head-1 is empty".to_owned(),
        state,
        when: "late next week, October 18-20".to_owned(),
        sentence: "We expect head-1 to be empty late next week, October 18-20.".to_owned(),
    }
}
