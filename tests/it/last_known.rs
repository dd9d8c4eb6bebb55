//! What the ledger says of the mailboxes after any events at all is what the core thinks of them: each of the two judges by
//! itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use drawdown::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId};
use drawdown::live::ledger::Known;
use drawdown::migration::message::{
    Batch, CORE_VERSION, ClustersSoFar, Command, EffectId, Event, Facts, Fault, Limit, Order, Start,
};
use drawdown::migration::plan::Plan;
use drawdown::migration::{Migration, Phase};
use drawdown::scenario::{ReadSettings, Source};
use drawdown::units::{Bytes, InodesUsed, Latency, Share, Span, Time};
use proptest::prelude::*;

const MAILBOXES: u32 = 40;
const FAULTS: [Fault; 9] = [
    Fault::Transient,
    Fault::Permanent,
    Fault::Unreachable,
    Fault::VerifyFailed,
    Fault::HoldTooLong,
    Fault::NoRoom,
    Fault::Abandoned,
    Fault::Skipped,
    Fault::Gone,
];

fn plan() -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/opensrs-cluster-b.toml");
    let overrides = vec!["plan.move.purge_after=\"1 h\"".to_owned()];
    let source = Source::read(&path, &ReadSettings { overrides, allow_path: false }).expect("the scenario");
    let mut plan = Plan::clone(&source.middle().plan);
    // Nights and days would only make the way longer.
    for head in &mut plan.heads {
        head.windows.changes.clear();
        head.windows.end = None;
    }
    plan.order.excluded = vec![MailboxId(3)];
    plan
}

/// A world that answers whatever it is asked as the dice say.
struct World {
    machine: Migration,
    known: Known,
    now: Time,
    copying: Vec<EffectId>,
    switching: Vec<EffectId>,
    purging: Vec<(EffectId, Batch)>,
    mailboxes: u32,
}

impl World {
    fn new() -> Self {
        let rows = MAILBOXES as usize;
        let origin: Vec<HeadId> = (0..MAILBOXES).map(|row| HeadId((row % 2) as u8)).collect();
        let home = |row: usize| if row < 6 { Home::cluster(ClusterId(0)) } else { Home::head(origin[row]) };
        let fleet = Fleet {
            bytes: (0..rows).map(|row| Bytes::new(if row == 10 { 1 << 50 } else { 1_000_000 })).collect(),
            messages: vec![10; rows],
            activity_micro_op_s: vec![1; rows],
            home: (0..rows).map(home).collect(),
            origin,
            group: Vec::new(),
        };
        let now = Time::from_unix_micros(1_349_874_000_000_000);
        let facts = Facts {
            fleet: Arc::new(fleet),
            set_aside: vec![(MailboxId(8), Fault::Permanent)],
            attempts: vec![(MailboxId(9), 2)],
            kept: Vec::new(),
            unpurged: vec![(MailboxId(4), now - Span::from_secs(60)), (MailboxId(1), now)],
            open: vec![ClusterId(0)],
            waves: None,
            clusters: ClustersSoFar::default(),
        };
        let start = Arc::new(Start { session: 1, version: CORE_VERSION, plan: Arc::new(plan()), facts });
        let mut world = Self {
            machine: Migration::new(),
            known: Known::new(now, &start),
            now,
            copying: Vec::new(),
            switching: Vec::new(),
            purging: Vec::new(),
            mailboxes: MAILBOXES,
        };
        world.tell(&Event::Started(start));
        world
    }

    fn tell(&mut self, event: &Event) {
        let mut commands = Vec::new();
        self.machine.step(self.now, event, &mut commands);
        self.known.take(self.now, event, &commands);
        let attempts: BTreeMap<MailboxId, u8> = self.known.clone().finish(false).facts.attempts.into_iter().collect();
        for command in commands {
            match command {
                Command::StartCopy { effect, mailbox, attempt, .. } => {
                    assert_eq!(attempts.get(&mailbox).copied().unwrap_or(0) + 1, attempt, "mailbox {}", mailbox.0);
                    self.copying.push(effect);
                }
                Command::Switch { effect } => self.switching.push(effect),
                Command::Purge { effect, batch, .. } => self.purging.push((effect, batch)),
                Command::Abandon { .. }
                | Command::SetPace { .. }
                | Command::SetIntake { .. }
                | Command::SetAside { .. }
                | Command::Audit { .. }
                | Command::Announce { .. } => {}
            }
        }
    }

    /// One roll: what happens, to whom, and what it fails of.
    fn roll(&mut self, (kind, which, fault, seconds): (u8, u32, usize, i64)) {
        self.now = self.now + Span::from_secs(seconds);
        let mailbox = MailboxId(which % self.mailboxes);
        let fault = FAULTS[fault % FAULTS.len()];
        let take = |effects: &mut Vec<EffectId>| {
            let place = which as usize % effects.len().max(1);
            (!effects.is_empty()).then(|| effects.remove(place))
        };
        let event = match kind {
            0..=9 => take(&mut self.copying).map(|effect| Event::CopyEnded {
                effect,
                bytes: Bytes::new(u64::from(which) + 1),
                messages: 11,
                limit: Limit::Own,
            }),
            10..=15 => take(&mut self.copying).map(|effect| Event::CopyFailed { effect, fault }),
            16..=25 => take(&mut self.switching).map(|effect| Event::SwitchEnded { effect }),
            26..=28 => take(&mut self.switching).map(|effect| Event::SwitchFailed { effect, fault }),
            29..=32 => self.purging.pop().map(|(effect, _)| Event::PurgeEnded { effect }),
            33..=35 => self.purging.pop().map(|(effect, _)| Event::PurgeFailed { effect, fault }),
            36 => Some(Event::MailboxGone { mailbox }),
            // One that has become larger than every cluster's threshold is set aside without an attempt.
            37 => Some(Event::MailboxChanged { mailbox, bytes: Bytes::new(u64::from(which) * 10_000) }),
            38 => {
                let home = if which % 2 == 0 { Home::head(HeadId(1)) } else { Home::cluster(ClusterId(1)) };
                let found = Event::MailboxFound { mailbox: MailboxId(self.mailboxes), home, bytes: Bytes::new(5) };
                self.mailboxes += 1;
                Some(found)
            }
            39..=40 => Some(Event::Operator(Order::Skip(mailbox))),
            41..=43 => Some(Event::Operator(Order::Retry(mailbox))),
            44 => Some(Event::Operator(Order::MoveNow(mailbox))),
            45..=47 => Some(Event::Operator(Order::Resume)),
            48 => Some(Event::Operator(Order::Pause)),
            49 => Some(Event::ClusterOpened { cluster: ClusterId((which % 3) as u8) }),
            _ => Some(Event::Wake),
        };
        // A head in pain now and then makes the guard give copies up; fresh samples let the next ones start.
        let latency = Latency::from_micros(if kind % 16 == 15 { 60_000 } else { 1_000 });
        for head in 0..2 {
            let (measured_at, utilisation) = (self.now, Share::from_ppm(300_000));
            self.tell(&Event::HeadSampled { head: HeadId(head), measured_at, utilisation, latency, held_by: None });
        }
        for cluster in (0..3).map(ClusterId) {
            let (measured_at, used) = (self.now, Bytes::new(1_000_000_000));
            let (utilisation, latency) = (Share::from_ppm(100_000), Latency::from_micros(500));
            self.tell(&Event::ClusterSampled {
                cluster,
                measured_at,
                used,
                inodes: InodesUsed::UNKNOWN,
                utilisation,
                latency,
            });
        }
        if let Some(event) = event {
            self.tell(&event);
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let known = self.known.clone().finish(false);
        let facts = &known.facts;
        prop_assert_eq!(facts.fleet.len(), self.machine.mailboxes());
        let aside: BTreeMap<MailboxId, Fault> = facts.set_aside.iter().copied().collect();
        let old: BTreeMap<MailboxId, Time> = facts.unpurged.iter().copied().collect();
        prop_assert_eq!(old.len(), facts.unpurged.len());
        prop_assert!(facts.unpurged.is_sorted_by_key(|(_, at)| *at));
        for mailbox in facts.fleet.ids() {
            let phase = self.machine.phase(mailbox).expect("a known mailbox");
            let moved = facts.fleet.home[mailbox.index()].is_cluster();
            let gone = known.gone.binary_search(&mailbox).is_ok();
            let said = (moved, aside.get(&mailbox).copied(), old.contains_key(&mailbox));
            let right = match phase {
                Phase::Waiting | Phase::BackingOff | Phase::Copying | Phase::Switching => {
                    said == (false, None, false) && !gone
                }
                Phase::SetAside => {
                    let too_large = known.too_large.contains(&mailbox);
                    !moved && !gone && said.1.map_or(too_large, |fault| fault != Fault::Gone)
                }
                Phase::Excluded => said == (false, None, false),
                Phase::Moved => said == (true, None, true),
                Phase::Settled => said == (true, None, false),
                Phase::Gone => gone && !said.2 && (moved || said.1 == Some(Fault::Gone)),
            };
            if let Some(head) = facts.fleet.home[mailbox.index()].as_head() {
                let excused = self.known.excused(head).any(|excused| excused == mailbox);
                prop_assert_eq!(excused, matches!(phase, Phase::SetAside | Phase::Excluded), "mailbox {}", mailbox.0);
            }
            prop_assert!(right, "mailbox {} is {phase:?}, and {said:?}, gone: {gone}", mailbox.0);
        }
        let mut flying: Vec<MailboxId> = known.in_flight.iter().map(|job| job.mailbox).collect();
        let mut flies: Vec<MailboxId> = self.machine.in_flight().map(|(mailbox, _, _)| mailbox).collect();
        flying.sort_unstable();
        flies.sort_unstable();
        prop_assert_eq!(flying, flies);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_ledger_and_the_core_agree_on_every_mailbox(
        rolls in prop::collection::vec((0..54_u8, any::<u32>(), 0..9_usize, 1..400_i64), 1..400),
    ) {
        let mut world = World::new();
        world.check()?;
        for roll in rolls {
            world.roll(roll);
            world.check()?;
        }
    }
}

#[test]
fn the_dice_move_mailboxes_and_set_some_aside() {
    let mut world = World::new();
    let mut dice = 1_u32;
    for _ in 0..3_000 {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (kind, which) = ((dice >> 24) as u8 % 54, dice >> 8);
        world.roll((kind, which, which as usize / 7, i64::from(which % 300) + 1));
        world.check().unwrap();
    }
    let known = world.known.clone().finish(false);
    let moved = known.facts.fleet.home.iter().filter(|home| home.is_cluster()).count();
    assert!(moved > 10 && known.facts.set_aside.len() > 1, "{moved} moved, {:?}", known.facts.set_aside);
}
