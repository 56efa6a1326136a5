//! dumb-init's command line, environment and messages.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;

use crate::config::{
    Config, ForwardTo, JobControl, Leftovers, Level, Policy, ServiceConfig, Session, StartFailure,
    StopTo,
};
use crate::exit::ExitStatus;
use crate::process::{OsError, Pid, SpawnErrorKind};
use crate::signal::{Signal, SignalSet};
use crate::supervisor::Report;

use super::getopt::{Getopt, Long, strtol, to_int};
use super::show::Program;
use super::{Say, Sink, Stream, Surroundings};

/// Reads dumb-init's command line and environment into a configuration; returns the command.
pub(super) fn parse<'a>(
    args: &'a [OsString],
    surroundings: &impl Surroundings,
    config: &mut Config,
    policy: &mut Policy,
) -> Result<&'a [OsString], Say> {
    let is = |name, value| surroundings.variable(name).is_some_and(|given| given == value);
    let no_setsid = is("DUMB_INIT_SETSID", "0");
    let debug = is("DUMB_INIT_DEBUG", "1");
    let (mut verbose, mut single_child) = (debug, no_setsid);
    let mut rewritten = SignalSet::EMPTY;
    let rewrites = &mut config.signals.rewrites;
    let mut getopt = Getopt::new(args, b"hvVcr:", &LONGS);
    while let Some((letter, value)) = getopt.next() {
        match letter {
            b'h' => return Err(say(&format!("{VERSION}\nUsage: {}{HELP}", path(args)), 0)),
            b'?' => return Err(say(&getopt.error, 1)),
            b'V' => return Err(say(&[VERSION, "\n"].concat(), 0)),
            b'v' => verbose = true,
            b'c' => single_child = true,
            _ => match rewrite(value) {
                Some((from, to)) => {
                    rewritten.insert(from);
                    rewrites.set(from, to);
                }
                None => return Err(say(BAD_REWRITE, 1)),
            },
        }
    }
    if getopt.operands().is_empty() {
        let path = path(args);
        return Err(say(
            &format!("Usage: {path} [option] program [args]\nTry {path} --help for full usage.\n"),
            1,
        ));
    }
    config.log.level = if verbose { Level::Debug } else { Level::Error };
    config.log.opening = match (debug, no_setsid) {
        (true, true) => &OPENING,
        (true, false) => &OPENING[..1],
        (false, true) => &OPENING[1..],
        (false, false) => &[],
    };
    if single_child {
        policy.session = Session::Shared;
    } else {
        policy.session = Session::OwnWithTerminal;
        (policy.forward, policy.stop.to) = (ForwardTo::Group, StopTo::Group);
        config.setup.detach_terminal = true;
        // A group without a shell above it ignores the softer stop signals.
        for signal in TTY_STOPS.into_iter().filter(|signal| !rewritten.contains(*signal)) {
            rewrites.set(signal, Some(Signal::STOP));
        }
    }
    policy.leftovers = rewrites.get(Signal::TERM).map_or(Leftovers::Leave, Leftovers::Signal);
    config.signals.job_control = JobControl::OnSignals(SignalSet::of(&TTY_STOPS));
    config.start_failure = StartFailure { no_process: 1, ..StartFailure::all(2) };
    config.setup.unblock_signals = true;
    config.setup.leave_directory = true;
    Ok(getopt.operands())
}

/// Reads `%d:%d` like sscanf(3): a signal, then a signal or 0.
fn rewrite(text: &[u8]) -> Option<(Signal, Option<Signal>)> {
    let (from, rest) = to_int(strtol(text)?);
    let (to, _) = to_int(strtol(rest.strip_prefix(b":")?)?);
    if !(1..=31).contains(&from) || !(0..=31).contains(&to) {
        return None;
    }
    Some((Signal::new(from)?, Signal::new(to)))
}

/// Puts a report into dumb-init's words.
pub(super) fn render(config: &Config, report: &Report, out: &mut Sink<'_>) {
    let mut lines = Lines { out, config };
    match *report {
        Report::Started { pid, .. } => {
            lines.opening();
            lines.spawned(pid);
            lines.has_session();
        }
        Report::StartFailed { service, error, .. } => {
            let (program, why) = (Program { config, id: service }, OsError(error.os));
            lines.opening();
            let Some(pid) = error.pid else {
                return lines.always(format_args!("Unable to fork. Exiting."));
            };
            // dumb-init's child reports its own failure, and counts as started until then.
            lines.spawned(pid);
            if error.kind == SpawnErrorKind::NoSession {
                let number = error.os;
                lines.always(format_args!("Unable to setsid (errno={number} {why}). Exiting."));
            } else {
                lines.has_session();
                lines.always(format_args!("{program}: {why}"));
            }
            lines.ended(pid, ExitStatus::Code(config.start_failure.code(error)));
        }
        Report::Ended { pid, status, .. } => lines.ended(pid, status),
        Report::Reaped { pid, status } => lines.exited(pid, status),
        Report::Received { signal } => {
            lines.say(format_args!("Received signal {}.", signal.number()));
        }
        Report::Overlooked { signal } => {
            lines.say(format_args!("Ignoring tty hand-off signal {}.", signal.number()));
        }
        Report::Rewritten { from, to } => lines.translated(from, to),
        Report::Forwarded { signal, .. } => lines.forwarded(signal),
        Report::StopRequested { signal: Some(signal) } => {
            if let Some(sent) = config.signals.rewrites.get(signal) {
                lines.forwarded(sent);
            }
        }
        Report::Suspending => lines.say(format_args!("Suspending self due to TTY signal.")),
        Report::TerminalDetached => lines.say(format_args!(
            "Detached from controlling tty, ignoring the first SIGHUP and SIGCONT we receive."
        )),
        Report::RestartDue { .. }
        | Report::InBackground { .. }
        | Report::GaveUp { .. }
        | Report::StopRequested { signal: None }
        | Report::StillWaiting { .. }
        | Report::StillWaitingForMore { .. }
        | Report::Killing { .. }
        | Report::Unkillable { .. }
        | Report::KillingOrphan { .. }
        | Report::Spared { .. }
        | Report::KillingAll { .. }
        | Report::MachineEnds { .. }
        | Report::KillFailed { .. }
        // dumb-init does not reap these, and is silent after its good-bye.
        | Report::ReapedAtEnd { .. }
        | Report::SuspendingAlone
        | Report::NotSuspended
        | Report::NotReaper => {}
    }
}

/// The lines for a report.
struct Lines<'a, 'b> {
    out: &'a mut Sink<'b>,
    config: &'a Config,
}

impl Lines<'_, '_> {
    /// Writes a line at every level.
    fn always(&mut self, line: fmt::Arguments<'_>) {
        (self.out)(Stream::Err, format_args!("[dumb-init] {line}"));
    }

    fn say(&mut self, line: fmt::Arguments<'_>) {
        if self.config.log.level >= Level::Debug {
            self.always(line);
        }
    }

    fn opening(&mut self) {
        for line in self.config.log.opening {
            self.say(format_args!("{line}"));
        }
    }

    fn spawned(&mut self, pid: Pid) {
        self.say(format_args!("Child spawned with PID {pid}."));
    }

    fn has_session(&mut self) {
        let own = |it: &ServiceConfig| it.policy.session == Session::OwnWithTerminal;
        if self.config.only().is_some_and(own) {
            self.say(format_args!("setsid complete."));
        }
    }

    fn exited(&mut self, pid: Pid, status: ExitStatus) {
        self.say(format_args!("Received signal {}.", Signal::CHLD.number()));
        match status {
            ExitStatus::Code(code) => {
                self.say(format_args!("A child with PID {pid} exited with exit status {code}."));
            }
            ExitStatus::Signal(signal) => {
                let number = signal.number();
                self.say(format_args!("A child with PID {pid} was terminated by signal {number}."));
            }
        }
    }

    fn ended(&mut self, pid: Pid, status: ExitStatus) {
        self.exited(pid, status);
        let sent = self.config.signals.rewrites.get(Signal::TERM);
        if sent != Some(Signal::TERM) {
            self.translated(Signal::TERM, sent);
        }
        if let Some(sent) = sent {
            self.forwarded(sent);
        }
        let code = status.code();
        self.say(format_args!("Child exited with status {code}. Goodbye."));
    }

    fn translated(&mut self, from: Signal, to: Option<Signal>) {
        let number = to.map_or(0, Signal::number);
        self.say(format_args!("Translating signal {} to {number}.", from.number()));
        if to.is_none() {
            self.say(format_args!("Not forwarding signal 0 to children (ignored)."));
        }
    }

    fn forwarded(&mut self, signal: Signal) {
        self.say(format_args!("Forwarded signal {} to children.", signal.number()));
    }
}

/// dumb-init writes everything to stderr, asked for or not.
fn say(text: &str, code: u32) -> Say {
    Say::new(Stream::Err, text, code)
}

fn path(args: &[OsString]) -> Cow<'_, str> {
    args.first().map(|path| path.to_string_lossy()).unwrap_or_default()
}

const LONGS: [Long; 5] = [
    ("help", false, b'h'),
    ("single-child", false, b'c'),
    ("rewrite", true, b'r'),
    ("verbose", false, b'v'),
    ("version", false, b'V'),
];

/// The signals by which a terminal stops jobs.
const TTY_STOPS: [Signal; 3] = [Signal::TSTP, Signal::TTIN, Signal::TTOU];

const OPENING: [&str; 2] = ["Running in debug mode.", "Not running in setsid mode."];

const VERSION: &str = "dumb-init v1.2.5";

const BAD_REWRITE: &str = "\
Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.
This option can be specified multiple times.
Use --help for full usage.
";

const HELP: &str = concat!(
    " [option] command [[arg] ...]

This is foster ",
    env!("CARGO_PKG_VERSION"),
    " in the place of dumb-init.

  -c, --single-child  no session of its own for the command, and signals for it
                      alone (or DUMB_INIT_SETSID=0)
  -r, --rewrite S:R   pass signal number S on as R, or not at all where R is 0;
                      may be repeated
  -v, --verbose       say what happens (or DUMB_INIT_DEBUG=1)
  -h, --help          print this help
  -V, --version       print the version
"
);
