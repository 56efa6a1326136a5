//! Why foster starts nothing: a command line that it does not accept, or something that it cannot get.

use std::fmt;

use crate::config::{Config, LogFormat, Voice};
use crate::exit::OWN_FAILURE;

use super::line::{Line, Style};
use super::notice::{Note, Notice};
use super::{Say, Stream, Surroundings, catatonit, tini};

/// What foster needs before the first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// To be PID 1, in order to be the init of a system.
    Machine,
    /// To get a signal when the parent dies.
    ParentDeathSignal,
    /// To adopt orphans.
    Subreaper,
    /// To block signals, so that none of them kills it.
    Mask,
    /// To read signals.
    Signals,
    /// To see its children end.
    Children,
}

/// The words, in the configured voice, for something that foster needs and cannot get; `why` is the
/// system's reason.
#[must_use]
pub fn cannot_have(
    config: &Config,
    need: Need,
    why: &str,
    surroundings: &impl Surroundings,
) -> Say {
    let own_pid = surroundings.own_pid();
    let tried = match need {
        Need::Machine => "be the init of a system (--boot)",
        Need::ParentDeathSignal => "ask for a signal when the parent dies (prctl)",
        Need::Subreaper => "become a subreaper (prctl)",
        Need::Mask => "block signals (rt_sigprocmask)",
        Need::Signals => "read signals (signalfd, rt_sigaction)",
        Need::Children => "see its children end (waitid)",
    };
    let own = format!("cannot {tried}: {why}");
    let (text, code) = match (config.log.voice, need) {
        (Voice::Foster, _) => {
            let what = own + "; nothing was started";
            return not_run(config.log.format, Notice::NotSetUp, &what, surroundings);
        }
        (Voice::Tini, Need::Subreaper) => {
            (tini::fatal(own_pid, &format!("Failed to register as child subreaper: {why}")), 1)
        }
        (Voice::Tini, Need::ParentDeathSignal) => {
            (tini::fatal(own_pid, "Failed to set up parent death signal"), 1)
        }
        (Voice::Tini, _) => (tini::fatal(own_pid, &own), 1),
        (Voice::DumbInit, _) => (format!("[dumb-init] {own}"), 1),
        (Voice::Catatonit, Need::Subreaper) => {
            let what = format!("failed to set child-reaper as non-pid1: {why}");
            (catatonit::error_line(own_pid, &what), 1)
        }
        (Voice::Catatonit, Need::Signals) => {
            (catatonit::error_line(own_pid, &format!("failed to create signalfd: {why}")), 1)
        }
        (Voice::Catatonit, _) => (catatonit::error_line(own_pid, &own), 1),
    };
    Say { stream: Stream::Err, text: text + "\n", code }
}

/// The words, in foster's own voice, for why it runs nothing.
#[must_use]
pub fn not_run(
    format: LogFormat,
    notice: Notice,
    why: &str,
    surroundings: &impl Surroundings,
) -> Say {
    let text = match format {
        LogFormat::Text => ["foster: ", why, "\n"].concat(),
        LogFormat::Json => {
            let style = Style { format, time: true, colour: false, words: false };
            let what = Note { style, notice, pid: None, message: format_args!("{why}") };
            let (now, level) = (surroundings.now(), notice.level());
            format!("{}\n", Line { style, now, level, what: &what })
        }
    };
    Say { stream: Stream::Err, text, code: OWN_FAILURE }
}

/// The line for a command line that foster does not accept, without `foster: ` and newline.
pub(super) struct Refusal(pub(super) Box<str>);

impl Refusal {
    /// The whole text, and the code to end with.
    pub(super) fn say(&self, format: LogFormat, surroundings: &impl Surroundings) -> Say {
        not_run(format, Notice::Misused, &self.0, surroundings)
    }
}

/// A refusal in these words.
#[cold]
pub(super) fn refusal(text: fmt::Arguments<'_>) -> Refusal {
    Refusal(fmt::format(text).into())
}
