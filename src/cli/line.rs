//! A line of foster's own log: its style, level, time, and what it says.

use std::fmt;

use crate::config::{Config, Level, LogConfig, LogFormat};
use crate::supervisor::Report;
use crate::time::Timestamp;

use super::json::Members;
use super::message::Message;
use super::show::Coloured;

/// How the lines of foster's own log look.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// For people, or JSON.
    pub format: LogFormat,
    /// Whether a line for people begins with the time.
    pub time: bool,
    /// Whether a line for people is coloured.
    pub colour: bool,
    /// Whether the line about a start shows the command.
    pub words: bool,
}

impl Style {
    /// The style that is configured, without colours.
    #[must_use]
    pub fn of(config: &Config) -> Style {
        let LogConfig { format, time, verbose: words, .. } = config.log;
        Style { format, time, colour: false, words }
    }
}

/// A whole line of foster's own log, without its newline.
pub struct Line<'a> {
    /// How it looks.
    pub style: Style,
    /// When it was written.
    pub now: Timestamp,
    /// Its level.
    pub level: Level,
    /// What it says: a [`Said`] or a [`Note`](super::Note) of the same style.
    pub what: &'a dyn fmt::Display,
}

impl fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { style, now, what, .. } = self;
        let (level, colour) = match self.level {
            Level::Error => ("error", "31"),
            Level::Warn => ("warning", "33"),
            Level::Info => ("info", "32"),
            Level::Debug => ("debug", "36"),
            Level::Trace | Level::Off => ("trace", "2"),
        };
        match style.format {
            LogFormat::Json => write!(f, r#"{{"time":"{now}","level":"{level}"{what}}}"#),
            LogFormat::Text => {
                if style.time {
                    write!(f, "{now} ")?;
                }
                let level = Coloured { what: level, colour: style.colour.then_some(colour) };
                write!(f, "foster: {level}: {what}")
            }
        }
    }
}

/// A report, in foster's words and this style.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The services that the report may be about.
    pub config: &'a Config,
    /// What happened.
    pub report: &'a Report,
    /// How it looks.
    pub style: Style,
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.style.format {
            LogFormat::Text => Message(self).fmt(f),
            LogFormat::Json => Members::of(self.config, self.report).write(&Message(self), f),
        }
    }
}
