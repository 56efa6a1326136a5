//! The log: a report becomes a line, in the words of `cli` and by env_logger.
//!
//! Nothing is set up before there is something to say: most inits never say anything.

use std::cell::OnceCell;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use env_logger::{Builder, Logger, Target};
use log::{LevelFilter, Log as _, Record};

use foster::cli::{self, Line, Note, Notice, Said, Stream, Style, Surroundings as _};
use foster::config::{Config, Level, LogFormat, Voice};
use foster::process::Pid;
use foster::supervisor::Report;
use foster::time::Timestamp;

use crate::sys::{LogWriter, World};

/// Where reports go.
pub struct Log {
    config: Rc<Config>,
    world: World,
    own_pid: Pid,
    out: OnceCell<Out>,
}

/// What foster's own lines go through, and how they look.
struct Out {
    logger: Logger,
    style: Style,
}

impl Log {
    /// A log for this configuration; nothing is written yet.
    pub fn new(config: Rc<Config>, world: World) -> Log {
        let own_pid = world.own_pid();
        Log { config, world, own_pid, out: OnceCell::new() }
    }

    /// Says first of all who speaks, where more was asked for, and then what the reader of the
    /// command line has to warn of.
    pub fn begin(&self) {
        if self.config.log.verbose {
            let pid = self.own_pid;
            let place = if pid == Pid(1) { "as PID " } else { "with pid " };
            let version = env!("CARGO_PKG_VERSION");
            let message = format_args!("foster {version} begins {place}{pid}");
            self.note(Notice::Begun, Some(pid), message);
        }
        for warning in &self.config.log.warnings {
            self.say(Notice::Doubtful, format_args!("{warning}"));
        }
    }

    /// Says a report, in its voice.
    pub fn report(&self, report: &Report) {
        let (config, own_pid) = (&self.config, self.own_pid);
        if config.log.voice != Voice::Foster {
            cli::render(config, report, own_pid, &mut write_line);
        } else if self.says(report) {
            let style = self.out().style;
            self.log(report.level(), &Said { config, report, style });
        }
    }

    /// Whether it would say anything of a report.
    pub fn says(&self, report: &Report) -> bool {
        if self.config.log.voice == Voice::Foster {
            return report.level() <= self.config.log.level;
        }
        let mut says = false;
        cli::render(&self.config, report, self.own_pid, &mut |_, _| says = true);
        says
    }

    /// Says what the machine knows nothing of.
    pub fn say(&self, notice: Notice, message: fmt::Arguments<'_>) {
        self.note(notice, None, message);
    }

    /// What is said last of all, as a line that the caller writes whole.
    #[cfg_attr(windows, allow(dead_code, reason = "no machine has this for its init"))]
    pub fn last_line(&self, notice: Notice, message: fmt::Arguments<'_>) -> String {
        let style = self.out().style;
        let what = Note { style, notice, pid: None, message };
        let (now, level) = (now(style), notice.level());
        format!("{}\n", Line { style, now, level, what: &what })
    }

    fn note(&self, notice: Notice, pid: Option<Pid>, message: fmt::Arguments<'_>) {
        let level = notice.level();
        if self.config.log.voice == Voice::Foster && self.config.log.level >= level {
            let style = self.out().style;
            self.log(level, &Note { style, notice, pid, message });
        }
    }

    fn log(&self, level: Level, what: &dyn fmt::Display) {
        let out = self.out();
        let line = Line { style: out.style, now: now(out.style), level, what };
        let level = level_filter(level).to_level().unwrap_or(log::Level::Error);
        let mut record = Record::builder();
        out.logger.log(&record.level(level).target("foster").args(format_args!("{line}")).build());
    }

    fn out(&self) -> &Out {
        self.out.get_or_init(|| {
            let mut builder = Builder::new();
            builder.filter_level(level_filter(self.config.log.level));
            let writer = LogWriter::new(Stream::Err);
            let is_set = |name| self.world.variable(name).filter(|value| !value.is_empty());
            let style = Style {
                colour: is_set("NO_COLOR").is_none()
                    && is_set("TERM").is_none_or(|kind| kind != "dumb")
                    && writer.shows_colours(),
                ..Style::of(&self.config)
            };
            // The line is made where more is known of it than a record holds.
            builder.format(|out, record| writeln!(out, "{}", record.args()));
            let writer = Counting { writer, style, dropped: 0 };
            let logger = builder.target(Target::Pipe(Box::new(writer))).build();
            Out { logger, style }
        })
    }
}

/// A writer that says how many lines were lost before.
struct Counting {
    writer: LogWriter,
    style: Style,
    dropped: u64,
}

impl io::Write for Counting {
    /// Takes a whole line, or drops it: this never fails, and never waits.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.dropped > 0 {
            let (style, notice) = (self.style, Notice::LinesDropped);
            let message = format_args!("{} log lines dropped", self.dropped);
            let what = &Note { style, notice, pid: None, message };
            let (now, level) = (now(style), notice.level());
            let mut text = Buffer::default();
            let fits = writeln!(text, "{}", Line { style, now, level, what });
            if fits.is_ok() && self.writer.put(&text.bytes[..text.length]) {
                self.dropped = 0;
            }
        }
        if self.dropped > 0 || !self.writer.put(line) {
            self.dropped += 1;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The time, where a line of this style has it: most have not.
fn now(style: Style) -> Timestamp {
    match style.format {
        LogFormat::Text if !style.time => Timestamp::default(),
        LogFormat::Text | LogFormat::Json => wall_clock(),
    }
}

/// What the wall clock shows. One that is set to before 1970 shows its beginning.
pub fn wall_clock() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Writes a line as one piece. Only one with an uncommonly long name in it allocates.
fn write_line(stream: Stream, line: fmt::Arguments<'_>) {
    let mut writer = LogWriter::new(stream);
    let mut short = Buffer::default();
    match writeln!(short, "{line}") {
        Ok(()) => writer.put(&short.bytes[..short.length]),
        Err(fmt::Error) => writer.put(format!("{line}\n").as_bytes()),
    };
}

/// A line in memory that is never allocated, if it fits.
struct Buffer {
    bytes: [u8; 512],
    length: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Buffer { bytes: [0; 512], length: 0 }
    }
}

impl fmt::Write for Buffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes[self.length..].get_mut(..text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

fn level_filter(level: Level) -> LevelFilter {
    match level {
        Level::Off => LevelFilter::Off,
        Level::Error => LevelFilter::Error,
        Level::Warn => LevelFilter::Warn,
        Level::Info => LevelFilter::Info,
        Level::Debug => LevelFilter::Debug,
        Level::Trace => LevelFilter::Trace,
    }
}
