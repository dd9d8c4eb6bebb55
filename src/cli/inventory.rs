//! `drawdown inventory`: a row for each mailbox, from what is there.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::{Args, ValueEnum};

use super::progress::{self, EVERY};
use super::{Done, Failure, told};
use crate::live::maildir::{self, Root};
use crate::scenario::{ExportColumns, Exported, read_export};

const EXAMPLES: &str = "\
Examples:
  drawdown inventory head-1=/srv/mail-a head-2=/srv/mail-b --names address --output mailboxes.csv
  doveadm -f tab mailbox status -A 'messages vsize' '*' > status.tsv
  drawdown inventory head-1=status.tsv --output mailboxes.csv
  drawdown inventory head-1=export.csv --mailbox User --bytes 'Size (MB)' --separator ';'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// What is on each head: HEAD=PATH, where PATH is a folder with Maildirs below it, or an export in CSV
    #[arg(required = true, value_parser = source, value_name = "HEAD=PATH")]
    sources: Vec<(String, PathBuf)>,
    /// The inventory to write, which must not exist [default: stdout]
    #[arg(long)]
    output: Option<PathBuf>,
    /// How Maildirs are named
    #[arg(long, value_enum, default_value_t = Names::Path)]
    names: Names,
    /// The export's column of mailboxes, several rows of one being its folders [default: username from doveadm, else mailbox]
    #[arg(long, value_name = "COLUMN")]
    mailbox: Option<String>,
    /// The export's column of sizes, in bytes unless its name ends in a unit [default: vsize from doveadm, else bytes]
    #[arg(long, value_name = "COLUMN")]
    bytes: Option<String>,
    /// The export's column of messages [default: messages]
    #[arg(long, value_name = "COLUMN")]
    messages: Option<String>,
    /// What stands between the export's values [default: a comma or a tab]
    #[arg(long, value_parser = separator)]
    separator: Option<char>,
    /// No progress on stderr
    #[arg(long, short)]
    quiet: bool,
}

/// How a Maildir's path becomes the mailbox's name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Names {
    /// Its path below the given one: `example.org/ann`
    Path,
    /// Its last two folders, as an address: `ann@example.org`
    Address,
}

/// Maildirs are looked at by so many at once.
const LOOKERS: usize = 8;
/// Of what cannot be read, so much is told one by one.
const SHOWN: usize = 100;

/// A mailbox of the inventory.
struct Row {
    mailbox: String,
    head: String,
    found: Exported,
}

pub(super) fn run(arguments: &Arguments) -> Result<Done, Failure> {
    if let Some(path) = arguments.output.as_ref().filter(|path| path.exists()) {
        return Err(Failure::Input(format!("{}: exists already and is left as it is", path.display())));
    }
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for (head, path) in &arguments.sources {
        let found = if path.is_dir() { maildirs(path, arguments) } else { export(path, arguments) };
        match found {
            Ok(found) => {
                rows.extend(found.into_iter().map(|(mailbox, found)| Row { mailbox, head: head.clone(), found }));
            }
            Err(Failure::Input(message)) => wrong.push(message),
            Err(other) => return Err(other),
        }
    }
    rows.sort_by(|a, b| (&a.head, &a.mailbox).cmp(&(&b.head, &b.mailbox)));
    wrong.extend(twice(&rows));
    if !wrong.is_empty() {
        return Err(Failure::Input(wrong.join("\n")));
    }
    let text = csv(&rows);
    match &arguments.output {
        None => told::stdout().write_all(text.as_bytes())?,
        Some(path) => {
            super::write_new(path, text.as_bytes())
                .map_err(|error| Failure::Run(format!("{}: {error}", path.display())))?;
        }
    }
    if !arguments.quiet {
        let bytes = rows.iter().fold(0_u64, |sum, row| sum.saturating_add(row.found.bytes));
        writeln!(told::stderr(), "{} mailboxes, {}", rows.len(), crate::units::Bytes::new(bytes))?;
    }
    Ok(Done::Complete)
}

fn export(path: &Path, arguments: &Arguments) -> Result<BTreeMap<String, Exported>, Failure> {
    let columns = ExportColumns {
        mailbox: arguments.mailbox.clone(),
        bytes: arguments.bytes.clone(),
        messages: arguments.messages.clone(),
        separator: arguments.separator,
    };
    read_export(path, &columns).map_err(|problems| Failure::Input(problems.to_string()))
}

/// Every Maildir below a folder: one that has `cur` and `new`. Nothing is looked for inside one, and links are not followed. What a
/// migration has left of a mailbox that has moved is none, and is told.
fn maildirs(root: &Path, arguments: &Arguments) -> Result<BTreeMap<String, Exported>, Failure> {
    let failed = |error: io::Error| Failure::Run(format!("{}: {error}", root.display()));
    let handle = Root::open(root).map_err(failed)?;
    let Maildirs { paths, old_copies } = find(root)?;
    if old_copies > 0 {
        let (copies, are) = if old_copies == 1 { ("copy", "is") } else { ("copies", "are") };
        writeln!(
            told::stderr(),
            "{}: {old_copies} old {copies} of a migration (*{}, *{}) {are} left out",
            root.display(),
            maildir::MOVING,
            maildir::PURGING
        )?;
    }
    if paths.is_empty() {
        return Err(Failure::Input(format!("{}: no Maildir below it: no folder has cur and new", root.display())));
    }
    let (mut rows, mut wrong) = (BTreeMap::new(), Vec::new());
    for (path, totals) in measure(&handle, &paths, arguments.quiet) {
        match (name(&path, arguments.names), totals) {
            (Ok(name), Ok(found)) => {
                let before = rows.insert(name.clone(), found);
                wrong.extend(before.map(|_| format!("{}: another Maildir is called {name} too", path.display())));
            }
            (Err(message), _) | (_, Err(message)) => wrong.push(format!("{}: {message}", path.display())),
        }
    }
    if wrong.is_empty() {
        return Ok(rows);
    }
    let count = wrong.len();
    wrong.truncate(SHOWN);
    wrong.push(format!("{}: {count} of {} Maildirs cannot be taken", root.display(), paths.len()));
    Err(Failure::Input(wrong.join("\n")))
}

/// What is below a folder.
struct Maildirs {
    /// Of each its path below the folder, sorted.
    paths: Vec<PathBuf>,
    /// How many are what is left behind a fence, or half removed: their mailboxes are elsewhere.
    old_copies: usize,
}

/// The Maildirs below a folder.
fn find(root: &Path) -> Result<Maildirs, Failure> {
    let (mut found, mut old_copies) = (Vec::new(), 0);
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let path = root.join(&below);
        let failed = |error: io::Error| Failure::Run(format!("{}: {error}", path.display()));
        let mut folders = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(entry.file_name());
            }
        }
        if is_old_copy(root, &below) {
            old_copies += 1;
        } else if ["cur", "new"].iter().all(|wanted| folders.iter().any(|folder| folder == wanted)) {
            found.push(below);
        } else {
            waiting.extend(folders.iter().map(|folder| below.join(folder)));
        }
    }
    found.sort();
    Ok(Maildirs { paths: found, old_copies })
}

/// By its name, since one that is being removed may have lost any of its folders; a mailbox that happens to be called so stands
/// beside the one whose old copy it would be.
fn is_old_copy(root: &Path, below: &Path) -> bool {
    let name = below.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let plain = [maildir::MOVING, maildir::PURGING].iter().find_map(|ending| name.strip_suffix(ending));
    let is_mailbox = |plain: &str| root.join(below).with_file_name(plain).is_dir();
    plain.is_some_and(|plain| !plain.is_empty() && !is_mailbox(plain))
}

/// Looks at Maildirs, several at once; in their order.
fn measure(root: &Root, paths: &[PathBuf], quiet: bool) -> Vec<(PathBuf, Result<Exported, String>)> {
    let next = AtomicUsize::new(0);
    let said = Mutex::new(progress::now());
    let look = || {
        let mut seen = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(at) else { return seen };
            if !quiet
                && let Ok(mut said) = said.try_lock()
                && said.elapsed() >= EVERY
            {
                *said = progress::now();
                // A reader that has gone away is no reason to stop.
                let _ = writeln!(io::stderr(), "{at} of {} Maildirs", paths.len());
            }
            let totals = maildir::measure(root, path).map_err(|error| error.to_string());
            seen.push((at, totals.map(|found| Exported { bytes: found.bytes.get(), messages: Some(found.messages) })));
        }
    };
    let mut seen: Vec<(usize, Result<Exported, String>)> = std::thread::scope(|scope| {
        let lookers: Vec<_> = (0..LOOKERS).map(|_| scope.spawn(look)).collect();
        let joined = lookers.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined.flat_map(|seen| seen.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    seen.sort_by_key(|(at, _)| *at);
    seen.into_iter().map(|(at, found)| (paths[at].clone(), found)).collect()
}

/// A Maildir's name: a last folder that only says that it is one is left away.
fn name(path: &Path, names: Names) -> Result<String, String> {
    let folders = path.iter().map(|folder| folder.to_str().ok_or_else(|| "its path is not UTF-8 text".to_owned()));
    let mut folders = folders.collect::<Result<Vec<&str>, String>>()?;
    if folders.len() > 1
        && folders.last().is_some_and(|last| ["maildir", "mail"].contains(&last.to_lowercase().as_str()))
    {
        folders.pop();
    }
    match (names, folders.as_slice()) {
        (_, []) => Err("the given folder is a Maildir itself: give the one above it".to_owned()),
        (Names::Path, folders) => Ok(folders.join("/")),
        (Names::Address, [.., domain, user]) => Ok(format!("{user}@{domain}")),
        (Names::Address, [_]) => Err("has no folder above it that names a domain".to_owned()),
    }
}

/// Mailboxes that are on two heads.
fn twice(rows: &[Row]) -> Vec<String> {
    let mut heads: BTreeMap<&str, &str> = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in rows {
        if let Some(other) = heads.insert(&row.mailbox, &row.head) {
            wrong.push(format!("{}: is on {other} and on {}", row.mailbox, row.head));
        }
    }
    let count = wrong.len();
    if count > SHOWN {
        wrong.truncate(SHOWN);
        wrong.push(format!("{count} mailboxes are on two heads"));
    }
    wrong
}

/// The inventory; without a column of messages where they are not known of all.
fn csv(rows: &[Row]) -> String {
    let has_messages = rows.iter().all(|row| row.found.messages.is_some());
    let mut text = if has_messages { "mailbox,head,bytes,messages\n" } else { "mailbox,head,bytes\n" }.to_owned();
    for Row { mailbox, head, found } in rows {
        // Writing to a string cannot fail.
        let _ = write!(text, "{},{},{}", quoted(mailbox), quoted(head), found.bytes);
        if let (true, Some(messages)) = (has_messages, found.messages) {
            let _ = write!(text, ",{messages}");
        }
        text.push('\n');
    }
    text
}

/// A value as CSV has it.
fn quoted(value: &str) -> String {
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

fn source(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((head, path)) if !head.is_empty() && !path.is_empty() => Ok((head.to_owned(), PathBuf::from(path))),
        Some(_) | None => Err("must be HEAD=PATH: the name of the head and what is on it".to_owned()),
    }
}

fn separator(text: &str) -> Result<char, String> {
    match text {
        "tab" | "\\t" | "\t" => Ok('\t'),
        "," => Ok(','),
        ";" => Ok(';'),
        "|" => Ok('|'),
        _ => Err("must be one of , ; tab |".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maildir_is_named_by_its_path_or_as_an_address() {
        let named = |path: &str, names| name(Path::new(path), names).ok();
        assert_eq!(named("example.org/ann", Names::Path).as_deref(), Some("example.org/ann"));
        assert_eq!(named("example.org/ann/Maildir", Names::Path).as_deref(), Some("example.org/ann"));
        assert_eq!(named("a/example.org/ann/Maildir", Names::Address).as_deref(), Some("ann@example.org"));
        assert_eq!(named("mail", Names::Path).as_deref(), Some("mail"));
        assert_eq!([named("ann", Names::Address), named("", Names::Path)], [None, None]);
    }
}
