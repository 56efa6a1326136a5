//! What each option sets.

use std::ffi::OsStr;

use crate::config::{Level, Session};

use super::super::kind::{Fault, refuse};
use super::super::options::{Id, Row, Scope};
use super::super::value::{
    self, FORWARD_TO, KEEP_LEFTOVERS, KILL_LEFTOVERS, LEFTOVERS, LOG_FORMAT, RESTART, STOP_TO,
};
use super::super::{Platform, Refusal, Surroundings, duration::duration, refusal, wrap};
use super::{Draft, Origin};

impl<S: Surroundings> Draft<'_, S> {
    /// Takes the value of an option that was given under this name.
    pub(super) fn take(&mut self, row: &Row, name: &str, value: &OsStr) -> Result<(), Refusal> {
        let platform = self.surroundings.platform();
        if row.platform == Scope::LinuxOnly && platform == Platform::Windows {
            return Err(refusal(format_args!("{name}: not available on Windows: remove it")));
        }
        let fault = match value.to_str() {
            Some(text) => match self.set(row, text) {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            },
            None => value::NOT_UTF_8,
        };
        Err(refuse(name, row.kind, value, fault, platform))
    }

    fn set<'t>(&mut self, row: &Row, raw: &'t str) -> Result<(), Fault<'t>> {
        let text = raw.trim_ascii();
        let platform = self.surroundings.platform();
        let (config, policy) = (&mut self.config, &mut self.policy);
        match row.id {
            Id::Name => self.name = self.name(text)?,
            Id::Wrap => {
                let program = wrap::program(raw, self.surroundings).map_err(Fault::Other)?;
                self.add(program);
            }
            Id::AppPort => self.app_port = value::app_port(text)?,
            Id::AppHost => config.app_host = value::host(text)?.to_owned().into(),
            Id::Restart => self.restart = Some(RESTART.read(text)?),
            Id::Backoff => policy.backoff.first = duration(text)?,
            Id::BackoffMax => policy.backoff.max = duration(text)?,
            Id::HealthyAfter => policy.backoff.healthy_after = duration(text)?,
            Id::MaxRestarts => policy.backoff.max_restarts = value::max_restarts(text)?,
            Id::Success => {
                for part in text.split(',') {
                    policy.success.insert(value::success(part, platform)?);
                }
            }
            Id::StopSignal => policy.stop.signal = Some(value::signal(text)?),
            Id::StopTimeout => policy.stop.timeout = value::stop_timeout(text)?,
            Id::StopTo => self.stop_to = Some(STOP_TO.read(text)?),
            Id::Leftovers => {
                policy.leftovers = LEFTOVERS.read(text)?;
                if platform == Platform::Windows && policy.leftovers != KILL_LEFTOVERS {
                    return Err(Fault::Other("is not available on Windows: use kill"));
                }
                self.supersede(Id::KeepOrphans);
            }
            Id::KeepOrphans => {
                if value::switch(text)? {
                    policy.leftovers = KEEP_LEFTOVERS;
                }
                self.supersede(Id::Leftovers);
            }
            Id::ForwardTo => policy.forward = FORWARD_TO.read(text)?,
            Id::Rewrite => {
                for part in text.split(',') {
                    let (from, to) = value::rewrite(part)?;
                    config.signals.rewrites.set(from, to);
                    self.idle_rewrite = to.filter(|to| *to == from).or(self.idle_rewrite);
                }
            }
            Id::LogFormat => config.log.format = LOG_FORMAT.read(text)?,
            Id::LogTime => config.log.time = value::switch(text)?,
            Id::Verbose if !text.is_empty() => {
                let level = value::log_filter(text)?;
                self.level = Some(level);
                config.log.verbose = level >= Level::Debug;
            }
            Id::Verbose => {
                config.log.verbose = true;
                self.level = Some(match self.level {
                    None | Some(Level::Off | Level::Error | Level::Warn) => Level::Info,
                    Some(Level::Info) => Level::Debug,
                    Some(Level::Debug | Level::Trace) => Level::Trace,
                });
            }
            Id::Quiet => {
                self.level = Some(Level::Error);
                self.supersede(Id::Verbose);
            }
            Id::Session => policy.session = Session::Own,
            Id::NoSubreaper => config.setup.subreaper = false,
            Id::ParentDeathSignal => config.setup.parent_death_signal = Some(value::signal(text)?),
            Id::Boot => self.boot = Some(true),
            Id::NoBoot => self.boot = Some(false),
            Id::As => return Err(Fault::Other("comes too late: put --as first")),
            // They ended the reading.
            Id::Help | Id::Version => {}
        }
        Ok(())
    }

    /// Keeps the variable of an option from being read.
    fn supersede(&mut self, id: Id) {
        self.origins[id as usize] = Origin::Superseded;
    }

    /// Takes a name for the next service.
    fn name<'t>(&self, text: &'t str) -> Result<Box<str>, Fault<'t>> {
        let name = value::name(text)?;
        if !self.name.is_empty() {
            return Err(Fault::Other("is a second name for the same service: keep one of them"));
        }
        if self.config.services.iter().any(|service| *service.name == *name) {
            return Err(Fault::Other("is taken by an earlier --wrap: use another name"));
        }
        Ok(name.into())
    }
}
