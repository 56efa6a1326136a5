//! Simulated surroundings.

use std::ffi::{OsStr, OsString};
use std::rc::Rc;
use std::time::Duration;

use foster::cli::{self, Outcome, Platform, Say, Stream, Surroundings};
use foster::config::Config;
use foster::process::{Pid, RunNumber, ServiceId};
use foster::supervisor::Report;
use foster::time::Timestamp;

use crate::frozen::assert_frozen;

/// An environment, and a few programs on its PATH.
pub struct World {
    pub variables: Vec<(String, OsString)>,
    pub programs: Vec<&'static str>,
    pub platform: Platform,
    pub machine: bool,
}

impl World {
    pub fn new() -> Self {
        let programs = vec!["app", "/bin/app", "echo", "api"];
        World { variables: Vec::new(), programs, platform: Platform::Linux, machine: false }
    }

    pub fn windows() -> Self {
        World { platform: Platform::Windows, ..World::new() }
    }

    /// One in which foster is PID 1 of a whole system.
    pub fn machine() -> Self {
        World { machine: true, ..World::new() }
    }

    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    #[track_caller]
    pub fn parse<A: Into<OsString> + Clone>(&self, args: &[A]) -> Outcome {
        let args: Vec<OsString> = args.iter().cloned().map(Into::into).collect();
        let outcome = cli::parse(args.clone(), self);
        if let Outcome::Run(config) = &outcome {
            assert_frozen(&args, self, config);
        }
        outcome
    }

    /// The configuration of a valid command line.
    #[track_caller]
    pub fn config(&self, args: &[&str]) -> Config {
        match self.parse(args) {
            Outcome::Run(config) => Rc::unwrap_or_clone(config),
            Outcome::Say(say) => panic!("{args:?} says {say:?}"),
        }
    }

    /// The message of a command line that runs nothing.
    #[track_caller]
    pub fn say<A: Into<OsString> + Clone + std::fmt::Debug>(&self, args: &[A]) -> Say {
        match self.parse(args) {
            Outcome::Run(config) => panic!("{args:?} runs {config:?}"),
            Outcome::Say(say) => say,
        }
    }
}

impl Surroundings for World {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn names(&self, prefix: &str) -> Vec<OsString> {
        let names = self.variables.iter().map(|(name, _)| name);
        let begins_so = |name: &&String| match self.platform {
            Platform::Linux => name.starts_with(prefix),
            Platform::Windows => name.to_ascii_uppercase().starts_with(prefix),
        };
        names.filter(begins_so).map(OsString::from).collect()
    }

    fn is_program(&self, word: &OsStr) -> bool {
        self.programs.iter().any(|program| *program == word)
    }

    fn platform(&self) -> Platform {
        self.platform
    }

    fn own_pid(&self) -> Pid {
        Pid(7)
    }

    fn now(&self) -> Timestamp {
        Timestamp(Duration::from_secs(7))
    }

    fn is_machine(&self) -> bool {
        self.machine
    }
}

/// The words of the one command.
pub fn words(config: &Config) -> Vec<String> {
    let [service] = &config.services[..] else { panic!("{:?}", config.services) };
    service.program.argv.words().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// The lines for a report, logged by process 7.
pub fn lines(config: &Config, report: Report) -> Vec<(Stream, String)> {
    let mut lines = Vec::new();
    cli::render(config, &report, Pid(7), &mut |stream, line| {
        lines.push((stream, line.to_string()))
    });
    lines
}

/// The same as one text, if all of it goes to one stream.
#[track_caller]
pub fn said(config: &Config, report: Report) -> Option<(Stream, String)> {
    let lines = lines(config, report);
    let (stream, _) = *lines.first()?;
    assert!(lines.iter().all(|(other, _)| *other == stream), "{lines:?}");
    Some((stream, lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n")))
}

/// The only service.
pub const SERVICE: ServiceId = ServiceId(0);

/// Its first run.
pub const RUN: RunNumber = RunNumber(1);
