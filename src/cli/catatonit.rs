//! catatonit's command line, environment and messages.

use std::ffi::OsString;
use std::fmt;

use crate::config::{Config, ForwardTo, Level, Policy, StartFailure, StopTo};
use crate::exit::ExitStatus;
use crate::process::{OsError, Pid};
use crate::signal::{Signal, SignalSet};
use crate::supervisor::Report;

use super::getopt::{Getopt, Long, strtol};
use super::show::Program;
use super::{Say, Sink, Stream, Surroundings};

/// Reads catatonit's command line and environment into a configuration; returns the command.
pub(super) fn parse<'a>(
    args: &'a [OsString],
    surroundings: &impl Surroundings,
    config: &mut Config,
    policy: &mut Policy,
) -> Result<&'a [OsString], Say> {
    let own_pid = surroundings.own_pid();
    if surroundings.variable("CATATONIT_LOG").is_some() {
        return Err(error(own_pid, "CATATONIT_LOG is reserved for future use\n"));
    }
    let mut pauses = false;
    let mut getopt = Getopt::new(args, b"ghLPV", &LONGS);
    while let Some((letter, _)) = getopt.next() {
        match letter {
            b'?' => return Err(Say::new(Stream::Err, &[&*getopt.error, USAGE].concat(), 1)),
            b'h' => return Err(Say::new(Stream::Err, &[USAGE, HELP].concat(), 0)),
            b'L' => return Err(Say::new(Stream::Out, super::LICENCE, 0)),
            b'V' => return Err(Say::new(Stream::Out, VERSION, 0)),
            b'g' => (policy.forward, policy.stop.to) = (ForwardTo::Group, StopTo::Group),
            _ => pauses = true,
        }
    }
    let mut command = getopt.operands();
    if pauses {
        command = &[];
        config.signals.requests = SignalSet::of(&[Signal::TERM, Signal::INT]);
    } else if command.is_empty() {
        return Err(error(own_pid, &["missing program name\n", USAGE].concat()));
    }
    for signal in [Signal::TSTP, Signal::TTIN, Signal::TTOU] {
        config.signals.rewrites.set(signal, None);
    }
    config.start_failure = StartFailure::all(1);
    config.setup.subreaper = true;
    config.setup.needs_subreaper = true;
    config.setup.close_descriptors = true;
    config.setup.leave_directory = true;
    config.setup.listen_pid = surroundings.variable("LISTEN_PID").is_some_and(|pid| {
        let pid = strtol(pid.as_encoded_bytes()).map(|(number, _)| number);
        pid == Some(i64::from(own_pid.0))
    });
    config.log.level = match surroundings.variable("CATATONIT_DEBUG") {
        Some(_) => Level::Debug,
        None => Level::Error,
    };
    Ok(command)
}

/// Puts a report into catatonit's words.
pub(super) fn render(config: &Config, report: &Report, own_pid: Pid, out: &mut Sink<'_>) {
    let mut say_as = |pid: Pid, level: Level, line: fmt::Arguments<'_>| {
        if level > config.log.level {
            return;
        }
        let label = match level {
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Info => "INFO",
            Level::Debug | Level::Trace | Level::Off => "DEBUG",
        };
        out(Stream::Err, format_args!("{label} (catatonit:{pid}): {line}"));
    };
    match *report {
        Report::Started { service, pid, .. } => {
            let program = Program { config, id: service };
            say_as(own_pid, Level::Debug, format_args!("pid1 ({pid}) spawned: {program}"));
        }
        Report::StartFailed { service, error, .. } => {
            let (program, why) = (Program { config, id: service }, OsError(error.os));
            match error.pid {
                // catatonit's child reports its own failure, and counts as started until then.
                Some(pid) => {
                    say_as(own_pid, Level::Debug, format_args!("pid1 ({pid}) spawned: {program}"));
                    say_as(pid, Level::Error, format_args!("failed to exec pid1: {why}"));
                }
                None => {
                    say_as(own_pid, Level::Error, format_args!("failed to fork child: {why}"));
                    say_as(own_pid, Level::Error, format_args!("failed to spawn pid1: {why}"));
                }
            }
        }
        Report::Reaped { pid, status } | Report::ReapedAtEnd { pid, status } => match status {
            ExitStatus::Code(code) => {
                let line = format_args!("child process {pid} exited with code {code}");
                say_as(own_pid, Level::Debug, line);
            }
            ExitStatus::Signal(signal) => {
                let number = signal.number();
                let line = format_args!("child process {pid} exited due to signal {number}");
                say_as(own_pid, Level::Debug, line);
            }
        },
        Report::Rewritten { .. } => {
            let line = format_args!("ignoring kernel attempting to stop us: tty has TOSTOP set");
            say_as(own_pid, Level::Debug, line);
        }
        Report::KillFailed { target, signal, os } => {
            let (number, why) = (signal.number(), OsError(os));
            let pid = target.pid();
            let line = format_args!("forwarding of signal {number} to pid1 ({pid}) failed: {why}");
            say_as(own_pid, Level::Warn, line);
        }
        Report::Ended { .. }
        | Report::RestartDue { .. }
        | Report::InBackground { .. }
        | Report::GaveUp { .. }
        | Report::StopRequested { .. }
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
        | Report::Forwarded { .. }
        | Report::Suspending
        | Report::TerminalDetached
        | Report::SuspendingAlone
        | Report::NotSuspended
        | Report::NotReaper => {}
    }
}

fn error(own_pid: Pid, what: &str) -> Say {
    Say::new(Stream::Err, &error_line(own_pid, what), 1)
}

pub(super) fn error_line(own_pid: Pid, what: &str) -> String {
    format!("ERROR (catatonit:{own_pid}): {what}")
}

const LONGS: [Long; 1] = [("version", false, b'V')];

const VERSION: &str = "tini version 0.2.1_catatonit\n";

const USAGE: &str = "usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]\n";

const HELP: &str = concat!(
    "
This is foster ",
    env!("CARGO_PKG_VERSION"),
    " in the place of catatonit.

  -g             send signals to the program's process group, not to it alone
  -P             pause: run nothing, reap orphans, end on SIGTERM or SIGINT
  -L             print the licence
  -h             print this help
  -V, --version  print the version
"
);
