//! HOLD to FLIP, and the way back.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::problem::Problem;
use super::watch::SwitchWatch;
use super::{AGAIN, Arrived, FEW, FINAL_PASSES, Mover, Name, PASSES, arriving, now};
use crate::live::directory::{DirectoryError, User};
use crate::live::journal::Step;
use crate::live::ledger::LedgerError;
use crate::live::maildir::{self, Gate, MailError, Pass, Root, Stopped};
use crate::migration::message::EffectId;
use crate::units::Span;

/// A switch under way.
pub(super) struct Switch<'a> {
    pub(super) mover: &'a Mover,
    pub(super) effect: EffectId,
    pub(super) name: &'a Name,
    pub(super) arrived: &'a mut Arrived,
    pub(super) watch: &'a SwitchWatch,
    /// The user as it was before the hold, once a hold may have been committed.
    pub(super) user: Option<User>,
    pub(super) held: Option<Instant>,
    /// Whether the source may be behind a fence of this switch.
    pub(super) fenced: bool,
    /// Whether its final place may be marked.
    pub(super) marked: bool,
    /// Whether the copy may stand in its final place.
    pub(super) placed: bool,
}

impl<'a> Switch<'a> {
    pub(super) fn run(&mut self) -> Result<(), Problem> {
        let Self { mover, name, .. } = *self;
        let (store, source) = &mover.heads[self.arrived.from.index()];
        let (new_home, target) = &mover.clusters[self.arrived.to.index()];
        let found = mover.directory.user(&name.user)?;
        let user =
            found.filter(|user| user.home == *store && Path::new(&user.path) == name.path).ok_or(Problem::Gone)?;
        self.catch_up()?;
        // An account may have been made there meanwhile. What stands there now is our copy: no reason to read a whole list anew.
        let to = &mover.clusters[self.arrived.to.index()].0;
        mover.neighbours.claim(&mover.directory, to, name, false)?;
        // Left by another ledger's instance that was stopped there: nobody lives in it as long as the user lives here.
        self.still_ours("clearing the place")?;
        maildir::unplace(target, &name.path, user.epoch)?;
        maildir::is_free(target, &name.path)?;
        maildir::can_be_fenced(source, &name.path)?;
        self.user = Some(user.clone());
        self.held = Some(now());
        self.at("holding")?;
        mover.directory.hold(&user, mover.lease.fence())?;
        self.note(Step::Hold)?;
        // It may have got another path, or another home, while the rest was caught up.
        let now = mover.directory.user(&name.user)?.ok_or(Problem::Gone)?;
        if (&now.home, &now.path) != (&user.home, &user.path) {
            return Err(Problem::Gone);
        }
        self.at("flushing caches")?;
        mover.front_ends.flush(&name.user)?;
        self.at("ending sessions and deliveries")?;
        mover.front_ends.quiet(&name.user, self.drain())?;
        self.in_time()?;
        self.still_ours("fencing")?;
        // What has come there since the hold is not ours to move back.
        maildir::can_be_fenced(source, &name.path)?;
        self.fenced = true;
        let fenced = maildir::fence(source, &name.path)?;
        self.note(Step::Fence)?;
        self.at("looking for sessions behind the fence")?;
        mover.front_ends.no_session(&name.user, self.drain())?;
        self.finish(&fenced.moving)?;
        self.at("verifying")?;
        let verified = self.arrived.copy.verify(&self.seen("verifying"));
        self.in_time()?;
        verified?;
        self.still_ours("placing")?;
        if !self.watch.commit() {
            return Err(Problem::GivenUp);
        }
        // Written before it is done: the next session must know that what stands there is ours, and so must one that has
        // another ledger.
        let totals = self.arrived.copy.totals();
        self.note(Step::Placed { totals })?;
        mover.moved.note(self.arrived.mailbox, totals.messages);
        self.marked = true;
        maildir::mark_placed(target, &name.path, user.epoch)?;
        let placed = maildir::place(target, &arriving(&name.path), &name.path);
        // It may have been renamed before it failed; what already stood there is not ours.
        self.placed = !matches!(placed, Err(MailError::Taken { .. } | MailError::Gone));
        placed?;
        self.at("flipping")?;
        self.flip(&user, new_home)?;
        let held = self.held.map_or(Duration::ZERO, |since| since.elapsed());
        // It has happened, whether it can be written down or not; without a ledger nothing more is begun.
        let _ = self.note(Step::Flip { held, totals: self.arrived.copy.totals() });
        mover.neighbours.moved(new_home, name);
        // The mark says nothing any more, since the user's epoch is another one.
        let _ = maildir::unmark_placed(target, &name.path);
        self.end_hold_in_caches();
        Ok(())
    }

    /// What has changed while the copy waited for its switch is copied, and read back, before anybody is held for it.
    fn catch_up(&mut self) -> Result<(), Problem> {
        for _ in 0..PASSES {
            self.at("catching up")?;
            if self.arrived.copy.delta(&self.seen("catching up"))?.changes() <= FEW {
                break;
            }
        }
        Ok(self.arrived.copy.rehash(&self.seen("catching up"))?)
    }

    /// FINAL: what has changed since the last pass, until one finds nothing.
    fn finish(&mut self, fenced: &Path) -> Result<(), Problem> {
        for _ in 0..FINAL_PASSES {
            self.at("copying behind the fence")?;
            let pass = self.arrived.copy.finish(fenced, &self.seen("copying behind the fence"));
            self.in_time()?;
            let pass: Pass = pass?;
            if pass.changes() == 0 {
                return Ok(());
            }
        }
        Err(Problem::Unquiet)
    }

    /// Flips. Where the answer is lost it may still come true: ending the hold decides it, and then the user is looked at.
    fn flip(&self, user: &User, new_home: &str) -> Result<(), Problem> {
        let mover = self.mover;
        let error = match mover.directory.flip(user, new_home, mover.lease.fence()) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if !matches!(error, DirectoryError::Uncertain { .. }) {
            return Err(error.into());
        }
        loop {
            self.watch.at("asking what became of the flip");
            let settled = match mover.directory.release(user, mover.lease.fence()) {
                // It has never been flipped, and cannot be any more.
                Ok(()) => return Err(error.into()),
                Err(DirectoryError::Refused { .. }) => mover.directory.user(&self.name.user),
                Err(unsettled) => Err(unsettled),
            };
            match settled {
                Ok(found) if found.as_ref().is_some_and(|now| now.home == new_home && now.epoch > user.epoch) => {
                    return Ok(());
                }
                Ok(_) => return Err(error.into()),
                // The next session finds out, before anything else.
                Err(_) if mover.closing.load(Ordering::Relaxed) => return Err(error.into()),
                Err(_) => std::thread::park_timeout(AGAIN),
            }
        }
    }

    /// After the flip: nobody may go on with the old home in a cache. The fence keeps deliveries out meanwhile.
    fn end_hold_in_caches(&self) {
        let mut told = false;
        self.watch.at("flushing caches after the flip");
        while let Err(error) = self.mover.front_ends.flush(&self.name.user) {
            if !told {
                told = true;
                self.mover.journal.trouble(&format!("after the flip of {}", self.name.user), &error.to_string());
            }
            self.watch.at("flushing caches after the flip");
            if self.mover.closing.load(Ordering::Relaxed) {
                return;
            }
            std::thread::park_timeout(AGAIN);
        }
    }

    /// Undoes everything, in the opposite order, until it is done: the user must not stay held.
    pub(super) fn back_out(&mut self) {
        let Some(user) = self.user.take() else { return };
        let (mover, path) = (self.mover, &self.name.path);
        let (source, target) = (&mover.heads[self.arrived.from.index()].1, &mover.clusters[self.arrived.to.index()].1);
        let (mut told, mut undone) = (false, None);
        loop {
            self.watch.at("backing out");
            let target = Some((target, self.placed)).filter(|_| self.marked);
            let source = Some(source).filter(|_| self.fenced);
            // Once the user is free only the caches are left; it is not held again for their sake.
            let done = undone.map_or_else(|| undo(mover, &user, path, source, target), Ok);
            undone = done.as_ref().ok().cloned();
            let flush =
                |name: String| mover.front_ends.flush(&name).map_err(|error| Undone::Trouble(error.to_string()));
            match done.and_then(flush) {
                Ok(()) => break,
                Err(Undone::NotOurs) => return,
                Err(Undone::ForAPerson(why)) => {
                    let why = format!("{why}; the user stays held until `drawdown release` after that");
                    return mover.journal.trouble(&format!("backing out of {}", self.name.user), &why);
                }
                Err(Undone::Trouble(why)) => {
                    if !told {
                        told = true;
                        mover.journal.trouble(&format!("backing out of {}", self.name.user), &why);
                    }
                }
            }
            if mover.closing.load(Ordering::Relaxed) {
                return;
            }
            std::thread::park_timeout(AGAIN);
        }
        let held = self.held.map_or(Duration::ZERO, |since| since.elapsed());
        // It has happened, whether it can be written down or not.
        let _ = self.note(Step::BackedOut { held });
    }

    fn seen(&self, step: &'static str) -> Seen<'a> {
        Seen { mover: self.mover, watch: self.watch, step, held: self.held, at_most: self.mover.hold_at_most }
    }

    /// How long sessions and deliveries may take to end: as the site says, and no longer than the user may be held.
    fn drain(&self) -> Span {
        let held = self.held.map_or(Duration::ZERO, |since| since.elapsed());
        let left = self.mover.hold_at_most.saturating_sub(held);
        self.mover.drain.min(Span::from_secs_f64(left.as_secs_f64()))
    }

    fn in_time(&self) -> Result<(), Problem> {
        let held = self.held.map_or(Duration::ZERO, |since| since.elapsed());
        if held > self.mover.hold_at_most { Err(Problem::TooLong(held)) } else { Ok(()) }
    }

    /// Before each change of the world's order of things the lease is looked at.
    fn still_ours(&self, step: &'static str) -> Result<(), Problem> {
        self.at(step)?;
        if self.mover.has_lease() { Ok(()) } else { Err(Problem::LeaseLost) }
    }

    /// Goes on to the next step, unless the switch was given up.
    fn at(&self, step: &'static str) -> Result<(), Problem> {
        if self.watch.at(step) { Ok(()) } else { Err(Problem::GivenUp) }
    }

    fn note(&self, step: Step) -> Result<(), LedgerError> {
        self.mover.journal.step(self.effect, self.arrived.mailbox, step)
    }
}

/// Lets every piece pass while there is time and the lease holds, and shows that it goes on.
struct Seen<'a> {
    mover: &'a Mover,
    watch: &'a SwitchWatch,
    step: &'static str,
    /// Since when the user is held, and for how long it may be.
    held: Option<Instant>,
    at_most: Duration,
}

impl Gate for Seen<'_> {
    fn pass(&self, _bytes: u64) -> Result<(), Stopped> {
        let in_time = self.held.is_none_or(|since| since.elapsed() <= self.at_most);
        if self.watch.at(self.step) && in_time && self.mover.has_lease() { Ok(()) } else { Err(Stopped) }
    }
}

/// Why a back-out has not been completed.
enum Undone {
    /// The user is not ours to change any more.
    NotOurs,
    /// No attempt will do better, and neither the end of the session nor the other mailboxes wait for it.
    ForAPerson(String),
    Trouble(String),
}

/// Undoes a switch but for what caches hold: at a source that may be fenced, and at a target that may be marked, and whether the
/// copy was placed there. Says whose caches are to be told.
fn undo(
    mover: &Mover,
    user: &User,
    path: &Path,
    source: Option<&Root>,
    target: Option<(&Root, bool)>,
) -> Result<String, Undone> {
    let trouble = |error: MailError| Undone::Trouble(error.to_string());
    // Held once more under our lease, or not ours any more: whoever has taken over, and whoever has flipped the user after
    // all, knows what to do with it, and its files are left alone.
    let held = match directory_says(mover.directory.hold(user, mover.lease.fence())) {
        Err(Undone::NotOurs) => heir(mover, user)?,
        held => held.map(|()| Some(user.clone()))?,
    };
    if let Some((target, placed)) = target {
        if placed {
            maildir::take_back(target, path, &arriving(path)).map_err(trouble)?;
        }
        maildir::unmark_placed(target, path).map_err(trouble)?;
    }
    match source.map_or(Ok(()), |source| maildir::unfence(source, path)) {
        // Removed meanwhile, by somebody else: whom it belonged to need not stay held for it.
        Ok(()) | Err(MailError::Gone) => {}
        Err(MailError::Differs { what }) => return Err(Undone::ForAPerson(what)),
        Err(error) => return Err(trouble(error)),
    }
    let Some(held) = held else { return Ok(user.name.clone()) };
    directory_says(mover.directory.release(&held, mover.lease.fence()))?;
    Ok(held.name)
}

/// Whoever has the mailbox by now of a user whom nobody can hold as it was, held by us like the user: its row was changed under
/// the hold, by a person, or renamed. None where it was deleted, or is held by hand: the mailbox is given back then, too, where
/// people look for it, and nobody is released.
fn heir(mover: &Mover, user: &User) -> Result<Option<User>, Undone> {
    let unknown = |error: DirectoryError| {
        let why = format!("{error}; its mailbox may stand behind its fence");
        if error.is_passing() { Undone::Trouble(why) } else { Undone::ForAPerson(why) }
    };
    if !mover.has_lease() {
        return Err(Undone::NotOurs);
    }
    let is_there = |other: &User| other.home == user.home && other.path == user.path;
    let heir = match mover.directory.user(&user.name).map_err(unknown)? {
        Some(now) if is_there(&now) => Some(now),
        // It has been flipped after all, or moved by hand.
        Some(_) => return Err(Undone::NotOurs),
        None => mover.directory.list().map_err(unknown)?.users.into_iter().find(is_there),
    };
    let Some(heir) = heir else { return Ok(None) };
    match directory_says(mover.directory.hold(&heir, mover.lease.fence())) {
        Err(Undone::NotOurs) if mover.has_lease() => Ok(None),
        held => held.map(|()| Some(heir)),
    }
}

fn directory_says(answer: Result<(), DirectoryError>) -> Result<(), Undone> {
    answer.map_err(|error| match error {
        DirectoryError::Refused { .. } => Undone::NotOurs,
        other => Undone::Trouble(other.to_string()),
    })
}
