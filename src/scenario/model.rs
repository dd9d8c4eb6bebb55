//! What only the simulation needs: the population, the storage, the load, the costs, the trouble.

use super::curve::LatencyCurve;
use super::measured::{MeasuredLoad, NoiseLaw};
use super::occasions::{Backup, Holiday};
use crate::fleet::{ClusterId, HeadId};
use crate::units::{Bytes, Inodes, Latency, OpRate, Ops, Rate, Share, Span, Time};

/// Everything that the simulated world is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The old storage, by `HeadId`.
    pub heads: Vec<HeadModel>,
    /// The new hardware, by `ClusterId`.
    pub clusters: Vec<ClusterModel>,
    /// Links that several stores share.
    pub links: Vec<LinkModel>,
    /// Who lives there.
    pub population: Population,
    /// What they do.
    pub load: Load,
    /// What the heads do besides, at times.
    pub backups: Vec<Backup>,
    /// What a move costs.
    pub cost: Cost,
    /// What the machine sees.
    pub probe: Probe,
    /// What goes wrong with a move.
    pub faults: Faults,
    /// How long a person takes to answer when the machine has stopped, or a wave waits for a go.
    pub operator_after: Span,
    /// How long a person takes to see to a mailbox that was set aside, so that it can move; never, where it is missing.
    pub resolves_after: Option<Lognormal>,
    /// The response time that users were promised.
    pub objective: Latency,
}

/// One head.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadModel {
    /// Its name; keys its draws.
    pub name: String,
    /// Operations a second at utilisation 1.
    pub capacity: OpRate,
    /// Response time over utilisation.
    pub latency: LatencyCurve,
    /// Outages.
    pub outages: Option<Hazard>,
    /// Brown-outs: the capacity falls for a while.
    pub brownouts: Option<Brownouts>,
    /// Where its users' load goes during an outage: a partner takes over this share of it.
    pub failover: Option<Failover>,
}

/// A head's load lands on its partner during an outage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failover {
    /// The partner, by its place in the list of heads.
    pub partner: u8,
    /// Of the user load; users taken over are not down.
    pub share: Share,
}

/// Trouble whose rate grows exponentially with total utilisation (Iyer et al., CSL-TR-81-214):
/// `rate x exp(growth x (u - at_utilisation))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hazard {
    /// Events a day at `at_utilisation`.
    pub per_day: f64,
    /// The utilisation that `per_day` belongs to.
    pub at_utilisation: f64,
    /// Growth of the log rate for a utilisation higher by 1.
    pub growth: f64,
    /// How long one lasts: lognormal.
    pub repair: Lognormal,
}

/// Brown-outs of a head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brownouts {
    /// How often and for how long.
    pub hazard: Hazard,
    /// What is left of the capacity.
    pub capacity: Share,
}

/// A lognormal law of durations in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lognormal {
    /// Its median, in seconds.
    pub median_s: f64,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterModel {
    /// Its name; keys its draws.
    pub name: String,
    /// What it can take in, all copies together.
    pub ingest: Rate,
    /// Operations a second at utilisation 1.
    pub capacity: OpRate,
    /// Response time over utilisation.
    pub latency: LatencyCurve,
    /// When it enters service, a delay counted in.
    pub in_service: Time,
    /// Times in which it takes in less.
    pub stalls: Option<Stalls>,
    /// Bytes on it at the start that belong to no mailbox of the population.
    pub used: Bytes,
    /// Inodes in use at the start by what belongs to no mailbox of the population.
    pub inodes_used: Inodes,
}

/// Stalls of a cluster's ingest, as frequent at any load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stalls {
    /// Stalls a day.
    pub per_day: f64,
    /// How long one lasts.
    pub lasts: Lognormal,
    /// What is left of the ingest.
    pub ingest: Share,
}

/// A network link that several stores share. A copy uses it when its head or its cluster is behind it: once, even if both are.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkModel {
    /// Its name.
    pub name: String,
    /// The heads behind it.
    pub heads: Vec<HeadId>,
    /// The clusters behind it.
    pub clusters: Vec<ClusterId>,
    /// What other traffic leaves to all copies together: from each instant on, in order, the first one at the start.
    pub left: Vec<(Time, Rate)>,
}

impl LinkModel {
    /// What is left to copies at an instant that is not before the start, and when that changes next.
    #[must_use]
    pub fn left_at(&self, now: Time) -> (Rate, Option<Time>) {
        let next = self.left.partition_point(|(from, _)| *from <= now);
        let left = next.checked_sub(1).map_or(Rate::UNLIMITED, |place| self.left[place].1);
        (left, self.left.get(next).map(|(from, _)| *from))
    }
}

/// The mailboxes.
#[derive(Clone, Debug, PartialEq)]
pub struct Population {
    /// How many, those already moved included.
    pub mailboxes: u32,
    /// Their sizes, all together, where an inventory says; then `size` is the law that is nearest to them.
    pub bytes: Option<Bytes>,
    /// Share of them by head; adds up to 1.
    pub split: Vec<Share>,
    /// Share already moved, by head: in the plan's own order, unless facts say which. Their old copies count as purged.
    pub moved: Vec<Share>,
    /// Size of a mailbox.
    pub size: SizeLaw,
    /// Mean size over all messages: what a message count follows from. A mailbox's own mean is lognormal around it ...
    pub message_mean: Bytes,
    /// ... with this standard deviation of the logarithm.
    pub message_sigma: f64,
    /// Operations a second that a mailbox's user asks for, mean over mailboxes and over a week.
    pub activity: OpRate,
    /// What they ask for together, where that was measured: what is drawn for each is multiplied accordingly.
    pub measured_activity: Option<MeasuredActivity>,
    /// Standard deviation of the logarithm of activity over mailboxes; the mean stays.
    pub activity_sigma: f64,
    /// Correlation of log activity with log size, -1 to 1.
    pub activity_size_correlation: f64,
    /// New accounts a day, all on the new hardware.
    pub new_accounts_per_day: f64,
    /// Mean size of a new account's mailbox when it is provisioned.
    pub new_account_size: Bytes,
    /// Growth of every mailbox, of its size a day.
    pub growth_per_day: f64,
    /// Mailboxes deleted a day, drawn from those still on the heads.
    pub deletions_per_day: f64,
    /// Number of groups that mailboxes belong to, uniformly; zero for none.
    pub groups: u32,
}

/// What users ask for together.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredActivity {
    /// Operations a second by head, mean over a week.
    pub by_head: Vec<f64>,
    /// Whether only their sum was measured: by head they are shared by the number of mailboxes.
    pub is_sum: bool,
    /// Whether mailboxes that have moved since asked for a part of it.
    pub with_moved: bool,
}

/// The law of mailbox sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SizeLaw {
    /// Median of the lognormal body.
    pub median: Bytes,
    /// Standard deviation of its logarithm.
    pub sigma: f64,
    /// No mailbox is larger.
    pub max: Bytes,
    /// A Pareto tail in place of the body.
    pub tail: Option<ParetoTail>,
}

/// The largest mailboxes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParetoTail {
    /// Share of mailboxes in the tail.
    pub share: Share,
    /// Smallest size in it.
    pub from: Bytes,
    /// Its index: smaller is heavier.
    pub alpha: f64,
}

/// Load over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Weight of each five minutes of the local week from Monday 00:00; mean 1. Always 2,016 of them.
    pub profile: Vec<f64>,
    /// Standard deviation of log noise, mean 1 after the exponential; zero for none.
    pub noise_sigma: f64,
    /// Its correlation time: correlation falls to 1/e over it.
    pub noise_correlation: Span,
    /// How often the world's load is computed anew.
    pub step: Span,
    /// What was measured, in place of the profile and the noise.
    pub measured: Option<MeasuredLoad>,
    /// Times in which users ask for more or less, in order; they do not overlap.
    pub holidays: Vec<Holiday>,
}

impl Load {
    /// The noise of a head's user load.
    #[must_use]
    pub fn noise(&self, head: usize) -> NoiseLaw {
        self.measured.as_ref().map_or(self.assumed_noise(), |measured| measured.noise(head))
    }

    /// The noise of a cluster's user load.
    #[must_use]
    pub fn noise_of_clusters(&self) -> NoiseLaw {
        self.measured.as_ref().map_or(self.assumed_noise(), MeasuredLoad::noise_of_all)
    }

    const fn assumed_noise(&self) -> NoiseLaw {
        NoiseLaw { sigma: self.noise_sigma, correlation: self.noise_correlation }
    }
}

/// No copy's work is longer than this, alone on idle stores: the simulator takes one that is for this long.
pub(crate) const LONGEST_COPY: Span = Span::from_micros(1 << 42);

/// What moving costs on the stores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// On the head, by message: look-up, reads, rescan, verify.
    pub head_per_message: Ops,
    /// On the head, more for each message by each 10,000 messages of its mailbox: directories that are searched from end to end.
    pub head_per_message_growth: Ops,
    /// On the head, by 10^6 bytes.
    pub head_per_megabyte: Ops,
    /// On the head, while a copy is open, set-up included.
    pub head_per_stream: OpRate,
    /// On the cluster, by message.
    pub cluster_per_message: Ops,
    /// On the cluster, by 10^6 bytes.
    pub cluster_per_megabyte: Ops,
    /// Removing an old copy from the head, by message.
    pub purge_per_message: Ops,
    /// Old copies' messages that one purge stream removes in a second.
    pub purge_rate: f64,
    /// Share of a mailbox that changes in a day while it is copied: the deltas.
    pub change_per_day: f64,
    /// How long a user is locked out by a switch at the least ...
    pub lock: Span,
    /// ... and for each thousand messages whose names are compared.
    pub lock_per_thousand: Span,
    /// The switch around the lock, which comes on top: kick, drain, verify, flip.
    pub switch: Span,
    /// Looking whether a head is truly empty.
    pub audit: Span,
    /// Messages from which a folder is slow: each message above costs more.
    pub slow_above: u32,
    /// Extra time for each message above `slow_above`, as a share of a message's own time.
    pub slow_extra: f64,
}

/// What the machine sees of the world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    /// A sample of each head this often.
    pub every: Span,
    /// A sample of each cluster this often.
    pub clusters_every: Span,
    /// Where within their interval they are taken, after the first ones at the start: a part of it within [0, 1]; `None` if
    /// that is drawn for each replication.
    pub phase: Option<f64>,
    /// How old a sample is when it arrives.
    pub delay: Span,
    /// Standard deviation of the log error of utilisation and latency.
    pub noise_sigma: f64,
    /// Share of samples that never arrive.
    pub loss: f64,
}

/// What goes wrong with a move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// Probability that an attempt to copy fails and another may succeed.
    pub transient: f64,
    /// Probability that a mailbox cannot be moved without a person.
    pub permanent: f64,
    /// Probability that a switch backs out, to be tried again.
    pub switch: f64,
}
