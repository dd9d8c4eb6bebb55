//! A program run with limits: no shell, no input, little environment, so long and no longer.
//!
//! It knows nothing of what it runs. A program that does not end in time is killed with its process group; one that
//! prints more than fits loses the rest, which is read and thrown away so that it can end.

use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::units::Span;

/// So much of each of a program's two streams is kept.
pub const MOST_OUTPUT: usize = 64 * 1024;

/// Where programs are looked for. Not the caller's: a migration must not depend on who started it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Waits between two looks at a running program, from the first to the longest.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LONGEST_LOOK: Duration = Duration::from_millis(20);

/// After its end a program's streams may stay open in something that it left behind; then what has come is all.
const LAST_WORDS: Duration = Duration::from_millis(500);

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
    let printed = child.stdout.take().map(Stream::read);
    let complained = child.stderr.take().map(Stream::read);
    let ended = wait(&mut child, duration(limit));
    if !matches!(ended, Ok(Some(_))) {
        kill(child);
    }
    let said = complained.map(Stream::end).map(|stream| first_lines(&stream.text)).unwrap_or_default();
    match ended {
        Err(error) => Err(start(error)),
        Ok(None) => Err(CommandError::Late { limit, said }),
        Ok(Some(status)) if !status.success() => {
            Err(CommandError::Status { code: status.code(), signal: status.signal(), said })
        }
        Ok(Some(_)) => Ok(printed.map_or(Output { text: String::new(), cut: false }, Stream::end)),
    }
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

/// The status with which it ended; none when the limit came first. It looks again and again: a blocking wait would reap
/// the program, after which its number, and with it that of the group, may be somebody else's.
#[allow(clippy::disallowed_methods, reason = "a program of the real world is waited for")]
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    let mut pause = FIRST_LOOK;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = limit.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_LOOK);
    }
}

fn kill(mut child: Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // An error means that nobody of it is left.
        let _ = kill_process_group(group, Signal::KILL);
    }
    // Elsewhere, because a program that hangs in the kernel does not end even then.
    thread::spawn(move || child.wait());
}

/// One of a program's streams, read by a thread of its own until it ends.
struct Stream {
    kept: Arc<Mutex<Output>>,
    ended: Receiver<()>,
}

impl Stream {
    fn read(mut from: impl Read + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(Output { text: String::new(), cut: false }));
        let (tell, ended) = channel();
        let shared = Arc::clone(&kept);
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let mut part = [0; 4096];
            while let Ok(count) = from.read(&mut part) {
                let fits = count.min(MOST_OUTPUT - bytes.len());
                bytes.extend_from_slice(&part[..fits]);
                let mut kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if count == 0 || fits > 0 {
                    kept.text = String::from_utf8_lossy(&bytes).into_owned();
                }
                kept.cut |= fits < count;
                drop(kept);
                if count == 0 {
                    break;
                }
            }
            // Nobody may be waiting any more.
            let _ = tell.send(());
        });
        Self { kept, ended }
    }

    fn end(self) -> Output {
        match self.ended.recv_timeout(LAST_WORDS) {
            Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
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
    fn what_a_program_leaves_behind_is_not_waited_for() {
        assert_eq!(shell("echo here; sleep 3 &").expect("it ends").text, "here\n");
    }
}
