//! What goes on while mailboxes move: mail comes in, and people read, flag and copy.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::holds::{Refused, now};
use super::imap::{Failed, Imap};
use super::lmtp::{Lmtp, Manner};
use super::truth::{Expected, Mailbox, Message, text};
use super::world::World;

/// People at work at once, each in mailboxes of its own.
const READERS: usize = 4;
/// Until a delivery that was put off is tried again.
const AGAIN: Duration = Duration::from_millis(250);
/// What is still put off so long after the end has not come through.
const AT_LAST: Duration = Duration::from_mins(3);
const FLAGS: [&str; 6] = ["\\Seen", "\\Flagged", "\\Answered", "$Label1", "project-x", "project-y"];

/// What has happened besides.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    /// Anything of these fails the test.
    pub(crate) errors: Vec<String>,
    pub(crate) delivered: usize,
    pub(crate) put_off: usize,
    pub(crate) unanswered: usize,
    pub(crate) logins: usize,
    pub(crate) slowest_login: Duration,
    /// Logins that were told to come again.
    pub(crate) unavailable: Vec<Refused>,
    /// Connections that the server has ended.
    pub(crate) ended: usize,
    pub(crate) commands: usize,
}

/// Traffic on all mailboxes while `run` does its work.
pub(crate) fn during(world: &World, before: BTreeMap<String, Mailbox>, run: impl FnOnce()) -> (Expected, Happened) {
    let stop = AtomicBool::new(false);
    let mut parts = [const { BTreeMap::new() }; READERS];
    for (place, (user, mailbox)) in before.into_iter().enumerate() {
        // By pairs, so that each part has users on both heads.
        parts[place / 2 % READERS].insert(user, mailbox);
    }
    std::thread::scope(|scope| {
        let stop = &stop;
        let mtas = [1, 2].map(|seed| scope.spawn(move || deliveries(world, seed, stop)));
        let readers = parts.map(|part| scope.spawn(move || reading(world, part, stop)));
        let idlers = [11, 12, 13].map(|seed| scope.spawn(move || idling(world, seed, stop)));
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        stop.store(true, Ordering::Relaxed);
        let (mut expected, mut happened) = (Expected::default(), Happened::default());
        let ends = mtas.into_iter().map(|mta| mta.join().unwrap());
        let ends = ends.collect::<Vec<_>>().into_iter();
        for (part, more) in ends.chain(readers.into_iter().map(|reader| reader.join().unwrap())) {
            expected.mailboxes.extend(part.mailboxes);
            expected.delivered.extend(part.delivered);
            expected.seen.extend(part.seen);
            happened.add(more);
        }
        for idler in idlers {
            happened.add(idler.join().unwrap());
        }
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
        (expected, happened)
    })
}

impl Happened {
    fn add(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.delivered += other.delivered;
        self.put_off += other.put_off;
        self.unanswered += other.unanswered;
        self.logins += other.logins;
        self.slowest_login = self.slowest_login.max(other.slowest_login);
        self.unavailable.extend(other.unavailable);
        self.ended += other.ended;
        self.commands += other.commands;
    }
}

/// A mail that has not come through yet.
struct Waiting {
    id: String,
    to: Vec<String>,
    not_before: Instant,
}

/// A mail server that sends, and sends again what is put off.
fn deliveries(world: &World, seed: u64, stop: &AtomicBool) -> (Expected, Happened) {
    let mut random = SmallRng::seed_from_u64(seed);
    let (mut expected, mut happened) = (Expected::default(), Happened::default());
    let mut queue: VecDeque<Waiting> = VecDeque::new();
    let mut connection: Option<Lmtp> = None;
    let (mut number, mut stopped) = (0, None);
    loop {
        if stop.load(Ordering::Relaxed) {
            let since = *stopped.get_or_insert_with(Instant::now);
            if queue.is_empty() || since.elapsed() > AT_LAST {
                break;
            }
        }
        let due = queue.iter().position(|waiting| waiting.not_before <= Instant::now());
        let mail = match due.and_then(|place| queue.remove(place)) {
            Some(mail) => mail,
            None if stopped.is_some() => {
                std::thread::sleep(AGAIN);
                continue;
            }
            None => {
                number += 1;
                let mut to = vec![somebody(world, |_| true, &mut random).clone()];
                // Some mail goes to two users of the same server.
                to.extend(world.users.choose(&mut random).filter(|_| number % 5 == 0).cloned());
                to.dedup();
                Waiting { id: format!("delivered-{number}@mta-{seed}"), to, not_before: Instant::now() }
            }
        };
        let mut open: BTreeSet<String> = mail.to.iter().cloned().collect();
        let sent = connection.take().map_or_else(|| Lmtp::connect(world.lmtp), Ok).and_then(|mut lmtp| {
            let (before, within) = (random_span(&mut random, 6), random_span(&mut random, 9));
            let manner = Manner { chunks: random.random_ratio(1, 4), before, within };
            lmtp.deliver(&mail.to, &text(&mail.id), manner, &mut |user, (code, said)| match code {
                250 => {
                    open.remove(user);
                    happened.delivered += 1;
                    expected.delivered.entry((user.to_owned(), mail.id.clone())).or_default();
                }
                400..500 => happened.put_off += 1,
                _ => {
                    open.remove(user);
                    happened.errors.push(format!("{}: bounced for {user}: {said}", mail.id));
                }
            })?;
            connection = Some(lmtp).filter(|_| random.random_ratio(9, 10));
            Ok(())
        });
        if sent.is_err() {
            happened.unanswered += 1;
            for user in &open {
                *expected.delivered.entry((user.clone(), mail.id.clone())).or_default() += 1;
            }
        }
        if !open.is_empty() {
            queue.push_back(Waiting { to: open.into_iter().collect(), not_before: Instant::now() + AGAIN, ..mail });
        }
        std::thread::sleep(Duration::from_millis(random.random_range(5..35)));
    }
    for mail in queue {
        happened.errors.push(format!("{}: never came through to {:?}", mail.id, mail.to));
    }
    (expected, happened)
}

/// Mostly one of those who are being copied, among those who are wanted.
fn somebody<'w>(world: &'w World, wanted: impl Fn(&str) -> bool, random: &mut SmallRng) -> &'w String {
    let moving: Vec<&String> = world.moving().into_iter().filter(|user| wanted(user)).collect();
    if let Some(user) = moving.choose(random).filter(|_| random.random_ratio(3, 4)) {
        return user;
    }
    let all: Vec<&String> = world.users.iter().filter(|user| wanted(user)).collect();
    all.choose(random).expect("there is somebody")
}

/// Nothing most of the time.
fn random_span(random: &mut SmallRng, often: u32) -> Duration {
    let slow = random.random_ratio(1, often);
    Duration::from_millis(if slow { random.random_range(20..250) } else { 0 })
}

/// Logs in until it works.
fn login(world: &World, user: &str, stop: &AtomicBool, happened: &mut Happened) -> Option<Imap> {
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        match Imap::login(world.imap, user) {
            Ok(imap) => {
                happened.logins += 1;
                happened.slowest_login = happened.slowest_login.max(began.elapsed());
                return Some(imap);
            }
            Err(Failed::Closed) => happened.ended += 1,
            Err(Failed::No(why)) if why.contains("[UNAVAILABLE]") => {
                happened.unavailable.push(Refused { user: user.to_owned(), at: now(), after: began.elapsed() });
            }
            Err(Failed::No(why)) => happened.errors.push(format!("{user}: login: {why}")),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    None
}

/// A client of some of the users.
fn reading(world: &World, mailboxes: BTreeMap<String, Mailbox>, stop: &AtomicBool) -> (Expected, Happened) {
    let seed = mailboxes.keys().next().map_or(0, |user| user.bytes().map(u64::from).sum());
    let mut random = SmallRng::seed_from_u64(seed);
    let mut happened = Happened::default();
    let mut expected = Expected { mailboxes, ..Expected::default() };
    while !stop.load(Ordering::Relaxed) && !expected.mailboxes.is_empty() {
        let user = somebody(world, |user| expected.mailboxes.contains_key(user), &mut random);
        let Some(imap) = login(world, user, stop, &mut happened) else { break };
        let mailbox = expected.mailboxes.get_mut(user).unwrap();
        let mut visit = Visit { imap, user, mailbox, seen: &mut expected.seen, happened: &mut happened };
        match visit.make(&mut random) {
            Ok(()) => {}
            Err(Failed::Closed) => happened.ended += 1,
            Err(Failed::No(why)) => happened.errors.push(format!("{user}: {why}")),
        }
    }
    (expected, happened)
}

/// A client's visit to a mailbox.
struct Visit<'a> {
    imap: Imap,
    user: &'a str,
    mailbox: &'a mut Mailbox,
    seen: &'a mut BTreeMap<(String, String, u32, u32), String>,
    happened: &'a mut Happened,
}

impl Visit<'_> {
    fn make(&mut self, random: &mut SmallRng) -> Result<(), Failed> {
        let archive = self.mailbox.messages.iter().any(|message| message.folder == "Archive");
        let folder = if archive && random.random_ratio(1, 4) { "Archive" } else { "INBOX" };
        let selected = self.imap.select(folder)?;
        let mine = self.mailbox.messages.iter().filter(|message| message.folder == folder);
        let mine: Vec<u32> = mine.map(|message| message.uid).collect();
        for _ in 0..random.random_range(2..12) {
            self.happened.commands += 1;
            let Some(&uid) = mine.choose(random) else { return self.look(folder, selected.validity) };
            let found = self.mailbox.messages.iter_mut().find(|one| one.folder == folder && one.uid == uid);
            let message = found.unwrap();
            match random.random_range(0..4) {
                0 | 1 => {
                    let flags = FLAGS.iter().filter(|_| random.random_ratio(1, 3)).map(|flag| (*flag).to_owned());
                    store(&mut self.imap, message, flags.collect())?;
                }
                2 => {
                    let copies = random.random_range(1..4);
                    copy(&mut self.imap, message, &format!("Copies-{copies}"))?;
                }
                _ => self.look(folder, selected.validity)?,
            }
            std::thread::sleep(Duration::from_millis(random.random_range(0..30)));
        }
        if random.random_ratio(1, 2) {
            self.imap.command("LOGOUT").ok();
        }
        Ok(())
    }

    /// The last messages of a folder: what a UID once stands for it stands for.
    fn look(&mut self, folder: &str, validity: u32) -> Result<(), Failed> {
        self.imap.command("NOOP")?;
        let last = self.imap.command("STATUS INBOX (UIDNEXT)")?;
        let last = String::from_utf8_lossy(&last.concat()).into_owned();
        let next = last.split_once("UIDNEXT ").and_then(|(_, after)| after.split(')').next()?.parse::<u32>().ok());
        let set = format!("{}:*", next.unwrap_or(1).saturating_sub(10).max(1));
        for message in self.imap.fetch(&set, "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]")? {
            let place = (self.user.to_owned(), folder.to_owned(), validity, message.uid);
            let before = self.seen.insert(place, message.id.clone());
            if before.as_ref().is_some_and(|before| *before != message.id) {
                let uid = message.uid;
                self.happened.errors.push(format!("{}: UID {uid} was {before:?}, is {}", self.user, message.id));
            }
        }
        Ok(())
    }
}

fn store(imap: &mut Imap, message: &mut Message, flags: BTreeSet<String>) -> Result<(), Failed> {
    let list = flags.iter().cloned().collect::<Vec<_>>().join(" ");
    let done = imap.command(&format!("UID STORE {} FLAGS ({list})", message.uid));
    if done.is_ok() {
        message.flags.clear();
    }
    message.flags.push(flags);
    done.map(drop)
}

fn copy(imap: &mut Imap, message: &mut Message, folder: &str) -> Result<(), Failed> {
    let command = format!("UID COPY {} {folder}", message.uid);
    let mut done = imap.command(&command);
    if matches!(&done, Err(Failed::No(why)) if why.contains("[TRYCREATE]")) {
        match imap.command(&format!("CREATE {folder}")) {
            Err(Failed::No(why)) if why.contains("[ALREADYEXISTS]") => {}
            made => drop(made?),
        }
        done = imap.command(&command);
    }
    match &done {
        Ok(_) => message.copies = (message.copies.0 + 1, message.copies.1 + 1),
        Err(_) => message.copies.1 += 1,
    }
    done.map(drop)
}

/// Somebody who has mailboxes open, one after another, and does nothing.
fn idling(world: &World, seed: u64, stop: &AtomicBool) -> Happened {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut happened = Happened::default();
    while !stop.load(Ordering::Relaxed) {
        let user = somebody(world, |_| true, &mut random);
        let Some(mut imap) = login(world, user, stop, &mut happened) else { break };
        let visit = imap.select("INBOX").and_then(|_| imap.idle(Duration::from_secs(2)));
        match visit {
            Ok(()) => {}
            Err(Failed::Closed) => happened.ended += 1,
            Err(Failed::No(why)) => happened.errors.push(format!("{user}: idle: {why}")),
        }
    }
    happened
}
