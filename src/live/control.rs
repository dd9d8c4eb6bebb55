//! The socket of a running migration: a request a line, an answer a line, both JSON. Whoever may open the socket's file
//! may give orders: it is made for its owner alone.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ledger::Known;
use super::production::Arrival;
use super::status::Status;
use crate::fleet::{ClusterId, HeadId, Home, MailboxId};
use crate::migration::message::Order;
use crate::units::Time;

/// A request is no longer than this.
const LONGEST: u64 = 64 * 1024;
/// Somebody who says nothing for so long is hung up on.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a caller could not be let in.
const AGAIN: Duration = Duration::from_millis(200);

/// What may be asked of a running migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How it stands.
    Status,
    /// Start nothing new, and suspend the copies.
    Pause,
    /// Go on, also after an automatic stop or a wave that waits.
    Resume,
    /// Cap a head's streams, on top of the plan.
    Pace {
        /// The head's name.
        head: String,
        /// At most so many; none: the plan alone.
        streams: Option<u16>,
    },
    /// Set a mailbox aside.
    Skip {
        /// The user's name.
        user: String,
    },
    /// Try one again that was set aside.
    Retry {
        /// The user's name.
        user: String,
    },
    /// Move one next.
    MoveNow {
        /// The user's name.
        user: String,
    },
    /// Place nothing more on a cluster.
    CloseCluster {
        /// The cluster's name.
        cluster: String,
    },
    /// Place on it again.
    OpenCluster {
        /// The cluster's name.
        cluster: String,
    },
    /// Remove no old copies.
    HoldPurges,
    /// Remove them again.
    ResumePurges,
    /// Stop, and keep the old copies of everything that has moved since.
    StopCohort {
        /// Microseconds since 1970.
        since_us: i64,
    },
    /// End the session in order: copies are given up, switches finish or back out.
    Close,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// How it stands.
    Status(Box<Status>),
    /// The order has been taken in.
    Taken,
    /// It cannot be done, and why.
    Refused(String),
}

/// What the socket needs to know.
#[derive(Debug)]
pub struct Desk {
    /// Where orders go.
    pub door: Sender<Arrival>,
    /// How the migration stands.
    pub status: Arc<Mutex<Status>>,
    /// Names of the heads.
    pub heads: Vec<String>,
    /// Names of the clusters.
    pub clusters: Vec<String>,
    /// Users' names.
    pub users: BTreeMap<String, MailboxId>,
    /// What has become of each mailbox.
    pub known: Arc<Mutex<Known>>,
    /// Asked to end the session.
    pub close: Arc<std::sync::atomic::AtomicBool>,
}

/// A socket that answers while it lives.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
}

/// A socket on which nobody is answered yet. Whoever asks meanwhile waits.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    /// Removes the file when nothing comes of it.
    control: Control,
}

impl Socket {
    /// Makes the socket; one that nobody answers any more is replaced.
    ///
    /// # Errors
    /// When it cannot be made, when somebody answers on it, or something else than a socket has its path.
    pub fn make(path: &Path) -> io::Result<Self> {
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody answers on it"));
        }
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
            Ok(_) => {
                let why = "something else than a socket stands there, and stays: give `site.socket` another path";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self { listener: bind_for_owner(path)?, control: Control { path: path.to_owned() } })
    }

    /// Answers from now on.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn answer(self, desk: Desk) -> io::Result<Control> {
        let Self { listener, control } = self;
        let desk = Arc::new(desk);
        std::thread::Builder::new().name("control".to_owned()).spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else {
                    // Too many files are open, for the most part. That passes, and orders come this way alone.
                    std::thread::park_timeout(AGAIN);
                    continue;
                };
                let desk = Arc::clone(&desk);
                // Without another thread nobody is answered: better than to stop the migration.
                let _ = std::thread::Builder::new().name("caller".to_owned()).spawn(move || desk.serve(stream));
            }
        })?;
        Ok(control)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Binds in a folder of our own first: at no instant may others open the socket.
fn bind_for_owner(path: &Path) -> io::Result<UnixListener> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let folder = tempfile::Builder::new().prefix(".drawdown-").tempdir_in(parent)?;
    let first = folder.path().join("socket");
    let listener = UnixListener::bind(&first)?;
    std::fs::set_permissions(&first, Permissions::from_mode(0o600))?;
    std::fs::rename(&first, path)?;
    Ok(listener)
}

impl Desk {
    fn serve(&self, stream: UnixStream) {
        let _ = stream.set_read_timeout(Some(PATIENCE));
        let _ = stream.set_write_timeout(Some(PATIENCE));
        let Ok(mut writer) = stream.try_clone() else { return };
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.by_ref().take(LONGEST).read_line(&mut line).is_ok_and(|read| read > 0) {
            let answer = match serde_json::from_str(&line) {
                Ok(request) => self.answer(&request),
                Err(error) => Answer::Refused(format!("not understood: {error}")),
            };
            let Ok(mut text) = serde_json::to_string(&answer) else { return };
            text.push('\n');
            if writer.write_all(text.as_bytes()).is_err() {
                return;
            }
            line.clear();
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        if *request == Request::Status {
            let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
            return Answer::Status(Box::new(status.clone()));
        }
        if *request == Request::Close {
            self.close.store(true, std::sync::atomic::Ordering::Relaxed);
            return Answer::Taken;
        }
        match self.order(request) {
            Ok(order) if self.door.send(Arrival::Ordered(order)).is_ok() => Answer::Taken,
            Ok(_) => Answer::Refused("the migration has ended".to_owned()),
            Err(why) => Answer::Refused(why),
        }
    }

    fn order(&self, request: &Request) -> Result<Order, String> {
        Ok(match request {
            Request::Status | Request::Close => return Err("no order".to_owned()),
            Request::Pause => Order::Pause,
            Request::Resume => Order::Resume,
            Request::Pace { head, streams } => {
                let head = HeadId(place(&self.heads, head, "head")?);
                Order::Cap { head, streams: streams.unwrap_or(u16::MAX) }
            }
            Request::Skip { user } => Order::Skip(self.still_to_move(user, "skip")?),
            Request::Retry { user } => Order::Retry(self.still_to_move(user, "try again")?),
            Request::MoveNow { user } => Order::MoveNow(self.still_to_move(user, "move")?),
            Request::CloseCluster { cluster } => {
                Order::CloseCluster(ClusterId(place(&self.clusters, cluster, "cluster")?))
            }
            Request::OpenCluster { cluster } => {
                Order::OpenCluster(ClusterId(place(&self.clusters, cluster, "cluster")?))
            }
            Request::HoldPurges => Order::HoldPurges,
            Request::ResumePurges => Order::ResumePurges,
            Request::StopCohort { since_us } => Order::StopCohort(Time::from_unix_micros(*since_us)),
        })
    }

    /// One that has left its head is neither moved nor kept from it, whatever is ordered: whoever orders it has to know.
    fn still_to_move(&self, user: &str, to: &str) -> Result<MailboxId, String> {
        let mailbox = self.users.get(user).copied();
        let mailbox = mailbox.ok_or_else(|| format!("there is no user {user:?} in this session"))?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = known.home(mailbox).and_then(Home::as_cluster) {
            let place = self.clusters.get(cluster.index()).map_or("a cluster", String::as_str);
            return Err(format!("{user} has moved to {place}: there is nothing to {to}"));
        }
        if known.is_gone(mailbox) {
            return Err(format!(
                "{user} is gone: the directory did not have them at their head any more, and this session has done with them; \
                 where they are there again, `stop` and start again: the next session moves them"
            ));
        }
        Ok(mailbox)
    }
}

fn place(names: &[String], name: &str, what: &str) -> Result<u8, String> {
    let found = names.iter().position(|known| known == name).and_then(|place| u8::try_from(place).ok());
    found.ok_or_else(|| format!("there is no {what} {name:?}, there are {}", names.join(", ")))
}

/// Asks a running migration.
///
/// # Errors
/// When nobody answers.
pub fn ask(path: &Path, request: &Request) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = serde_json::to_string(request)?;
    text.push('\n');
    stream.write_all(text.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_takes_the_place_of_one_that_nobody_answers_and_of_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(UnixListener::bind(&path).unwrap());
        drop(Socket::make(&path).unwrap());
        std::fs::write(&path, "the users").unwrap();
        let refused = Socket::make(&path).unwrap_err();
        assert!(refused.to_string().starts_with("something else than a socket stands there"), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), b"the users");
    }
}
