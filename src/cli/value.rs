//! Readers for the values of options and variables.

use std::time::Duration;

use crate::config::{ForwardTo, Leftovers, Level, LogFormat, Restart, StopTo};
use crate::signal::{Signal, decimal};

use super::Platform;
use super::duration::duration;
use super::kind::Fault;

/// The words that an option takes, each with what it stands for.
#[derive(Debug)]
pub(super) struct Choice<T: 'static> {
    /// The words as they are listed: `text, json`.
    pub(super) words: &'static str,
    values: &'static [T],
}

impl<T: Copy> Choice<T> {
    /// Reads one of the words.
    pub(super) fn read(&self, text: &str) -> Result<T, Fault<'static>> {
        let mut words = self.words.split(',').map(str::trim_ascii_start);
        let place = words.position(|word| word == text);
        place.and_then(|place| self.values.get(place)).copied().ok_or(Fault::Value)
    }
}

macro_rules! choice {
    ($word:literal => $value:expr $(, $more:literal => $other:expr)* $(,)?) => {
        Choice { words: concat!($word $(, ", ", $more)*), values: &[$value $(, $other)*] }
    };
}

pub(super) const RESTART: Choice<Restart> = choice! {
    "never" => Restart::Never,
    "on-failure" => Restart::OnFailure,
    "always" => Restart::Always,
};

pub(super) const STOP_TO: Choice<StopTo> = choice! {
    "leader-first" => StopTo::LeaderFirst,
    "group" => StopTo::Group,
    "leader" => StopTo::Leader,
};

pub(super) const LEFTOVERS: Choice<Leftovers> = choice! {
    "kill" => KILL_LEFTOVERS,
    "term" => TERM_LEFTOVERS,
    "keep" => KEEP_LEFTOVERS,
};

pub(super) const KILL_LEFTOVERS: Leftovers = Leftovers::Kill { orphans: true, asked: false };
pub(super) const TERM_LEFTOVERS: Leftovers = Leftovers::Kill { orphans: true, asked: true };
pub(super) const KEEP_LEFTOVERS: Leftovers = Leftovers::Kill { orphans: false, asked: false };

pub(super) const FORWARD_TO: Choice<ForwardTo> = choice! {
    "child" => ForwardTo::Child,
    "group" => ForwardTo::Group,
};

pub(super) const LOG_FORMAT: Choice<LogFormat> = choice! {
    "text" => LogFormat::Text,
    "json" => LogFormat::Json,
};

/// Reads the time that a stop may take; `infinity` is none.
pub(super) fn stop_timeout(text: &str) -> Result<Option<Duration>, Fault<'static>> {
    if text == "infinity" { Ok(None) } else { duration(text).map(Some) }
}

/// Reads a signal.
pub(super) fn signal(text: &str) -> Result<Signal, Fault<'_>> {
    text.parse().map_err(|_| Fault::Value)
}

/// Reads `FROM:TO`, where TO may be 0.
pub(super) fn rewrite(text: &str) -> Result<(Signal, Option<Signal>), Fault<'_>> {
    let (from, to) = text.split_once(':').ok_or(Fault::Value)?;
    let part = |text: &'_ str| text.trim_ascii().parse::<Signal>().ok();
    let from = part(from).ok_or(Fault::Part(from.trim_ascii()))?;
    let to = match part(to) {
        None if to.trim_ascii() != "0" => return Err(Fault::Part(to.trim_ascii())),
        to => to,
    };
    if [Signal::KILL, Signal::STOP, Signal::CHLD].contains(&from) {
        return Err(Fault::Other("cannot be rewritten: KILL, STOP and CHLD are never forwarded"));
    }
    Ok((from, to))
}

/// Reads an exit code, or a signal, which means 128 plus its number.
pub(super) fn success(text: &str, platform: Platform) -> Result<u32, Fault<'_>> {
    let text = text.trim_ascii();
    match (decimal(text), platform) {
        (Some(code), Platform::Windows) => Ok(code),
        (Some(code @ 0..=255), Platform::Linux) => Ok(code),
        (None, Platform::Linux) => signal(text).map(|signal| 128 + u32::from(signal.number())),
        (Some(_), Platform::Linux) | (None, Platform::Windows) => Err(Fault::Value),
    }
}

/// Reads how much is logged: `LEVEL`, or `TARGET=LEVEL,...` in env_logger's syntax, where foster is
/// the only target. Without a level for it, nothing is logged.
pub(super) fn log_filter(text: &str) -> Result<Level, Fault<'_>> {
    let (mut all, mut own) = (None, None);
    for part in text.split(',').map(str::trim_ascii).filter(|part| !part.is_empty()) {
        let (target, level) = match part.split_once('=') {
            Some((target, level)) => (target.trim_ascii(), level.trim_ascii()),
            None if part == "foster" => (part, ""),
            None => ("", part),
        };
        let level = if level.is_empty() { "trace" } else { level };
        let level = Some(log_level(level).ok_or(Fault::Part(level))?);
        match target {
            "" => all = level,
            "foster" => own = level,
            _ => {}
        }
    }
    Ok(own.or(all).unwrap_or(Level::Off))
}

fn log_level(name: &str) -> Option<Level> {
    let is_name = |known: &str| known.eq_ignore_ascii_case(name);
    let known = LOG_LEVELS.iter().find(|(names, _)| names.split(' ').any(is_name));
    known.map(|(_, level)| *level)
}

/// The names of levels: env_logger's first, then what other programs call them.
const LOG_LEVELS: [(&str, Level); 6] = [
    ("off none quiet silent", Level::Off),
    ("error err emerg alert crit critical fatal", Level::Error),
    ("warn warning", Level::Warn),
    ("info notice information", Level::Info),
    ("debug verbose", Level::Debug),
    ("trace all", Level::Trace),
];

/// Reads the port of the first service; `none` is none.
pub(super) fn app_port(text: &str) -> Result<Option<u16>, Fault<'_>> {
    if text == "none" {
        return Ok(None);
    }
    let port = decimal(text).and_then(|number| u16::try_from(number).ok());
    port.filter(|port| *port > 0).map(Some).ok_or(Fault::Value)
}

/// Reads an address or a host name. Whether it exists is for the service to find out; a port, a URL
/// or two of them are a mistake in any case.
pub(super) fn host(text: &str) -> Result<&str, Fault<'_>> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".:-_%".contains(&byte);
    if text.bytes().filter(|byte| *byte == b':').count() == 1 {
        Err(Fault::Other("is not an address alone: its port belongs to --app-port"))
    } else if text.is_empty() || text.len() > LONGEST_HOST || !text.bytes().all(fits) {
        Err(Fault::Value)
    } else {
        Ok(text)
    }
}

/// Reads a number of restarts; `unlimited` is none, and so is `infinity`, as for a timeout.
pub(super) fn max_restarts(text: &str) -> Result<Option<u32>, Fault<'_>> {
    match text {
        "unlimited" | "infinity" => Ok(None),
        other => decimal(other).map(Some).ok_or(Fault::Value),
    }
}

/// Reads a service's name.
pub(super) fn name(text: &str) -> Result<&str, Fault<'_>> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !text.is_empty() && text.bytes().all(fits) { Ok(text) } else { Err(Fault::Value) }
}

/// Reads a switch: nothing for an option, 1 or 0 from the environment.
pub(super) fn switch(text: &str) -> Result<bool, Fault<'_>> {
    match text {
        "" | "1" => Ok(true),
        "0" => Ok(false),
        _ => Err(Fault::Value),
    }
}

/// What is wrong with a value that is not text.
pub(super) const NOT_UTF_8: Fault<'static> = Fault::Other("is not UTF-8");

/// The longest host name, in bytes (gethostname(2), RFC 1123).
const LONGEST_HOST: usize = 255;
