//! What to run and how: plain values, made by `cli` and read by everyone else.
//!
//! A personality (`tini`, `dumb-init`, ...) is nothing but values in here: no code outside `cli`
//! asks for its name.

use std::borrow::Cow;
use std::time::Duration;

use crate::exit::{CANNOT_RUN, NOT_FOUND, OWN_FAILURE, Success};
use crate::process::{SpawnError, SpawnErrorKind};
use crate::signal::{Signal, SignalSet};

/// All that one run of foster is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// What to run, side by side. Empty only for a pause container, which just reaps.
    pub services: Vec<ServiceConfig>,
    /// `HOST` for those of them that get a `PORT`.
    pub app_host: Cow<'static, str>,
    /// Whether services are kept up (`--wrap`, or a `--restart` other than `never`), rather than
    /// run once: their processes are marked, and what they leave behind is cleared away.
    pub supervised: bool,
    /// When a service that ended is started again.
    pub restart: Restart,
    /// How long to wait before that, and how often to try.
    pub backoff: Backoff,
    /// How a stop goes.
    pub stop: Stop,
    /// Which signals go on to the services, and as what.
    pub forward: Forward,
    /// The codes that count as success.
    pub success: Success,
    /// The codes for a command that cannot be started.
    pub start_failure: StartFailure,
    /// What becomes of the processes that outlive a service's first one.
    pub leftovers: Leftovers,
    /// What each child leads: a group, a session, or nothing.
    pub session: Session,
    /// What foster does when its child stops, or when it is told to stop itself.
    pub job_control: JobControl,
    /// Whether foster dies of the key on its terminal (INT, QUIT) that its only child died of,
    /// rather than end with 128+n: a shell goes on with its loop unless what it ran was killed.
    pub dies_with_child: bool,
    /// What foster sets up for itself before the first start.
    pub setup: Setup,
    /// What it says, how, and how much.
    pub log: Log,
}

/// One thing to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceConfig {
    /// What it is called, on one line; empty where nobody calls it by a name, as the voices of the
    /// programs that foster stands in for.
    pub name: Box<str>,
    /// The program and its arguments.
    pub argv: Argv,
    /// `PORT` for the child's environment, with [`Config::app_host`] as `HOST`; none leaves both
    /// untouched.
    pub port: Option<u16>,
    /// Whether a shell reads the line that `--wrap` was given. On Linux the words are then
    /// `sh -c LINE`, and a missing shell is told as such. On Windows there is one word, the line
    /// itself: it goes behind `%ComSpec% /C` as it is, since cmd.exe takes a line, not words.
    pub in_shell: bool,
}

impl ServiceConfig {
    /// These words, run as they are, in the environment as it is.
    #[must_use]
    pub fn new(argv: Argv) -> ServiceConfig {
        ServiceConfig { name: Box::default(), argv, port: None, in_shell: false }
    }
}

/// The words of a command in one piece of memory, each ended by a NUL: thousands of services
/// cost one allocation each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Argv(Box<[u8]>);

impl Argv {
    /// Packs the words. On Linux they are any bytes but NUL, which no argument can hold; what
    /// stands behind a NUL in a word would be a word of its own.
    pub fn new<W: AsRef<[u8]>>(words: impl IntoIterator<Item = W>) -> Argv {
        // Most commands fit, so that memory is asked for once.
        let mut bytes = Vec::with_capacity(64);
        for word in words {
            push_word(&mut bytes, word.as_ref());
        }
        Argv(bytes.into_boxed_slice())
    }

    /// The words, without their NULs.
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let end = rest.iter().position(|byte| *byte == 0)?;
            let word = &rest[..end];
            rest = &rest[end + 1..];
            Some(word)
        })
    }

    /// The program: the first word, or nothing where there is no word.
    #[must_use]
    pub fn program(&self) -> &[u8] {
        self.words().next().unwrap_or_default()
    }

    /// All words with their NULs, one behind the other.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Not a part of the above, which there is one of for each kind of words.
#[inline(never)]
fn push_word(bytes: &mut Vec<u8>, word: &[u8]) {
    bytes.extend_from_slice(word);
    bytes.push(0);
}

/// When a service that ended is started again. The words are systemd's and Docker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Not at all.
    Never,
    /// When it did not end with success.
    OnFailure,
    /// Always, until a stop is asked for.
    Always,
}

/// The delay before a restart, and its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The delay before the first restart in a row, from the end of the run.
    pub first: Duration,
    /// The longest delay: it doubles up to here.
    pub max: Duration,
    /// A run of at least this length starts the row anew.
    pub healthy_after: Duration,
    /// How many restarts in a row there may be; none for no limit.
    pub max_restarts: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff {
            first: Duration::from_millis(500),
            max: Duration::from_secs(10),
            healthy_after: Duration::from_secs(10),
            max_restarts: None,
        }
    }
}

/// How a stop goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The signals that ask foster to stop.
    pub requests: SignalSet,
    /// What a service gets; none for the very signal that asked, or TERM where none did.
    pub signal: Option<Signal>,
    /// From that to SIGKILL; none for never.
    pub timeout: Option<Duration>,
    /// Who gets the stop signal, and when.
    pub to: StopTo,
}

impl Stop {
    /// What a service gets where no signal asked for the stop.
    #[must_use]
    pub fn unasked(&self) -> Signal {
        self.signal.unwrap_or(Signal::TERM)
    }
}

/// Who gets the stop signal. At the deadline all of the group get SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopTo {
    /// The service's first process; the rest of its group when that has ended, or after half of
    /// the time. So a server looks after its own workers, and a shell that ends at once does not
    /// cut off its app.
    LeaderFirst,
    /// The whole process group.
    Group,
    /// The first process alone: the rest is waited for.
    Leader,
}

/// Which signals go on to the services, and as what.
#[derive(Clone, Debug)]
pub struct Forward {
    /// Who gets them.
    pub to: ForwardTo,
    /// What they are turned into.
    pub rewrites: Rewrites,
}

/// Who gets a signal that is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardTo {
    /// The service's whole process group.
    Group,
    /// Its first process alone.
    Child,
}

/// For each signal, what goes on instead of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Rewrites([u8; 65]);

impl Default for Rewrites {
    fn default() -> Self {
        Rewrites(std::array::from_fn(|number| number as u8))
    }
}

impl std::fmt::Debug for Rewrites {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let changed = (1..=64).filter_map(Signal::new).filter(|s| self.get(*s) != Some(*s));
        f.debug_map().entries(changed.map(|from| (from, self.get(from)))).finish()
    }
}

impl Rewrites {
    /// From now on `from` goes on as `to`, or not at all.
    pub fn set(&mut self, from: Signal, to: Option<Signal>) {
        self.0[usize::from(from.number())] = to.map_or(0, Signal::number);
    }

    /// What this signal goes on as; none where it is dropped.
    #[must_use]
    pub fn get(&self, from: Signal) -> Option<Signal> {
        Signal::new(i32::from(self.0[usize::from(from.number())]))
    }
}

/// The codes that stand for a command that cannot be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartFailure {
    /// There is no such command.
    pub not_found: u32,
    /// The file is there, but its interpreter or loader is not.
    pub bad_interpreter: u32,
    /// It may not be executed.
    pub denied: u32,
    /// It cannot be executed for another reason.
    pub not_executable: u32,
    /// The system had no room for what it would have been.
    pub resources: u32,
    /// There was no process that could have become it: no room for one, or no session.
    pub no_process: u32,
}

impl Default for StartFailure {
    /// 127 for what is not found, 126 for what is and cannot be run, 125 where it is not the
    /// command's fault.
    fn default() -> Self {
        StartFailure {
            not_found: NOT_FOUND,
            bad_interpreter: CANNOT_RUN,
            denied: CANNOT_RUN,
            not_executable: CANNOT_RUN,
            resources: OWN_FAILURE,
            no_process: OWN_FAILURE,
        }
    }
}

impl StartFailure {
    /// The same code, whatever fails.
    #[must_use]
    pub const fn all(code: u32) -> StartFailure {
        StartFailure {
            not_found: code,
            bad_interpreter: code,
            denied: code,
            not_executable: code,
            resources: code,
            no_process: code,
        }
    }

    /// The code for a failure.
    #[must_use]
    pub fn code(&self, error: SpawnError) -> u32 {
        match error.kind {
            SpawnErrorKind::NotFound | SpawnErrorKind::NoShell => self.not_found,
            SpawnErrorKind::BadInterpreter => self.bad_interpreter,
            SpawnErrorKind::Denied | SpawnErrorKind::Directory => self.denied,
            SpawnErrorKind::NotExecutable | SpawnErrorKind::Script => self.not_executable,
            SpawnErrorKind::Resources if error.pid.is_some() => self.resources,
            SpawnErrorKind::Resources | SpawnErrorKind::NoSession => self.no_process,
        }
    }
}

/// What becomes of the processes that a service's first one leaves behind in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// Nothing: foster is done when the first process is (tini, catatonit).
    Leave,
    /// They get this signal, and foster is done (dumb-init).
    Signal(Signal),
    /// In a stop they have until the deadline; after an unexpected end they are killed at once, or
    /// when a restart is due, and under supervision so is what escaped the group, if `orphans` says
    /// so.
    Kill {
        /// Whether processes that escaped the group are killed too.
        orphans: bool,
        /// Whether they get the stop signal after an unexpected end, and some time. They do in any
        /// case where that was a death by a signal that stops programs.
        asked: bool,
    },
}

/// What a child leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// A process group of its own in foster's session; the terminal's foreground group where
    /// foster's was.
    Group,
    /// A session of its own, without a terminal.
    Own,
    /// A session of its own that takes foster's terminal with it (dumb-init).
    OwnWithTerminal,
    /// Nothing: it stays in foster's own group (dumb-init -c), so it never gets a signal to a
    /// group, which would be foster's.
    Shared,
}

/// What foster does about stops of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobControl {
    /// It stops when its child stops, and goes on with it.
    FollowChild,
    /// It stops itself after passing on one of these (dumb-init).
    OnSignals(SignalSet),
}

/// What foster sets up for itself before the first start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// Make itself subreaper where it is not PID 1 (`PR_SET_CHILD_SUBREAPER`, prctl(2)).
    pub subreaper: bool,
    /// Rather start nothing than without that.
    pub needs_subreaper: bool,
    /// Get this signal when the parent ends.
    pub parent_death_signal: Option<Signal>,
    /// Whether the parent is the thread that started foster (tini) rather than its process.
    pub parent_is_thread: bool,
    /// Give up the terminal that stdin is (`TIOCNOTTY`, tty_ioctl(4)).
    pub detach_terminal: bool,
    /// Close every inherited descriptor from 3 up, in foster only.
    pub close_descriptors: bool,
    /// Move foster itself to `/` before its child runs, so that it keeps no mount busy.
    pub leave_directory: bool,
    /// `LISTEN_PID` names foster (sd_listen_fds(3)): let it name the child.
    pub listen_pid: bool,
    /// Start children with no signal blocked, rather than with those that foster inherited so.
    pub unblock_signals: bool,
    /// Tell (`Report::NotReaper`) where foster is neither PID 1 nor subreaper when all is set up,
    /// be it by itself or by inheritance.
    pub warn_unless_reaper: bool,
    /// Be the init of a whole machine, rather than of a container: mount what is missing, let
    /// signals say how the machine is to end, and end it.
    pub boot: bool,
    /// Run a file without a `#!` line by `/bin/sh`, as execvp(3) of glibc does.
    pub script_fallback: bool,
}

/// What foster says, how, and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Whose words.
    pub voice: Voice,
    /// How much.
    pub level: Level,
    /// A line for a person, or one for a machine.
    pub format: LogFormat,
    /// Whether a line for a person begins with the time.
    pub time: bool,
    /// Whether more was asked for: foster's own version, and the words of what it runs, in which
    /// there may be secrets.
    pub verbose: bool,
    /// Lines to say before all others, where debugging is on (dumb-init).
    pub opening: &'static [&'static str],
    /// Whether an orphan that is reaped is worth a warning (tini -w).
    pub warn_of_orphans: bool,
    /// What the reader of the command line has to warn of, said once at the start; a line each.
    pub warnings: Vec<String>,
}

/// Whose words a report is put into. This is wording, nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// foster's own.
    Foster,
    /// tini's.
    Tini,
    /// dumb-init's.
    DumbInit,
    /// catatonit's.
    Catatonit,
}

/// How grave a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing is logged.
    Off,
    /// Something failed that was asked for.
    Error,
    /// Something is odd, and foster goes on.
    Warn,
    /// What a supervisor does.
    Info,
    /// Why it does it.
    Debug,
    /// All that comes in and goes out.
    Trace,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// The configuration that runs one command once, with foster's defaults.
    #[must_use]
    pub fn init(command: ServiceConfig) -> Config {
        Config::of(vec![command])
    }

    /// The same for any number of them.
    #[must_use]
    pub fn of(services: Vec<ServiceConfig>) -> Config {
        Config {
            services,
            app_host: Cow::Borrowed(APP_HOST),
            supervised: false,
            restart: Restart::Never,
            backoff: Backoff::default(),
            stop: Stop {
                requests: INIT_STOP_REQUESTS,
                signal: None,
                timeout: Some(STOP_TIMEOUT),
                to: StopTo::LeaderFirst,
            },
            forward: Forward { to: ForwardTo::Child, rewrites: Rewrites::default() },
            success: Success::default(),
            start_failure: StartFailure::default(),
            leftovers: Leftovers::Kill { orphans: true, asked: false },
            session: Session::Group,
            job_control: JobControl::FollowChild,
            dies_with_child: false,
            setup: Setup { subreaper: true, ..Setup::default() },
            log: Log {
                voice: Voice::Foster,
                level: Level::Warn,
                format: LogFormat::Text,
                time: false,
                verbose: false,
                opening: &[],
                warn_of_orphans: false,
                warnings: Vec::new(),
            },
        }
    }

    /// The configuration that keeps services up, with foster's defaults.
    #[must_use]
    pub fn supervisor(services: Vec<ServiceConfig>) -> Config {
        let mut config = Config::of(services);
        config.supervise();
        config
    }

    /// Makes the services such that are kept up.
    pub fn supervise(&mut self) {
        self.supervised = true;
        self.restart = Restart::Always;
        self.stop.requests = SUPERVISOR_STOP_REQUESTS;
        self.stop.to = StopTo::Group;
        self.session = Session::Own;
        self.log.level = Level::Info;
    }

    /// Whether what escaped a service's group is killed too, where it is known.
    pub(crate) fn kills_orphans(&self) -> bool {
        matches!(self.leftovers, Leftovers::Kill { orphans: true, .. })
    }

    /// Whether it is known, by marks.
    pub(crate) fn clears_orphans(&self) -> bool {
        self.supervised && self.kills_orphans()
    }

    /// Makes foster the init of a machine, whatever it runs.
    pub fn boot(&mut self) {
        self.setup.boot = true;
        self.stop.requests = self.stop.requests.union(MACHINE_STOP_REQUESTS);
    }
}

/// What stops foster when it just runs a command: INT and QUIT go on to the command, as a REPL
/// needs them.
pub const INIT_STOP_REQUESTS: SignalSet = SignalSet::of(&[Signal::TERM]);

/// What stops foster when it keeps services up; PWR is what an init is told when the power fails.
pub const SUPERVISOR_STOP_REQUESTS: SignalSet =
    SignalSet::of(&[Signal::TERM, Signal::INT, Signal::QUIT, Signal::PWR]);

/// What stops foster where it is the init of a machine, besides the above: Ctrl-Alt-Del comes as
/// INT, and the power failure as PWR.
pub const MACHINE_STOP_REQUESTS: SignalSet =
    SignalSet::of(&[Signal::INT, Signal::TERM, Signal::PWR, Signal::USR1, Signal::USR2]);

/// The address of this machine for itself alone: what is behind a proxy is to be heard by nobody else.
pub const APP_HOST: &str = "127.0.0.1";

/// From the stop signal to SIGKILL, as Docker has it.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    use crate::process::Pid;

    #[test]
    fn words_come_back_as_they_were_packed() {
        let argv = Argv::new(["sh", "", "a b"]);
        assert_eq!(argv.words().collect::<Vec<_>>(), [&b"sh"[..], b"", b"a b"]);
        assert_eq!(argv.program(), b"sh");
        assert_eq!(Argv::default().program(), b"");
    }

    #[test]
    fn a_signal_goes_on_as_itself_until_it_is_rewritten_or_dropped() {
        let mut rewrites = Rewrites::default();
        assert_eq!(rewrites.get(Signal::RTMAX), Some(Signal::RTMAX));
        rewrites.set(Signal::TERM, Some(Signal::QUIT));
        rewrites.set(Signal::HUP, None);
        assert_eq!(rewrites.get(Signal::TERM), Some(Signal::QUIT));
        assert_eq!(rewrites.get(Signal::HUP), None);
        assert_eq!(format!("{rewrites:?}"), "{SIGHUP: None, SIGTERM: Some(SIGQUIT)}");
    }

    #[test]
    fn a_start_that_fails_ends_with_127_126_or_125() {
        let codes = StartFailure::default();
        for (kind, code) in [
            (SpawnErrorKind::NotFound, 127),
            (SpawnErrorKind::NoShell, 127),
            (SpawnErrorKind::BadInterpreter, 126),
            (SpawnErrorKind::Denied, 126),
            (SpawnErrorKind::Directory, 126),
            (SpawnErrorKind::Script, 126),
            (SpawnErrorKind::NotExecutable, 126),
            (SpawnErrorKind::Resources, 125),
            (SpawnErrorKind::NoSession, 125),
        ] {
            for pid in [None, Some(Pid(7))] {
                assert_eq!(codes.code(SpawnError { kind, os: 1, pid }), code, "{kind:?}");
            }
        }
    }
}
