//! Any command line and any environment, for each name that foster goes by: it is refused in
//! words, or comes out as a configuration that holds together.
//!
//! An input is lines of bytes: the name, then arguments, then behind an empty line variables of
//! the environment as NAME=VALUE.
#![no_main]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use foster::cli::{self, Outcome, Platform, Surroundings};
use foster::config::Config;
use foster::process::Pid;
use foster::signal::Signal;
use foster::supervisor::{Facts, Supervisor};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // Texts from the kernel contain no NUL.
    if input.contains(&0) {
        return;
    }
    let mut lines = input.split(|byte| *byte == b'\n');
    let args: Vec<OsString> = lines
        .by_ref()
        .take_while(|line| !line.is_empty())
        .map(|line| OsString::from_vec(line.to_vec()))
        .collect();
    let variables = lines
        .filter_map(|line| {
            let equals = line.iter().position(|byte| *byte == b'=')?;
            let name = std::str::from_utf8(&line[..equals]).ok()?;
            Some((name.to_owned(), OsString::from_vec(line[equals + 1..].to_vec())))
        })
        .collect();
    for (platform, is_machine) in
        [(Platform::Linux, false), (Platform::Linux, true), (Platform::Windows, false)]
    {
        let world = World { variables: Vec::clone(&variables), platform, is_machine };
        match cli::parse(args.clone(), &world) {
            Outcome::Run(config) => check(&config, &world),
            Outcome::Say(say) => {
                assert!(say.text.ends_with('\n') || say.text.is_empty(), "{say:?}");
                assert!(say.code <= 255, "{say:?}");
            }
        }
    }
});

struct World {
    variables: Vec<(String, OsString)>,
    platform: Platform,
    is_machine: bool,
}

impl Surroundings for World {
    fn variable(&self, name: &str) -> Option<OsString> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    fn names(&self, prefix: &str) -> Vec<OsString> {
        let names = self.variables.iter().map(|(name, _)| name);
        names.filter(|name| name.starts_with(prefix)).map(OsString::from).collect()
    }

    fn is_program(&self, word: &OsStr) -> bool {
        // Some are, some are not.
        word.as_bytes().first().is_some_and(|byte| byte % 2 == 0)
    }

    fn platform(&self) -> Platform {
        self.platform
    }

    fn own_pid(&self) -> Pid {
        Pid(1)
    }

    fn is_machine(&self) -> bool {
        self.is_machine
    }
}

/// What a configuration promises whoever reads it.
fn check(config: &Config, world: &World) {
    for service in &config.services {
        assert!(service.policy.backoff.first <= service.policy.backoff.max, "{config:?}");
        assert!(!service.program.argv.program().is_empty() || !service.policy.kept, "{config:?}");
        // No word can hold a NUL: the packed form would tell it as two.
        let words = service.program.argv.words().count();
        let ends = service.program.argv.as_bytes().iter().filter(|byte| **byte == 0).count();
        assert_eq!(words, ends, "{config:?}");
    }
    if config.services.is_empty() {
        assert_eq!(world.platform, Platform::Linux, "only a pause container runs nothing");
    }
    if config.setup.boot {
        // Without these, nothing could end the machine.
        let asks = |signal| config.signals.requests.contains(signal);
        assert!([Signal::INT, Signal::TERM, Signal::PWR].into_iter().all(asks), "{config:?}");
        assert_eq!(world.platform, Platform::Linux, "there is no other machine");
    }
    drop(Supervisor::new(config.clone(), Facts::default()));
}
