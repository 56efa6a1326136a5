//! From a command line to a [`Config`], and from a [`Report`] to words.
//!
//! This is the only place that knows a personality by its name: the base name of `argv[0]`, or
//! `--as NAME`, chooses whose command line is read, and what comes out is plain values. All that
//! has to be known of the world is asked through [`Surroundings`].

mod catatonit;
mod dumb_init;
mod foster;
mod getopt;
mod json;
mod kernel_line;
mod name;
mod near;
mod tini;
mod value;
mod voice;
mod wrap;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::rc::Rc;

use crate::config::{
    Argv, Config, ForwardTo, Leftovers, LogFormat, STOP_TIMEOUT, ServiceConfig, Setup, Stop,
    StopTo, Voice,
};
use crate::exit::OWN_FAILURE;
use crate::process::Pid;
use crate::signal::{Signal, SignalSet};
use crate::supervisor::Report;
use crate::time::Timestamp;

use value::{Fault, Kind};

pub use voice::{Line, Note, Notice, Said, Style};

/// What the reader of a command line may ask about the world.
pub trait Surroundings {
    /// The value of an environment variable, where it is set.
    fn variable(&self, name: &str) -> Option<OsString>;
    /// The names of all variables that begin like this.
    fn names(&self, _prefix: &str) -> Vec<OsString> {
        Vec::new()
    }
    /// Whether this name is that of a program on `PATH` which could be executed.
    fn is_program(&self, word: &OsStr) -> bool;
    /// Whose rules hold for command lines and options.
    fn platform(&self) -> Platform;
    /// foster's own process id, for those who tell it in a message.
    fn own_pid(&self) -> Pid;
    /// The wall clock, for lines that begin with the time.
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }
    /// Whether foster is PID 1 of a machine, not of a container and not an ordinary process.
    fn is_machine(&self) -> bool {
        false
    }
    /// The kernel's own command line, where foster is PID 1 of a machine and it can be read.
    fn kernel_line(&self) -> Option<Vec<u8>> {
        None
    }
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
    Run(Rc<Config>),
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
pub fn parse(mut args: Vec<OsString>, surroundings: &impl Surroundings) -> Outcome {
    let line = surroundings.kernel_line();
    let strays = line.map_or(0, |line| kernel_line::count_strays(&args, &line));
    let mut words = String::new();
    for _ in 0..strays {
        let glue = if words.is_empty() { "'" } else { ", '" };
        words.extend([glue, &value::shown(&args.remove(1)), "'"]);
    }
    let mut outcome = parse_own(args, surroundings);
    if strays > 0 {
        warn_of_strays(&words, &mut outcome);
    }
    outcome
}

/// Says which words of the kernel's command line are not taken for foster's.
#[cold]
fn warn_of_strays(words: &str, outcome: &mut Outcome) {
    let warning = format!(
        "ignoring {words} of the kernel command line: put what is for foster behind --, as in: quiet \
         -- COMMAND"
    );
    match outcome {
        Outcome::Run(config) => {
            // It was made a moment ago, and nobody else has it.
            if let Some(config) = Rc::get_mut(config) {
                config.log.warnings.push(warning);
            }
        }
        Outcome::Say(say) => say.text = format!("foster: warning: {warning}\n{}", say.text),
    }
}

/// Reads the arguments that are foster's own.
fn parse_own(mut args: Vec<OsString>, surroundings: &impl Surroundings) -> Outcome {
    // Those that foster stands in for know nothing of Windows.
    if surroundings.platform() == Platform::Windows {
        return foster::parse(args, surroundings);
    }
    let name = args.first().map_or(&b""[..], |path| base_name(path.as_encoded_bytes()));
    let mut voice = personality(name).unwrap_or(Voice::Foster);
    if voice == Voice::Foster {
        match take_name(&mut args) {
            Ok(chosen) => voice = chosen,
            Err(refusal) => {
                let format = foster::log_format(&args, None, surroundings);
                return refusal.say(format, surroundings).into();
            }
        }
    }
    if voice == Voice::Foster {
        return foster::parse(args, surroundings);
    }
    let mut config = drop_in(voice);
    let command = match voice {
        Voice::Foster | Voice::Tini => tini::parse(&args, surroundings, &mut config),
        Voice::DumbInit => dumb_init::parse(&args, surroundings, &mut config),
        Voice::Catatonit => catatonit::parse(&args, surroundings, &mut config),
    };
    let command = match command {
        Ok(command) => command,
        Err(say) => return Outcome::Say(say),
    };
    if !command.is_empty() {
        let argv = Argv::new(command.iter().map(|word| word.as_encoded_bytes()));
        config.services.push(ServiceConfig::new(argv));
    }
    if let Err(refusal) = limit_stop(&mut config, surroundings) {
        // In the words of one that foster stands in for there is no JSON.
        return refusal.say(LogFormat::Text, surroundings).into();
    }
    Outcome::Run(Rc::new(config))
}

/// Whose command line stands behind a name.
fn personality(name: &[u8]) -> Option<Voice> {
    let is = |known: &str| known.as_bytes() == name;
    PERSONALITIES.iter().find(|(known, _)| is(known)).map(|(_, voice)| *voice)
}

/// podman mounts its catatonit as /run/podman-init.
const PERSONALITIES: [(&str, Voice); 7] = [
    ("foster", Voice::Foster),
    ("tini", Voice::Tini),
    ("tini-static", Voice::Tini),
    ("docker-init", Voice::Tini),
    ("dumb-init", Voice::DumbInit),
    ("catatonit", Voice::Catatonit),
    ("podman-init", Voice::Catatonit),
];

/// Takes a leading `--as NAME` out of the arguments; NAME becomes `argv[0]`.
fn take_name(args: &mut Vec<OsString>) -> Result<Voice, Refusal> {
    let first = args.get(1).and_then(|word| word.to_str()).unwrap_or_default();
    if let Some(name) = first.strip_prefix("--as=") {
        args[1] = name.into();
        args.remove(0);
    } else if first == "--as" && args.len() > 2 {
        args.remove(0);
        args.remove(0);
    } else {
        return Ok(Voice::Foster);
    }
    let name = &args[0];
    let Some(voice) = personality(name.as_encoded_bytes()) else {
        return Err(value::refuse("--as", Kind::Init, name, Fault::Value, Platform::Linux));
    };
    Ok(voice)
}

/// What all those that foster stands in for have in common: a command that runs once, and
/// nothing that they do not do.
fn drop_in(voice: Voice) -> Config {
    let mut config = Config::of(Vec::new());
    config.leftovers = Leftovers::Leave;
    config.forward.to = ForwardTo::Child;
    config.setup = Setup { script_fallback: true, ..Setup::default() };
    config.stop =
        Stop { requests: SignalSet::EMPTY, signal: None, timeout: None, to: StopTo::Leader };
    config.log.voice = voice;
    config
}

/// Gives their stops the deadline that may be asked for. And of a machine, which none of them could
/// end but in a kernel panic, foster is the init under any name.
fn limit_stop(config: &mut Config, surroundings: &impl Surroundings) -> Result<(), Refusal> {
    let name = "FOSTER_STOP_TIMEOUT";
    let given = surroundings.variable(name).filter(|text| !text.is_empty());
    config.stop.timeout = match &given {
        Some(text) => {
            let read = text
                .to_str()
                .ok_or(value::NOT_UTF_8)
                .and_then(|text| value::stop_timeout(text.trim_ascii()));
            read.map_err(|fault| value::refuse(name, Kind::Timeout, text, fault, Platform::Linux))?
        }
        None if surroundings.is_machine() => Some(STOP_TIMEOUT),
        None => None,
    };
    if config.stop.timeout.is_some() {
        config.stop.requests.insert(Signal::TERM);
    }
    if surroundings.is_machine() {
        config.boot();
    }
    Ok(())
}

/// What follows the last slash.
fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// Who takes lines, each without its newline and with the stream that it is for.
pub type Sink<'a> = dyn FnMut(Stream, fmt::Arguments<'_>) + 'a;

/// Puts a report into lines of the configured voice; none where that voice says nothing at its
/// level. foster's own voice always has one, without what stands around it in a [`Line`].
pub fn render(config: &Config, report: &Report, own_pid: Pid, out: &mut Sink<'_>) {
    match config.log.voice {
        Voice::Foster => {
            out(Stream::Err, format_args!("{}", Said { config, report, style: Style::of(config) }));
        }
        Voice::Tini => tini::render(config, report, own_pid, out),
        Voice::DumbInit => dumb_init::render(config, report, out),
        Voice::Catatonit => catatonit::render(config, report, own_pid, out),
    }
}

/// What foster cannot do without, before the first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// To be PID 1 where it is to be a machine's init.
    Machine,
    /// To get a signal when the parent dies.
    ParentDeathSignal,
    /// That orphans come to it.
    Subreaper,
    /// To block signals, so that none kills it.
    Mask,
    /// Something to read signals from.
    Signals,
    /// To see what becomes of its children.
    Children,
}

/// What there is to say, in the configured voice, where foster cannot have something that it
/// needs; `why` is the system's reason.
#[must_use]
pub fn cannot_have(
    config: &Config,
    need: Need,
    why: &str,
    surroundings: &impl Surroundings,
) -> Say {
    let own_pid = surroundings.own_pid();
    let tried = match need {
        Need::Machine => "be the init of a machine (--boot)",
        Need::ParentDeathSignal => "ask for a signal at the parent's death (prctl)",
        Need::Subreaper => "become the subreaper of what its child starts (prctl)",
        Need::Mask => "block signals (rt_sigprocmask)",
        Need::Signals => "read signals (signalfd, rt_sigaction)",
        Need::Children => "see the ends of its children (waitid)",
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

/// What there is to say, in foster's own voice, where it runs nothing.
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
struct Refusal(Box<str>);

impl Refusal {
    /// What there is to say.
    fn say(&self, format: LogFormat, surroundings: &impl Surroundings) -> Say {
        not_run(format, Notice::Misused, &self.0, surroundings)
    }
}

/// A refusal in these words.
#[cold]
fn refusal(text: fmt::Arguments<'_>) -> Refusal {
    Refusal(fmt::format(text).into())
}

impl Say {
    /// This text.
    #[inline(never)]
    fn new(stream: Stream, text: &str, code: u32) -> Say {
        Say { stream, text: text.to_owned(), code }
    }
}

impl From<Say> for Outcome {
    fn from(say: Say) -> Outcome {
        Outcome::Say(say)
    }
}

const LICENCE: &str = concat!(
    "This is foster ",
    env!("CARGO_PKG_VERSION"),
    ", licensed under either of the Apache License, Version 2.0
(https://www.apache.org/licenses/LICENSE-2.0) and the MIT license
(https://opensource.org/license/mit), at your choice.
"
);
