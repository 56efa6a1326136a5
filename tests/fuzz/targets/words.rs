//! The small words: signals, durations, rewrites, codes of success. What is read as a signal
//! prints as one that reads as the same, and no option value makes foster panic.
#![no_main]

use std::ffi::{OsStr, OsString};

use foster::cli::{self, Outcome, Platform, Surroundings};
use foster::process::Pid;
use foster::signal::Signal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    if let Ok(signal) = input.parse::<Signal>() {
        // 32 and 33 have no name, and print as what they are.
        let shown = signal.to_string();
        let number = shown.strip_prefix("signal ").unwrap_or(&shown);
        assert_eq!(number.parse(), Ok(signal), "{input:?} is {shown}");
    }
    for option in OPTIONS {
        let args = ["foster", option, input, "--", "true"].map(OsString::from).to_vec();
        if let Outcome::Run(config) = cli::parse(args, &Nowhere) {
            assert_eq!(config.services.len(), 1);
        }
    }
});

/// The options whose values are words of their own.
const OPTIONS: [&str; 9] = [
    "--backoff",
    "--backoff-max",
    "--healthy-after",
    "--stop-timeout",
    "--stop-signal",
    "--rewrite",
    "--success",
    "--max-restarts",
    "--app-port",
];

struct Nowhere;

impl Surroundings for Nowhere {
    fn variable(&self, _: &str) -> Option<OsString> {
        None
    }

    fn is_program(&self, _: &OsStr) -> bool {
        true
    }

    fn platform(&self) -> Platform {
        Platform::Linux
    }

    fn own_pid(&self) -> Pid {
        Pid(1)
    }
}
