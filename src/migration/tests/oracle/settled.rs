//! That a step leaves nothing undone: whatever is asked anew has been done already.

use super::super::world::World;
use crate::fleet::HeadId;
use crate::migration::lane::Lane;
use crate::migration::message::{Command, Milestone, Next, Reason};

impl World {
    /// Nothing that may begin waits for another event, what is said to bind does, and the next wake-up is not too late.
    pub(super) fn assert_settled(&self, next: Next) {
        let Some(session) = self.machine.session.as_ref().filter(|session| !session.ended) else { return };
        let (now, last) = (self.now, || format!("at {:?} after {:?}", self.now, self.log.last()));
        let (mut anew, mut commands) = (session.clone(), Vec::new());
        anew.renew_wake(now);
        // A head that removes as many old copies as it may goes on when one of them is gone.
        let purging = |lane: &Lane| lane.purges.running >= session.purge_streams;
        let excused = anew.wake.1 == Reason::Purge && session.lanes.iter().any(purging);
        assert!(
            excused || session.wake.0 <= anew.wake.0,
            "woken at {:?}, due at {:?}, {}",
            session.wake,
            anew.wake,
            last()
        );
        assert!(next == Next::Finished || now < session.wake.0, "{:?} has passed, {}", session.wake, last());
        anew.set_intake(&mut commands);
        assert!(commands.is_empty(), "new accounts, {}: {commands:?}", last());
        anew.advance_waves(now, &mut commands);
        anew.refresh_all(now, &mut commands);
        anew.pass_turn(now, &mut commands);
        anew.offer_place(now, &mut commands);
        for head in (0..anew.lanes.len() as u8).map(HeadId) {
            if session.stopped.is_none() {
                anew.check_emptied(head, &mut commands);
            }
            anew.announce_shares(head, &mut commands);
            anew.check_purged(head, &mut commands);
        }
        commands.retain(|command| match command {
            // Old copies are looked at on the minute.
            Command::Purge { from, .. } => !session.lanes[from.index()].purges.waits_for_the_minute(now),
            // With time alone less room is left as far as is known: that is found out when it is asked for.
            Command::SetIntake { .. } | Command::Announce { milestone: Milestone::ClusterFull { .. }, .. } => false,
            _ => true,
        });
        assert!(commands.is_empty(), "left undone {}: {commands:?}", last());
        for (head, (lane, anew)) in session.lanes.iter().zip(&anew.lanes).enumerate() {
            assert_eq!(lane.account.binding(), anew.account.binding(), "binds head {head} {}", last());
        }
    }
}
