//! Readers for the values of options and variables. Each says what is wrong with a value in a
//! way that its user can act on: why it is no such thing, and how one is written.

use std::ffi::OsStr;
use std::time::Duration;

use crate::config::{ForwardTo, LogFormat, Restart, StopTo};
use crate::signal::Signal;

use super::Platform;
use super::near::nearest;

/// What is wrong with a value, and what to do: to stand behind the value itself.
pub(super) type Wrong = String;

/// A value as it is shown in a message: in quotes and on one line, whatever is in it.
pub(super) fn quoted(value: &OsStr) -> String {
    let text = value.to_string_lossy();
    let mut shown = String::with_capacity(text.len() + 2);
    shown.push('\'');
    for (index, char) in text.chars().enumerate() {
        if index == LONGEST {
            shown.push_str("...");
            break;
        }
        shown.push(if char.is_control() { '?' } else { char });
    }
    shown.push('\'');
    shown
}

/// Reads `500ms`, `10s`, `1m 30s`, and 0, which needs no unit.
pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    use humantime::DurationError as Error;
    let trimmed = text.trim();
    if trimmed == "0" {
        return Ok(Duration::ZERO);
    }
    // So many are a mistake; and beyond the 20 digits of a u64 the library's own sum could panic.
    let why = if trimmed.bytes().filter(u8::is_ascii_digit).count() > DIGITS {
        "it is too long"
    } else {
        match humantime::parse_duration(trimmed) {
            Ok(duration) => return Ok(duration),
            Err(Error::Empty) => "it is empty",
            Err(Error::NumberOverflow) => "it is too large or too fine",
            Err(Error::UnknownUnit { unit, .. }) if unit.is_empty() => "its unit is missing",
            Err(Error::UnknownUnit { .. }) => "its unit is unknown",
            Err(Error::InvalidCharacter(_) | Error::NumberExpected(_)) => {
                "it is no number and unit"
            }
        }
    };
    Err(["is no duration, ", why, ": write it like 500ms, 10s or 1m30s"].concat())
}

/// Reads the time that a stop may take; none for `infinity`.
pub(super) fn stop_timeout(text: &str) -> Result<Option<Duration>, Wrong> {
    match text.trim() {
        "infinity" => Ok(None),
        other => duration(other).map(Some).map_err(|why| why + ", or infinity"),
    }
}

/// Reads a signal.
pub(super) fn signal(text: &str) -> Result<Signal, Wrong> {
    text.trim().parse().map_err(|_| {
        let upper = text.trim().to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let meant = nearest(name, COMMON_SIGNALS).filter(|_| name.len() > 2);
        wrong("is no signal", ": write it like TERM, SIGTERM, 15 or RTMIN+3", meant)
    })
}

/// Reads `FROM:TO`, where TO may be 0.
pub(super) fn rewrite(text: &str) -> Result<(Signal, Option<Signal>), Wrong> {
    let Some((from, to)) = text.split_once(':') else {
        return Err("is no rewrite: write it like TERM:QUIT, or HUP:0 to drop HUP".into());
    };
    let part = |text: &str| {
        signal(text).map_err(|why| [&quoted(OsStr::new(text.trim())), " ", &why].concat())
    };
    let from = part(from).map_err(|why| "is no rewrite: ".to_owned() + &why)?;
    let to = match to.trim() {
        "0" => None,
        to => Some(part(to).map_err(|why| "is no rewrite: ".to_owned() + &why + ", or 0")?),
    };
    if [Signal::KILL, Signal::STOP, Signal::CHLD].contains(&from) {
        return Err("is no rewrite: KILL, STOP and CHLD are never passed on".into());
    }
    Ok((from, to))
}

/// Reads a code, or a signal, for which 128+n stands.
pub(super) fn success(text: &str, platform: Platform) -> Result<u32, Wrong> {
    let text = text.trim();
    let (most, how) = match platform {
        Platform::Linux => (255, "is no status: write a code from 0 to 255 or a signal like TERM"),
        Platform::Windows => (u32::MAX, "is no status: write a code from 0 to 4294967295"),
    };
    match (whole(text), platform) {
        (Some(code), _) if code <= most => Ok(code),
        (None, Platform::Linux) if !text.bytes().all(|byte| byte.is_ascii_digit()) => {
            signal(text).map(|signal| 128 + u32::from(signal.number())).map_err(|_| how.to_owned())
        }
        _ => Err(how.into()),
    }
}

/// Reads a filter of env_logger's syntax, `LEVEL`, `TARGET=LEVEL,...` or either and `/TEXT`, with the
/// levels' names as others write them too. It comes out as env_logger takes it: that would tell of a
/// mistake by itself, on a stderr that may be full or gone.
pub(super) fn log_filter(text: &str) -> Result<String, Wrong> {
    let (parts, words) = match text.split_once('/') {
        None => (text, None),
        Some((_, words)) if words.contains('/') => {
            return Err("is no filter, it has two of /: leave one out".into());
        }
        Some((parts, words)) => (parts, Some(words)),
    };
    let mut filter = String::new();
    for part in parts.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (target, level) = match part.split_once('=') {
            None => match log_level(part) {
                Some(level) => ("", level),
                // There is no other target than foster: another word is a slip.
                None if part == "foster" || part.starts_with("foster::") => (part, "trace"),
                None => return Err(no_level(part)),
            },
            Some((target, level)) => match level.trim() {
                "" => (target.trim(), "trace"),
                level => (target.trim(), log_level(level).ok_or_else(|| no_level(level))?),
            },
        };
        let glue =
            [if filter.is_empty() { "" } else { "," }, if target.is_empty() { "" } else { "=" }];
        filter.extend([glue[0], target, glue[1], level]);
    }
    if let Some(words) = words {
        filter.extend(["/", words]);
    }
    Ok(filter)
}

fn no_level(written: &str) -> Wrong {
    let lower = written.to_ascii_lowercase();
    let meant = nearest(&lower, LOG_LEVELS.iter().map(|(name, _)| *name));
    let why = ["is no filter, ", &quoted(OsStr::new(written)), " is no level"].concat();
    let how = ": write off, error, warn, info, debug or trace, or foster=LEVEL";
    wrong(&why, how, meant)
}

fn log_level(name: &str) -> Option<&'static str> {
    let found = LOG_LEVELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, level)| *level)
}

/// Names of levels, env_logger's and others', and what env_logger calls them.
const LOG_LEVELS: [(&str, &str); 20] = [
    ("off", "off"),
    ("error", "error"),
    ("warn", "warn"),
    ("info", "info"),
    ("debug", "debug"),
    ("trace", "trace"),
    ("none", "off"),
    ("quiet", "off"),
    ("silent", "off"),
    ("emerg", "error"),
    ("alert", "error"),
    ("crit", "error"),
    ("critical", "error"),
    ("fatal", "error"),
    ("err", "error"),
    ("warning", "warn"),
    ("notice", "info"),
    ("information", "info"),
    ("verbose", "debug"),
    ("all", "trace"),
];

/// Reads the first of the services' ports; none for `none`.
pub(super) fn app_port(text: &str) -> Result<Option<u16>, Wrong> {
    if text.trim() == "none" {
        return Ok(None);
    }
    let port = whole(text.trim()).and_then(|number| u16::try_from(number).ok());
    let port = port.filter(|port| *port > 0).map(Some);
    port.ok_or("is no port: write a number from 1 to 65535, or none".into())
}

/// Reads an address or the name of a host. Which of those there are is the service's to find out;
/// but a port, a URL or two of them are a mistake whatever they lead to.
pub(super) fn host(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".:-_%".contains(&byte);
    let colons = text.bytes().filter(|byte| *byte == b':').count();
    let why = if colons == 1 {
        "is no address alone: its port is for --app-port"
    } else if text.is_empty() || text.len() > LONGEST_HOST || !text.bytes().all(fits) {
        "is neither an address nor the name of a host: write it like 127.0.0.1, :: or localhost"
    } else {
        return Ok(text.to_owned());
    };
    Err(why.into())
}

/// Reads how many restarts there may be; none for `unlimited`, or `infinity` as for a time.
pub(super) fn max_restarts(text: &str) -> Result<Option<u32>, Wrong> {
    match text.trim() {
        "unlimited" | "infinity" => Ok(None),
        other => whole(other).map(Some).ok_or("is no number: write it like 5, or unlimited".into()),
    }
}

/// Reads when to restart.
pub(super) fn restart(text: &str) -> Result<Restart, Wrong> {
    let known = ["never", "on-failure", "always"];
    match text.trim() {
        "never" => Ok(Restart::Never),
        "on-failure" => Ok(Restart::OnFailure),
        "always" => Ok(Restart::Always),
        other => Err(wrong(
            "is none of never, on-failure and always",
            ": write one of them",
            nearest(other, known),
        )),
    }
}

/// Reads whom signals are for.
pub(super) fn forward_to(text: &str) -> Result<ForwardTo, Wrong> {
    match text.trim() {
        "group" => Ok(ForwardTo::Group),
        "child" => Ok(ForwardTo::Child),
        other => Err(wrong(
            "is neither group nor child",
            ": write one of them",
            nearest(other, ["group", "child"]),
        )),
    }
}

/// Reads a service's name.
pub(super) fn name(text: &str) -> Result<&str, Wrong> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match text {
        "" => Err("is empty: write a name".into()),
        text if text.bytes().all(fits) => Ok(text),
        _ => Err("is no name: write it with letters, digits, '.', '_' and '-'".into()),
    }
}

/// Reads whom a stop is for.
pub(super) fn stop_to(text: &str) -> Result<StopTo, Wrong> {
    match text.trim() {
        "leader-first" => Ok(StopTo::LeaderFirst),
        "group" => Ok(StopTo::Group),
        "leader" => Ok(StopTo::Leader),
        other => Err(wrong(
            "is none of leader-first, group and leader",
            ": write one of them",
            nearest(other, ["leader-first", "group", "leader"]),
        )),
    }
}

/// Reads the form of the log.
pub(super) fn log_format(text: &str) -> Result<LogFormat, Wrong> {
    match text.trim() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(wrong(
            "is neither text nor json",
            ": write one of them",
            nearest(other, ["text", "json"]),
        )),
    }
}

/// Reads a yes or no from the environment.
pub(super) fn switch(text: &str) -> Result<bool, Wrong> {
    match text.trim() {
        "1" => Ok(true),
        "0" => Ok(false),
        _ => Err("is neither 1 nor 0: set it to 1 for yes, 0 for no".into()),
    }
}

/// A number of digits and nothing else.
fn whole(text: &str) -> Option<u32> {
    // `parse` would take a plus sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn wrong(why: &str, how: &str, meant: Option<&str>) -> Wrong {
    match meant {
        Some(word) => [why, ": did you mean ", word, "?"].concat(),
        None => [why, how].concat(),
    }
}

/// What is wrong with a value that is no text.
pub(super) const NOT_UTF_8: &str = "is not UTF-8: write it in UTF-8";

/// More digits than any duration needs.
const DIGITS: usize = 15;

/// The most that the name of a host can have (gethostname(2), RFC 1123).
const LONGEST_HOST: usize = 255;

/// More of a value than this says nothing more.
const LONGEST: usize = 100;

const COMMON_SIGNALS: [&str; 12] =
    ["TERM", "INT", "QUIT", "HUP", "KILL", "USR1", "USR2", "STOP", "CONT", "TSTP", "WINCH", "ABRT"];
