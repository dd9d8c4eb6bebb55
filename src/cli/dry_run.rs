//! `drawdown run --dry-run`: what a run would do, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::live::outlook::{Outlook, Why};
use crate::migration::message::{Command, StopCause};
use crate::scenario::Scenario;
use crate::units::{Bytes, Time};

/// Names and moves that are listed one by one; of more, how many.
const LISTED: usize = 20;

/// The page.
pub(super) fn page(scenario: &Scenario, outlook: &Outlook) -> String {
    let mut page = String::new();
    let _ = writeln!(page, "DRY RUN at {}: nothing is written, held or moved", local(scenario, outlook.now));
    for line in &outlook.said {
        let _ = writeln!(page, "{line}");
    }
    for store in &outlook.unsampled {
        let _ = writeln!(page, "no sample: {store}; nothing would start that needs it");
    }
    at_once(&mut page, scenario, outlook);
    moves(&mut page, scenario, outlook);
    staying(&mut page, scenario, outlook);
    for (at, why) in &outlook.stops {
        let why = match why {
            StopCause::WaveGo => "a wave has soaked and waits for a go (`drawdown resume`)".to_owned(),
            other => format!("{other:?}"),
        };
        let _ = writeln!(page, "it would stop by itself: {why}, at {} at the earliest", local(scenario, *at));
    }
    page
}

/// What would be asked for before anything has ended.
fn at_once(page: &mut String, scenario: &Scenario, outlook: &Outlook) {
    page.push_str("\nAT ONCE\n");
    for command in &outlook.first {
        let _ = match *command {
            Command::SetPace { head, streams, .. } => {
                writeln!(page, "{}: {streams} streams may progress", scenario.heads[head.index()])
            }
            Command::StartCopy { mailbox, from, to, bytes, .. } => {
                let (from, to) = (&scenario.heads[from.index()], &scenario.clusters[to.index()]);
                writeln!(page, "copy {}, {bytes}, {from} to {to}", outlook.names[mailbox.index()])
            }
            Command::SetIntake { cluster, .. } => {
                writeln!(page, "new accounts go to {}", scenario.clusters[cluster.index()])
            }
            Command::Purge { batch, from, .. } => {
                let names: Vec<&str> =
                    batch.mailboxes().iter().map(|mailbox| outlook.names[mailbox.index()].as_str()).collect();
                writeln!(page, "remove the old copies of {} on {}", names.join(", "), scenario.heads[from.index()])
            }
            Command::Audit { head, .. } => writeln!(page, "look whether {} is empty", scenario.heads[head.index()]),
            Command::Announce { milestone, .. } => writeln!(page, "announce: {}", scenario.milestone_name(&milestone)),
            // Those who stay are listed below.
            Command::SetAside { .. } | Command::Switch { .. } | Command::Abandon { .. } => Ok(()),
        };
    }
    for (head, binds) in scenario.heads.iter().zip(&outlook.binds) {
        let _ = writeln!(page, "{head} is bound by: {}", binds.name());
    }
}

fn moves(page: &mut String, scenario: &Scenario, outlook: &Outlook) {
    page.push_str("\nMOVES, in this order\n");
    for (number, coming) in (1..).zip(outlook.coming.iter().take(LISTED)) {
        let (from, to) = (&scenario.heads[coming.from.index()], &scenario.clusters[coming.to.index()]);
        let _ = write!(page, "{number:>3}. {}, {}, {from} to {to}", coming.user, coming.bytes);
        if coming.at > outlook.now {
            let _ = write!(page, ", not before {}", local(scenario, coming.at));
        }
        page.push('\n');
    }
    if outlook.coming.len() > LISTED {
        let _ = writeln!(page, "     and {} more", outlook.coming.len() - LISTED);
    }
    let mut placed: BTreeMap<_, (u64, Bytes)> = BTreeMap::new();
    for coming in &outlook.coming {
        let (count, bytes) = placed.entry((coming.to, coming.from)).or_default();
        *count += 1;
        *bytes += coming.bytes;
    }
    for ((to, from), (count, bytes)) in placed {
        let (from, to) = (&scenario.heads[from.index()], &scenario.clusters[to.index()]);
        let _ = writeln!(page, "to {to} from {from}: {count} mailboxes, {bytes}");
    }
}

fn staying(page: &mut String, scenario: &Scenario, outlook: &Outlook) {
    let mut by_why: BTreeMap<(Why, u8), Vec<&str>> = BTreeMap::new();
    for staying in &outlook.staying {
        by_why.entry((staying.why, staying.on.0)).or_default().push(&staying.user);
    }
    if by_why.is_empty() {
        return;
    }
    page.push_str("\nHELD BACK\n");
    for ((why, head), users) in by_why {
        let why = match why {
            Why::Excluded => "excluded by the plan".to_owned(),
            Why::SetAside(Some(fault)) => format!("set aside after {fault:?}, for `drawdown retry`"),
            Why::SetAside(None) => "set aside: larger than any cluster could take".to_owned(),
            Why::Bound(binding) => format!("two weeks ahead still bound by: {}", binding.name()),
        };
        let some = users.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
        let more = users.len().saturating_sub(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(page, "{} on {}, {why}: {some}{more}", users.len(), scenario.heads[usize::from(head)]);
    }
}

fn local(scenario: &Scenario, time: Time) -> String {
    let stamp = Timestamp::from_microsecond(time.unix_micros()).unwrap_or(Timestamp::UNIX_EPOCH);
    stamp.to_zoned_datetime(scenario.time_zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{ClusterId, HeadId};
    use crate::live::outlook::{Coming, Staying};
    use crate::migration::message::{Binding, Fault};
    use crate::scenario::{ReadSettings, Source, starter};
    use crate::units::Span;

    #[test]
    fn the_page_names_who_is_held_back_and_where_it_would_stop() {
        let source = Source::from_text("starter", starter(), &ReadSettings::default()).unwrap();
        let scenario = source.middle();
        let now = scenario.as_of;
        let coming = |number: u32| Coming {
            user: format!("user-{number}"),
            from: HeadId(0),
            to: ClusterId(0),
            bytes: Bytes::new(2_000_000),
            at: now + Span::from_secs(if number < 21 { 0 } else { 3_600 }),
        };
        let staying = |user: &str, why| Staying { user: user.to_owned(), on: HeadId(0), why };
        let outlook = Outlook {
            now,
            said: vec!["alice is held".to_owned()],
            unsampled: vec!["head-1: gone".to_owned()],
            first: Vec::new(),
            binds: vec![Binding::Window; scenario.heads.len()],
            coming: (1..=22).map(coming).collect(),
            staying: vec![
                staying("bob", Why::Excluded),
                staying("carol", Why::SetAside(Some(Fault::Permanent))),
                staying("dave", Why::Bound(Binding::NoRoom)),
                staying("erin", Why::Bound(Binding::NoRoom)),
            ],
            stops: vec![(now, StopCause::WaveGo)],
            names: Vec::new(),
        };
        let page = page(scenario, &outlook);
        let (head, cluster) = (&scenario.heads[0], &scenario.clusters[0]);
        for line in [
            "alice is held".to_owned(),
            "no sample: head-1: gone; nothing would start that needs it".to_owned(),
            format!("{head} is bound by: window"),
            format!("  1. user-1, {}, {head} to {cluster}", Bytes::new(2_000_000)),
            "     and 2 more".to_owned(),
            format!("to {cluster} from {head}: 22 mailboxes, {}", Bytes::new(44_000_000)),
            format!("1 on {head}, excluded by the plan: bob"),
            format!("1 on {head}, set aside after Permanent, for `drawdown retry`: carol"),
            format!("2 on {head}, two weeks ahead still bound by: no room: dave, erin"),
        ] {
            assert!(page.lines().any(|told| told == line), "{line}\n{page}");
        }
        assert!(page.contains("waits for a go (`drawdown resume`)"), "{page}");
    }
}
