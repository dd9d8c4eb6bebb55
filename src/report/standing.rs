//! Where a migration stands when its forecast starts.

use crate::migration::message::Fault;
use crate::scenario::Scenario;

/// The mailboxes of one head.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Standing {
    /// Those that were on it before the migration began.
    pub(super) all: f64,
    /// Those that are still on it.
    pub(super) left: f64,
}

impl Standing {
    pub(super) fn moved(&self) -> f64 {
        self.all - self.left
    }
}

/// By head: as an inventory or a ledger has it, or else as the population's shares say.
pub(super) fn by_head(scenario: &Scenario) -> Vec<Standing> {
    let population = &scenario.model.population;
    let heads = 0..scenario.heads.len();
    let Some(facts) = scenario.facts.as_ref().filter(|facts| !facts.fleet.home.is_empty()) else {
        // The parts add up to all but for their own rounding.
        let whole: f64 = population.split.iter().map(|share| share.fraction()).sum();
        let standing = |head: usize| {
            let all = f64::from(population.mailboxes) * population.split[head].fraction() / whole;
            Standing { all, left: all * (1.0 - population.moved[head].fraction()) }
        };
        return heads.map(standing).collect();
    };
    let mut standings = vec![Standing::default(); heads.len()];
    let fleet = &facts.fleet;
    for (origin, home) in fleet.origin.iter().zip(&fleet.home) {
        // One that was never on the old storage counts for none of its heads.
        let Some(standing) = standings.get_mut(origin.index()) else { continue };
        standing.all += 1.0;
        standing.left += if home.is_cluster() { 0.0 } else { 1.0 };
    }
    // Those that were deleted are neither here nor there.
    for (mailbox, _) in facts.set_aside.iter().filter(|(_, fault)| *fault == Fault::Gone) {
        let row = mailbox.0 as usize;
        let Some(standing) = standings.get_mut(fleet.origin[row].index()) else { continue };
        standing.all -= 1.0;
        standing.left -= if fleet.home[row].is_cluster() { 0.0 } else { 1.0 };
    }
    standings
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fleet::{ClusterId, Fleet, HeadId, Home, MailboxId};
    use crate::forecast::testing::scenario;
    use crate::migration::message::Facts;
    use crate::units::Share;

    #[test]
    fn what_is_known_goes_before_what_is_assumed() {
        let mut scenario = scenario();
        let assumed = by_head(&scenario);
        assert!((assumed.iter().map(|head| head.all).sum::<f64>() - 400_000.0).abs() < 1.0, "{assumed:?}");
        // A third each, as a share has it: a millionth too much in all.
        let thirds = [333_334, 333_333, 333_334].map(Share::from_ppm);
        let model = Arc::make_mut(&mut scenario.model);
        (model.population.split, model.population.moved) = (thirds.to_vec(), vec![Share::ZERO; 3]);
        scenario.heads.push("head-3".to_owned());
        assert!((by_head(&scenario).iter().map(|head| head.all).sum::<f64>() - 400_000.0).abs() < 1e-6);
        scenario.heads.pop();
        let (one, two, moved) = (HeadId(0), HeadId(1), Home::cluster(ClusterId(0)));
        let fleet = Fleet {
            origin: vec![one, one, one, two, two],
            home: vec![moved, Home::head(one), Home::head(one), moved, Home::head(two)],
            ..Fleet::default()
        };
        let (mut fleet, new) = (fleet, HeadId(u8::MAX));
        fleet.origin.push(new);
        fleet.home.push(moved);
        let set_aside =
            vec![(MailboxId(1), Fault::Gone), (MailboxId(4), Fault::Permanent), (MailboxId(5), Fault::Gone)];
        scenario.facts = Some(Arc::new(Facts { fleet: Arc::new(fleet), set_aside, ..Facts::default() }));
        assert_eq!(by_head(&scenario), [Standing { all: 2.0, left: 1.0 }, Standing { all: 2.0, left: 1.0 }]);
        assert!((by_head(&scenario)[0].moved() - 1.0).abs() < 1e-9);
    }
}
