//! The keys of `[site]`: what production alone needs. Nothing here is opened, executed or connected to by reading it.

use super::keys::{Kind, Need, Table, may, need, or, span};

/// The longest time that anything of a site may take: one hour.
const WAIT_MAX: f64 = 3_600.0;

/// The site.
pub(crate) static SITE: Table = Table {
    what: "the site",
    keys: &[&[
        need("ledger", Kind::Text, "The file of what has happened; neither on a head nor on a cluster."),
        may(
            "socket",
            Kind::Text,
            "Where a running migration is asked and told things; the ledger's path with `.sock` at its end when missing.",
        ),
        or(
            "timeout",
            span().single().to(WAIT_MAX).positive(),
            Need::Text("10 s"),
            "A command or probe that has not ended by then has failed.",
        ),
        or(
            "drain",
            span().single().to(WAIT_MAX).kind(),
            Need::Text("30 s"),
            "How long deliveries open at the hold may take to end before the switch backs out.",
        ),
        or(
            "lease",
            span().single().to(WAIT_MAX).positive(),
            Need::Text("60 s"),
            "How long after an instance has stopped another one, with another ledger, may take over.",
        ),
        need("store", Kind::Named(&STORE), "A head or a cluster, by its name: one for each."),
        need("directory", Kind::Table(&DIRECTORY), "The database that says who lives where."),
        or("front_end", Kind::Named(&FRONT_END), Need::Empty, "A machine that serves mailboxes."),
        may(
            "test_user",
            Kind::Text,
            "A user whom a preflight may move to a cluster and back: nobody's, with little mail.",
        ),
        may("metrics", Kind::Table(&METRICS), "Where a running migration tells its metrics."),
    ]],
};

static STORE: Table = Table {
    what: "a store",
    keys: &[&[
        need("name", Kind::Name, "The name of a head or a cluster."),
        need(
            "root",
            Kind::Text,
            "The folder below which its mailboxes lie; its fill is that of the file system there.",
        ),
        or(
            "mount",
            Kind::Flag,
            Need::Flag(true),
            "Whether something has to be mounted at the root; the preflight looks.",
        ),
        need(
            "probe",
            Kind::Choice(&[
                Kind::Table(&DISK),
                Kind::Table(&NFS),
                Kind::Table(&PRESSURE),
                Kind::Table(&PROMETHEUS),
                Kind::Table(&COMMAND),
            ]),
            "Where its load is read.",
        ),
    ]],
};

static DISK: Table = Table {
    what: "a probe",
    keys: &[&[need("disk", Kind::Text, "A block device's name in /proc/diskstats: \"sdb\".")]],
};

static NFS: Table = Table {
    what: "a probe",
    keys: &[&[need("nfs", Kind::Flag, "The NFS mount at the root: latency without a utilisation.")]],
};

static PRESSURE: Table = Table {
    what: "a probe",
    keys: &[&[need(
        "pressure",
        Kind::Flag,
        "Stalls on any disk, in /proc/pressure/io: utilisation without a latency.",
    )]],
};

static PROMETHEUS: Table = Table {
    what: "a probe",
    keys: &[&[
        need(
            "prometheus",
            Kind::Text,
            "A Prometheus server, \"http://127.0.0.1:9090\": for arrays that only their vendor's exporter can see.",
        ),
        may("utilisation", Kind::Text, "An expression that gives one series: the busy share, 0 to 1."),
        may("latency", Kind::Text, "An expression that gives one series: the mean time of an operation in seconds."),
        or(
            "max_age",
            span().single().to(WAIT_MAX).positive(),
            Need::Text("2 min"),
            "A value that was measured earlier than that is a missing sample.",
        ),
    ]],
};

static COMMAND: Table = Table {
    what: "a probe",
    keys: &[&[need(
        "command",
        ARGV,
        "A program that prints utilisation (0 to 1) and latency (seconds): `0.62 0.0041`.",
    )]],
};

/// A program and its arguments, without a shell.
const ARGV: Kind = Kind::List(&Kind::Text);

static METRICS: Table = Table {
    what: "the metrics",
    keys: &[&[
        need("listen", Kind::Text, "Address and port of this machine: \"127.0.0.1:9464\"."),
        or("anywhere", Kind::Flag, Need::Flag(false), "Allow an address that other machines can reach."),
    ]],
};

static DIRECTORY: Table = Table {
    what: "the directory",
    keys: &[&[
        may("sqlite", Kind::Text, "An SQLite database: its file."),
        may(
            "postgres",
            Kind::Text,
            "A PostgreSQL database: \"host=/run/postgresql user=mail dbname=mail\", without a password.",
        ),
        may("password_file", Kind::Text, "A file that holds the password for PostgreSQL and nothing else."),
        or("statements", Kind::Table(&STATEMENTS), Need::Empty, "What is asked of the database."),
    ]],
};

static STATEMENTS: Table = Table {
    what: "the statements",
    keys: &[&[
        may(
            "list",
            Kind::Text,
            "Every user: name, store, path below its root, epoch, state (`ok` or `hold`), and a group, if users have one.",
        ),
        may("user", Kind::Text, "One user, the same columns: `:user`."),
        may("hold", Kind::Text, "Holds a user: `:user`, `:epoch`, `:fence`."),
        may("flip", Kind::Text, "Moves a held user and adds one to the epoch: `:user`, `:to`, `:epoch`, `:fence`."),
        may("release", Kind::Text, "Ends a hold where the user is: `:user`, `:epoch`, `:fence`."),
        may("take_lease", Kind::Text, "Takes the lease and gives the new fence: `:owner`, `:now`, `:until`."),
        may("keep_lease", Kind::Text, "Extends the lease: `:fence`, `:owner`, `:until`."),
        may("end_lease", Kind::Text, "Gives the lease back: `:fence`, `:owner`."),
        may("intake", Kind::Text, "Where new accounts go from now on: `:home`; somebody else decides when missing."),
    ]],
};

static FRONT_END: Table = Table {
    what: "a front end",
    keys: &[&[
        need("name", Kind::Name, "Its name."),
        may("doveadm", ARGV, "Dovecot's tool there: `flush`, `kick` and `who` of their own stand in its place."),
        may("flush", ARGV, "Forgets what is cached about `{user}`."),
        may("kick", ARGV, "Ends the sessions of `{user}`."),
        may(
            "who",
            ARGV,
            "Prints a line for each session of `{user}`; a header that begins with `username` does not count.",
        ),
        may("deliveries", ARGV, "Prints a line for each delivery under way that may be for `{user}`."),
    ]],
};
