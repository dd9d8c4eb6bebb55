//! The site: what production alone needs. The simulator, `forecast` and `validate` never open, execute or connect to any
//! of it.

pub mod defaults;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::units::Span;

/// Where a migration really happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The ledger's file; neither on a head nor on a cluster.
    pub ledger: PathBuf,
    /// The socket of a running migration, for `status`, `pause` and so on.
    pub socket: PathBuf,
    /// By `HeadId`.
    pub heads: Vec<Store>,
    /// By `ClusterId`.
    pub clusters: Vec<Store>,
    /// Who lives where.
    pub directory: Directory,
    /// The machines that serve the mailboxes; each has to acknowledge a hold. None without a mail server.
    pub front_ends: Vec<FrontEnd>,
    /// A command or probe that has not ended by then has failed.
    pub timeout: Span,
    /// Deliveries open at the hold may take so long to end; then the switch backs out.
    pub drain: Span,
    /// The right to change the directory is taken for so long, and kept four times as often: another instance takes over no
    /// sooner after this one has stopped.
    pub lease: Span,
    /// Where a running migration tells its metrics, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// A user whom a preflight may move to a cluster and back.
    pub test_user: Option<String>,
}

/// A head or a cluster as the migration's host sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The folder below which its mailboxes lie.
    pub root: PathBuf,
    /// Whether something has to be mounted at the root: a store that is not mounted is an empty folder of another file
    /// system.
    pub mount: bool,
    /// Where its load is read.
    pub probe: LoadProbe,
    /// What counts as its fill.
    pub fill: FillProbe,
}

/// What counts as a store's fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillProbe {
    /// What is used on the file system at its root.
    FileSystem,
    /// The sizes of the files below its root: for a rehearsal, whose stores lie on one file system.
    Folder,
}

/// Where the load of a store is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadProbe {
    /// A block device, by its name in `/proc/diskstats`: how busy it is, and how long a request takes.
    Disk(String),
    /// The NFS mount at the root, in `/proc/self/mountstats`: how long an operation takes. It says no utilisation.
    Nfs,
    /// Stalls on any disk, in `/proc/pressure/io`: the share of the time in which something waits. It says no latency.
    Pressure,
    /// A program that prints utilisation (0 to 1) and latency (seconds): `0.62 0.0041`.
    Command(Vec<String>),
    /// A Prometheus server, which has it from elsewhere.
    Prometheus(Prometheus),
    /// Nobody reads it, and it counts as none: for a rehearsal.
    Unmeasured,
}

/// What is asked of a Prometheus server about a store. At least one of the two expressions is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prometheus {
    /// Where it answers, without `/api/v1`: `http://127.0.0.1:9090`. Plain HTTP.
    pub server: String,
    /// The expression of the busy share, 0 to 1.
    pub utilisation: Option<String>,
    /// The expression of the mean time of an operation, in seconds.
    pub latency: Option<String>,
    /// What was measured earlier than so long ago says nothing any more.
    pub max_age: Span,
}

/// The database that says who lives where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Which database.
    pub database: Database,
    /// What is asked of it.
    pub statements: Statements,
}

/// A database of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A connection string, `host=/run/postgresql user=mail dbname=mail`, without the password, which comes from a file.
    Postgres {
        /// The connection string.
        connection: String,
        /// A file that holds the password alone.
        password_file: Option<PathBuf>,
    },
}

/// The statements of a directory. Values are bound by name: `:user`, `:home`, `:to`, `:epoch`, `:fence`, `:owner`,
/// `:until`, `:now`; they are never put into the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statements {
    /// Every user: name, store, path below the store's root, epoch (a whole number), state (`ok` or `hold`); and a sixth column,
    /// the group that it belongs to, where users have groups.
    pub list: String,
    /// One user, the same columns: `:user`.
    pub user: String,
    /// Holds a user: `:user`, `:epoch`, `:fence`. No row changed: somebody else has changed the user, or the lease is lost.
    pub hold: String,
    /// Moves a held user: `:user`, `:to`, `:epoch`, `:fence`; adds one to the epoch and ends the hold.
    pub flip: String,
    /// Ends a hold where the user is: `:user`, `:epoch`, `:fence`.
    pub release: String,
    /// Takes the lease: `:owner`, `:now`, `:until`, both in seconds since 1970; gives the new fencing number. No row: somebody
    /// else has it.
    pub take_lease: String,
    /// Extends the lease: `:fence`, `:owner`, `:until`. No row changed: it is lost.
    pub keep_lease: String,
    /// Gives the lease back: `:fence`, `:owner`.
    pub end_lease: String,
    /// Where new accounts go from now on: `:home`. None: somebody else decides.
    pub intake: Option<String>,
}

/// A machine that serves mailboxes. Each command is a program and its arguments, without a shell; `{user}` in an argument
/// is the mailbox's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontEnd {
    /// Its name.
    pub name: String,
    /// Forgets what it has cached about a user.
    pub flush: Option<Vec<String>>,
    /// Ends a user's sessions: commands that are run at once, none where it has none. Status 68 is fine, too: there was
    /// nobody to kick.
    pub kick: Vec<Vec<String>>,
    /// Prints a line for each session of a user; a header line that begins with `username` does not count.
    pub who: Option<Vec<String>>,
    /// Prints a line for each delivery under way that may be for the user. A delivery is known again by the number of its
    /// process, with which the line begins; without numbers the list has to become empty.
    pub deliveries: Option<Vec<String>>,
}
