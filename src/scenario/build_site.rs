//! Builds the site: paths, commands and statements as texts. Nothing of it is opened, executed or connected to here, so
//! that two paths are compared as they are written: symbolic links stay unseen.

use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use super::build_probe::load_probe;
use super::frame::Frame;
use super::item::Item;
use super::reader::Reader;
use super::site::{Database, Directory, FillProbe, FrontEnd, Site, Statements, Store};
use super::site_sql::{self, STATEMENTS};

/// The longest path of a socket: the kernel's limit of 108 bytes has a zero at its end.
const SOCKET_MAX: usize = 107;

/// Builds the site of a file that has one; what is wrong goes to the reader.
pub(crate) fn site(file: &Item, frame: &Frame, reader: &mut Reader<'_>) -> Option<Site> {
    let item = file.get("site").filter(|item| !item.is_bad())?;
    let [heads, clusters] = stores(file, item, frame, reader);
    let ledger = ledger(item, reader);
    let socket = socket(item, ledger.as_ref(), reader);
    let directory = directory(item, reader);
    let front_ends = item.get("front_end").map(Item::list).unwrap_or_default();
    let front_ends = front_ends.iter().map(|item| front_end(item, reader)).collect();
    let metrics = metrics(item, reader);
    let test_user = item.get("test_user").and_then(Item::text);
    if let Some(user) = test_user.filter(|user| user.trim().is_empty()) {
        reader.problem(item, format!("has the test user {user:?}, must be a user's name"));
    }
    reader.section();
    let [timeout, drain, lease] = ["timeout", "drain", "lease"].map(|key| reader.span(item, key));
    Some(Site {
        ledger: ledger?,
        socket: socket?,
        heads: heads?,
        clusters: clusters?,
        directory: directory?,
        front_ends,
        timeout,
        drain,
        lease,
        metrics,
        test_user: test_user.map(str::to_owned),
    })
}

/// Where metrics are told: on this machine, unless the file says that others may read them, too.
fn metrics(site: &Item, reader: &mut Reader<'_>) -> Option<SocketAddr> {
    reader.section();
    let table = site.get("metrics").filter(|table| !table.is_bad())?;
    let item = table.get("listen")?;
    let text = item.text()?;
    let Ok(address) = text.parse::<SocketAddr>() else {
        let message =
            format!("is {text:?}, must be an address and a port such as \"127.0.0.1:9464\" or \"[::1]:9464\"");
        reader.problem(item, message);
        return None;
    };
    let anywhere = table.get("anywhere").is_some_and(Item::flag);
    if !address.ip().is_loopback() && !anywhere {
        let message = format!(
            "is {text:?}, which other machines can reach: metrics have neither a password nor encryption; \
             take \"127.0.0.1:{}\", or say `anywhere = true`",
            address.port()
        );
        reader.problem(item, message);
    }
    Some(address)
}

/// The stores of the heads and of the clusters; `None` when one is missing or wrong.
fn stores(file: &Item, site: &Item, frame: &Frame, reader: &mut Reader<'_>) -> [Option<Vec<Store>>; 2] {
    let Some(list) = site.get("store") else { return [None, None] };
    reader.section();
    // Without the names of the file's stores nothing can be said about those of the site.
    let certain = [Some(list), file.get("head"), file.get("cluster")];
    for item in certain {
        reader.distrust(item);
    }
    let known: Vec<String> = frame.heads.iter().chain(&frame.clusters).cloned().collect();
    for name in frame.heads.iter().filter(|name| frame.clusters.contains(name) && !name.is_empty()) {
        reader.problem(list, format!("{name} is both a head and a cluster: a site tells stores by their names"));
    }
    let named = |name: &str| list.list().iter().find(|item| item.get("name").and_then(Item::text) == Some(name));
    let is_misspelt = list.list().iter().filter_map(|item| item.get("name")).any(|item| {
        let name = item.text();
        if let Some(name) = name.filter(|name| !known.iter().any(|other| other == name)) {
            reader.unknown(item, "head or cluster", name, &known);
        }
        name.is_none_or(|name| !known.iter().any(|other| other == name))
    });
    let missing: Vec<&str> = known.iter().map(String::as_str).filter(|name| named(name).is_none()).collect();
    // A misspelt store has been reported; that it is missing is the same mistake.
    if !missing.is_empty() && !is_misspelt {
        reader.problem(list, format!("lacks {}: each head and each cluster needs a store", missing.join(", ")));
    }
    check_roots(site, list, reader);
    let mut built: Vec<(&str, Option<Store>)> = Vec::new();
    for item in list.list() {
        let store = store(item, reader);
        built.extend(item.get("name").and_then(Item::text).map(|name| (name, store)));
    }
    let of = |names: &[String]| {
        let find = |name: &String| built.iter().find(|(other, _)| other == name).and_then(|(_, store)| store.clone());
        names.iter().map(find).collect::<Option<Vec<Store>>>()
    };
    [of(&frame.heads), of(&frame.clusters)]
}

fn store(item: &Item, reader: &mut Reader<'_>) -> Option<Store> {
    reader.section();
    let root = path(item, "root", reader);
    let probe = item.get("probe").filter(|probe| !probe.is_bad()).and_then(|probe| load_probe(probe, reader));
    let mount = item.get("mount").is_none_or(Item::flag);
    Some(Store { root: root?, mount, probe: probe?, fill: FillProbe::FileSystem })
}

/// No two stores share a folder, and what production writes for itself lies on none of them.
fn check_roots(site: &Item, list: &Item, reader: &mut Reader<'_>) {
    let roots: Vec<(&str, &Item, &Path)> = list
        .list()
        .iter()
        .filter_map(|item| {
            let root = item.get("root")?;
            Some((item.get("name")?.text()?, root, Path::new(root.text()?)))
        })
        .collect();
    for (at, (_, item, root)) in roots.iter().enumerate() {
        for (name, _, other) in &roots[..at] {
            let how = match (root.starts_with(other), other.starts_with(root)) {
                (true, true) => "is the root",
                (true, false) => "lies below the root",
                (false, true) => "lies above the root",
                (false, false) => continue,
            };
            reader.problem(item, format!("is \"{}\", which {how} of {name}, \"{}\"", root.display(), other.display()));
        }
    }
    for key in ["ledger", "socket"] {
        let Some((item, text)) = site.get(key).and_then(|item| Some((item, item.text()?))) else { continue };
        if let Some((name, ..)) = roots.iter().find(|(.., root)| Path::new(text).starts_with(root)) {
            reader.problem(item, format!("is {text:?}, which lies on {name}: it must lie on no store"));
        }
    }
}

fn ledger(site: &Item, reader: &mut Reader<'_>) -> Option<PathBuf> {
    reader.section();
    let ledger = path(site, "ledger", reader)?;
    if ledger.file_name().is_none() {
        reader.problem(site.get("ledger")?, "is a folder, must be a file");
    }
    Some(ledger)
}

fn socket(site: &Item, ledger: Option<&PathBuf>, reader: &mut Reader<'_>) -> Option<PathBuf> {
    reader.section();
    let given = site.get("socket");
    let socket = if given.is_some() {
        path(site, "socket", reader)?
    } else {
        let mut path = ledger?.clone().into_os_string();
        path.push(".sock");
        PathBuf::from(path)
    };
    let at = given.or_else(|| site.get("ledger"))?;
    if Some(&socket) == ledger {
        reader.problem(at, "is the ledger's path, must be another file");
    }
    let length = socket.as_os_str().len();
    if length > SOCKET_MAX {
        let message = format!("gives a socket's path of {length} bytes, at most {SOCKET_MAX} are possible");
        reader.problem(at, message);
    }
    Some(socket)
}

/// A path from the root of the file system: production does not depend on the folder that it is started in.
fn path(table: &Item, name: &str, reader: &mut Reader<'_>) -> Option<PathBuf> {
    let item = table.get(name)?;
    let text = item.text()?;
    let path = Path::new(text);
    if !path.is_absolute() {
        reader.problem(item, format!("is {text:?}, must be a path from `/`"));
    } else if path.components().any(|part| part == Component::ParentDir) {
        reader.problem(item, format!("is {text:?}, must be a path without `..`"));
    } else if text.contains('\0') {
        reader.problem(item, format!("is {text:?}, a path holds no zero byte"));
    }
    // Without `.` and double slashes, so that equal paths are equal.
    Some(path.components().collect())
}

/// A program and its arguments.
pub(super) fn argv(item: &Item, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let words = item.list().iter().map(Item::text);
    let words: Vec<String> = words.map(|word| word.map(str::to_owned)).collect::<Option<_>>()?;
    match words.first() {
        None => reader.problem(item, "is empty, must be a program and its arguments"),
        Some(program) if program.contains("{user}") => {
            reader.problem(item, format!("runs {program:?}: a mailbox's name must not choose the program"));
        }
        Some(_) => {}
    }
    if words.iter().any(|word| word.contains('\0')) {
        reader.problem(item, "holds a zero byte, which no argument can have");
    }
    Some(words)
}

fn directory(site: &Item, reader: &mut Reader<'_>) -> Option<Directory> {
    reader.section();
    let item = site.get("directory").filter(|item| !item.is_bad())?;
    let password_file = path(item, "password_file", reader);
    let database = match (item.get("sqlite"), item.get("postgres")) {
        (Some(_), None) => {
            if let Some(file) = item.get("password_file") {
                reader.problem(file, "is of no use: SQLite has no password");
            }
            path(item, "sqlite", reader).map(Database::Sqlite)
        }
        (None, Some(postgres)) => postgres.text().map(|connection| {
            if super::secret::has_password(connection) {
                let message = "holds a password; write it alone into a file and name that as `password_file`";
                reader.problem(postgres, message);
            }
            Database::Postgres { connection: connection.to_owned(), password_file }
        }),
        (Some(_), Some(_)) | (None, None) => {
            reader.problem(item, "needs one database: either `sqlite` or `postgres`");
            None
        }
    };
    let given = item.get("statements");
    for (known, text) in STATEMENTS.iter().filter_map(|known| Some((known, given?.get(known.key)?))) {
        check_statement(text, known.values, reader);
    }
    let text = |key| given.and_then(|given| given.get(key)).and_then(Item::text).map(str::to_owned);
    let database = database?;
    let defaults = match &database {
        Database::Sqlite(_) => Statements::default_for_sqlite(),
        Database::Postgres { .. } => Statements::default_for_postgres(),
    };
    Some(Directory { statements: site_sql::statements(defaults, text), database })
}

fn check_statement(item: &Item, bound: &[&str], reader: &mut Reader<'_>) {
    let Some(text) = item.text() else { return };
    let list = |names: &[&str]| names.iter().map(|name| format!("`:{name}`")).collect::<Vec<_>>().join(", ");
    let found = site_sql::values(text);
    let lacks: Vec<&str> = bound.iter().copied().filter(|name| !found.contains(name)).collect();
    if !lacks.is_empty() {
        reader.problem(item, format!("lacks {}, without which it would change or find the wrong rows", list(&lacks)));
    }
    let strange: Vec<&str> = found.into_iter().filter(|name| !bound.contains(name)).collect();
    if !strange.is_empty() {
        let allowed = if bound.is_empty() { "no value".to_owned() } else { list(bound) };
        reader.problem(item, format!("has {}, which nothing is bound to; it gets {allowed}", list(&strange)));
    }
}

fn front_end(item: &Item, reader: &mut Reader<'_>) -> FrontEnd {
    reader.section();
    let command = |name: &str, reader: &mut Reader<'_>| item.get(name).and_then(|item| argv(item, reader));
    let name = item.get("name").and_then(Item::text).unwrap_or_default();
    let dovecot = command("doveadm", reader).map(|tool| FrontEnd::dovecot(name, &tool));
    let of_dovecot =
        |part: fn(&FrontEnd) -> &Option<Vec<String>>| dovecot.as_ref().and_then(|front| part(front).clone());
    let built = FrontEnd {
        name: name.to_owned(),
        flush: command("flush", reader).or_else(|| of_dovecot(|front| &front.flush)),
        kick: command("kick", reader)
            .map(|argv| vec![argv])
            .or_else(|| dovecot.as_ref().map(|front| front.kick.clone()))
            .unwrap_or_default(),
        who: command("who", reader).or_else(|| of_dovecot(|front| &front.who)),
        deliveries: command("deliveries", reader),
    };
    // Without the name it would end, or wait for, everybody's sessions.
    for name in ["kick", "who"] {
        let Some(given) = item.get(name).filter(|given| !given.is_bad()) else { continue };
        if !given.list().is_empty() && !given.list().iter().filter_map(Item::text).any(|word| word.contains("{user}")) {
            reader.problem(given, "has no `{user}`, where the mailbox's name is put: it would be about everybody");
        }
    }
    if ["doveadm", "flush", "kick", "who", "deliveries"].iter().all(|name| item.get(name).is_none()) {
        reader.problem(item, "has no command: needs `doveadm`, or some of flush, kick, who, deliveries");
    }
    built
}
