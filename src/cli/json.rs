//! Log lines in JSON: values under keys that do not change.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::config::Config;
use crate::exit::ExitStatus;
use crate::process::{Pid, RunNumber};
use crate::signal::Signal;
use crate::supervisor::{Report, Wait, Who};

use super::message::service_of;

/// The members of a line's object after its time and level: those that apply.
#[derive(Default)]
pub(super) struct Members<'a> {
    pub(super) event: &'static str,
    pub(super) service: Option<&'a str>,
    pub(super) pid: Option<Pid>,
    pub(super) run: Option<RunNumber>,
    pub(super) status: Option<ExitStatus>,
    pub(super) signal: Option<Signal>,
    pub(super) delay: Option<Duration>,
    pub(super) attempt: Option<u32>,
}

impl<'a> Members<'a> {
    /// The members for a report.
    pub(super) fn of(config: &'a Config, report: &Report) -> Members<'a> {
        let mut it = Members::named(event(report));
        it.service = service_of(config, report).map(|service| &*service.name);
        match *report {
            Report::Started { run, pid, .. } | Report::KillingOrphan { run, pid, .. } => {
                (it.run, it.pid) = (Some(run), Some(pid));
            }
            Report::StartFailed { run, error, .. } => (it.run, it.pid) = (Some(run), error.pid),
            Report::Ended { run, pid, status, .. } => {
                (it.run, it.pid, it.status) = (Some(run), Some(pid), Some(status));
            }
            Report::InBackground { run, .. }
            | Report::Killing { run, .. }
            | Report::Unkillable { run, .. } => it.run = Some(run),
            Report::RestartDue { delay, restarts, .. } => {
                (it.delay, it.attempt) = (Some(delay), Some(restarts));
            }
            Report::GaveUp { restarts, .. } => it.attempt = Some(restarts),
            Report::StillWaiting { who, wait, .. } => {
                it.pid = match who {
                    Who::Leader(pid) | Who::Member(pid, _) => Some(pid),
                    Who::Unknown => None,
                };
                it.delay = match wait {
                    Wait::Stop { left, .. } | Wait::Death { left } => left,
                };
            }
            Report::StopRequested { signal } => it.signal = signal,
            Report::Received { signal }
            | Report::Overlooked { signal }
            | Report::Rewritten { from: signal, .. }
            | Report::KillingAll { signal } => it.signal = Some(signal),
            Report::Forwarded { signal, target } | Report::KillFailed { target, signal, .. } => {
                (it.pid, it.signal) = (Some(target.pid()), Some(signal));
            }
            Report::Spared { pid, .. } => it.pid = Some(pid),
            Report::Reaped { pid, status } | Report::ReapedAtEnd { pid, status } => {
                (it.pid, it.status) = (Some(pid), Some(status));
            }
            Report::StillWaitingForMore { .. }
            | Report::MachineEnds { .. }
            | Report::Suspending
            | Report::SuspendingAlone
            | Report::NotSuspended
            | Report::TerminalDetached
            | Report::NotReaper => {}
        }
        it
    }

    /// Only the event.
    pub(super) fn named(event: &'static str) -> Members<'a> {
        Members { event, ..Members::default() }
    }

    /// Writes them, followed by the message.
    pub(super) fn write(&self, message: &dyn fmt::Display, out: &mut dyn Write) -> fmt::Result {
        let mut put = |key: &str, value: Value<'_>| {
            // The level comes before the first one.
            write!(out, r#","{key}":"#)?;
            match value {
                Value::Number(number) => write!(out, "{number}"),
                Value::Text(text) => {
                    out.write_char('"')?;
                    write!(Escape(out), "{text}")?;
                    out.write_char('"')
                }
            }
        };
        put("event", Value::Text(&self.event))?;
        if let Some(service) = &self.service {
            put("service", Value::Text(service))?;
        }
        if let Some(pid) = self.pid {
            put("pid", Value::Number(pid.0.into()))?;
        }
        if let Some(run) = self.run {
            put("run", Value::Number(run.0.into()))?;
        }
        if let Some(ExitStatus::Code(code)) = self.status {
            put("exit_code", Value::Number(code.into()))?;
        }
        if let Some(ExitStatus::Signal(signal)) = self.status {
            put("signal", Value::Text(&signal))?;
        }
        if let Some(signal) = &self.signal {
            put("signal", Value::Text(signal))?;
        }
        if let Some(delay) = self.delay {
            // Capped at a u64, which is for ever.
            let millis = delay.as_secs().saturating_mul(1000);
            put("delay_ms", Value::Number(millis.saturating_add(delay.subsec_millis().into())))?;
        }
        if let Some(attempt) = self.attempt {
            put("attempt", Value::Number(attempt.into()))?;
        }
        put("message", Value::Text(message))
    }
}

/// The event.
fn event(report: &Report) -> &'static str {
    match report {
        Report::Started { .. } => "started",
        Report::StartFailed { .. } => "start_failed",
        Report::Ended { .. } => "ended",
        Report::InBackground { .. } => "in_background",
        Report::RestartDue { .. } => "restart_due",
        Report::GaveUp { .. } => "gave_up",
        Report::StopRequested { .. } => "stop_requested",
        Report::StillWaiting { .. } => "still_waiting",
        Report::StillWaitingForMore { .. } => "still_waiting_for_more",
        Report::Killing { .. } => "killing",
        Report::Unkillable { .. } => "unkillable",
        Report::KillingOrphan { .. } => "killing_orphan",
        Report::Spared { .. } => "spared",
        Report::Received { .. } => "received",
        Report::Overlooked { .. } => "overlooked",
        Report::Rewritten { .. } => "rewritten",
        Report::Forwarded { .. } => "forwarded",
        Report::KillFailed { .. } => "kill_failed",
        Report::Reaped { .. } | Report::ReapedAtEnd { .. } => "reaped",
        Report::KillingAll { .. } => "killing_all",
        Report::MachineEnds { .. } => "machine_ends",
        Report::Suspending | Report::SuspendingAlone => "suspending",
        Report::NotSuspended => "not_suspended",
        Report::TerminalDetached => "terminal_detached",
        Report::NotReaper => "not_reaper",
    }
}

enum Value<'a> {
    Number(u64),
    Text(&'a dyn fmt::Display),
}

/// Takes a text and writes it as the inside of a JSON string. It stays on one line wherever it is
/// shown, and in programs that read it as a script.
struct Escape<'a>(&'a mut dyn Write);

impl Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            match char {
                '"' | '\\' => {
                    self.0.write_char('\\')?;
                    self.0.write_char(char)?;
                }
                '\n' => self.0.write_str("\\n")?,
                '\u{2028}' | '\u{2029}' => write!(self.0, "\\u{:04x}", u32::from(char))?,
                char if char.is_control() => write!(self.0, "\\u{:04x}", u32::from(char))?,
                char => self.0.write_char(char)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_escaped_where_json_or_a_line_asks_for_it() {
        let mut text = String::new();
        write!(
            Escape(&mut text),
            "a\"b\\c\nd\te\0f\u{7f}\u{85}\u{2028}\u{2029}\u{fffd}\u{e9}\u{1f600}"
        )
        .expect("a string takes all");
        let expected =
            "a\\\"b\\\\c\\nd\\u0009e\\u0000f\\u007f\\u0085\\u2028\\u2029\u{fffd}\u{e9}\u{1f600}";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_delay_that_has_no_end_fits() {
        let members = Members { delay: Some(Duration::MAX), ..Members::named("e") };
        let mut text = String::new();
        members.write(&"m", &mut text).expect("a string takes all");
        let most = u64::MAX;
        assert_eq!(text, format!(r#","event":"e","delay_ms":{most},"message":"m""#));
    }
}
