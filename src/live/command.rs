//! A program run with limits: no shell, no input, little environment, so long and no longer.
//!
//! It knows nothing of what it runs. Whatever a program has started ends with it: its process group is killed when it has
//! ended, or has not ended in time. One that prints more than fits loses the rest, which is read and thrown away so that it
//! can end.

use std::fmt;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::clock::awake;
use crate::units::Span;

/// So much of each of a program's two streams is kept.
pub const MOST_OUTPUT: usize = 64 * 1024;

/// Where programs are looked for. Not the caller's: a migration must not depend on who started it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program has printed; bytes that are not UTF-8 are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The standard output, at most [`MOST_OUTPUT`] bytes of it.
    pub text: String,
    /// More was printed than is kept.
    pub cut: bool,
}

/// Why a program has not done what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// It could not be started.
    Start {
        /// The program's name.
        program: String,
        /// What the system says.
        why: String,
    },
    /// It ended with a status other than 0, or through a signal.
    Status {
        /// The exit status; none after a signal.
        code: Option<i32>,
        /// The signal, if one ended it.
        signal: Option<i32>,
        /// The first lines of its standard error.
        said: String,
    },
    /// It had not ended in time and was killed.
    Late {
        /// The time that it had.
        limit: Span,
        /// The first lines of its standard error.
        said: String,
    },
}

/// Runs a program with its arguments and waits for its end.
///
/// # Errors
/// It cannot be started, ends with another status than 0, or does not end within `limit`.
pub fn run(argv: &[String], limit: Span) -> Result<Output, CommandError> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(CommandError::Start { program: String::new(), why: "the command is empty".to_owned() });
    };
    let start = |error: io::Error| CommandError::Start { program: program.clone(), why: error.to_string() };
    let mut child = prepared(program, arguments).spawn().map_err(start)?;
    let watched = watch(&mut child, awake() + limit);
    // Before the child is waited for: as long as it is not, its number belongs to nobody else. An error means that nobody
    // of it is left.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    let (ended, [printed, complained]) = match watched {
        Ok(watched) => watched,
        Err(error) => {
            reap(child);
            return Err(start(error));
        }
    };
    let said = first_lines(&complained.text());
    if !ended {
        reap(child);
        return Err(CommandError::Late { limit, said });
    }
    let status = child.wait().map_err(start)?;
    if !status.success() {
        return Err(CommandError::Status { code: status.code(), signal: status.signal(), said });
    }
    Ok(Output { text: printed.text(), cut: printed.cut })
}

fn prepared(program: &str, arguments: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH).env("LC_ALL", "C").current_dir("/");
    // Without it ssh finds neither its keys nor the hosts that it knows.
    if let Some(home) = std::env::var_os("HOME") {
        command.env("HOME", home);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command
}

/// Waits elsewhere, because a program that hangs in the kernel does not end even when it is killed.
fn reap(mut child: Child) {
    // Where the system gives no more threads its entry stays until we end.
    let _ = thread::Builder::new().spawn(move || child.wait());
}

/// What is kept of a stream.
#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    cut: bool,
}

impl Kept {
    fn take(&mut self, bytes: &[u8]) {
        let fits = bytes.len().min(MOST_OUTPUT - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..fits]);
        self.cut |= fits < bytes.len();
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Reads what the child prints until it ends (true) or the time is over.
fn watch(child: &mut Child, deadline: Span) -> io::Result<(bool, [Kept; 2])> {
    let ended = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let (Some(stdout), Some(stderr)) = (&mut child.stdout, &mut child.stderr) else {
        return Err(io::Error::other("has no output"));
    };
    for pipe in [stdout.as_fd(), stderr.as_fd()] {
        fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
    }
    let mut kept = [Kept::default(), Kept::default()];
    let mut open = [true, true];
    loop {
        let left = deadline - awake();
        if left <= Span::ZERO {
            return Ok((false, kept));
        }
        let is_over = wait(ended.as_fd(), [stdout.as_fd(), stderr.as_fd()], open, left)?;
        let pipes: [&mut dyn Read; 2] = [&mut *stdout, &mut *stderr];
        for ((pipe, kept), open) in pipes.into_iter().zip(&mut kept).zip(&mut open) {
            *open = *open && drain(pipe, kept)?;
        }
        // What the child wrote before its end is in the pipes by now.
        if is_over {
            return Ok((true, kept));
        }
    }
}

/// Waits until a pipe has something, or the child has ended: whether it has.
fn wait(ended: BorrowedFd<'_>, pipes: [BorrowedFd<'_>; 2], open: [bool; 2], left: Span) -> io::Result<bool> {
    let mut fds = vec![PollFd::from_borrowed_fd(ended, PollFlags::IN)];
    let open = pipes.into_iter().zip(open).filter(|(_, open)| *open);
    fds.extend(open.map(|(pipe, _)| PollFd::from_borrowed_fd(pipe, PollFlags::IN)));
    let timeout = Timespec { tv_sec: left.micros() / 1_000_000, tv_nsec: left.micros() % 1_000_000 * 1_000 };
    match poll(&mut fds, Some(&timeout)) {
        Ok(_) => Ok(!fds[0].revents().is_empty()),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Reads what there is without waiting; false at the end.
fn drain(pipe: &mut dyn Read, kept: &mut Kept) -> io::Result<bool> {
    /// As much as a pipe holds. A program that never stops printing is looked at again after that: its time may be over.
    const BLOCKS: usize = 16;
    let mut block = [0; 4_096];
    for _ in 0..BLOCKS {
        match pipe.read(&mut block) {
            Ok(0) => return Ok(false),
            Ok(length) => kept.take(&block[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// At most three lines and 300 characters, without control characters: it becomes part of a message.
fn first_lines(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect::<Vec<_>>();
    lines.join(" / ").chars().filter(|letter| !letter.is_control()).take(300).collect()
}

/// A limit as the standard library takes it; none of it when negative.
pub(in crate::live) fn duration(span: Span) -> Duration {
    Duration::from_micros(u64::try_from(span.micros()).unwrap_or(0))
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match self {
            Self::Start { program, why } => return write!(f, "`{program}` cannot be started: {why}"),
            Self::Status { code: Some(code), signal: _, said } => {
                write!(f, "ended with status {code}")?;
                said
            }
            Self::Status { code: None, signal, said } => {
                write!(f, "was ended by signal {}", signal.unwrap_or_default())?;
                said
            }
            Self::Late { limit, said } => {
                write!(f, "had not ended after {} s and was killed", limit.secs())?;
                said
            }
        };
        if said.is_empty() { Ok(()) } else { write!(f, ": {said}") }
    }
}

impl std::error::Error for CommandError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Output, CommandError> {
        run(&["sh", "-c", script].map(str::to_owned), Span::from_secs(30))
    }

    #[test]
    fn a_program_gets_no_input_and_an_environment_of_three_names() {
        assert_eq!(shell("cat; pwd").expect("it ends").text, "/\n");
        let names = shell("env | sed 's/=.*//' | sort | tr '\\n' ' '").expect("it ends").text;
        for name in names.split_whitespace() {
            assert!(["PATH", "HOME", "LC_ALL", "PWD", "SHLVL", "_"].contains(&name), "{name} of {names}");
        }
    }

    #[test]
    fn a_failure_carries_status_and_first_lines() {
        let error = shell("echo one >&2; echo two >&2; exit 3").expect_err("it fails");
        assert_eq!(error.to_string(), "ended with status 3: one / two");
        assert_eq!(shell("kill -9 $$").expect_err("it is killed").to_string(), "was ended by signal 9");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&["no-such-program".to_owned()], Span::from_secs(1)).expect_err("it is not there");
        assert!(error.to_string().starts_with("`no-such-program` cannot be started"), "{error}");
        assert!(run(&[], Span::from_secs(1)).is_err());
    }

    #[test]
    fn output_without_end_is_cut_and_the_program_is_killed() {
        let much = shell("head -c 1000000 /dev/zero | tr '\\0' x").expect("it ends");
        assert_eq!((much.text.len(), much.cut), (MOST_OUTPUT, true));
        let error = run(&["yes".to_owned()], Span::from_secs_f64(0.2)).expect_err("it never ends");
        assert!(matches!(error, CommandError::Late { .. }), "{error}");
    }

    #[test]
    fn a_hanging_program_is_killed_with_its_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let number = folder.path().join("number");
        let script = format!("sleep 77 & echo $! > {}; echo stuck >&2; wait", number.display());
        let error = run(&["sh", "-c", &script].map(str::to_owned), Span::from_secs_f64(1.5)).expect_err("it hangs");
        assert_eq!(error.to_string(), "had not ended after 1.5 s and was killed: stuck");
        let child = std::fs::read_to_string(number).expect("the child's number");
        let alive =
            || std::fs::read_to_string(format!("/proc/{}/cmdline", child.trim())).is_ok_and(|line| !line.is_empty());
        for _ in 0..100 {
            if !alive() {
                return;
            }
            shell("sleep 0.05").expect("it ends");
        }
        panic!("the child {child} still runs");
    }

    #[test]
    fn what_a_program_leaves_behind_ends_with_it_and_is_not_waited_for() {
        let before = awake();
        let left = shell("sleep 600 & echo $!").expect("it ends").text;
        assert!(awake() - before < Span::from_secs(20));
        // An entry that is left is that of a process which nobody has waited for yet.
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", left.trim())).unwrap_or_default();
        while !(state().is_empty() || state().contains(") Z ") || state().contains(") X ")) {
            assert!(awake() - before < Span::from_secs(20), "{left} still runs");
            thread::yield_now();
        }
    }
}
