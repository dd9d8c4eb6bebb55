//! A program that says how a store is loaded, where no counter of this machine can.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::Load;
use crate::live::clock::awake;
use crate::units::{Latency, Share, Span};

/// As much of a program's output as is kept; the rest is read and thrown away.
const OUTPUT_MAX: usize = 4_096;
/// The highest utilisation that makes sense; above stand percentages.
pub(super) const UTILISATION_MAX: f64 = 2.0;
/// The highest latency that makes sense, in seconds.
pub(super) const LATENCY_MAX_S: f64 = 3_600.0;

/// Reads `0.62 0.0041`: utilisation as a fraction, up to 2 for more than can be served, and latency in seconds.
///
/// # Errors
/// It is anything else.
pub(super) fn parse(output: &str) -> Result<Load, String> {
    let mut fields = output.split_ascii_whitespace().map(|field| field.parse::<f64>().ok());
    let shown: String = output.trim().chars().take(80).collect();
    let (Some(Some(utilisation)), Some(Some(latency)), None) = (fields.next(), fields.next(), fields.next()) else {
        return Err(format!("the probe printed {shown:?}, must be two numbers: `0.62 0.0041`"));
    };
    // Not a number lies in no range.
    if !(0.0..=UTILISATION_MAX).contains(&utilisation) {
        return Err(format!("the probe printed {shown:?}: utilisation must lie between 0 and {UTILISATION_MAX}"));
    }
    if !(0.0..=LATENCY_MAX_S).contains(&latency) {
        return Err(format!("the probe printed {shown:?}: latency must lie between 0 and {LATENCY_MAX_S} seconds"));
    }
    Ok(Load {
        utilisation: Share::from_fraction_up(utilisation),
        latency: Latency::from_secs_up(latency),
        age: Span::ZERO,
    })
}

/// Runs a program without a shell and gives what it prints. It and all that it has started end with this call, at the
/// latest after `timeout`.
///
/// # Errors
/// It cannot be started, does not end in time, or ends with a failure: with what it said about that.
pub(super) fn run(argv: &[String], timeout: Span) -> Result<String, String> {
    let (program, arguments) = argv.split_first().ok_or("there is no program to run")?;
    let failed = |error: io::Error| format!("{program}: {error}");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, so that what it starts can be ended with it.
    let mut child = command.process_group(0).spawn().map_err(failed)?;
    let watched = watch(&mut child, awake() + timeout);
    // Before the child is waited for: as long as it is not, its number belongs to nobody else. There may be no one left.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    let status = child.wait().map_err(failed)?;
    let (ended, output) = watched.map_err(failed)?;
    if !ended {
        return Err(format!("{program} did not end within {timeout}"));
    }
    judge(program, status, output)
}

fn judge(program: &str, status: ExitStatus, [stdout, stderr]: [Vec<u8>; 2]) -> Result<String, String> {
    if status.success() {
        return String::from_utf8(stdout).map_err(|_| format!("{program} printed no text"));
    }
    let said = String::from_utf8_lossy(&stderr);
    let said: String = said.trim().chars().take(200).collect();
    Err(format!("{program} failed, {status}: {said:?}"))
}

/// Reads what the child prints until it ends (true) or the time is over.
fn watch(child: &mut Child, deadline: Span) -> io::Result<(bool, [Vec<u8>; 2])> {
    let ended = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let (Some(stdout), Some(stderr)) = (&mut child.stdout, &mut child.stderr) else {
        return Err(io::Error::other("has no output"));
    };
    for pipe in [stdout.as_fd(), stderr.as_fd()] {
        fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
    }
    let mut output = [Vec::new(), Vec::new()];
    let mut open = [true, true];
    loop {
        let left = deadline - awake();
        if left <= Span::ZERO {
            return Ok((false, output));
        }
        let is_over = wait(ended.as_fd(), [stdout.as_fd(), stderr.as_fd()], open, left)?;
        let pipes: [&mut dyn Read; 2] = [&mut *stdout, &mut *stderr];
        for ((pipe, kept), open) in pipes.into_iter().zip(&mut output).zip(&mut open) {
            *open = *open && drain(pipe, kept)?;
        }
        // What the child wrote before its end is in the pipes by now.
        if is_over {
            return Ok((true, output));
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
fn drain(pipe: &mut dyn Read, kept: &mut Vec<u8>) -> io::Result<bool> {
    /// A program that never stops printing is looked at again after so many blocks: its time may be over.
    const BLOCKS: usize = 16;
    let mut block = [0; 4_096];
    for _ in 0..BLOCKS {
        match pipe.read(&mut block) {
            Ok(0) => return Ok(false),
            Ok(length) => kept.extend_from_slice(&block[..length.min(OUTPUT_MAX - kept.len())]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shell(script: &str, timeout: Span) -> Result<String, String> {
        run(&["/bin/sh", "-c", script].map(str::to_owned), timeout)
    }

    const LONG: Span = Span::from_secs(20);

    #[test]
    fn two_numbers_are_a_load() {
        let load =
            Load { utilisation: Share::from_ppm(620_000), latency: Latency::from_micros(4_100), age: Span::ZERO };
        assert_eq!(parse("0.62 0.0041\n"), Ok(load));
        assert_eq!(parse("0 0"), Ok(Load::default()));
        assert_eq!(parse("1.3\t1e-3").unwrap().utilisation, Share::from_ppm(1_300_000));
    }

    #[test]
    fn anything_else_is_an_error_that_shows_it() {
        for output in [
            "",
            "0.5",
            "0.5 0.1 0.1",
            "NaN 0.1",
            "0.1 NaN",
            "-0.1 0.1",
            "0.1 -1",
            "62 0.0041",
            "inf 1",
            "0.1 1e9",
            "a b",
            "0,5 0,1",
        ] {
            let error = parse(output).unwrap_err();
            assert!(error.contains(&format!("{output:?}")), "{error}");
        }
        assert!(parse(&"x".repeat(1_000)).unwrap_err().len() < 200);
    }

    #[test]
    fn a_program_says_its_load_with_its_arguments_untouched() {
        let argv = ["/bin/echo", "0.5", "$(echo 0.1)"].map(str::to_owned);
        assert_eq!(run(&argv, LONG), Ok("0.5 $(echo 0.1)\n".to_owned()));
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        assert_eq!(
            shell("echo no array >&2; exit 3", LONG),
            Err("/bin/sh failed, exit status: 3: \"no array\"".to_owned())
        );
        assert!(shell("kill -9 $$", LONG).unwrap_err().contains("signal: 9"));
        assert!(run(&["/nowhere/load".to_owned()], LONG).unwrap_err().starts_with("/nowhere/load: No such file"));
        assert!(shell("printf '\\377'", LONG).unwrap_err().contains("no text"));
        assert!(run(&[], LONG).is_err());
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let before = awake();
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let error = shell(&script, Span::from_micros(700_000)).unwrap_err();
        assert!(error.contains("did not end within 0.7 s"), "{error}");
        assert!(awake() - before < LONG);
        let sleeper = std::fs::read_to_string(&file).unwrap();
        // It dies as soon as it is scheduled; an entry that is left is that of a process which nobody has waited for yet.
        let is_alive = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", sleeper.trim())).unwrap_or_default();
            !(state.is_empty() || state.contains(") Z ") || state.contains(") X "))
        };
        while is_alive() {
            assert!(awake() - before < LONG, "{sleeper} still runs");
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_a_program_leaves_running_does_not_hold_us_up() {
        let before = awake();
        assert_eq!(shell("sleep 600 & echo 0.1 0.2", LONG), Ok("0.1 0.2\n".to_owned()));
        assert!(awake() - before < LONG);
    }

    #[test]
    fn endless_output_is_thrown_away_and_ended() {
        let error = shell("yes", Span::from_micros(500_000)).unwrap_err();
        assert!(error.contains("did not end"), "{error}");
        let output = shell("head -c 1000000 /dev/zero | tr '\\0' x", LONG).unwrap();
        assert_eq!(output.len(), OUTPUT_MAX);
    }

    proptest! {
        #[test]
        fn no_output_makes_the_reader_panic(output in "([0-9.eE+-]{1,6}|NaN|inf| |\\PC){0,8}") {
            let _ = parse(&output);
        }
    }
}
