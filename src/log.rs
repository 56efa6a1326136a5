//! The log: it turns a report into a line, with the words of `cli` and the levels of env_logger.
//!
//! Nothing is set up before the first line: most inits never log anything.

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

/// What writes foster's own lines, and their style.
struct Out {
    logger: Logger,
    style: Style,
}

impl Log {
    /// A log for this configuration. It writes nothing yet.
    pub fn new(config: Rc<Config>, world: World) -> Log {
        let own_pid = world.own_pid();
        Log { config, world, own_pid, out: OnceCell::new() }
    }

    /// Logs foster's name and version, if that was asked for, then the warnings about the command
    /// line.
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

    /// Logs a report in the configured voice.
    pub fn report(&self, report: &Report) {
        let (config, own_pid) = (&self.config, self.own_pid);
        if config.log.voice != Voice::Foster {
            cli::render(config, report, own_pid, &mut write_line);
        } else if self.says(report) {
            let style = self.out().style;
            self.log(report.level(), &Said { config, report, style });
        }
    }

    /// Whether a report would be logged.
    pub fn says(&self, report: &Report) -> bool {
        if self.config.log.voice == Voice::Foster {
            return report.level() <= self.config.log.level;
        }
        let mut says = false;
        cli::render(&self.config, report, self.own_pid, &mut |_, _| says = true);
        says
    }

    /// Logs something that the state machine knows nothing of.
    pub fn say(&self, notice: Notice, message: fmt::Arguments<'_>) {
        self.note(notice, None, message);
    }

    /// The last text of all, as a line that the caller writes whole.
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
            // The line is built here, because a record cannot hold everything that it needs.
            builder.format(|out, record| writeln!(out, "{}", record.args()));
            let writer = Counting { writer, style, dropped: 0 };
            let logger = builder.target(Target::Pipe(Box::new(writer))).build();
            Out { logger, style }
        })
    }
}

/// A writer that reports how many lines were lost before.
struct Counting {
    writer: LogWriter,
    style: Style,
    dropped: u64,
}

impl io::Write for Counting {
    /// Writes a whole line, or drops it. It never fails and never waits.
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

/// The time, if lines of this style have one: most do not.
fn now(style: Style) -> Timestamp {
    match style.format {
        LogFormat::Text if !style.time => Timestamp::default(),
        LogFormat::Text | LogFormat::Json => wall_clock(),
    }
}

/// The wall clock. A time before 1970 counts as 1970.
pub fn wall_clock() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Writes a line in one piece. It allocates only if the line has an unusually long name in it.
fn write_line(stream: Stream, line: fmt::Arguments<'_>) {
    let mut writer = LogWriter::new(stream);
    let mut short = Buffer::default();
    match writeln!(short, "{line}") {
        Ok(()) => writer.put(&short.bytes[..short.length]),
        Err(fmt::Error) => writer.put(format!("{line}\n").as_bytes()),
    };
}

/// A line on the stack, if it fits.
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
