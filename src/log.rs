//! The log: a report becomes a line, in the words of `cli` and by env_logger.
//!
//! Nothing is set up before there is something to say: most inits never say anything.

use std::cell::OnceCell;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use env_logger::{Builder, Logger, Target};
use log::{LevelFilter, Log as _, Record};

use foster::cli::{self, Stream};
use foster::config::{Config, Level, LogFormat, Voice};
use foster::process::Pid;
use foster::supervisor::Report;

use crate::sys::LogWriter;

/// Where reports go.
pub struct Log {
    config: Rc<Config>,
    own_pid: Pid,
    logger: OnceCell<Logger>,
    /// The most that can be said, known without setting up the logger where no filter is given.
    level: LevelFilter,
}

impl Log {
    /// A log for this configuration; nothing is written yet.
    pub fn new(config: Rc<Config>, own_pid: Pid) -> Log {
        let level = level_filter(config.log.level);
        let mut log = Log { config, own_pid, logger: OnceCell::new(), level };
        if log.config.log.filter.is_some() {
            log.level = log.logger().filter();
        }
        log
    }

    /// Says what the reader of the command line has to warn of.
    pub fn warnings(&self) {
        for warning in &self.config.log.warnings {
            self.say(Level::Warn, format_args!("{warning}"));
        }
    }

    /// Says a report, in its voice.
    pub fn report(&self, report: &Report) {
        let (config, own_pid) = (&self.config, self.own_pid);
        if config.log.voice != Voice::Foster {
            cli::render(config, report, own_pid, &mut write_line);
        } else if self.says(report) {
            cli::render(config, report, own_pid, &mut |_, line| self.log(report.level(), line));
        }
    }

    /// Whether it would say anything of a report.
    pub fn says(&self, report: &Report) -> bool {
        if self.config.log.voice == Voice::Foster {
            return level_filter(report.level()) <= self.level;
        }
        let mut says = false;
        cli::render(&self.config, report, self.own_pid, &mut |_, _| says = true);
        says
    }

    /// Says what the machine knows nothing of: that foster did something for itself, or that
    /// something failed which it will try again or do without.
    pub fn say(&self, level: Level, what: fmt::Arguments<'_>) {
        if self.config.log.voice == Voice::Foster && self.level >= level_filter(level) {
            self.log(level, what);
        }
    }

    fn log(&self, level: Level, what: fmt::Arguments<'_>) {
        let level = level_filter(level).to_level().unwrap_or(log::Level::Error);
        self.logger().log(&Record::builder().level(level).target("foster").args(what).build());
    }

    fn logger(&self) -> &Logger {
        self.logger.get_or_init(|| {
            let mut builder = Builder::new();
            match &self.config.log.filter {
                Some(filter) => builder.parse_filters(filter),
                None => builder.filter_level(level_filter(self.config.log.level)),
            };
            match self.config.log.format {
                LogFormat::Text => builder.format(|out, record| {
                    let level = lower_case(record.level());
                    writeln!(out, "foster: {level}: {}", record.args())
                }),
                LogFormat::Json => builder.format(|out, record| {
                    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
                    let level = lower_case(record.level());
                    write!(out, r#"{{"time":{seconds}.{millis:03},"level":"{level}","#)?;
                    writeln!(out, r#""message":"{}"}}"#, Escaped(record.args()))
                }),
            };
            builder.target(Target::Pipe(Box::new(LogWriter::new(Stream::Err)))).build()
        })
    }
}

/// A text as the inside of a JSON string.
struct Escaped<'a>(&'a fmt::Arguments<'a>);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Escape<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl fmt::Write for Escape<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for c in text.chars() {
                    match c {
                        '"' | '\\' => write!(self.0, "\\{c}")?,
                        '\n' => self.0.write_str("\\n")?,
                        c if c < ' ' => write!(self.0, "\\u{:04x}", u32::from(c))?,
                        c => self.0.write_char(c)?,
                    }
                }
                Ok(())
            }
        }
        Escape(f).write_fmt(*self.0)
    }
}

/// Writes a line as one piece. Only one with an uncommonly long name in it allocates.
fn write_line(stream: Stream, line: fmt::Arguments<'_>) {
    let mut writer = LogWriter::new(stream);
    let mut short = Line::default();
    let written = match writeln!(short, "{line}") {
        Ok(()) => writer.write_all(&short.bytes[..short.length]),
        Err(fmt::Error) => writer.write_all(format!("{line}\n").as_bytes()),
    };
    written.unwrap_or_default();
}

/// A line in memory that is never allocated, if it fits.
struct Line {
    bytes: [u8; 512],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Line { bytes: [0; 512], length: 0 }
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes[self.length..].get_mut(..text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

fn level_filter(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::Error,
        Level::Warn => LevelFilter::Warn,
        Level::Info => LevelFilter::Info,
        Level::Debug => LevelFilter::Debug,
        Level::Trace => LevelFilter::Trace,
    }
}

fn lower_case(level: log::Level) -> &'static str {
    match level {
        log::Level::Error => "error",
        log::Level::Warn => "warning",
        log::Level::Info => "info",
        log::Level::Debug => "debug",
        log::Level::Trace => "trace",
    }
}
