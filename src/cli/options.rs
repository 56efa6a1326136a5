//! foster's own options: everything that is known about each of them, in one table.
//!
//! The help text is built from the table when foster is compiled. `tests/docs/options.rs` checks the
//! man page, the README's table and the three completions against it, so that an option that is
//! added here and forgotten there fails a test. A key of a configuration file will be one more
//! column, beside the variable.

use super::kind::Kind;

/// What it takes to read an option.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What it sets.
    pub id: Id,
    /// The long name, dashes included.
    pub name: &'static str,
    /// The letter of its short name.
    pub short: Option<char>,
    /// The environment variable that sets it too, or an empty text.
    pub variable: &'static str,
    /// What kind of value it takes.
    pub kind: Kind,
    /// Where it exists.
    pub platform: Scope,
}

impl Row {
    /// The long name without its dashes.
    pub(super) fn word(&self) -> &'static str {
        self.name.trim_start_matches('-')
    }

    /// Whether the variable is named after the option: `FOSTER_STOP_TIMEOUT`, `--stop-timeout`.
    #[must_use]
    pub const fn has_regular_variable(&self) -> bool {
        let (_, name) = self.name.as_bytes().split_at("--".len());
        let variable = self.variable.as_bytes();
        if variable.len() != "FOSTER_".len() + name.len() {
            return false;
        }
        let (_, variable) = variable.split_at("FOSTER_".len());
        let mut index = 0;
        while index < name.len() {
            let expected =
                if name[index] == b'-' { b'_' } else { name[index].to_ascii_uppercase() };
            if variable[index] != expected {
                return false;
            }
            index += 1;
        }
        true
    }
}

/// On which platforms an option exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// On all of them.
    Everywhere,
    /// On Linux alone.
    LinuxOnly,
}

/// An option with the columns that only people read.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// How it is read.
    pub row: Row,
    /// The value that holds without the option. `never; --wrap: always` means that services of
    /// `--wrap` have another one; a default that begins with `the ` is no value but describes one.
    pub default: &'static str,
    /// Its line in the help. What stands in brackets at the end is left out of the completions.
    pub help: &'static str,
}

/// A group of options, under a heading of the help.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// The options.
    pub entries: &'static [Entry],
}

macro_rules! options {
    ($($title:literal { $(
        $id:ident, $name:literal, $short:expr, $variable:literal, $kind:ident, $scope:ident,
            $default:literal, $help:literal;
    )+ })+) => {
        /// An option, named after what it sets.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Id { $($( #[doc = $help] $id, )+)+ }

        /// All options, as the program reads them: without the texts.
        pub(super) const OPTIONS: &[Row] = &[$($( options!(@row $id $name $short, $variable $kind $scope), )+)+];

        /// All options, as people read of them.
        pub const SECTIONS: &[Section] = &[$( Section { title: $title, entries: &[$( Entry {
            row: options!(@row $id $name $short, $variable $kind $scope),
            default: $default,
            help: $help,
        }, )+] }, )+];
    };
    (@row $id:ident $name:literal $short:expr, $variable:literal $kind:ident $scope:ident) => {
        Row {
            id: Id::$id,
            name: $name,
            short: $short,
            variable: $variable,
            kind: Kind::$kind,
            platform: Scope::$scope,
        }
    };
}

options! {
    "Services" {
        Wrap, "--wrap", None, "WRAP_CMD", Line, Everywhere,
            "", "keep this running; repeatable (WRAP_CMD)";
        Name, "--name", None, "", Name, Everywhere,
            "the program's name", "name in the log of the next --wrap or COMMAND";
        AppPort, "--app-port", None, "APP_PORT", Port, Everywhere,
            "3000", "PORT of the first --wrap, then N+1 (3000; APP_PORT)";
        AppHost, "--app-host", None, "APP_HOST", Host, Everywhere,
            "127.0.0.1", "HOST of every --wrap (127.0.0.1; APP_HOST)";
    }
    "Restarts" {
        Restart, "--restart", None, "FOSTER_RESTART", Restart, Everywhere,
            "never; --wrap: always", "never (COMMAND), on-failure or always (--wrap)";
        Backoff, "--backoff", None, "FOSTER_BACKOFF", Duration, Everywhere,
            "500ms", "delay of the first restart; it doubles (500ms)";
        BackoffMax, "--backoff-max", None, "FOSTER_BACKOFF_MAX", Duration, Everywhere,
            "10s", "the longest delay (10s)";
        HealthyAfter, "--healthy-after", None, "FOSTER_HEALTHY_AFTER", Duration, Everywhere,
            "10s", "a run this long resets the delay and count (10s)";
        MaxRestarts, "--max-restarts", None, "FOSTER_MAX_RESTARTS", Count, Everywhere,
            "unlimited", "give up after N restarts in a row (unlimited)";
        Success, "--success", None, "FOSTER_SUCCESS", Statuses, Everywhere,
            "0", "counts as success, as 0 does; repeatable";
    }
    "Stopping" {
        StopSignal, "--stop-signal", None, "FOSTER_STOP_SIGNAL", Signal, LinuxOnly,
            "the signal received, or TERM", "what a stop sends (the signal received, or TERM)";
        StopTimeout, "--stop-timeout", None, "FOSTER_STOP_TIMEOUT", Timeout, Everywhere,
            "10s", "from the stop signal to SIGKILL, or infinity (10s)";
        StopTo, "--stop-to", None, "FOSTER_STOP_TO", StopTo, LinuxOnly,
            "leader-first; --wrap: group", "leader-first (COMMAND), group (--wrap) or leader";
        Leftovers, "--leftovers", None, "FOSTER_LEFTOVERS", Leftovers, Everywhere,
            "kill", "what a crash leaves behind: kill, term, keep (kill)";
        KeepOrphans, "--keep-orphans", None, "FOSTER_KEEP_ORPHANS", Switch, LinuxOnly,
            "", "the same as --leftovers keep";
    }
    "Signals and processes" {
        ForwardTo, "--forward-to", None, "FOSTER_FORWARD_TO", ForwardTo, LinuxOnly,
            "child", "who gets other signals: child or group (child)";
        Rewrite, "--rewrite", None, "FOSTER_REWRITE", Rewrites, LinuxOnly,
            "", "forward FROM as TO, or drop it if 0; repeatable";
        Session, "--session", None, "", Switch, LinuxOnly,
            "", "give COMMAND its own session, as --wrap has";
        NoSubreaper, "--no-subreaper", None, "", Switch, LinuxOnly,
            "", "do not adopt orphans where foster is not PID 1";
        ParentDeathSignal, "--parent-death-signal", None, "", Signal, LinuxOnly,
            "", "send foster SIG when its parent dies";
        Boot, "--boot", None, "", Switch, LinuxOnly,
            "", "be the init of a whole system";
        NoBoot, "--no-boot", None, "", Switch, LinuxOnly,
            "", "do not be the init of a whole system";
    }
    "Other" {
        LogFormat, "--log-format", None, "FOSTER_LOG_FORMAT", LogFormat, Everywhere,
            "text", "text or json (text)";
        LogTime, "--log-time", None, "FOSTER_LOG_TIME", Switch, Everywhere,
            "", "start each line of text with the time";
        Verbose, "--verbose", Some('v'), "FOSTER_LOG", Filter, Everywhere,
            "warn; --wrap: info", "log info; -vv: debug, -vvv: trace (warn; FOSTER_LOG)";
        Quiet, "--quiet", Some('q'), "", Switch, Everywhere,
            "", "log errors only";
        As, "--as", None, "", Init, LinuxOnly,
            "", "be tini, dumb-init or catatonit; the first argument";
        Help, "--help", Some('h'), "", Switch, Everywhere,
            "", "print this help";
        Version, "--version", Some('V'), "", Switch, Everywhere,
            "", "print the version";
    }
}

/// The row of an option.
pub(super) fn row(id: Id) -> &'static Row {
    // The rows are written by the macro that writes the enum, in the same order.
    &OPTIONS[id as usize]
}

const USAGE: &str = "\
Usage: foster [OPTIONS] [--] COMMAND [ARG]...     run it as PID 1 of a container
       foster [OPTIONS] --wrap 'COMMAND LINE'...  keep services running

";

const NOTES: &str = "
Options marked * are also read from the environment: FOSTER_STOP_TIMEOUT=30s.
All but --name apply to every service, wherever they stand on the command line.
";

/// The text that `--help` prints.
pub const HELP: &str = match str::from_utf8(&PAGE.text) {
    Ok(text) => text,
    Err(_) => "",
};

const PAGE: Page<{ help::<0>().len }> = help();

const fn help<const N: usize>() -> Page<N> {
    let mut page = Page { text: [0; N], len: 0, column: 0 };
    page.write(USAGE);
    let mut sections = SECTIONS;
    while let [section, rest @ ..] = sections {
        page.write(section.title);
        page.write(":\n");
        let mut entries = section.entries;
        while let [entry, rest @ ..] = entries {
            page.write_entry(entry);
            entries = rest;
        }
        sections = rest;
    }
    page.write(NOTES);
    page
}

/// A text that is written at compile time. What exceeds `N` bytes is only counted.
struct Page<const N: usize> {
    text: [u8; N],
    len: usize,
    column: usize,
}

impl<const N: usize> Page<N> {
    const fn write(&mut self, text: &str) {
        let mut bytes = text.as_bytes();
        while let [byte, rest @ ..] = bytes {
            if self.len < N {
                self.text[self.len] = *byte;
            }
            self.len += 1;
            self.column = if *byte == b'\n' { 0 } else { self.column + 1 };
            bytes = rest;
        }
    }

    const fn write_entry(&mut self, entry: &Entry) {
        let Entry { row, help, .. } = entry;
        self.write("  ");
        if let Some(letter) = row.short {
            self.write("-");
            self.write(letter.encode_utf8(&mut [0; 4]));
            self.write(", ");
        }
        self.write(row.name);
        self.write(if row.has_regular_variable() { "*" } else { "" });
        self.write(if row.kind.placeholder().is_empty() { "" } else { " " });
        self.write(row.kind.placeholder());
        while self.column < HELP_COLUMN {
            self.write(" ");
        }
        self.write(help);
        self.write("\n");
    }
}

/// Where the second column of the help begins.
const HELP_COLUMN: usize = 28;
