//! What is started: copies up to the pace, switches, audits; and what is announced along the way.

use super::Session;
use super::attempt;
use super::due::sooner;
use super::gate::Gate;
use super::jobs::{Job, Stage};
use super::lane::{Emptied, Pace};
use super::mailbox::Phase;
use super::message::{Binding, Command, EffectId, Fault, Milestone, Reason, StopCause};
use super::order::Place;
use super::place::Choice;
use super::waves::WaveStep;
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::units::Time;

/// Why the next mailbox of a lane cannot start while others may.
enum Passed {
    /// No cluster can ever take it.
    TooLarge(MailboxId),
    /// No open cluster can take one of its size; where in the queue it is.
    NoRoomForIt(MailboxId, Place),
}

impl Session {
    /// Asks for the pace that is allowed now where it has changed, and starts what it allows, on every head.
    pub(super) fn refresh_all(&mut self, now: Time, out: &mut Vec<Command>) {
        for lane in &mut self.lanes {
            lane.gate = Gate::CLOSED;
        }
        for head in 0..self.lanes.len() {
            self.refresh(now, HeadId(head as u8), out);
        }
    }

    /// Asks for the pace that is allowed now where it has changed, on every head.
    pub(super) fn set_paces(&mut self, now: Time, out: &mut Vec<Command>) {
        for head in 0..self.lanes.len() {
            self.set_pace(now, HeadId(head as u8), out);
        }
    }

    #[inline(always)]
    fn set_pace(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) {
        let paused = self.paused();
        let lane = &mut self.lanes[head.index()];
        lane.read_calendar(now, &self.plan.heads[head.index()].windows);
        let allowed = lane.allowed(paused);
        if lane.pace != Some(allowed) {
            self.ask_pace(head, allowed, out);
        }
    }

    #[inline(never)]
    fn ask_pace(&mut self, head: HeadId, pace: Pace, out: &mut Vec<Command>) {
        let Pace { streams, rate } = pace;
        let lane = &mut self.lanes[head.index()];
        (lane.pace, lane.streams, lane.gate) = (Some(pace), streams, Gate::CLOSED);
        let effect = self.effect();
        out.push(Command::SetPace { effect, head, streams, rate });
    }

    /// The same on one head, and starts what it allows, after something has changed there.
    pub(super) fn refresh(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) {
        self.lanes[head.index()].gate = Gate::CLOSED;
        self.set_pace(now, head, out);
        self.go_on(now, head, out);
    }

    /// Does what the head's pace allows after nothing has changed since it was set but the time, or the sample's age.
    #[inline]
    pub(super) fn go_on(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) {
        if self.lanes[head.index()].gate.is_closed() {
            self.open_gate(head);
        }
        self.use_pace(now, head, out);
        self.unsettled = true;
    }

    /// Purges and copies what may be purged and copied at a pace that stays what it is.
    #[inline]
    pub(super) fn use_pace(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) {
        self.purge(now, head, out);
        self.fill(now, head, out);
    }

    /// Starts copies until something binds, and accounts the time to it.
    #[inline(always)]
    pub(super) fn fill(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) {
        #[cfg(test)]
        self.check_gates();
        let lane = &mut self.lanes[head.index()];
        if lane.is_empty() {
            return lane.account.set(now, Binding::NotItsTurn);
        }
        if !lane.is_steady(now) || !lane.is_bound_as_before() {
            self.fill_anew(now, head, out);
        }
    }

    /// Works out anew what a lane may do until something changes.
    #[inline(never)]
    fn open_gate(&mut self, head: HeadId) {
        let (paused, purges_held) = (self.paused(), self.holds_purges());
        self.lanes[head.index()].open_gate(paused, purges_held);
    }

    /// Whether each old copy has to be looked at before it is purged, or none may be.
    #[inline(always)]
    pub(super) fn holds_purges(&self) -> bool {
        self.purges_held || self.cohort != Time::NEVER
    }

    /// An open gate says what asking everything anew would.
    #[cfg(test)]
    pub(super) fn check_gates(&self) {
        let (paused, purges_held) = (self.paused(), self.holds_purges());
        for lane in &self.lanes {
            let (gate, anew) = (lane.gate, lane.new_gate(paused, purges_held));
            assert!(gate.is_closed() || gate == anew, "{gate:?} is not {anew:?}");
            assert!([Time::LONG_AGO, anew.purges_until].contains(&gate.purges_until), "{gate:?} is not {anew:?}");
        }
    }

    /// The pace asked for last is the one that is allowed.
    #[cfg(test)]
    fn check_pace(&self, head: usize) {
        let lane = &self.lanes[head];
        assert_eq!(lane.pace, Some(lane.allowed(self.paused())), "the pace of head {head} is out of date");
    }

    /// The same with everything asked again.
    #[inline(never)]
    pub(super) fn fill_anew(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) {
        let lane = &mut self.lanes[head.index()];
        if lane.is_empty() {
            return lane.account.set(now, Binding::NotItsTurn);
        }
        if !lane.ready.is_empty() {
            self.issue_switches(now, head, out);
        }
        if self.lanes[head.index()].gate.is_closed() {
            self.open_gate(head);
        }
        let paused = self.paused();
        let blocked = self.lanes[head.index()].blocked(now, paused);
        let binding = blocked.unwrap_or_else(|| self.start_copies(now, head, out));
        let lane = &mut self.lanes[head.index()];
        // Samples age again from now on; and the next head may have its turn when fewer wait than streams.
        let answers = lane.account.binding() == Binding::Outage && binding != Binding::Outage;
        self.unsettled |= answers || lane.is_ending();
        lane.is_bound_by(now, binding);
        if self.clusters.any_newly_full() {
            self.announce_full(out);
        }
    }

    #[cold]
    fn announce_full(&mut self, out: &mut Vec<Command>) {
        while let Some((cluster, of)) = self.clusters.take_newly_full() {
            if self.filled & (1 << cluster.index()) == 0 {
                self.filled |= 1 << cluster.index();
                self.announce(Milestone::ClusterFull { cluster, of }, out);
            }
            self.set_intake(out);
        }
    }

    /// Starts copies on a lane that nothing blocks, and says what binds then. Only its own copies can block it meanwhile.
    #[inline]
    fn start_copies(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) -> Binding {
        loop {
            match self.start_what_fits(now, head, out) {
                Ok(binding) => return binding,
                Err(Passed::TooLarge(mailbox)) => {
                    self.set_aside_waiting(mailbox, head, out);
                    if self.lanes[head.index()].left() == 0 {
                        return Binding::NotItsTurn;
                    }
                }
                Err(Passed::NoRoomForIt(mailbox, place)) => self.wait_for_room(now, mailbox, head, place),
            }
        }
    }

    /// The same up to a mailbox that cannot start while others may: that one is the error.
    #[inline]
    fn start_what_fits(&mut self, now: Time, from: HeadId, out: &mut Vec<Command>) -> Result<Binding, Passed> {
        let Self { number, sequence, mailboxes, lanes, clusters, jobs, waves, opened, .. } = self;
        let lane = &mut lanes[from.index()];
        let mut effect_in = |slot| {
            *sequence += 1;
            EffectId::new(*number, *sequence, slot)
        };
        loop {
            let (mailbox, place) = match lane.candidate(mailboxes, waves) {
                Ok(candidate) => candidate,
                Err(binding) => return Ok(binding),
            };
            if !jobs.has_room() {
                return Ok(Binding::Mover);
            }
            let bytes = mailboxes.bytes(mailbox);
            let reserved = clusters.need(bytes, || mailboxes.messages(mailbox));
            let to = match clusters.place(now, reserved) {
                Choice::At(cluster) => cluster,
                Choice::NoRoom => return Ok(Binding::NoRoom),
                Choice::Stale => return Ok(Binding::Outage),
                Choice::NoRoomForIt => return Err(Passed::NoRoomForIt(mailbox, place)),
                Choice::TooLarge => return Err(Passed::TooLarge(mailbox)),
            };
            if *opened & (1 << to.index()) == 0 {
                *opened |= 1 << to.index();
                let (effect, milestone) = (effect_in(EffectId::NO_SLOT), Milestone::ClusterOpened { cluster: to });
                out.push(Command::Announce { effect, milestone });
            }
            if place == Place::Order {
                lane.start_copy(to);
                lane.queue.bring_in(mailboxes);
            } else {
                lane.start_copy_ahead(place, to);
            }
            let (attempt, begins) = mailboxes.start_copy(mailbox);
            if begins {
                waves.begin();
            }
            let effect = jobs.start_copy(&mut effect_in, mailbox, from, (to, reserved));
            out.push(Command::StartCopy { effect, mailbox, from, to, attempt, bytes });
            if lane.is_full() {
                let has_next = lane.turn || lane.queue.has_ahead();
                return Ok(if has_next { lane.cap() } else { Binding::NotItsTurn });
            }
        }
    }

    /// Lets a mailbox wait apart until a cluster may take one of its size, and the others go on.
    #[cold]
    fn wait_for_room(&mut self, now: Time, mailbox: MailboxId, head: HeadId, place: Place) {
        self.withdraw(mailbox);
        let lane = &mut self.lanes[head.index()];
        lane.queue.pop(place);
        let due = now + attempt::backoff(&self.plan.attempts, 1);
        self.mailboxes.set_phase(mailbox, Phase::BackingOff);
        lane.queue.push_retry(due, mailbox, true);
        lane.gate = Gate::CLOSED;
        self.wake = sooner(self.wake, (due, Reason::Retry));
        self.unsettled = true;
    }

    /// Takes a mailbox for which there is no room out of the wave in which it has begun: the soak would else wait for room
    /// too, and with it all that could go elsewhere.
    pub(super) fn withdraw(&mut self, mailbox: MailboxId) {
        if self.mailboxes.withdraw(mailbox) {
            self.waves.withdraw();
            // Other lanes may have waited for the place.
            self.unsettled = true;
        }
    }

    /// Sets a mailbox aside that no cluster can ever take.
    fn set_aside_waiting(&mut self, mailbox: MailboxId, head: HeadId, out: &mut Vec<Command>) {
        self.lanes[head.index()].waiting -= 1;
        self.beyond_help.insert(mailbox);
        let effect = self.effect();
        out.push(Command::SetAside { effect, mailbox });
        self.set_aside(mailbox, head, out);
    }

    /// Puts a mailbox that no longer waits and has no job in front of a person.
    pub(super) fn set_aside(&mut self, mailbox: MailboxId, head: HeadId, out: &mut Vec<Command>) {
        self.mailboxes.set_phase(mailbox, Phase::SetAside);
        if self.mailboxes.begun(mailbox) {
            self.waves.end();
        }
        self.lanes[head.index()].set_aside += 1;
        self.check_emptied(head, out);
    }

    /// Lets copies that have ended switch, as far as the plan's bound allows and their clusters still have room: much may
    /// have grown there while they waited.
    #[inline]
    fn issue_switches(&mut self, now: Time, head: HeadId, out: &mut Vec<Command>) {
        while !self.paused() && self.lanes[head.index()].switching < self.plan.copy.switches {
            let lane = &mut self.lanes[head.index()];
            let Some(effect) = lane.ready.pop_front() else { return };
            let Some(job) = self.jobs.find(effect, Stage::Copied) else { continue };
            if self.clusters.holds(now, job.cluster) {
                job.stage = Stage::Switching;
                lane.switching += 1;
                self.mailboxes.set_phase(job.mailbox, Phase::Switching);
                out.push(Command::Switch { effect });
            } else {
                let job = *job;
                self.outgrown(now, &job, out);
            }
        }
    }

    /// Gives up a copy for which there is no room any more; the next placement knows its true size.
    #[cold]
    fn outgrown(&mut self, now: Time, job: &Job, out: &mut Vec<Command>) {
        let messages = self.clusters.messages_of(job.reserved);
        self.mailboxes.set_size(job.mailbox, job.reserved.bytes, messages);
        out.push(Command::Abandon { effect: job.effect, why: Fault::NoRoom });
        self.give_up(now, job, Fault::NoRoom, out);
    }

    /// Asks for an audit when nothing that can move is left on a head.
    #[inline]
    pub(super) fn check_emptied(&mut self, head: HeadId, out: &mut Vec<Command>) {
        let lane = &mut self.lanes[head.index()];
        if lane.is_empty() && lane.emptied == Emptied::No {
            lane.emptied = Emptied::Asked;
            lane.audits += 1;
            let effect = self.effect();
            out.push(Command::Audit { effect, head });
        }
    }

    /// Sends new accounts to the first cluster that takes mailboxes and has not been full; when none takes any, where they
    /// went before.
    #[inline(always)]
    pub(super) fn set_intake(&mut self, out: &mut Vec<Command>) {
        if !self.intake.is_some_and(|cluster| self.is_for_intake(cluster)) {
            self.send_intake(self.clusters.intake(self.filled, self.intake), out);
        }
    }

    /// Whether new accounts may go to a cluster for as long as that stays so.
    #[inline(always)]
    pub(super) fn is_for_intake(&self, cluster: ClusterId) -> bool {
        self.clusters.takes(cluster) && self.filled & (1 << cluster.index()) == 0
    }

    pub(super) fn send_intake(&mut self, cluster: Option<ClusterId>, out: &mut Vec<Command>) {
        if let Some(cluster) = cluster.filter(|cluster| self.intake != Some(*cluster)) {
            self.intake = Some(cluster);
            let effect = self.effect();
            out.push(Command::SetIntake { effect, cluster });
        }
    }

    /// Announces shares of progress that have been reached: those of a head, then those of all.
    #[inline]
    pub(super) fn announce_shares(&mut self, head: HeadId, out: &mut Vec<Command>) {
        if self.lanes[head.index()].shares.is_reached() || self.shares.is_reached() {
            self.announce_reached(head, out);
        }
    }

    #[cold]
    pub(super) fn announce_reached(&mut self, head: HeadId, out: &mut Vec<Command>) {
        while let Some(milestone) = self.lanes[head.index()].shares.take_reached() {
            self.announce(milestone, out);
        }
        while let Some(milestone) = self.shares.take_reached() {
            self.announce(milestone, out);
        }
    }

    /// Does everything whose time has come.
    pub(super) fn due(&mut self, now: Time, out: &mut Vec<Command>) {
        for head in 0..self.lanes.len() {
            let lane = &mut self.lanes[head];
            while let Some((mailbox, for_room)) = lane.queue.pop_retry(now) {
                if self.mailboxes.phase(mailbox) == Phase::BackingOff {
                    self.mailboxes.set_phase(mailbox, Phase::Waiting);
                    if for_room {
                        lane.queue.push_after_room(mailbox);
                    } else {
                        lane.queue.push_urgent(mailbox);
                    }
                    lane.gate = Gate::CLOSED;
                }
            }
            while let Some(mailbox) = lane.queue.pop_scheduled(now) {
                lane.queue.push_urgent(mailbox);
                lane.gate = Gate::CLOSED;
            }
        }
        if self.windows_end_warning.is_some_and(|at| at <= now) {
            self.windows_end_warning = None;
            self.announce(Milestone::WindowsEnd, out);
        }
        self.advance_waves(now, out);
        // The paces are set: where anything is due, before the event; and by whatever has changed since.
        for head in 0..self.lanes.len() {
            #[cfg(test)]
            self.check_pace(head);
            self.go_on(now, HeadId(head as u8), out);
        }
    }

    /// Takes the waves on as far as they are due: a wave may hold no mailbox, or have begun with what went before it.
    pub(super) fn advance_waves(&mut self, now: Time, out: &mut Vec<Command>) {
        loop {
            match self.waves.advance(now) {
                WaveStep::None => return,
                WaveStep::Moved(wave) => {
                    self.announce(Milestone::WaveMoved { wave }, out);
                    let soaked = self.waves.soak_ends().unwrap_or(Time::NEVER);
                    self.wake = sooner(self.wake, (soaked, Reason::Soak));
                }
                WaveStep::AskGo => self.announce(Milestone::Stopped { why: StopCause::WaveGo }, out),
                WaveStep::Begin => self.refresh_all(now, out),
            }
        }
    }

    /// Gives up all copies of a head that are still copying.
    pub(super) fn abandon_copies(&mut self, head: HeadId, out: &mut Vec<Command>) {
        let copying = |job: &&Job| job.head == head && job.stage == Stage::Copying && job.abandoned.is_none();
        let effects: Vec<_> = self.jobs.iter().filter(copying).map(|job| job.effect).collect();
        for effect in effects {
            self.abandon(effect, Fault::Abandoned, out);
        }
    }

    /// Gives up a copy that has not ended. Asked for once; of several causes the deletion of the mailbox counts most, and
    /// a person's word more than the guard's.
    pub(super) fn abandon(&mut self, effect: EffectId, why: Fault, out: &mut Vec<Command>) {
        if let Some(job) = self.jobs.find(effect, Stage::Copying) {
            if job.abandoned.is_none() {
                out.push(Command::Abandon { effect, why });
            }
            if job.abandoned != Some(Fault::Gone) {
                job.abandoned = Some(why);
            }
        }
    }
}
