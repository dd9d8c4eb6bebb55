//! When old copies go.

use super::desk::Desk;
use super::plans::{at, plain};
use crate::migration::message::{Command, Event, Limit, Next, Reason};
use crate::units::Span;

#[test]
fn an_old_copy_that_may_go_at_once_goes_on_the_minute_on_which_it_was_left_too() {
    let mut plan = plain(1);
    plan.copy.purge_after = Some(Span::ZERO);
    for second in [59, 60] {
        // The last one: the next wake-up is found anew in the same step.
        let mut desk = Desk::with(plan.clone(), &[(0, 100); 2]);
        desk.sample(0, 10);
        let effect = desk.started_copies()[0];
        desk.copied(1, effect, Limit::Own);
        let next = desk.tell(second, Event::SwitchEnded { effect });
        let purged = desk.said.iter().any(|command| matches!(command, Command::Purge { .. }));
        let woken = matches!(next, Next::Wait { until, why: Reason::Purge } if until == at(60));
        assert!(purged == (second == 60) && woken != purged, "{second}: {next:?} {:?}", desk.said);
    }
}
