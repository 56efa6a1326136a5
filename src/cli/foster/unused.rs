//! What was given to foster and does nothing: options where they stand, and variables that it does
//! not read. None of it keeps anything from running, but whoever wrote it expects something of it.

use std::ffi::OsStr;
use std::time::Duration;

use crate::config::Restart;
use crate::signal::Signal;

use super::super::{Platform, Surroundings, near::nearest, value::shown};
use super::{Draft, Id, LEFTOVERS, OPTIONS, Row};

impl<S: Surroundings> Draft<'_, S> {
    /// Adds a line about each to the configuration, which is complete.
    pub(super) fn warn(&mut self) {
        // Under another foster variables may be meant for that one, which has had its say.
        let names = self.surroundings.names(PREFIX);
        let is_outer = names.iter().any(|name| name == MARK);
        for row in OPTIONS {
            // Names as common as these may well be the service's own.
            let is_common = matches!(row.id, Id::AppPort | Id::AppHost);
            let counts =
                self.is_given(row.id) || self.is_inherited(row.id) && !is_outer && !is_common;
            if let Some((signal, why)) = self.why_idle(row.id).filter(|_| counts) {
                let source = self.source(row.id);
                self.config.log.warnings.push(match signal {
                    Some(signal) => format!("{source}: {signal} {why}"),
                    None => format!("{source}: {why}"),
                });
            }
        }
        for name in names.iter().filter(|_| !is_outer) {
            let mut name = name.to_string_lossy();
            if self.surroundings.platform() == Platform::Windows {
                name = name.to_ascii_uppercase().into();
            }
            if let Some(hint) = hint(&name) {
                let shown = shown(OsStr::new(&*name));
                let line = format!("{shown}: foster reads no such variable: {hint}");
                self.config.log.warnings.push(line);
            }
        }
    }

    /// Why an option does nothing, with the signal that it is about; none where it does something.
    fn why_idle(&self, id: Id) -> Option<(Option<Signal>, &'static str)> {
        let config = &self.config;
        let wraps = self.wraps();
        let never = config.restart == Restart::Never;
        let is_one_of = |signal: &Signal, of: &[Signal]| of.contains(signal);
        let why = match id {
            Id::Backoff | Id::BackoffMax | Id::HealthyAfter | Id::MaxRestarts if never => {
                "does nothing, as nothing is started again: add --restart on-failure, or leave it out"
            }
            Id::Backoff | Id::BackoffMax | Id::HealthyAfter
                if config.backoff.max_restarts == Some(0) =>
            {
                "does nothing, as --max-restarts 0 starts nothing again: leave one of them out"
            }
            Id::AppPort if !wraps => {
                "does nothing without --wrap: set PORT for the COMMAND itself, or leave it out"
            }
            Id::AppHost if !wraps => {
                "does nothing without --wrap: set HOST for the COMMAND itself, or leave it out"
            }
            Id::AppHost if self.app_port.is_none() => {
                "does nothing with --app-port none: leave one of them out"
            }
            Id::Session if wraps => {
                "does nothing with --wrap, which has a session of its own anyway: leave it out"
            }
            Id::StopTimeout if config.stop.signal == Some(Signal::KILL) => {
                "does nothing, as --stop-signal KILL leaves no time: leave one of them out"
            }
            Id::Leftovers
                if never
                    && config.stop.timeout == Some(Duration::ZERO)
                    && config.leftovers == LEFTOVERS[1] =>
            {
                "term does nothing, as --stop-timeout 0 leaves no time: leave one of them out"
            }
            Id::Rewrite => {
                return self.idle_rewrite.map(|it| (Some(it), "goes on as itself without it too"));
            }
            Id::StopSignal => {
                let idle = [Signal::CHLD, Signal::CONT, Signal::STOP];
                let signal = config.stop.signal.filter(|signal| is_one_of(signal, &idle))?;
                let why = "asks no program to end: give one that does, such as TERM";
                return Some((Some(signal), why));
            }
            Id::ParentDeathSignal => {
                let idle = [Signal::CHLD, Signal::STOP];
                let given = config.setup.parent_death_signal;
                let signal = given.filter(|signal| is_one_of(signal, &idle))?;
                let why = "does not make foster end: give one that does, such as TERM";
                return Some((Some(signal), why));
            }
            _ => return None,
        };
        Some((None, why))
    }
}

/// What there is to say of a variable that looks like one of foster's and is none.
fn hint(name: &str) -> Option<String> {
    if name == MARK || OPTIONS.iter().any(|row| row.variable == name) {
        return None;
    }
    let rest = name.strip_prefix(PREFIX).unwrap_or_default();
    let is_same =
        |(one, other): (u8, u8)| one == other.to_ascii_lowercase() || [one, other] == *b"-_";
    let is_meant = |row: &&Row| {
        row.word().len() == rest.len() && row.word().bytes().zip(rest.bytes()).all(is_same)
    };
    Some(match OPTIONS.iter().find(is_meant) {
        Some(row) if row.variable.is_empty() => format!("give {} instead", row.name),
        Some(row) => format!("did you mean {}?", row.variable),
        None if is_of_an_orchestrator(rest) => return None,
        None => {
            let known = OPTIONS.iter().filter_map(|row| row.variable.strip_prefix(PREFIX));
            match nearest(rest, &mut { known }) {
                Some(meant) => format!("did you mean {PREFIX}{meant}?"),
                None => "foster -h tells which there are".to_owned(),
            }
        }
    })
}

/// Whether Kubernetes or Docker set this, for a service that is called foster-something.
fn is_of_an_orchestrator(rest: &str) -> bool {
    let mut before = "";
    rest.split('_').any(|word| {
        let of_service = word == "HOST" && before == "SERVICE";
        before = word;
        word == "PORT" || of_service
    })
}

const PREFIX: &str = "FOSTER_";

/// What foster itself sets for those that it supervises.
const MARK: &str = "FOSTER_RUN";
