//! What was given to foster and does nothing: options where they stand, and variables that it does
//! not read. None of it keeps anything from running, but whoever wrote it expects something of it.

use crate::config::Restart;
use crate::signal::Signal;

use super::super::{Platform, near::nearest, value::quoted};
use super::{Draft, Id, OPTIONS};

impl Draft<'_> {
    /// A line about each.
    pub(super) fn unused(&self) -> Vec<String> {
        let mut lines = Vec::new();
        // Under another foster variables may be meant for that one, which has had its say.
        let names = self.surroundings.names(PREFIX);
        let is_outer = names.iter().any(|name| name == MARK);
        self.idle_options(!is_outer, &mut lines);
        if !is_outer {
            let names = names.iter().map(|name| name.to_string_lossy());
            lines.extend(names.filter_map(|name| self.unknown_variable(&name)));
        }
        lines
    }

    fn idle_options(&self, variables_too: bool, lines: &mut Vec<String>) {
        let mut warn = |id: Id, why: &[&str]| {
            // Names as common as these may well be the service's own.
            let is_common = matches!(id, Id::AppPort | Id::AppHost);
            if self.is_given(id) || variables_too && !is_common && self.is_inherited(id) {
                lines.push([&self.source(id), ": ", &why.concat()].concat());
            }
        };
        let wraps = !self.wrapped.is_empty();
        let restart = self.restart.unwrap_or(if wraps { Restart::Always } else { Restart::Never });
        let never = restart == Restart::Never;
        let no_restart = if never {
            Some(
                "does nothing, as nothing is started again: add --restart on-failure, or leave it out",
            )
        } else if self.backoff.max_restarts == Some(0) {
            Some("does nothing, as --max-restarts 0 starts nothing again: leave one of them out")
        } else {
            None
        };
        if let Some(why) = no_restart {
            for id in [Id::Backoff, Id::BackoffMax, Id::HealthyAfter] {
                warn(id, &[why]);
            }
            if never {
                warn(Id::MaxRestarts, &[why]);
            }
        }
        for (id, variable) in [(Id::AppPort, "PORT"), (Id::AppHost, "HOST")] {
            if !wraps {
                let how = " for the COMMAND itself, or leave it out";
                warn(id, &["does nothing without --wrap: set ", variable, how]);
            }
        }
        if wraps {
            if self.app_port.is_none() {
                warn(Id::AppHost, &["does nothing with --app-port none: leave one of them out"]);
            }
            let why =
                "does nothing with --wrap, which has a session of its own anyway: leave it out";
            warn(Id::Session, &[why]);
        }
        if let Some(signal) = self.idle_rewrite {
            warn(Id::Rewrite, &["goes on as itself without it too, ", &signal.to_string()]);
        }
        let ends_nobody = [Signal::CHLD, Signal::CONT, Signal::STOP];
        if let Some(signal) = self.stop_signal.filter(|signal| ends_nobody.contains(signal)) {
            let how = " asks no program to end: give one that does, such as TERM";
            warn(Id::StopSignal, &[&signal.to_string(), how]);
        }
        if self.stop_signal == Some(Signal::KILL) {
            let why = "does nothing, as --stop-signal KILL leaves no time: leave one of them out";
            warn(Id::StopTimeout, &[why]);
        }
        let no_end = [Signal::CHLD, Signal::STOP];
        if let Some(signal) = self.parent_death_signal.filter(|signal| no_end.contains(signal)) {
            let how = " does not make foster end: give one that does, such as TERM";
            warn(Id::ParentDeathSignal, &[&signal.to_string(), how]);
        }
    }

    /// What there is to say of a variable that looks like one of foster's and is none.
    fn unknown_variable(&self, name: &str) -> Option<String> {
        let name = match self.surroundings.platform() {
            Platform::Linux => name.to_owned(),
            Platform::Windows => name.to_ascii_uppercase(),
        };
        if name == MARK || OPTIONS.iter().any(|row| row.variable == name) {
            return None;
        }
        let rest = name.strip_prefix(PREFIX).unwrap_or_default();
        let option = rest.to_ascii_lowercase().replace('_', "-");
        let hint = match OPTIONS.iter().find(|row| row.name == option) {
            Some(row) if row.variable.is_empty() => ["give --", row.name, " instead"].concat(),
            Some(row) => ["did you mean ", row.variable, "?"].concat(),
            None if is_of_an_orchestrator(rest) => return None,
            None => {
                let known = OPTIONS.iter().filter_map(|row| row.variable.strip_prefix(PREFIX));
                match nearest(rest, known) {
                    Some(meant) => ["did you mean ", PREFIX, meant, "?"].concat(),
                    None => "foster -h tells which there are".to_owned(),
                }
            }
        };
        let shown = quoted(name.as_ref());
        Some([shown.trim_matches('\''), ": foster reads no such variable: ", &hint].concat())
    }
}

/// Whether Kubernetes or Docker set this, for a service that is called foster-something.
fn is_of_an_orchestrator(rest: &str) -> bool {
    let words = ["SERVICE_HOST", "PORT"];
    words.iter().any(|word| {
        let mut places =
            rest.match_indices(word).map(|(at, _)| (&rest[..at], &rest[at + word.len()..]));
        places.any(|(before, after)| {
            (before.is_empty() || before.ends_with('_'))
                && (after.is_empty() || after.starts_with('_'))
        })
    })
}

const PREFIX: &str = "FOSTER_";

/// What foster itself sets for those that it supervises.
const MARK: &str = "FOSTER_RUN";
