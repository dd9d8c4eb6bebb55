//! What a worker does for one effect: the copy, the switch, the removal of an old copy. Each ends in a result or a fault;
//! a switch that cannot be finished is backed out, whatever it takes.
//!
//! The order is the one that has lost nothing under a running Dovecot: copied live, then held, sessions and deliveries
//! ended, fenced, the rest copied, verified, flipped. Until the flip the source is only renamed, never changed.

mod audit;
mod left;
mod look;
mod neighbours;
mod problem;
mod purge;
mod switch;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::directory::{Directory, Fence, Lease, User};
use super::front::{FrontEnds, FrontError};
use super::journal::{Journal, Step};
use super::maildir::{self, Copy, Gate, MailError, Root, Stopped, Totals};
use super::pace::Ticket;
use crate::fleet::{ClusterId, HeadId, MailboxId};
use crate::migration::message::{EffectId, Fault};
use crate::units::Span;
pub use audit::Audit;
pub use left::Left;
pub use look::Look;
pub use neighbours::Neighbours;
use problem::{Problem, fault};
pub use purge::Moved;
use switch::Switch;
pub use watch::{Hangs, SwitchWatch};

/// Passes over what changes during a copy, at most; then the rest is left to the switch.
const PASSES: u32 = 6;
/// With no more changes than this in a pass, the switch may come.
const FEW: u32 = 10;
/// Passes in the hold until one finds nothing; more means that somebody still writes.
const FINAL_PASSES: u32 = 3;
/// Between two attempts to back out or to learn what became of a flip.
const AGAIN: Duration = Duration::from_millis(500);

/// Who a mailbox is, outside the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The user's name in the directory.
    pub user: String,
    /// The path below its store's root.
    pub path: PathBuf,
}

/// All that workers share.
#[derive(Debug)]
pub struct Mover {
    /// The stores' roots and names, by head and by cluster.
    pub heads: Vec<(String, Root)>,
    /// The same of the clusters.
    pub clusters: Vec<(String, Root)>,
    /// By `MailboxId`.
    pub names: RwLock<Vec<Name>>,
    /// Who lives where.
    pub directory: Arc<Directory>,
    /// Our right to change anything.
    pub lease: Arc<Lease>,
    /// By which the lease runs out.
    pub clock: Clock,
    /// Who has to acknowledge a hold.
    pub front_ends: FrontEnds,
    /// What has been done in the world.
    pub journal: Arc<dyn Journal>,
    /// How many messages each mailbox held when it moved.
    pub moved: Moved,
    /// Whose places on the clusters are.
    pub neighbours: Neighbours,
    /// What the last session has left of copies.
    pub left: Left,
    /// A user may be held for so long.
    pub hold_at_most: Duration,
    /// Sessions and deliveries may take so long to end.
    pub drain: Span,
    /// A worker that has been at one piece of its work for so long hangs.
    pub hangs_after: Duration,
    /// Nothing is begun any more, and nothing that fails is tried again.
    pub closing: AtomicBool,
}

/// A copy that has arrived and waits for its switch.
#[derive(Debug)]
pub struct Arrived {
    /// Which mailbox.
    pub mailbox: MailboxId,
    /// From where.
    pub from: HeadId,
    /// To where.
    pub to: ClusterId,
    /// The copy, with what is known of each file.
    pub copy: Copy,
    /// What it holds.
    pub totals: Totals,
}

/// One copy to be made.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// The effect it is for.
    pub effect: EffectId,
    /// Which mailbox.
    pub mailbox: MailboxId,
    /// From where.
    pub from: HeadId,
    /// To where.
    pub to: ClusterId,
}

impl Mover {
    /// Who a mailbox is.
    #[must_use]
    pub fn name(&self, mailbox: MailboxId) -> Option<Name> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).get(mailbox.index()).cloned()
    }

    /// Files have no fencing number: whether we may change them now.
    fn has_lease(&self) -> bool {
        self.lease.holds(self.clock.latest())
    }

    /// BULK and DELTA: copies while its user goes on, until little changes between two passes, and reads back what has
    /// arrived.
    ///
    /// # Errors
    /// What went wrong; whatever had arrived is removed.
    pub fn copy(&self, task: Task, ticket: &Ticket) -> Result<Arrived, Fault> {
        let name = self.name(task.mailbox).ok_or(Fault::Gone)?;
        let (source, target) = (&self.heads[task.from.index()].1, &self.clusters[task.to.index()].1);
        let arriving = arriving(&name.path);
        let stores = [source, target];
        self.remove_left(task.mailbox, task.to, &name);
        // Nothing is removed on the way back: what stands there is somebody's, or may be.
        self.claim(task.to, &name).map_err(|problem| self.fault_of(&name, task.from, "copy", &problem, &stores))?;
        let made = self.copy_live(task, &name, source, target, &arriving, ticket);
        made.map_err(|problem| {
            self.remove(task.to, &name);
            self.fault_of(&name, task.from, "copy", &problem, &stores)
        })
    }

    /// Nobody else's mailbox is taken for a copy, and no copy comes to where somebody else is, or is coming. What stands where
    /// it is to arrive has been left by an earlier attempt, for the most part; an account may have been made with that very name.
    fn claim(&self, to: ClusterId, name: &Name) -> Result<(), Problem> {
        let (store, root) = &self.clusters[to.index()];
        let anew = maildir::has_arrived(root, &arriving(&name.path))?;
        self.neighbours.claim(&self.directory, store, name, anew)
    }

    fn copy_live(
        &self,
        task: Task,
        name: &Name,
        source: &Root,
        target: &Root,
        arriving: &Path,
        ticket: &Ticket,
    ) -> Result<Arrived, Problem> {
        let gate = &Leased { mover: self, ticket };
        // Whatever stands there would keep the copy out at the end, with its user held for nothing.
        maildir::is_free(target, &name.path)?;
        maildir::can_be_fenced(source, &name.path)?;
        let mut copy = Copy::new(source, target, &name.path, arriving).numbered(self.lease.fence().number());
        let began = now();
        let bulk = copy.bulk(gate)?;
        let bulk = Step::Bulk { worked: ticket.worked(), took: began.elapsed(), pass: bulk };
        self.journal.step(task.effect, task.mailbox, bulk)?;
        for _ in 0..PASSES {
            if copy.delta(gate)?.changes() <= FEW {
                break;
            }
        }
        copy.rehash(gate)?;
        copy.delta(gate)?;
        let totals = copy.totals();
        let step = Step::Arrived { worked: ticket.worked(), took: began.elapsed(), totals };
        self.journal.step(task.effect, task.mailbox, step)?;
        Ok(Arrived { mailbox: task.mailbox, from: task.from, to: task.to, copy, totals })
    }

    /// Removes a copy that is not wanted any more.
    pub fn discard(&self, arrived: &Arrived) {
        if let Some(name) = self.name(arrived.mailbox) {
            self.remove(arrived.to, &name);
        }
    }

    /// Removes a copy that has not come to its place; unless the lease is lost, since the one in that place may be another
    /// instance's by now.
    fn remove(&self, to: ClusterId, name: &Name) {
        let (store, root) = &self.clusters[to.index()];
        if self.has_lease() {
            // What cannot be removed now is taken over or removed by the next attempt.
            let _ = maildir::discard(root, &arriving(&name.path));
        }
        self.neighbours.give_back(store, name);
    }

    /// HOLD to FLIP. On any error the user is back where it was, with all its mail, when this returns; unless the program is
    /// closing and the directory does not answer: then the next session does it first.
    ///
    /// # Errors
    /// What went wrong.
    pub fn switch(&self, effect: EffectId, mut arrived: Arrived, watch: &SwitchWatch) -> Result<(), Fault> {
        let name = self.name(arrived.mailbox).ok_or(Fault::Gone)?;
        let arrived_from = arrived.from;
        let stores = [&self.heads[arrived.from.index()].1, &self.clusters[arrived.to.index()].1];
        let mut switch = Switch {
            mover: self,
            effect,
            name: &name,
            arrived: &mut arrived,
            watch,
            user: None,
            held: None,
            fenced: false,
            marked: false,
            placed: false,
        };
        // Whatever goes wrong, and be it a mistake of ours: nobody stays held for it.
        let ended = catch_unwind(AssertUnwindSafe(|| switch.run())).unwrap_or(Err(Problem::Panicked));
        if let Err(problem) = &ended {
            watch.fail();
            let fault = self.fault_of(&name, arrived_from, "switch", problem, &stores);
            switch.back_out();
            watch.over();
            self.discard(&arrived);
            return Err(fault);
        }
        Ok(())
    }

    /// What the machine is told of a problem with the mailbox of somebody at a head, on these stores; people are told more.
    fn fault_of(&self, name: &Name, from: HeadId, doing: &str, problem: &Problem, stores: &[&Root]) -> Fault {
        let problem = match problem {
            // The gate stops whatever goes on without it.
            Problem::Mail(MailError::Stopped) if !self.has_lease() => &Problem::LeaseLost,
            other => other,
        };
        let fault = match problem {
            // That there is no mailbox is no word of its user's: the store may not be mounted.
            Problem::Mail(MailError::Gone) => self.without_mailbox(name, from, doing),
            // Where a store fails as a whole, its mailboxes must not be set aside one after the other.
            Problem::Mail(MailError::SourceUnreadable { .. } | MailError::Io { .. })
                if stores.iter().any(|store| !store.works()) =>
            {
                Fault::Unreachable
            }
            Problem::Mail(error) => fault(error),
            // A database that does not answer is no mailbox's fault: a long outage must not set one after the other aside.
            Problem::Directory(error) if error.is_passing() => Fault::Unreachable,
            // Nor is a front end that does not answer.
            Problem::Front(FrontError::Failed(_)) => Fault::Unreachable,
            // No attempt will do better with this name.
            Problem::Front(FrontError::Name { .. }) | Problem::Panicked | Problem::Claimed(_) => Fault::Permanent,
            // The user was changed by somebody else, or something goes on: another attempt will see.
            Problem::Directory(_)
            | Problem::Front(FrontError::StillBusy { .. })
            | Problem::Ledger(_)
            | Problem::Unquiet
            | Problem::GivenUp
            | Problem::LeaseLost => Fault::Transient,
            Problem::Gone => match self.directory.user(&name.user) {
                Ok(Some(user)) => self.where_it_went(&user, doing),
                Ok(None) => Fault::Gone,
                Err(_) => Fault::Unreachable,
            },
            Problem::TooLong(_) => Fault::HoldTooLong,
        };
        if fault != Fault::Abandoned {
            self.journal.trouble(&format!("{doing} of {}", name.user), &problem.to_string());
        }
        fault
    }

    /// What it means that a mailbox is not there: its user is gone if the directory says so, too.
    fn without_mailbox(&self, name: &Name, from: HeadId, doing: &str) -> Fault {
        let store = &self.heads[from.index()].0;
        match self.directory.user(&name.user) {
            Ok(Some(user)) if user.home == *store && Path::new(&user.path) == name.path => {
                let why = format!("the directory has the user at {store}: is the store mounted, was it ever made?");
                self.journal.trouble(&format!("{doing} of {}", name.user), &why);
                Fault::Permanent
            }
            Ok(Some(user)) => self.where_it_went(&user, doing),
            Ok(None) => Fault::Gone,
            Err(_) => Fault::Unreachable,
        }
    }

    /// What it means that the directory has somebody elsewhere: gone from here, unless nobody can look there.
    fn where_it_went(&self, user: &User, doing: &str) -> Fault {
        if self.heads.iter().chain(&self.clusters).any(|(store, _)| *store == user.home) {
            return Fault::Gone;
        }
        let why = format!("the directory has the user at {}, which is none of the scenario's stores", user.home);
        self.journal.trouble(&format!("{doing} of {}", user.name), &why);
        Fault::Permanent
    }
}

/// Where there may be something of a user that was left held.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// Where the directory says it lives, if that store is one of the site's.
    pub home: Option<&'a Root>,
    /// Whether that is a head.
    pub at_head: bool,
    /// A cluster on which its copy had come to its final place, as the ledger knows.
    pub placed: Option<&'a Root>,
    /// All clusters: a mark beside a copy may say that it had come there (another ledger's migration).
    pub clusters: &'a [(String, Root)],
}

/// Puts a user that an earlier session has left held back to where the directory says it lives: off the clusters on which
/// its copy had come to its final place, and out from behind a fence at its home. The front ends are to be told then.
///
/// # Errors
/// What could not be done; the user is still held then.
pub fn put_back(directory: &Directory, fence: Fence, user: &User, places: Places<'_>) -> Result<(), String> {
    let path = Path::new(&user.path);
    let Places { home, at_head, placed, clusters } = places;
    // It may stand behind a fence there.
    let home = home.ok_or_else(|| format!("its home {} is none of this scenario's stores", user.home))?;
    if home.is_absent() {
        return Err(format!("its home {} is out of service", user.home));
    }
    if at_head {
        // On one that is out of service a mark still says that nobody lives there: the next switch to it looks.
        for (_, cluster) in clusters.iter().filter(|(_, cluster)| !cluster.is_absent()) {
            maildir::unplace(cluster, path, user.epoch).map_err(|error| error.to_string())?;
        }
        if let Some(target) = placed {
            let taken = maildir::take_back(target, path, &arriving(path));
            match taken {
                // The session was interrupted just before it was placed.
                Ok(()) | Err(MailError::Gone) => {}
                Err(error) => return Err(error.to_string()),
            }
            maildir::discard(target, &arriving(path)).map_err(|error| error.to_string())?;
        }
    }
    // On a cluster, too: the way back of preflight's test mailbox may have been interrupted.
    match maildir::unfence(home, path) {
        // A mailbox behind its fence on a store that is not mounted looks like this, too.
        Err(MailError::Gone) if home.is_bare().map_err(|error| error.to_string())? => {
            return Err(format!("there is nothing at all at {}: is it mounted?", user.home));
        }
        // Removed meanwhile, by somebody else: whom it belonged to need not stay held for it.
        Ok(()) | Err(MailError::Gone) => {}
        Err(error) => return Err(error.to_string()),
    }
    directory.release(user, fence).map_err(|error| error.to_string())
}

/// Where a copy arrives, beside its final place.
#[must_use]
pub fn arriving(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(maildir::ARRIVING);
    name.into()
}

/// Lets a copy progress as its pace allows, and only under the lease: a program that was stopped for long may find another
/// instance at work in the same places.
struct Leased<'a> {
    mover: &'a Mover,
    ticket: &'a Ticket,
}

impl Gate for Leased<'_> {
    fn pass(&self, bytes: u64) -> Result<(), Stopped> {
        self.ticket.pass(bytes)?;
        if self.mover.has_lease() { Ok(()) } else { Err(Stopped) }
    }
}

#[allow(clippy::disallowed_methods, reason = "how long a user is held is measured where it happens")]
fn now() -> Instant {
    Instant::now()
}
