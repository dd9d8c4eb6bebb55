//! Why: what went wrong, what holds a copy back, what the machine waits for, what binds a head.

use serde::{Deserialize, Serialize};

/// What went wrong with one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Something that may not happen again.
    Transient,
    /// Something about this mailbox that another attempt will meet again.
    Permanent,
    /// The head or the cluster did not answer; the mailbox itself is not to blame.
    Unreachable,
    /// The copy differs from its source.
    VerifyFailed,
    /// The user would have been locked out for longer than the plan allows.
    HoldTooLong,
    /// The copy grew past the room that was left.
    NoRoom,
    /// The machine gave the job up.
    Abandoned,
    /// An operator said to leave it.
    Skipped,
    /// The mailbox was deleted meanwhile.
    Gone,
}

/// What holds a copy back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Limit {
    /// Its own stream and message rate.
    Own,
    /// Waiting for a store that answers slowly: its head, or its cluster.
    Head,
    /// The byte rate of the pace.
    Pace,
    /// A link between the stores.
    Link,
    /// What the cluster can take in.
    Ingest,
}

/// Why the machine asked to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The throttle decides again.
    Throttle,
    /// A sample becomes too old.
    SampleAge,
    /// A window begins or ends.
    Window,
    /// A failed mailbox is tried again.
    Retry,
    /// An old copy may be purged.
    Purge,
    /// A wave has soaked.
    Soak,
    /// A mailbox scheduled by hand is due.
    Schedule,
    /// Nothing is due: only an event can change anything.
    Idle,
}

/// What binds a head's migration at a moment: exactly one of these, and its time is accounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Binding {
    /// The throttle holds the pace below the plan's cap.
    Throttle,
    /// All permitted streams are used, each slowed by a store, head or cluster, that answers slowly.
    StreamCap,
    /// All permitted streams are used, each at its own full speed: faster copies or more streams would help.
    Mover,
    /// The byte rate of the pace or a link between the stores.
    Link,
    /// What the clusters can take in.
    Ingest,
    /// The calendar.
    Window,
    /// No cluster has room.
    NoRoom,
    /// The head or its clusters do not answer, or no fresh sample says how they are.
    Outage,
    /// Fewer mailboxes are left than streams.
    Tail,
    /// An operator, an automatic stop, a wave that soaks, or mailboxes set aside, for a person, when all else is done.
    Paused,
    /// Another head is drained first, or this one is empty.
    NotItsTurn,
}

impl Binding {
    /// How many there are.
    pub const COUNT: usize = 11;
    /// All of them, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Throttle,
        Self::StreamCap,
        Self::Mover,
        Self::Link,
        Self::Ingest,
        Self::Window,
        Self::NoRoom,
        Self::Outage,
        Self::Tail,
        Self::Paused,
        Self::NotItsTurn,
    ];

    /// The name in reports and data files.
    #[must_use]
    #[inline]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::StreamCap => "stream cap",
            Self::Mover => "mover",
            Self::Link => "link",
            Self::Ingest => "cluster ingest",
            Self::Window => "window",
            Self::NoRoom => "no room",
            Self::Outage => "outage",
            Self::Tail => "tail",
            Self::Paused => "paused",
            Self::NotItsTurn => "not its turn",
        }
    }
}
