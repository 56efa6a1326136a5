//! foster's own command line and environment.
//!
//! Each option is a row of [`OPTIONS`]; a variable is read by the same row, and only where the
//! command line is silent.

mod peers;
mod unused;

use std::ffi::{OsStr, OsString};
use std::rc::Rc;
use std::time::Duration;

use lexopt::{Arg, Parser};

use crate::config::{
    Argv, Backoff, Config, Forward, ForwardTo, Leftovers, Level, LogFormat, Restart, Rewrites,
    STOP_TIMEOUT, SUPERVISOR_STOP_REQUESTS, ServiceConfig, Session, StopTo,
};
use crate::exit::Success;
use crate::signal::Signal;

use super::near::nearest;
use super::value::{self, Wrong, quoted};
use super::voice::Short;
use super::{Outcome, Platform, Refusal, Say, Stream, Surroundings, name, wrap};

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
    name: &'static str,
    /// Empty where there is none.
    variable: &'static str,
    takes_value: bool,
    /// Whether it has no meaning on Windows.
    linux_only: bool,
}

/// Parses foster's own command line.
pub(super) fn parse(args: Vec<OsString>, surroundings: &dyn Surroundings) -> Outcome {
    let mut draft = Draft::new(surroundings);
    let mut parser = Parser::from_iter(args);
    let said = draft.read_arguments(&mut parser).and_then(|said| match said {
        None => draft.read_environment().map(|()| None),
        Some(say) => Ok(Some(say)),
    });
    let (format, has_command) = (draft.format, draft.command.is_some());
    let refusal = match said {
        Ok(Some(say)) => return Outcome::Say(say),
        Ok(None) => {
            let warnings = draft.unused();
            match draft.finish() {
                Ok(mut config) => {
                    config.log.warnings = warnings;
                    return Outcome::Run(Rc::new(config));
                }
                Err(refusal) => refusal,
            }
        }
        Err(refusal) => refusal,
    };
    // What stands behind the mistake counts too: whoever reads the line may be a machine.
    let _ = parser.optional_value();
    let rest = parser.raw_args();
    // Behind a command stands what is its own.
    let rest = rest.ok().filter(|_| !has_command);
    let rest = rest.as_ref().map_or(&[][..], |rest| rest.as_slice());
    refusal.say(log_format(rest, format, surroundings), surroundings).into()
}

/// The form of the line that refuses a command line, where so much of it was not read, and this was
/// said before.
pub(super) fn log_format(
    rest: &[OsString],
    before: Option<LogFormat>,
    surroundings: &dyn Surroundings,
) -> LogFormat {
    let row = row(Id::LogFormat);
    let mut words = rest.iter().map(|word| word.to_str().unwrap_or_default());
    let mut format = before;
    while let Some(word) = words.next().filter(|word| *word != "--") {
        let given = match word.strip_prefix("--").and_then(|word| word.strip_prefix(row.name)) {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        format = given.and_then(|text| value::log_format(text).ok()).or(format);
    }
    format.unwrap_or_else(|| {
        let inherited = surroundings.variable(row.variable);
        let text = inherited.as_deref().and_then(|text| text.to_str()).unwrap_or_default();
        value::log_format(text).unwrap_or(LogFormat::Text)
    })
}

/// What has been read so far.
struct Draft<'a> {
    surroundings: &'a dyn Surroundings,
    /// The options that the command line gave, a bit for each.
    given: u64,
    /// The options that the environment gave.
    inherited: u64,
    /// The name for the next service.
    name: Box<str>,
    command: Option<ServiceConfig>,
    wrapped: Vec<ServiceConfig>,
    /// None where services get no port.
    app_port: Option<u16>,
    app_host: Option<String>,
    restart: Option<Restart>,
    backoff: Backoff,
    success: Success,
    stop_signal: Option<Signal>,
    stop_timeout: Option<Duration>,
    stop_to: Option<StopTo>,
    keep_orphans: bool,
    forward: Forward,
    /// A signal that was given to go on as itself.
    idle_rewrite: Option<Signal>,
    session: bool,
    subreaper: bool,
    parent_death_signal: Option<Signal>,
    boot: Option<bool>,
    format: Option<LogFormat>,
    time: bool,
    level: Option<Level>,
    verbose: bool,
    filter: Option<String>,
}

impl<'a> Draft<'a> {
    fn new(surroundings: &'a dyn Surroundings) -> Self {
        Draft {
            surroundings,
            given: 0,
            inherited: 0,
            name: Box::default(),
            command: None,
            wrapped: Vec::new(),
            app_port: Some(APP_PORT),
            app_host: None,
            restart: None,
            backoff: Backoff::default(),
            success: Success::default(),
            stop_signal: None,
            stop_timeout: Some(STOP_TIMEOUT),
            stop_to: None,
            keep_orphans: false,
            forward: Forward { to: ForwardTo::Child, rewrites: Rewrites::default() },
            idle_rewrite: None,
            session: false,
            subreaper: true,
            parent_death_signal: None,
            boot: None,
            format: None,
            time: false,
            level: None,
            verbose: false,
            filter: None,
        }
    }

    /// Reads the options up to the command; stops early where there is only something to say.
    fn read_arguments(&mut self, parser: &mut Parser) -> Result<Option<Say>, Refusal> {
        loop {
            let row = match parser.next().map_err(misused)? {
                None if self.name.is_empty() => return Ok(None),
                None => {
                    let what = ["--name: '", &self.name, "' names nothing: put it", NO_SERVICE];
                    return Err(Refusal(what.concat()));
                }
                Some(Arg::Value(program)) => {
                    let rest = parser.raw_args().map_err(misused)?;
                    let words = std::iter::once(&program).chain(rest.as_slice());
                    let argv = Argv::new(words.map(|word| word.as_encoded_bytes()));
                    let name = std::mem::take(&mut self.name);
                    self.command = Some(ServiceConfig { name, ..ServiceConfig::new(argv) });
                    return Ok(None);
                }
                Some(Arg::Long(name)) => match OPTIONS.iter().find(|row| row.name == name) {
                    Some(row) => row,
                    None => return Err(unknown(name, self.surroundings.platform())),
                },
                Some(Arg::Short(letter)) => {
                    match SHORT.iter().find(|(short, _)| *short == letter) {
                        Some((_, id)) => row(*id),
                        None => {
                            let rest = parser.optional_value().unwrap_or_default();
                            let platform = self.surroundings.platform();
                            return Err(unknown_letter(letter, &rest, platform));
                        }
                    }
                }
            };
            match row.id {
                Id::Help => return Ok(Some(say(HELP.to_owned()))),
                Id::Version => return Ok(Some(say(VERSION.to_owned()))),
                _ => {}
            }
            let value =
                if row.takes_value { parser.value().map_err(misused)? } else { OsString::new() };
            self.given |= 1 << row.id as u64;
            self.take(row, "--", row.name, &value)?;
        }
    }

    /// Reads the variables of the options that the command line did not give.
    fn read_environment(&mut self) -> Result<(), Refusal> {
        for row in OPTIONS.iter().filter(|row| !row.variable.is_empty()) {
            let wanted = match row.id {
                Id::Wrap => self.command.is_none() && self.wrapped.is_empty(),
                // Names as common as these may well be the command's own.
                Id::AppPort | Id::AppHost => !self.wrapped.is_empty(),
                _ => true,
            };
            if !wanted || self.is_given(row.id) {
                continue;
            }
            match self.surroundings.variable(row.variable) {
                // Kubernetes sets it for every pod beside a Service named `app` or `wrap`.
                Some(value) if !row.variable.starts_with("FOSTER_") && is_services(&value) => {}
                // Empty is as good as unset; but an empty command line is a mistake.
                Some(value) if !value.is_empty() || row.id == Id::Wrap => {
                    self.inherited |= 1 << row.id as u64;
                    let lines = value.to_str().filter(|_| row.id == Id::Wrap);
                    let lines = lines.map(|text| wrap::lines(text, self.surroundings.platform()));
                    match lines.unwrap_or_default() {
                        lines if lines.is_empty() => self.take(row, "", row.variable, &value)?,
                        lines => {
                            for line in lines {
                                self.take(row, "", row.variable, line.as_ref())?;
                            }
                        }
                    }
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    fn is_given(&self, id: Id) -> bool {
        self.given & (1 << id as u64) != 0
    }

    fn is_inherited(&self, id: Id) -> bool {
        self.inherited & (1 << id as u64) != 0
    }

    /// The name under which an option was given.
    fn source(&self, id: Id) -> String {
        let row = row(id);
        if self.is_inherited(id) { row.variable.to_owned() } else { ["--", row.name].concat() }
    }

    /// Takes in an option, given under this name.
    fn take(&mut self, row: &Row, dashes: &str, name: &str, value: &OsStr) -> Result<(), Refusal> {
        if row.linux_only && self.surroundings.platform() == Platform::Windows {
            let why = ": it has no meaning on Windows: leave it out";
            return Err(Refusal([dashes, name, why].concat()));
        }
        let taken = match value.to_str() {
            Some(text) => self.set(row.id, text),
            None => Err(value::NOT_UTF_8.into()),
        };
        taken.map_err(|wrong| {
            let value = if row.takes_value || dashes.is_empty() {
                [&quoted(value), " "].concat()
            } else {
                String::new()
            };
            Refusal([dashes, name, ": ", &value, &wrong].concat())
        })
    }

    fn set(&mut self, id: Id, text: &str) -> Result<(), Wrong> {
        match id {
            Id::Name => self.name = self.name(text)?,
            Id::Wrap => {
                let mut service = wrap::service(text, self.surroundings)?;
                service.name = std::mem::take(&mut self.name);
                self.wrapped.push(service);
            }
            Id::AppPort => self.app_port = value::app_port(text)?,
            Id::AppHost => self.app_host = Some(value::host(text)?),
            Id::Restart => self.restart = Some(value::restart(text)?),
            Id::Backoff => self.backoff.first = value::duration(text)?,
            Id::BackoffMax => self.backoff.max = value::duration(text)?,
            Id::HealthyAfter => self.backoff.healthy_after = value::duration(text)?,
            Id::MaxRestarts => self.backoff.max_restarts = value::max_restarts(text)?,
            Id::Success => {
                for part in text.split(',') {
                    self.success.insert(value::success(part, self.surroundings.platform())?);
                }
            }
            Id::StopSignal => self.stop_signal = Some(value::signal(text)?),
            Id::StopTimeout => self.stop_timeout = value::stop_timeout(text)?,
            Id::StopTo => self.stop_to = Some(value::stop_to(text)?),
            // The option itself has no value, the variable has one.
            Id::KeepOrphans => self.keep_orphans = text.is_empty() || value::switch(text)?,
            Id::ForwardTo => self.forward.to = value::forward_to(text)?,
            Id::Rewrite => {
                for part in text.split(',') {
                    let (from, to) = value::rewrite(part)?;
                    self.forward.rewrites.set(from, to);
                    if to == Some(from) {
                        self.idle_rewrite = to;
                    }
                }
            }
            Id::LogFormat => self.format = Some(value::log_format(text)?),
            Id::LogTime => self.time = text.is_empty() || value::switch(text)?,
            Id::Verbose if !text.is_empty() => self.filter = Some(value::log_filter(text)?),
            Id::Verbose => {
                self.verbose = true;
                self.level = Some(match self.level {
                    None | Some(Level::Error | Level::Warn) => Level::Info,
                    Some(Level::Info) => Level::Debug,
                    Some(Level::Debug | Level::Trace) => Level::Trace,
                });
            }
            Id::Quiet => {
                self.level = Some(Level::Error);
                self.given |= 1 << Id::Verbose as u64;
            }
            Id::Session => self.session = true,
            Id::NoSubreaper => self.subreaper = false,
            Id::ParentDeathSignal => self.parent_death_signal = Some(value::signal(text)?),
            Id::Boot => self.boot = Some(true),
            Id::NoBoot => self.boot = Some(false),
            Id::As => return Err("must be the first argument: put it there".into()),
            // They ended the reading.
            Id::Help | Id::Version => {}
        }
        Ok(())
    }

    /// Takes a name for the next service.
    fn name(&self, text: &str) -> Result<Box<str>, Wrong> {
        let name = value::name(text)?;
        if !self.name.is_empty() {
            let first = ["comes second: put '", &self.name, "'", NO_SERVICE];
            return Err(first.concat());
        }
        if self.wrapped.iter().any(|service| *service.name == *name) {
            return Err("is the name of an earlier --wrap: give each one of its own".into());
        }
        Ok(name.into())
    }

    /// Makes a configuration of all that was read.
    fn finish(mut self) -> Result<Config, Refusal> {
        if self.backoff.first > self.backoff.max {
            let (first, max) = (self.source(Id::Backoff), self.source(Id::BackoffMax));
            let (low, high) =
                (Short(self.backoff.max).to_string(), Short(self.backoff.first).to_string());
            let how = ["lower ", &first, " or raise ", &max].concat();
            return Err(Refusal(
                [&first, ": ", &high, " is above ", &max, ", which is ", &low, ": ", &how].concat(),
            ));
        }
        self.number_ports()?;
        let wraps = !self.wrapped.is_empty();
        let mut config = match self.command {
            None if !wraps => {
                return Err(Refusal(
                    "no command: give COMMAND [ARG]... or --wrap 'COMMAND LINE' (foster -h \
                     explains)"
                        .into(),
                ));
            }
            None => Config::supervisor(self.wrapped),
            Some(service) if wraps => {
                let program = String::from_utf8_lossy(service.argv.program());
                let command = quoted(OsStr::new(&*program));
                return Err(Refusal(
                    ["--wrap: COMMAND is given too, ", &command, ": give one of the two"].concat(),
                ));
            }
            Some(service) => Config::init(service),
        };
        if let Some(restart) = self.restart {
            config.restart = restart;
        }
        if config.restart != Restart::Never {
            config.supervised = true;
            config.stop.requests = SUPERVISOR_STOP_REQUESTS;
            // A restart that nobody asked for is told, and each end and start with it.
            config.log.level = Level::Info;
        }
        if self.surroundings.platform() == Platform::Windows {
            // There are no signals to pass on: all that the console can say is to end, to a group.
            config.stop.requests = SUPERVISOR_STOP_REQUESTS;
            config.stop.to = StopTo::Group;
        }
        config.backoff = self.backoff;
        if let Some(host) = self.app_host {
            config.app_host = host.into();
        }
        if let Some(signal) = self.stop_signal {
            // Who is told to stop a container by it sends it to foster.
            config.stop.requests.insert(signal);
            config.stop.signal = Some(signal);
        }
        config.stop.timeout = self.stop_timeout;
        if let Some(to) = self.stop_to {
            config.stop.to = to;
        }
        config.forward = self.forward;
        config.success = self.success;
        config.leftovers = Leftovers::Kill { orphans: !self.keep_orphans };
        if self.session {
            config.session = Session::Own;
        }
        config.dies_with_child = true;
        config.setup.subreaper = self.subreaper;
        config.setup.parent_death_signal = self.parent_death_signal;
        if self.boot.unwrap_or_else(|| self.surroundings.is_machine()) {
            config.boot();
            // A console tells what happens, and there is no other log.
            config.log.level = Level::Info;
        }
        if let Some(level) = self.level {
            config.log.level = level;
        }
        name::name_all(&mut config.services, self.surroundings.platform());
        config.log.filter = self.filter;
        config.log.format = self.format.unwrap_or(LogFormat::Text);
        config.log.time = self.time;
        config.log.verbose = self.verbose;
        Ok(config)
    }

    /// Gives each service its port, one after the other, where they are to have any.
    fn number_ports(&mut self) -> Result<(), Refusal> {
        let Some(first) = self.app_port else { return Ok(()) };
        for (index, service) in self.wrapped.iter_mut().enumerate() {
            let offset = u16::try_from(index).ok();
            service.port = offset.and_then(|offset| first.checked_add(offset));
            if service.port.is_none() {
                let number = (index + 1).to_string();
                let first = first.to_string();
                return Err(Refusal(
                    [
                        &self.source(Id::AppPort),
                        ": '",
                        &first,
                        "' leaves no port up to 65535 for --wrap number ",
                        &number,
                        ": choose a lower one",
                    ]
                    .concat(),
                ));
            }
        }
        Ok(())
    }
}

/// Whether a variable has the form of those by which Kubernetes names a Service's address.
fn is_services(value: &OsStr) -> bool {
    let value = value.as_encoded_bytes();
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme.as_bytes()))
}

fn say(text: String) -> Say {
    Say { stream: Stream::Out, text, code: 0 }
}

fn row(id: Id) -> &'static Row {
    &OPTIONS[id as usize]
}

/// The line for an option whose value is missing, or that was given one and takes none.
fn misused(error: lexopt::Error) -> Refusal {
    Refusal(match error {
        lexopt::Error::MissingValue { option } => {
            [option.as_deref().unwrap_or("the last option"), ": its value is missing: add it"]
                .concat()
        }
        lexopt::Error::UnexpectedValue { option, value } => {
            [&option, ": ", &quoted(&value), " is too much: it takes no value"].concat()
        }
        // The others are made by calls that are not made here.
        other => other.to_string(),
    })
}

fn unknown(name: &str, platform: Platform) -> Refusal {
    let names = OPTIONS.iter().map(|row| row.name);
    let meant = nearest(name, names.clone())
        .or_else(|| names.clone().find(|known| name.len() > 2 && known.starts_with(name)));
    let shown = quoted(OsStr::new(name));
    let shown = shown.trim_matches('\'');
    // Windows knows none of them, nor what foster has in their stead.
    let hint = Some(name).filter(|_| platform == Platform::Linux).and_then(peers::hint);
    if let Some(hint) = hint {
        return Refusal(["--", shown, ": there is no such option: ", &hint].concat());
    }
    Refusal(match meant {
        Some(meant) => {
            ["--", shown, ": there is no such option: did you mean --", meant, "?"].concat()
        }
        None => ["--", shown, ": there is no such option: foster -h lists them"].concat(),
    })
}

fn unknown_letter(letter: char, rest: &OsStr, platform: Platform) -> Refusal {
    let mut word = String::from(letter);
    word.push_str(&rest.to_string_lossy());
    let other_case =
        SHORT.iter().map(|(short, _)| *short).find(|short| short.eq_ignore_ascii_case(&letter));
    let shown = quoted(OsStr::new(&word));
    let shown = shown.trim_matches('\'');
    let peer = Some(letter).filter(|_| platform == Platform::Linux);
    let peer = peer.and_then(|letter| peers::hint(letter.encode_utf8(&mut [0; 4])));
    let hint = match nearest(&word, OPTIONS.iter().map(|row| row.name)).filter(|_| word.len() > 2) {
        Some(meant) => ["did you mean --", meant, "?"].concat(),
        None if peer.is_some() => peer.unwrap_or_default(),
        None => match other_case.filter(|_| rest.is_empty()) {
            Some(short) => ["did you mean -", short.encode_utf8(&mut [0; 4]), "?"].concat(),
            None => "foster -h lists them".to_owned(),
        },
    };
    Refusal(["-", shown, ": there is no such option: ", &hint].concat())
}

const fn option(
    id: Id,
    name: &'static str,
    variable: &'static str,
    takes_value: bool,
    linux_only: bool,
) -> Row {
    Row { id, name, variable, takes_value, linux_only }
}

/// All options, in the order of their ids.
const OPTIONS: &[Row] = &[
    option(Id::Name, "name", "", true, false),
    option(Id::Wrap, "wrap", "WRAP_CMD", true, false),
    option(Id::AppPort, "app-port", "APP_PORT", true, false),
    option(Id::AppHost, "app-host", "APP_HOST", true, false),
    option(Id::Restart, "restart", "FOSTER_RESTART", true, false),
    option(Id::Backoff, "backoff", "FOSTER_BACKOFF", true, false),
    option(Id::BackoffMax, "backoff-max", "FOSTER_BACKOFF_MAX", true, false),
    option(Id::HealthyAfter, "healthy-after", "FOSTER_HEALTHY_AFTER", true, false),
    option(Id::MaxRestarts, "max-restarts", "FOSTER_MAX_RESTARTS", true, false),
    option(Id::Success, "success", "FOSTER_SUCCESS", true, false),
    option(Id::StopSignal, "stop-signal", "FOSTER_STOP_SIGNAL", true, true),
    option(Id::StopTimeout, "stop-timeout", "FOSTER_STOP_TIMEOUT", true, false),
    option(Id::StopTo, "stop-to", "FOSTER_STOP_TO", true, true),
    option(Id::KeepOrphans, "keep-orphans", "FOSTER_KEEP_ORPHANS", false, true),
    option(Id::ForwardTo, "forward-to", "FOSTER_FORWARD_TO", true, true),
    option(Id::Rewrite, "rewrite", "FOSTER_REWRITE", true, true),
    option(Id::LogFormat, "log-format", "FOSTER_LOG_FORMAT", true, false),
    option(Id::LogTime, "log-time", "FOSTER_LOG_TIME", false, false),
    option(Id::Verbose, "verbose", "FOSTER_LOG", false, false),
    option(Id::Quiet, "quiet", "", false, false),
    option(Id::Session, "session", "", false, true),
    option(Id::NoSubreaper, "no-subreaper", "", false, true),
    option(Id::ParentDeathSignal, "parent-death-signal", "", true, true),
    option(Id::Boot, "boot", "", false, true),
    option(Id::NoBoot, "no-boot", "", false, true),
    option(Id::As, "as", "", true, true),
    option(Id::Help, "help", "", false, false),
    option(Id::Version, "version", "", false, false),
];

const SHORT: [(char, Id); 4] =
    [('v', Id::Verbose), ('q', Id::Quiet), ('h', Id::Help), ('V', Id::Version)];

const HELP: &str = include_str!("help.txt");

const VERSION: &str = concat!("foster ", env!("CARGO_PKG_VERSION"), "\n");

/// Where a name stands.
const NO_SERVICE: &str = " in front of the --wrap or COMMAND that it is for";

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
                let named = names(text, &[long, row.name].concat());
                let letter = SHORT.iter().find(|(_, id)| *id == row.id);
                let lettered =
                    letter.is_some_and(|(letter, _)| names(text, &format!("{short}{letter}")));
                assert!(named || lettered, "{place} knows no --{}", row.name);
            }
        }
        for row in OPTIONS.iter().filter(|row| !row.variable.is_empty()) {
            assert!(names(&man, row.variable), "the man page knows no {}", row.variable);
        }
    }

    /// Whether a text has this word, and not only as a part of a longer one.
    fn names(text: &str, word: &str) -> bool {
        let inside = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        text.match_indices(word).any(|(at, _)| {
            !text[..at].ends_with(inside) && !text[at + word.len()..].starts_with(inside)
        })
    }
}
