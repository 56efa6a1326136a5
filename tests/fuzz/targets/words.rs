//! The small words: signals, durations, rewrites, codes of success. What is read as a signal
//! prints as one that reads as the same, and the value of an option is what it says, read once
//! more by other means, or is refused.
#![no_main]

use std::ffi::{OsStr, OsString};
use std::rc::Rc;
use std::time::Duration;

use foster::cli::{self, Outcome, Platform, Surroundings};
use foster::config::{Backoff, Config};
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
    // Texts from the kernel contain no NUL.
    if input.contains('\0') {
        return;
    }
    for (option, told) in OPTIONS {
        let config = read(option, input);
        told(input, config.as_deref());
        if let Some(config) = config {
            assert_eq!(config.services.len(), 1);
        }
    }
});

/// An option, and what must hold of its value and of what came of it; of nothing if it was refused.
type Oracle = (&'static str, fn(&str, Option<&Config>));

/// The options whose values are words of their own.
const OPTIONS: [Oracle; 10] = [
    // The first delay is never above the longest.
    ("--backoff", |text, config| {
        let read = config.map(|config| config.services[0].policy.backoff.first);
        assert!(read.is_none_or(|first| first <= Backoff::default().max), "{text:?}");
        agree(read, text);
    }),
    ("--backoff-max", |text, config| {
        let read = config.map(|config| config.services[0].policy.backoff.max);
        assert!(read.is_none_or(|max| max >= Backoff::default().first), "{text:?}");
        agree(read, text);
    }),
    ("--healthy-after", |text, config| {
        let read = config.map(|config| config.services[0].policy.backoff.healthy_after);
        agree(read, text);
        read.into_iter().for_each(comes_back);
    }),
    ("--stop-timeout", |text, config| {
        let read = config.map(|config| config.services[0].policy.stop.timeout);
        match text.trim_ascii() {
            "infinity" => assert_eq!(read, Some(None)),
            _ => agree(read.map(|timeout| timeout.expect("only that has no end")), text),
        }
    }),
    ("--stop-signal", |text, config| {
        let read = config.map(|config| config.services[0].policy.stop.signal);
        assert_eq!(read, signal(text).map(Some), "{text:?}");
    }),
    ("--rewrite", |text, config| {
        let Some(config) = config else { return };
        let said = text.split(',').map(|part| rewrite(part).expect("it was taken"));
        let said: Vec<(Signal, Option<Signal>)> = said.collect();
        for from in (1..=64).filter_map(Signal::new) {
            // What was said last holds.
            let last = said.iter().rev().find(|(said, _)| *said == from);
            let to = last.map_or(Some(from), |(_, to)| *to);
            assert_eq!(config.signals.rewrites.get(from), to, "{text:?}: {from}");
        }
    }),
    ("--success", |text, config| {
        let said: Option<Vec<u32>> = text.split(',').map(code).collect();
        assert_eq!(said.is_some(), config.is_some(), "{text:?}");
        let (Some(said), Some(config)) = (said, config) else { return };
        for code in 0..=400 {
            let counts = code == 0 || said.contains(&code);
            assert_eq!(config.services[0].policy.success.contains(code), counts, "{text:?}: {code}");
        }
    }),
    ("--max-restarts", |text, config| {
        let read = config.map(|config| config.services[0].policy.backoff.max_restarts);
        let never = ["unlimited", "infinity"].contains(&text.trim_ascii()).then_some(None);
        assert_eq!(read, never.or_else(|| digits(text).map(Some)), "{text:?}");
    }),
    // It is for what --wrap names.
    ("--app-port", |text, config| {
        let port = digits(text).filter(|port| (1..=65535).contains(port));
        assert!(config.is_none() || port.is_some() || text.trim_ascii() == "none", "{text:?}");
    }),
    ("--app-host", |text, config| {
        if let Some(config) = config {
            assert_eq!(config.app_host, text.trim_ascii());
            assert!(!config.app_host.contains(|c: char| c.is_whitespace() || c.is_control()));
        }
    }),
];

fn read(option: &str, value: &str) -> Option<Rc<Config>> {
    let args = ["foster", option, value, "--", "true"].map(OsString::from).to_vec();
    match cli::parse(args, &Nowhere) {
        Outcome::Run(config) => Some(config),
        Outcome::Say(_) => None,
    }
}

/// A duration that was read is what another library takes it for, where that takes it for one: it
/// has other limits, and other places for blanks and points.
fn agree(read: Option<Duration>, text: &str) {
    let text = text.trim_ascii();
    // Beyond the 20 digits of a u64 its sum could panic.
    let long = text.bytes().filter(u8::is_ascii_digit).count() > DIGITS;
    let other =
        || if text == "0" { Some(Duration::ZERO) } else { humantime::parse_duration(text).ok() };
    if let (Some(read), Some(other)) = (read, (!long).then(other).flatten()) {
        assert_eq!(read, other, "{text:?}");
    }
}

/// A duration that was read reads as the same once it is written.
fn comes_back(duration: Duration) {
    let shown = humantime::format_duration(duration).to_string();
    if shown.bytes().filter(u8::is_ascii_digit).count() <= DIGITS {
        let config = read("--healthy-after", &shown).expect("a duration is one");
        assert_eq!(config.services[0].policy.backoff.healthy_after, duration, "{shown}");
    }
}

fn signal(text: &str) -> Option<Signal> {
    text.trim_ascii().parse().ok()
}

fn rewrite(text: &str) -> Option<(Signal, Option<Signal>)> {
    let (from, to) = text.split_once(':')?;
    let to = if to.trim_ascii() == "0" { None } else { Some(signal(to)?) };
    let from = signal(from)?;
    (![Signal::KILL, Signal::STOP, Signal::CHLD].contains(&from)).then_some((from, to))
}

/// A code of 0 to 255, or that of a death by a signal. All digits are a code and no signal.
fn code(text: &str) -> Option<u32> {
    let text = text.trim_ascii();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return digits(text).filter(|code| *code <= 255);
    }
    signal(text).map(|signal| 128 + u32::from(signal.number()))
}

/// A number of nothing but digits.
fn digits(text: &str) -> Option<u32> {
    let text = text.trim_ascii();
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The most digits that foster reads as a duration.
const DIGITS: usize = 15;

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
