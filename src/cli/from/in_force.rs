//! What an operator's orders that are in force do to a forecast from a ledger, and how that is said.

use crate::fleet::HeadId;
use crate::live::ledger::StandingOrders;
use crate::migration::message::{Milestone, Order};
use crate::scenario::Scenario;

/// What of standing orders is simulated: all but a pause and a cap of no streams, with which no date would come.
pub(super) fn simulated(standing: &StandingOrders) -> Vec<Order> {
    let caps = standing.caps.iter().filter(|(_, streams)| *streams > 0);
    let caps = caps.map(|&(head, streams)| Order::Cap { head, streams });
    standing.orders.iter().copied().filter(|order| *order != Order::Pause).chain(caps).collect()
}

/// What holds the migration back until a person takes it back, with what is assumed of that: nobody knows when they will.
pub(super) fn in_force(standing: &StandingOrders, scenario: &Scenario) -> Option<String> {
    let stopped = |why| format!("the migration has {}", scenario.milestone_name(&Milestone::Stopped { why }));
    let told = |order: &Order| match order {
        Order::HoldPurges => Some("old copies are kept".to_owned()),
        Order::CloseCluster(cluster) => {
            let name = scenario.clusters.get(cluster.index())?;
            Some(format!("nothing is placed on {name}"))
        }
        Order::Pause
        | Order::Resume
        | Order::Cap { .. }
        | Order::Skip(_)
        | Order::Retry(_)
        | Order::MoveNow(_)
        | Order::OpenCluster(_)
        | Order::ResumePurges
        | Order::StopCohort(_)
        | Order::EndSession => None,
    };
    let (still, capped): (Vec<_>, Vec<_>) = standing.caps.iter().partition(|(_, streams)| *streams == 0);
    let head = |head: &HeadId| scenario.heads.get(head.index()).map_or_else(String::new, Clone::clone);
    let cap = |(of, streams): &(HeadId, u16)| {
        format!("at most {streams} stream{} on {}", if *streams == 1 { "" } else { "s" }, head(of))
    };
    let told: Vec<String> = standing.orders.iter().filter_map(told).chain(capped.into_iter().map(cap)).collect();
    let stays =
        format!("In force when the ledger ends: {}. The dates assume that nobody takes that back.", told.join("; "));
    let still: Vec<String> = still.iter().map(|(of, _)| head(of)).collect();
    let pause = standing.orders.contains(&Order::Pause);
    let pause = pause.then(|| standing.stopped.map_or_else(|| "the migration is paused".to_owned(), stopped));
    // Whoever lets it go on has to give these their streams back, too.
    let still = (!still.is_empty()).then(|| format!("{} may have no streams", still.join(" and ")));
    let halts: Vec<String> = pause.into_iter().chain(still).collect();
    let ends = format!("When the ledger ends, {}. The dates assume that it goes on then.", halts.join(", and "));
    let halted = !halts.is_empty();
    let said: Vec<String> = (!told.is_empty()).then_some(stays).into_iter().chain(halted.then_some(ends)).collect();
    (!said.is_empty()).then(|| said.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::ClusterId;

    #[test]
    fn what_is_in_force_is_said_with_what_the_dates_assume() {
        use crate::migration::message::StopCause;
        use crate::scenario::{ReadSettings, Source, starter};
        let source = Source::from_text("starter", starter(), &ReadSettings::default()).expect("a scenario");
        let said = |orders: &[Order], stopped| {
            let standing = StandingOrders { orders: orders.to_vec(), stopped, ..StandingOrders::default() };
            in_force(&standing, source.middle()).unwrap_or_default()
        };
        assert_eq!(said(&[], None), "");
        let name = &source.middle().clusters[0];
        assert_eq!(
            said(&[Order::HoldPurges, Order::CloseCluster(ClusterId(0)), Order::Pause], None),
            format!(
                "In force when the ledger ends: old copies are kept; nothing is placed on {name}. The dates assume that nobody \
                 takes that back. When the ledger ends, the migration is paused. The dates assume that it goes on then."
            )
        );
        let close = Order::CloseCluster(ClusterId(0));
        let told = said(&[close], None);
        assert!(!told.contains("paused") && told.ends_with("takes that back."), "{told}");
        let cap = |head, streams| (HeadId(head), streams);
        let orders = vec![Order::HoldPurges, close, Order::Pause];
        let orders = StandingOrders { orders, stopped: None, caps: vec![cap(0, 4), cap(1, 0)] };
        let capped = Order::Cap { head: HeadId(0), streams: 4 };
        assert_eq!(simulated(&orders), [Order::HoldPurges, close, capped]);
        let (head, other) = (&source.middle().heads[0], cap(0, 0));
        let both = StandingOrders { orders: vec![Order::Pause], stopped: None, caps: vec![other] };
        assert_eq!(
            in_force(&both, source.middle()).unwrap(),
            format!(
                "When the ledger ends, the migration is paused, and {head} may have no streams. The dates assume that it goes \
                 on then."
            )
        );
        let caps = |caps: &[_]| StandingOrders { caps: caps.to_vec(), ..StandingOrders::default() };
        assert_eq!(
            in_force(&caps(&[cap(0, 4)]), source.middle()).unwrap(),
            format!(
                "In force when the ledger ends: at most 4 streams on {head}. The dates assume that nobody takes that back."
            )
        );
        assert_eq!(
            in_force(&caps(&[other]), source.middle()).unwrap(),
            format!("When the ledger ends, {head} may have no streams. The dates assume that it goes on then.")
        );
        let stopped = said(&[Order::Pause], Some(StopCause::VerifyFailed));
        assert!(
            stopped
                .contains("the migration has stopped: a copy differed from its source. The dates assume that it goes"),
            "{stopped}"
        );
    }
}
