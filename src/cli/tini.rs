//! tini's command line, environment and messages (tini, tini-static, docker-init).

use std::ffi::OsString;
use std::fmt;

use crate::config::{Config, ForwardTo, Level, Policy, StartFailure, StopTo};
use crate::exit::ExitStatus;
use crate::process::{OsError, Pid};
use crate::signal::Signal;
use crate::supervisor::Report;

use super::getopt::{Getopt, strtol, to_int};
use super::show::{OneLine, Program};
use super::{Say, Sink, Stream, Surroundings, base_name};

/// Reads tini's command line and environment into a configuration; returns the command.
pub(super) fn parse<'a>(
    args: &'a [OsString],
    surroundings: &impl Surroundings,
    config: &mut Config,
    policy: &mut Policy,
) -> Result<&'a [OsString], Say> {
    if let [_, only] = args
        && only == "--version"
    {
        return Err(say(&[VERSION, "\n"].concat()));
    }
    let mut verbosity = 1_u32;
    let mut group = surroundings.variable("TINI_KILL_PROCESS_GROUP").is_some();
    config.setup.subreaper = surroundings.variable("TINI_SUBREAPER").is_some();
    let mut getopt = Getopt::new(args, b"p:hvwgle:s", &[]);
    while let Some((letter, value)) = getopt.next() {
        match letter {
            b'?' => return Err(fail(&[&*getopt.error, &usage(args)].concat())),
            b'h' => return Err(say(&usage(args))),
            b'l' => return Err(say(super::LICENCE)),
            b's' => config.setup.subreaper = true,
            b'g' => group = true,
            b'v' => verbosity = verbosity.saturating_add(1),
            b'w' => config.log.warn_of_orphans = true,
            b'p' => match parent_death_signal(value) {
                Some(signal) => {
                    config.setup.parent_death_signal = Some(signal);
                    config.setup.parent_is_thread = true;
                }
                None => return Err(not_valid('p', value, surroundings.own_pid())),
            },
            _ => match exit_code(value) {
                Some(code) => policy.success.insert(code),
                None => return Err(not_valid('e', value, surroundings.own_pid())),
            },
        }
    }
    if getopt.operands().is_empty() {
        return Err(fail(&usage(args)));
    }
    if let Some(text) = surroundings.variable("TINI_VERBOSITY") {
        let number = strtol(text.as_encoded_bytes()).map_or(0, |read| to_int(read).0);
        // tini's count is unsigned: a negative value is the highest.
        verbosity = number as u32;
    }
    if group {
        (policy.forward, policy.stop.to) = (ForwardTo::Group, StopTo::Group);
    }
    for signal in [Signal::TTIN, Signal::TTOU] {
        config.signals.rewrites.set(signal, None);
    }
    config.start_failure =
        StartFailure { not_found: 127, bad_interpreter: 127, denied: 126, ..StartFailure::all(1) };
    config.setup.needs_subreaper = config.setup.subreaper;
    config.setup.warn_unless_reaper = true;
    config.log.level = match verbosity {
        0 => Level::Error,
        1 => Level::Warn,
        2 => Level::Info,
        3 => Level::Debug,
        _ => Level::Trace,
    };
    Ok(getopt.operands())
}

/// One of the 28 signals that tini knows by name, in upper case and with `SIG`.
fn parent_death_signal(name: &[u8]) -> Option<Signal> {
    const UNKNOWN: [u8; 3] = [16, 29, 30];
    let name = str::from_utf8(name).ok()?;
    let signal: Signal = name.parse().ok()?;
    let known = !signal.is_real_time() && !UNKNOWN.contains(&signal.number());
    (known && format!("{signal}") == name).then_some(signal)
}

/// A code from 0 to 255. An empty text is 0.
fn exit_code(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return Some(0);
    }
    let (code, rest) = strtol(text)?;
    let code = u8::try_from(code).ok()?;
    rest.is_empty().then_some(u32::from(code))
}

/// Puts a report into tini's words.
pub(super) fn render(config: &Config, report: &Report, own_pid: Pid, out: &mut Sink<'_>) {
    let mut lines = Lines { out, own_pid, level: config.log.level };
    match *report {
        Report::Started { service, pid, .. } => lines.spawned(Program { config, id: service }, pid),
        Report::StartFailed { service, error, .. } => {
            let (program, why) = (Program { config, id: service }, OsError(error.os));
            let Some(pid) = error.pid else {
                return lines.say(Level::Error, format_args!("fork failed: {why}"));
            };
            // tini's child reports its own failure, and counts as started until then.
            let code = config.start_failure.code(error);
            lines.spawned(Program { config, id: service }, pid);
            lines.own_pid = pid;
            lines.say(Level::Error, format_args!("exec {program} failed: {why}"));
            lines.own_pid = own_pid;
            lines.ended(pid, ExitStatus::Code(code));
        }
        Report::Ended { pid, status, .. } => lines.ended(pid, status),
        Report::Reaped { pid, .. } => {
            lines.reaped(pid);
            lines.was_orphan(config, pid);
        }
        // The same signal reports it and the main child.
        Report::ReapedAtEnd { pid, .. } => {
            lines.reaped_one(pid);
            lines.was_orphan(config, pid);
        }
        Report::Forwarded { signal, .. } | Report::StopRequested { signal: Some(signal) } => {
            let signal = Description(signal);
            lines.say(Level::Debug, format_args!("Passing signal: '{signal}'"));
        }
        Report::KillFailed { os, .. } if OsError(os) == OsError::NO_SUCH_PROCESS => {
            lines.say(Level::Warn, format_args!("Child was dead when forwarding signal"));
        }
        // tini ends here, and the container with it; foster keeps running.
        Report::KillFailed { os, .. } => {
            let why = OsError(os);
            let line = format_args!("Unexpected error when forwarding signal: '{why}'");
            lines.say(Level::Warn, line);
        }
        Report::NotReaper => lines.say(Level::Warn, format_args!("{NOT_REAPER}")),
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
        | Report::Received { .. }
        | Report::Overlooked { .. }
        | Report::Rewritten { .. }
        | Report::Suspending
        | Report::SuspendingAlone
        | Report::NotSuspended
        | Report::TerminalDetached => {}
    }
}

/// The lines for a report.
struct Lines<'a, 'b> {
    out: &'a mut Sink<'b>,
    own_pid: Pid,
    level: Level,
}

impl Lines<'_, '_> {
    fn say(&mut self, level: Level, line: fmt::Arguments<'_>) {
        if level > self.level {
            return;
        }
        let (label, stream) = match level {
            Level::Error => ("FATAL", Stream::Err),
            Level::Warn => ("WARN ", Stream::Err),
            Level::Info => ("INFO ", Stream::Out),
            Level::Debug => ("DEBUG", Stream::Out),
            Level::Trace | Level::Off => ("TRACE", Stream::Out),
        };
        (self.out)(stream, format_args!("[{label} tini ({})] {line}", self.own_pid));
    }

    fn spawned(&mut self, program: Program<'_>, pid: Pid) {
        let line = format_args!("Spawned child process '{program}' with pid '{pid}'");
        self.say(Level::Info, line);
    }

    fn reaped(&mut self, pid: Pid) {
        self.say(Level::Debug, format_args!("Received SIGCHLD"));
        self.reaped_one(pid);
    }

    fn reaped_one(&mut self, pid: Pid) {
        self.say(Level::Debug, format_args!("Reaped child with pid: '{pid}'"));
    }

    fn was_orphan(&mut self, config: &Config, pid: Pid) {
        if config.log.warn_of_orphans {
            self.say(Level::Warn, format_args!("Reaped zombie process with pid={pid}"));
        }
    }

    fn ended(&mut self, pid: Pid, status: ExitStatus) {
        self.reaped(pid);
        match status {
            ExitStatus::Code(code) => self.say(
                Level::Info,
                format_args!("Main child exited normally (with status '{code}')"),
            ),
            ExitStatus::Signal(signal) => self.say(
                Level::Info,
                format_args!(
                    "Main child exited with signal (with signal '{}')",
                    Description(signal)
                ),
            ),
        }
        self.say(Level::Trace, format_args!("Exiting: child has exited"));
    }
}

/// The description of a signal by strsignal(3).
struct Description(Signal);

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = usize::from(self.0.number());
        match DESCRIPTIONS.split(',').nth(number - 1) {
            Some(text) => f.write_str(text),
            None => match number.checked_sub(usize::from(Signal::RTMIN.number())) {
                Some(offset) => write!(f, "Real-time signal {offset}"),
                None => write!(f, "Unknown signal {number}"),
            },
        }
    }
}

fn say(text: &str) -> Say {
    Say::new(Stream::Out, text, 0)
}

fn fail(text: &str) -> Say {
    Say::new(Stream::Err, text, 1)
}

fn not_valid(letter: char, value: &[u8], own_pid: Pid) -> Say {
    let value = OneLine(value);
    fail(&format!("[FATAL tini ({own_pid})] Not a valid option for -{letter}: {value}\n"))
}

pub(super) fn fatal(own_pid: Pid, what: &str) -> String {
    format!("[FATAL tini ({own_pid})] {what}")
}

fn usage(args: &[OsString]) -> String {
    let name = args.first().map_or(&b"tini"[..], |path| base_name(path.as_encoded_bytes()));
    let name = String::from_utf8_lossy(name);
    [&name, " (", VERSION, ")\nUsage: ", &name, USAGE].concat()
}

const VERSION: &str = "tini version 0.19.0";

const USAGE: &str = concat!(
    " [OPTIONS] PROGRAM [ARG]... | --version

This is foster ",
    env!("CARGO_PKG_VERSION"),
    " in the place of tini.

  -s         adopt orphans where this is not PID 1 (or TINI_SUBREAPER is set)
  -g         send signals to the program's process group, not to it alone
             (or TINI_KILL_PROCESS_GROUP is set)
  -e CODE    exit with 0 where it would be CODE, 0 to 255; may be repeated
  -p SIGNAL  get SIGNAL when the parent dies, such as SIGTERM
  -w         warn of each orphan that is reaped
  -v         say more; up to three times (or TINI_VERBOSITY=0 to 4; default 1)
  -l         print the licence
  -h         print this help
  --version  print the version
"
);

const NOT_REAPER: &str = "\
Tini is not running as PID 1 and isn't registered as a child subreaper.
Zombie processes will not be re-parented to Tini, so zombie reaping won't work.
To fix the problem, use the -s option or set the environment variable TINI_SUBREAPER to register \
Tini as a child subreaper, or run Tini as PID 1.";

/// glibc's strsignal(3) for 1 to 31.
const DESCRIPTIONS: &str = "Hangup,Interrupt,Quit,Illegal instruction,Trace/breakpoint trap,\
Aborted,Bus error,Floating point exception,Killed,User defined signal 1,Segmentation fault,\
User defined signal 2,Broken pipe,Alarm clock,Terminated,Stack fault,Child exited,Continued,\
Stopped (signal),Stopped,Stopped (tty input),Stopped (tty output),Urgent I/O condition,\
CPU time limit exceeded,File size limit exceeded,Virtual timer expired,Profiling timer expired,\
Window changed,I/O possible,Power failure,Bad system call";
