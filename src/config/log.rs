//! What foster says, how, and how much.

/// What foster says, how, and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Whose words.
    pub voice: Voice,
    /// How much.
    pub level: Level,
    /// A line for a person, or one for a machine.
    pub format: LogFormat,
    /// Whether a line for a person begins with the time.
    pub time: bool,
    /// Whether more was asked for: foster's own version, and the words of what it runs, in which
    /// there may be secrets.
    pub verbose: bool,
    /// Lines before all others, if debugging is on (dumb-init).
    pub opening: &'static [&'static str],
    /// Whether each orphan that is reaped gets a warning (tini -w).
    pub warn_of_orphans: bool,
    /// Warnings about the command line, logged once at the start; a line each.
    pub warnings: Vec<String>,
}

/// Whose words a report is put into. This changes only wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// foster's own.
    Foster,
    /// tini's.
    Tini,
    /// dumb-init's.
    DumbInit,
    /// catatonit's.
    Catatonit,
}

/// How severe a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing is logged.
    Off,
    /// Something failed that was asked for.
    Error,
    /// Something is odd, and foster goes on.
    Warn,
    /// What a supervisor does.
    Info,
    /// Why it does it.
    Debug,
    /// All that comes in and goes out.
    Trace,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Text,
    /// One JSON object a line.
    Json,
}
