//! The site of a scenario: read in full, refused with messages, and never looked at by a forecast.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use drawdown::scenario::site::{Database, LoadProbe, Prometheus, Site};
use drawdown::scenario::{ReadSettings, Source, starter};
use drawdown::sim::{RunId, simulate};
use drawdown::units::Span;

const GOOD: &str = include_str!("site.toml");

fn read(text: &str, overrides: &[&str]) -> Result<Source, String> {
    let overrides = overrides.iter().map(|&setting| setting.to_owned()).collect();
    Source::from_text("site.toml", text, &ReadSettings { overrides, allow_path: false })
        .map_err(|problems| problems.to_string())
}

fn site(text: &str, overrides: &[&str]) -> Site {
    let source = read(text, overrides).unwrap_or_else(|problems| panic!("{problems}"));
    source.site().cloned().expect("a site")
}

/// The good file with each `from`, which it must have, replaced.
fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(GOOD.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the good file has no {from}");
        text.replacen(from, to, 1)
    })
}

#[test]
fn a_site_is_read_in_full() {
    let site = site(GOOD, &[]);
    assert_eq!(site.ledger, Path::new("/nowhere/drawdown/ledger.db"));
    assert_eq!(site.socket, Path::new("/nowhere/run/drawdown.sock"));
    assert_eq!((site.timeout, site.drain, site.lease), (Span::from_secs(15), Span::from_secs(45), Span::from_secs(90)));
    let roots = |stores: &[drawdown::scenario::site::Store]| -> Vec<PathBuf> {
        stores.iter().map(|store| store.root.clone()).collect()
    };
    assert_eq!(roots(&site.heads), ["/nowhere/head-1", "/nowhere/head-2"].map(PathBuf::from));
    assert_eq!(roots(&site.clusters), ["/nowhere/nas-1", "/nowhere/nas-2"].map(PathBuf::from));
    assert_eq!(site.heads[0].probe, LoadProbe::Disk("sdb".to_owned()));
    assert_eq!(site.heads[1].probe, LoadProbe::Pressure);
    assert_eq!(site.clusters[0].probe, LoadProbe::Nfs);
    let load = ["/nowhere/bin/load", "nas-2"].map(str::to_owned);
    assert_eq!(site.clusters[1].probe, LoadProbe::Command(load.to_vec()));
    let database = Database::Postgres {
        connection: "host=/nowhere/postgresql user=mail dbname=mail".to_owned(),
        password_file: Some("/nowhere/password".into()),
    };
    assert_eq!(site.directory.database, database);
    assert!(site.directory.statements.take_lease.starts_with("select take("));
    assert_eq!(site.directory.statements.intake.as_deref(), Some("update settings set store = :home"));
    let [first, second] = &site.front_ends[..] else { panic!("two front ends") };
    let doveadm = ["/nowhere/doveadm", "-c", "/nowhere/dovecot.conf", "kick", "{user}", "0.0.0.0/1"].map(str::to_owned);
    assert_eq!((first.name.as_str(), first.kick.len(), &first.kick[0][..]), ("imap-1", 4, &doveadm[..]));
    assert_eq!(first.who.as_ref().map(|who| who[3..].join(" ")).as_deref(), Some("-f flow who -1 {user}"));
    assert_eq!(second.who.as_ref().map(|who| who.join(" ")).as_deref(), Some("/nowhere/remote imap-2 who {user}"));
    assert_eq!(second.deliveries, None);
}

#[test]
fn what_a_site_leaves_out_has_defaults() {
    let (before, site_text) = GOOD.split_at(GOOD.find("[site.directory.statements]").unwrap());
    let front_ends = &site_text[site_text.find("[[site.front_end]]").unwrap()..];
    assert!(front_ends.contains("imap-2"));
    let text = [
        "socket = \"/nowhere/run/drawdown.sock\"\n",
        "timeout = \"15 s\"\n",
        "drain = \"45 s\"\n",
        "lease = \"90 s\"\n",
    ]
    .iter()
    .fold(before.to_owned(), |text, line| text.replacen(line, "", 1));
    let site = site(&text, &[]);
    assert_eq!(site.socket, Path::new("/nowhere/drawdown/ledger.db.sock"));
    assert_eq!((site.timeout, site.drain, site.lease), (Span::from_secs(10), Span::from_secs(30), Span::from_secs(60)));
    assert_eq!(site.front_ends, []);
    let statements = &site.directory.statements;
    assert!(statements.flip.contains("epoch = epoch + 1") && statements.flip.contains(":fence"));
    assert_eq!(statements.intake, None);
}

#[test]
fn a_setting_reaches_into_the_site() {
    let overrides = [
        "site.store.nas-1.root=/nowhere/other",
        "site.store.nas-1.mount=false",
        "site.drain=2 min",
        "site.store.head-1.probe={ nfs = true }",
    ];
    let site = site(GOOD, &overrides);
    assert_eq!(site.clusters[0].root, Path::new("/nowhere/other"));
    assert!(!site.clusters[0].mount && site.clusters[1].mount);
    assert_eq!(site.drain, Span::from_secs(120));
    assert_eq!(site.heads[0].probe, LoadProbe::Nfs);
}

#[test]
fn a_server_is_asked_in_its_own_words_and_metrics_have_an_address() {
    let probe = r#"{ prometheus = "http://127.0.0.1:9090/", utilisation = "busy{array='a'}", max_age = "90 s" }"#;
    let given = [&format!("site.store.nas-1.probe={probe}"), "site.metrics={ listen = \"[::1]:9464\" }"];
    let found = site(GOOD, &given);
    let asked = Prometheus {
        server: "http://127.0.0.1:9090".to_owned(),
        utilisation: Some("busy{array='a'}".to_owned()),
        latency: None,
        max_age: Span::from_secs(90),
    };
    assert_eq!(found.clusters[0].probe, LoadProbe::Prometheus(asked));
    assert_eq!(found.metrics, Some("[::1]:9464".parse().unwrap()));
    let others = ["site.metrics={ listen = \"10.0.0.1:9464\", anywhere = true }"];
    assert_eq!(site(GOOD, &others).metrics, Some("10.0.0.1:9464".parse().unwrap()));
    assert_eq!(site(GOOD, &[]).metrics, None);
}

#[test]
fn a_private_file_adds_its_site_to_a_shared_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let (shared, own) = GOOD.split_at(GOOD.find("[site]").unwrap());
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("shared.toml", shared);
    write("site.toml", &format!("extends = \"shared.toml\"\n{own}"));
    let more = "extends = \"site.toml\"\n[[site.store]]\nname = \"head-1\"\nprobe = { nfs = true }\n";
    write("more.toml", more);
    let read = |name: &str| Source::read(&folder.path().join(name), &ReadSettings::default());
    let read = |name: &str| read(name).unwrap_or_else(|problems| panic!("{problems}")).site().cloned();
    assert_eq!(read("shared.toml"), None);
    assert_eq!(read("site.toml"), Some(site(GOOD, &[])));
    // Another kind of probe takes the place of the inherited one; the root stays.
    let more = read("more.toml").expect("a site");
    assert_eq!((&more.heads[0].probe, more.heads[0].root.as_path()), (&LoadProbe::Nfs, Path::new("/nowhere/head-1")));
}

#[test]
fn a_scenario_without_a_site_has_none() {
    assert_eq!(read(starter(), &[]).unwrap().site(), None);
}

#[test]
fn a_forecast_is_the_same_with_and_without_a_site() {
    let with = read(GOOD, &[]).unwrap();
    let without = read(&GOOD[..GOOD.find("[site]").unwrap()], &[]).unwrap();
    assert!(!Path::new("/nowhere").exists(), "nothing of the site exists");
    let run = |source: &Source| simulate(source.middle(), RunId { seed: 1, replication: 0 });
    assert_eq!(run(&with), run(&without));
    assert_eq!(with.resolved(), without.resolved());
    assert_eq!(with.warnings(), without.warnings());
}

#[test]
fn the_program_forecasts_with_a_site_whose_paths_do_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("site.toml"), GOOD).unwrap();
    let arguments = ["forecast", "site.toml", "--set", "forecast.maximum=4", "--set", "forecast.minimum=4"];
    let output = assert_cmd::Command::cargo_bin("drawdown")
        .unwrap()
        .args(arguments)
        .args(["--set", "forecast.chance_only=0", "--set", "site.ledger=/nowhere/else/ledger.db"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut left = vec![folder.path().to_path_buf()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.file_name().is_some_and(|name| name != "site.toml") {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains("nowhere"), "{} tells of the site", path.display());
        }
    }
}

/// Each case: what it is about, and what is replaced in the good file by what.
const CASES: &[(&str, &[(&str, &str)])] = &[
    ("no ledger", &[("ledger = \"/nowhere/drawdown/ledger.db\"\n", "")]),
    ("a ledger below a root", &[("/nowhere/drawdown/ledger.db", "/nowhere/nas-1/ledger.db")]),
    ("a socket that is a root", &[("/nowhere/run/drawdown.sock", "/nowhere/head-2")]),
    ("a relative ledger", &[("\"/nowhere/drawdown/ledger.db\"", "\"ledger.db\"")]),
    ("a socket in the ledger's place", &[("/nowhere/run/drawdown.sock", "/nowhere/drawdown/./ledger.db")]),
    (
        "a socket that no kernel takes",
        &[(
            "/nowhere/run/",
            "/nowhere/a-folder/with-a-very/long-name/that-goes-on/and-on/and-on/and-on/and-on/and-on/and-on/a/",
        )],
    ),
    ("a store for nobody", &[("name = \"nas-2\"\nroot", "name = \"nas2\"\nroot")]),
    (
        "a cluster without a store",
        &[(
            "[[site.store]]\nname = \"nas-2\"\nroot = \"/nowhere/nas-2/\"\nprobe = { command = [\"/nowhere/bin/load\", \"nas-2\"] }\n",
            "",
        )],
    ),
    ("a store twice", &[("name = \"nas-2\"\nroot", "name = \"head-1\"\nroot")]),
    (
        "a head called as a cluster is",
        &[
            ("name = \"head-2\"\ncapacity", "name = \"nas-1\"\ncapacity"),
            ("head-2 = \"50 %\"", "nas-1 = \"50 %\""),
            ("\"head-2\"]", "\"nas-1\"]"),
        ],
    ),
    ("a relative root", &[("\"/nowhere/head-1\"", "\"head-1\"")]),
    ("a root that climbs", &[("\"/nowhere/head-1\"", "\"/nowhere/x/../head-1\"")]),
    ("one root twice", &[("\"/nowhere/head-2\"", "\"/nowhere//head-1/\"")]),
    ("a root below another", &[("\"/nowhere/head-2\"", "\"/nowhere/nas-2/old\"")]),
    ("a root above another", &[("\"/nowhere/head-2\"", "\"/nowhere\"")]),
    ("no probe", &[("probe = { disk = \"sdb\" }", "")]),
    ("a probe of no kind", &[("probe = { disk = \"sdb\" }", "probe = \"disk\"")]),
    ("a misspelt probe", &[("probe = { disk = \"sdb\" }", "probe = { dsik = \"sdb\" }")]),
    ("a probe that is off", &[("nfs = true", "nfs = false")]),
    ("a server over TLS", &[("{ disk = \"sdb\" }", "{ prometheus = \"https://array:9090\", latency = \"wait\" }")]),
    ("a server that is no address", &[("{ disk = \"sdb\" }", "{ prometheus = \"array:9090\", latency = \"wait\" }")]),
    (
        "a server with a password",
        &[("{ disk = \"sdb\" }", "{ prometheus = \"http://mail:hunter2@array:9090\", latency = \"wait\" }")],
    ),
    (
        "a server with its path",
        &[("{ disk = \"sdb\" }", "{ prometheus = \"http://array:9090/api/v1/\", latency = \"wait\" }")],
    ),
    ("a server that is asked nothing", &[("{ disk = \"sdb\" }", "{ prometheus = \"http://array:9090\" }")]),
    ("an empty expression", &[("{ disk = \"sdb\" }", "{ prometheus = \"http://array:9090\", utilisation = \" \" }")]),
    ("metrics without a port", &[("lease = \"90 s\"", "lease = \"90 s\"\nmetrics = { listen = \"127.0.0.1\" }")]),
    ("metrics for everybody", &[("lease = \"90 s\"", "lease = \"90 s\"\nmetrics = { listen = \"0.0.0.0:9464\" }")]),
    ("a disk that is no name", &[("disk = \"sdb\"", "disk = \"sd b\"")]),
    ("a probe that runs nothing", &[("command = [\"/nowhere/bin/load\", \"nas-2\"]", "command = []")]),
    ("a shell's line for an argv", &[("command = [\"/nowhere/bin/load\", \"nas-2\"]", "command = \"load nas-2\"")]),
    ("no time at all", &[("timeout = \"15 s\"", "timeout = \"0 s\"")]),
    ("a range of times", &[("drain = \"45 s\"", "drain = { low = \"1 s\", high = \"2 s\" }")]),
    ("two databases", &[("[site.directory]", "[site.directory]\nsqlite = \"/nowhere/users.db\"")]),
    ("no database", &[("postgres = \"host=/nowhere/postgresql user=mail dbname=mail\"", "")]),
    (
        "a password for a file",
        &[("postgres = \"host=/nowhere/postgresql user=mail dbname=mail\"", "sqlite = \"/nowhere/users.db\"")],
    ),
    ("a password in the connection", &[("user=mail dbname", "user=mail password=hunter2 dbname")]),
    ("a password in a URL", &[("host=/nowhere/postgresql user=mail dbname=mail", "postgres://mail:hunter2@db/mail")]),
    ("a password as a key", &[("password_file = \"/nowhere/password\"", "password = \"hunter2\"")]),
    (
        "a password beside a mistake",
        &[
            ("postgres = \"host=/nowhere/postgresql user=mail dbname=mail\"\n", ""),
            ("[site.directory]\n", "[site.directory]\npostgres = [\"password=hunter2\"]\n"),
        ],
    ),
    ("a password in a broken line", &[("dbname=mail\"", "password=hunter2")]),
    (
        "a statement about nobody",
        &[("where name = :user and epoch = :epoch and lease() = :fence\"\nflip", "where epoch = :epoch\"\nflip")],
    ),
    (
        "a value that nothing gives",
        &[("take(:owner, :now::bigint, :until::bigint)", "take(:onwer, :now, :until, ':owner')")],
    ),
    ("an unknown statement", &[("release = \"", "relaese = \"")]),
    (
        "a front end without a command",
        &[(
            "doveadm = [\"/nowhere/doveadm\", \"-c\", \"/nowhere/dovecot.conf\"]\ndeliveries = [\"/nowhere/deliveries\", \"{user}\"]\n",
            "",
        )],
    ),
    ("a front end twice", &[("name = \"imap-2\"", "name = \"imap-1\"")]),
    ("a program chosen by a mailbox", &[("who = [\"/nowhere/remote\", \"imap-2\"", "who = [\"{user}\", \"imap-2\"")]),
    ("a kick for everybody", &[("\"imap-2\", \"kick\", \"{user}\"]", "\"imap-2\", \"kick\"]")]),
    ("an empty kick", &[("kick = [\"/nowhere/remote\", \"imap-2\", \"kick\", \"{user}\"]", "kick = []")]),
    ("a zero byte", &[("\"imap-2\", \"kick\", \"{user}\"]", "\"imap-2\\u0000\", \"{user}\"]")]),
];

#[test]
fn each_malformed_site_has_its_message_and_no_password_is_shown() {
    let mut all = String::new();
    for (title, changes) in CASES {
        println!("{title}");
        let message = read(&changed(changes), &[]).err().unwrap_or_else(|| panic!("{title}: was taken"));
        assert!(!message.contains("hunter2"), "{message}");
        let _ = writeln!(all, "## {title}\n{message}");
    }
    insta::assert_snapshot!("malformed_sites", all);
}

#[test]
fn every_problem_of_a_site_is_reported_at_once() {
    let changes = [
        ("/nowhere/drawdown/ledger.db", "/nowhere/nas-1/ledger.db"),
        ("\"/nowhere/head-1\"", "\"head-1\""),
        ("nfs = true", "nfs = false"),
        ("user=mail dbname", "user=mail password=hunter2 dbname"),
        ("lease() = :fence\"\nflip", "lease() = 1\"\nflip"),
        ("doveadm = [\"/nowhere/doveadm\", \"-c\", \"/nowhere/dovecot.conf\"]", "doveadm = []"),
    ];
    insta::assert_snapshot!("all_of_a_site_at_once", read(&changed(&changes), &[]).unwrap_err());
}

#[test]
fn a_password_in_a_setting_is_not_shown_either() {
    let message = read(GOOD, &["site.directory.postgres=host=db password=hunter2"]).unwrap_err();
    assert!(message.contains("holds a password") && !message.contains("hunter2"), "{message}");
}
