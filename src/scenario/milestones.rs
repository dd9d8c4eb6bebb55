//! Names of milestones, and which of them a scenario asks for.

use super::Scenario;
use crate::fleet::{ClusterId, HeadId};
use crate::migration::message::{FullOf, Milestone, StopCause};
use crate::units::Share;

/// What a milestone's name may be, for messages.
pub(crate) const ALLOWED: &str = "a milestone is \"<head> emptied\", \"<head> purged\", \"<head> 40 % moved\", \
    \"<cluster> opened\", \"<cluster> full\", \"50 % moved\", \"all emptied\" or \"decommissioned\"";

/// Names of stores, as milestones use them.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    pub(crate) heads: &'a [String],
    pub(crate) clusters: &'a [String],
}

/// Why a name is no milestone.
#[derive(Debug, PartialEq)]
pub(crate) enum Unknown {
    Head(String),
    Cluster(String),
    Form,
}

/// Reads a milestone's name.
pub(crate) fn parse(text: &str, names: Names<'_>) -> Result<Milestone, Unknown> {
    let head = |name: &str| {
        let place = names.heads.iter().position(|known| known == name);
        place.map(|place| HeadId(place as u8)).ok_or_else(|| Unknown::Head(name.to_owned()))
    };
    let cluster = |name: &str| {
        let place = names.clusters.iter().position(|known| known == name);
        place.map(|place| ClusterId(place as u8)).ok_or_else(|| Unknown::Cluster(name.to_owned()))
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["decommissioned"] => Ok(Milestone::Decommissioned),
        ["all", "emptied"] => Ok(Milestone::AllEmptied),
        [name, "emptied"] => Ok(Milestone::HeadEmptied { head: head(name)?, set_aside: 0 }),
        [name, "purged"] => Ok(Milestone::HeadPurged { head: head(name)? }),
        [name, "opened"] => Ok(Milestone::ClusterOpened { cluster: cluster(name)? }),
        [name, "full"] => Ok(Milestone::ClusterFull { cluster: cluster(name)?, of: FullOf::Bytes }),
        [percent, "%", "moved"] => Ok(Milestone::ShareMoved { share: parse_share(percent).ok_or(Unknown::Form)? }),
        [name, percent, "%", "moved"] => {
            let share = parse_share(percent).ok_or(Unknown::Form)?;
            Ok(Milestone::HeadShareMoved { head: head(name)?, share })
        }
        _ => Err(Unknown::Form),
    }
}

fn parse_share(percent: &str) -> Option<Share> {
    let value = super::quantity::parse(&format!("{percent} %"), super::quantity::Measure::Share).ok()?;
    (value > 0.0 && value <= 1.0).then(|| Share::from_fraction_up(value))
}

/// The milestones of a report: what is asked for by name, and those that every migration has.
pub(crate) fn all(asked: &[Milestone], order: &[HeadId], clusters: usize, purges: bool) -> Vec<Milestone> {
    let mut milestones = Vec::new();
    let shares_of = |wanted: Option<HeadId>| {
        let mut shares: Vec<Share> = asked
            .iter()
            .filter_map(|milestone| match (milestone, wanted) {
                (Milestone::HeadShareMoved { head, share }, Some(wanted)) if *head == wanted => Some(*share),
                (Milestone::ShareMoved { share }, None) => Some(*share),
                (
                    Milestone::HeadShareMoved { .. }
                    | Milestone::HeadEmptied { .. }
                    | Milestone::HeadPurged { .. }
                    | Milestone::ClusterOpened { .. }
                    | Milestone::ClusterFull { .. }
                    | Milestone::ShareMoved { .. }
                    | Milestone::AllEmptied
                    | Milestone::Decommissioned
                    | Milestone::WaveMoved { .. }
                    | Milestone::Stopped { .. }
                    | Milestone::WindowsEnd,
                    _,
                ) => None,
            })
            .collect();
        if wanted.is_none() {
            shares.extend([500_000, 900_000, 990_000].map(Share::from_ppm));
        }
        shares.sort_unstable();
        shares.dedup();
        shares
    };
    for &head in order {
        milestones.extend(shares_of(Some(head)).into_iter().map(|share| Milestone::HeadShareMoved { head, share }));
        milestones.push(Milestone::HeadEmptied { head, set_aside: 0 });
    }
    for cluster in (0..clusters).map(|cluster| ClusterId(cluster as u8)) {
        milestones
            .extend([Milestone::ClusterOpened { cluster }, Milestone::ClusterFull { cluster, of: FullOf::Bytes }]);
    }
    milestones.extend(shares_of(None).into_iter().map(|share| Milestone::ShareMoved { share }));
    milestones.push(Milestone::AllEmptied);
    if purges {
        milestones.extend(order.iter().map(|&head| Milestone::HeadPurged { head }));
        milestones.push(Milestone::Decommissioned);
    }
    milestones
}

impl Milestone {
    /// A milestone that was announced as scenarios ask for it: whatever had to be set aside, the head is emptied of all that can
    /// move; and whatever a cluster is full of, it is full.
    #[must_use]
    pub const fn as_asked_for(self) -> Self {
        match self {
            Self::HeadEmptied { head, .. } => Self::HeadEmptied { head, set_aside: 0 },
            Self::ClusterFull { cluster, .. } => Self::ClusterFull { cluster, of: FullOf::Bytes },
            Self::HeadShareMoved { .. }
            | Self::HeadPurged { .. }
            | Self::ClusterOpened { .. }
            | Self::ShareMoved { .. }
            | Self::AllEmptied
            | Self::Decommissioned
            | Self::WaveMoved { .. }
            | Self::Stopped { .. }
            | Self::WindowsEnd => self,
        }
    }
}

impl Scenario {
    /// A milestone as people and scenario files name it: `head-1 emptied`.
    #[must_use]
    pub fn milestone_name(&self, milestone: &Milestone) -> String {
        let head = |head: &HeadId| self.heads.get(head.index()).map_or("?", String::as_str);
        let cluster = |cluster: &ClusterId| self.clusters.get(cluster.index()).map_or("?", String::as_str);
        match milestone {
            Milestone::HeadShareMoved { head: id, share } => format!("{} {share} moved", head(id)),
            Milestone::HeadEmptied { head: id, set_aside: 0 } => format!("{} emptied", head(id)),
            Milestone::HeadEmptied { head: id, set_aside } => {
                format!("{} emptied but for {set_aside} set aside", head(id))
            }
            Milestone::HeadPurged { head: id } => format!("{} purged", head(id)),
            Milestone::ClusterOpened { cluster: id } => format!("{} opened", cluster(id)),
            Milestone::ClusterFull { cluster: id, .. } => format!("{} full", cluster(id)),
            Milestone::ShareMoved { share } => format!("{share} moved"),
            Milestone::AllEmptied => "all emptied".to_owned(),
            Milestone::Decommissioned => "decommissioned".to_owned(),
            Milestone::WaveMoved { wave } => format!("wave {} moved", wave + 1),
            Milestone::Stopped { why } => match why {
                StopCause::FaultRate => "stopped: too many attempts failed".to_owned(),
                StopCause::VerifyFailed => "stopped: a copy differed from its source".to_owned(),
                StopCause::AuditFailed { head: id } => format!("stopped: the audit of {} failed", head(id)),
                StopCause::WaveGo => "stopped: a wave waits for a go".to_owned(),
            },
            Milestone::WindowsEnd => "the calendar ends within a week".to_owned(),
        }
    }

    /// The milestone that has this name.
    #[must_use]
    pub fn milestone_named(&self, name: &str) -> Option<Milestone> {
        parse(name, Names { heads: &self.heads, clusters: &self.clusters }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_stores_and_shares_are_understood_or_refused() {
        let (heads, clusters) = (["head-1".to_owned()], ["nas-1".to_owned()]);
        let read = |text| parse(text, Names { heads: &heads, clusters: &clusters });
        let head = HeadId(0);
        assert_eq!(read("head-1 emptied"), Ok(Milestone::HeadEmptied { head, set_aside: 0 }));
        assert_eq!(read("head-1 40 % moved"), Ok(Milestone::HeadShareMoved { head, share: Share::from_ppm(400_000) }));
        assert_eq!(read("nas-1 full"), Ok(Milestone::ClusterFull { cluster: ClusterId(0), of: FullOf::Bytes }));
        assert_eq!(read("99.5 % moved"), Ok(Milestone::ShareMoved { share: Share::from_ppm(995_000) }));
        assert_eq!(read("head-2 purged"), Err(Unknown::Head("head-2".to_owned())));
        assert_eq!(read("head-1 opened"), Err(Unknown::Cluster("head-1".to_owned())));
        for wrong in ["", "head-1", "140 % moved", "0 % moved", "half moved", "head-1 40% moved"] {
            assert_eq!(read(wrong), Err(Unknown::Form), "{wrong}");
        }
    }
}
