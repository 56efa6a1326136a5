//! The start of a child, and all that it does before it is the command.
//!
//! The child is made like vfork(2) makes one: it shares foster's memory until it executes the
//! command, and foster stands still until then. So nothing is copied, the error of a failed exec
//! is simply there, and no signal can come between the start and the command: foster reads them
//! only when the child has taken its place in its group. It runs on a stack of its own, makes
//! system calls and nothing else: no allocation, no log, no panic.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int, c_void};
use std::io::Write as _;
use std::ptr;

use nix::errno::Errno;
use nix::libc;

use foster::config::{Config, ServiceConfig, Session};
use foster::process::{Pid, RunId, SpawnError, SpawnErrorKind};

use super::World;
use super::mark::{self, MARK};
use super::signals::{self, Dispositions};

/// All that a start needs, in memory that is there beforehand.
pub struct Spawner {
    /// One place to spare for a shell, the words of the command, a null.
    words: Vec<*const c_char>,
    /// The environment of the children, ended by a null; empty where it is the inherited one.
    environment: Vec<*const c_char>,
    /// Where in it the variables stand that differ from child to child.
    port: Variable,
    mark: Variable,
    listen_pid: Variable,
    /// Marks that were inherited: where this foster runs under another, the other's.
    outer_mark: &'static [u8],
    plan: Plan,
}

/// A variable `NAME=value` that foster writes, and its place in the environment.
#[derive(Default)]
struct Variable {
    text: Box<[u8]>,
    place: Option<usize>,
}

/// What the child reads, and the one thing that it writes.
struct Plan {
    session: Session,
    /// The terminal whose foreground group the child's group becomes, or -1.
    terminal: c_int,
    mask: u64,
    dispositions: Dispositions,
    path: &'static [u8],
    script_fallback: bool,
    /// Room for the longest name of a file to try.
    file: Vec<u8>,
    words: *mut *const c_char,
    environment: *const *const c_char,
    /// Where the digits of the child's own pid go, or null.
    listen_pid: *mut u8,
    progress: Progress,
}

/// How far the child came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The child does not share foster's memory after all (qemu-user's vfork), or executed its
    /// command.
    Silent,
    /// The command could not be executed.
    Failed(Errno),
    /// It was not allowed a session of its own.
    NoSession(Errno),
}

impl Spawner {
    /// A spawner for all services of a configuration.
    pub fn new(config: &Config, world: World, dispositions: Dispositions) -> Spawner {
        let path = world.path();
        let longest = |words: fn(&ServiceConfig) -> usize| {
            config.services.iter().map(words).max().unwrap_or(0)
        };
        let words = longest(|service| service.argv.words().count());
        let program = longest(|service| service.argv.program().len());
        let mut spawner = Spawner {
            words: Vec::with_capacity(words + 2),
            environment: Vec::new(),
            port: Variable::default(),
            mark: Variable::default(),
            listen_pid: Variable::default(),
            outer_mark: b"",
            plan: Plan {
                session: config.session,
                terminal: -1,
                mask: if config.setup.unblock_signals { 0 } else { world.mask },
                dispositions,
                path,
                script_fallback: config.setup.script_fallback,
                file: Vec::with_capacity(path.len() + program + 2),
                words: ptr::null_mut(),
                environment: world.environment_list(),
                listen_pid: ptr::null_mut(),
                progress: Progress::Silent,
            },
        };
        spawner.prepare_environment(config, world);
        spawner
    }

    /// Makes a list of the environment with places for what foster sets, where it sets anything.
    fn prepare_environment(&mut self, config: &Config, world: World) {
        let has_ports = config.services.iter().any(|service| service.port.is_some());
        let names_foster = config.setup.listen_pid;
        if !has_ports && !config.supervised && !names_foster {
            return;
        }
        let replaced: &[&str] = match (has_ports, config.supervised, names_foster) {
            (_, _, true) => &["LISTEN_PID"],
            (true, true, false) => &["PORT", "HOST", MARK],
            (true, false, false) => &["PORT", "HOST"],
            (false, _, false) => &[MARK],
        };
        let stays = |entry: &[u8]| {
            let name = entry.split(|byte| *byte == b'=').next().unwrap_or_default();
            !replaced.iter().any(|replaced| replaced.as_bytes() == name)
        };
        let inherited = world.environment().filter(|entry| stays(entry.to_bytes()));
        self.environment.extend(inherited.map(|entry| entry.as_ptr()));
        if has_ports {
            self.environment.push(c"HOST=127.0.0.1".as_ptr());
            self.port.add_to(&mut self.environment, "PORT=65535".len());
        }
        if config.supervised {
            self.outer_mark = world.value(MARK).unwrap_or_default();
            let mark = "=:4294967295-".len() + 32;
            self.mark.add_to(&mut self.environment, MARK.len() + self.outer_mark.len() + mark);
        }
        if names_foster {
            self.listen_pid.add_to(&mut self.environment, "LISTEN_PID=4294967295".len());
            self.listen_pid.write(|text| write!(text, "LISTEN_PID="));
            // SAFETY: the text is longer than its name.
            self.plan.listen_pid =
                unsafe { self.listen_pid.text.as_mut_ptr().add("LISTEN_PID=".len()) };
        }
        self.environment.push(ptr::null());
        self.plan.environment = self.environment.as_ptr();
    }

    /// Starts a service; its processes carry the mark of `run`. With a terminal, the child's
    /// group becomes its foreground group.
    pub fn spawn(
        &mut self,
        service: &ServiceConfig,
        run: RunId,
        terminal: Option<c_int>,
    ) -> Result<Pid, SpawnError> {
        if let Some(port) = service.port {
            self.port.write(|text| write!(text, "PORT={port}"));
        }
        if self.mark.place.is_some() {
            let outer = self.outer_mark;
            self.mark.write(|text| {
                text.write_all(MARK.as_bytes())?;
                text.write_all(b"=")?;
                text.write_all(outer)?;
                text.write_all(if outer.is_empty() { b"" } else { b":" })?;
                mark::write(text, run)
            });
        }
        self.words.clear();
        self.words.push(ptr::null());
        // Each word ends with a NUL where it stands.
        self.words.extend(service.argv.words().map(|word| word.as_ptr().cast::<c_char>()));
        self.words.push(ptr::null());
        self.plan.words = self.words.as_mut_ptr();
        self.plan.terminal = terminal.unwrap_or(-1);
        self.plan.progress = Progress::Silent;
        let pid = self.clone_child()?;
        match self.plan.progress {
            Progress::Silent => Ok(pid),
            Progress::Failed(errno) | Progress::NoSession(errno) => {
                // It has ended by now, and was never a service's.
                let _ = super::reap::waitid(libc::P_PID, pid.0, libc::WEXITED);
                Err(self.failure(service, pid, errno))
            }
        }
    }

    fn clone_child(&mut self) -> Result<Pid, SpawnError> {
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let end = CHILD_STACK.0.get().wrapping_add(1);
        let plan = &raw mut self.plan;
        // SAFETY: the stack is the child's alone and large enough for what it does (`child`),
        // and foster stands still until the child has executed its command or ended, so the
        // plan and all that it points to is the child's alone too. All signals are blocked.
        match unsafe { libc::clone(child, end.cast(), flags, plan.cast()) } {
            -1 => {
                let os = Errno::last_raw();
                Err(SpawnError { kind: SpawnErrorKind::Resources, os, pid: None })
            }
            pid => Ok(Pid(pid as u32)),
        }
    }

    /// Tells a failed exec as what a user does something different about.
    fn failure(&mut self, service: &ServiceConfig, pid: Pid, errno: Errno) -> SpawnError {
        let kind = match errno {
            _ if self.plan.progress == Progress::NoSession(errno) => SpawnErrorKind::NoSession,
            Errno::ENOENT if self.plan.any_file_exists(service.argv.program()) => {
                SpawnErrorKind::BadInterpreter
            }
            Errno::ENOENT if service.in_shell => SpawnErrorKind::NoShell,
            Errno::ENOENT => SpawnErrorKind::NotFound,
            Errno::EACCES => SpawnErrorKind::Denied,
            Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE => {
                SpawnErrorKind::Resources
            }
            _ => SpawnErrorKind::NotExecutable,
        };
        SpawnError { kind, os: errno as i32, pid: Some(pid) }
    }
}

impl Variable {
    /// Makes room for a text of this length, and a place in the environment.
    fn add_to(&mut self, environment: &mut Vec<*const c_char>, length: usize) {
        self.text = vec![0; length + 1].into_boxed_slice();
        self.place = Some(environment.len());
        environment.push(self.text.as_ptr().cast());
    }

    /// Writes the text anew; it is cut off where there is no room for it, which `add_to` saw to.
    fn write(&mut self, write: impl FnOnce(&mut &mut [u8]) -> std::io::Result<()>) {
        let Some(last) = self.text.len().checked_sub(1) else { return };
        self.text.fill(0);
        let _ = write(&mut &mut self.text[..last]);
    }
}

/// The child.
extern "C" fn child(plan: *mut c_void) -> c_int {
    // SAFETY: `clone_child` passes its plan, which nobody else touches as long as this runs.
    let plan = unsafe { &mut *plan.cast::<Plan>() };
    plan.progress = plan.execute();
    // With this code clone(2) ends the child, and touches nothing of foster's. It is seen only
    // where memory is not shared and so nothing else can be told.
    if plan.progress == Progress::Failed(Errno::ENOENT) { 127 } else { 126 }
}

impl Plan {
    /// Turns the child into the command; comes back only with the reason why it is not.
    fn execute(&mut self) -> Progress {
        // SAFETY: all of these are system calls on values that are there. A group can be made by
        // a process that was just made, and so can a session, unless somebody forbids it; a
        // terminal that went away is no reason not to run.
        unsafe {
            match self.session {
                Session::Group => {
                    libc::setpgid(0, 0);
                    if self.terminal >= 0 {
                        libc::tcsetpgrp(self.terminal, libc::getpid());
                    }
                }
                Session::Own | Session::OwnWithTerminal => {
                    if libc::setsid() < 0 {
                        return Progress::NoSession(Errno::last());
                    }
                    if self.session == Session::OwnWithTerminal {
                        libc::ioctl(0, libc::TIOCSCTTY, 0);
                    }
                }
                Session::Shared => {}
            }
            if !self.listen_pid.is_null() {
                self.write_own_pid(libc::getpid().unsigned_abs());
            }
        }
        let changed = self.dispositions.changed;
        for signal in (1..=64).filter(|signal| changed & signals::bit(*signal) != 0) {
            let was_ignored = self.dispositions.ignored & signals::bit(signal) != 0;
            let handler = if was_ignored { libc::SIG_IGN } else { libc::SIG_DFL };
            let _ = signals::set_disposition(signal, handler);
        }
        // What comes from here on reaches the child as the command will see it.
        signals::set_mask(self.mask);
        Progress::Failed(self.search())
    }

    /// Looks for the command as execvp(3) does, and executes it.
    fn search(&mut self) -> Errno {
        // SAFETY: `spawn` has put at least the spare place and a null there.
        let program = unsafe { *self.words.add(1) };
        if program.is_null() {
            return Errno::ENOENT;
        }
        // SAFETY: the words are strings.
        let program = unsafe { std::ffi::CStr::from_ptr(program) }.to_bytes();
        let mut errno = Errno::ENOENT;
        for index in 0.. {
            if !self.next_file(program, index) {
                break;
            }
            match self.exec() {
                // There may be one in a later folder; this one is not there, or its server is not.
                Errno::ENOENT
                | Errno::ENOTDIR
                | Errno::ESTALE
                | Errno::ENODEV
                | Errno::ETIMEDOUT
                    if !program.contains(&b'/') => {}
                // Nothing can be in a folder whose own name is too long, as against the file's.
                Errno::ENAMETOOLONG
                    if self.file.len() > libc::PATH_MAX as usize + program.len() + 1 => {}
                Errno::EACCES if !program.contains(&b'/') => errno = Errno::EACCES,
                other => return other,
            }
        }
        errno
    }

    /// Puts the file to try at this place of the search into `file`; false past the last.
    fn next_file(&mut self, program: &[u8], index: usize) -> bool {
        self.file.clear();
        if program.contains(&b'/') {
            if index > 0 {
                return false;
            }
        } else {
            let folder = self.path.split(|byte| *byte == b':').nth(index);
            let Some(folder) = folder.filter(|_| !program.is_empty()) else { return false };
            // An empty folder stands for the current one.
            self.file.extend_from_slice(folder);
            if !folder.is_empty() {
                self.file.push(b'/');
            }
        }
        self.file.extend_from_slice(program);
        self.file.push(0);
        true
    }

    fn exec(&mut self) -> Errno {
        let file = self.file.as_ptr().cast::<c_char>();
        // SAFETY: `file`, the words behind the spare place and the environment are strings and
        // lists of them, ended as execve(2) wants them.
        unsafe {
            libc::execve(file, self.words.add(1), self.environment);
            let errno = Errno::last();
            if errno == Errno::ENOEXEC && self.script_fallback {
                let shell = c"/bin/sh".as_ptr();
                *self.words = shell;
                *self.words.add(1) = file;
                libc::execve(shell, self.words, self.environment);
            }
            errno
        }
    }

    /// Whether a file by which the program may have been meant exists, though it could not be
    /// executed.
    fn any_file_exists(&mut self, program: &[u8]) -> bool {
        for index in 0.. {
            if !self.next_file(program, index) {
                break;
            }
            // SAFETY: `next_file` has ended the name by a NUL.
            if unsafe { libc::access(self.file.as_ptr().cast(), libc::F_OK) } == 0 {
                return true;
            }
        }
        false
    }

    /// Writes the child's pid where `LISTEN_PID` wants it.
    fn write_own_pid(&mut self, mut pid: u32) {
        let mut digits = [0_u8; 10];
        let mut first = digits.len();
        while first == digits.len() || pid > 0 {
            first -= 1;
            digits[first] = b'0' + (pid % 10) as u8;
            pid /= 10;
        }
        let count = digits.len() - first;
        // SAFETY: there is room for ten digits and the NUL behind them.
        unsafe {
            ptr::copy_nonoverlapping(digits.as_ptr().add(first), self.listen_pid, count);
            *self.listen_pid.add(count) = 0;
        }
    }
}

/// The stack of a child, which shares all other memory with foster. It is more than a child needs,
/// which is some hundreds of bytes and what a C library adds; only what is touched costs memory.
static CHILD_STACK: ChildStack = ChildStack(UnsafeCell::new([0; 1024]));

struct ChildStack(UnsafeCell<[u128; 1024]>);

// SAFETY: foster has one thread, which never looks at it and stands still while a child does.
unsafe impl Sync for ChildStack {}
