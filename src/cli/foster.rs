//! foster's own command line and environment.
//!
//! Each option is a row of [`OPTIONS`]; a variable is read by the same row, and only where the
//! command line is silent.

mod peers;
mod unknown;
mod unused;

use std::ffi::{OsStr, OsString};
use std::rc::Rc;

use lexopt::{Arg, Parser};

use crate::config::{
    Argv, Config, ForwardTo, Leftovers, Level, LogFormat, Restart, SUPERVISOR_STOP_REQUESTS,
    ServiceConfig, Session, StopTo,
};
use crate::signal::Signal;

use super::value::{self, Fault, Kind, shown};
use super::voice::Short;
use super::{Outcome, Platform, Refusal, Say, Stream, Surroundings, name, refusal, wrap};

/// An option, by what it sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Id {
    Name,
    Wrap,
    AppPort,
    AppHost,
    Restart,
    Backoff,
    BackoffMax,
    HealthyAfter,
    MaxRestarts,
    Success,
    StopSignal,
    StopTimeout,
    StopTo,
    Leftovers,
    KeepOrphans,
    ForwardTo,
    Rewrite,
    LogFormat,
    LogTime,
    Verbose,
    Quiet,
    Session,
    NoSubreaper,
    ParentDeathSignal,
    Boot,
    NoBoot,
    As,
    Help,
    Version,
}

/// What there is to know of an option before its value is read.
struct Row {
    id: Id,
    /// With its dashes.
    name: &'static str,
    /// Empty where there is none.
    variable: &'static str,
    kind: Kind,
    /// Whether it has no meaning on Windows.
    linux_only: bool,
}

impl Row {
    /// The name as it is written behind the dashes.
    fn word(&self) -> &'static str {
        self.name.trim_start_matches('-')
    }
}

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
    // What stands behind the mistake counts too: whoever reads the line may be a machine. Behind a
    // command stands what is its own.
    let _ = parser.optional_value();
    let rest = parser.raw_args().ok().filter(|_| !draft.has_command);
    let rest = rest.as_ref().map_or(&[][..], |rest| rest.as_slice());
    let before = Some(draft.config.log.format).filter(|_| draft.is_given(Id::LogFormat));
    refusal.say(log_format(rest, before, surroundings), surroundings).into()
}

/// The form of the line that refuses a command line, where so much of it was not read, and this was
/// said before.
pub(super) fn log_format(
    rest: &[OsString],
    before: Option<LogFormat>,
    surroundings: &impl Surroundings,
) -> LogFormat {
    let row = row(Id::LogFormat);
    let read = |text: &OsStr| {
        let place = value::choice(text.to_str()?, row.kind).ok()?;
        LOG_FORMATS.get(place).copied()
    };
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

/// What has been read so far.
struct Draft<'a, S> {
    surroundings: &'a S,
    /// The options that the command line gave, a bit for each.
    given: u64,
    /// The options that the environment gave.
    inherited: u64,
    /// The name for the next service.
    name: Box<str>,
    /// Whether the last of the services is a command to be run rather than one of `--wrap`.
    has_command: bool,
    /// What all that is set at once goes into, services with it. What depends on whether there are
    /// any waits below for the end.
    config: Config,
    /// None where services get no port.
    app_port: Option<u16>,
    restart: Option<Restart>,
    stop_to: Option<StopTo>,
    /// A signal that was given to go on as itself.
    idle_rewrite: Option<Signal>,
    boot: Option<bool>,
    level: Option<Level>,
}

impl<'a, S: Surroundings> Draft<'a, S> {
    fn new(surroundings: &'a S) -> Self {
        Draft {
            surroundings,
            given: 0,
            inherited: 0,
            name: Box::default(),
            has_command: false,
            config: Config::of(Vec::new()),
            app_port: Some(APP_PORT),
            restart: None,
            stop_to: None,
            idle_rewrite: None,
            boot: None,
            level: None,
        }
    }

    /// Reads all that there is into the configuration.
    fn read(&mut self, parser: &mut Parser) -> Result<(), End> {
        self.read_arguments(parser)?;
        self.read_environment()?;
        self.finish()?;
        self.warn();
        Ok(())
    }

    /// Reads the options up to the command; stops early where there is only something to say.
    fn read_arguments(&mut self, parser: &mut Parser) -> Result<(), End> {
        let platform = self.surroundings.platform();
        while let Some(arg) = parser.next().map_err(misused)? {
            let row = match arg {
                Arg::Value(program) => {
                    let rest = parser.raw_args().map_err(misused)?;
                    let words = std::iter::once(&program).chain(rest.as_slice());
                    let argv = Argv::new(words.map(|word| word.as_encoded_bytes()));
                    let name = std::mem::take(&mut self.name);
                    let command = ServiceConfig { name, ..ServiceConfig::new(argv) };
                    self.config.services.push(command);
                    self.has_command = true;
                    return Ok(());
                }
                Arg::Long(name) => match OPTIONS.iter().find(|row| row.word() == name) {
                    Some(row) => row,
                    None => return Err(unknown::option("--", name, platform).into()),
                },
                Arg::Short(letter) => match SHORT.iter().find(|(short, _)| *short == letter) {
                    Some((_, id)) => row(*id),
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
                _ if row.kind.is_given_a_value() => parser.value().map_err(misused)?,
                _ => OsString::new(),
            };
            self.take(row, row.name, &value)?;
            self.given |= 1 << row.id as u64;
        }
        if self.name.is_empty() {
            return Ok(());
        }
        let name = &self.name;
        Err(refusal(format_args!("--name: '{name}' names nothing: put it {NO_SERVICE}")).into())
    }

    /// Reads the variables of the options that the command line did not give.
    fn read_environment(&mut self) -> Result<(), Refusal> {
        for row in OPTIONS.iter().filter(|row| !row.variable.is_empty()) {
            let is_wanted = match row.id {
                Id::Wrap => self.config.services.is_empty(),
                // Names as common as these may well be the command's own.
                Id::AppPort | Id::AppHost => self.wraps(),
                _ => true,
            };
            if !is_wanted || self.is_given(row.id) {
                continue;
            }
            let Some(value) = self.surroundings.variable(row.variable) else { continue };
            // Kubernetes sets it for every pod beside a Service named `app` or `wrap`.
            let is_kubernetes = !row.variable.starts_with("FOSTER_") && is_services(&value);
            // Empty is as good as unset; but an empty command line is a mistake.
            if is_kubernetes || value.is_empty() && row.id != Id::Wrap {
                continue;
            }
            self.inherited |= 1 << row.id as u64;
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

    fn is_given(&self, id: Id) -> bool {
        self.given & (1 << id as u64) != 0
    }

    fn is_inherited(&self, id: Id) -> bool {
        self.inherited & (1 << id as u64) != 0
    }

    /// The name under which an option was given.
    fn source(&self, id: Id) -> &'static str {
        let row = row(id);
        if self.is_inherited(id) { row.variable } else { row.name }
    }

    /// Takes in an option, given under this name.
    fn take(&mut self, row: &Row, name: &str, value: &OsStr) -> Result<(), Refusal> {
        let platform = self.surroundings.platform();
        if row.linux_only && platform == Platform::Windows {
            let why = "it has no meaning on Windows: leave it out";
            return Err(refusal(format_args!("{name}: {why}")));
        }
        let fault = match value.to_str() {
            Some(text) => match self.set(row, text) {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            },
            None => value::NOT_UTF_8,
        };
        Err(value::refuse(name, row.kind, value, fault, platform))
    }

    fn set<'t>(&mut self, row: &Row, raw: &'t str) -> Result<(), Fault<'t>> {
        let text = raw.trim_ascii();
        let platform = self.surroundings.platform();
        let config = &mut self.config;
        match row.id {
            Id::Name => self.name = self.name(text)?,
            Id::Wrap => {
                let service = wrap::service(raw, self.surroundings).map_err(Fault::Other)?;
                let name = std::mem::take(&mut self.name);
                config.services.push(ServiceConfig { name, ..service });
            }
            Id::AppPort => self.app_port = value::app_port(text)?,
            Id::AppHost => config.app_host = value::host(text)?.to_owned().into(),
            Id::Restart => self.restart = Some(RESTARTS[value::choice(text, row.kind)?]),
            Id::Backoff => config.backoff.first = value::duration(text)?,
            Id::BackoffMax => config.backoff.max = value::duration(text)?,
            Id::HealthyAfter => config.backoff.healthy_after = value::duration(text)?,
            Id::MaxRestarts => config.backoff.max_restarts = value::max_restarts(text)?,
            Id::Success => {
                for part in text.split(',') {
                    config.success.insert(value::success(part, platform)?);
                }
            }
            Id::StopSignal => config.stop.signal = Some(value::signal(text)?),
            Id::StopTimeout => config.stop.timeout = value::stop_timeout(text)?,
            Id::StopTo => self.stop_to = Some(STOPS_TO[value::choice(text, row.kind)?]),
            // Where one of the two is given, the other's variable is not read.
            Id::Leftovers => {
                config.leftovers = LEFTOVERS[value::choice(text, row.kind)?];
                if platform == Platform::Windows && config.leftovers != LEFTOVERS[0] {
                    let why = "has no meaning on Windows: write kill, or leave it out";
                    return Err(Fault::Other(why));
                }
                self.given |= 1 << Id::KeepOrphans as u64;
            }
            Id::KeepOrphans => {
                if value::switch(text)? {
                    config.leftovers = LEFTOVERS[2];
                }
                self.given |= 1 << Id::Leftovers as u64;
            }
            Id::ForwardTo => config.forward.to = FORWARDS_TO[value::choice(text, row.kind)?],
            Id::Rewrite => {
                for part in text.split(',') {
                    let (from, to) = value::rewrite(part)?;
                    config.forward.rewrites.set(from, to);
                    self.idle_rewrite = to.filter(|to| *to == from).or(self.idle_rewrite);
                }
            }
            Id::LogFormat => config.log.format = LOG_FORMATS[value::choice(text, row.kind)?],
            Id::LogTime => config.log.time = value::switch(text)?,
            Id::Verbose if !text.is_empty() => {
                let level = value::log_filter(text)?;
                self.level = Some(level);
                config.log.verbose = level >= Level::Debug;
            }
            Id::Verbose => {
                config.log.verbose = true;
                self.level = Some(match self.level {
                    None | Some(Level::Off | Level::Error | Level::Warn) => Level::Info,
                    Some(Level::Info) => Level::Debug,
                    Some(Level::Debug | Level::Trace) => Level::Trace,
                });
            }
            Id::Quiet => {
                self.level = Some(Level::Error);
                self.given |= 1 << Id::Verbose as u64;
            }
            Id::Session => config.session = Session::Own,
            Id::NoSubreaper => config.setup.subreaper = false,
            Id::ParentDeathSignal => config.setup.parent_death_signal = Some(value::signal(text)?),
            Id::Boot => self.boot = Some(true),
            Id::NoBoot => self.boot = Some(false),
            Id::As => return Err(Fault::Other("must be the first argument: put it there")),
            // They ended the reading.
            Id::Help | Id::Version => {}
        }
        Ok(())
    }

    /// Takes a name for the next service.
    fn name<'t>(&self, text: &'t str) -> Result<Box<str>, Fault<'t>> {
        let name = value::name(text)?;
        if !self.name.is_empty() {
            return Err(Fault::Other(SECOND_NAME));
        }
        if self.config.services.iter().any(|service| *service.name == *name) {
            let why = "is the name of an earlier --wrap: give each one of its own";
            return Err(Fault::Other(why));
        }
        Ok(name.into())
    }

    /// Completes the configuration by what could not be known before all was read.
    fn finish(&mut self) -> Result<(), Refusal> {
        let Config { backoff, services, .. } = &self.config;
        if backoff.first > backoff.max {
            let (first, max) = (self.source(Id::Backoff), self.source(Id::BackoffMax));
            let (high, low) = (Short(backoff.first), Short(backoff.max));
            return Err(refusal(format_args!(
                "{first}: {high} is above {max}, which is {low}: lower {first} or raise {max}"
            )));
        }
        let Some(last) = services.last() else {
            return Err(refusal(format_args!(
                "no command: give COMMAND [ARG]... or --wrap 'COMMAND LINE' (foster -h explains)"
            )));
        };
        if self.wraps() && self.has_command {
            let program = String::from_utf8_lossy(last.argv.program());
            let command = shown(OsStr::new(&*program));
            return Err(refusal(format_args!(
                "--wrap: COMMAND is given too, '{command}': give one of the two"
            )));
        }
        if self.wraps() {
            self.number_ports()?;
            self.config.supervise();
        }
        let config = &mut self.config;
        if let Some(restart) = self.restart {
            config.restart = restart;
        }
        let platform = self.surroundings.platform();
        if config.restart != Restart::Never || platform == Platform::Windows {
            // On Windows there are no signals to pass on: all that the console can say is to end.
            config.stop.requests = SUPERVISOR_STOP_REQUESTS;
        }
        if config.restart != Restart::Never {
            config.supervised = true;
            // A restart that nobody asked for is told, and each end and start with it.
            config.log.level = Level::Info;
        }
        if platform == Platform::Windows {
            // It says so to a group.
            config.stop.to = StopTo::Group;
        }
        if let Some(signal) = config.stop.signal {
            // Who is told to stop a container by it sends it to foster.
            config.stop.requests.insert(signal);
        }
        if let Some(to) = self.stop_to {
            config.stop.to = to;
        }
        config.dies_with_child = true;
        if self.boot.unwrap_or_else(|| self.surroundings.is_machine()) {
            config.boot();
            // A console tells what happens, and there is no other log.
            config.log.level = Level::Info;
        }
        if let Some(level) = self.level {
            config.log.level = level;
        }
        name::name_all(&mut config.services, platform);
        Ok(())
    }

    /// Gives each service its port, one after the other, where they are to have any.
    fn number_ports(&mut self) -> Result<(), Refusal> {
        let Some(first) = self.app_port else { return Ok(()) };
        let source = self.source(Id::AppPort);
        for (offset, service) in self.config.services.iter_mut().enumerate() {
            let port = u16::try_from(usize::from(first) + offset);
            service.port = Some(port.map_err(|_| {
                let number = offset + 1;
                refusal(format_args!(
                    "{source}: '{first}' leaves no port up to 65535 for --wrap number {number}: choose \
                     a lower one"
                ))
            })?);
        }
        Ok(())
    }
}

/// Whether a variable has the form of those by which Kubernetes names a Service's address.
fn is_services(value: &OsStr) -> bool {
    let value = value.as_encoded_bytes();
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme.as_bytes()))
}

fn row(id: Id) -> &'static Row {
    &OPTIONS[id as usize]
}

/// The line for an option whose value is missing, or that was given one and takes none.
#[cold]
fn misused(error: lexopt::Error) -> End {
    End::Refused(match error {
        lexopt::Error::MissingValue { option } => {
            let option = option.unwrap_or_default();
            refusal(format_args!("{option}: its value is missing: add it"))
        }
        lexopt::Error::UnexpectedValue { option, value } => {
            let value = shown(&value);
            refusal(format_args!("{option}: '{value}' is too much: it takes no value"))
        }
        // The others are made by calls that are not made here.
        _ => refusal(format_args!("the options cannot be read")),
    })
}

const fn option(
    id: Id,
    name: &'static str,
    variable: &'static str,
    kind: Kind,
    linux_only: bool,
) -> Row {
    Row { id, name, variable, kind, linux_only }
}

/// All options, in the order of their ids.
const OPTIONS: &[Row] = &[
    option(Id::Name, "--name", "", Kind::Name, false),
    option(Id::Wrap, "--wrap", "WRAP_CMD", Kind::Line, false),
    option(Id::AppPort, "--app-port", "APP_PORT", Kind::Port, false),
    option(Id::AppHost, "--app-host", "APP_HOST", Kind::Host, false),
    option(Id::Restart, "--restart", "FOSTER_RESTART", Kind::Restart, false),
    option(Id::Backoff, "--backoff", "FOSTER_BACKOFF", Kind::Duration, false),
    option(Id::BackoffMax, "--backoff-max", "FOSTER_BACKOFF_MAX", Kind::Duration, false),
    option(Id::HealthyAfter, "--healthy-after", "FOSTER_HEALTHY_AFTER", Kind::Duration, false),
    option(Id::MaxRestarts, "--max-restarts", "FOSTER_MAX_RESTARTS", Kind::Count, false),
    option(Id::Success, "--success", "FOSTER_SUCCESS", Kind::Statuses, false),
    option(Id::StopSignal, "--stop-signal", "FOSTER_STOP_SIGNAL", Kind::Signal, true),
    option(Id::StopTimeout, "--stop-timeout", "FOSTER_STOP_TIMEOUT", Kind::Timeout, false),
    option(Id::StopTo, "--stop-to", "FOSTER_STOP_TO", Kind::StopTo, true),
    option(Id::Leftovers, "--leftovers", "FOSTER_LEFTOVERS", Kind::Leftovers, false),
    option(Id::KeepOrphans, "--keep-orphans", "FOSTER_KEEP_ORPHANS", Kind::Switch, true),
    option(Id::ForwardTo, "--forward-to", "FOSTER_FORWARD_TO", Kind::ForwardTo, true),
    option(Id::Rewrite, "--rewrite", "FOSTER_REWRITE", Kind::Rewrites, true),
    option(Id::LogFormat, "--log-format", "FOSTER_LOG_FORMAT", Kind::LogFormat, false),
    option(Id::LogTime, "--log-time", "FOSTER_LOG_TIME", Kind::Switch, false),
    option(Id::Verbose, "--verbose", "FOSTER_LOG", Kind::Filter, false),
    option(Id::Quiet, "--quiet", "", Kind::Switch, false),
    option(Id::Session, "--session", "", Kind::Switch, true),
    option(Id::NoSubreaper, "--no-subreaper", "", Kind::Switch, true),
    option(Id::ParentDeathSignal, "--parent-death-signal", "", Kind::Signal, true),
    option(Id::Boot, "--boot", "", Kind::Switch, true),
    option(Id::NoBoot, "--no-boot", "", Kind::Switch, true),
    option(Id::As, "--as", "", Kind::Init, true),
    option(Id::Help, "--help", "", Kind::Switch, false),
    option(Id::Version, "--version", "", Kind::Switch, false),
];

const SHORT: [(char, Id); 4] =
    [('v', Id::Verbose), ('q', Id::Quiet), ('h', Id::Help), ('V', Id::Version)];

/// What the words of [`Kind::Restart`] stand for, in their order.
const RESTARTS: [Restart; 3] = [Restart::Never, Restart::OnFailure, Restart::Always];

/// What those of [`Kind::StopTo`] stand for.
const STOPS_TO: [StopTo; 3] = [StopTo::LeaderFirst, StopTo::Group, StopTo::Leader];

/// What those of [`Kind::Leftovers`] stand for.
const LEFTOVERS: [Leftovers; 3] = [
    Leftovers::Kill { orphans: true, asked: false },
    Leftovers::Kill { orphans: true, asked: true },
    Leftovers::Kill { orphans: false, asked: false },
];

/// What those of [`Kind::ForwardTo`] stand for.
const FORWARDS_TO: [ForwardTo; 2] = [ForwardTo::Group, ForwardTo::Child];

/// What those of [`Kind::LogFormat`] stand for.
const LOG_FORMATS: [LogFormat; 2] = [LogFormat::Text, LogFormat::Json];

const HELP: &str = include_str!("help.txt");

const VERSION: &str = concat!("foster ", env!("CARGO_PKG_VERSION"), "\n");

/// Where a name stands.
const NO_SERVICE: &str = "in front of the --wrap or COMMAND that it is for";

const SECOND_NAME: &str =
    "comes second: put the first one in front of the --wrap or COMMAND that it is for";

/// The port of the first service.
const APP_PORT: u16 = 3000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_ids() {
        for (index, row) in OPTIONS.iter().enumerate() {
            assert_eq!(row.id as usize, index, "{}", row.name);
        }
    }

    #[test]
    fn completions_and_man_page_name_every_option() {
        let man = include_str!("../../docs/man/foster.1").replace("\\-", "-");
        let texts = [
            ("the man page", &*man, "-", "--"),
            ("bash", include_str!("../../docs/completions/foster.bash"), "-", "--"),
            ("zsh", include_str!("../../docs/completions/_foster"), "-", "--"),
            ("fish", include_str!("../../docs/completions/foster.fish"), "-s ", "-l "),
        ];
        for (place, text, short, long) in texts {
            for row in OPTIONS {
                let named = names(text, &[long, row.word()].concat());
                let letter = SHORT.iter().find(|(_, id)| *id == row.id);
                let lettered =
                    letter.is_some_and(|(letter, _)| names(text, &format!("{short}{letter}")));
                assert!(named || lettered, "{place} knows no {}", row.name);
            }
        }
        for row in OPTIONS.iter().filter(|row| !row.variable.is_empty()) {
            assert!(names(&man, row.variable), "the man page knows no {}", row.variable);
        }
    }

    #[test]
    fn each_word_of_a_choice_stands_for_what_its_name_says() {
        fn check<T: std::fmt::Debug>(kind: Kind, all: &[T]) {
            let names = all.iter().map(|it| format!("{it:?}").to_lowercase());
            let words = kind.words().split(", ").map(|word| word.replace('-', ""));
            assert!(words.eq(names), "{kind:?}");
        }
        check(Kind::Restart, &RESTARTS);
        check(Kind::StopTo, &STOPS_TO);
        check(Kind::ForwardTo, &FORWARDS_TO);
        check(Kind::LogFormat, &LOG_FORMATS);
    }

    /// Whether a text has this word, and not only as a part of a longer one.
    fn names(text: &str, word: &str) -> bool {
        let inside = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        text.match_indices(word).any(|(at, _)| {
            !text[..at].ends_with(inside) && !text[at + word.len()..].starts_with(inside)
        })
    }
}
