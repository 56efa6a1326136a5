//! From a command line to a [`Config`], and from a [`Report`] to words.
//!
//! This is the only place that knows a personality by its name: the base name of `argv[0]`, or
//! `--as NAME`, chooses whose command line is read, and what comes out is plain values. All that
//! has to be known of the world is asked through [`Surroundings`].

mod foster;
mod near;
mod value;
mod voice;
mod wrap;

use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::config::{Config, Voice};
use crate::exit::OWN_FAILURE;
use crate::process::Pid;
use crate::supervisor::Report;

/// What the reader of a command line may ask about the world.
pub trait Surroundings {
    /// The value of an environment variable, where it is set.
    fn variable(&self, name: &str) -> Option<OsString>;
    /// Whether this word is a program that could be executed: by `PATH`, or by its path where it
    /// has a slash.
    fn is_program(&self, word: &OsStr) -> bool;
    /// Whose rules hold for command lines and options.
    fn platform(&self) -> Platform;
    /// foster's own process id, for those who tell it in a message.
    fn own_pid(&self) -> Pid;
}

/// A kind of system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Signals, process groups, `sh`.
    Linux,
    /// Jobs, the console, `%ComSpec%`.
    Windows,
}

/// Where a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// stdout.
    Out,
    /// stderr.
    Err,
}

/// What a command line comes to.
#[derive(Debug)]
pub enum Outcome {
    /// There is something to run.
    Run(Box<Config>),
    /// There is something to say, and nothing to run.
    Say(Say),
}

/// A text, and the code to end with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say {
    /// Where the text goes.
    pub stream: Stream,
    /// The text, to be written as it is: it ends with a newline.
    pub text: String,
    /// The code.
    pub code: u32,
}

/// Reads a command line, `argv[0]` included, and the environment.
pub fn parse(args: Vec<OsString>, surroundings: &dyn Surroundings) -> Outcome {
    foster::parse(args, surroundings)
}

/// Puts a report into words of the configured voice, without a newline; none where that voice
/// says nothing at its level. foster's own voice always says something, and only the message:
/// the level, the prefix and the filter are the logger's.
pub fn render(
    config: &Config,
    report: &Report,
    _own_pid: Pid,
    out: &mut dyn fmt::Write,
) -> Option<Stream> {
    match config.log.voice {
        Voice::Foster | Voice::Tini | Voice::DumbInit | Voice::Catatonit => {
            // A writer that fails has nobody to tell it to.
            let _ = voice::foster(config, report, out);
            Some(Stream::Err)
        }
    }
}

/// The line for a command line that foster does not accept, without `foster: ` and newline.
struct Refusal(String);

impl From<Refusal> for Outcome {
    fn from(Refusal(why): Refusal) -> Outcome {
        let text = ["foster: ", &why, "\n"].concat();
        Outcome::Say(Say { stream: Stream::Err, text, code: OWN_FAILURE })
    }
}
