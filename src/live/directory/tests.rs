//! What every directory does, whichever database it is in, and what only SQLite can show.

mod rules;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::scenario::site::Statements;
use crate::scenario::site::defaults::SCHEMA_SQLITE;
use crate::units::Time;
pub(super) use rules::keeps_the_rules;

pub(super) const LENGTH: Span = Span::from_secs(30);

pub(super) fn at(second: i64) -> Time {
    Time::from_unix_micros(second * 1_000_000)
}

pub(super) fn take(directory: &Arc<Directory>, owner: &str, now: Time) -> Lease {
    Lease::take(directory, owner, now, LENGTH).expect("an answer").expect("the lease is free")
}

pub(super) fn user(directory: &Directory, name: &str) -> User {
    directory.user(name).expect("an answer").expect("a user")
}

pub(super) fn refused(done: Result<(), DirectoryError>) {
    let error = done.expect_err("refused");
    assert!(matches!(error, DirectoryError::Refused { .. }), "{error}");
}

/// A folder with a database in it.
struct Place {
    folder: TempDir,
    statements: Statements,
}

impl Place {
    fn new() -> Self {
        let place =
            Self { folder: tempfile::tempdir().expect("a folder"), statements: Statements::default_for_sqlite() };
        place.sql(SCHEMA_SQLITE);
        place
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("users.db")
    }

    fn open(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.file()).expect("a database")
    }

    fn sql(&self, text: &str) {
        self.open().execute_batch(text).expect("done by hand");
    }

    fn connect_within(&self, timeout: Span) -> Result<Directory, DirectoryError> {
        let database = site::Database::Sqlite(self.file());
        Directory::connect(&site::Directory { database, statements: self.statements.clone() }, timeout)
    }

    fn connect(&self) -> Arc<Directory> {
        Arc::new(self.connect_within(Span::from_secs(10)).expect("it connects"))
    }
}

#[test]
fn sqlite_keeps_the_rules() {
    let place = Place::new();
    keeps_the_rules(&|| place.connect(), &|text| place.sql(text));
}

#[test]
fn sqlite_keeps_the_rules_with_a_write_ahead_log() {
    let place = Place::new();
    place.sql("PRAGMA journal_mode = wal");
    keeps_the_rules(&|| place.connect(), &|text| place.sql(text));
}

#[test]
fn a_database_that_is_not_there_is_not_made() {
    let place = Place::new();
    fs::remove_file(place.file()).expect("removed");
    let error = place.connect_within(LENGTH).expect_err("it is not there");
    assert!(matches!(error, DirectoryError::Lost { .. }), "{error}");
    assert!(error.to_string().contains("users.db"), "{error}");
    assert!(!place.file().exists());
}

#[test]
fn a_locked_database_is_an_error_after_the_timeout_and_works_later() {
    let place = Place::new();
    place.sql("INSERT INTO mailbox (name, home, path) VALUES ('bob', 'head-1', 'b')");
    let directory = Arc::new(place.connect_within(Span::from_secs_f64(0.2)).expect("it connects"));
    let lease = take(&directory, "one", at(0));
    let bob = user(&directory, "bob");
    let other = place.open();
    other.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    for error in [
        directory.hold(&bob, lease.fence()).expect_err("locked"),
        directory.user("bob").expect_err("locked"),
        lease.keep(at(1)).expect_err("locked"),
    ] {
        assert!(matches!(error, DirectoryError::Busy { .. }) && error.is_passing(), "{error}");
    }
    other.execute_batch("ROLLBACK").expect("unlocked");
    directory.hold(&bob, lease.fence()).expect("held");
    // Somebody who reads lets a change begin and not be committed.
    other.execute_batch("BEGIN; SELECT * FROM mailbox").expect("reading");
    let error = directory.flip(&bob, "cluster-1", lease.fence()).expect_err("locked");
    assert!(matches!(error, DirectoryError::Busy { .. }), "{error}");
    other.execute_batch("ROLLBACK").expect("unlocked");
    directory.flip(&bob, "cluster-1", lease.fence()).expect("moved");
    assert_eq!(user(&directory, "bob").epoch, 1);
}

#[test]
fn a_database_that_was_gone_is_found_again_also_when_it_is_another_file() {
    let place = Place::new();
    place.sql("INSERT INTO mailbox (name, home, path) VALUES ('bob', 'head-1', 'b')");
    let directory = place.connect();
    user(&directory, "bob");
    let away = place.folder.path().join("away.db");
    fs::rename(place.file(), &away).expect("moved away");
    let error = directory.user("bob").expect_err("it is gone");
    assert!(matches!(error, DirectoryError::Lost { .. }), "{error}");
    fs::copy(&away, place.file()).expect("restored");
    place.sql("UPDATE mailbox SET home = 'head-2'");
    assert_eq!(user(&directory, "bob").home, "head-2");
    fs::rename(&away, place.file()).expect("restored again");
    assert_eq!(user(&directory, "bob").home, "head-1");
}

#[test]
fn a_change_of_more_than_one_row_is_rolled_back() {
    let mut place = Place::new();
    place.sql("INSERT INTO mailbox (name, home, path) VALUES ('bob', 'head-1', 'b'), ('BOB', 'head-1', 'B')");
    place.statements.hold = "UPDATE mailbox SET state = 'hold' WHERE lower(name) = lower(:user) AND epoch = :epoch \
                             AND :fence > 0 AND home = :home"
        .to_owned();
    let directory = place.connect();
    let error = directory.hold(&user(&directory, "bob"), Fence::from_number(1)).expect_err("two rows");
    assert_eq!(error, DirectoryError::TooMany { statement: "hold", rows: 2 });
    assert!(directory.list().expect("the list").users.iter().all(|user| user.state == State::Ok));
}

#[test]
fn a_list_may_say_the_group() {
    let mut place = Place::new();
    place.sql(
        "ALTER TABLE mailbox ADD COLUMN customer; INSERT INTO mailbox (name, home, path, customer) VALUES \
         ('a', 'head-1', 'a', 'One'), ('b', 'head-1', 'b', 7), ('c', 'head-1', 'c', ''), ('d', 'head-1', 'd', NULL)",
    );
    place.statements.list = place.statements.list.replace("state FROM", "state, customer FROM");
    let directory = place.connect();
    let groups: Vec<_> = directory.list().expect("the list").users.into_iter().map(|user| user.group).collect();
    assert_eq!(groups, [Some("One".to_owned()), Some("7".to_owned()), None, None]);
    assert_eq!(user(&directory, "a").group, None, "nothing asks for the group of one user");
    place.sql("UPDATE mailbox SET customer = 1.5 WHERE name = 'b'");
    let error = directory.list().expect("the list").unusable[0].to_string();
    assert!(error.contains("user \"b\": the group is the number 1.5, must be a text or a whole number"), "{error}");
}

#[test]
fn a_statement_that_cannot_be_right_is_refused_at_once() {
    type Change = fn(&mut Statements);
    let cases: [(Change, &str); 9] = [
        (
            |all| all.hold = "UPDATE mailbox SET state = 'hold' WHERE name = :user AND :fence > 0".to_owned(),
            "site.directory.hold: it does not ask for `:epoch`",
        ),
        (
            |all| all.user = all.user.replace(":user", ":name"),
            "site.directory.user: there is no `:name` for it; it takes :user",
        ),
        (
            |all| all.user = all.user.replace(":user", "?1"),
            "site.directory.user: it has a parameter without a name; write `:user` and so on",
        ),
        (|all| all.user = all.user.replace(":user", "'bob'"), "site.directory.user: it does not ask for `:user`"),
        (
            |all| all.list = "SELECT name, home FROM mailbox".to_owned(),
            "site.directory.list: it gives 2 columns instead of name, store, path, epoch and state, and perhaps a group",
        ),
        (|all| all.list = "SELECT name FROM users".to_owned(), "site.directory.list: no such table: users"),
        (
            |all| all.take_lease = all.take_lease.replace("RETURNING fence", ""),
            "site.directory.take_lease: it gives no fencing number (`RETURNING`)",
        ),
        (|all| all.intake = Some("SELECT :home".to_owned()), "site.directory.intake: it changes nothing"),
        (
            |all| all.end_lease.push_str("; DELETE FROM mailbox"),
            "site.directory.end_lease: Multiple statements provided",
        ),
    ];
    for (change, expected) in cases {
        let mut place = Place::new();
        change(&mut place.statements);
        let error = place.connect_within(LENGTH).expect_err(expected).to_string();
        assert!(error.starts_with(expected), "{error}\nnot {expected}");
    }
}

#[test]
fn a_row_that_cannot_be_used_is_named_and_nothing_is_guessed() {
    let columns = "SELECT name, home, path, epoch, state FROM odd";
    let below = "must lead below the store's root: relative, not empty, without `..`";
    for (row, expected) in [
        ("'bob', 'head-1', 'b', 0, 'off'", "user \"bob\": the state is \"off\", must be \"ok\" or \"hold\""),
        ("'bob', 'head-1', 'b', NULL, 'ok'", "user \"bob\": the epoch is null, must be a whole number"),
        ("'bob', 'head-1', 'b', 1.5, 'ok'", "user \"bob\": the epoch is the number 1.5, must be a whole number"),
        ("'bob', NULL, 'b', 0, 'ok'", "user \"bob\": the store is null, must be a text"),
        ("'', 'head-1', 'b', 0, 'ok'", "user \"?\": the name is \"\", must be a text"),
        ("'bob', 'head-1', '../b', 0, 'ok'", &format!("user \"bob\": the path \"../b\" {below}")),
        ("'bob', 'head-1', 'a/../b', 0, 'ok'", &format!("user \"bob\": the path \"a/../b\" {below}")),
        ("'bob', 'head-1', '/b', 0, 'ok'", &format!("user \"bob\": the path \"/b\" {below}")),
        ("'bob', 'head-1', './', 0, 'ok'", &format!("user \"bob\": the path \"./\" {below}")),
        ("x'ff', 'head-1', 'b', 0, 'ok'", "user \"?\": the name is a blob, must be a text"),
    ] {
        let mut place = Place::new();
        place.sql(&format!("CREATE TABLE odd (name, home, path, epoch, state); INSERT INTO odd VALUES ({row})"));
        place.statements.list = columns.to_owned();
        let error = place.connect().list().expect("the list").unusable[0].to_string();
        assert_eq!(error, format!("the answer to list cannot be used: {expected}"));
    }
    let mut place = Place::new();
    place.sql(
        "CREATE TABLE odd (name, home, path, epoch, state);
               INSERT INTO odd VALUES ('bob', 'h', 'b', 0, 'ok'), ('bob', 'h', 'b', 0, 'ok')",
    );
    place.statements.list = columns.to_owned();
    place.statements.user = format!("{columns} WHERE name = :user");
    let directory = place.connect();
    place.sql("INSERT INTO odd VALUES ('eve', 'h', 'e', 0, 'ok'), ('old', 'archive', 'o', 0, 'suspended')");
    let listed = directory.list().expect("the list");
    assert_eq!(listed.users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["eve"], "the others are there");
    let [old, bob] = &listed.unusable[..] else { panic!("{listed:?}") };
    assert!(bob.to_string().ends_with("\"bob\" is there twice"), "{bob}");
    assert_eq!((old.name.as_deref(), old.home.as_deref()), (Some("old"), Some("archive")));
    let heads = ["head-1".to_owned()];
    assert!(bob.may_be_on(&heads) && !old.may_be_on(&heads), "it may be anywhere");
    assert!(directory.user("bob").expect_err("twice").to_string().ends_with("2 rows for \"bob\""));
}

#[test]
fn paths_are_names_alone_however_they_are_written() {
    let place = Place::new();
    place.sql(
        "INSERT INTO mailbox (name, home, path) VALUES ('a', 'h', 'a/Maildir/'), ('b', 'h', './b//Maildir'), \
         ('c', 'h', 'c/./Maildir//'), ('d', 'h', 'd')",
    );
    let directory = place.connect();
    let paths: Vec<String> = directory.list().expect("the list").users.into_iter().map(|user| user.path).collect();
    assert_eq!(paths, ["a/Maildir", "b/Maildir", "c/Maildir", "d"]);
    assert_eq!(user(&directory, "a").path, "a/Maildir");
}

#[test]
fn new_accounts_are_sent_elsewhere_if_the_site_says_how() {
    let mut place = Place::new();
    place.sql("CREATE TABLE setting (name TEXT, value TEXT); INSERT INTO setting VALUES ('home', 'head-1')");
    place.statements.intake = Some("UPDATE setting SET value = :home WHERE name = 'home'".to_owned());
    assert_eq!(place.connect().intake("cluster-1"), Ok(true));
    let home = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    assert_eq!(place.open().query_one("SELECT value FROM setting", [], home), Ok("cluster-1".to_owned()));
    place.sql("DELETE FROM setting");
    assert!(matches!(place.connect().intake("cluster-1"), Err(DirectoryError::Refused { user: None, .. })));
}

#[test]
fn a_fencing_number_that_does_not_grow_is_an_error() {
    let mut place = Place::new();
    place.statements.take_lease = "INSERT INTO drawdown_lease (id, fence, owner, until) VALUES (1, 1, :owner, :until) \
                                   ON CONFLICT (id) DO UPDATE SET until = :until WHERE until <= :now RETURNING fence"
        .to_owned();
    let directory = place.connect();
    let _first = take(&directory, "one", at(0));
    let error = Lease::take(&directory, "one", at(60), LENGTH).expect_err("the same number");
    assert_eq!(error.to_string(), "the answer to take_lease cannot be used: the fencing number 1 comes after 1");
}

#[test]
fn a_long_list_comes_whole() {
    let place = Place::new();
    place.sql(
        "INSERT INTO mailbox (name, home, path) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
               WHERE i < 100000) SELECT 'user-' || i, 'head-1', 'u/' || i FROM n",
    );
    let users = place.connect().list().expect("the list").users;
    assert_eq!(users.len(), 100_000);
    assert!(users.is_sorted_by(|one, other| one.name < other.name));
}

#[test]
fn a_directory_says_where_it_is() {
    let place = Place::new();
    let directory = place.connect();
    assert_eq!(directory.describe(), format!("SQLite, {}", place.file().display()));
    assert!(format!("{directory:?}").contains("users.db"));
}
