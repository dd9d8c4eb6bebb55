//! A program stopped at each of its system calls, so that a test can end it there, or let the call fail.
//!
//! Threads are followed, other programs that it starts are not. Calls are told by the name of the thread that makes them
//! and by the path of what they are about, which is how the program's work can be told apart from outside.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that waits for a program")]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::user_regs_struct;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A program ends within this, or the test fails.
const LIMIT: Duration = Duration::from_mins(2);

/// A system call about a file or a directory.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The name of the thread; of the first one, the program's.
    pub(crate) thread: String,
    pub(crate) name: &'static str,
    /// What it is about; of a call with two names, the new one.
    pub(crate) path: PathBuf,
    pub(crate) when: When,
}

/// When the program is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Go,
    /// SIGKILL: of a call that has not begun, nothing is done.
    Kill,
    /// It is not made, and says this. Only before it.
    Fail(Errno),
    /// It is not made, and says that all is well. Only before it.
    Pretend,
}

/// How a program has ended, and what it has said.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) killed: bool,
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

/// Where in its registers a call has the path or the file that it is about.
#[derive(Clone, Copy)]
enum About {
    File(Register),
    /// A path, from the directory of a handle where that is given.
    Path(Option<Register>, Register),
}

#[derive(Clone, Copy)]
enum Register {
    First,
    Second,
    Third,
    Fourth,
}

/// Whether a call changes a file or a directory.
pub(crate) fn changes(call: &Call) -> bool {
    !matches!(call.name, "read" | "pread64" | "getdents64")
}

/// What is told of: reads, and whatever changes something.
fn about(regs: &user_regs_struct) -> Option<(&'static str, About)> {
    use About::{File, Path};
    use Register::{First, Fourth, Second, Third};
    // O_CREAT or O_TRUNC.
    let makes = |flags: u64| flags & 0o1100 != 0;
    Some(match regs.orig_rax {
        0 => ("read", File(First)),
        1 => ("write", File(First)),
        17 => ("pread64", File(First)),
        18 => ("pwrite64", File(First)),
        74 => ("fsync", File(First)),
        75 => ("fdatasync", File(First)),
        77 => ("ftruncate", File(First)),
        82 => ("rename", Path(None, Second)),
        83 => ("mkdir", Path(None, First)),
        84 => ("rmdir", Path(None, First)),
        87 => ("unlink", Path(None, First)),
        91 => ("fchmod", File(First)),
        93 => ("fchown", File(First)),
        217 => ("getdents64", File(First)),
        2 if makes(regs.rsi) => ("open", Path(None, First)),
        257 if makes(regs.rdx) => ("openat", Path(Some(First), Second)),
        258 => ("mkdirat", Path(Some(First), Second)),
        263 => ("unlinkat", Path(Some(First), Second)),
        264 => ("renameat", Path(Some(Third), Fourth)),
        265 => ("linkat", Path(Some(Third), Fourth)),
        280 => ("utimensat", File(First)),
        285 => ("fallocate", File(First)),
        306 => ("syncfs", File(First)),
        316 => ("renameat2", Path(Some(Third), Fourth)),
        _ => return None,
    })
}

struct Thread {
    name: Option<String>,
    /// Between the entry of a call and its return: the call, and what it says instead.
    inside: bool,
    call: Option<Call>,
    says: Option<i64>,
}

/// Why nothing can be traced here, if that is so.
pub(crate) fn denied() -> Option<String> {
    let end = std::panic::catch_unwind(|| run(&Command::new("true"), &mut |_| Verdict::Go));
    end.is_err().then(|| "no program can be traced here".to_owned())
}

/// Runs a program to its end. `decide` is asked before and after each call about a file.
#[expect(clippy::zombie_processes, reason = "the tracer waits for it")]
pub(crate) fn run(command: &Command, decide: &mut dyn FnMut(&Call) -> Verdict) -> End {
    let mut said = tempfile::tempfile().unwrap();
    // The shell waits until it is followed, and becomes the program then.
    let mut shell = Command::new("sh");
    shell.args(["-c", "read -r go; exec \"$@\" </dev/null", "sh"]).arg(command.get_program()).args(command.get_args());
    shell.stdin(Stdio::piped()).stdout(said.try_clone().unwrap()).stderr(said.try_clone().unwrap());
    let mut child = shell.spawn().unwrap();
    let program = Pid::from_raw(child.id().cast_signed());
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(program, options).expect("it can be traced");
    ptrace::interrupt(program).unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let (status, killed) = Tracer { program, threads: HashMap::new(), runs: false, killed: false }.follow(decide);
    let mut text = String::new();
    said.seek(SeekFrom::Start(0)).unwrap();
    said.read_to_string(&mut text).unwrap();
    End { killed, code: status, said: text }
}

struct Tracer {
    program: Pid,
    threads: HashMap<Pid, Thread>,
    /// The shell has become the program.
    runs: bool,
    killed: bool,
}

impl Tracer {
    /// Until the program has ended: its status, and whether it was killed here.
    fn follow(mut self, decide: &mut dyn FnMut(&Call) -> Verdict) -> (Option<i32>, bool) {
        let began = Instant::now();
        loop {
            // Other tests of this process wait for programs of their own.
            let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
            let status = waitpid(None, Some(flags)).unwrap();
            if began.elapsed() > LIMIT && !self.killed {
                let _ = kill(self.program, Signal::SIGKILL);
                panic!("it did not end in {LIMIT:?}");
            }
            match status {
                WaitStatus::Exited(pid, code) if pid == self.program => return (Some(code), self.killed),
                WaitStatus::Signaled(pid, ..) if pid == self.program => return (None, self.killed),
                WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..) => {
                    self.threads.remove(&pid);
                }
                WaitStatus::PtraceSyscall(pid) => self.call(pid, decide),
                WaitStatus::PtraceEvent(pid, _, event) => {
                    if event == ptrace::Event::PTRACE_EVENT_EXEC as i32 {
                        self.runs = true;
                        self.threads.clear();
                        // It is inside the call that has made it this program.
                        self.threads.insert(pid, Thread::new(true));
                    }
                    go_on(pid, None);
                }
                WaitStatus::Stopped(pid, signal) => go_on(pid, Some(signal)),
                WaitStatus::Continued(_) | WaitStatus::StillAlive => {}
            }
        }
    }

    fn call(&mut self, pid: Pid, decide: &mut dyn FnMut(&Call) -> Verdict) {
        // It may be no more.
        let Ok(mut regs) = ptrace::getregs(pid) else { return go_on(pid, None) };
        let thread = self.threads.entry(pid).or_insert_with(|| Thread::new(false));
        thread.inside = !thread.inside;
        let verdict = if !self.runs || self.killed {
            Verdict::Go
        } else if thread.inside {
            thread.call = about(&regs).and_then(|(name, about)| {
                let path = path(pid, about, &regs)?;
                let thread = thread.name.get_or_insert_with(|| name_of(pid)).clone();
                Some(Call { thread, name, path, when: When::Before })
            });
            thread.call.as_ref().map_or(Verdict::Go, &mut *decide)
        } else {
            thread.call.take().map_or(Verdict::Go, |call| decide(&Call { when: When::After, ..call }))
        };
        match verdict {
            Verdict::Go => {}
            Verdict::Kill => {
                self.killed = true;
                kill(self.program, Signal::SIGKILL).unwrap();
            }
            Verdict::Fail(_) | Verdict::Pretend => {
                thread.says = Some(if let Verdict::Fail(errno) = verdict { -i64::from(errno as i32) } else { 0 });
                regs.orig_rax = u64::MAX;
                ptrace::setregs(pid, regs).unwrap();
            }
        }
        if !thread.inside
            && let Some(says) = thread.says.take()
        {
            regs.rax = says.cast_unsigned();
            ptrace::setregs(pid, regs).unwrap();
        }
        go_on(pid, None);
    }
}

impl Thread {
    const fn new(inside: bool) -> Self {
        Self { name: None, inside, call: None, says: None }
    }
}

fn go_on(pid: Pid, signal: Option<Signal>) {
    match ptrace::syscall(pid, signal) {
        // Killed meanwhile.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => panic!("{pid} does not go on: {errno}"),
    }
}

fn name_of(pid: Pid) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

fn path(pid: Pid, about: About, regs: &user_regs_struct) -> Option<PathBuf> {
    let value = |register| match register {
        Register::First => regs.rdi,
        Register::Second => regs.rsi,
        Register::Third => regs.rdx,
        Register::Fourth => regs.r10,
    };
    let file = |register| {
        let number = value(register) as i32;
        let link = if number == nix::libc::AT_FDCWD { "cwd".to_owned() } else { format!("fd/{number}") };
        fs::read_link(format!("/proc/{pid}/{link}")).ok()
    };
    match about {
        About::File(register) => file(register),
        About::Path(from, at) => {
            let named = text(pid, value(at))?;
            Some(from.and_then(file).unwrap_or_default().join(named))
        }
    }
}

/// A text in the program's memory, up to its end.
fn text(pid: Pid, at: u64) -> Option<PathBuf> {
    let mut memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    memory.seek(SeekFrom::Start(at)).ok()?;
    let mut bytes = [0; 4_096];
    let mut filled = 0;
    while !bytes[..filled].contains(&0) {
        // A page at a time: what follows may not be there.
        let page = 4_096 - ((at as usize + filled) & 4_095);
        let end = (filled + page).min(bytes.len());
        match memory.read(&mut bytes[filled..end]) {
            Ok(count) if count > 0 => filled += count,
            _ => return None,
        }
    }
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some(Path::new(std::str::from_utf8(&bytes[..end]).ok()?).to_owned())
}
