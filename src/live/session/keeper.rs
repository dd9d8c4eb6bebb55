//! Who keeps the lease while the session goes on.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::live::clock::Clock;
use crate::live::command::duration;
use crate::live::directory::Lease;
use crate::live::journal::Journal as _;
use crate::live::production::{Arrival, Loss};
use crate::live::recorder::Recorder;
use crate::units::Span;

/// Keeps the lease in a thread of its own.
pub(super) struct Keeper {
    stop: Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Keeper {
    pub(super) fn stop(self) {
        let _ = self.stop.send(());
        if let Some(thread) = self.thread {
            let _ = thread.join();
        }
    }
}

/// Keeps it until told to stop, and tells at the door when it is lost.
pub(super) fn keep(
    lease: Arc<Lease>,
    length: Span,
    clock: Clock,
    door: Sender<Arrival>,
    recorder: Arc<Recorder>,
) -> Keeper {
    let (stop, stopped) = std::sync::mpsc::channel();
    let every = duration(length) / 4;
    let thread = std::thread::Builder::new().name("lease".to_owned()).spawn(move || {
        while stopped.recv_timeout(every).is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout) {
            if let Err(error) = lease.keep(clock.latest()) {
                recorder.trouble("the lease", &error.to_string());
            }
            recorder.leased(&lease);
            if lease.is_lost(clock.latest()) {
                let loss = if lease.is_refused() { Loss::TakenOver } else { Loss::RanOut };
                let _ = door.send(Arrival::LeaseLost(loss));
                return;
            }
        }
    });
    // Without a thread the lease runs out, and nothing more is done under it.
    Keeper { stop, thread: thread.ok() }
}
