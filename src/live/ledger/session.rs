//! The facts that a session starts from, as rows, and from rows again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

use super::error::{Doing as _, LedgerError, Trouble};
use super::{Named, NewSession};
use crate::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId};
use crate::live::wire::{self, FORM};
use crate::migration::message::{ClustersSoFar, Event, Facts, Fault, Start, WavesSoFar};
use crate::units::{Bytes, Time};

/// The place in the order of purges of an old copy that is never purged.
const KEPT: i64 = -1;

/// What stands for `Event::Started` among the events: its facts have a table of their own.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StartedText {
    Started { session: u16, version: u32 },
}

/// An event's text in the table of events.
pub(super) fn body(event: &Event) -> String {
    match event {
        Event::Started(start) => wire::text(&StartedText::Started { session: start.session, version: start.version }),
        event => wire::event(event),
    }
}

/// An event from the table of events, in a session that began with this start.
pub(super) fn read_body(kind: &str, body: &str, start: &Arc<Start>) -> Result<Event, Trouble> {
    if kind == "started" {
        let StartedText::Started { session, version } = wire::read("the start of a session", body)?;
        if (session, version) != (start.session, start.version) {
            let why = format!("session {session} of version {version} starts within session {}", start.session);
            return Err(Trouble::Content(why));
        }
        return Ok(Event::Started(Arc::clone(start)));
    }
    let event = wire::read_event(body)?;
    if wire::event_kind(&event) != kind {
        return Err(Trouble::Content(format!("an event of kind {kind} is a {}", wire::event_kind(&event))));
    }
    Ok(event)
}

/// Ledgers of earlier programs have no such table.
const WAVES: &str = "CREATE TABLE IF NOT EXISTS waves (session INTEGER PRIMARY KEY REFERENCES session (number), so_far TEXT NOT NULL) STRICT";

fn read_waves(connection: &Connection, session: u16) -> Result<Option<WavesSoFar>, Trouble> {
    let text = so_far(connection, "waves", session)?;
    Ok(text.map(|text| wire::read("the waves so far", &text)).transpose()?)
}

/// Ledgers of earlier programs have no such table.
const CLUSTERS: &str = "CREATE TABLE IF NOT EXISTS clusters (session INTEGER PRIMARY KEY REFERENCES session (number), so_far TEXT NOT NULL) STRICT";

fn read_clusters(connection: &Connection, session: u16) -> Result<ClustersSoFar, Trouble> {
    let text = so_far(connection, "clusters", session)?;
    Ok(text.map(|text| wire::read("the clusters so far", &text)).transpose()?.unwrap_or_default())
}

/// What such a table has of a session.
fn so_far(connection: &Connection, table: &str, session: u16) -> Result<Option<String>, Trouble> {
    const KNOWN: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)";
    if !connection.query_row(KNOWN, [table], |row| row.get(0))? {
        return Ok(None);
    }
    let select = format!("SELECT so_far FROM {table} WHERE session = ?1");
    Ok(connection.query_row(&select, [session], |row| row.get(0)).optional()?)
}

/// Writes all that a session starts from.
pub(super) fn write(connection: &mut Connection, now: Time, new: &NewSession<'_>) -> Result<(), Trouble> {
    let NewSession { start, mailboxes, scenario, program } = *new;
    let (facts, fleet) = (&start.facts, &start.facts.fleet);
    let transaction = connection.transaction()?;
    transaction.execute(
        "INSERT INTO session VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, NULL, 0)",
        params![
            start.session,
            now.unix_micros(),
            start.version,
            FORM,
            program,
            scenario,
            wire::plan(&start.plan),
            wire::text(&facts.open),
            fleet.len() as i64,
            !fleet.group.is_empty(),
        ],
    )?;
    if let Some(waves) = &facts.waves {
        transaction.execute(WAVES, ())?;
        transaction.execute("INSERT INTO waves VALUES (?1, ?2)", params![start.session, wire::text(waves)])?;
    }
    if !facts.clusters.is_none() {
        transaction.execute(CLUSTERS, ())?;
        transaction
            .execute("INSERT INTO clusters VALUES (?1, ?2)", params![start.session, wire::text(&facts.clusters)])?;
    }
    name_mailboxes(&transaction, start, mailboxes)?;
    let set_aside: BTreeMap<MailboxId, Fault> = facts.set_aside.iter().copied().collect();
    let attempts: BTreeMap<MailboxId, u8> = facts.attempts.iter().copied().collect();
    // Purges come in this order, also where several were switched at one instant.
    let places = facts.unpurged.iter().enumerate();
    let unpurged: BTreeMap<MailboxId, (i64, i64)> =
        places.map(|(place, (mailbox, at))| (*mailbox, (at.unix_micros(), place as i64))).collect();
    let kept: BTreeSet<MailboxId> = facts.kept.iter().copied().collect();
    {
        let mut insert = transaction
            .prepare("INSERT INTO session_mailbox VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")?;
        for mailbox in fleet.ids() {
            let row = mailbox.index();
            let waits = unpurged.get(&mailbox);
            insert.execute(params![
                start.session,
                mailbox.0,
                fleet.origin[row].0,
                home_text(fleet.home[row]),
                fleet.bytes[row].get() as i64,
                fleet.messages[row],
                fleet.activity_micro_op_s[row],
                fleet.group.get(row),
                attempts.get(&mailbox).copied().unwrap_or(0),
                set_aside.get(&mailbox).map(|fault| fault_text(*fault)),
                waits.map(|(at, _)| at),
                waits.map(|(_, place)| *place).or(kept.contains(&mailbox).then_some(KEPT)),
            ])?;
        }
    }
    Ok(transaction.commit()?)
}

/// Gives new mailboxes their rows, and looks that those known already are who they were.
fn name_mailboxes(connection: &Connection, start: &Start, mailboxes: &[Named]) -> Result<(), Trouble> {
    let mut known: Vec<Named> = Vec::new();
    let mut select = connection.prepare("SELECT id, name, path FROM mailbox ORDER BY id")?;
    let mut rows = select.query(())?;
    while let Some(row) = rows.next()? {
        let (id, name, path): (u32, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let place = known.len();
        match mailboxes.get(place) {
            Some(named) if id as usize == place && named.name == name => known.push(Named { name, path }),
            Some(named) => {
                let why = format!("mailbox {id} is {name:?}, and {:?} comes as number {place}", named.name);
                return Err(Trouble::Content(why));
            }
            None => return Err(Trouble::Content(format!("mailbox {id}, {name:?}, is missing"))),
        }
    }
    drop(rows);
    let mut update = connection.prepare("UPDATE mailbox SET path = ?2 WHERE id = ?1")?;
    let mut insert = connection.prepare("INSERT INTO mailbox VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let fleet = &start.facts.fleet;
    for (row, named) in mailboxes.iter().enumerate() {
        match known.get(row) {
            Some(before) if before.path == named.path => {}
            Some(_) => {
                update.execute(params![row as i64, named.path])?;
            }
            None => {
                let head = fleet.home[row].as_head().map(|head| head.0);
                insert.execute(params![row as i64, named.name, head, named.path, start.session])?;
            }
        }
    }
    Ok(())
}

/// What a session started from.
pub(super) fn read(connection: &Connection, path: &Path, session: u16) -> Result<Start, LedgerError> {
    let doing = format!("read the start of session {session}");
    let content = |why: String| LedgerError::content(path, doing.clone(), why);
    let columns = "SELECT version, form, plan_json, open_clusters, mailboxes, groups FROM session WHERE number = ?1";
    let row = connection.query_row(columns, [session], |row| {
        let texts: (String, String) = (row.get(2)?, row.get(3)?);
        let counts: (u32, bool) = (row.get(4)?, row.get(5)?);
        Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?, texts, counts))
    });
    let (version, form, (plan, open), (mailboxes, groups)) = match row {
        Ok(row) => row,
        Err(rusqlite::Error::QueryReturnedNoRows) => return Err(content("there is none".into())),
        Err(error) => return Err(LedgerError::new(path, doing, error.into())),
    };
    wire::check_form(form).doing(path, &doing)?;
    let plan = Arc::new(wire::read_plan(&plan).doing(path, &doing)?);
    let open: Vec<ClusterId> = wire::read("a list of clusters", &open).doing(path, &doing)?;
    let mut facts = read_facts(connection, session, groups).map_err(|why| LedgerError::new(path, &doing, why))?;
    facts.open = open;
    facts.waves = read_waves(connection, session).map_err(|why| LedgerError::new(path, &doing, why))?;
    facts.clusters = read_clusters(connection, session).map_err(|why| LedgerError::new(path, &doing, why))?;
    if facts.fleet.len() != mailboxes as usize {
        return Err(content(format!("it has {} of its {mailboxes} mailboxes", facts.fleet.len())));
    }
    let start = Start { session, version, plan, facts };
    wire::check_start(&start).doing(path, &doing)?;
    Ok(start)
}

fn read_facts(connection: &Connection, session: u16, groups: bool) -> Result<Facts, Trouble> {
    let mut fleet = Fleet::default();
    let mut facts = Facts::default();
    let mut unpurged = Vec::new();
    let columns = "SELECT id, origin, home, bytes, messages, activity_micro_op_s, grp, attempts, set_aside, \
        unpurged_at, unpurged_place FROM session_mailbox WHERE session = ?1 ORDER BY id";
    let mut select = connection.prepare(columns)?;
    let mut rows = select.query([session])?;
    while let Some(row) = rows.next()? {
        let mailbox = MailboxId(row.get(0)?);
        if mailbox.index() != fleet.len() {
            return Err(Trouble::Content(format!("mailbox {} is missing", fleet.len())));
        }
        push(&mut fleet, row, groups)?;
        match row.get(7)? {
            0 => {}
            attempts => facts.attempts.push((mailbox, attempts)),
        }
        if let Some(fault) = row.get::<_, Option<String>>(8)? {
            facts.set_aside.push((mailbox, read_fault(&fault)?));
        }
        match (row.get(9)?, row.get::<_, Option<i64>>(10)?) {
            (Some(at), Some(place)) => unpurged.push((place, (mailbox, Time::from_unix_micros(at)))),
            (None, Some(KEPT)) => facts.kept.push(mailbox),
            (None | Some(_), _) => {}
        }
    }
    unpurged.sort_unstable_by_key(|(place, _)| *place);
    facts.unpurged = unpurged.into_iter().map(|(_, waits)| waits).collect();
    facts.fleet = Arc::new(fleet);
    Ok(facts)
}

fn push(fleet: &mut Fleet, row: &Row<'_>, groups: bool) -> Result<(), Trouble> {
    fleet.origin.push(HeadId(row.get(1)?));
    fleet.home.push(read_home(row.get_ref(2)?.as_str().map_err(|error| Trouble::Content(error.to_string()))?)?);
    fleet.bytes.push(Bytes::new(row.get::<_, i64>(3)? as u64));
    fleet.messages.push(row.get(4)?);
    fleet.activity_micro_op_s.push(row.get(5)?);
    if groups {
        fleet.group.push(row.get(6)?);
    }
    Ok(())
}

/// Where a mailbox lives, for people and for SQL: `head 0`, `cluster 2`.
fn home_text(home: Home) -> String {
    match (home.as_head(), home.as_cluster()) {
        (Some(HeadId(head)), _) => format!("head {head}"),
        (None, Some(ClusterId(cluster))) => format!("cluster {cluster}"),
        (None, None) => unreachable!("a home that is neither a head nor a cluster"),
    }
}

fn read_home(text: &str) -> Result<Home, Trouble> {
    let number = |text: &str| text.parse().ok().filter(|number| *number < Home::head(HeadId(0x80)).index() as u8);
    let head = text.strip_prefix("head ").and_then(number).map(|head| Home::head(HeadId(head)));
    let cluster = || text.strip_prefix("cluster ").and_then(number).map(|cluster| Home::cluster(ClusterId(cluster)));
    head.or_else(cluster).ok_or_else(|| Trouble::Content(format!("no home: {text:?}")))
}

/// The name of a fault, as the events have it.
fn fault_text(fault: Fault) -> String {
    wire::text(&fault).trim_matches('"').to_owned()
}

fn read_fault(text: &str) -> Result<Fault, Trouble> {
    Ok(wire::read("a fault", &format!("{text:?}"))?)
}
