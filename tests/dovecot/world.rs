//! A Dovecot of the test's own, two heads, two clusters, and the database that both it and the migration go by.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use drawdown::live::rehearsal;

use super::holds::KEPT_BY_SQLITE;
use super::postgres::Server;

pub(crate) const HEADS: [&str; 2] = ["head-1", "head-2"];
pub(crate) const CLUSTERS: [&str; 2] = ["nas-1", "nas-2"];
/// Where Debian's Dovecot has its drivers.
const DRIVERS: &str = "/usr/lib/dovecot/modules";
/// `nobody` and `nogroup` on Debian: whose mail it is.
pub(crate) const MAIL: u32 = 65_534;

/// Which database has the users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// Everything, until it is dropped.
pub(crate) struct World {
    server: Child,
    /// Stopped after Dovecot, which asks it.
    postgres: Option<Server>,
    folder: tempfile::TempDir,
    pub(crate) imap: u16,
    pub(crate) lmtp: u16,
    pub(crate) users: Vec<String>,
}

/// Whether the test is wanted and can run here; if not, it says why. With `DRAWDOWN_TEST_DOVECOT` set, where it cannot run is
/// a failure.
pub(crate) fn available(database: Database) -> bool {
    if std::env::var_os("DRAWDOWN_TEST_DOVECOT").is_none() {
        println!(
            "skipped: runs with DRAWDOWN_TEST_DOVECOT=1, one test after the other: it measures how long users wait"
        );
        return false;
    }
    let found = Command::new("dovecot").arg("--version").output().is_ok_and(|output| output.status.success());
    let driver = match database {
        Database::Sqlite => "sqlite",
        Database::Postgres => "pgsql",
    };
    let why = if !found {
        "there is no dovecot"
    } else if !Path::new(DRIVERS).join(format!("libdriver_{driver}.so")).exists() {
        "dovecot has no driver for the database"
    } else if database == Database::Postgres && !Server::available() {
        "there is no PostgreSQL"
    } else if !rustix::process::geteuid().is_root() {
        "dovecot needs root"
    } else {
        return true;
    };
    panic!("{why}")
}

impl World {
    /// Users with nothing in their mailboxes yet, and Dovecot running. A copy goes on at `stream` bytes per second.
    pub(crate) fn new(database: Database, users: u32, stream: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("drawdown-dovecot-").tempdir().unwrap();
        let below = folder.path().to_owned();
        fs::set_permissions(&below, fs::Permissions::from_mode(0o755)).unwrap();
        for store in HEADS.iter().chain(&CLUSTERS) {
            mail_folder(&below.join(store));
            mail_folder(&below.join(store).join("example.com"));
        }
        let users: Vec<String> = (0..users).map(|number| format!("user-{number:03}")).collect();
        let head = |place: usize| HEADS[place % HEADS.len()];
        mail_folder(&below.join("home"));
        for (place, user) in users.iter().enumerate() {
            mail_folder(&below.join("home").join(user));
            mail_folder(&below.join(head(place)).join("example.com").join(user));
        }
        let entries = users.iter().enumerate();
        let entries =
            entries.map(|(place, user)| (user.clone(), head(place).to_owned(), format!("example.com/{user}/Maildir")));
        let postgres = match database {
            Database::Sqlite => {
                rehearsal::make_directory(&below.join("users.db"), entries).unwrap();
                rusqlite::Connection::open(below.join("users.db")).unwrap().execute_batch(KEPT_BY_SQLITE).unwrap();
                fs::set_permissions(below.join("users.db"), fs::Permissions::from_mode(0o644)).unwrap();
                None
            }
            Database::Postgres => Some(Server::new(&below.join("postgres"), entries)),
        };
        let (imap, lmtp) = (free_port(), free_port());
        fs::write(below.join("dovecot.conf"), dovecot_conf(&below, imap, lmtp)).unwrap();
        fs::write(below.join("sql.conf"), sql_conf(&below, postgres.as_ref())).unwrap();
        let scenario = scenario(&below, users.len(), stream, postgres.as_ref());
        fs::write(below.join("scenario.toml"), scenario).unwrap();
        let server = Command::new("dovecot")
            .arg("-F")
            .arg("-c")
            .arg(below.join("dovecot.conf"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let world = Self { server, postgres, folder, imap, lmtp, users };
        let up = || std::net::TcpStream::connect(("127.0.0.1", imap)).is_ok();
        assert!(waits(Duration::from_secs(20), up), "dovecot does not answer: {}", world.complaints());
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What Dovecot has complained of, at last; but for deliveries to held users, which it counts as errors.
    fn complaints(&self) -> String {
        let log = fs::read_to_string(self.path("dovecot.log")).unwrap_or_default();
        let expected = [": Info: ", "Auth USER lookup failed", "Failed to lookup user"];
        let lines = log.lines().filter(|line| !expected.iter().any(|part| line.contains(part)));
        let lines: Vec<&str> = lines.collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Whether a line of Dovecot's log has all of these.
    pub(crate) fn complained(&self, parts: &[&str]) -> bool {
        let log = fs::read_to_string(self.path("dovecot.log")).unwrap_or_default();
        log.lines().any(|line| parts.iter().all(|part| line.contains(part)))
    }

    /// Starts `drawdown run`.
    pub(crate) fn start(&self) -> Child {
        self.start_of("scenario.toml")
    }

    /// The same of another scenario.
    pub(crate) fn start_of(&self, scenario: &str) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("run.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawdown"));
        command.arg("run").arg(self.path(scenario)).arg("--quiet");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    /// What the runs have said.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.path("run.log")).unwrap_or_default()
    }

    /// Waits for the end of a run, and that all is done then.
    pub(crate) fn finish(&self, mut run: Child, limit: Duration) {
        let ended = waits(limit, || run.try_wait().unwrap().is_some());
        if !ended {
            run.kill().unwrap();
        }
        let status = run.wait().unwrap();
        assert!(ended && status.success(), "{status:?}: {}\n{}", self.said(), self.complaints());
    }

    /// Everybody lives on a cluster, nobody is held, and nothing is left on the heads; but for old copies that an instance
    /// had not removed when it lost its lease: another one, with its own ledger, does not know of them.
    pub(crate) fn check_moved(&self, lost_its_lease: bool) {
        let odd = self.count("state <> 'ok' OR home NOT LIKE 'nas-%' OR epoch <> 1");
        assert_eq!(odd, 0, "users held, left behind, or moved twice");
        for (place, user) in self.users.iter().enumerate() {
            let old = self.path(HEADS[place % HEADS.len()]).join("example.com").join(user);
            let left: Vec<_> = fs::read_dir(&old).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
            let old_copy = |path: &PathBuf| path.ends_with("Maildir.moving") || path.ends_with("Maildir.purging");
            if lost_its_lease && left.iter().any(old_copy) {
                continue;
            }
            assert!(left.is_empty(), "the old place is purged: {left:?}");
        }
        assert_eq!(self.placed(), 0, "a mark was left");
    }

    /// The database, where it is a server.
    pub(crate) fn postgres(&self) -> &Server {
        self.postgres.as_ref().unwrap()
    }

    /// Replaces a part of the scenario, in a file of that name.
    pub(crate) fn change(&self, name: &str, changes: &[(&str, &str)]) {
        let mut text = fs::read_to_string(self.path("scenario.toml")).unwrap();
        for (old, new) in changes {
            assert!(text.contains(old), "the scenario has no {old:?}");
            text = text.replace(old, new);
        }
        fs::write(self.path(name), text).unwrap();
    }

    /// Users in the database of whom this is true.
    pub(crate) fn count(&self, condition: &str) -> i64 {
        let query = format!("SELECT count(*) FROM mailbox WHERE {condition}");
        if let Some(server) = &self.postgres {
            return server.count(&query);
        }
        let users = rusqlite::Connection::open(self.path("users.db")).unwrap();
        users.query_row(&query, (), |row| row.get(0)).unwrap()
    }

    /// Each beginning and end of a hold, in their order: who, which state, and when in Unix microseconds.
    pub(crate) fn kept(&self) -> Vec<(String, String, i64)> {
        let query = "SELECT name, state, at FROM kept ORDER BY at";
        if let Some(server) = &self.postgres {
            return server.rows(query);
        }
        let users = rusqlite::Connection::open(self.path("users.db")).unwrap();
        let mut rows = users.prepare(query).unwrap();
        let rows = rows.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// Copies that are in their places before their users have moved there.
    pub(crate) fn placed(&self) -> usize {
        let marked = |user: &&String| {
            let beside = |cluster: &&str| self.path(cluster).join("example.com").join(user).join("Maildir.placed");
            CLUSTERS.iter().any(|cluster| beside(cluster).exists())
        };
        self.users.iter().filter(marked).count()
    }

    /// Users who are being copied just now.
    pub(crate) fn moving(&self) -> Vec<&String> {
        let arriving = |user: &&String| {
            let below = |cluster: &&str| self.path(cluster).join("example.com").join(user).join("Maildir.arriving");
            CLUSTERS.iter().any(|cluster| below(cluster).exists())
        };
        self.users.iter().filter(arriving).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the run said:\n{}\ndovecot said:\n{}", self.said(), self.complaints());
        }
        // In order, so that its children end with it.
        if let Some(id) = rustix::process::Pid::from_raw(self.server.id() as i32) {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        if !waits(Duration::from_secs(10), || self.server.try_wait().is_ok_and(|status| status.is_some())) {
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
    }
}

/// Asks again and again until it is true, or the time is over.
#[allow(clippy::disallowed_methods, reason = "a test that waits for a program")]
pub(crate) fn waits(limit: Duration, mut until: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < limit {
        if until() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn mail_folder(path: &Path) {
    fs::create_dir_all(path).unwrap();
    chown(path, Some(MAIL), Some(MAIL)).unwrap();
}

fn free_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Everything of its own: no file of an installed Dovecot is read or written.
fn dovecot_conf(below: &Path, imap: u16, lmtp: u16) -> String {
    let below = below.display();
    format!(
        r"
protocols = imap lmtp
listen = 127.0.0.1
base_dir = {below}/run
state_dir = {below}/state
log_path = {below}/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
auth_cache_size = 10 M
auth_cache_ttl = 1 hour
lmtp_user_concurrency_limit = 1000
mail_fsync = optimized
mail_uid = {MAIL}
mail_gid = {MAIL}
first_valid_uid = 1
namespace inbox {{
  inbox = yes
  separator = /
}}
passdb {{
  driver = sql
  args = {below}/sql.conf
}}
userdb {{
  driver = sql
  args = {below}/sql.conf
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
  service_count = 0
  process_limit = 4
}}
service imap {{
  process_limit = 32
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
  process_limit = 8
}}
"
    )
}

/// While a user is held, a login waits and a delivery is put off. No row would bounce it. So would an error of PostgreSQL's
/// after a while: the driver ends its connection then, and finds nobody for those who ask meanwhile.
///
/// The wait has to be longer than holds last ([`WAIT_S`](super::holds::WAIT_S)): whoever asks for a held user's mailbox after
/// it is told to come again. Each login has a wait of its own, since the session in the query keeps it out of the cache:
/// there the end of the first one's wait would be everybody's. And no `prefetch`: where the mailbox is may be asked for only
/// after the wait.
fn sql_conf(below: &Path, postgres: Option<&Server>) -> String {
    let below = below.display();
    let (driver, connect, now) = match postgres {
        None => ("sqlite", format!("{below}/users.db"), "CAST(strftime('%%s', 'now') AS INTEGER)"),
        Some(server) => {
            let connect = format!("{} password={}", server.connection(), super::postgres::SECRET);
            ("pgsql", connect, "floor(extract(epoch FROM clock_timestamp()))::bigint")
        }
    };
    let wait = super::holds::WAIT_S;
    format!(
        "driver = {driver}\n\
         connect = {connect}\n\
         password_query = SELECT name AS \"user\", '{{PLAIN}}secret' AS password, CASE WHEN state = 'hold' \
         THEN {now} + {wait} END AS delay_until FROM mailbox WHERE name = '%u' AND '%{{session}}' IS NOT NULL\n\
         user_query = SELECT '{below}/home/' || name AS home, 'maildir:{below}/' || home || '/' || path AS mail, \
         CASE WHEN state = 'hold' THEN 'yes' END AS tempfail FROM mailbox WHERE name = '%u'\n\
         iterate_query = SELECT name AS username FROM mailbox\n"
    )
}

/// Deliveries under way to a user. Without the setting nobody could tell.
const DELIVERIES: &str = r#"[ "$(doveconf -c "$1" -h lmtp_user_concurrency_limit)" -gt 0 ] || exit 1
all=$(doveadm -c "$1" -f flow who -1 "$2") || exit 1
printf '%s\n' "$all" | sed -n '/proto=lmtp/p'"#;

fn scenario(below: &Path, users: usize, stream: u32, postgres: Option<&Server>) -> String {
    let yesterday = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
    let today = yesterday.to_zoned_datetime(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d").to_string();
    let below = below.display();
    let directory = match postgres {
        None => format!("sqlite = \"{below}/users.db\""),
        Some(server) => {
            format!("postgres = \"{}\"\npassword_file = \"{}\"", server.connection(), server.password_file().display())
        }
    };
    let latency = "latency = { points = [[\"100 %\", \"5 ms\"]] }";
    let about = format!(
        "name = \"Under a mail server\"\ntime_zone = \"UTC\"\nas_of = {today}T00:00:00\nhorizon = \"30 days\"\n"
    );
    let heads = HEADS.map(|head| format!("[[head]]\nname = \"{head}\"\ncapacity = \"9000 op/s\"\n{latency}\n"));
    let clusters = CLUSTERS.map(|cluster| {
        format!(
            "[[cluster]]\nname = \"{cluster}\"\nrated = \"900 TB\"\nfull_at = \"90 %\"\ningest = \"400 MB/s\"\n\
             capacity = \"60000 op/s\"\n{latency}\n"
        )
    });
    let rest = format!(
        r#"[population]
mailboxes = {users}
split = {{ head-1 = "50 %", head-2 = "50 %" }}
size = {{ median = "500 kB", sigma = 0.5, max = "1 GB" }}
message = {{ mean = "4 kB" }}
activity = "0.01 op/s"
[load]
profile = "flat"
[cost]
purge_rate = "200 / s"
[probe]
every = "0.2 s"
[users]
objective = "10 ms"
[plan]
order = {{ heads = ["head-1", "head-2"], overlap = "none" }}
throttle = {{ law = "fixed", streams = 2 }}
attempts = {{ backoff = "1 s", backoff_cap = "2 s" }}
move = {{ stream = "{stream} B/s", purge_after = "1 s", hold_at_most = "20 s" }}
[site]
ledger = "{below}/ledger.db"
socket = "{below}/socket"
timeout = "20 s"
drain = "15 s"
[site.directory]
{directory}
[[site.front_end]]
name = "mail-1"
doveadm = ["doveadm", "-c", "{below}/dovecot.conf"]
deliveries = ["sh", "-c", {DELIVERIES:?}, "sh", "{below}/dovecot.conf", "{{user}}"]
"#
    );
    let stores = HEADS
        .iter()
        .chain(&CLUSTERS)
        .map(|store| {
            format!(
                "[[site.store]]\nname = \"{store}\"\nroot = \"{below}/{store}\"\nmount = false\n\
             probe = {{ command = [\"echo\", \"0.2 0.002\"] }}\n"
            )
        })
        .collect::<Vec<_>>();
    [about, heads.concat(), clusters.concat(), rest, stores.concat()].concat()
}
