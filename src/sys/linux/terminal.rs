//! The terminal: whose group is its foreground group, and foster's own stop with its child.

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
    /// Whether standard input and output both are it.
    is_interactive: bool,
    /// Whether foster's session has one, though no descriptor of foster's is it.
    is_elsewhere: bool,
    own_group: NixPid,
    /// The group that was given the terminal.
    given_to: Option<NixPid>,
}

impl Terminal {
    /// Looks for the terminal among the descriptors 0 to 2. Where all are something else, a command
    /// in the foreground may still ask for a password on the terminal of the session, which is
    /// opened if `gives`; a command in the background has nothing to do with that. Who keeps
    /// services up (`supervised`) has to do with its end alone.
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

    /// The descriptor by which it is known.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.descriptor
    }

    /// Whether there is one.
    pub fn exists(&self) -> bool {
        self.descriptor.is_some() || self.is_elsewhere
    }

    /// Whether standard input and output both are it.
    pub fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    /// Whether it is gone: its window was closed, or its line was cut (tty_ioctl(4), vhangup(2)).
    pub fn is_gone(&self) -> bool {
        let Some(fd) = self.descriptor else {
            return self.is_elsewhere && open_session_terminal().is_none();
        };
        let mut fd = libc::pollfd { fd, events: 0, revents: 0 };
        // SAFETY: it is one record, which takes the answer.
        unsafe { libc::poll(&raw mut fd, 1, 0) };
        fd.revents & (libc::POLLHUP | libc::POLLERR) != 0
    }

    /// The terminal, if foster's own group is its foreground group and so may give it away.
    pub fn to_give(&self) -> Option<RawFd> {
        let descriptor = self.descriptor?;
        self.is_ours().then_some(descriptor)
    }

    /// Whether foster's own group is the foreground group.
    fn is_ours(&self) -> bool {
        self.foreground() == Some(self.own_group)
            && (is_named(self.own_group) || is_in_foreground())
    }

    /// Who has it, as seen from a child that leads this group.
    pub fn held_by(&self, group: Pid) -> Foreground {
        match self.foreground() {
            Some(foreground) if foreground.as_raw() == group.0 as i32 => Foreground::Childs,
            Some(_) if self.is_ours() => Foreground::Fosters,
            Some(_) | None => Foreground::Others,
        }
    }

    /// Takes in that a child has given it to its own group.
    pub fn was_given(&mut self, group: Pid) {
        self.given_to = Some(NixPid::from_raw(group.0 as i32));
    }

    /// Gives the terminal to a group, if foster's own has it; says whether it did.
    pub fn give(&mut self, group: Pid) -> bool {
        let Some(descriptor) = self.to_give() else { return false };
        let group_id = NixPid::from_raw(group.0 as i32);
        let given = unistd::tcsetpgrp(borrow(descriptor), group_id).is_ok();
        if given {
            self.was_given(group);
        }
        given
    }

    /// Takes the terminal back from the group that it was given to, or from one that is no more;
    /// leaves it with any other, which a shell has brought forward since. Says whether it did.
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
        // TTOU is blocked, so that a background group may do this (tcsetpgrp(3)).
        takes && unistd::tcsetpgrp(borrow(descriptor), self.own_group).is_ok()
    }

    fn foreground(&self) -> Option<NixPid> {
        unistd::tcgetpgrp(borrow(self.descriptor?)).ok()
    }
}

/// Stops foster as Ctrl-Z stops a program without a handler, or by the signal of a whole `job` with
/// all that is in foster's group; says whether it did stop. In a group that no shell looks after, and
/// for PID 1, the kernel does not let it (setpgid(2), orphaned process groups).
pub fn suspend_like_a_job(job: Option<Signal>) -> bool {
    let signal = job.map_or(libc::SIGTSTP, |signal| i32::from(signal.number()));
    let Ok(old) = signals::set_disposition(signal, libc::SIG_DFL) else { return false };
    // SAFETY: these are signals to foster itself and a look at its own pending ones.
    let was_continued = unsafe {
        let is_pending = || {
            let mut pending = 0_u64;
            libc::syscall(libc::SYS_rt_sigpending, &raw mut pending, size_of::<u64>());
            pending & signals::bit(libc::SIGCONT) != 0
        };
        let before = is_pending();
        libc::kill(if job.is_some() { 0 } else { libc::getpid() }, signal);
        // Here foster stands still until somebody sends it CONT, which stays pending: it is
        // blocked.
        signals::set_mask(!signals::bit(signal));
        signals::block_all();
        !before && is_pending()
    };
    let _ = signals::set_disposition(signal, old);
    was_continued
}

/// Lets all that is in foster's own group go on, foster among it.
pub fn resume_own_group() {
    // SAFETY: a signal to foster's own group.
    unsafe { libc::kill(0, libc::SIGCONT) };
}

/// Whether foster leads its session.
pub fn leads_session() -> bool {
    // SAFETY: these ask for numbers.
    unsafe { libc::getsid(0) == libc::getpid() }
}

/// Ends foster by a signal, as a program without a handler ends, or all that is in its group with it
/// (`job`); the child that died of it first has left its core, if any. Comes back where that does not
/// kill: for PID 1.
pub fn die_of(signal: Signal, job: bool) {
    let number = i32::from(signal.number());
    // RLIMIT_CORE does not hold for a core that goes to a pipe (core(5)).
    let _ = setup::prctl(libc::PR_SET_DUMPABLE, 0);
    let _ = signals::set_disposition(number, libc::SIG_DFL);
    // SAFETY: a signal to foster itself.
    unsafe { libc::kill(if job { 0 } else { libc::getpid() }, number) };
    signals::set_mask(!signals::bit(number));
}

/// Stops foster whatever its group is, until CONT. PID 1 of a namespace is not stopped by this.
pub fn suspend_at_all_costs() {
    // SAFETY: a signal to foster itself.
    unsafe { libc::kill(libc::getpid(), libc::SIGSTOP) };
}

/// Whether a group has a number here. A group of an outer PID namespace has none, whichever it is
/// (pid_namespaces(7)).
fn is_named(group: NixPid) -> bool {
    group.as_raw() != 0
}

/// Whether the terminal of the session would let foster read, by a read of nothing: TTIN is blocked,
/// so that one from the background fails (POSIX, XBD 11.1.4). Where somebody else reads already, it
/// is not foster's turn, which is another error.
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
    // SAFETY: descriptors 0 to 2 are never closed by foster, nor is the terminal that it opened and
    // keeps; where they were closed before, system calls on them fail, which is what is asked.
    unsafe { BorrowedFd::borrow_raw(descriptor) }
}
