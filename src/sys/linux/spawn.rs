//! The start of a child, and all that it does before it is the command.
//!
//! The child is made like vfork(2) makes one: it shares foster's memory until it executes the
//! command, and foster stands still until then. So nothing is copied, the error of a failed exec
//! is simply there, and no signal can come between the start and the command: foster reads them
//! only when the child has taken its place in its group. It runs on a stack of its own, makes
//! system calls and nothing else: no allocation, no log, no panic.
//!
//! Where foster is to give up what the child keeps (its directory, descriptors) before the child can
//! look, a child that foster stands still for is of no use; and some systems refuse to make one. Then
//! foster forks: two pipes tell the child when to go on, and foster how far it came. Each is closed
//! by an end of the process too, and by an exec.

use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc;

use foster::config::{Config, ServiceConfig, Session};
use foster::process::{Badge, Pid, SpawnError, SpawnErrorKind};

use super::World;
use super::file::{self, Short, Status};
use super::mark::{self, Issued, MARK};
use super::signals::{self, Dispositions};
use super::world;

/// All that a start needs, in memory that is there beforehand.
pub struct Spawner {
    /// One place to spare for a shell, the words of the command, a null.
    words: Vec<*const c_char>,
    /// The environment of the children, ended by a null; empty where it is the inherited one.
    environment: Vec<*const c_char>,
    /// The variables that foster sets, and where in it they stand.
    host: Variable,
    port: Variable,
    mark: Variable,
    listen_pid: Variable,
    /// Marks that were inherited: where this foster runs under another, the other's.
    outer_mark: &'static [u8],
    plan: Plan,
    /// Whether a child may share foster's memory.
    shares: bool,
    /// Why not, until that is told.
    refused: Option<Errno>,
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
    /// The number that tells all that stems from the child.
    badge: Option<Badge>,
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
    /// What ties a child that was forked to foster.
    link: Option<Link>,
    /// Why the child is not its command. Nothing where it is, or where it does not share foster's
    /// memory after all (qemu-user's vfork).
    failure: Option<Failure>,
}

/// Why a child is not its command.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Failure {
    step: Step,
    errno: Errno,
}

/// What a child did in vain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The command could not be executed, and there may be no file of its name.
    Exec = 1,
    /// Nor could a file that is there.
    ExecOfFile,
    /// Nor could what is a folder.
    ExecOfFolder,
    /// Nor could a text without the name of its interpreter.
    ExecOfScript,
    /// A session of its own was refused.
    Session,
}

/// A forked child's ends of two pipes.
#[derive(Clone, Copy)]
struct Link {
    /// At its end when the child may go on.
    go: RawFd,
    /// The other end of the same.
    go_writer: RawFd,
    /// Takes the failure.
    report: RawFd,
}

impl Spawner {
    /// A spawner for all services of a configuration.
    pub fn new(config: &Config, world: World, dispositions: Dispositions) -> Spawner {
        let path = world.path();
        let (mut words, mut program) = (0, 0);
        for service in &config.services {
            let ends = service.argv.as_bytes().iter().filter(|byte| **byte == 0);
            words = words.max(ends.count());
            program = program.max(service.argv.program().len());
        }
        let mut spawner = Spawner {
            words: Vec::with_capacity(words + 2),
            environment: Vec::new(),
            host: Variable::default(),
            port: Variable::default(),
            mark: Variable::default(),
            listen_pid: Variable::default(),
            outer_mark: b"",
            plan: Plan {
                session: config.session,
                terminal: -1,
                badge: None,
                mask: if config.setup.unblock_signals { 0 } else { world.mask },
                dispositions,
                path,
                script_fallback: config.setup.script_fallback,
                file: Vec::with_capacity(path.len() + program + 2),
                words: ptr::null_mut(),
                environment: world.environment_list(),
                listen_pid: ptr::null_mut(),
                link: None,
                failure: None,
            },
            shares: true,
            refused: None,
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
        if config.supervised {
            self.outer_mark = world.value(MARK).unwrap_or_default();
            let mark = "=:4294967295-".len() + 32;
            // The first of all, so that it is found however long the others are.
            self.mark.add_to(&mut self.environment, MARK.len() + self.outer_mark.len() + mark);
        }
        for entry in world.entries() {
            if !replaced.iter().any(|name| world::value_in(entry, name).is_some()) {
                self.environment.push(entry);
            }
        }
        if has_ports {
            let host = config.app_host.as_bytes();
            self.host.add_to(&mut self.environment, "HOST=".len() + host.len());
            self.host.write(&[b"HOST=", host]);
            self.port.add_to(&mut self.environment, "PORT=65535".len());
        }
        if names_foster {
            self.listen_pid.add_to(&mut self.environment, "LISTEN_PID=4294967295".len());
            self.listen_pid.write(&[b"LISTEN_PID="]);
            // SAFETY: the text is longer than its name.
            self.plan.listen_pid =
                unsafe { self.listen_pid.text.as_mut_ptr().add("LISTEN_PID=".len()) };
        }
        self.environment.push(ptr::null());
        self.plan.environment = self.environment.as_ptr();
    }

    /// Starts a service; its processes carry the mark that was issued. With a terminal, the child's
    /// group becomes its foreground group. `settle` is done when the child has its own of all that
    /// foster has, and before it can look at foster; it is given what it has to leave open.
    pub fn spawn(
        &mut self,
        service: &ServiceConfig,
        issued: Issued,
        terminal: Option<c_int>,
        settle: Option<&mut dyn FnMut([RawFd; 2])>,
    ) -> Result<Pid, SpawnError> {
        if let Some(port) = service.port {
            self.port.write(&[b"PORT=", Short::new().add_number(port.into()).as_bytes()]);
        }
        if self.mark.place.is_some() {
            let outer = self.outer_mark;
            let colon: &[u8] = if outer.is_empty() { b"" } else { b":" };
            let own = mark::written(issued.run);
            self.mark.write(&[MARK.as_bytes(), b"=", outer, colon, own.as_bytes()]);
        }
        self.words.clear();
        self.words.push(ptr::null());
        for word in service.argv.words() {
            // Each ends with a NUL where it stands.
            self.words.push(word.as_ptr().cast());
        }
        self.words.push(ptr::null());
        self.plan.words = self.words.as_mut_ptr();
        self.plan.terminal = terminal.unwrap_or(-1);
        self.plan.badge = issued.badge;
        self.plan.link = None;
        self.plan.failure = None;
        let pid = self.make_child(settle)?;
        match self.plan.failure {
            None => Ok(pid),
            Some(failure) => {
                // It has ended by now, and was never a service's.
                let _ = super::reap::waitid(libc::P_PID, pid.0, libc::WEXITED);
                Err(failed(service, pid, failure))
            }
        }
    }

    /// Why children may not share foster's memory, once after that was found out.
    pub fn was_refused(&mut self) -> Option<Errno> {
        self.refused.take()
    }

    fn make_child(
        &mut self,
        settle: Option<&mut dyn FnMut([RawFd; 2])>,
    ) -> Result<Pid, SpawnError> {
        let Some(settle) = settle else {
            if self.shares {
                match self.clone_child(libc::CLONE_VM | libc::CLONE_VFORK) {
                    // Filters and emulators say so, and neither for want of room.
                    Err(error @ (Errno::EPERM | Errno::ENOSYS | Errno::EINVAL | Errno::EACCES)) => {
                        self.refused = Some(error);
                        self.shares = false;
                    }
                    made => return made.map_err(no_child),
                }
            }
            return self.fork_child(&mut |_| {});
        };
        match self.fork_child(settle) {
            // Without pipes or room for a copy it comes a moment late.
            Err(_) if self.shares => {
                self.plan.link = None;
                let made = self.clone_child(libc::CLONE_VM | libc::CLONE_VFORK);
                let pid = made.map_err(no_child)?;
                if self.plan.failure.is_none() {
                    settle([-1; 2]);
                }
                Ok(pid)
            }
            made => made,
        }
    }

    /// Makes a child that has its own of all that foster has, and waits until it is its command or
    /// has failed.
    fn fork_child(&mut self, settle: &mut dyn FnMut([RawFd; 2])) -> Result<Pid, SpawnError> {
        let [go, go_writer] = pipe()?;
        let [reader, report] = pipe()?;
        self.plan.link = Some(Link {
            go: go.as_raw_fd(),
            go_writer: go_writer.as_raw_fd(),
            report: report.as_raw_fd(),
        });
        let pid = self.clone_child(0).map_err(no_child)?;
        drop((go, report));
        settle([go_writer.as_raw_fd(), reader.as_raw_fd()]);
        drop(go_writer);
        let mut words = [0; 2];
        // SAFETY: the buffer is writable for its length.
        while unsafe {
            libc::read(reader.as_raw_fd(), words.as_mut_ptr().cast(), size_of_val(&words))
        } == -1
            && Errno::last() == Errno::EINTR
        {}
        self.plan.failure = Failure::from_words(words);
        Ok(pid)
    }

    fn clone_child(&mut self, flags: c_int) -> Result<Pid, Errno> {
        let end = CHILD_STACK.0.get().wrapping_add(1);
        let plan = &raw mut self.plan;
        // SAFETY: the stack is the child's alone and large enough for what it does (`child`),
        // and foster stands still until the child has executed its command or ended, so the
        // plan and all that it points to is the child's alone too; or the child has copies of
        // all of these. All signals are blocked.
        let made = unsafe { libc::clone(child, end.cast(), flags | libc::SIGCHLD, plan.cast()) };
        Errno::result(made).map(|pid| Pid(pid as u32))
    }
}

/// Tells that there was no child.
fn no_child(errno: Errno) -> SpawnError {
    SpawnError { kind: SpawnErrorKind::Resources, os: errno as i32, pid: None }
}

/// Tells a failed exec as what a user does something different about.
fn failed(service: &ServiceConfig, pid: Pid, Failure { step, errno }: Failure) -> SpawnError {
    let kind = match (step, errno) {
        (Step::Session, _) => SpawnErrorKind::NoSession,
        (Step::ExecOfFile, Errno::ENOENT) => SpawnErrorKind::BadInterpreter,
        (Step::ExecOfFolder, _) => SpawnErrorKind::Directory,
        (Step::ExecOfScript, _) => SpawnErrorKind::Script,
        (Step::Exec, Errno::ENOENT) if service.in_shell => SpawnErrorKind::NoShell,
        (Step::Exec, Errno::ENOENT) => SpawnErrorKind::NotFound,
        (_, Errno::EACCES) => SpawnErrorKind::Denied,
        (_, Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE) => {
            SpawnErrorKind::Resources
        }
        _ => SpawnErrorKind::NotExecutable,
    };
    SpawnError { kind, os: errno as i32, pid: Some(pid) }
}

/// A pipe: its end to read, and that to write.
fn pipe() -> Result<[OwnedFd; 2], SpawnError> {
    let ends = file::pipe(0).map_err(no_child)?;
    // SAFETY: the descriptors are new and ours.
    Ok(ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) }))
}

impl Failure {
    fn to_words(self) -> [c_int; 2] {
        [self.step as c_int, self.errno as c_int]
    }

    fn from_words([step, errno]: [c_int; 2]) -> Option<Failure> {
        let known =
            [Step::Exec, Step::ExecOfFile, Step::ExecOfFolder, Step::ExecOfScript, Step::Session];
        let step = known.into_iter().find(|known| *known as c_int == step)?;
        Some(Failure { step, errno: Errno::from_raw(errno) })
    }
}

impl Variable {
    /// Makes room for a text of this length, and a place in the environment.
    // There are four calls.
    #[inline(never)]
    fn add_to(&mut self, environment: &mut Vec<*const c_char>, length: usize) {
        self.text = vec![0; length + 1].into_boxed_slice();
        self.place = Some(environment.len());
        environment.push(self.text.as_ptr().cast());
    }

    /// Writes the text anew; it is cut off where there is no room for it, which `add_to` saw to.
    fn write(&mut self, pieces: &[&[u8]]) {
        self.text.fill(0);
        let Some((_, mut room)) = self.text.split_last_mut() else { return };
        for byte in pieces.iter().copied().flatten() {
            let Some((place, rest)) = room.split_first_mut() else { return };
            *place = *byte;
            room = rest;
        }
    }
}

/// The child.
extern "C" fn child(plan: *mut c_void) -> c_int {
    // SAFETY: `clone_child` passes its plan, which nobody else touches as long as this runs.
    let plan = unsafe { &mut *plan.cast::<Plan>() };
    plan.wait_for_go();
    let failure = plan.execute();
    plan.failure = Some(failure);
    plan.tell(failure);
    // With this code clone(2) ends the child, and touches nothing of foster's. It is seen only
    // where memory is not shared and there is no pipe, so that nothing else can be told.
    if failure.errno == Errno::ENOENT { 127 } else { 126 }
}

impl Plan {
    /// Waits until foster has settled in, where the child was forked. Should foster be killed
    /// meanwhile, the command runs all the same, as if that had been a moment later.
    fn wait_for_go(&self) {
        let Some(link) = self.link else { return };
        // SAFETY: the child has its own of foster's descriptors; one byte is read at the most, to
        // where there is room for it.
        unsafe {
            libc::close(link.go_writer);
            let mut byte = 0_u8;
            while libc::read(link.go, (&raw mut byte).cast(), 1) < 0
                && Errno::last() == Errno::EINTR
            {}
        }
    }

    /// Tells foster why the child is not the command, where it cannot see it.
    fn tell(&self, failure: Failure) {
        let Some(link) = self.link else { return };
        let words = failure.to_words();
        // SAFETY: the buffer is readable for its length.
        unsafe { libc::write(link.report, words.as_ptr().cast(), size_of_val(&words)) };
    }

    /// Turns the child into the command; comes back only with the reason why it is not.
    fn execute(&mut self) -> Failure {
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
                        return Failure { step: Step::Session, errno: Errno::last() };
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
        if let Some(badge) = self.badge {
            mark::wear(badge);
        }
        let changed = self.dispositions.changed;
        for signal in (1..=64).filter(|signal| changed & signals::bit(*signal) != 0) {
            let was_ignored = self.dispositions.ignored & signals::bit(signal) != 0;
            let handler = if was_ignored { libc::SIG_IGN } else { libc::SIG_DFL };
            let _ = signals::set_disposition(signal, handler);
        }
        // What comes from here on reaches the child as the command will see it.
        signals::set_mask(self.mask);
        let errno = self.search();
        // The child looks itself: foster may be in another directory by now.
        let step = match errno {
            Errno::ENOENT if self.any_file(|_| true) => Step::ExecOfFile,
            Errno::EACCES if self.any_file(is_folder) && !self.any_file(|it| !is_folder(it)) => {
                Step::ExecOfFolder
            }
            Errno::ENOEXEC if is_script(&self.file) => Step::ExecOfScript,
            _ => Step::Exec,
        };
        Failure { step, errno }
    }

    /// The first word of the command.
    fn program(&self) -> Option<&'static [u8]> {
        // SAFETY: `spawn` has put at least the spare place and a null there; the words are strings,
        // which outlive the child's look at them.
        unsafe {
            let program = *self.words.add(1);
            (!program.is_null()).then(|| CStr::from_ptr(program).to_bytes())
        }
    }

    /// Looks for the command as execvp(3) does, and executes it.
    fn search(&mut self) -> Errno {
        let Some(program) = self.program() else { return Errno::ENOENT };
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

    /// Whether a file by which the program may have been meant exists and is such a one, though it
    /// could not be executed.
    fn any_file(&mut self, is_such: fn(&Status) -> bool) -> bool {
        let Some(program) = self.program() else { return false };
        for index in 0.. {
            if !self.next_file(program, index) {
                break;
            }
            let name = CStr::from_bytes_until_nul(&self.file).ok();
            if name.and_then(file::status).is_some_and(|status| is_such(&status)) {
                return true;
            }
        }
        false
    }

    /// Writes the child's pid where `LISTEN_PID` wants it.
    fn write_own_pid(&mut self, pid: u32) {
        let mut text = Short::new();
        let digits = text.add_number(pid).as_bytes();
        // SAFETY: there is room for ten digits and the NUL behind them.
        unsafe {
            ptr::copy_nonoverlapping(digits.as_ptr(), self.listen_pid, digits.len());
            *self.listen_pid.add(digits.len()) = 0;
        }
    }
}

fn is_folder(status: &Status) -> bool {
    status.st_mode & libc::S_IFMT == libc::S_IFDIR
}

/// Whether a file begins with text, and not with `#!`.
fn is_script(name: &[u8]) -> bool {
    let Ok(name) = CStr::from_bytes_until_nul(name) else { return false };
    let mut room = [0; 128];
    let is_text = |byte: &u8| !byte.is_ascii_control() || b"\t\n\r\x0c\x1b".contains(byte);
    file::read_start(name, &mut room).is_ok_and(|start| {
        !start.is_empty() && !start.starts_with(b"#!") && start.iter().all(is_text)
    })
}

/// The stack of a child, which shares all other memory with foster. It is more than a child needs,
/// which is some hundreds of bytes and what a C library adds; only what is touched costs memory.
static CHILD_STACK: ChildStack = ChildStack(UnsafeCell::new([0; 1024]));

struct ChildStack(UnsafeCell<[u128; 1024]>);

// SAFETY: foster has one thread, which never looks at it and stands still while a child does.
unsafe impl Sync for ChildStack {}
