//! What is started, with what it inherits, and where.

use std::ffi::{OsStr, OsString};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::libc;

use super::reachable::reachable;
use super::running::{Output, Running};
use super::skip::is_root;
use super::terminal::Terminal;

/// Where the subject runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A child of the test itself, in a session of its own without a terminal: the cheapest, for
    /// a subject that leaves nothing behind when it ends.
    Child,
    /// PID 1 of a PID namespace.
    Pid1,
    /// A job in a PID namespace with another PID 1, in its own process group; what it leaves
    /// behind can be watched, and is killed in the end.
    Job,
    /// PID 1 of a PID namespace and leader of the session of a terminal, as in `docker run -t`.
    TerminalLeader,
    /// The foreground job of a shell-like parent on a terminal.
    Foreground,
    /// A background job of a shell-like parent on a terminal.
    Background,
}

/// A subject about to be started.
#[derive(Debug, Clone)]
pub struct Launch {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    before: Vec<OsString>,
    place: Place,
    own_users: bool,
    input: bool,
    in_front: bool,
    link: bool,
}

impl Launch {
    /// The program at `path`, with an empty environment but for PATH.
    pub fn new(path: impl AsRef<OsStr>) -> Self {
        Self {
            program: path.as_ref().to_owned(),
            args: Vec::new(),
            env: vec![("PATH".into(), PATH.into())],
            directory: None,
            before: Vec::new(),
            place: Place::Child,
            own_users: false,
            input: false,
            in_front: false,
            link: false,
        }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// The probe with a script of instructions separated by blanks, as the subject's command.
    pub fn probe(self, script: &str) -> Self {
        self.arg(probe()).args(script.split(' '))
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.retain(|(known, _)| known.as_os_str() != name);
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    pub fn directory(mut self, path: impl AsRef<Path>) -> Self {
        self.directory = Some(path.as_ref().to_owned());
        self
    }

    pub fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Makes root of the PID namespace nobody outside of it, even where the test is root: for a
    /// subject that must not harm the machine, should it go wrong.
    pub fn with_own_users(mut self) -> Self {
        self.own_users = true;
        self
    }

    /// Gives the subject a pipe as standard input, instead of /dev/null.
    pub fn with_input(mut self) -> Self {
        self.input = true;
        self
    }

    /// Gives the subject the terminal of its place as standard output too, instead of a pipe: as
    /// the one that the user talks to has it.
    pub fn in_front(mut self) -> Self {
        self.in_front = true;
        self
    }

    /// Gives the subject's children a connection to the test, for a probe that is itself the
    /// parent of a job: `parent=foreground,99 PROGRAM`.
    pub fn with_link(mut self) -> Self {
        self.link = true;
        self
    }

    /// Instructions for the probe, which it follows before it becomes the subject: the way to
    /// start it with an odd inheritance, such as `ignore=CHLD block=USR1 close=0`.
    pub fn inheriting(mut self, script: &str) -> Self {
        self.before.extend(script.split(' ').map(OsString::from));
        self
    }

    /// Starts it and waits for its end.
    pub fn output(self) -> Output {
        self.start().wait()
    }

    /// Starts it.
    pub fn start(self) -> Running {
        let words = self.command_line();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().envs(self.env);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(directory) = self.directory {
            command.current_dir(directory);
        }
        let mut terminal = None;
        if self.place.has_terminal() {
            let (master, slave) = Terminal::open();
            if self.in_front {
                command.stdout(slave.try_clone().expect("a descriptor can be duplicated"));
            }
            command.stdin(slave);
            terminal = Some(master);
        } else if self.input {
            command.stdin(Stdio::piped());
        } else {
            command.stdin(Stdio::null());
        }
        let needs_link = self.link || self.place.has_parent();
        let link = needs_link.then(|| UnixStream::pair().expect("a pair of sockets"));
        let inherited = link.as_ref().map(|(_, theirs)| theirs.as_raw_fd());
        // SAFETY: between fork and exec there are only system calls that touch no memory.
        unsafe {
            command.pre_exec(move || {
                forget_the_surroundings();
                if let Some(fd) = inherited {
                    libc::dup2(fd, LINK);
                    // If it is that one already, dup2 has done nothing, and an exec would close it.
                    libc::fcntl(LINK, libc::F_SETFD, 0);
                }
                Ok(())
            });
        }
        let host = command.spawn();
        let host = host.unwrap_or_else(|error| panic!("cannot start {:?}: {error}", words[0]));
        Running::new(host, self.place, link.map(|(ours, _)| ours.into()), terminal)
    }

    /// The subject with all that goes before it: unshare, and a probe that prepares the place.
    fn command_line(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        if self.place != Place::Child {
            words.extend(UNSHARE.iter().map(OsString::from));
            if self.own_users || !is_root() {
                words.push("--map-root-user".into());
            }
        }
        let mut script: Vec<OsString> = Vec::new();
        if self.place.has_terminal() {
            script.push("leader".into());
        }
        if let Some(mode) = self.place.mode_of_the_parent() {
            script.push(format!("parent={mode},{LINK}").into());
            script.push(probe().into());
        }
        script.extend(self.before.iter().cloned());
        if !script.is_empty() {
            words.push(probe().into());
            words.extend(script);
            words.push("exec".into());
        }
        words.push(self.program.clone());
        words.extend(self.args.iter().cloned());
        words
    }
}

impl Place {
    /// Whether standard input is a terminal.
    fn has_terminal(self) -> bool {
        matches!(self, Self::TerminalLeader | Self::Foreground | Self::Background)
    }

    /// Whether the subject is the job of a probe, see `probe/parent.rs`.
    pub(super) fn has_parent(self) -> bool {
        self.mode_of_the_parent().is_some()
    }

    fn mode_of_the_parent(self) -> Option<&'static str> {
        match self {
            Self::Child | Self::Pid1 | Self::TerminalLeader => None,
            Self::Job => Some("plain"),
            Self::Foreground => Some("foreground"),
            Self::Background => Some("background"),
        }
    }
}

/// Leaves behind what the developer's shell or CI gave to the test, so that a subject inherits
/// the same everywhere. It runs between fork and exec: nothing but system calls.
///
/// # Safety
/// It is for a process that is about to do an exec: its descriptors go, its handlers too.
unsafe fn forget_the_surroundings() {
    // SAFETY: the calls take numbers and a pointer to a live value; the handlers may go.
    unsafe {
        forget_dispositions();
        libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int);
        // Away from the developer's terminal, which some subjects would take.
        libc::setsid();
        // Should the test be killed, nothing of it stays.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
    }
}

/// Resets every signal to its default: a shell's background job, for one, has SIGINT and SIGQUIT
/// ignored.
///
/// # Safety
/// It is for a process that is about to do an exec: its handlers go.
pub unsafe fn forget_dispositions() {
    // Large enough for the kernel's sigaction on every architecture; all zeros is the default.
    let default = [0_u64; 8];
    for number in 1..=64 {
        let none = std::ptr::null_mut::<u64>();
        // SAFETY: it takes numbers and a pointer to a live value. glibc's own sigaction refuses
        // two of the signals.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, number, default.as_ptr(), none, 8_usize) };
    }
}

/// The path of the probe, which is built first where it is missing or old.
///
/// `cargo test --test compat` builds no examples, and nothing in Cargo.toml can make it.
pub fn probe() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let test = std::env::current_exe().expect("a test knows its own path");
        let profile = test.ancestors().nth(2).expect("tests are built in PROFILE/deps");
        let path = profile.join("examples/probe");
        if !is_current(&path) {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let mut build = Command::new(cargo);
            build.args(["build", "--quiet", "--example", "probe"]);
            if profile.ends_with("release") {
                build.arg("--release");
            }
            let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
            let built = built.expect("cargo runs").success();
            assert!(built && path.exists(), "no probe at {path:?}: cargo build --example probe");
        }
        reachable(path.to_str().expect("a target directory in UTF-8"))
    })
}

fn is_current(probe: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let support = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support");
    let parts = support.join("probe").read_dir().expect("the sources can be listed");
    let mut sources: Vec<PathBuf> = parts.map(|part| part.expect("a file").path()).collect();
    sources.extend(
        ["probe", "signals", "dice", "board"].map(|name| support.join(format!("{name}.rs"))),
    );
    let built = modified(probe);
    built.is_some() && sources.iter().all(|source| modified(source) <= built)
}

/// The descriptor of the connection to a probe that is a parent.
const LINK: i32 = 99;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// util-linux's unshare: with its own death it kills the namespace's PID 1, and so everything.
const UNSHARE: [&str; 5] = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child=KILL"];
