//! From a command line to a [`Config`], and from a [`Report`] to words.
//!
//! Only this module knows personalities by name: the base name of `argv[0]`, or `--as NAME`, chooses
//! whose command line is read, and the result is plain values. Everything that has to be known about
//! the system is asked through [`Surroundings`].

mod catatonit;
mod dumb_init;
mod duration;
mod foster;
mod getopt;
mod json;
mod kernel_line;
mod kind;
mod line;
mod message;
mod name;
mod near;
mod notice;
mod options;
mod refusal;
mod show;
mod tini;
mod value;
mod wrap;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::rc::Rc;

use crate::config::{
    Argv, Config, Leftovers, LogFormat, Policy, Program, STOP_TIMEOUT, ServiceConfig, Setup, Stop,
    StopTo, Voice,
};
use crate::process::Pid;
use crate::signal::{Signal, SignalSet};
use crate::supervisor::Report;
use crate::time::Timestamp;

use kind::Fault;
use refusal::{Refusal, refusal};

pub use kind::Kind;
pub use line::{Line, Said, Style};
pub use notice::{Note, Notice};
pub use options::{Entry, HELP, Id, Row, SECTIONS, Scope, Section};
pub use refusal::{Need, cannot_have, not_run};

/// What the reader of a command line may ask about its surroundings.
pub trait Surroundings {
    /// The value of an environment variable, if it is set.
    fn variable(&self, name: &str) -> Option<OsString>;
    /// The names of all variables that begin like this.
    fn names(&self, _prefix: &str) -> Vec<OsString> {
        Vec::new()
    }
    /// Whether there is an executable program of this name on `PATH`.
    fn is_program(&self, word: &OsStr) -> bool;
    /// Whose rules apply to command lines and options.
    fn platform(&self) -> Platform;
    /// foster's own process id, for messages that contain it.
    fn own_pid(&self) -> Pid;
    /// The wall clock, for lines that begin with the time.
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }
    /// Whether foster is PID 1 of a whole system, not of a container, and not an ordinary process.
    fn is_machine(&self) -> bool {
        false
    }
    /// The kernel's command line, if foster is PID 1 of a whole system and can read it.
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

/// The result of a command line.
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
        words.extend([glue, &kind::shown(&args.remove(1)), "'"]);
    }
    let mut outcome = parse_own(args, surroundings);
    if strays > 0 {
        warn_of_strays(&words, &mut outcome);
    }
    outcome
}

/// Warns about words of the kernel's command line that foster ignores.
#[cold]
fn warn_of_strays(words: &str, outcome: &mut Outcome) {
    let warning = format!(
        "ignoring {words} of the kernel command line: put arguments for foster behind --, as in: quiet \
         -- COMMAND"
    );
    match outcome {
        Outcome::Run(config) => {
            // It was just made, so nothing else holds it.
            if let Some(config) = Rc::get_mut(config) {
                config.log.warnings.push(warning);
            }
        }
        Outcome::Say(say) => say.text = format!("foster: warning: {warning}\n{}", say.text),
    }
}

/// Reads the arguments that are meant for foster.
fn parse_own(mut args: Vec<OsString>, surroundings: &impl Surroundings) -> Outcome {
    // None of the inits that foster emulates exists on Windows.
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
    let (mut config, mut policy) = drop_in(voice);
    let (it, how) = (&mut config, &mut policy);
    let command = match voice {
        Voice::Foster | Voice::Tini => tini::parse(&args, surroundings, it, how),
        Voice::DumbInit => dumb_init::parse(&args, surroundings, it, how),
        Voice::Catatonit => catatonit::parse(&args, surroundings, it, how),
    };
    let command = match command {
        Ok(command) => command,
        Err(say) => return Outcome::Say(say),
    };
    if let Err(refusal) = limit_stop(&mut config, &mut policy, surroundings) {
        // The inits that foster emulates have no JSON log.
        return refusal.say(LogFormat::Text, surroundings).into();
    }
    if !command.is_empty() {
        let argv = Argv::new(command.iter().map(|word| word.as_encoded_bytes()));
        let (name, program) = (Box::default(), Program::new(argv));
        config.services.push(ServiceConfig { name, program, policy: Rc::new(policy) });
    }
    Outcome::Run(Rc::new(config))
}

/// Whose command line a name stands for.
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
        return Err(kind::refuse("--as", Kind::Init, name, Fault::Value, Platform::Linux));
    };
    Ok(voice)
}

/// What all inits that foster emulates have in common: a command that runs once, and none of the
/// things that only foster does.
fn drop_in(voice: Voice) -> (Config, Policy) {
    let mut policy = Policy::once();
    policy.leftovers = Leftovers::Leave;
    policy.stop = Stop { signal: None, timeout: None, to: StopTo::Leader };
    let mut config = Config::default();
    config.signals.requests = SignalSet::EMPTY;
    config.setup = Setup { script_fallback: true, ..Setup::default() };
    config.log.voice = voice;
    (config, policy)
}

/// Applies `FOSTER_STOP_TIMEOUT` to their stops. As PID 1 of a whole system, which none of them could
/// end without a kernel panic, foster is the init under any name.
fn limit_stop(
    config: &mut Config,
    policy: &mut Policy,
    surroundings: &impl Surroundings,
) -> Result<(), Refusal> {
    let name = "FOSTER_STOP_TIMEOUT";
    let given = surroundings.variable(name).filter(|text| !text.is_empty());
    policy.stop.timeout = match &given {
        Some(text) => {
            let read = text
                .to_str()
                .ok_or(value::NOT_UTF_8)
                .and_then(|text| value::stop_timeout(text.trim_ascii()));
            read.map_err(|fault| kind::refuse(name, Kind::Timeout, text, fault, Platform::Linux))?
        }
        None if surroundings.is_machine() => Some(STOP_TIMEOUT),
        None => None,
    };
    config.stop_timeout = policy.stop.timeout;
    if policy.stop.timeout.is_some() {
        config.signals.requests.insert(Signal::TERM);
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

/// Takes lines, each without its newline and with the stream that it is for.
pub type Sink<'a> = dyn FnMut(Stream, fmt::Arguments<'_>) + 'a;

/// Puts a report into lines of the configured voice. A voice may have no line for a report; foster's
/// own always has one, without what a [`Line`] puts around it.
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
