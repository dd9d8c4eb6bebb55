//! How long users were held, and whose login was refused meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use drawdown::live::ledger::{Ledger, Reader, Step};
use drawdown::units::{Span, Time};

use super::world::World;

/// The ledger of a second instance.
pub(crate) const OTHER: &str = "other.db";
/// A login of a held user waits for so long, in whole seconds, of which the first has begun already.
pub(crate) const WAIT_S: u32 = 3;
/// A hold is in force on the whole front end so long after it is written: it has to be committed, and another command to
/// end.
const SETTLES: Span = Span::from_micros(1_000_000);
/// From the end of a hold being written to a client's knowing of an answer from before it was committed.
const SEEN: Span = Span::from_micros(500_000);
/// The database keeps by itself when users were held: a ledger does not know of a hold after which its run was killed before
/// it could be written down.
pub(crate) const KEPT_BY_SQLITE: &str = "
    CREATE TABLE kept (name TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL);
    CREATE TRIGGER keep AFTER UPDATE OF state ON mailbox WHEN old.state <> new.state BEGIN
        INSERT INTO kept VALUES (new.name, new.state, CAST(unixepoch('subsec') * 1000000 AS INTEGER));
    END";
/// The same.
pub(crate) const KEPT_BY_POSTGRES: &str = "
    CREATE TABLE kept (name TEXT NOT NULL, state TEXT NOT NULL, at BIGINT NOT NULL);
    CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO kept VALUES (new.name, new.state, floor(extract(epoch FROM clock_timestamp()) * 1000000));
        RETURN NULL;
    END $$;
    CREATE TRIGGER keep AFTER UPDATE ON mailbox FOR EACH ROW WHEN (old.state <> new.state) EXECUTE FUNCTION keep()";

/// A login that was told to come again.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) user: String,
    pub(crate) at: Time,
    pub(crate) after: Duration,
}

/// A user's hold.
#[derive(Clone, Copy, Debug)]
struct Hold {
    from: Time,
    /// From when the user was refused nothing any more.
    to: Time,
}

/// As the ledger counts time.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Time::from_unix_micros(i64::try_from(since.as_micros()).unwrap())
}

/// Says how long users were held, and of that until the fence and from there to the end; and how many switches were backed
/// out.
pub(crate) fn show(world: &World) {
    let (mut held, mut failed) = ([const { Vec::new() }; 3], 0);
    let ledgers = ledgers(world);
    let sessions =
        ledgers.iter().flat_map(|reader| reader.sessions().unwrap().into_iter().map(move |one| (reader, one)));
    for (reader, session) in sessions {
        let switches = reader.observations(session.number).unwrap().switches;
        failed += switches.iter().filter(|switch| switch.fault.is_some()).count();
        held[0].extend(switches.iter().filter(|switch| switch.fault.is_none()).filter_map(|switch| switch.held));
        let mut times = BTreeMap::new();
        for noted in reader.steps(session.number).unwrap() {
            times.insert((noted.effect, noted.step), noted.at);
        }
        let between = |from: Step, to: Step| {
            let ends = times.iter().filter(move |((_, step), _)| *step == to);
            ends.filter_map(|((effect, _), at)| times.get(&(*effect, from)).map(|before| at.since(*before)))
                .collect::<Vec<_>>()
        };
        held[1].extend(between(Step::Hold, Step::Fence));
        held[2].extend(between(Step::Fence, Step::Flip));
    }
    for (what, spans) in ["held", "until the fence", "behind it"].iter().zip(&mut held) {
        spans.sort_unstable();
        let median = spans.get(spans.len() / 2).map(|span| span.secs());
        let worst = spans.last().map(|span| span.secs());
        println!("{} switches, {what}: median {median:?} s, worst {worst:?} s", spans.len());
    }
    println!("{failed} switches backed out");
}

/// Refused logins for which there is no reason. There are two: the password had been asked for before the hold was in
/// force everywhere, and the mailbox after it; or the hold lasted longer than a login waits.
pub(crate) fn unexplained(world: &World, refused: &[Refused]) -> Vec<Refused> {
    let holds = holds(world);
    let has_reason = |refused: &&Refused| {
        let began = refused.at - Span::from_micros(i64::try_from(refused.after.as_micros()).unwrap());
        holds.get(&refused.user).into_iter().flatten().any(|hold| {
            let during = refused.at >= hold.from && refused.at <= hold.to + SEEN;
            let early = began <= hold.from + SETTLES;
            let late = refused.after >= Duration::from_secs(u64::from(WAIT_S) - 1);
            during && (early || late)
        })
    };
    refused.iter().filter(|one| !has_reason(one)).cloned().collect()
}

/// Every hold of each user.
fn holds(world: &World) -> BTreeMap<String, Vec<Hold>> {
    let mut holds: BTreeMap<String, Vec<Hold>> = BTreeMap::new();
    for (user, state, at) in world.kept() {
        let at = Time::from_unix_micros(at);
        let holds = holds.entry(user).or_default();
        match state.as_str() {
            "hold" => holds.push(Hold { from: at, to: Time::NEVER }),
            _ => holds.last_mut().expect("what has ended has begun").to = at,
        }
    }
    holds
}

/// What the runs have written down.
fn ledgers(world: &World) -> Vec<Reader> {
    let files = ["ledger.db", OTHER].map(|name| world.path(name));
    files.iter().filter(|file| file.exists()).map(|file| Ledger::read(file).unwrap()).collect()
}
