//! foster's own words for what happens: short texts that call a service by its name.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::config::{Config, LogFormat, ServiceConfig};
use crate::process::OsError;
use crate::supervisor::{EndCause, KillCause, Report, Wait, Who};

use super::line::Said;
use super::show::{BaseName, Coloured, Command, OneLine, Short, Whom, Words};

/// The words for a report.
pub(super) struct Message<'a>(pub(super) &'a Said<'a>);

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        foster(self.0, f)
    }
}

fn foster(said: &Said<'_>, out: &mut dyn Write) -> fmt::Result {
    let Said { config, report, style } = *said;
    let service = service_of(config, report);
    let colour = style.colour && style.format == LogFormat::Text;
    let name = service.map_or("", |service| &service.name);
    let name = Coloured { what: name, colour: colour.then_some("1") };
    match *report {
        Report::Started { pid, .. } => {
            write!(out, "{name} (pid {pid}) started")?;
            match service.filter(|_| style.words) {
                Some(service) => write!(out, "{}", Words(service)),
                None => Ok(()),
            }
        }
        Report::StartFailed { error, .. } => {
            let command = Command(service);
            write!(out, "cannot start {name}: {command}: {error}")
        }
        Report::Ended { pid, status, cause, .. } => {
            let why = match cause {
                EndCause::Unasked { .. } => "",
                EndCause::Asked => ", as requested",
                EndCause::Killed(KillCause::Late) => " because it did not stop in time",
                EndCause::Killed(KillCause::Hurried) => " because SIGINT came twice",
            };
            write!(out, "{name} (pid {pid}) {status}{why}")
        }
        Report::InBackground { .. } => write!(
            out,
            "{name} seems to run in the background: it ended at once and left processes that foster does \
             not follow; start it with its option for the foreground, such as -F, -D or --nodaemon"
        ),
        Report::RestartDue { delay, restarts, .. } => {
            let delay = Short(delay);
            write!(out, "{name} starts again in {delay}, restart {restarts} in a row")
        }
        Report::GaveUp { restarts, .. } => {
            let plural = if restarts == 1 { "" } else { "s" };
            write!(
                out,
                "giving up on {name}: no healthy run in {restarts} restart{plural} in a row"
            )
        }
        Report::StopRequested { signal: Some(signal) } => write!(out, "{signal}: stopping"),
        Report::StopRequested { signal: None } => out.write_str("stopping"),
        Report::StillWaiting { who, wait, .. } => {
            write!(out, "{name}: ")?;
            still_waiting(service, who, wait, out)
        }
        Report::StillWaitingForMore { count } => {
            let plural = if count == 1 { "" } else { "s" };
            write!(out, "waiting for {count} more service{plural}")
        }
        Report::Killing { .. } => {
            write!(out, "{name} has not ended: sending SIGKILL")
        }
        Report::Unkillable { .. } => {
            write!(out, "{name} still has processes after SIGKILL; giving up")
        }
        Report::KillingOrphan { pid, .. } => {
            write!(out, "killing process {pid}, which {name} left behind")
        }
        Report::Spared { pid, name, in_reach } => {
            let name = OneLine(name.as_bytes());
            let why = match in_reach {
                true => "it carries no mark of a run",
                false => "foster may not kill it",
            };
            write!(out, "leaving process {pid} ({name}) alone: {why}")
        }
        Report::Received { signal } => write!(out, "received {signal}"),
        Report::Rewritten { from, to: Some(to) } => write!(out, "{from} is forwarded as {to}"),
        Report::Rewritten { from, to: None } => write!(out, "{from} is dropped"),
        Report::Forwarded { signal, target } => {
            write!(out, "forwarded {signal} to {}", Whom(target))
        }
        Report::KillFailed { target, signal, os } => {
            write!(out, "cannot send {signal} to {}: {}", Whom(target), OsError(os))
        }
        Report::Reaped { pid, status } | Report::ReapedAtEnd { pid, status } => {
            write!(out, "reaped process {pid}, which {status}")
        }
        Report::Overlooked { signal } => {
            write!(out, "ignoring {signal}, a result of giving up the terminal")
        }
        Report::KillingAll { signal } => write!(out, "sending {signal} to all remaining processes"),
        Report::MachineEnds { how } => write!(out, "{how}"),
        Report::Suspending => out.write_str("suspending with the child until SIGCONT"),
        Report::SuspendingAlone => out.write_str(
            "suspended by Ctrl-Z: services keep running, but nobody restarts them until fg or SIGCONT \
             resumes foster",
        ),
        Report::NotSuspended => out.write_str("not suspending: there is no shell to resume foster"),
        Report::TerminalDetached => out.write_str("gave up the terminal"),
        Report::NotReaper => out.write_str("neither PID 1 nor a subreaper: orphans go elsewhere"),
    }
}

/// The service that a report is about.
pub(super) fn service_of<'a>(config: &'a Config, report: &Report) -> Option<&'a ServiceConfig> {
    match *report {
        Report::Started { service, .. }
        | Report::StartFailed { service, .. }
        | Report::Ended { service, .. }
        | Report::InBackground { service, .. }
        | Report::RestartDue { service, .. }
        | Report::GaveUp { service, .. }
        | Report::StillWaiting { service, .. }
        | Report::Killing { service, .. }
        | Report::Unkillable { service, .. }
        | Report::KillingOrphan { service, .. } => config.services.get(service.index()),
        Report::StopRequested { .. }
        | Report::StillWaitingForMore { .. }
        | Report::Spared { .. }
        | Report::Received { .. }
        | Report::Overlooked { .. }
        | Report::Rewritten { .. }
        | Report::Forwarded { .. }
        | Report::KillFailed { .. }
        | Report::Reaped { .. }
        | Report::ReapedAtEnd { .. }
        | Report::KillingAll { .. }
        | Report::MachineEnds { .. }
        | Report::Suspending
        | Report::SuspendingAlone
        | Report::NotSuspended
        | Report::TerminalDetached
        | Report::NotReaper => None,
    }
}

/// Which process of a service foster waits for, how long, and what kills it at once.
fn still_waiting(
    service: Option<&ServiceConfig>,
    who: Who,
    wait: Wait,
    out: &mut dyn Write,
) -> fmt::Result {
    match who {
        Who::Leader(pid) => write!(out, "waiting for {} (pid {pid})", BaseName(service))?,
        // A process that was found by its mark was not asked for its name.
        Who::Member(pid, name) if name.as_bytes().is_empty() => {
            write!(out, "waiting for process {pid}")?;
        }
        Who::Member(pid, name) => {
            write!(out, "waiting for {} (pid {pid})", OneLine(name.as_bytes()))?;
        }
        Who::Unknown => out.write_str("waiting for its remaining processes")?,
    }
    // To a tenth of a second.
    let tenths = |left: Duration| {
        Short(Duration::from_millis((left.as_millis() as u64).saturating_add(50) / 100 * 100))
    };
    match wait {
        Wait::Stop { left: Some(left), .. } => write!(out, ", SIGKILL in {}", tenths(left))?,
        Wait::Stop { left: None, .. } => out.write_str(", without a deadline")?,
        Wait::Death { left: Some(left) } => {
            write!(out, " to die after SIGKILL, for {} more", tenths(left))?;
        }
        Wait::Death { left: None } => out.write_str(" to die after SIGKILL")?,
    }
    let Wait::Stop { hurry: Some(hurry), .. } = wait else { return Ok(()) };
    let key = if hurry.by_key { "Ctrl-C" } else { "SIGINT" };
    match hurry.interrupts {
        1 => write!(out, "; another {key} kills at once"),
        _ => write!(out, "; {key} twice kills at once"),
    }
}
