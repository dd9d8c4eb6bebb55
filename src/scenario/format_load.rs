//! The keys of the load: what users ask for over time, assumed or measured.

use super::keys::{Key, Kind, Need, Table, may, need, op_rate, or, plain, share, span, unless};
use super::occasions::WEEKDAYS;

pub(crate) static LOAD: Table = Table {
    what: "the load",
    keys: &[
        MEASURED,
        &[
            unless(
                "csv",
                "profile",
                Kind::Choice(&[
                    Kind::Word(&["flat", "business-mail"]),
                    Kind::Table(&SINE),
                    Kind::Table(&HOURS),
                    Kind::Table(&WEEK),
                ]),
                "Load by hour of the local week.",
            ),
            may("noise", Kind::Table(&NOISE), "Correlated noise, mean 1; none when missing."),
            or(
                "holiday",
                Kind::Named(&HOLIDAY),
                Need::Empty,
                "A time in which users ask for more or less than on other days.",
            ),
            or(
                "step",
                span().from(1.0).to(3_600.0).single().kind(),
                Need::Text("5 min"),
                "How often load is computed anew.",
            ),
        ],
    ],
};

static HOLIDAY: Table = Table {
    what: "a holiday",
    keys: &[&[
        need("name", Kind::Text, "Its name."),
        may("when", Kind::Text, "\"yearly 12-25\", \"yearly 12-24..01-02\" or days of the week; this or `from`."),
        may("from", Kind::When, "Its beginning, once."),
        may("until", Kind::When, "Its end, once; a date counts to its end."),
        may("like", Kind::Word(WEEKDAYS), "The day of the week whose load it has; this or `factor`."),
        may("factor", share().to(10.0).kind(), "What the day's load is multiplied by."),
    ]],
};

/// Load on heads besides that of users.
pub(crate) static BACKUP: Table = Table {
    what: "a backup",
    keys: &[&[
        need("name", Kind::Text, "Its name."),
        may("when", Kind::Text, "\"daily 22:00-06:00\", \"Sat 01:00-05:00\" or \"yearly 12-31\"; this or `from`."),
        may("from", Kind::When, "Its beginning, once."),
        may("until", Kind::When, "Its end, once; a date counts to its end."),
        need(
            "load",
            Kind::Choice(&[share().to(10.0).kind(), op_rate().kind()]),
            "What it asks of each of its heads: a share of the capacity, or operations a second.",
        ),
        may("heads", Kind::List(&Kind::Text), "Which heads; all when missing."),
    ]],
};

static SINE: Table =
    Table { what: "a sine profile", keys: &[&[need("sine", Kind::Table(&SINE_SHAPE), "A daily sine.")]] };

static SINE_SHAPE: Table = Table {
    what: "a sine profile",
    keys: &[&[
        need("amplitude", share().single().kind(), "Of the mean: \"50 %\" swings between half and one and a half."),
        need("peak", Kind::Text, "Time of day of the maximum: \"15:00\"."),
    ]],
};

static HOURS: Table = Table {
    what: "an hourly profile",
    keys: &[&[
        need(
            "hours",
            Kind::List(&plain(0.0, 1e6).single().kind()),
            "24 weights, from the hour after midnight; only their proportions count.",
        ),
        or("weekend", plain(0.0, 100.0).single().kind(), Need::Number(1.0), "Factor of Saturday and Sunday."),
    ]],
};

static WEEK: Table = Table {
    what: "a weekly profile",
    keys: &[&[need(
        "week",
        Kind::List(&plain(0.0, 1e9).single().kind()),
        "168 weights, from Monday 00:00 on; only their proportions count.",
    )]],
};

static NOISE: Table = Table {
    what: "the noise of the load",
    keys: &[&[
        need("sigma", plain(0.0, 2.0).kind(), "Standard deviation of log noise."),
        need("correlation", span().positive(), "Over this time correlation falls to 1/e."),
    ]],
};

/// What `[load]` says of a file of samples.
const MEASURED: &[Key] = &[
    may(
        "csv",
        Kind::Text,
        "A CSV or Parquet file with samples of the users' load, relative to this file; in place of `profile` and `noise`.",
    ),
    may(
        "fit",
        Kind::Word(&["hours", "days"]),
        "What becomes of the samples: means by the hour of the week, with noise, or measured days, drawn by weekday.",
    ),
    or(
        "level",
        Kind::Word(&["population", "measured", "measured-with-moved"]),
        Need::Text("population"),
        "How much users ask for: as the population says, or what was measured, as that of the mailboxes that are on a head \
         at the start, or of those that have moved, too.",
    ),
    or("columns", Kind::Table(&COLUMNS), Need::Empty, "What the file calls its columns, where it is not as here."),
    or(
        "separator",
        Kind::Word(&[",", ";", "tab", "|"]),
        Need::Text(","),
        "What stands between the values of samples in CSV.",
    ),
    may("csv_sha256", Kind::Text, "SHA-256 that the file must have, in hexadecimal."),
];

static COLUMNS: Table = Table {
    what: "the columns of a file of samples",
    keys: &[&[
        may("time", Kind::Choice(&[Kind::Text, Kind::Table(&INSTANT)]), "When a sample was taken."),
        may("all", COLUMN, "The load of all heads: in op/s of all together, in % of each."),
        may("heads", Kind::ByHead(&COLUMN), "By head: its load."),
    ]],
};

const COLUMN: Kind = Kind::Choice(&[Kind::Text, Kind::Table(&MEASURE)]);

static MEASURE: Table = Table {
    what: "a column with a unit",
    keys: &[&[
        need("column", Kind::Text, "Its name in the file's header."),
        need("unit", Kind::Text, "The unit of its numbers: \"op/s\" or \"%\" of the head's capacity."),
    ]],
};

static INSTANT: Table = Table {
    what: "a column of instants",
    keys: &[&[
        need("column", Kind::Text, "Its name in the file's header."),
        need("zone", Kind::Text, "IANA time zone of instants without an offset from UTC; else the scenario's."),
    ]],
};
