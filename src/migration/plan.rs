//! What the planner decides. Production and simulation read the same plan.
//!
//! Everything here is checked before it gets here: the scenario layer refuses what cannot be meant.

use serde::{Deserialize, Serialize};

use crate::fleet::{HeadId, MailboxId};
use crate::units::{Bytes, Inodes, Latency, Rate, Room, Share, Span, Time};

/// The whole plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// A lane a head, by `HeadId`.
    pub heads: Vec<HeadPlan>,
    /// Which mailbox next.
    pub order: OrderPlan,
    /// To which cluster.
    pub placement: PlacementPlan,
    /// How a mailbox is copied.
    pub copy: CopyPlan,
    /// What happens after a failure.
    pub attempts: AttemptPlan,
    /// Shares of progress worth announcing.
    pub milestones: Vec<ShareMilestone>,
}

/// How one head is drained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadPlan {
    /// The pace.
    pub throttle: ThrottlePlan,
    /// Calendar limits of the pace.
    pub windows: Windows,
}

/// In which order mailboxes move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderPlan {
    /// All heads, the first to be drained first.
    pub heads: Vec<HeadId>,
    /// The order within a head.
    pub within: Within,
    /// Whether the next head may begin before this one is empty.
    pub overlap: Overlap,
    /// Mailboxes that are never moved.
    pub excluded: Vec<MailboxId>,
    /// Mailboxes that move at a date of their own, whatever the order of heads.
    pub scheduled: Vec<(MailboxId, Time)>,
    /// Parts of the migration after which it soaks, in order; after the last one there is no further stop.
    pub waves: Vec<Wave>,
}

/// The order within a head; ties go to the lower row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Within {
    /// As the inventory lists them.
    Inventory,
    /// The smallest first.
    Smallest,
    /// The largest first.
    Largest,
    /// The most active user first.
    Busiest,
    /// The least active user first.
    Idlest,
    /// Group after group.
    Group,
    /// The same, and one group of a head is finished before another begins.
    WholeGroups,
}

/// Whether heads overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Overlap {
    /// The next head begins when this one is empty.
    None,
    /// The next head begins when fewer mailboxes wait here than streams may run.
    Tail,
}

/// A part of the migration that is watched before the rest follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// Of the mailboxes on the old storage when the session starts, counted together with earlier waves.
    pub share: Share,
    /// How long to watch after its last mailbox has moved.
    pub soak: Span,
    /// Who lets the next wave begin.
    pub go: Go,
}

/// Who lets the next wave begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Go {
    /// The end of the soak.
    Automatic,
    /// The operator's `Resume`.
    Operator,
}

/// To which cluster mailboxes go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacementPlan {
    /// The rule.
    pub rule: Placement,
    /// The clusters, in the order of filling, by `ClusterId`.
    pub clusters: Vec<ClusterPlan>,
    /// Added to a mailbox's size when room is reserved for it.
    pub slack: Share,
    /// A sample of a cluster older than this stops placement there.
    pub sample_limit: Span,
    /// A closed cluster takes mailboxes again when its fill is this share of its rating below the threshold.
    pub reopen_below: Share,
    /// Inodes that a mailbox takes besides one a message: its directories and index files. It counts where a cluster has a
    /// limit of them.
    #[serde(default, skip_serializing_if = "is_none_of_them")]
    pub inodes_per_mailbox: Inodes,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_none_of_them(inodes: &Inodes) -> bool {
    *inodes == Inodes::ZERO
}

impl PlacementPlan {
    /// Whether some cluster has a limit of inodes, so that they have to be counted.
    #[must_use]
    pub fn counts_inodes(&self) -> bool {
        self.clusters.iter().any(|cluster| cluster.inodes.is_some())
    }

    /// What a mailbox of this size takes.
    #[must_use]
    pub fn takes(&self, bytes: Bytes, messages: u32) -> Room {
        Room { bytes, inodes: Inodes::new(self.inodes_per_mailbox.get().saturating_add(u64::from(messages))) }
    }
}

/// The placement rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Placement {
    /// One cluster after the other, each to its threshold.
    Sequential,
    /// The cluster whose fill is the smallest share of its threshold.
    LeastFilled,
}

/// What the plan says of one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterPlan {
    /// Rated capacity.
    pub rated: Bytes,
    /// No placement takes it above this share of its rating, `reserve` included.
    pub full_at: Share,
    /// Room below the threshold that is kept for the growth of those who live there.
    pub reserve: Bytes,
    /// Intake of new accounts and growth that is assumed while no newer sample tells.
    pub assumed_intake: Rate,
    /// Its limit of inodes, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inodes: Option<InodePlan>,
}

/// What the plan says of a cluster's inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InodePlan {
    /// Rated number.
    pub rated: Inodes,
    /// No placement takes it above this share of its rating.
    pub full_at: Share,
    /// New accounts and new mail that are assumed while no newer sample tells: inodes a day.
    pub assumed_a_day: Inodes,
}

impl InodePlan {
    /// Inodes up to which mailboxes may be placed.
    #[must_use]
    pub fn threshold(&self) -> Inodes {
        self.rated.share(self.full_at)
    }
}

impl ClusterPlan {
    /// Bytes up to which mailboxes may be placed.
    #[must_use]
    pub fn threshold(&self) -> Bytes {
        self.rated.share(self.full_at).saturating_sub(self.reserve)
    }

    /// What mailboxes may be placed up to in both units.
    #[must_use]
    pub fn limit(&self) -> Room {
        let inodes = self.inodes.map_or(Inodes::UNLIMITED, |inodes| inodes.threshold());
        Room { bytes: self.threshold(), inodes }
    }
}

/// How mailboxes are copied: what a host needs to know, and the purge that the core asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyPlan {
    /// One copy's own limit.
    pub stream: Rate,
    /// One copy's own limit in messages for each thousand seconds; `u32::MAX` for none.
    pub messages_per_ks: u32,
    /// Before a copy begins: connections, listing folders.
    pub setup: Span,
    /// A user may be locked out for this long; beyond it the switch backs out.
    pub hold_at_most: Span,
    /// How long an old copy is kept after the switch; `None` keeps it for ever.
    pub purge_after: Option<Span>,
    /// Old copies of one head that are purged at once.
    pub purge_streams: u16,
    /// Switches under way at once, by head.
    pub switches: u16,
}

/// What happens after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttemptPlan {
    /// Attempts before a mailbox is set aside.
    pub limit: u8,
    /// Wait after the first failure; doubled after each further one.
    pub backoff: Span,
    /// The longest wait.
    pub backoff_cap: Span,
    /// The machine stops when more than this share of the last `fault_window` attempts failed.
    pub fault_rate: Share,
    /// Attempts that the fault rate is taken over, at most 64.
    pub fault_window: u8,
    /// Whether somebody sees to mailboxes that were set aside: then it is not over before that, and no head counts as purged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait_for_person: bool,
}

/// A share of progress worth announcing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareMilestone {
    /// One head, or all of them.
    pub head: Option<HeadId>,
    /// Of the mailboxes that lived there before the migration.
    pub share: Share,
}

/// How fast a head may be drained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThrottlePlan {
    /// The law.
    pub law: Law,
    /// The fewest streams that the law goes down to.
    pub min: u16,
    /// The most streams that the law goes up to.
    pub max: u16,
    /// Cap on the sum of the copies' speeds.
    pub rate: Rate,
    /// How often the law decides.
    pub every: Span,
    /// A sample older than this, or missing, stops new moves.
    pub sample_limit: Span,
    /// Guard: all copies are suspended while a store that they touch is above this.
    pub pause_above: Option<Level>,
    /// Guard: copies are abandoned when a second sample in a row is above this.
    pub abort_above: Option<Level>,
}

impl ThrottlePlan {
    /// The most streams that the law can ever allow.
    #[must_use]
    pub const fn ceiling(&self) -> u16 {
        match self.law {
            Law::Fixed { streams } => streams,
            Law::Steps { .. } | Law::Aimd { .. } | Law::Integral { .. } => self.max,
        }
    }
}

/// A level of load, in the terms that the sample has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Level {
    /// Busy share of capacity.
    Utilisation(Share),
    /// Mean response time.
    Latency(Latency),
}

/// The throttle laws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Law {
    /// Always the same number of streams.
    Fixed {
        /// Streams.
        streams: u16,
    },
    /// A table from load to pace: the last step whose load is not above the sample counts.
    Steps {
        /// By rising load, all in the same terms; below the first step the first one counts.
        table: Vec<(Level, u16)>,
        /// Whether the pace between two steps lies on the line between them, rounded down.
        interpolate: bool,
    },
    /// One stream more while below the target, half as many when above (AIMD, as congestion control).
    Aimd {
        /// What the worst store shall stay at.
        target: Level,
        /// The first pace.
        start: u16,
        /// The pace rises only below this share of the target: no step up and down in turn around it.
        hysteresis: Share,
    },
    /// Integral control of latency below a contract: `R(k) = R(k-1) + K E(k)` (Lu, Alvarez, Wilkes: Aqueduct, FAST 2002).
    Integral {
        /// The contract.
        contract: Latency,
        /// The error is taken against this share of the contract.
        aim: Share,
        /// The first pace.
        start: u16,
        /// Gain relative to the slope of the latency curve: 1 is dead-beat where the slope is right, 2 and above unstable.
        gain: Share,
        /// Rising latency, and what one stream more adds there: a fixed gain cannot work across the knee of a curve.
        slope: Vec<(Latency, Latency)>,
    },
}

/// A calendar compiled into instants, daylight saving included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// Each limit holds from its instant until the next one; rising. Before the first one nothing is limited.
    pub changes: Vec<(Time, WindowLimit)>,
    /// The calendar's end: past it the machine pauses, having announced it a week before. `None`: there are no windows.
    pub end: Option<Time>,
}

/// What a window allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowLimit {
    /// At most this many streams; zero pauses.
    pub streams: u16,
    /// At most this rate.
    pub rate: Rate,
}

impl WindowLimit {
    /// No limit.
    pub const OPEN: Self = Self { streams: u16::MAX, rate: Rate::UNLIMITED };
}
