//! foster's own words for what happens: short lines that call a service by its name.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::config::{Config, Level, Log, LogFormat, ServiceConfig};
use crate::process::{OsError, Pid, ServiceId, Target};
use crate::supervisor::{EndCause, KillCause, Report, Wait, Who};
use crate::time::Timestamp;

use super::json::Members;

/// How the lines of foster's own voice look.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// A line for a person, or one for a machine.
    pub format: LogFormat,
    /// Whether one for a person begins with the time.
    pub time: bool,
    /// Whether one for a person is coloured.
    pub colour: bool,
    /// Whether a start is told with the words that are run.
    pub words: bool,
}

impl Style {
    /// The style that is configured, without colours.
    #[must_use]
    pub fn of(config: &Config) -> Style {
        let Log { format, time, verbose: words, .. } = config.log;
        Style { format, time, colour: false, words }
    }
}

/// A whole line of foster's own voice, without its newline.
pub struct Line<'a> {
    /// How it looks.
    pub style: Style,
    /// When it is said.
    pub now: Timestamp,
    /// How grave it is.
    pub level: Level,
    /// What is said: a [`Said`] or a [`Note`] of the same style.
    pub what: &'a dyn fmt::Display,
}

impl fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { style, now, what, .. } = self;
        let (level, colour) = match self.level {
            Level::Error => ("error", "31"),
            Level::Warn => ("warning", "33"),
            Level::Info => ("info", "32"),
            Level::Debug => ("debug", "36"),
            Level::Trace | Level::Off => ("trace", "2"),
        };
        match style.format {
            LogFormat::Json => write!(f, r#"{{"time":"{now}","level":"{level}"{what}}}"#),
            LogFormat::Text => {
                if style.time {
                    write!(f, "{now} ")?;
                }
                let level = Coloured { what: level, colour: style.colour.then_some(colour) };
                write!(f, "foster: {level}: {what}")
            }
        }
    }
}

/// What foster says that the machine knows nothing of: what it does for itself, and what failed
/// that it does without or tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It begins.
    Begun,
    /// It mounted a file system that was missing.
    Mounted,
    /// It could not.
    NotMounted,
    /// A file system, swap or a disk could not be put away at the end of the machine.
    NotPutAway,
    /// The machine could not be ended.
    NotEnded,
    /// A child cannot be made in foster's own memory, so that each is forked.
    NotShared,
    /// It could not become the subreaper of what its child starts.
    NotSubreaper,
    /// The wait for events failed.
    NotWaited,
    /// A console event could not be sent.
    NotBroken,
    /// A program is a batch file by now, which cannot be given an argument safely.
    UnsafeArgument,
    /// Earlier lines could not be written.
    LinesDropped,
    /// The command line has something in it that does nothing, or not what it seems to.
    Doubtful,
    /// The command line is wrong.
    Misused,
    /// What foster needs could not be had.
    NotSetUp,
}

impl Notice {
    /// All of them.
    pub const ALL: [Notice; 14] = [
        Notice::Begun,
        Notice::Mounted,
        Notice::NotMounted,
        Notice::NotPutAway,
        Notice::NotEnded,
        Notice::NotShared,
        Notice::NotSubreaper,
        Notice::NotWaited,
        Notice::NotBroken,
        Notice::UnsafeArgument,
        Notice::LinesDropped,
        Notice::Doubtful,
        Notice::Misused,
        Notice::NotSetUp,
    ];

    /// Its name in JSON.
    #[must_use]
    pub fn event(self) -> &'static str {
        match self {
            Notice::Begun => "begun",
            Notice::Mounted => "mounted",
            Notice::NotMounted => "mount_failed",
            Notice::NotPutAway => "put_away_failed",
            Notice::NotEnded => "machine_end_failed",
            Notice::NotShared => "share_failed",
            Notice::NotSubreaper => "subreaper_failed",
            Notice::NotWaited => "wait_failed",
            Notice::NotBroken => "break_failed",
            Notice::UnsafeArgument => "unsafe_argument",
            Notice::LinesDropped => "lines_dropped",
            Notice::Doubtful => "usage_warning",
            Notice::Misused => "usage_error",
            Notice::NotSetUp => "setup_failed",
        }
    }

    /// How grave it is.
    #[must_use]
    pub fn level(self) -> Level {
        match self {
            Notice::Begun | Notice::Mounted => Level::Info,
            Notice::NotMounted
            | Notice::NotPutAway
            | Notice::NotShared
            | Notice::NotSubreaper
            | Notice::NotWaited
            | Notice::NotBroken
            | Notice::UnsafeArgument
            | Notice::LinesDropped
            | Notice::Doubtful => Level::Warn,
            Notice::NotEnded | Notice::Misused | Notice::NotSetUp => Level::Error,
        }
    }
}

/// A notice, in this style.
#[derive(Clone, Copy, Debug)]
pub struct Note<'a> {
    /// How it looks.
    pub style: Style,
    /// Which it is.
    pub notice: Notice,
    /// The process that it is about.
    pub pid: Option<Pid>,
    /// The words.
    pub message: fmt::Arguments<'a>,
}

impl fmt::Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.style.format {
            LogFormat::Text => f.write_fmt(self.message),
            LogFormat::Json => {
                let members = Members { pid: self.pid, ..Members::named(self.notice.event()) };
                members.write(&self.message, f)
            }
        }
    }
}

/// A report, in foster's words and this style.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// What is run, and how.
    pub config: &'a Config,
    /// What happened.
    pub report: &'a Report,
    /// How it looks.
    pub style: Style,
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.style.format {
            LogFormat::Text => Message(self).fmt(f),
            LogFormat::Json => Members::of(self.config, self.report).write(&Message(self), f),
        }
    }
}

/// The same as words alone.
struct Message<'a>(&'a Said<'a>);

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
                EndCause::Asked => ", as asked",
                EndCause::Killed(KillCause::Late) => ", as it had not stopped in time",
                EndCause::Killed(KillCause::Hurried) => ", as SIGINT came twice",
            };
            write!(out, "{name} (pid {pid}) {status}{why}")
        }
        Report::InBackground { .. } => write!(
            out,
            "{name} seems to have gone to the background: it ended at once and left others, which foster \
             does not follow; start it in the foreground, by an option such as -F, -D or --nodaemon"
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
            let are = if count == 1 { "service is" } else { "services are" };
            write!(out, "and {count} more {are} waited for")
        }
        Report::Killing { .. } => {
            write!(out, "{name} has not ended: sending SIGKILL")
        }
        Report::Unkillable { .. } => {
            write!(out, "some of {name} outlives SIGKILL: waiting no longer")
        }
        Report::KillingOrphan { pid, .. } => {
            write!(out, "killing process {pid}, which {name} left behind")
        }
        Report::Spared { pid, name, in_reach } => {
            let name = OneLine(name.as_bytes());
            let why = match in_reach {
                true => "no mark of a run is known of it",
                false => "foster is not permitted to kill it",
            };
            write!(out, "leaving process {pid} ({name}) alone: {why}")
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
        Report::SuspendingAlone => out.write_str(
            "suspended by Ctrl-Z: what foster runs goes on, and nobody restarts it until fg or \
             SIGCONT resumes foster",
        ),
        Report::NotSuspended => out.write_str("not suspended: there is no shell to resume it"),
        Report::TerminalDetached => out.write_str("gave up the terminal"),
        Report::NotReaper => out.write_str("neither PID 1 nor subreaper: orphans go elsewhere"),
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

/// Who of a service is waited for, until when, and what kills it at once.
fn still_waiting(
    service: Option<&ServiceConfig>,
    who: Who,
    wait: Wait,
    out: &mut dyn Write,
) -> fmt::Result {
    match who {
        Who::Leader(pid) => write!(out, "waiting for {} (pid {pid})", BaseName(service))?,
        // Nobody has asked for the name of one that is known by its mark.
        Who::Member(pid, name) if name.as_bytes().is_empty() => {
            write!(out, "waiting for process {pid}")?;
        }
        Who::Member(pid, name) => {
            write!(out, "waiting for {} (pid {pid})", OneLine(name.as_bytes()))?;
        }
        Who::Unknown => out.write_str("waiting for what is left of it")?,
    }
    // To a tenth of a second.
    let tenths = |left: Duration| {
        Short(Duration::from_millis((left.as_millis() as u64).saturating_add(50) / 100 * 100))
    };
    match wait {
        Wait::Stop { left: Some(left), .. } => write!(out, ", SIGKILL in {}", tenths(left))?,
        Wait::Stop { left: None, .. } => out.write_str(", without a deadline")?,
        Wait::Death { left: Some(left) } => {
            write!(out, " to die of SIGKILL, for {} more", tenths(left))?;
        }
        Wait::Death { left: None } => out.write_str(" to die of SIGKILL")?,
    }
    let Wait::Stop { hurry: Some(hurry), .. } = wait else { return Ok(()) };
    let key = if hurry.by_key { "Ctrl-C" } else { "SIGINT" };
    match hurry.interrupts {
        1 => write!(out, "; another {key} kills at once"),
        _ => write!(out, "; {key} twice kills at once"),
    }
}

/// The program of a service, without the folder that it is in.
struct BaseName<'a>(Option<&'a ServiceConfig>);

impl fmt::Display for BaseName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.0.map_or(&b""[..], |service| service.argv.program());
        OneLine(program.rsplit(|byte| b"/\\".contains(byte)).next().unwrap_or(program)).fmt(f)
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

/// A word in a colour of terminals (ECMA-48, SGR), or in none.
struct Coloured<'a> {
    what: &'a str,
    colour: Option<&'static str>,
}

impl fmt::Display for Coloured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.colour {
            Some(colour) => write!(f, "\x1b[{colour}m{}\x1b[0m", self.what),
            None => f.write_str(self.what),
        }
    }
}

/// What is run, as it could be typed again, and whether a shell reads it.
struct Words<'a>(&'a ServiceConfig);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.in_shell {
            return write!(f, " by a shell: {}", OneLine(line(self.0)));
        }
        f.write_char(':')?;
        for word in self.0.argv.words() {
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(byte);
            let quote = if !word.is_empty() && word.iter().all(plain) { "" } else { "'" };
            write!(f, " {quote}{}{quote}", OneLine(word))?;
        }
        Ok(())
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
struct Command<'a>(Option<&'a ServiceConfig>);

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(service) = self.0 else { return Ok(()) };
        let what = if service.in_shell { line(service) } else { service.argv.program() };
        write!(f, "'{}'", OneLine(what))
    }
}

/// Whom a signal was for.
struct Whom(Target);

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Target::Process(pid) | Target::Marked(pid, _) => write!(f, "process {pid}"),
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
