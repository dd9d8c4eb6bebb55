//! What an audit's answer is worth.

use super::desk::{Desk, HEAD};
use super::plans::plain;
use crate::fleet::MailboxId;
use crate::migration::message::{Command, Event, Fault, Limit, Milestone, Order, StopCause};

/// A head whose last mailbox was set aside and has moved after all, while the audit that had been asked for before is under way.
fn asked_twice() -> Desk {
    let mut desk = Desk::with(plain(1), &[(0, 100); 2]);
    desk.sample(0, 10);
    let effects = desk.started_copies();
    desk.copied(1, effects[0], Limit::Own);
    desk.tell(2, Event::SwitchEnded { effect: effects[0] });
    desk.tell(3, Event::CopyFailed { effect: effects[1], fault: Fault::Permanent });
    assert!(desk.said.iter().any(|command| matches!(command, Command::Audit { .. })));
    desk.order(4, Order::Retry(MailboxId(1)));
    let effect = desk.started_copies()[0];
    desk.copied(5, effect, Limit::Own);
    desk.tell(6, Event::SwitchEnded { effect });
    assert!(desk.said.iter().any(|command| matches!(command, Command::Audit { .. })));
    desk
}

fn audited(desk: &mut Desk, second: i64, users_left: u32) {
    desk.tell(second, Event::HeadAudited { head: HEAD, users_left, folders_left: 0 });
}

#[test]
fn a_head_is_empty_by_the_audit_that_was_asked_for_last() {
    let emptied = Milestone::HeadEmptied { head: HEAD, set_aside: 0 };
    let failed = Milestone::Stopped { why: StopCause::AuditFailed { head: HEAD } };
    for (earlier, last) in [(0, 0), (1, 0), (0, 1)] {
        let mut desk = asked_twice();
        audited(&mut desk, 7, earlier);
        assert_eq!(desk.said, [], "{earlier} left, as one says that looked before");
        audited(&mut desk, 8, last);
        assert_eq!((desk.announced(emptied), desk.announced(failed)), (last == 0, last > 0), "{earlier} {last}");
    }
}
