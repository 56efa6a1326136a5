//! The kinds of values that options and variables take, and what to say of a value that is wrong:
//! why, and how a right one is written.

use std::ffi::OsStr;

use crate::signal::strip_sig;

use super::near::nearest;
use super::value::{FORWARD_TO, LEFTOVERS, LOG_FORMAT, RESTART, STOP_TO};
use super::{Platform, Refusal, refusal};

/// What an option takes. All values of a kind are read the same way and refused in the same words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing on the command line, 1 or 0 in the environment.
    Switch,
    /// When to restart.
    Restart,
    /// Who gets the stop signal.
    StopTo,
    /// What happens to processes that outlive a crash.
    Leftovers,
    /// Who gets other signals.
    ForwardTo,
    /// The format of the log.
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
    /// Exit codes and signals.
    Statuses,
    /// Nothing on the command line, a filter in env_logger's syntax in the environment.
    Filter,
    /// A port, or `none`.
    Port,
    /// An address or a host name.
    Host,
    /// The name of a service.
    Name,
    /// The name of an init that foster emulates.
    Init,
    /// A command line.
    Line,
}

impl Kind {
    /// Whether an option of this kind has a value on the command line.
    #[must_use]
    pub fn takes_value(self) -> bool {
        !matches!(self, Kind::Switch | Kind::Filter)
    }

    /// What stands for the value in help texts.
    #[must_use]
    pub const fn placeholder(self) -> &'static str {
        match self {
            Kind::Switch | Kind::Filter => "",
            Kind::Restart => "WHEN",
            Kind::StopTo | Kind::ForwardTo => "WHOM",
            Kind::Leftovers => "HOW",
            Kind::LogFormat => "FORMAT",
            Kind::Duration | Kind::Timeout => "DUR",
            Kind::Count | Kind::Port => "N",
            Kind::Signal => "SIG",
            Kind::Rewrites => "FROM:TO",
            Kind::Statuses => "CODE|SIG",
            Kind::Host => "ADDR",
            Kind::Name | Kind::Init => "NAME",
            Kind::Line => "CMDLINE",
        }
    }

    /// The words to choose from; for signals and levels, those that are common.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Kind::Restart => RESTART.words,
            Kind::StopTo => STOP_TO.words,
            Kind::Leftovers => LEFTOVERS.words,
            Kind::ForwardTo => FORWARD_TO.words,
            Kind::LogFormat => LOG_FORMAT.words,
            Kind::Init => "tini, docker-init, dumb-init, catatonit",
            Kind::Signal | Kind::Rewrites => COMMON_SIGNALS,
            Kind::Filter => "off, error, warn, info, debug, trace",
            _ => "",
        }
    }

    /// What a value of this kind is called, a colon, and how one is written. Where that ends with a
    /// blank, the words to choose from follow.
    fn described(self, platform: Platform) -> &'static str {
        match self {
            Kind::Switch => "value:use 1 for yes, 0 for no",
            Kind::Restart
            | Kind::StopTo
            | Kind::Leftovers
            | Kind::ForwardTo
            | Kind::LogFormat
            | Kind::Init => "value:use one of ",
            Kind::Duration => "duration:write it like 500ms, 10s or 1m30s",
            Kind::Timeout => "duration:write it like 500ms, 10s or 1m30s, or infinity",
            Kind::Count => "number:write it like 5, or unlimited",
            Kind::Signal => "signal:write it like TERM, SIGTERM, 15 or RTMIN+3",
            Kind::Rewrites => "rewrite:write it like TERM:QUIT, or HUP:0 to drop HUP",
            Kind::Statuses if platform == Platform::Windows => {
                "status:use a code from 0 to 4294967295"
            }
            Kind::Statuses => "status:use a code from 0 to 255 or a signal like TERM",
            Kind::Filter => "filter:use off, error, warn, info, debug or trace, or foster=LEVEL",
            Kind::Port => "port:use a number from 1 to 65535, or none",
            Kind::Host => "host:write it like 127.0.0.1, :: or localhost",
            Kind::Name => "name:use letters, digits, '.', '_' and '-'",
            Kind::Line => "command line:give the command line to run",
        }
    }
}

/// Why a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault<'t> {
    /// It is not of the kind.
    Value,
    /// It is not, for this reason.
    Because(&'static str),
    /// It is a duration but for its last unit.
    NoUnit,
    /// A part of it is not.
    Part(&'t str),
    /// Another reason, and what to do about it.
    Other(&'static str),
}

/// The line that refuses the value of an option or variable.
#[cold]
pub(super) fn refuse(
    name: &str,
    kind: Kind,
    value: &OsStr,
    fault: Fault<'_>,
    platform: Platform,
) -> Refusal {
    let value = shown(value);
    let (what, how) = kind.described(platform).split_once(':').unwrap_or_default();
    let words = kind.words();
    let mut text = format!("{name}: invalid {what} '{value}': ");
    let mut slip = "";
    match fault {
        Fault::Other(why) => return refusal(format_args!("{name}: '{value}' {why}")),
        Fault::NoUnit => {
            text.extend(["missing unit (try ", &value, "s)"]);
            return Refusal(text.into());
        }
        Fault::Value if kind != Kind::Rewrites => slip = &value,
        Fault::Value => {}
        Fault::Because(why) => text.extend([why, "; "]),
        Fault::Part(part) => {
            slip = part;
            let kind = if kind == Kind::Filter { "level" } else { "signal" };
            text.extend(["no ", kind, " '", &shown(OsStr::new(part)), "'; "]);
        }
    }
    match nearest(strip_sig(slip), &mut words.split(',').map(str::trim_ascii_start)) {
        Some(meant) => text.extend(["did you mean ", meant, "?"]),
        None => text.extend([how, if how.ends_with(' ') { words } else { "" }]),
    }
    Refusal(text.into())
}

/// A text from outside as it is shown in a message: on one line, and not too much of it.
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

/// How much of a value is shown, in bytes.
const LONGEST: usize = 100;

const COMMON_SIGNALS: &str =
    "TERM, INT, QUIT, HUP, KILL, USR1, USR2, STOP, CONT, TSTP, WINCH, ABRT";
