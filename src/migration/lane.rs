//! One head's lane: its queue, its pace, its jobs, its purges. It computes; the machine decides.

use std::collections::VecDeque;

use super::due::{Due, NOTHING_DUE, sooner};
use super::gate::Gate;
use super::mailbox::{Mailboxes, Phase};
use super::message::{Binding, EffectId, Limit, Reason};
use super::order::{Place, Queue};
use super::plan::{HeadPlan, Overlap, WindowLimit, Windows};
use super::progress::{Account, Shares};
use super::purge::Purges;
use super::throttle::{Sample, Throttle};
use super::waves::Waves;
use super::window::Cursor;
use crate::fleet::{ClusterId, MailboxId, STORES_MAX};
use crate::units::{Rate, Span, Time};

/// Whether a head counts as emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Emptied {
    /// Mailboxes that can move are still there.
    No,
    /// None is left as far as we know; the audit is under way.
    Asked,
    /// The audit found none.
    Yes,
}

/// The pace last asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) streams: u16,
    pub(super) rate: Rate,
}

/// One head's lane.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) turn: bool,
    pub(super) pace: Option<Pace>,
    /// The streams of that pace.
    pub(super) streams: u16,
    /// Closed by whoever changes what it depends on.
    pub(super) gate: Gate,
    pub(super) copying: u16,
    pub(super) switching: u16,
    /// Waiting or backing off.
    pub(super) waiting: u32,
    pub(super) set_aside: u32,
    /// Mailboxes that the plan leaves on the head.
    pub(super) excluded: u32,
    pub(super) queue: Queue,
    /// Copied, and waiting for their turn to switch.
    pub(super) ready: VecDeque<EffectId>,
    pub(super) throttle: Throttle,
    /// What the plan says of the head, asked too often to be looked up there: the most streams, the cap on the speeds, and
    /// how long a sample counts.
    ceiling: u16,
    rate: Rate,
    sample_limit: Span,
    pub(super) cursor: Cursor,
    pub(super) window: WindowLimit,
    pub(super) operator_cap: u16,
    pub(super) sample: Option<Sample>,
    /// Until when that sample counts; long ago without one.
    pub(super) fresh_until: Time,
    /// Since when fewer copies are under way than may be, for want of a sample that counts; never while all are.
    short_since: Time,
    pub(super) held_by: Limit,
    /// Whether a copy has ended since the last sample: it has told what held it.
    any_ended: bool,
    pub(super) account: Account,
    pub(super) shares: Shares,
    pub(super) emptied: Emptied,
    /// Audits under way: what one says that was asked for before the last may have been so before it.
    pub(super) audits: u32,
    pub(super) purges: Purges,
    /// Jobs under way to each cluster: whose samples concern this head.
    pub(super) jobs_on: [u16; STORES_MAX],
}

impl Lane {
    pub(super) fn new(plan: &HeadPlan, now: Time, queue: Queue, shares: Shares) -> Self {
        Self {
            turn: false,
            pace: None,
            streams: 0,
            gate: Gate::CLOSED,
            copying: 0,
            switching: 0,
            waiting: 0,
            set_aside: 0,
            excluded: 0,
            queue,
            ready: VecDeque::with_capacity(usize::from(plan.throttle.ceiling())),
            throttle: Throttle::new(&plan.throttle, now),
            ceiling: plan.throttle.ceiling(),
            rate: plan.throttle.rate,
            sample_limit: plan.throttle.sample_limit,
            cursor: Cursor::default(),
            window: WindowLimit::OPEN,
            operator_cap: u16::MAX,
            sample: None,
            fresh_until: Time::LONG_AGO,
            short_since: Time::NEVER,
            held_by: Limit::Own,
            any_ended: false,
            account: Account::new(now),
            shares,
            emptied: Emptied::No,
            audits: 0,
            purges: Purges::new(0, Vec::new()),
            jobs_on: [0; STORES_MAX],
        }
    }

    /// The copy of the order's next candidate to a cluster begins, on a lane that has a stream for it.
    #[inline]
    pub(super) fn start_copy(&mut self, to: ClusterId) {
        self.queue.pop_order();
        self.count_copy(to);
    }

    /// The same, in the place of a copy that has ended.
    #[inline(always)]
    pub(super) fn replace_copy(&mut self, to: ClusterId) {
        self.queue.pop_order();
        self.waiting -= 1;
        let jobs_on = &mut self.jobs_on[to.index()];
        *jobs_on = jobs_on.wrapping_add(1);
    }

    /// The same for a candidate that goes ahead of the order.
    pub(super) fn start_copy_ahead(&mut self, place: Place, to: ClusterId) {
        self.queue.pop(place);
        self.count_copy(to);
    }

    #[inline]
    fn count_copy(&mut self, to: ClusterId) {
        self.waiting -= 1;
        // Neither comes near its end: there are no more copies than streams, and no more jobs than slots.
        self.copying = self.copying.wrapping_add(1);
        let jobs_on = &mut self.jobs_on[to.index()];
        *jobs_on = jobs_on.wrapping_add(1);
    }

    /// Mailboxes that are still to leave the head.
    #[inline]
    pub(super) fn left(&self) -> u32 {
        self.waiting + u32::from(self.copying) + u32::from(self.switching) + self.ready.len() as u32
    }

    /// Whether nothing is still to leave the head.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0 && self.left() == 0
    }

    /// Whether so few wait that the next head may be near its turn.
    #[inline]
    pub(super) fn is_ending(&self) -> bool {
        self.waiting < u32::from(self.streams) + self.queue.apart()
    }

    /// Whether the next head may begin. Mailboxes that wait for a date of their own, or for room that others do not need,
    /// hold no other head up.
    pub(super) fn gives_way(&self, overlap: Overlap) -> bool {
        let apart = self.queue.apart();
        let empty = self.emptied == Emptied::Yes || (apart > 0 && self.left() <= apart);
        match overlap {
            Overlap::None => empty,
            Overlap::Tail => empty || self.waiting.saturating_sub(apart) < u32::from(self.streams),
        }
    }

    /// Reads the calendar along, where its limit may have changed.
    #[inline(always)]
    pub(super) fn read_calendar(&mut self, now: Time, windows: &Windows) {
        if self.cursor.may_change(now) {
            self.window = self.cursor.limit(windows, now);
            self.gate = Gate::CLOSED;
        }
    }

    /// The pace that throttle, calendar and operator allow as far as the calendar has been read.
    #[inline(always)]
    pub(super) fn allowed(&self, paused: bool) -> Pace {
        let streams = self.throttle.streams().min(self.window.streams).min(self.operator_cap);
        Pace { streams: if paused { 0 } else { streams }, rate: self.rate.min(self.window.rate) }
    }

    /// The last sample says nothing any more.
    pub(super) fn drop_sample(&mut self) {
        (self.sample, self.fresh_until, self.gate) = (None, Time::LONG_AGO, Gate::CLOSED);
    }

    /// Takes a sample in; the gate is for the caller to open again.
    #[inline(always)]
    pub(super) fn set_sample(&mut self, sample: Sample) {
        (self.sample, self.fresh_until) = (Some(sample), sample.measured_at + self.sample_limit);
    }

    #[inline]
    pub(super) fn fresh(&self, now: Time) -> bool {
        now <= self.fresh_until
    }

    /// Whether the end of a switch may have made room for a copy: one that ends while all streams are used and nothing is
    /// copied yet changes nothing of what binds.
    #[inline]
    pub(super) fn may_start(&self) -> bool {
        self.copying == 0 || !self.is_full() || !self.ready.is_empty()
    }

    /// Whether the end of a switch may call for anything.
    #[inline]
    pub(super) fn goes_on_at_an_end(&self) -> bool {
        self.may_start() || self.waiting <= self.queue.apart()
    }

    /// Whether all permitted streams are used.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.copying >= self.streams
    }

    /// Accounts for what binds from now on.
    #[inline]
    pub(super) fn is_bound_by(&mut self, now: Time, binding: Binding) {
        if binding != Binding::Outage || self.is_full() {
            self.short_since = Time::NEVER;
        } else {
            self.short_since = self.short_since.min(now);
        }
        self.account.set(now, binding);
    }

    /// What keeps the lane from starting anything at all, if something does.
    #[inline]
    pub(super) fn blocked(&self, now: Time, paused: bool) -> Option<Binding> {
        if self.is_empty() || (!self.turn && !self.queue.has_ahead()) {
            Some(Binding::NotItsTurn)
        } else if paused {
            Some(Binding::Paused)
        } else if !self.fresh(now) {
            Some(Binding::Outage)
        } else if self.is_full() {
            Some(self.cap())
        } else if !self.ready.is_empty() {
            Some(Binding::Mover)
        } else {
            None
        }
    }

    /// Which cap it is that all permitted streams are used up to.
    pub(super) fn cap(&self) -> Binding {
        self.cap_on_streams().unwrap_or_else(|| self.cap_by_limit())
    }

    /// The same where it is one on the number of streams, whatever holds them.
    fn cap_on_streams(&self) -> Option<Binding> {
        let throttle = self.throttle.streams();
        if self.operator_cap < throttle.min(self.window.streams) {
            Some(Binding::Paused)
        } else if self.window.streams < throttle {
            Some(Binding::Window)
        } else if throttle == 0 {
            Some(Binding::Throttle)
        } else {
            None
        }
    }

    /// The same where it hangs on what holds the copies: bytes that cannot go faster bind however few the streams are.
    fn cap_by_limit(&self) -> Binding {
        match self.held_by {
            Limit::Pace if self.window.rate < self.rate => Binding::Window,
            Limit::Pace | Limit::Link => Binding::Link,
            Limit::Ingest => Binding::Ingest,
            Limit::Own | Limit::Head if self.throttle.streams() < self.ceiling => Binding::Throttle,
            Limit::Own => Binding::Mover,
            Limit::Head => Binding::StreamCap,
        }
    }

    /// Notes what held back a copy that has ended.
    #[inline]
    pub(super) fn note_limit(&mut self, limit: Limit) {
        self.any_ended = true;
        self.hold_by(limit);
    }

    /// Notes what holds back the copies under way, where none has ended since the last sample: one that is slow enough may
    /// never end, and nothing else would tell why.
    #[inline]
    pub(super) fn note_limit_of_running(&mut self, limit: Option<Limit>) {
        let any_ended = std::mem::replace(&mut self.any_ended, false);
        if let Some(limit) = limit.filter(|_| !any_ended) {
            self.hold_by(limit);
        }
    }

    #[inline]
    fn hold_by(&mut self, limit: Limit) {
        if self.held_by != limit {
            self.held_by = limit;
            if self.gate.full_by_limit {
                self.gate.full = self.cap_by_limit();
            }
        }
    }

    /// Works out anew what the lane may do until something changes.
    pub(super) fn open_gate(&mut self, paused: bool, purges_held: bool) {
        self.gate = self.new_gate(paused, purges_held);
    }

    /// The same for an open gate where nothing but the sample's age has changed.
    #[inline(always)]
    pub(super) fn keep_gate_open(&mut self, paused: bool, purges_held: bool) {
        let may_run = self.turn && !paused;
        self.gate.until = if may_run { self.fresh_until } else { Time::NEVER };
        self.gate.purges_until = self.purges_until(paused, purges_held);
    }

    #[inline(always)]
    fn purges_until(&self, paused: bool, purges_held: bool) -> Time {
        let may_run = !paused && !purges_held && self.streams > 0;
        if may_run { self.fresh_until } else { Time::LONG_AGO }
    }

    /// What `blocked` and the purges' conditions come to as long as nothing of this lane is changed but its numbers.
    pub(super) fn new_gate(&self, paused: bool, purges_held: bool) -> Gate {
        // A group that has to wait is looked at each time, too.
        let urgent = self.queue.has_ahead() || self.turn && self.queue.has_whole_groups();
        let (until, streams, full) = match (urgent, self.turn, paused) {
            (false, false, _) => (Time::NEVER, 0, Binding::NotItsTurn),
            (false, true, true) => (Time::NEVER, 0, Binding::Paused),
            (false, true, false) => (self.fresh_until, self.streams, self.cap()),
            // What goes ahead of the order is looked at each time: for copies the gate stays closed.
            (true, ..) => (Time::LONG_AGO, 0, Binding::NotItsTurn),
        };
        Gate {
            until,
            streams,
            full,
            full_by_limit: !urgent && self.turn && !paused && self.cap_on_streams().is_none(),
            plenty: if urgent { 0 } else { (u32::from(self.streams) + self.queue.apart()).max(1) },
            purges_until: self.purges_until(paused, purges_held),
        }
    }

    /// Whether nothing but the number of copies may keep the lane from starting one, and it is far from its end.
    #[inline]
    pub(super) fn is_steady(&self, now: Time) -> bool {
        now <= self.gate.until && self.waiting > self.gate.plenty && self.ready.is_empty()
    }

    /// Whether as many copies are under way as may be, and what binds then is what has bound already.
    #[inline]
    pub(super) fn is_bound_as_before(&self) -> bool {
        self.copying >= self.gate.streams && self.account.binding() == self.gate.full
    }

    /// Whether the throttle's own pace is what holds the copies back: where bytes cannot go faster, more streams would wait
    /// with the others, and all go at once when they can again. Nor does a pace rise that is not used up: while the guard
    /// suspends the copies, or while they wait for their switches and fewer begin than may.
    ///
    /// Where samples age out before the next one comes, no copy begins for a while: what was measured while all of them were
    /// still under way shows a pace that is used up all the same.
    pub(super) fn uses_throttle(&self, measured_at: Time) -> bool {
        let own = self.pace.is_some_and(|pace| pace.streams == self.throttle.streams());
        if self.account.binding() == Binding::Outage {
            let held = matches!(self.account.bound_before(), Binding::Throttle | Binding::StreamCap);
            return own && held && self.streams > 0 && measured_at <= self.short_since;
        }
        let held = match self.account.binding() {
            Binding::Throttle | Binding::StreamCap | Binding::Mover => true,
            Binding::Link
            | Binding::Ingest
            | Binding::Window
            | Binding::NoRoom
            | Binding::Outage
            | Binding::Tail
            | Binding::Paused
            | Binding::NotItsTurn => false,
        };
        own && held && self.streams > 0 && self.is_full()
    }

    /// The next mailbox, and where it is; or what keeps it.
    #[inline]
    pub(super) fn candidate(&mut self, mailboxes: &Mailboxes, waves: &Waves) -> Result<(MailboxId, Place), Binding> {
        while let Some(mailbox) = self.queue.peek_urgent() {
            if mailboxes.phase(mailbox) == Phase::Waiting {
                return Ok((mailbox, Place::Urgent));
            }
            self.queue.pop(Place::Urgent);
        }
        let mut held = false;
        while let Some(mailbox) = self.queue.peek_after_room().filter(|_| !held) {
            if mailboxes.phase(mailbox) != Phase::Waiting {
                self.queue.pop(Place::AfterRoom);
            } else if waves.admits() {
                return Ok((mailbox, Place::AfterRoom));
            } else {
                held = true;
            }
        }
        if !self.turn {
            return Err(Binding::NotItsTurn);
        }
        while let Some(mailbox) = self.queue.peek_order() {
            if mailboxes.phase(mailbox) == Phase::Waiting {
                if self.queue.waits_for_a_group(mailboxes) {
                    return Err(if self.queue.for_room() > 0 { Binding::NoRoom } else { Binding::Tail });
                }
                return if waves.admits() { Ok((mailbox, Place::Order)) } else { Err(Binding::Paused) };
            }
            self.queue.pop_order();
        }
        if held {
            return Err(Binding::Paused);
        }
        let for_room = self.queue.for_room();
        Err(if for_room > 0 && self.waiting <= for_room { Binding::NoRoom } else { Binding::Tail })
    }

    /// The next thing of this lane that is due.
    #[inline(always)]
    pub(super) fn next_due(&self, now: Time) -> Due {
        let mut next = NOTHING_DUE;
        // In the order of the reasons, so that of several at one instant the first counts.
        let mut consider = |due: Time, why| {
            if due < next.0 {
                next = (due, why);
            }
        };
        if self.fresh_until >= now && self.account.binding() != Binding::Outage && !self.is_empty() {
            consider(self.fresh_until + Span::TICK, Reason::SampleAge);
        }
        // The calendar has been read until now: whatever changes there is due, and read first.
        consider(self.cursor.next_change(), Reason::Window);
        // What is due but may not be purged now is taken up when that changes, which is an event.
        let purge = self.purges.next_due(next.0);
        if purge > now && purge < next.0 {
            next = (purge, Reason::Purge);
        }
        sooner(next, self.queue.next_dated())
    }
}
