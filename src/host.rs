//! The one loop: the machine decides, a host records and acts. Production and simulation differ in the host alone.

use crate::migration::Migration;
use crate::migration::message::{Command, Event, Next};
use crate::units::Time;

/// A world in which the machine's commands happen. What it promises is asked of every host by `tests/it/contract.rs`.
pub trait Host {
    /// What can go wrong in the host itself; `Infallible` in the simulator.
    type Error;

    /// Makes the event and the machine's answer durable, before anything is done about it.
    ///
    /// # Errors
    /// When it cannot be recorded: nothing may be done then.
    fn record(&mut self, now: Time, event: &Event, commands: &[Command]) -> Result<(), Self::Error>;

    /// Begins what the command asks for, at most once for each effect id. No copy progresses before the first pace.
    ///
    /// # Errors
    /// When the host itself fails; trouble in the world is an event.
    fn perform(&mut self, now: Time, command: &Command) -> Result<(), Self::Error>;

    /// Waits for the next event, at the latest until `until`, when it yields `Event::Wake`. The first event of a session
    /// is `Event::Started`.
    ///
    /// # Errors
    /// When the host itself fails.
    fn wait(&mut self, until: Time) -> Result<(Time, Event), Self::Error>;
}

/// Runs the machine in the host until nothing is left to be done; returns the last event's instant.
///
/// # Errors
/// What the host reports; the machine itself has none.
pub fn run<H: Host>(machine: &mut Migration, host: &mut H, start: Time) -> Result<Time, H::Error> {
    run_observed(machine, host, start, |_, _, _, _| {})
}

/// `run`, with somebody who looks on: told of the machine, the instant, the event and the machine's answer after each step.
///
/// # Errors
/// What the host reports; the machine itself has none.
#[inline]
pub fn run_observed<H: Host>(
    machine: &mut Migration,
    host: &mut H,
    start: Time,
    mut observe: impl FnMut(&Migration, Time, &Event, &[Command]),
) -> Result<Time, H::Error> {
    let mut commands = Vec::with_capacity(64);
    let mut until = start;
    loop {
        // The event stays where the host has put it: at this rate even a copy of it shows.
        let arrived = host.wait(until);
        let (now, event) = match arrived {
            Ok((now, ref event)) => (now, event),
            Err(error) => return Err(error),
        };
        commands.clear();
        let next = machine.step(now, event, &mut commands);
        observe(machine, now, event, &commands);
        host.record(now, event, &commands)?;
        for command in &commands {
            host.perform(now, command)?;
        }
        match next {
            Next::Finished => return Ok(now),
            Next::Wait { until: latest, .. } => until = latest,
        }
    }
}
