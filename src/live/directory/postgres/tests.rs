//! With a server of our own, where there is one to start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use postgres::NoTls;
use tempfile::TempDir;

use super::super::tests::{LENGTH, at, keeps_the_rules, refused, take, user};
use super::super::{Directory, Lease, State};
use super::*;
use crate::scenario::site;
use crate::scenario::site::defaults::SCHEMA_POSTGRES;
use crate::units::Span;

const SECRET: &str = "it is a se'cret";

#[test]
fn postgres_keeps_the_rules_and_is_found_again_after_a_restart() {
    let server = match Server::start() {
        Ok(server) => server,
        Err(why) => return println!("skipped: {why}"),
    };
    let place = server.place("rules");
    keeps_the_rules(&|| place.connect(Span::from_secs(10)), &|text| place.sql(text));
    is_found_again_after_a_restart(&server, &place);
    waits_no_longer_than_it_may_for_a_lock(&place);
    takes_no_lease_under_an_open_change(&place);
    commits_nothing_that_was_given_up(&place);
    says_when_nobody_knows_and_settles_it(&place);
    binds_to_the_types_that_it_finds(&server.place("types"));
    refuses_statements_that_cannot_be_right(&place);
    never_shows_the_password(&place);
}

fn is_found_again_after_a_restart(server: &Server, place: &Place<'_>) {
    let directory = place.connect(Span::from_secs(10));
    let lease = take(&directory, "restart", at(5000));
    let bob = user(&directory, "bob");
    server.control(&["restart", "-m", "immediate"]);
    directory.hold(&bob, lease.fence()).expect("nobody has to hear of a restart between two questions");
    server.control(&["stop", "-m", "immediate"]);
    for _ in 0..2 {
        let error = directory.release(&bob, lease.fence()).expect_err("there is no server");
        assert!(matches!(error, DirectoryError::Lost { .. }), "{error}");
    }
    server.control(&["start"]);
    assert_eq!(user(&directory, "bob").state, State::Hold);
    directory.release(&bob, lease.fence()).expect("it is there again");
    lease.end().expect("given back");
}

fn waits_no_longer_than_it_may_for_a_lock(place: &Place<'_>) {
    let directory = place.connect(Span::from_secs(1));
    let lease = take(&directory, "lock", at(6000));
    let bob = user(&directory, "bob");
    let mut other = place.client();
    let mut transaction = other.transaction().expect("a transaction");
    transaction.batch_execute("UPDATE mailbox SET path = path WHERE name = 'bob'").expect("locked");
    let error = directory.hold(&bob, lease.fence()).expect_err("locked");
    assert!(matches!(error, DirectoryError::Busy { .. }), "{error}");
    transaction.rollback().expect("unlocked");
    directory.hold(&bob, lease.fence()).expect("held");
    directory.release(&bob, lease.fence()).expect("released");
    lease.end().expect("given back");
}

/// A change that is not yet committed keeps the lease from being taken: it cannot come after it.
fn takes_no_lease_under_an_open_change(place: &Place<'_>) {
    let directory = place.connect(Span::from_secs(1));
    let lease = take(&directory, "open", at(7000));
    let mut other = place.client();
    let mut transaction = other.transaction().expect("a transaction");
    let hold = Statements::default_for_postgres().hold.replace(":user", "'bob'");
    let hold = hold.replace(":epoch", "epoch").replace(":fence", &lease.fence().number().to_string());
    assert_eq!(transaction.execute(&hold, &[]).expect("a change"), 1);
    let error = Lease::take(&directory, "next", at(7100), LENGTH).expect_err("the lease is in use");
    assert!(matches!(error, DirectoryError::Busy { .. }), "{error}");
    transaction.rollback().expect("rolled back");
    let next = take(&directory, "next", at(7100));
    refused(directory.hold(&user(&directory, "bob"), lease.fence()));
    next.end().expect("given back");
}

/// A server process is stopped under a question; when it goes on nothing of that question is left.
fn commits_nothing_that_was_given_up(place: &Place<'_>) {
    let directory = place.connect(Span::from_secs(1));
    let lease = take(&directory, "stopped", at(8000));
    let bob = user(&directory, "bob");
    let mut client = place.client();
    let query =
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'drawdown' ORDER BY backend_start DESC LIMIT 1";
    let number: i32 = client.query_one(query, &[]).expect("the newest connection").get(0);
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &number.to_string()]).status().expect("kill").success());
    };
    signal("-STOP");
    let error = directory.hold(&bob, lease.fence()).expect_err("it does not answer");
    signal("-CONT");
    assert!(matches!(error, DirectoryError::Busy { .. }), "{error}");
    assert_eq!(user(&directory, "bob").state, State::Ok, "another connection answers");
    directory.hold(&bob, lease.fence()).expect("held");
    directory.release(&bob, lease.fence()).expect("released");
    assert_eq!(user(&directory, "bob").state, State::Ok);
    lease.end().expect("given back");
}

/// Two commits without an answer: under one the connection is cut, and it does not happen; the other is slow, and does.
fn says_when_nobody_knows_and_settles_it(place: &Place<'_>) {
    place.sql(
        "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF new.home = 'cut' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; \
           PERFORM pg_sleep(6); RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER trouble AFTER UPDATE ON mailbox DEFERRABLE INITIALLY DEFERRED FOR EACH ROW \
           WHEN (old.home <> new.home AND new.home IN ('cut', 'slow')) EXECUTE FUNCTION trouble()",
    );
    let directory = place.connect(Span::from_secs(1));
    let lease = take(&directory, "commit", at(9000));
    let bob = user(&directory, "bob");
    for (to, happens) in [("cut", false), ("slow", true)] {
        directory.hold(&bob, lease.fence()).expect("held");
        let error = directory.flip(&bob, to, lease.fence()).expect_err("no answer");
        assert!(matches!(error, DirectoryError::Uncertain { statement: "flip", .. }), "{to}: {error}");
        assert_eq!(user(&directory, "bob").home, bob.home, "whoever only looks sees the user where it was");
        let settled = (0..20).map(|_| directory.release(&bob, lease.fence()));
        let settled = settled.skip_while(|done| matches!(done, Err(DirectoryError::Busy { .. })));
        let settled = { settled }.next().expect("settled in the end");
        if happens {
            refused(settled);
            let moved = user(&directory, "bob");
            assert_eq!((moved.home.as_str(), moved.epoch), (to, bob.epoch + 1));
        } else {
            settled.expect("not moved, and never will be");
            assert_eq!(user(&directory, "bob"), bob);
        }
    }
    lease.end().expect("given back");
}

fn binds_to_the_types_that_it_finds(place: &Place<'_>) {
    place.sql(
        "CREATE DOMAIN store AS varchar(20) CHECK (value <> ''); CREATE TYPE condition AS ENUM ('ok', 'hold'); \
         CREATE TABLE account (id smallint, name varchar(40), home store, path char(5), epoch int4, state condition); \
         CREATE TABLE lease (fence int4, owner varchar(40), until timestamptz); \
         INSERT INTO account VALUES (1, 'bob', 'head-1', 'b/bob', 7, 'ok'); \
         INSERT INTO lease VALUES (41, '', to_timestamp(0))",
    );
    let one =
        "epoch = :epoch::int4 AND name = :user /* ':user' */ AND EXISTS (SELECT 1 FROM lease WHERE fence = :fence)";
    let columns = "SELECT name, home, path, epoch, state FROM account";
    let statements = Statements {
        list: columns.replace("state FROM", "state, id FROM"),
        user: format!("{columns} WHERE name = :user"),
        hold: format!("UPDATE account SET state = 'hold' WHERE {one} RETURNING 'ten :fences'"),
        flip: format!("UPDATE account SET home = :to, epoch = epoch + 1, state = $$ok$$ WHERE home = :home AND {one}"),
        release: format!("UPDATE account SET state = 'ok'::condition WHERE {one}"),
        take_lease: "UPDATE lease SET fence = fence + 1, owner = :owner, until = to_timestamp(:until) \
                     WHERE until <= to_timestamp(:now) RETURNING fence"
            .to_owned(),
        keep_lease: "UPDATE lease SET until = to_timestamp(:until) WHERE fence = :fence".to_owned(),
        end_lease: "UPDATE lease SET until = to_timestamp(0) WHERE fence = :fence".to_owned(),
        intake: None,
    };
    let directory = place.connect_with(&statements, Span::from_secs(10)).expect("it connects");
    let directory = Arc::new(directory);
    let lease = take(&directory, "one", at(1000));
    assert_eq!(lease.fence().number(), 42);
    lease.keep(at(1001)).expect("kept");
    let bob = user(&directory, "bob");
    assert_eq!((bob.home.as_str(), bob.epoch), ("head-1", 7));
    assert_eq!(directory.list().expect("the list").users[0].group.as_deref(), Some("1"));
    directory.hold(&bob, lease.fence()).expect("held");
    assert_eq!(user(&directory, "bob").state, State::Hold);
    directory.flip(&bob, "cluster-1", lease.fence()).expect("moved");
    let bob = user(&directory, "bob");
    assert_eq!((bob.home.as_str(), bob.epoch, bob.state), ("cluster-1", 8, State::Ok));
    directory.release(&bob, lease.fence()).expect("released");
    let error = directory.hold(&User { epoch: i64::MAX, ..bob }, lease.fence()).expect_err("too large");
    assert!(error.to_string().ends_with("does not fit into int4"), "{error}");
    lease.end().expect("given back");
    let wrong = Statements { user: format!("{columns} WHERE id = :user"), ..statements };
    let error = place.connect_with(&wrong, Span::from_secs(10)).expect_err("a text for a number").to_string();
    assert_eq!(error, "site.directory.user: `:user` would be a text for the type int2; write `::text` after it");
}

fn refuses_statements_that_cannot_be_right(place: &Place<'_>) {
    let usual = Statements::default_for_postgres;
    for (statements, expected) in [
        (Statements { flip: usual().hold, ..usual() }, "site.directory.flip: it does not ask for `:to`"),
        (
            Statements { list: "SELECT 1 FROM nothing".to_owned(), ..usual() },
            "site.directory.list: relation \"nothing\" does not exist (42P01)",
        ),
        (
            Statements { user: usual().user.replace(":user", "$1"), ..usual() },
            "site.directory.user: it numbers a parameter (`$1`); write `:user` and so on",
        ),
        (
            Statements { keep_lease: usual().keep_lease + "; SELECT 1", ..usual() },
            "site.directory.keep_lease: cannot insert multiple commands into a prepared statement (42601)",
        ),
    ] {
        let error = place.connect_with(&statements, Span::from_secs(10)).expect_err(expected).to_string();
        assert_eq!(error, expected);
    }
    let all = "UPDATE mailbox SET state = 'hold' WHERE :user <> '' AND :epoch::int8 = 0 AND :fence::int8 = 0";
    let directory = place.connect_with(&Statements { hold: all.to_owned(), ..usual() }, Span::from_secs(10));
    let directory = directory.expect("it connects");
    let bob = User { epoch: 0, ..user(&directory, "bob") };
    let error = directory.hold(&bob, super::super::Fence::from_number(0)).expect_err("all of them");
    assert!(matches!(error, DirectoryError::TooMany { rows: 6, .. }), "{error}");
    assert!(directory.list().expect("the list").users.iter().all(|user| user.state == State::Ok));
}

fn never_shows_the_password(place: &Place<'_>) {
    let directory = place.connect(Span::from_secs(10));
    assert!(directory.describe().ends_with(&format!("dbname={} user=mail", place.name)), "{}", directory.describe());
    assert!(!format!("{directory:?}").contains(SECRET));
    fs::write(&place.server.password, "wrong").expect("another password");
    let error = place.connect_with(&Statements::default_for_postgres(), Span::from_secs(10)).expect_err("wrong");
    assert!(error.to_string().contains("password authentication failed"), "{error}");
}

#[test]
fn a_password_file_is_for_its_owner_alone_and_holds_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    let of = |text: &str, mode: u32| {
        fs::write(&file, text).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("its mode");
        password(&file)
    };
    for text in ["secret", "secret\n", "secret\r\n"] {
        assert_eq!(of(text, 0o600), Ok("secret".to_owned()));
    }
    assert_eq!(of(" se cret \n", 0o400), Ok(" se cret ".to_owned()));
    for (text, mode) in [("secret", 0o640), ("secret", 0o604), ("", 0o600), ("\n", 0o600), ("a\nsecret", 0o600)] {
        let error = of(text, mode).expect_err("refused").to_string();
        assert!(error.contains("password") && !error.contains("secret"), "{error}");
    }
    assert!(password(folder.path()).is_err());
    assert!(password(&folder.path().join("none")).is_err());
}

#[test]
fn a_connection_string_with_a_password_is_refused_and_not_shown() {
    for connection in ["host=/nowhere user=mail password=secret", "postgres://mail:secret@localhost/mail", "secret ="] {
        let statements = Statements::default_for_postgres();
        let made = Postgres::connect(connection, None, &statements, Duration::from_secs(1));
        let error = made.err().expect("refused");
        assert!(matches!(error, DirectoryError::Settings { .. }), "{error}");
        assert!(!format!("{error:?} {error}").contains("secret"), "{error}");
    }
}

/// A server in a folder, on a Unix socket alone.
struct Server {
    folder: TempDir,
    /// The password's file, as a site has it.
    password: PathBuf,
    as_root: bool,
}

/// A database of it with the default tables.
struct Place<'a> {
    server: &'a Server,
    name: &'static str,
}

impl Server {
    fn start() -> Result<Self, String> {
        let said = |output: Output| String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let id = Command::new("id").arg("-u").output().map_err(|error| format!("id: {error}"))?;
        // A socket's path has to be short.
        let folder = TempDir::with_prefix_in("pg", "/tmp").map_err(|error| error.to_string())?;
        let password = folder.path().join("password");
        fs::write(&password, SECRET).map_err(|error| error.to_string())?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).map_err(|error| error.to_string())?;
        let server = Self { folder, password, as_root: said(id) == "0" };
        let place = server.folder.path().display().to_string();
        if server.as_root {
            let given = Command::new("chown").args(["-R", "postgres", &place]).output();
            if !given.is_ok_and(|output| output.status.success()) {
                return Err("a server does not run as root, and there is no user postgres".to_owned());
            }
        }
        server.run(
            "initdb",
            &[
                "-D",
                &format!("{place}/data"),
                "-U",
                "mail",
                "-A",
                "scram-sha-256",
                "--no-sync",
                "--locale=C",
                "-E",
                "UTF8",
                "--pwfile",
                &server.password.display().to_string(),
            ],
        )?;
        server.run_control(&["start"])?;
        Ok(server)
    }

    fn control(&self, arguments: &[&str]) {
        self.run_control(arguments).expect("the server does it");
    }

    fn run_control(&self, arguments: &[&str]) -> Result<(), String> {
        let place = self.folder.path().display().to_string();
        let options = format!("-F -k {place} -c listen_addresses='' -c max_connections=30");
        let (data, log) = (format!("{place}/data"), format!("{place}/log"));
        self.run("pg_ctl", &[&["-D", &data, "-l", &log, "-o", &options, "-w"], arguments].concat())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let mut path = std::env::var("PATH").unwrap_or_default();
        for version in fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
            path = format!("{path}:{}", version.path().join("bin").display());
        }
        let mut command = if self.as_root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "env", &format!("PATH={path}"), program]);
            command
        } else {
            let mut command = Command::new("env");
            command.args([&format!("PATH={path}"), program]);
            command
        };
        // The server would keep a pipe open.
        let log =
            fs::File::create(self.folder.path().join(format!("{program}.log"))).map_err(|error| error.to_string())?;
        command.args(arguments).current_dir(self.folder.path()).stdout(log.try_clone().expect("a log")).stderr(log);
        let status = command.status().map_err(|error| format!("{program}: {error}"))?;
        let said = fs::read_to_string(self.folder.path().join(format!("{program}.log"))).unwrap_or_default();
        if status.success() { Ok(()) } else { Err(format!("{program}: {status}: {said}")) }
    }

    fn place(&self, name: &'static str) -> Place<'_> {
        let place = Place { server: self, name };
        let mut first = Place { server: self, name: "postgres" }.client();
        first.batch_execute(&format!("CREATE DATABASE {name}")).expect("a database");
        place.sql(SCHEMA_POSTGRES);
        place
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.run_control(&["stop", "-m", "immediate"]);
    }
}

impl Place<'_> {
    fn connection(&self) -> String {
        format!("host={} dbname={} user=mail", self.server.folder.path().display(), self.name)
    }

    fn client(&self) -> Client {
        let mut config = self.connection().parse::<Config>().expect("a connection string");
        config.password(SECRET).connect(NoTls).expect("a connection")
    }

    fn sql(&self, text: &str) {
        self.client().batch_execute(text).expect("done by hand");
    }

    fn connect_with(&self, statements: &Statements, timeout: Span) -> Result<Directory, DirectoryError> {
        let database = site::Database::Postgres {
            connection: self.connection(),
            password_file: Some(self.server.password.clone()),
        };
        Directory::connect(&site::Directory { database, statements: statements.clone() }, timeout)
    }

    fn connect(&self, timeout: Span) -> Arc<Directory> {
        Arc::new(self.connect_with(&Statements::default_for_postgres(), timeout).expect("it connects"))
    }
}
