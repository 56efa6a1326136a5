//! foster's own command line and environment.
//!
//! The command line is read first, then the variables of the options that it did not give. What
//! they say is collected in a [`Draft`], which `set.rs` fills and `finish.rs` completes.

mod finish;
mod peers;
mod set;
mod unknown;
mod unused;

use std::ffi::{OsStr, OsString};
use std::rc::Rc;

use lexopt::{Arg, Parser};

use crate::config::{
    Argv, Config, Level, LogFormat, Policy, Program, Restart, ServiceConfig, StopTo,
};
use crate::signal::Signal;

use super::options::{HELP, Id, OPTIONS, row};
use super::value::LOG_FORMAT;
use super::{Outcome, Refusal, Say, Stream, Surroundings, kind::shown, refusal, wrap};

/// What ends the reading of a command line early.
enum End {
    /// A text that was asked for.
    Text(&'static str),
    /// A mistake.
    Refused(Refusal),
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> End {
        End::Refused(refusal)
    }
}

/// Parses foster's own command line.
pub(super) fn parse<S: Surroundings>(args: Vec<OsString>, surroundings: &S) -> Outcome {
    let mut draft = Draft::new(surroundings);
    let mut args = args.into_iter();
    args.next();
    let mut parser = Parser::from_args(args);
    let refusal = match draft.read(&mut parser) {
        Ok(()) => return Outcome::Run(Rc::new(draft.config)),
        Err(End::Text(text)) => {
            return Outcome::Say(Say::new(Stream::Out, text, 0));
        }
        Err(End::Refused(refusal)) => refusal,
    };
    // A program may read the refusal, so --log-format counts behind the mistake too. Behind a
    // command, everything is the command's.
    let _ = parser.optional_value();
    let rest = parser.raw_args().ok().filter(|_| !draft.has_command);
    let rest = rest.as_ref().map_or(&[][..], |rest| rest.as_slice());
    let before = Some(draft.config.log.format).filter(|_| draft.is_given(Id::LogFormat));
    refusal.say(log_format(rest, before, surroundings), surroundings).into()
}

/// The format of the line that refuses a command line: `rest` was not read, and `before` was given
/// in the part that was.
pub(super) fn log_format(
    rest: &[OsString],
    before: Option<LogFormat>,
    surroundings: &impl Surroundings,
) -> LogFormat {
    let row = row(Id::LogFormat);
    let read = |text: &OsStr| LOG_FORMAT.read(text.to_str()?).ok();
    let mut format = before;
    let mut words = rest.iter().take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        let behind = word.to_str().and_then(|word| word.strip_prefix(row.name));
        let given = match behind {
            Some("") => words.next().map(OsString::as_os_str),
            Some(rest) => rest.strip_prefix('=').map(OsStr::new),
            None => None,
        };
        format = given.and_then(read).or(format);
    }
    let inherited = || read(&surroundings.variable(row.variable)?);
    format.or_else(inherited).unwrap_or(LogFormat::Text)
}

/// Where the value of an option comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// Nowhere: its default holds.
    Unset,
    /// Another option that says the same, so that the variable of this one is not read.
    Superseded,
    /// Its variable.
    Environment,
    /// The command line.
    CommandLine,
}

/// What has been read so far.
struct Draft<'a, S> {
    surroundings: &'a S,
    /// By option.
    origins: [Origin; OPTIONS.len()],
    /// The name for the next service.
    name: Box<str>,
    /// Whether the last of the services is a COMMAND rather than one of `--wrap`.
    has_command: bool,
    /// The services, and every setting that does not depend on whether there are any.
    config: Config,
    /// How all services are kept.
    policy: Policy,
    /// None where services get no port.
    app_port: Option<u16>,
    restart: Option<Restart>,
    stop_to: Option<StopTo>,
    /// A signal that is rewritten to itself.
    idle_rewrite: Option<Signal>,
    boot: Option<bool>,
    level: Option<Level>,
}

impl<'a, S: Surroundings> Draft<'a, S> {
    fn new(surroundings: &'a S) -> Self {
        Draft {
            surroundings,
            origins: [Origin::Unset; OPTIONS.len()],
            name: Box::default(),
            has_command: false,
            config: Config::default(),
            policy: Policy::once(),
            app_port: Some(APP_PORT),
            restart: None,
            stop_to: None,
            idle_rewrite: None,
            boot: None,
            level: None,
        }
    }

    /// Reads the command line and the environment into the configuration.
    fn read(&mut self, parser: &mut Parser) -> Result<(), End> {
        self.read_arguments(parser)?;
        self.read_environment()?;
        self.finish()?;
        self.warn();
        Ok(())
    }

    /// Adds a service, under the name that was given for it.
    fn add(&mut self, program: Program) {
        // All share the first one's until `finish` gives them theirs: one each would waste memory.
        let first = self.config.services.first().map(|first| Rc::clone(&first.policy));
        let (name, policy) = (std::mem::take(&mut self.name), first.unwrap_or_default());
        self.config.services.push(ServiceConfig { name, program, policy });
    }

    /// Reads the options up to the command, or up to one that only prints something.
    fn read_arguments(&mut self, parser: &mut Parser) -> Result<(), End> {
        let platform = self.surroundings.platform();
        while let Some(arg) = parser.next().map_err(misused)? {
            let row = match arg {
                Arg::Value(program) => {
                    let rest = parser.raw_args().map_err(misused)?;
                    let words = std::iter::once(&program).chain(rest.as_slice());
                    let argv = Argv::new(words.map(|word| word.as_encoded_bytes()));
                    self.add(Program::new(argv));
                    self.has_command = true;
                    return Ok(());
                }
                Arg::Long(name) => match OPTIONS.iter().find(|row| row.word() == name) {
                    Some(row) => row,
                    None => return Err(unknown::option("--", name, platform).into()),
                },
                Arg::Short(letter) => match OPTIONS.iter().find(|row| row.short == Some(letter)) {
                    Some(row) => row,
                    None => {
                        let rest = parser.optional_value().unwrap_or_default();
                        let word = format!("{letter}{}", rest.to_string_lossy());
                        return Err(unknown::option("-", &word, platform).into());
                    }
                },
            };
            let value = match row.id {
                Id::Help => return Err(End::Text(HELP)),
                Id::Version => return Err(End::Text(VERSION)),
                _ if row.kind.takes_value() => parser.value().map_err(misused)?,
                _ => OsString::new(),
            };
            self.take(row, row.name, &value)?;
            self.origins[row.id as usize] = Origin::CommandLine;
        }
        if self.name.is_empty() {
            return Ok(());
        }
        let name = &self.name;
        Err(refusal(format_args!(
            "--name: no service follows '{name}': put it before its --wrap or COMMAND"
        ))
        .into())
    }

    /// Reads the variables of the options that the command line did not give.
    fn read_environment(&mut self) -> Result<(), Refusal> {
        for row in OPTIONS.iter().filter(|row| !row.variable.is_empty()) {
            let is_wanted = match row.id {
                Id::Wrap => self.config.services.is_empty(),
                // These names are so common that a COMMAND may have its own use for them.
                Id::AppPort | Id::AppHost => self.wraps(),
                _ => true,
            };
            if !is_wanted || self.origin(row.id) != Origin::Unset {
                continue;
            }
            let Some(value) = self.surroundings.variable(row.variable) else { continue };
            // Kubernetes sets it for every pod beside a Service named `app` or `wrap`.
            let is_kubernetes = !row.variable.starts_with("FOSTER_") && is_services(&value);
            // An empty variable is as good as none; but an empty command line is a mistake.
            if is_kubernetes || value.is_empty() && row.id != Id::Wrap {
                continue;
            }
            self.origins[row.id as usize] = Origin::Environment;
            let mut lines = value.to_str().filter(|_| row.id == Id::Wrap).unwrap_or_default();
            let mut has_lines = false;
            while !lines.is_empty() {
                let line;
                (line, lines) = wrap::split_line(lines, self.surroundings.platform());
                if wrap::is_command(line, self.surroundings.platform()) {
                    has_lines = true;
                    self.take(row, row.variable, OsStr::new(line))?;
                }
            }
            if !has_lines {
                self.take(row, row.variable, &value)?;
            }
        }
        Ok(())
    }

    /// Whether there are services of `--wrap`.
    fn wraps(&self) -> bool {
        self.config.services.len() > usize::from(self.has_command)
    }

    fn origin(&self, id: Id) -> Origin {
        self.origins[id as usize]
    }

    fn is_given(&self, id: Id) -> bool {
        self.origin(id) == Origin::CommandLine
    }

    fn is_inherited(&self, id: Id) -> bool {
        self.origin(id) == Origin::Environment
    }

    /// The name under which an option was given.
    fn source(&self, id: Id) -> &'static str {
        let row = row(id);
        if self.is_inherited(id) { row.variable } else { row.name }
    }
}

/// Whether a variable looks like the address of a Service that Kubernetes sets.
fn is_services(value: &OsStr) -> bool {
    let value = value.as_encoded_bytes();
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme.as_bytes()))
}

/// The line for an option that lacks its value, or has one and takes none.
#[cold]
fn misused(error: lexopt::Error) -> End {
    End::Refused(match error {
        lexopt::Error::MissingValue { option } => {
            let option = option.unwrap_or_default();
            refusal(format_args!("{option} requires a value"))
        }
        lexopt::Error::UnexpectedValue { option, value } => {
            let value = shown(&value);
            refusal(format_args!("{option} takes no value, so '{value}' is too much"))
        }
        // The other errors come from calls that are not made here.
        _ => refusal(format_args!("cannot read the options")),
    })
}

const VERSION: &str = concat!("foster ", env!("CARGO_PKG_VERSION"), "\n");

/// The port of the first service.
const APP_PORT: u16 = 3000;
