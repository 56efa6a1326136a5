//! foster's own words for what happens: short lines that call a service by its name.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::config::{Config, ServiceConfig};
use crate::process::{OsError, ServiceId, Target};
use crate::supervisor::{EndCause, KillCause, Report};

/// A report in foster's words.
pub(super) struct Message<'a> {
    pub(super) config: &'a Config,
    pub(super) report: &'a Report,
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        foster(self.config, self.report, f)
    }
}

fn foster(config: &Config, report: &Report, out: &mut dyn Write) -> fmt::Result {
    let name = |id: ServiceId| Name { config, id };
    match *report {
        Report::Started { service, pid } => write!(out, "{} (pid {pid}) started", name(service)),
        Report::StartFailed { service, error } => {
            let command = Command { config, id: service };
            write!(out, "cannot start {}: {command}: {error}", name(service))
        }
        Report::Ended { service, pid, status, cause } => {
            let why = match cause {
                EndCause::Unasked { .. } => "",
                EndCause::Asked => ", as asked",
                EndCause::Killed(KillCause::Late) => ", as it had not stopped in time",
                EndCause::Killed(KillCause::Hurried) => ", as SIGINT came twice",
            };
            write!(out, "{} (pid {pid}) {status}{why}", name(service))
        }
        Report::RestartDue { service, delay, restarts } => {
            let delay = Short(delay);
            write!(out, "{} starts again in {delay}, restart {restarts} in a row", name(service))
        }
        Report::GaveUp { service, restarts } => {
            let plural = if restarts == 1 { "" } else { "s" };
            let name = name(service);
            write!(
                out,
                "giving up on {name}: no healthy run in {restarts} restart{plural} in a row"
            )
        }
        Report::StopRequested { signal: Some(signal) } => write!(out, "{signal}: stopping"),
        Report::StopRequested { signal: None } => out.write_str("stopping"),
        Report::Killing { service } => {
            write!(out, "{} has not ended: sending SIGKILL", name(service))
        }
        Report::Unkillable { service } => {
            write!(out, "some of {} outlives SIGKILL: waiting no longer", name(service))
        }
        Report::KillingOrphan { service, pid } => {
            write!(out, "killing process {pid}, which {} left behind", name(service))
        }
        Report::Spared { pid, name } => {
            let name = OneLine(name.as_bytes());
            write!(out, "leaving process {pid} ({name}) alone: no mark of a run is known of it")
        }
        Report::Received { signal } => write!(out, "received {signal}"),
        Report::Rewritten { from, to: Some(to) } => write!(out, "{from} goes on as {to}"),
        Report::Rewritten { from, to: None } => write!(out, "{from} is dropped"),
        Report::Forwarded { signal, target } => {
            write!(out, "passed {signal} on to {}", Whom(target))
        }
        Report::KillFailed { target, signal, os } => {
            write!(out, "cannot send {signal} to {}: {}", Whom(target), OsError(os))
        }
        Report::Reaped { pid, status } | Report::ReapedAtEnd { pid, status } => {
            write!(out, "reaped process {pid}, which {status}")
        }
        Report::Overlooked { signal } => {
            write!(out, "{signal} came of giving up the terminal: overlooked")
        }
        Report::KillingAll { signal } => write!(out, "sending {signal} to all that still run"),
        Report::MachineEnds { how } => write!(out, "{how}"),
        Report::Suspending => out.write_str("stopping with the child, until SIGCONT"),
        Report::TerminalDetached => out.write_str("gave up the terminal"),
        Report::NotReaper => out.write_str("neither PID 1 nor subreaper: orphans go elsewhere"),
    }
}

/// A duration in at most two figures' worth of words: `500ms`, `1.5s`.
pub(super) struct Short(pub(super) Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        match (seconds, millis) {
            (0, 0) if self.0.is_zero() => f.write_str("0s"),
            (0, 0) => write!(f, "{}ns", self.0.subsec_nanos()),
            (0, _) => write!(f, "{millis}ms"),
            (_, 0) => write!(f, "{seconds}s"),
            (_, _) if millis % 100 == 0 => write!(f, "{seconds}.{}s", millis / 100),
            (_, _) if millis % 10 == 0 => write!(f, "{seconds}.{:02}s", millis / 10),
            (_, _) => write!(f, "{seconds}.{millis:03}s"),
        }
    }
}

/// A service as its user thinks of it.
struct Name<'a> {
    config: &'a Config,
    id: ServiceId,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.config.services.get(self.id.index()).map_or("", |service| &service.name))
    }
}

/// The program of a service, as it was given.
pub(super) struct Program<'a> {
    pub(super) config: &'a Config,
    pub(super) id: ServiceId,
}

impl fmt::Display for Program<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.config.services.get(self.id.index()) {
            Some(service) => OneLine(service.argv.program()).fmt(f),
            None => Ok(()),
        }
    }
}

/// What was to be run, as the user wrote it.
struct Command<'a> {
    config: &'a Config,
    id: ServiceId,
}

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(service) = self.config.services.get(self.id.index()) else { return Ok(()) };
        f.write_str("'")?;
        OneLine(if service.in_shell { line(service) } else { service.argv.program() }).fmt(f)?;
        f.write_str("'")
    }
}

/// Whom a signal was for.
struct Whom(Target);

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Target::Process(pid) => write!(f, "process {pid}"),
            Target::Group(pid) => write!(f, "group {pid}"),
            Target::Rest(pid) => write!(f, "the rest of group {pid}"),
        }
    }
}

/// The line that a shell reads: the last word, on every platform.
fn line(service: &ServiceConfig) -> &[u8] {
    service.argv.words().last().unwrap_or_default()
}

/// What may be any bytes, on one line.
pub(super) struct OneLine<'a>(pub(super) &'a [u8]);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.0.utf8_chunks() {
            for char in piece.valid().chars() {
                f.write_char(if char.is_control() { '?' } else { char })?;
            }
            if !piece.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_short() {
        for (millis, text) in [
            (0, "0s"),
            (500, "500ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (1050, "1.05s"),
            (1005, "1.005s"),
            (1200, "1.2s"),
            (600_000, "600s"),
        ] {
            assert_eq!(Short(Duration::from_millis(millis)).to_string(), text);
        }
        assert_eq!(Short(Duration::from_nanos(5)).to_string(), "5ns");
    }
}
