//! What a run would do, without doing any of it: nothing is written, held, leased or moved; the directory, the ledger and
//! the Maildirs are read, and every store is asked for a sample.
//!
//! The real machine is told of the real start and of real samples. From then on every copy and switch ends at once and
//! well, so that all that is to come shows in its order and with its place; when, the forecast tells.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::directory::{Directory, State};
use super::facts::{self, Gathered};
use super::probe::{Probe, ProbeError, Reading};
use super::session::{
    self, Past, Roots, SessionError, Setting, failed, openings, refuse, refuse_other_file_systems, same_stores,
};
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::migration::message::{
    Binding, CORE_VERSION, Command, EffectId, Event, Fault, Limit, Milestone, Next, Reason, Start, StopCause,
};
use crate::migration::{Migration, Phase};
use crate::units::{Bytes, Room, Span, Time};

/// Waits of the machine are gone through to this time: windows, soaks and dates by hand lie within it, or are told.
const AHEAD: Span = Span::from_secs(14 * 86_400);
/// A store without a sample is asked again after this, since some counters have to be read twice.
const AGAIN: Duration = Duration::from_secs(1);

/// A move that would come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coming {
    /// Whose.
    pub user: String,
    /// From which head.
    pub from: HeadId,
    /// To which cluster.
    pub to: ClusterId,
    /// Its size.
    pub bytes: Bytes,
    /// Not before: when it would begin if everything before it took no time.
    pub at: Time,
}

/// A mailbox that would stay where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staying {
    /// Whose.
    pub user: String,
    /// Where.
    pub on: HeadId,
    /// Why.
    pub why: Why,
}

/// Why a mailbox would stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The plan excludes it.
    Excluded,
    /// It waits for a person, after this fault.
    SetAside(Option<Fault>),
    /// What binds its head at the end of what was looked at.
    Bound(Binding),
}

/// What a run would do.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// When it was looked.
    pub now: Time,
    /// What the start would say.
    pub said: Vec<String>,
    /// Stores that gave no sample, and why.
    pub unsampled: Vec<String>,
    /// What would be asked for at once, before anything has ended.
    pub first: Vec<Command>,
    /// What binds each head then.
    pub binds: Vec<Binding>,
    /// All moves in their order.
    pub coming: Vec<Coming>,
    /// Who would stay, by row.
    pub staying: Vec<Staying>,
    /// Where it would stop by itself and wait for a person.
    pub stops: Vec<(Time, StopCause)>,
    /// Users' names by row.
    pub names: Vec<String>,
}

/// Looks at what a run would do now.
///
/// # Errors
/// What would keep it from beginning.
pub fn look(setting: Setting<'_>) -> Result<Outlook, SessionError> {
    let Setting { scenario, site, clock, accepted, .. } = setting;
    refuse_other_file_systems(scenario, site, accepted)?;
    let directory = Directory::connect(&site.directory, site.timeout);
    let directory = directory.map_err(|error| failed("the directory")(&error))?;
    same_stores(scenario, &site.ledger).map_err(|error| failed("the ledger")(&error))?;
    let mut past = if site.ledger.exists() { Past::read(&site.ledger)? } else { Past::default() };
    let clock = past.go_on(scenario, clock, accepted)?;
    let listed = directory.list().map_err(|error| failed("the directory")(&error))?;
    refuse(scenario, &past, &listed, accepted)?;
    let held = listed.users.iter().filter(|user| user.state == State::Hold);
    let mut said: Vec<String> = listed.unusable.iter().map(ToString::to_string).collect();
    said.extend(held.map(|user| format!("{} is held at {}: it would be put back and released", user.name, user.home)));
    let said = std::cell::RefCell::new(said);
    let roots = Roots::open(scenario, site, &|text| said.borrow_mut().push(text.to_owned()));
    let say = |text: &str| said.borrow_mut().push(text.to_owned());
    let Gathered { facts, names, elsewhere } = facts::gather(scenario, &past, &listed, &roots, clock.now(), &say);
    for why in &elsewhere {
        say(why);
    }
    let plan = session::plan(scenario, &names, &say);
    let start = Start { session: 1, version: CORE_VERSION, plan, facts };
    let (readings, unsampled) = sample(setting);
    let names: Vec<String> = names.into_iter().map(|named| named.name).collect();
    let mut stage = Play::new(clock.now(), start, readings, openings(scenario, clock.now()), past.standing());
    stage.run();
    Ok(stage.outlook(names, said.into_inner(), unsampled))
}

/// A reading of each store that gives one, heads first, and what the others say.
fn sample(setting: Setting<'_>) -> (Vec<Option<Reading>>, Vec<String>) {
    let Setting { scenario, site, .. } = setting;
    let names = scenario.heads.iter().chain(&scenario.clusters);
    let stores: Vec<_> = names.zip(site.heads.iter().chain(&site.clusters)).collect();
    let ask = |store| {
        let mut probe = Probe::new(store, site.timeout);
        let first = probe.sample();
        if !matches!(first, Err(ProbeError::Missing(_))) {
            return first;
        }
        std::thread::park_timeout(AGAIN);
        probe.sample()
    };
    let readings: Vec<Result<Reading, ProbeError>> = std::thread::scope(|scope| {
        let asked: Vec<_> = stores.iter().map(|(_, store)| scope.spawn(|| ask(store))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    let missing = |((name, _), reading): (&(&String, _), &Result<Reading, ProbeError>)| {
        reading.as_ref().err().map(|error| format!("{name}: {error}"))
    };
    let unsampled = stores.iter().zip(&readings).filter_map(missing).collect();
    (readings.into_iter().map(Result::ok).collect(), unsampled)
}

/// The machine in a world in which everything succeeds at once.
struct Play {
    machine: Migration,
    start: Arc<Start>,
    began: Time,
    now: Time,
    readings: Vec<Option<Reading>>,
    queue: VecDeque<Event>,
    later: VecDeque<(Time, Event)>,
    /// What is under way: the mailbox's size, and where it goes.
    jobs: BTreeMap<EffectId, (Room, ClusterId)>,
    placed: Vec<Room>,
    first: Option<(Vec<Command>, Vec<Binding>)>,
    asked: Vec<Command>,
    coming: Vec<(MailboxId, HeadId, ClusterId, Bytes, Time)>,
    stops: Vec<(Time, StopCause)>,
}

impl Play {
    fn new(
        now: Time,
        start: Start,
        readings: Vec<Option<Reading>>,
        later: Vec<(Time, Event)>,
        then: impl Iterator<Item = Event>,
    ) -> Self {
        let start = Arc::new(start);
        let placed = vec![Room::ZERO; start.plan.placement.clusters.len()];
        let mut stage = Self {
            machine: Migration::new(),
            began: now,
            now,
            readings,
            queue: std::iter::once(Event::Started(Arc::clone(&start))).chain(then).collect(),
            start,
            later: later.into(),
            jobs: BTreeMap::new(),
            placed,
            first: None,
            asked: Vec::new(),
            coming: Vec::new(),
            stops: Vec::new(),
        };
        stage.sample();
        stage
    }

    fn run(&mut self) {
        let mut commands = Vec::new();
        // The start and its samples are answered before anything has ended.
        let mut opening = self.queue.len();
        let mut ends = VecDeque::new();
        let mut next = Next::Wait { until: self.now, why: Reason::Idle };
        loop {
            let event = match self.queue.pop_front().or_else(|| ends.pop_front()) {
                Some(event) => event,
                None => match self.pass_time(next) {
                    Some(event) => event,
                    None => break,
                },
            };
            commands.clear();
            next = self.machine.step(self.now, &event, &mut commands);
            for command in &commands {
                self.perform(command, &mut ends);
            }
            self.asked.extend_from_slice(&commands);
            opening = opening.saturating_sub(1);
            if opening == 0 && self.first.is_none() {
                self.first = Some((std::mem::take(&mut self.asked), self.binds()));
            }
            // What was first is known; nobody looks at the rest.
            if self.first.is_some() {
                self.asked.clear();
            }
            if next == Next::Finished {
                break;
            }
        }
    }

    /// Nothing is under way: the next thing that is due, with fresh samples; none where nothing of interest lies ahead.
    fn pass_time(&mut self, next: Next) -> Option<Event> {
        let Next::Wait { until, .. } = next else { return None };
        let heads = 0..self.start.plan.heads.len();
        if heads.map(|head| self.machine.left(HeadId(head as u8))).sum::<u32>() == 0 {
            return None;
        }
        let opens = self.later.front().map_or(Time::NEVER, |(at, _)| *at);
        let at = until.min(opens);
        if at > self.began + AHEAD {
            return None;
        }
        self.now = self.now.max(at);
        self.sample();
        if opens <= self.now {
            return self.later.pop_front().map(|(_, event)| event);
        }
        Some(Event::Wake)
    }

    /// What the stores have said, as of now and with what has come to the clusters.
    fn sample(&mut self) {
        let (measured_at, heads) = (self.now, self.start.plan.heads.len());
        for (place, reading) in self.readings.iter().enumerate() {
            let Some(reading) = reading else { continue };
            let (utilisation, latency) = (reading.utilisation, reading.latency);
            self.queue.push_back(if place < heads {
                Event::HeadSampled { head: HeadId(place as u8), measured_at, utilisation, latency, held_by: None }
            } else {
                let place = place - heads;
                let (cluster, placed) = (ClusterId(place as u8), self.placed[place]);
                let counted = |inodes| Room { bytes: Bytes::ZERO, inodes } + placed;
                let inodes = reading.inodes_used.map(|inodes| counted(inodes).inodes).into();
                let used = reading.used + placed.bytes;
                Event::ClusterSampled { cluster, measured_at, used, inodes, utilisation, latency }
            });
        }
    }

    fn perform(&mut self, command: &Command, ends: &mut VecDeque<Event>) {
        match *command {
            Command::StartCopy { effect, mailbox, from, to, bytes, .. } => {
                let messages = self.start.facts.fleet.messages[mailbox.index()];
                self.jobs.insert(effect, (self.start.plan.placement.takes(bytes, messages), to));
                self.coming.push((mailbox, from, to, bytes, self.now));
                ends.push_back(Event::CopyEnded { effect, bytes, messages, limit: Limit::Own });
            }
            Command::Switch { effect } => {
                if let Some((takes, to)) = self.jobs.remove(&effect) {
                    self.placed[to.index()] += takes;
                }
                ends.push_back(Event::SwitchEnded { effect });
            }
            Command::Abandon { effect, .. } => _ = self.jobs.remove(&effect),
            Command::Purge { effect, .. } => ends.push_back(Event::PurgeEnded { effect }),
            Command::Audit { head, .. } => {
                ends.push_back(Event::HeadAudited { head, users_left: 0, folders_left: 0 });
            }
            Command::Announce { milestone: Milestone::Stopped { why }, .. } => self.stops.push((self.now, why)),
            Command::SetPace { .. }
            | Command::SetIntake { .. }
            | Command::SetAside { .. }
            | Command::Announce { .. } => {}
        }
    }

    fn binds(&self) -> Vec<Binding> {
        (0..self.start.plan.heads.len()).map(|head| self.machine.binding(HeadId(head as u8))).collect()
    }

    fn outlook(self, names: Vec<String>, said: Vec<String>, unsampled: Vec<String>) -> Outlook {
        let now_binds = self.binds();
        let faults: BTreeMap<MailboxId, Fault> = self.start.facts.set_aside.iter().copied().collect();
        let fleet = &self.start.facts.fleet;
        let staying = fleet.ids().filter_map(|mailbox| {
            let on = fleet.home[mailbox.index()].as_head()?;
            let why = match self.machine.phase(mailbox)? {
                Phase::Excluded => Why::Excluded,
                Phase::SetAside => Why::SetAside(faults.get(&mailbox).copied()),
                Phase::Waiting | Phase::BackingOff | Phase::Copying | Phase::Switching => {
                    Why::Bound(now_binds[on.index()])
                }
                Phase::Moved | Phase::Settled | Phase::Gone => return None,
            };
            Some(Staying { user: names[mailbox.index()].clone(), on, why })
        });
        let staying = staying.collect();
        let name = |(mailbox, from, to, bytes, at): &(MailboxId, HeadId, ClusterId, Bytes, Time)| Coming {
            user: names[mailbox.index()].clone(),
            from: *from,
            to: *to,
            bytes: *bytes,
            at: *at,
        };
        let coming = self.coming.iter().map(name).collect();
        let (first, binds) = self.first.unwrap_or_default();
        Outlook { now: self.began, said, unsampled, first, binds, coming, staying, stops: self.stops, names }
    }
}
