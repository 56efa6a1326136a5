//! The start of a child, which does the rest itself (child.rs) until its exec.
//!
//! The child is made like vfork(2) makes one: it shares foster's memory until it executes the
//! command, and foster stands still until then. So nothing is copied, the error of a failed exec
//! is simply there, and no signal can come between the start and the command: foster reads them
//! only when the child has taken its place in its group. It runs on a stack of its own.
//!
//! Where foster is to give up what the child keeps (its directory, descriptors) before the child can
//! look, a child that foster stands still for is of no use; and some systems refuse to make one. Then
//! foster forks: two pipes tell the child when to go on, and foster how far it came. Each is closed
//! by an end of the process too, and by an exec.

use std::cell::UnsafeCell;
use std::ffi::{c_char, c_int};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc;

use foster::config::{Config, ServiceConfig, Session};
use foster::process::{Pid, SpawnError, SpawnErrorKind};

use super::World;
use super::child::{self, Failure, Link, Plan, Step};
use super::file::{self, Short};
use super::mark::{self, Issued, MARK};
use super::signals::Dispositions;
use super::world;

/// Everything that a start needs, allocated beforehand.
pub struct Spawner {
    /// One spare place for a shell, the words of the command, a null.
    words: Vec<*const c_char>,
    /// The environment of the children, ended by a null; empty if it is the inherited one.
    environment: Vec<*const c_char>,
    /// The variables that foster sets, and their places in it.
    host: Variable,
    port: Variable,
    mark: Variable,
    listen_pid: Variable,
    /// Inherited marks: if this foster runs under another, the other's.
    outer_mark: &'static [u8],
    plan: Plan,
    /// Whether a child may share foster's memory.
    shares: bool,
    /// Why not, until that is reported.
    refused: Option<Errno>,
}

/// A variable `NAME=value` that foster writes, and its place in the environment.
#[derive(Default)]
struct Variable {
    text: Box<[u8]>,
    place: Option<usize>,
}

impl Spawner {
    /// A spawner for all services of a configuration.
    pub fn new(config: &Config, world: World, dispositions: Dispositions) -> Spawner {
        let path = world.path();
        let (mut words, mut program) = (0, 0);
        for service in &config.services {
            let ends = service.program.argv.as_bytes().iter().filter(|byte| **byte == 0);
            words = words.max(ends.count());
            program = program.max(service.program.argv.program().len());
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
                session: Session::Group,
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

    /// Makes a copy of the environment with places for the variables that foster sets, if it sets
    /// any.
    fn prepare_environment(&mut self, config: &Config, world: World) {
        let has_ports = config.services.iter().any(|service| service.program.port.is_some());
        let names_foster = config.setup.listen_pid;
        let marks = config.keeps_any();
        if !has_ports && !marks && !names_foster {
            return;
        }
        let replaced: &[&str] = match (has_ports, marks, names_foster) {
            (_, _, true) => &["LISTEN_PID"],
            (true, true, false) => &["PORT", "HOST", MARK],
            (true, false, false) => &["PORT", "HOST"],
            (false, _, false) => &[MARK],
        };
        if marks {
            self.outer_mark = world.value(MARK).unwrap_or_default();
            let mark = "=:4294967295-".len() + 32;
            // The mark comes first, so that it is found however long the others are.
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
        self.plan.session = service.policy.session;
        if let Some(port) = service.program.port {
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
        for word in service.program.argv.words() {
            // Each ends with a NUL.
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
                // It has ended by now, and never belonged to a service.
                let _ = super::reap::waitid(libc::P_PID, pid.0, libc::WEXITED);
                Err(failed(service, pid, failure))
            }
        }
    }

    /// Why children may not share foster's memory; reported once.
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
                    // Filters and emulators return these, never for a lack of room.
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
            // Without pipes or room for a copy, it happens a moment too late.
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

    /// Makes a child with its own copy of everything that foster has, and waits until its exec
    /// succeeded or failed.
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
        let made =
            unsafe { libc::clone(child::run, end.cast(), flags | libc::SIGCHLD, plan.cast()) };
        Errno::result(made).map(|pid| Pid(pid as u32))
    }
}

/// The error for a child that could not be made.
fn no_child(errno: Errno) -> SpawnError {
    SpawnError { kind: SpawnErrorKind::Resources, os: errno as i32, pid: None }
}

/// The kind of a failed exec, as far as it matters to users.
fn failed(service: &ServiceConfig, pid: Pid, Failure { step, errno }: Failure) -> SpawnError {
    let kind = match (step, errno) {
        (Step::Session, _) => SpawnErrorKind::NoSession,
        (Step::ExecOfFile, Errno::ENOENT) => SpawnErrorKind::BadInterpreter,
        (Step::ExecOfFolder, _) => SpawnErrorKind::Directory,
        (Step::ExecOfScript, _) => SpawnErrorKind::Script,
        (Step::Exec, Errno::ENOENT) if service.program.in_shell => SpawnErrorKind::NoShell,
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

impl Variable {
    /// Makes room for a text of this length, and a place in the environment.
    // It is called four times, so it is not inlined.
    #[inline(never)]
    fn add_to(&mut self, environment: &mut Vec<*const c_char>, length: usize) {
        self.text = vec![0; length + 1].into_boxed_slice();
        self.place = Some(environment.len());
        environment.push(self.text.as_ptr().cast());
    }

    /// Rewrites the text. It is cut off if there is no room, which `add_to` prevented.
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

/// The stack of a child, which shares all other memory with foster. It is larger than a child
/// needs, some hundreds of bytes and what a C library adds; untouched pages cost nothing.
static CHILD_STACK: ChildStack = ChildStack(UnsafeCell::new([0; 1024]));

struct ChildStack(UnsafeCell<[u128; 1024]>);

// SAFETY: foster has one thread, which never uses it and is suspended while a child does.
unsafe impl Sync for ChildStack {}
