//! Warnings about options that have no effect where they stand, and about variables that foster does
//! not read. Nothing is kept from running, but whoever wrote them expects something of them.

use std::ffi::OsStr;
use std::time::Duration;

use crate::config::Restart;
use crate::signal::Signal;

use super::super::options::{Id, OPTIONS, Row};
use super::super::{Platform, Surroundings, kind::shown, near::nearest, value::TERM_LEFTOVERS};
use super::Draft;

impl<S: Surroundings> Draft<'_, S> {
    /// Adds a warning about each to the configuration, which is complete.
    pub(super) fn warn(&mut self) {
        // Under another foster a variable may be meant for that one, which has warned of it.
        let names = self.surroundings.names(PREFIX);
        let is_outer = names.iter().any(|name| name == MARK);
        for row in OPTIONS {
            // These names are so common that they may be meant for the service.
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
                let line = format!("unknown variable {shown}: {hint}");
                self.config.log.warnings.push(line);
            }
        }
    }

    /// Why an option has no effect, and which signal is the reason. None where it has one.
    fn why_idle(&self, id: Id) -> Option<(Option<Signal>, &'static str)> {
        let policy = &self.policy;
        let wraps = self.wraps();
        let never = policy.restart == Restart::Never;
        let is_one_of = |signal: &Signal, of: &[Signal]| of.contains(signal);
        let why = match id {
            Id::Backoff | Id::BackoffMax | Id::HealthyAfter | Id::MaxRestarts if never => {
                "no effect without restarts: add --restart on-failure, or remove it"
            }
            Id::Backoff | Id::BackoffMax | Id::HealthyAfter
                if policy.backoff.max_restarts == Some(0) =>
            {
                "no effect, because --max-restarts 0 allows no restart: remove one of them"
            }
            Id::AppPort if !wraps => {
                "no effect without --wrap: set PORT for the COMMAND yourself, or remove it"
            }
            Id::AppHost if !wraps => {
                "no effect without --wrap: set HOST for the COMMAND yourself, or remove it"
            }
            Id::AppHost if self.app_port.is_none() => {
                "no effect with --app-port none: remove one of them"
            }
            Id::Session if wraps => {
                "no effect with --wrap, which has its own session anyway: remove it"
            }
            Id::StopTimeout if policy.stop.signal == Some(Signal::KILL) => {
                "no effect, because --stop-signal KILL leaves no time: remove one of them"
            }
            Id::Leftovers
                if never
                    && policy.stop.timeout == Some(Duration::ZERO)
                    && policy.leftovers == TERM_LEFTOVERS =>
            {
                "term has no effect, because --stop-timeout 0 leaves no time: remove one of them"
            }
            Id::Rewrite => {
                return self
                    .idle_rewrite
                    .map(|it| (Some(it), "is forwarded as itself anyway: remove it"));
            }
            Id::StopSignal => {
                let idle = [Signal::CHLD, Signal::CONT, Signal::STOP];
                let signal = policy.stop.signal.filter(|signal| is_one_of(signal, &idle))?;
                let why = "does not ask a program to end: use one that does, such as TERM";
                return Some((Some(signal), why));
            }
            Id::ParentDeathSignal => {
                let idle = [Signal::CHLD, Signal::STOP];
                let given = self.config.setup.parent_death_signal;
                let signal = given.filter(|signal| is_one_of(signal, &idle))?;
                let why = "does not end foster: use one that does, such as TERM";
                return Some((Some(signal), why));
            }
            _ => return None,
        };
        Some((None, why))
    }
}

/// What to do about a variable that looks like one of foster's and is not.
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
        Some(row) if row.variable.is_empty() => format!("use {} instead", row.name),
        Some(row) => format!("did you mean {}?", row.variable),
        None if is_of_an_orchestrator(rest) => return None,
        None => {
            let known = OPTIONS.iter().filter_map(|row| row.variable.strip_prefix(PREFIX));
            match nearest(rest, &mut { known }) {
                Some(meant) => format!("did you mean {PREFIX}{meant}?"),
                None => "foster -h lists the options".to_owned(),
            }
        }
    })
}

/// Whether Kubernetes or Docker set this for a service whose name begins with `foster-`.
fn is_of_an_orchestrator(rest: &str) -> bool {
    let mut before = "";
    rest.split('_').any(|word| {
        let of_service = word == "HOST" && before == "SERVICE";
        before = word;
        word == "PORT" || of_service
    })
}

const PREFIX: &str = "FOSTER_";

/// What foster itself sets for the services that it supervises.
const MARK: &str = "FOSTER_RUN";
