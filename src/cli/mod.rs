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
pub fn parse(mut args: Vec<OsString>, surroundings: &dyn Surroundings) -> Outcome {
    let Some(line) = surroundings.kernel_line() else { return parse_own(args, surroundings) };
    let stray = kernel_line::take_stray(&mut args, &line);
    let mut outcome = parse_own(args, surroundings);
    if !stray.is_empty() {
        warn_of_stray(&stray, &mut outcome);
    }
    outcome
}

/// Says which words of the kernel's command line are not taken for foster's.
fn warn_of_stray(stray: &[OsString], outcome: &mut Outcome) {
    let words: Vec<String> = stray.iter().map(|word| value::quoted(word)).collect();
    let warning = [
        "ignoring ",
        &words.join(", "),
        " of the kernel command line: put what is for foster behind --, as in: quiet -- COMMAND",
    ]
    .concat();
    match outcome {
        Outcome::Run(config) => {
            // It was made a moment ago, and nobody else has it.
            if let Some(config) = Rc::get_mut(config) {
                config.log.warnings.push(warning);
            }
        }
        Outcome::Say(say) => say.text = ["foster: warning: ", &warning, "\n", &say.text].concat(),
    }
}

/// Reads the arguments that are foster's own.
fn parse_own(mut args: Vec<OsString>, surroundings: &dyn Surroundings) -> Outcome {
    // Those that foster stands in for know nothing of Windows.
    if surroundings.platform() == Platform::Windows {
        return foster::parse(args, surroundings);
    }
    let name = args.first().map_or(&b""[..], |path| base_name(path.as_encoded_bytes()));
    let mut voice = personality(name).unwrap_or(Voice::Foster);
    if voice == Voice::Foster {
        match take_name(&mut args) {
            Ok(Some(chosen)) => voice = chosen,
            Ok(None) => {}
            Err(refusal) => {
                let format = foster::log_format(&args, None, surroundings);
                return refusal.say(format, surroundings).into();
            }
        }
    }
    match voice {
        Voice::Foster => foster::parse(args, surroundings),
        Voice::Tini => tini::parse(&args, surroundings),
        Voice::DumbInit => dumb_init::parse(&args, surroundings),
        Voice::Catatonit => catatonit::parse(&args, surroundings),
    }
}

/// Whose command line stands behind a name.
fn personality(name: &[u8]) -> Option<Voice> {
    match name {
        b"foster" => Some(Voice::Foster),
        b"tini" | b"tini-static" | b"docker-init" => Some(Voice::Tini),
        b"dumb-init" => Some(Voice::DumbInit),
        // podman mounts its catatonit as /run/podman-init.
        b"catatonit" | b"podman-init" => Some(Voice::Catatonit),
        _ => None,
    }
}

/// Takes a leading `--as NAME` out of the arguments; NAME becomes `argv[0]`.
fn take_name(args: &mut Vec<OsString>) -> Result<Option<Voice>, Refusal> {
    let Some(first) = args.get(1).and_then(|word| word.to_str()) else { return Ok(None) };
    let (name, taken) = match (first.strip_prefix("--as="), args.get(2)) {
        (Some(name), _) => (OsString::from(name), 1),
        (None, Some(name)) if first == "--as" => (name.clone(), 2),
        (None, _) => return Ok(None),
    };
    let Some(voice) = personality(name.as_encoded_bytes()) else {
        let known = ["tini", "docker-init", "dumb-init", "catatonit"];
        let hint = match near::nearest(&name.to_string_lossy(), known) {
            Some(meant) => ["did you mean ", meant, "?"].concat(),
            None => "write one of them".to_owned(),
        };
        let why = " is none of tini, docker-init, dumb-init and catatonit: ";
        return Err(Refusal(["--as: ", &value::quoted(&name), why, &hint].concat()));
    };
    args.drain(1..=taken);
    args[0] = name;
    Ok(Some(voice))
}

/// What all those that foster stands in for have in common: a command that runs once, and
/// nothing that they do not do. Only a deadline for stops may be asked for; and of a machine, which
/// none of them could end but in a kernel panic, foster is the init under any name.
fn drop_in(
    voice: Voice,
    command: &[OsString],
    surroundings: &dyn Surroundings,
) -> Result<Config, Refusal> {
    let argv = Argv::new(command.iter().map(|word| word.as_encoded_bytes()));
    let mut config = Config::init(ServiceConfig::new(argv));
    config.leftovers = Leftovers::Leave;
    config.forward.to = ForwardTo::Child;
    config.setup = Setup { script_fallback: true, ..Setup::default() };
    config.log.voice = voice;
    let name = "FOSTER_STOP_TIMEOUT";
    let timeout = match surroundings.variable(name) {
        Some(text) if !text.is_empty() => {
            let read = text.to_str().ok_or_else(|| value::NOT_UTF_8.to_owned());
            read.and_then(value::stop_timeout).map_err(|wrong| {
                Refusal([name, ": ", &value::quoted(&text), " ", &wrong].concat())
            })?
        }
        Some(_) | None if surroundings.is_machine() => Some(STOP_TIMEOUT),
        Some(_) | None => None,
    };
    let requests = match timeout {
        Some(_) => SignalSet::of(&[Signal::TERM]),
        None => SignalSet::EMPTY,
    };
    config.stop = Stop { requests, signal: None, timeout, to: StopTo::Leader };
    if surroundings.is_machine() {
        config.boot();
    }
    Ok(config)
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
pub fn cannot_have(config: &Config, need: Need, why: &str, surroundings: &dyn Surroundings) -> Say {
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
    surroundings: &dyn Surroundings,
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
struct Refusal(String);

impl Refusal {
    /// What there is to say.
    fn say(&self, format: LogFormat, surroundings: &dyn Surroundings) -> Say {
        not_run(format, Notice::Misused, &self.0, surroundings)
    }
}

impl From<Say> for Outcome {
    fn from(say: Say) -> Outcome {
        Outcome::Say(say)
    }
}

impl From<Refusal> for Outcome {
    /// In the words of one that foster stands in for there is no JSON.
    fn from(Refusal(why): Refusal) -> Outcome {
        let text = ["foster: ", &why, "\n"].concat();
        Outcome::Say(Say { stream: Stream::Err, text, code: OWN_FAILURE })
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
