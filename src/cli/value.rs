//! Readers for the values of options and variables, and what there is to say of a value that is
//! wrong, in a way that its user can act on: why it is no such thing, and how one is written.

use std::ffi::OsStr;
use std::time::Duration;

use crate::config::Level;
use crate::signal::{Signal, decimal, strip_sig};

use super::near::nearest;
use super::{Platform, Refusal, refusal};

/// What an option takes. All values of a kind are read in one way, and refused in the same words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing on the command line, 1 or 0 in the environment.
    Switch,
    /// When to restart.
    Restart,
    /// Whom a stop is for.
    StopTo,
    /// What becomes of what an unexpected end leaves.
    Leftovers,
    /// Whom signals are for.
    ForwardTo,
    /// The form of the log.
    LogFormat,
    /// A duration.
    Duration,
    /// A duration, or `infinity`.
    Timeout,
    /// A number, or `unlimited`.
    Count,
    /// A signal.
    Signal,
    /// Pairs of signals, of which the second may be 0.
    Rewrites,
    /// Codes, and signals in their stead.
    Statuses,
    /// Nothing on the command line, a filter of env_logger's syntax in the environment.
    Filter,
    /// A port, or `none`.
    Port,
    /// An address or the name of a host.
    Host,
    /// What a service is called.
    Name,
    /// The name of one that foster stands in for.
    Init,
    /// A command line.
    Line,
}

/// Why a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault<'t> {
    /// It is none of its kind.
    Value,
    /// It is none, for this reason.
    Because(&'static str),
    /// It is none, because of this part of it.
    Part(&'t str),
    /// Another reason, and what to do about it.
    Other(&'static str),
}

impl Kind {
    /// Whether an option of this kind has a value on the command line.
    pub(super) fn is_given_a_value(self) -> bool {
        !matches!(self, Kind::Switch | Kind::Filter)
    }

    /// The words to choose from.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Kind::Restart => "never, on-failure, always",
            Kind::StopTo => "leader-first, group, leader",
            Kind::Leftovers => "kill, term, keep",
            Kind::ForwardTo => "group, child",
            Kind::LogFormat => "text, json",
            Kind::Init => "tini, docker-init, dumb-init, catatonit",
            Kind::Signal | Kind::Rewrites => COMMON_SIGNALS,
            Kind::Filter => "off, error, warn, info, debug, trace",
            _ => "",
        }
    }

    /// What is wrong with a value that is none of this kind, and how one is written. Where it breaks
    /// off, the words to choose from are to follow.
    fn wrong(self, platform: Platform) -> &'static str {
        match self {
            Kind::Switch => "is neither 1 nor 0: set it to 1 for yes, 0 for no",
            Kind::Restart
            | Kind::StopTo
            | Kind::Leftovers
            | Kind::ForwardTo
            | Kind::LogFormat
            | Kind::Init => "is none of : write one of them",
            Kind::Duration => "is no duration: write it like 500ms, 10s or 1m30s",
            Kind::Timeout => "is no duration: write it like 500ms, 10s or 1m30s, or infinity",
            Kind::Count => "is no number: write it like 5, or unlimited",
            Kind::Signal => "is no signal: write it like TERM, SIGTERM, 15 or RTMIN+3",
            Kind::Rewrites => "is no rewrite: write it like TERM:QUIT, or HUP:0 to drop HUP",
            Kind::Statuses if platform == Platform::Windows => {
                "is no status: write a code from 0 to 4294967295"
            }
            Kind::Statuses => "is no status: write a code from 0 to 255 or a signal like TERM",
            Kind::Filter => {
                "is no filter: write off, error, warn, info, debug or trace, or foster=LEVEL"
            }
            Kind::Port => "is no port: write a number from 1 to 65535, or none",
            Kind::Host => {
                "is neither an address nor the name of a host: write it like 127.0.0.1, :: or localhost"
            }
            Kind::Name => "is no name: write it with letters, digits, '.', '_' and '-'",
            Kind::Line => "is no command line: give it the command line to run",
        }
    }
}

/// The line for a value that an option or a variable of this name does not take.
#[cold]
pub(super) fn refuse(
    name: &str,
    kind: Kind,
    value: &OsStr,
    fault: Fault<'_>,
    platform: Platform,
) -> Refusal {
    let value = shown(value);
    let (what, how) = kind.wrong(platform).split_once(':').unwrap_or_default();
    let words = kind.words();
    let choice = if what.ends_with(' ') { words } else { "" };
    let mut text = format!("{name}: '{value}' {what}{choice}");
    let mut slip = "";
    match fault {
        Fault::Other(why) => return refusal(format_args!("{name}: '{value}' {why}")),
        Fault::Value if kind != Kind::Rewrites => slip = &value,
        Fault::Value => {}
        Fault::Because(why) => text.extend([", ", why]),
        Fault::Part(part) => {
            slip = part;
            let kind = if kind == Kind::Filter { "level" } else { "signal" };
            text.extend([", '", &shown(OsStr::new(part)), "' is no ", kind]);
        }
    }
    match nearest(strip_sig(slip), &mut words.split(',').map(str::trim_ascii_start)) {
        Some(meant) => text.extend([": did you mean ", meant, "?"]),
        None => text.extend([":", how]),
    }
    Refusal(text.into())
}

/// What anybody wrote, as it is shown in a message: on one line, and not too much of it.
pub(super) fn shown(value: &OsStr) -> String {
    let mut shown = String::new();
    for char in value.to_string_lossy().chars() {
        if shown.len() >= LONGEST {
            shown.push_str("...");
            break;
        }
        shown.push(if char.is_control() { '?' } else { char });
    }
    shown
}

/// Reads `500ms`, `10s`, `1m 30s`, `1.5h`, and 0, which needs no unit.
pub(super) fn duration(text: &str) -> Result<Duration, Fault<'static>> {
    nanoseconds(text).map(Duration::from_nanos).map_err(Fault::Because)
}

fn nanoseconds(text: &str) -> Result<u64, &'static str> {
    const NO_FIT: &str = "it is too large or too fine";
    if text == "0" {
        return Ok(0);
    }
    if text.is_empty() {
        return Err("it is empty");
    }
    let mut rest = text.as_bytes();
    let mut sum = 0_u64;
    while !rest.is_empty() {
        // The digits as a whole number, and how much more that is than they mean.
        let (mut number, mut scale, mut behind_point) = (0_u64, 1_u64, false);
        let mut is_number = false;
        while let [byte @ (b'0'..=b'9' | b'.'), behind @ ..] = rest {
            is_number = *byte != b'.';
            if is_number {
                let digit = u64::from(byte - b'0');
                number =
                    number.checked_mul(10).and_then(|it| it.checked_add(digit)).ok_or(NO_FIT)?;
                scale = if behind_point { scale.checked_mul(10).ok_or(NO_FIT)? } else { 1 };
            } else if behind_point {
                break;
            }
            behind_point |= !is_number;
            rest = behind;
        }
        rest = rest.trim_ascii_start();
        let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
        let end = rest.iter().position(|byte| !is_letter(byte)).unwrap_or(rest.len());
        let (unit, behind) = rest.split_at(end);
        if !is_number || unit.is_empty() && !behind.is_empty() {
            return Err("it is no number and unit");
        }
        if unit.is_empty() {
            return Err("its unit is missing");
        }
        let is_named = |names: &str| names.split(' ').any(|name| name.as_bytes() == unit);
        let (_, nanos) =
            UNITS.iter().find(|(names, _)| is_named(names)).ok_or("its unit is unknown")?;
        let product = number.checked_mul(*nanos).filter(|it| it % scale == 0).ok_or(NO_FIT)?;
        sum = sum.checked_add(product / scale).ok_or(NO_FIT)?;
        rest = behind.trim_ascii_start();
    }
    Ok(sum)
}

/// Reads the time that a stop may take; none for `infinity`.
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
        return Err(Fault::Other("is no rewrite: KILL, STOP and CHLD are never passed on"));
    }
    Ok((from, to))
}

/// Reads a code, or a signal, for which 128+n stands.
pub(super) fn success(text: &str, platform: Platform) -> Result<u32, Fault<'_>> {
    let text = text.trim_ascii();
    match (decimal(text), platform) {
        (Some(code), Platform::Windows) => Ok(code),
        (Some(code @ 0..=255), Platform::Linux) => Ok(code),
        (None, Platform::Linux) => signal(text).map(|signal| 128 + u32::from(signal.number())),
        (Some(_), Platform::Linux) | (None, Platform::Windows) => Err(Fault::Value),
    }
}

/// Reads how much is logged: `LEVEL`, or with env_logger's syntax `TARGET=LEVEL,...`, of which foster
/// is the only target. Where that has no level, nothing is logged.
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

/// env_logger's names of levels, each with what others call it.
const LOG_LEVELS: [(&str, Level); 6] = [
    ("off none quiet silent", Level::Off),
    ("error err emerg alert crit critical fatal", Level::Error),
    ("warn warning", Level::Warn),
    ("info notice information", Level::Info),
    ("debug verbose", Level::Debug),
    ("trace all", Level::Trace),
];

/// Reads the first of the services' ports; none for `none`.
pub(super) fn app_port(text: &str) -> Result<Option<u16>, Fault<'_>> {
    if text == "none" {
        return Ok(None);
    }
    let port = decimal(text).and_then(|number| u16::try_from(number).ok());
    port.filter(|port| *port > 0).map(Some).ok_or(Fault::Value)
}

/// Reads an address or the name of a host. Which of those there are is the service's to find out;
/// but a port, a URL or two of them are a mistake whatever they lead to.
pub(super) fn host(text: &str) -> Result<&str, Fault<'_>> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".:-_%".contains(&byte);
    if text.bytes().filter(|byte| *byte == b':').count() == 1 {
        Err(Fault::Other("is no address alone: its port is for --app-port"))
    } else if text.is_empty() || text.len() > LONGEST_HOST || !text.bytes().all(fits) {
        Err(Fault::Value)
    } else {
        Ok(text)
    }
}

/// Reads how many restarts there may be; none for `unlimited`, or `infinity` as for a time.
pub(super) fn max_restarts(text: &str) -> Result<Option<u32>, Fault<'_>> {
    match text {
        "unlimited" | "infinity" => Ok(None),
        other => decimal(other).map(Some).ok_or(Fault::Value),
    }
}

/// Reads a word of a choice: its place among all of them.
pub(super) fn choice(text: &str, kind: Kind) -> Result<usize, Fault<'static>> {
    let mut words = kind.words().split(',').map(str::trim_ascii_start);
    words.position(|word| word == text).ok_or(Fault::Value)
}

/// Reads a service's name.
pub(super) fn name(text: &str) -> Result<&str, Fault<'_>> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if text.is_empty() {
        Err(Fault::Other("is empty: write a name"))
    } else if text.bytes().all(fits) {
        Ok(text)
    } else {
        Err(Fault::Value)
    }
}

/// Reads a switch: nothing, where an option was given, or a yes or no from the environment.
pub(super) fn switch(text: &str) -> Result<bool, Fault<'_>> {
    match text {
        "" | "1" => Ok(true),
        "0" => Ok(false),
        _ => Err(Fault::Value),
    }
}

/// The names of units, and how many nanoseconds each has. A month is a twelfth of a year, and that
/// has 365.25 days.
const UNITS: [(&str, u64); 10] = [
    ("ns nsec nanos", 1),
    ("us usec \u{b5}s", 1_000),
    ("ms msec millis", 1_000_000),
    ("s sec secs second seconds", SECOND),
    ("m min mins minute minutes", 60 * SECOND),
    ("h hr hrs hour hours", 3600 * SECOND),
    ("d day days", 86_400 * SECOND),
    ("w wk wks week weeks", 7 * 86_400 * SECOND),
    ("M month months", 2_630_016 * SECOND),
    ("y yr yrs year years", 31_557_600 * SECOND),
];

const SECOND: u64 = 1_000_000_000;

/// What is wrong with a value that is no text.
pub(super) const NOT_UTF_8: Fault<'static> = Fault::Other("is not UTF-8: write it in UTF-8");

/// The most that the name of a host can have (gethostname(2), RFC 1123).
const LONGEST_HOST: usize = 255;

/// More of a value than this says nothing more.
const LONGEST: usize = 100;

const COMMON_SIGNALS: &str =
    "TERM, INT, QUIT, HUP, KILL, USR1, USR2, STOP, CONT, TSTP, WINCH, ABRT";

#[cfg(test)]
mod tests {
    use super::*;

    /// All texts of up to so many of these pieces.
    fn texts(pieces: &[&str], longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..longest {
            let longer =
                |text: &String| pieces.iter().map(|it| text.clone() + it).collect::<Vec<_>>();
            last = last.iter().flat_map(longer).collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    #[test]
    fn a_duration_is_what_humantime_takes_it_for() {
        let pieces = ["0", "1", "90", ".", " ", "ns", "ms", "s", "min", "h", "d", "y", "-"];
        let mut read = 0;
        for text in texts(&pieces, 4).iter().map(|text| text.trim()).filter(|text| *text != "0") {
            match (nanoseconds(text), humantime::parse_duration(text)) {
                (Ok(nanos), Ok(other)) => {
                    assert_eq!(u128::from(nanos), other.as_nanos(), "{text}");
                    read += 1;
                }
                (Err(_), Err(_)) => {}
                // It wants whole seconds in hours, and nothing but a digit first.
                (Ok(_), Err(error)) => {
                    let is_finer = error == humantime::DurationError::NumberOverflow;
                    assert!(is_finer || text.contains('.'), "{text}");
                }
                (Err(why), Ok(other)) => {
                    // What has a fraction is counted in that.
                    let is_longer = other.as_nanos() * 100 > u128::from(u64::MAX);
                    assert!(is_longer || text.contains(' '), "{text}: {why}");
                }
            }
        }
        assert!(read > 1000, "{read}");
    }

    #[test]
    fn every_unit_of_humantime_is_one() {
        for unit in UNITS.iter().flat_map(|(names, _)| names.split(' ')) {
            let text = format!("3{unit}");
            let other = humantime::parse_duration(&text).expect(unit);
            assert_eq!(nanoseconds(&text).map(u128::from), Ok(other.as_nanos()), "{unit}");
        }
    }
}
