//! The terminal: its foreground group, and foster's own stop together with its child.

use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{self, Pid as NixPid};

use foster::process::Pid;
use foster::signal::Signal;
use foster::supervisor::Foreground;

use super::{file, setup, signals};

/// The terminal that foster was started on, if any.
pub struct Terminal {
    descriptor: Option<RawFd>,
    /// Whether standard input and output are both that terminal.
    is_interactive: bool,
    /// Whether foster's session has a terminal that none of foster's descriptors is.
    is_elsewhere: bool,
    own_group: NixPid,
    /// The group that foster gave the terminal to.
    given_to: Option<NixPid>,
}

impl Terminal {
    /// Looks for the terminal among the descriptors 0 to 2. If none of them is one, a command in
    /// the foreground may still ask for a password on the session's terminal, which is opened if
    /// `gives`; a command in the background may not. A foster that keeps services running
    /// (`supervised`) only cares about the terminal's end.
    pub fn new(gives: bool, supervised: bool) -> Terminal {
        let own_group = unistd::getpgrp();
        let group = |descriptor| unistd::tcgetpgrp(borrow(descriptor)).ok();
        let is_terminal = |descriptor: &RawFd| group(*descriptor).is_some();
        let (input, output) = (is_terminal(&0), is_terminal(&1));
        let standard = match (input, output) {
            (true, _) => Some(0),
            (false, true) => Some(1),
            (false, false) => Some(2).filter(is_terminal),
        };
        let mut terminal = Terminal {
            descriptor: standard,
            is_interactive: input && output,
            is_elsewhere: false,
            own_group,
            given_to: None,
        };
        if standard.is_some() || !(gives || supervised) {
            return terminal;
        }
        let Some(other) = open_session_terminal() else { return terminal };
        let is_ours = || {
            group(other.as_raw_fd()) == Some(own_group)
                && (is_named(own_group) || is_in_foreground())
        };
        if !gives {
            terminal.is_elsewhere = true;
        } else if is_ours() {
            terminal.descriptor = Some(other.into_raw_fd());
        }
        terminal
    }

    /// The descriptor that refers to it.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.descriptor
    }

    /// Whether there is a terminal.
    pub fn exists(&self) -> bool {
        self.descriptor.is_some() || self.is_elsewhere
    }

    /// Whether standard input and output are both that terminal.
    pub fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    /// Whether it is gone: its window was closed, or the connection was lost (tty_ioctl(4),
    /// vhangup(2)).
    pub fn is_gone(&self) -> bool {
        let Some(fd) = self.descriptor else {
            return self.is_elsewhere && open_session_terminal().is_none();
        };
        let mut fd = libc::pollfd { fd, events: 0, revents: 0 };
        // SAFETY: there is one record, for the result.
        unsafe { libc::poll(&raw mut fd, 1, 0) };
        fd.revents & (libc::POLLHUP | libc::POLLERR) != 0
    }

    /// The terminal, if foster's own group is in its foreground and may give it away.
    pub fn to_give(&self) -> Option<RawFd> {
        let descriptor = self.descriptor?;
        self.is_ours().then_some(descriptor)
    }

    /// Whether foster's own group is the foreground group.
    fn is_ours(&self) -> bool {
        self.foreground() == Some(self.own_group)
            && (is_named(self.own_group) || is_in_foreground())
    }

    /// Who has it, as seen by the child that leads this group.
    pub fn held_by(&self, group: Pid) -> Foreground {
        match self.foreground() {
            Some(foreground) if foreground.as_raw() == group.0 as i32 => Foreground::Childs,
            Some(_) if self.is_ours() => Foreground::Fosters,
            Some(_) | None => Foreground::Others,
        }
    }

    /// Notes that a child has taken it for its own group.
    pub fn was_given(&mut self, group: Pid) {
        self.given_to = Some(NixPid::from_raw(group.0 as i32));
    }

    /// Gives the terminal to a group, if foster's own group has it; says whether it did.
    pub fn give(&mut self, group: Pid) -> bool {
        let Some(descriptor) = self.to_give() else { return false };
        let group_id = NixPid::from_raw(group.0 as i32);
        let given = unistd::tcsetpgrp(borrow(descriptor), group_id).is_ok();
        if given {
            self.was_given(group);
        }
        given
    }

    /// Takes the terminal back from the group that it was given to, or from a dead one. Any other
    /// group keeps it: a shell has put that one into the foreground since. Says whether it did.
    pub fn take_back(&mut self) -> bool {
        let (Some(descriptor), Some(given_to)) = (self.descriptor, self.given_to) else {
            return false;
        };
        let Some(foreground) = self.foreground() else { return false };
        let is_gone = || nix::sys::signal::killpg(foreground, None).is_err();
        let takes = foreground == given_to || is_gone();
        if takes {
            self.given_to = None;
        }
        // TTOU is blocked, so a background group may do this (tcsetpgrp(3)).
        takes && unistd::tcsetpgrp(borrow(descriptor), self.own_group).is_ok()
    }

    fn foreground(&self) -> Option<NixPid> {
        unistd::tcgetpgrp(borrow(self.descriptor?)).ok()
    }
}

/// Stops foster as Ctrl-Z stops a program without a handler; with the signal of a whole `job`,
/// everything in foster's group. Says whether it did stop. In a group that no shell looks after,
/// and for PID 1, the kernel refuses (setpgid(2), orphaned process groups).
pub fn suspend_like_a_job(job: Option<Signal>) -> bool {
    let signal = job.map_or(libc::SIGTSTP, |signal| i32::from(signal.number()));
    let Ok(old) = signals::set_disposition(signal, libc::SIG_DFL) else { return false };
    // SAFETY: these send signals to foster itself and read its pending ones.
    let was_continued = unsafe {
        let is_pending = || {
            let mut pending = 0_u64;
            libc::syscall(libc::SYS_rt_sigpending, &raw mut pending, size_of::<u64>());
            pending & signals::bit(libc::SIGCONT) != 0
        };
        let before = is_pending();
        libc::kill(if job.is_some() { 0 } else { libc::getpid() }, signal);
        // Here foster is stopped until somebody sends it CONT, which stays pending because it is
        // blocked.
        signals::set_mask(!signals::bit(signal));
        signals::block_all();
        !before && is_pending()
    };
    let _ = signals::set_disposition(signal, old);
    was_continued
}

/// Continues everything in foster's own group, foster included.
pub fn resume_own_group() {
    // SAFETY: a signal to foster's own group.
    unsafe { libc::kill(0, libc::SIGCONT) };
}

/// Whether foster leads its session.
pub fn leads_session() -> bool {
    // SAFETY: these return numbers.
    unsafe { libc::getsid(0) == libc::getpid() }
}

/// Ends foster by a signal, as a program without a handler ends, or everything in its group
/// (`job`). The child that died of it first has left its core, if any. Returns if the signal does
/// not kill: for PID 1.
pub fn die_of(signal: Signal, job: bool) {
    let number = i32::from(signal.number());
    // RLIMIT_CORE does not apply to a core that goes to a pipe (core(5)).
    let _ = setup::prctl(libc::PR_SET_DUMPABLE, 0);
    let _ = signals::set_disposition(number, libc::SIG_DFL);
    // SAFETY: a signal to foster itself.
    unsafe { libc::kill(if job { 0 } else { libc::getpid() }, number) };
    signals::set_mask(!signals::bit(number));
}

/// Stops foster until CONT, whatever its group is. PID 1 of a namespace cannot be stopped like
/// this.
pub fn suspend_at_all_costs() {
    // SAFETY: a signal to foster itself.
    unsafe { libc::kill(libc::getpid(), libc::SIGSTOP) };
}

/// Whether a group has a number here. Groups of an outer PID namespace have none
/// (pid_namespaces(7)).
fn is_named(group: NixPid) -> bool {
    group.as_raw() != 0
}

/// Whether the session's terminal would let foster read, tried by a read of no bytes: TTIN is
/// blocked, so a read from the background fails (POSIX, XBD 11.1.4). If somebody else is reading,
/// the error is another one.
fn is_in_foreground() -> bool {
    let Some(terminal) = open_session_terminal() else { return false };
    // SAFETY: nothing is read.
    let read = unsafe { libc::read(terminal.as_raw_fd(), [0_u8; 0].as_mut_ptr().cast(), 0) };
    read == 0 || Errno::last() == Errno::EAGAIN
}

fn open_session_terminal() -> Option<OwnedFd> {
    file::open(c"/dev/tty", libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK).ok()
}

fn borrow(descriptor: RawFd) -> BorrowedFd<'static> {
    // SAFETY: foster never closes descriptors 0 to 2, nor the terminal that it opened. If they were
    // closed before, system calls on them fail, which is intended.
    unsafe { BorrowedFd::borrow_raw(descriptor) }
}
