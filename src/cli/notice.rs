//! What foster says that is not a report of the state machine.

use std::fmt;

use crate::config::{Level, LogFormat};
use crate::process::Pid;

use super::json::Members;
use super::line::Style;

/// What foster does for itself, and what failed that it can do without or tries again. The state
/// machine knows nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// foster begins.
    Begun,
    /// A missing file system was mounted.
    Mounted,
    /// A missing file system could not be mounted.
    NotMounted,
    /// A file system, swap or a disk could not be put away at power-off.
    NotPutAway,
    /// The kernel refused to power off.
    NotEnded,
    /// A child cannot share foster's memory until its exec, so every child is forked.
    NotShared,
    /// foster could not become a subreaper.
    NotSubreaper,
    /// The wait for events failed.
    NotWaited,
    /// A console event could not be sent.
    NotBroken,
    /// A program is a batch file by now, to which no argument can be passed safely.
    UnsafeArgument,
    /// Earlier lines could not be written.
    LinesDropped,
    /// Something on the command line has no effect, or not the one that it seems to have.
    Doubtful,
    /// The command line is wrong.
    Misused,
    /// foster could not get something that it needs.
    NotSetUp,
}

impl Notice {
    /// All of them.
    pub const ALL: [Notice; 14] = [
        Notice::Begun,
        Notice::Mounted,
        Notice::NotMounted,
        Notice::NotPutAway,
        Notice::NotEnded,
        Notice::NotShared,
        Notice::NotSubreaper,
        Notice::NotWaited,
        Notice::NotBroken,
        Notice::UnsafeArgument,
        Notice::LinesDropped,
        Notice::Doubtful,
        Notice::Misused,
        Notice::NotSetUp,
    ];

    /// Its name in JSON.
    #[must_use]
    pub fn event(self) -> &'static str {
        match self {
            Notice::Begun => "begun",
            Notice::Mounted => "mounted",
            Notice::NotMounted => "mount_failed",
            Notice::NotPutAway => "put_away_failed",
            Notice::NotEnded => "machine_end_failed",
            Notice::NotShared => "share_failed",
            Notice::NotSubreaper => "subreaper_failed",
            Notice::NotWaited => "wait_failed",
            Notice::NotBroken => "break_failed",
            Notice::UnsafeArgument => "unsafe_argument",
            Notice::LinesDropped => "lines_dropped",
            Notice::Doubtful => "usage_warning",
            Notice::Misused => "usage_error",
            Notice::NotSetUp => "setup_failed",
        }
    }

    /// Its level.
    #[must_use]
    pub fn level(self) -> Level {
        match self {
            Notice::Begun | Notice::Mounted => Level::Info,
            Notice::NotMounted
            | Notice::NotPutAway
            | Notice::NotShared
            | Notice::NotSubreaper
            | Notice::NotWaited
            | Notice::NotBroken
            | Notice::UnsafeArgument
            | Notice::LinesDropped
            | Notice::Doubtful => Level::Warn,
            Notice::NotEnded | Notice::Misused | Notice::NotSetUp => Level::Error,
        }
    }
}

/// A notice, in this style.
#[derive(Clone, Copy, Debug)]
pub struct Note<'a> {
    /// How it looks.
    pub style: Style,
    /// Which it is.
    pub notice: Notice,
    /// The process in question.
    pub pid: Option<Pid>,
    /// The text.
    pub message: fmt::Arguments<'a>,
}

impl fmt::Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.style.format {
            LogFormat::Text => f.write_fmt(self.message),
            LogFormat::Json => {
                let members = Members { pid: self.pid, ..Members::named(self.notice.event()) };
                members.write(&self.message, f)
            }
        }
    }
}
