//! What to run and how: plain values, made by `cli` and read by everyone else.
//!
//! A personality (`tini`, `dumb-init`, ...) is nothing but values in here: no code outside `cli`
//! asks for its name.

mod log;
mod policy;
mod program;
mod signals;

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use crate::signal::Signal;

pub use log::{Level, LogConfig, LogFormat, Voice};
pub use policy::{
    After, Backoff, ForwardTo, Leftovers, Policy, Restart, STOP_TIMEOUT, Session, Stop, StopTo,
};
pub use program::{Argv, Program, StartFailure};
pub use signals::{
    INIT_STOP_REQUESTS, JobControl, MACHINE_STOP_REQUESTS, Rewrites, SUPERVISOR_STOP_REQUESTS,
    Signals,
};

pub(crate) use policy::STOPPING;

/// All that one run of foster is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// What to run, side by side. Empty only for a pause container, which just reaps.
    pub services: Vec<ServiceConfig>,
    /// `HOST` for those of them that get a `PORT`.
    pub app_host: Cow<'static, str>,
    /// What foster makes of the signals that it gets.
    pub signals: Signals,
    /// From the stop signal to SIGKILL for a stop as a whole; none for never. Once the services of a
    /// system are down, its other processes have this long. If it is a second or less, the first
    /// report of a slow stop waits for it.
    pub stop_timeout: Option<Duration>,
    /// The codes for a command that cannot be started.
    pub start_failure: StartFailure,
    /// What foster sets up for itself before the first start.
    pub setup: Setup,
    /// What it says, how, and how much.
    pub log: LogConfig,
}

/// One thing to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceConfig {
    /// Its name, on one line. Empty if nothing calls it by a name: the voices of emulated inits do
    /// not.
    pub name: Box<str>,
    /// What it runs.
    pub program: Program,
    /// How it is kept.
    pub policy: Rc<Policy>,
}

/// What foster sets up for itself before the first start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// Make itself subreaper where it is not PID 1 (`PR_SET_CHILD_SUBREAPER`, prctl(2)).
    pub subreaper: bool,
    /// Start nothing without that.
    pub needs_subreaper: bool,
    /// Get this signal when the parent ends.
    pub parent_death_signal: Option<Signal>,
    /// Whether the parent is the thread that started foster (tini) rather than its process.
    pub parent_is_thread: bool,
    /// Give up the terminal that stdin is (`TIOCNOTTY`, tty_ioctl(4)).
    pub detach_terminal: bool,
    /// Close every inherited descriptor from 3 up, in foster only.
    pub close_descriptors: bool,
    /// Move foster itself to `/` before its child runs, so that it keeps no mount busy.
    pub leave_directory: bool,
    /// `LISTEN_PID` names foster (sd_listen_fds(3)): let it name the child.
    pub listen_pid: bool,
    /// Start children with no signal blocked, rather than with those that foster inherited so.
    pub unblock_signals: bool,
    /// Report (`Report::NotReaper`) if foster is neither PID 1 nor subreaper, by itself or by
    /// inheritance, when everything is set up.
    pub warn_unless_reaper: bool,
    /// Be the init of a whole system, rather than of a container: mount what is missing, let
    /// signals say how the system is to end, and power it off.
    pub boot: bool,
    /// Run a file without a `#!` line by `/bin/sh`, as execvp(3) of glibc does.
    pub script_fallback: bool,
}

impl Default for Config {
    /// foster's defaults for a command, with nothing to run.
    fn default() -> Self {
        Config {
            services: Vec::new(),
            app_host: Cow::Borrowed(APP_HOST),
            signals: Signals {
                requests: INIT_STOP_REQUESTS,
                rewrites: Rewrites::default(),
                job_control: JobControl::FollowChild,
                dies_with_child: false,
            },
            stop_timeout: Some(STOP_TIMEOUT),
            start_failure: StartFailure::default(),
            setup: Setup { subreaper: true, ..Setup::default() },
            log: LogConfig {
                voice: Voice::Foster,
                level: Level::Warn,
                format: LogFormat::Text,
                time: false,
                verbose: false,
                opening: &[],
                warn_of_orphans: false,
                warnings: Vec::new(),
            },
        }
    }
}

impl Config {
    /// The configuration that runs one command once, with foster's defaults.
    #[must_use]
    pub fn init(program: Program) -> Config {
        Config::of([program], Policy::once())
    }

    /// The configuration that keeps services up, with foster's defaults.
    #[must_use]
    pub fn supervisor(programs: impl IntoIterator<Item = Program>) -> Config {
        let mut config = Config::of(programs, Policy::kept_up());
        config.supervise();
        config
    }

    /// The configuration that runs these programs by one policy, with what else is foster's default
    /// for a command.
    #[must_use]
    pub fn of(programs: impl IntoIterator<Item = Program>, policy: Policy) -> Config {
        let policy = Rc::new(policy);
        let service =
            |program| ServiceConfig { name: Box::default(), program, policy: Rc::clone(&policy) };
        Config { services: programs.into_iter().map(service).collect(), ..Config::default() }
    }

    /// Makes foster one that keeps services up: how each is kept is its policy's to say.
    pub fn supervise(&mut self) {
        self.signals.requests = SUPERVISOR_STOP_REQUESTS;
        self.log.level = Level::Info;
    }

    /// Changes the policy of every service. All share the changed policy of the first one.
    pub fn adjust(&mut self, change: impl FnOnce(&mut Policy)) {
        let Some(first) = self.services.first() else { return };
        let mut policy = Policy::clone(&first.policy);
        change(&mut policy);
        self.share(policy);
    }

    /// Gives every service this policy.
    pub fn share(&mut self, policy: Policy) {
        let policy = Rc::new(policy);
        for service in &mut self.services {
            service.policy = Rc::clone(&policy);
        }
    }

    /// Makes foster the init of a whole system, whatever it runs.
    pub fn boot(&mut self) {
        self.setup.boot = true;
        self.signals.requests = self.signals.requests.union(MACHINE_STOP_REQUESTS);
    }

    /// Whether any service is kept up.
    #[must_use]
    pub fn keeps_any(&self) -> bool {
        self.services.iter().any(|service| service.policy.kept)
    }

    /// The only service, where there is just one.
    #[must_use]
    pub fn only(&self) -> Option<&ServiceConfig> {
        let [only] = self.services.as_slice() else { return None };
        Some(only)
    }
}

/// The loopback address: only the proxy in front of a service is to reach it.
pub const APP_HOST: &str = "127.0.0.1";
