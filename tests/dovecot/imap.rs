//! As much of an IMAP client as is needed: one command at a time, answers as lines with their literals in place.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// An answer that takes longer is an error.
const PATIENCE: Duration = Duration::from_mins(5);

/// A connection.
pub(crate) struct Imap {
    reader: BufReader<TcpStream>,
    tag: u32,
}

/// Why a command has not succeeded.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The server has ended the connection; what became of the command is not known.
    Closed,
    /// It says no.
    No(String),
}

/// A message as FETCH shows it.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) uid: u32,
    /// Without `\Recent`.
    pub(crate) flags: BTreeSet<String>,
    /// What its Message-ID is.
    pub(crate) id: String,
    /// All that was fetched of its text.
    pub(crate) text: Vec<u8>,
}

/// A folder as SELECT shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selected {
    pub(crate) validity: u32,
    pub(crate) modseq: u64,
    pub(crate) exists: u32,
}

impl Imap {
    /// Connects and logs in.
    pub(crate) fn login(port: u16, user: &str) -> Result<Self, Failed> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(closed)?;
        stream.set_nodelay(true).map_err(closed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(closed)?;
        let mut imap = Self { reader: BufReader::new(stream), tag: 0 };
        imap.line()?;
        imap.command(&format!("LOGIN {user} secret"))?;
        Ok(imap)
    }

    /// Sends a command and collects what is said until it has ended.
    pub(crate) fn command(&mut self, command: &str) -> Result<Vec<Vec<u8>>, Failed> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.send(format!("{tag} {command}\r\n").as_bytes())?;
        self.until(&tag)
    }

    pub(crate) fn select(&mut self, folder: &str) -> Result<Selected, Failed> {
        let lines = self.command(&format!("SELECT {folder} (CONDSTORE)"))?;
        let number = |key: &str| {
            let found = lines.iter().find_map(|line| {
                let text = String::from_utf8_lossy(line).into_owned();
                let (_, after) = text.split_once(key)?;
                after.split(|letter: char| !letter.is_ascii_digit()).next()?.parse::<u64>().ok()
            });
            found.unwrap_or_else(|| panic!("SELECT {folder} says no {key}"))
        };
        let exists = lines.iter().find_map(|line| {
            let text = String::from_utf8_lossy(line).into_owned();
            text.strip_prefix("* ")?.strip_suffix(" EXISTS")?.parse().ok()
        });
        let exists = exists.unwrap_or_else(|| panic!("SELECT {folder} says no EXISTS"));
        Ok(Selected { validity: number("[UIDVALIDITY ") as u32, modseq: number("[HIGHESTMODSEQ "), exists })
    }

    /// Every folder.
    pub(crate) fn folders(&mut self) -> Result<Vec<String>, Failed> {
        let lines = self.command("LIST \"\" *")?;
        let name = |line: &Vec<u8>| {
            let text = String::from_utf8_lossy(line).into_owned();
            text.starts_with("* LIST").then(|| text.rsplit(' ').next().unwrap_or_default().to_owned())
        };
        Ok(lines.iter().filter_map(name).collect())
    }

    /// Fetches of the selected folder: `set` is of UIDs, `what` a header field list or a whole text.
    pub(crate) fn fetch(&mut self, set: &str, what: &str) -> Result<Vec<Fetched>, Failed> {
        let lines = self.command(&format!("UID FETCH {set} (UID FLAGS {what})"))?;
        Ok(lines.iter().filter_map(|line| fetched(line)).collect())
    }

    pub(crate) fn append(&mut self, folder: &str, flags: &str, text: &[u8]) -> Result<(), Failed> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.send(format!("{tag} APPEND {folder} ({flags}) {{{}+}}\r\n", text.len()).as_bytes())?;
        self.send(text)?;
        self.send(b"\r\n")?;
        self.until(&tag).map(drop)
    }

    /// Listens to what the server says, for `limit` or a little more, or until it ends the connection.
    pub(crate) fn idle(&mut self, limit: Duration) -> Result<(), Failed> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.send(format!("{tag} IDLE\r\n").as_bytes())?;
        self.reader.get_ref().set_read_timeout(Some(limit)).map_err(closed)?;
        let began = Instant::now();
        while began.elapsed() < limit {
            match self.line() {
                Ok(line) if line.starts_with(b"* BYE") => return Err(Failed::Closed),
                Ok(_) => {}
                Err(Failed::No(_)) => break,
                Err(Failed::Closed) => return Err(Failed::Closed),
            }
        }
        self.reader.get_ref().set_read_timeout(Some(PATIENCE)).map_err(closed)?;
        self.send(b"DONE\r\n")?;
        self.until(&tag).map(drop)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        self.reader.get_mut().write_all(bytes).map_err(closed)
    }

    fn until(&mut self, tag: &str) -> Result<Vec<Vec<u8>>, Failed> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if line.starts_with(b"* BYE") {
                return Err(Failed::Closed);
            }
            if let Some(rest) = line.strip_prefix(tag.as_bytes()).and_then(|rest| rest.strip_prefix(b" ")) {
                let said = String::from_utf8_lossy(rest).into_owned();
                return if rest.starts_with(b"OK") { Ok(lines) } else { Err(Failed::No(said)) };
            }
            lines.push(line);
        }
    }

    /// A line without its end, with what its literals hold.
    fn line(&mut self) -> Result<Vec<u8>, Failed> {
        let mut whole = Vec::new();
        loop {
            let begins = whole.len();
            if self.reader.read_until(b'\n', &mut whole).map_err(closed)? == 0 {
                return Err(Failed::Closed);
            }
            let Some(length) = literal(&whole[begins..]) else {
                whole.truncate(whole.len() - usize::from(whole.ends_with(b"\r\n")) * 2);
                return Ok(whole);
            };
            let begins = whole.len();
            whole.resize(begins + length, 0);
            self.reader.read_exact(&mut whole[begins..]).map_err(closed)?;
        }
    }
}

/// The length of a literal that a line ends with.
fn literal(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"}\r\n")?;
    let digits = &inner[inner.iter().rposition(|byte| *byte == b'{')? + 1..];
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn fetched(line: &[u8]) -> Option<Fetched> {
    let end = line.windows(3).position(|three| three == b"}\r\n").map_or(line.len(), |at| at + 3);
    let head = String::from_utf8_lossy(&line[..end]).into_owned();
    let uid = head.split_once("UID ")?.1.split([' ', ')']).next()?.parse().ok()?;
    let flags = head.split_once("FLAGS (")?.1.split_once(')')?.0;
    let flags = flags.split_whitespace().filter(|flag| *flag != "\\Recent").map(str::to_owned).collect();
    let text = line[end..].strip_suffix(b")").unwrap_or(&line[end..]).to_vec();
    Some(Fetched { uid, flags, id: message_id(&text)?, text })
}

/// The Message-ID in a header.
fn message_id(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let field = text.lines().find(|line| line.to_ascii_lowercase().starts_with("message-id:"))?;
    Some(field.split_once('<')?.1.split_once('>')?.0.to_owned())
}

#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn closed(error: io::Error) -> Failed {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failed::No("no answer in time".to_owned()),
        _ => Failed::Closed,
    }
}
