//! The file format: every key, what it may be, its default, and what it means.
//!
//! Numbers that nobody can know without looking at a site have no default other than "none of it": a scenario states
//! its assumptions itself.

use super::format_inventory::INVENTORY;
use super::format_links::LINK;
use super::format_load::{BACKUP, LOAD};
use super::format_plan::PLAN;
use super::format_site::SITE;
use super::keys::{
    Kind, Need, Table, bytes, count, frequency, growth, latency, may, need, op_rate, ops, or, plain, rate, share, span,
    unless,
};

/// The most days that a forecast looks ahead: ten years.
pub(crate) const HORIZON_DAYS: u16 = 3_660;

/// The whole file.
pub(crate) static FILE: Table = Table {
    what: "the scenario",
    keys: &[&[
        need("name", Kind::Text, "The scenario's title."),
        may("description", Kind::Text, "What the scenario is about."),
        may("extends", Kind::Text, "Another file, relative to this one, whose keys this one inherits."),
        need("time_zone", Kind::Text, "IANA name of the time zone of all dates in the file: \"America/Toronto\"."),
        need("as_of", Kind::When, "When the forecast starts, local time."),
        need(
            "horizon",
            Kind::Choice(&[span().to(HORIZON_DAYS as f64 * 86_400.0).single().positive(), Kind::When]),
            "How far the forecast looks: a time after `as_of`, or a date.",
        ),
        need("head", Kind::Named(&HEAD), "A head of the old storage, to be drained."),
        need("cluster", Kind::Named(&CLUSTER), "A NAS cluster, to be filled; in the order of filling."),
        or("link", Kind::Named(&LINK), Need::Empty, "A network link that several stores share."),
        need("population", Kind::Table(&POPULATION), "The mailboxes."),
        need("load", Kind::Table(&LOAD), "What the users do over time."),
        or("backup", Kind::Named(&BACKUP), Need::Empty, "Load on heads besides that of users, at times."),
        or("cost", Kind::Table(&COST), Need::Empty, "What a move costs on the stores."),
        or("probe", Kind::Table(&PROBE), Need::Empty, "What the throttle sees."),
        or("faults", Kind::Table(&FAULTS), Need::Empty, "What goes wrong with a move."),
        or("operator", Kind::Table(&OPERATOR), Need::Empty, "The people who answer."),
        need("users", Kind::Table(&USERS), "What was promised to users."),
        need("plan", Kind::Table(&PLAN), "What the planner decides."),
        may(
            "site",
            Kind::Table(&SITE),
            "Where the migration really happens: for production alone, never for a forecast.",
        ),
        may("price", Kind::Table(&PRICE), "What the old storage costs while it is kept."),
        or("forecast", Kind::Table(&FORECAST), Need::Empty, "How the forecast is made."),
        or(
            "correlation",
            Kind::Tables(&CORRELATION),
            Need::Empty,
            "Uncertain numbers of this file that are high or low together.",
        ),
        or("expect", Kind::Tables(&EXPECT), Need::Empty, "A date that the planner expects: a gate."),
        or("fact", Kind::Tables(&FACT), Need::Empty, "Keys of this file that state a fact, with its source."),
        or("assumption", Kind::Tables(&ASSUMPTION), Need::Empty, "Keys of this file that are assumed, and why."),
    ]],
};

static HEAD: Table = Table {
    what: "a head",
    keys: &[&[
        need("name", Kind::Name, "Its name; keys its random draws."),
        need("capacity", op_rate().positive(), "Operations a second at utilisation 1."),
        need("latency", CURVE, "Response time over utilisation."),
        or("health", Kind::Table(&HEALTH), Need::Empty, "Outages and brown-outs; none when missing."),
    ]],
};

static HEALTH: Table = Table {
    what: "the health of a head",
    keys: &[&[
        may("outages", frequency().kind(), "Outages at `at_utilisation`; needs the three keys that follow."),
        may("at_utilisation", share().to(2.0).kind(), "The utilisation that `outages` belongs to."),
        may("growth", plain(0.0, 50.0).kind(), "Growth of the log rate for a utilisation higher by 1."),
        may("repair", Kind::Table(&REPAIR), "How long an outage lasts: lognormal."),
        may("brownouts", Kind::Table(&BROWNOUTS), "Times in which the capacity falls."),
        may("failover", Kind::Table(&FAILOVER), "A partner that takes over load during an outage."),
    ]],
};

static REPAIR: Table = Table {
    what: "a time to repair",
    keys: &[&[
        need("median", span().positive(), "Its median."),
        need("sigma", plain(0.0, 5.0).kind(), "Standard deviation of its logarithm."),
    ]],
};

static BROWNOUTS: Table = Table {
    what: "the brown-outs of a head",
    keys: &[&[
        need("rate", frequency().kind(), "Brown-outs at `at_utilisation`."),
        need("at_utilisation", share().to(2.0).kind(), "The utilisation that `rate` belongs to."),
        need("growth", plain(0.0, 50.0).kind(), "Growth of the log rate for a utilisation higher by 1."),
        need("repair", Kind::Table(&REPAIR), "How long one lasts: lognormal."),
        need("capacity", share().positive(), "What is left of the capacity."),
    ]],
};

static FAILOVER: Table = Table {
    what: "a failover",
    keys: &[&[
        need("to", Kind::Text, "The partner: another head."),
        need("share", share().kind(), "Of the user load; these users are not down."),
    ]],
};

/// The forms of a latency curve; their order is known to the reader of it.
const CURVE: Kind = Kind::Choice(&[Kind::Table(&PRESET), Kind::Table(&KNEE), Kind::Table(&POINTS)]);

static PRESET: Table = Table {
    what: "a latency curve",
    keys: &[&[need("preset", Kind::Text, "A published curve; with `-points` at its end, its points and not the fit.")]],
};

static KNEE: Table = Table {
    what: "a latency curve",
    keys: &[&[
        need("offset", latency().from(-1.0).kind(), "b in R = b + a u + s / (1 - u/c)."),
        need("linear", latency().kind(), "a, for a utilisation of 1."),
        need("knee", latency().kind(), "s, the weight of the knee."),
        need("limit", plain(0.1, 10.0).kind(), "c, the utilisation at which the knee has no bound."),
    ]],
};

static POINTS: Table = Table {
    what: "a latency curve",
    keys: &[&[need(
        "points",
        Kind::List(&Kind::Pair(&share().single().to(10.0).kind(), &latency().single().positive())),
        "Pairs of utilisation and response, rising: [[\"10 %\", \"0.9 ms\"], ...].",
    )]],
};

static CLUSTER: Table = Table {
    what: "a cluster",
    keys: &[&[
        need("name", Kind::Name, "Its name; keys its random draws."),
        need("rated", bytes().positive(), "Rated capacity."),
        need("full_at", share().positive(), "No placement takes it above this share of its rating."),
        or("reserve", bytes().kind(), Need::Text("0 B"), "Room kept below the threshold for growth."),
        may("assumed_intake", rate().kind(), "Growth assumed between samples; from the population when missing."),
        need("ingest", rate().positive(), "What it can take in, all copies together."),
        need("capacity", op_rate().positive(), "Operations a second at utilisation 1."),
        need("latency", CURVE, "Response time over utilisation."),
        may("in_service", Kind::When, "When it enters service; from the start when missing."),
        may("delay", span().kind(), "How much later than `in_service` it enters service: a range or a distribution."),
        may("stalls", Kind::Table(&STALLS), "Times in which it takes in less; none when missing."),
        or("used", bytes().kind(), Need::Text("0 B"), "Bytes on it that belong to no mailbox of the population."),
        may(
            "inodes",
            count(1.0, 1e14).kind(),
            "Rated number of inodes, which files and directories take; no limit when missing.",
        ),
        may(
            "inodes_full_at",
            share().positive(),
            "No placement takes it above this share of them; `full_at` when missing.",
        ),
        may(
            "inodes_used",
            count(0.0, 1e14).kind(),
            "Inodes on it that belong to no mailbox of the population; none when missing.",
        ),
    ]],
};

static STALLS: Table = Table {
    what: "the stalls of a cluster",
    keys: &[&[
        need("rate", frequency().kind(), "How often its ingest stalls, whatever its load."),
        need("lasts", Kind::Table(&REPAIR), "How long a stall lasts: lognormal."),
        or("ingest", share().kind(), Need::Text("0 %"), "What is left of the ingest meanwhile."),
    ]],
};

static POPULATION: Table = Table {
    what: "the population",
    keys: &[
        INVENTORY,
        &[
            unless("inventory", "mailboxes", count(1.0, 1e9).kind(), "How many, those already moved included."),
            unless(
                "inventory",
                "split",
                Kind::ByHead(&share().single().kind()),
                "Share of the mailboxes by head; adds up to 100 %.",
            ),
            or(
                "moved",
                Kind::ByHead(&share().kind()),
                Need::Empty,
                "Share already moved, by head, in the plan's order; what has no room on the clusters in service is still on its head.",
            ),
            unless("inventory", "size", Kind::Table(&SIZE), "Size of a mailbox."),
            unless("inventory", "message", Kind::Table(&MESSAGE), "Sizes of messages."),
            unless(
                "inventory",
                "activity",
                Kind::Choice(&[Kind::Table(&ACTIVITY), op_rate().kind()]),
                "Operations a second of a mailbox's user, weekly mean; alone, without spread over mailboxes.",
            ),
            or("new_accounts", frequency().kind(), Need::Text("0 / day"), "New accounts, all on the new hardware."),
            or("new_account_size", bytes().kind(), Need::Text("0 B"), "Mean size of a new account's mailbox."),
            or("growth", growth().kind(), Need::Text("0 % / day"), "Growth of every mailbox, of its size."),
            or(
                "deletions",
                frequency().kind(),
                Need::Text("0 / day"),
                "Mailboxes deleted, of all alike: moved or not, and without effect where one was deleted before. At most as many a day as there are mailboxes.",
            ),
            or(
                "inodes_per_mailbox",
                count(0.0, 1e6).kind(),
                Need::Number(20.0),
                "Inodes of a mailbox besides one a message: directories and index files. They count on clusters with `inodes`.",
            ),
            or("groups", count(0.0, 1e9).kind(), Need::Number(0.0), "Number of groups that mailboxes belong to."),
        ],
    ],
};

static SIZE: Table = Table {
    what: "the law of mailbox sizes",
    keys: &[&[
        need("median", bytes().positive(), "Median of the lognormal body."),
        need("sigma", plain(0.0, 5.0).kind(), "Standard deviation of its logarithm."),
        need("max", bytes().positive(), "No mailbox is larger."),
        may("tail", Kind::Table(&TAIL), "A Pareto tail in place of the body."),
    ]],
};

static TAIL: Table = Table {
    what: "a Pareto tail",
    keys: &[&[
        need("share", share().kind(), "Share of mailboxes in the tail."),
        need("from", bytes().positive(), "Smallest size in it."),
        need("alpha", plain(0.1, 20.0).kind(), "Its index: smaller is heavier."),
    ]],
};

static MESSAGE: Table = Table {
    what: "the law of message sizes",
    keys: &[&[
        need("mean", bytes().positive(), "Mean size over all messages: message counts follow from it."),
        or("sigma", plain(0.0, 5.0).kind(), Need::Number(0.0), "Standard deviation of its logarithm."),
    ]],
};

static ACTIVITY: Table = Table {
    what: "the activity of users",
    keys: &[&[
        need("mean", op_rate().kind(), "Operations a second, mean over mailboxes and over a week."),
        or("spread", plain(0.0, 5.0).kind(), Need::Number(0.0), "Standard deviation of its logarithm over mailboxes."),
        or(
            "size_correlation",
            plain(-1.0, 1.0).kind(),
            Need::Number(0.0),
            "Correlation of log activity with log size.",
        ),
    ]],
};

static COST: Table = Table {
    what: "the cost of moving",
    keys: &[&[
        or("head_per_message", ops().kind(), Need::Text("0 op"), "On the head: look-up, reads, rescan, verify."),
        or(
            "head_per_message_growth",
            ops().kind(),
            Need::Text("0 op"),
            "On the head, more for each message by each 10,000 messages of its mailbox.",
        ),
        or("head_per_megabyte", ops().kind(), Need::Text("0 op"), "On the head, by 10^6 bytes."),
        or("head_per_stream", op_rate().kind(), Need::Text("0 op/s"), "On the head, while a copy is open."),
        or("cluster_per_message", ops().kind(), Need::Text("0 op"), "On the cluster."),
        or("cluster_per_megabyte", ops().kind(), Need::Text("0 op"), "On the cluster, by 10^6 bytes."),
        or("purge_per_message", ops().kind(), Need::Text("0 op"), "On the head, when an old copy is removed."),
        may(
            "purge_rate",
            frequency().positive(),
            "Messages that one purge stream removes; needed unless purge is never.",
        ),
        or("change", growth().kind(), Need::Text("0 % / day"), "Part of a mailbox that changes while it is copied."),
        or("lock", span().to(86_400.0).kind(), Need::Text("0 s"), "How long a switch locks a user out at the least."),
        or("lock_per_thousand", span().to(86_400.0).kind(), Need::Text("0 s"), "And for each thousand messages."),
        or("switch", span().to(86_400.0).kind(), Need::Text("0 s"), "The switch around the lock, which comes on top."),
        or("audit", span().to(86_400.0).kind(), Need::Text("0 s"), "Looking whether a head is truly empty."),
        may("slow_above", count(1.0, 4e9).kind(), "Messages from which a folder is slow."),
        or("slow_extra", share().to(1_000.0).kind(), Need::Text("0 %"), "Extra time of each message above it."),
    ]],
};

static PROBE: Table = Table {
    what: "the probe",
    keys: &[&[
        or("every", span().from(0.1).to(86_400.0).kind(), Need::Text("60 s"), "A sample of each head this often."),
        may(
            "clusters_every",
            span().from(0.1).to(86_400.0).kind(),
            "A sample of each cluster this often; else `every`.",
        ),
        may(
            "phase",
            share().kind(),
            "Where within the interval samples are taken, after the first; else drawn for each replication.",
        ),
        or("delay", span().to(86_400.0).kind(), Need::Text("0 s"), "How old a sample is when it arrives."),
        or("noise", plain(0.0, 2.0).kind(), Need::Number(0.0), "Standard deviation of its log error."),
        or("loss", share().to(0.99).kind(), Need::Text("0 %"), "Share of samples that never arrive."),
    ]],
};

static FAULTS: Table = Table {
    what: "the faults",
    keys: &[&[
        or("transient", share().to(0.99).kind(), Need::Text("0 %"), "An attempt fails, another may succeed."),
        or("permanent", share().to(0.99).kind(), Need::Text("0 %"), "A mailbox cannot be moved without a person."),
        or("switch", share().to(0.99).kind(), Need::Text("0 %"), "A switch backs out, to be tried again."),
    ]],
};

static OPERATOR: Table = Table {
    what: "the operator",
    keys: &[&[
        or(
            "answers_after",
            span().to(90.0 * 86_400.0).kind(),
            Need::Text("1 h"),
            "Until a person answers an automatic stop or a wave that waits.",
        ),
        may(
            "resolves_after",
            Kind::Table(&REPAIR),
            "Until a mailbox that was set aside can move and is tried again: lognormal, and neither forecast nor `run` is over before; never when missing.",
        ),
    ]],
};

static USERS: Table = Table {
    what: "the users",
    keys: &[&[need("objective", latency().positive(), "The response time that users were promised.")]],
};

static PRICE: Table = Table {
    what: "the price of the old storage",
    keys: &[&[
        need("a_day", plain(0.0, 1e12).single().kind(), "What each day costs."),
        need("currency", Kind::Text, "In which currency: \"EUR\"."),
        or(
            "until",
            Kind::Word(&["decommissioned", "all emptied"]),
            Need::Text("decommissioned"),
            "The last day that is paid for.",
        ),
    ]],
};

static FORECAST: Table = Table {
    what: "the forecast",
    keys: &[&[
        or("seed", count(0.0, 9e15).single().kind(), Need::Number(1.0), "Keys every draw."),
        or("minimum", count(1.0, 1e7).single().kind(), Need::Number(200.0), "At least this many replications."),
        or(
            "batch",
            count(1.0, 1e6).single().kind(),
            Need::Number(100.0),
            "Replications between looks at the stop rule.",
        ),
        or("maximum", count(1.0, 1e7).single().kind(), Need::Number(1_000.0), "At most this many."),
        or("half_width", span().single().positive(), Need::Text("0.25 days"), "Stop when P80 is known this well."),
        or("chance_only", count(0.0, 1e7).single().kind(), Need::Number(100.0), "Replications with nothing uncertain."),
        or("confidence", share().from(0.5).to(0.9999).single().kind(), Need::Text("95 %"), "Of all intervals."),
        or("milestones", Kind::List(&Kind::Text), Need::Empty, "More milestones: \"head-1 40 % moved\"."),
    ]],
};

static CORRELATION: Table = Table {
    what: "a correlation",
    keys: &[&[
        need("inputs", Kind::List(&Kind::Text), "The keys of two or more uncertain numbers."),
        need(
            "correlation",
            plain(-1.0, 1.0).single().kind(),
            "Of their normal scores, between any two of them (Gaussian copula).",
        ),
    ]],
};

static EXPECT: Table = Table {
    what: "an expectation",
    keys: &[&[
        need("milestone", Kind::Text, "\"head-1 emptied\", \"nas-1 full\", \"50 % moved\", \"all emptied\", ..."),
        need("by", Kind::When, "A date counts to its end."),
        need("probability", share().single().positive(), "The probability wanted."),
    ]],
};

static FACT: Table = Table {
    what: "a fact",
    keys: &[&[
        need("keys", Kind::List(&Kind::Text), "The keys that state it."),
        need("text", Kind::Text, "What it is."),
        need("source", Kind::Text, "Who says so."),
    ]],
};

static ASSUMPTION: Table = Table {
    what: "an assumption",
    keys: &[&[
        need("keys", Kind::List(&Kind::Text), "The keys that rest on it."),
        need("text", Kind::Text, "What is assumed."),
        need("source", Kind::Text, "Why it is plausible."),
        or("chosen_to_fit", Kind::Flag, Need::Flag(false), "Whether the value was chosen so that the dates fit."),
    ]],
};
