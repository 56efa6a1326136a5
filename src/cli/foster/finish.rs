//! What can be settled only when the whole command line and environment have been read.

use std::ffi::OsStr;

use crate::config::{Level, Restart, SUPERVISOR_STOP_REQUESTS, StopTo};

use super::super::options::Id;
use super::super::show::Short;
use super::super::{Platform, Refusal, Surroundings, kind::shown, name, refusal};
use super::Draft;

impl<S: Surroundings> Draft<'_, S> {
    /// Completes the configuration.
    pub(super) fn finish(&mut self) -> Result<(), Refusal> {
        let (backoff, services) = (&self.policy.backoff, &self.config.services);
        if backoff.first > backoff.max {
            let (first, max) = (self.source(Id::Backoff), self.source(Id::BackoffMax));
            let (high, low) = (Short(backoff.first), Short(backoff.max));
            return Err(refusal(format_args!(
                "{first}: {high} exceeds {max}, which is {low}: lower {first} or raise {max}"
            )));
        }
        let Some(last) = services.last() else {
            return Err(refusal(format_args!(
                "no command: give COMMAND [ARG]... or --wrap 'COMMAND LINE' (see foster -h)"
            )));
        };
        if self.wraps() && self.has_command {
            let program = String::from_utf8_lossy(last.program.argv.program());
            let command = shown(OsStr::new(&*program));
            return Err(refusal(format_args!(
                "--wrap cannot be combined with a COMMAND ('{command}'): remove one of them"
            )));
        }
        if self.wraps() {
            self.number_ports()?;
            self.config.supervise();
            self.policy.keep_up();
        }
        let (config, policy) = (&mut self.config, &mut self.policy);
        if let Some(restart) = self.restart {
            policy.restart = restart;
        }
        let platform = self.surroundings.platform();
        if policy.restart != Restart::Never || platform == Platform::Windows {
            // Windows has no signals to forward: all that its console can ask for is a stop.
            config.signals.requests = SUPERVISOR_STOP_REQUESTS;
        }
        if policy.restart != Restart::Never {
            policy.kept = true;
            // Restarts happen unasked, so they are logged, and each start and end with them.
            config.log.level = Level::Info;
        }
        if platform == Platform::Windows {
            // A console event can only be sent to a group.
            policy.stop.to = StopTo::Group;
        }
        if let Some(signal) = policy.stop.signal {
            // A container engine that is given this signal as STOPSIGNAL sends it to foster.
            config.signals.requests.insert(signal);
        }
        if let Some(to) = self.stop_to {
            policy.stop.to = to;
        }
        config.signals.dies_with_child = true;
        if self.boot.unwrap_or_else(|| self.surroundings.is_machine()) {
            config.boot();
            // The console is the only log that an init of a system has.
            config.log.level = Level::Info;
        }
        if let Some(level) = self.level {
            config.log.level = level;
        }
        config.stop_timeout = policy.stop.timeout;
        config.share(policy.clone());
        name::name_all(&mut config.services, platform);
        Ok(())
    }

    /// Gives each service its port, one after the other, unless there are to be none.
    fn number_ports(&mut self) -> Result<(), Refusal> {
        let Some(first) = self.app_port else { return Ok(()) };
        let source = self.source(Id::AppPort);
        for (offset, service) in self.config.services.iter_mut().enumerate() {
            let port = u16::try_from(usize::from(first) + offset);
            service.program.port = Some(port.map_err(|_| {
                let number = offset + 1;
                refusal(format_args!(
                    "{source}: '{first}' leaves no port up to 65535 for --wrap number {number}: use a \
                     lower one"
                ))
            })?);
        }
        Ok(())
    }
}
