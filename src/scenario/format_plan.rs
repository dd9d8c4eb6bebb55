//! The keys of `[plan]`: what the planner decides.

use super::keys::{Key, Kind, Need, Table, Tagged, count, frequency, latency, may, need, or, rate, share, span};

/// The most streams that a head can be drained with.
const STREAMS_MAX: f64 = 4_096.0;

/// What the planner decides.
pub(crate) static PLAN: Table = Table {
    what: "the plan",
    keys: &[&[
        need("order", Kind::Table(&ORDER), "Which mailbox next."),
        or(
            "placement",
            Kind::Choice(&[Kind::Word(PLACEMENTS), Kind::Table(&PLACEMENT)]),
            Need::Text("sequential"),
            "To which cluster: a rule, or a table with more.",
        ),
        need("throttle", Kind::Tagged(&THROTTLE), "How fast."),
        or("throttle_for", Kind::ByHead(&Kind::Tagged(&THROTTLE)), Need::Empty, "Other throttle keys for one head."),
        need("move", Kind::Table(&MOVE), "How a mailbox is copied."),
        or("attempts", Kind::Table(&ATTEMPTS), Need::Empty, "What happens after a failure."),
        or("window", Kind::Named(&WINDOW), Need::Empty, "A time in which moving is limited."),
    ]],
};

static ORDER: Table = Table {
    what: "the order",
    keys: &[&[
        need("heads", Kind::List(&Kind::Text), "All heads, the first to be drained first."),
        or("within", Kind::Word(WITHIN), Need::Text("inventory"), "The order within a head."),
        or(
            "overlap",
            Kind::Word(&["none", "tail"]),
            Need::Text("none"),
            "Whether the next head begins at the tail of one.",
        ),
        or("excluded", Kind::List(&MAILBOX), Need::Empty, "Mailboxes that stay: names of the inventory, or numbers."),
        or("scheduled", Kind::Tables(&SCHEDULED), Need::Empty, "Mailboxes that move at a date of their own."),
        or("waves", Kind::Tables(&WAVE), Need::Empty, "Parts after which the migration is watched."),
    ]],
};

/// The orders within a head, as `Within` lists them.
pub(crate) const WITHIN: &[&str] = &["inventory", "smallest", "largest", "busiest", "idlest", "group", "whole-groups"];
/// The placement rules, as `Placement` lists them.
pub(crate) const PLACEMENTS: &[&str] = &["sequential", "least-filled"];

const MAILBOX: Kind = Kind::Choice(&[count(0.0, 1e9).single().kind(), Kind::Text]);

static SCHEDULED: Table = Table {
    what: "a scheduled mailbox",
    keys: &[&[
        need("mailbox", MAILBOX, "Its name in the inventory, or its number, from 0."),
        need("at", Kind::When, "When it moves."),
    ]],
};

static WAVE: Table = Table {
    what: "a wave",
    keys: &[&[
        need("share", share().single().positive(), "Of the mailboxes on the old storage, earlier waves included."),
        need("soak", span().single().kind(), "How long to watch after it."),
        or("go", Kind::Word(&["automatic", "operator"]), Need::Text("automatic"), "Who lets the next one begin."),
    ]],
};

static PLACEMENT: Table = Table {
    what: "the placement",
    keys: &[&[
        or("rule", Kind::Word(PLACEMENTS), Need::Text("sequential"), "The rule."),
        or("slack", share().kind(), Need::Text("5 %"), "Added to a mailbox's size when room is reserved for it."),
        or("sample_limit", span().positive(), Need::Text("15 min"), "An older sample stops placement on a cluster."),
        or("reopen_below", share().kind(), Need::Text("1 %"), "A closed cluster reopens this far below its threshold."),
    ]],
};

/// The throttle laws.
pub(crate) static THROTTLE: Tagged = Tagged {
    tag: "law",
    doc: "The throttle law.",
    variants: &[
        ("fixed", &Table { what: "a fixed throttle", keys: &[FIXED, GUARDS] }),
        ("steps", &Table { what: "a throttle in steps", keys: &[STEPS, GUARDS] }),
        ("aimd", &Table { what: "an aimd throttle", keys: &[AIMD, LIMITS, GUARDS] }),
        ("integral", &Table { what: "an integral throttle", keys: &[INTEGRAL, LIMITS, GUARDS] }),
    ],
};

const LEVEL: Kind = Kind::Choice(&[share().to(10.0).positive(), latency().positive()]);
const STREAMS: Kind = count(0.0, STREAMS_MAX).kind();

const MAX: Key = need("max", STREAMS, "The most streams that the law goes up to.");

const LIMITS: &[Key] = &[or("min", STREAMS, Need::Number(1.0), "The fewest streams that the law goes down to."), MAX];

const GUARDS: &[Key] = &[
    may("rate", rate().positive(), "Cap on the sum of the copies' speeds."),
    or("every", span().from(1.0).to(86_400.0).kind(), Need::Text("60 s"), "How often the law decides."),
    or("sample_limit", span().positive(), Need::Text("5 min"), "An older sample stops new moves."),
    may("pause_above", LEVEL, "All copies are suspended while a store is above this."),
    may("abort_above", LEVEL, "Copies are abandoned after two samples above this."),
];

const FIXED: &[Key] = &[need("streams", STREAMS, "Always this many streams.")];

const STEPS: &[Key] = &[
    need(
        "table",
        Kind::List(&Kind::Pair(
            &Kind::Choice(&[share().to(10.0).single().kind(), latency().single().kind()]),
            &count(0.0, STREAMS_MAX).single().kind(),
        )),
        "Pairs of load and streams, rising in load: [[\"0 %\", 32], [\"80 %\", 4]].",
    ),
    or("interpolate", Kind::Flag, Need::Flag(false), "Whether the pace between two steps lies on the line."),
    may("min", STREAMS, "The fewest streams that the law goes down to; 1 when missing, or 0 where a step is 0."),
    MAX,
];

const AIMD: &[Key] = &[
    may("latency", latency().positive(), "What the worst store shall stay at; this or `utilisation`."),
    may("utilisation", share().to(10.0).positive(), "What the worst store shall stay at; this or `latency`."),
    may("start", STREAMS, "The first pace; `min` when missing."),
    or("hysteresis", share().positive(), Need::Text("90 %"), "The pace rises only below this share of the target."),
];

const INTEGRAL: &[Key] = &[
    need("latency", latency().positive(), "The contract."),
    or("aim", share().positive(), Need::Text("90 %"), "The error is taken against this share of the contract."),
    may("start", STREAMS, "The first pace; `min` when missing."),
    or(
        "gain",
        share().to(1.99).positive(),
        Need::Text("50 %"),
        "Relative to the slope of the curve; 200 % is unstable.",
    ),
    need("stream_load", share().positive(), "What one stream adds to the head's utilisation: an assumption."),
];

static MOVE: Table = Table {
    what: "the copying",
    keys: &[&[
        need("stream", rate().positive(), "One copy's own limit."),
        // The core counts whole messages in a thousand seconds: of fewer than a hundred of them rounding would show.
        may("messages", frequency().from(8_640.0).kind(), "One copy's own limit in messages."),
        or("setup", span().to(86_400.0).kind(), Need::Text("0 s"), "Before a copy begins."),
        or("hold_at_most", span().positive(), Need::Text("30 s"), "A switch that locks a user out longer backs out."),
        need(
            "purge_after",
            Kind::Choice(&[Kind::Word(&["never"]), span().kind()]),
            "How long an old copy is kept; or \"never\": it is not purged.",
        ),
        or("purge_streams", count(1.0, 1_024.0).kind(), Need::Number(4.0), "Old copies of a head purged at once."),
        or("switches", count(1.0, 1_024.0).kind(), Need::Number(8.0), "Switches under way at once, by head."),
    ]],
};

static ATTEMPTS: Table = Table {
    what: "the attempts",
    keys: &[&[
        or("limit", count(1.0, 100.0).kind(), Need::Number(5.0), "Attempts before a mailbox is set aside."),
        or("backoff", span().positive(), Need::Text("10 min"), "Wait after the first failure; then doubled."),
        or("backoff_cap", span().positive(), Need::Text("12 h"), "The longest wait."),
        or("fault_rate", share().positive(), Need::Text("50 %"), "More failures than this stop the migration."),
        or("fault_window", count(1.0, 64.0).kind(), Need::Number(64.0), "Attempts that the rate is taken over."),
    ]],
};

static WINDOW: Table = Table {
    what: "a window",
    keys: &[&[
        need("name", Kind::Text, "Its name."),
        may(
            "when",
            Kind::Text,
            "\"Mon-Fri 08:00-18:00\", \"daily 22:00-06:00\", \"Sat,Sun\" or \"yearly 12-24..01-02\"; this or `from`. \
             Where daylight saving skips a time, the instant of the change counts; where it repeats one, the first.",
        ),
        may("from", Kind::When, "Its beginning, once."),
        may("until", Kind::When, "Its end, once; a date counts to its end."),
        may("streams", STREAMS, "At most this many streams on each head."),
        may("rate", rate().positive(), "At most this rate on each head."),
        or("pause", Kind::Flag, Need::Flag(false), "Nothing moves."),
        may("heads", Kind::List(&Kind::Text), "Which heads; all when missing."),
    ]],
};
