//! The terminal: whose group is its foreground group, and foster's own stop with its child.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{self, Pid as NixPid};

use foster::process::Pid;
use foster::signal::Signal;

use super::signals;

/// The terminal that foster was started on, if any.
pub struct Terminal {
    descriptor: Option<RawFd>,
    own_group: NixPid,
    /// The group that was given the terminal.
    given_to: Option<NixPid>,
}

impl Terminal {
    /// Looks for the terminal among the descriptors 0 to 2: stderr is the one that is redirected
    /// least. Where all are, a command in the foreground may still ask for a password on the
    /// terminal of the session, which is opened if `everywhere`; a command in the background has
    /// nothing to do with that.
    pub fn new(everywhere: bool) -> Terminal {
        let own_group = unistd::getpgrp();
        let group = |descriptor| unistd::tcgetpgrp(borrow(descriptor)).ok();
        let standard = [2, 0, 1].into_iter().find(|descriptor| group(*descriptor).is_some());
        let session = || {
            let terminal = if everywhere { open_session_terminal() } else { None }?;
            let is_ours = group(terminal.as_raw_fd()) == Some(own_group)
                && (is_named(own_group) || is_in_foreground());
            is_ours.then(|| terminal.into_raw_fd())
        };
        Terminal { descriptor: standard.or_else(session), own_group, given_to: None }
    }

    /// The descriptor by which it is known.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.descriptor
    }

    /// Whether there is one.
    pub fn exists(&self) -> bool {
        self.descriptor.is_some()
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

    /// Whether the terminal may have stopped a child's group by this signal: TSTP comes to the
    /// foreground group, and the others to one that reads or writes while others have it.
    pub fn may_stop(&self, group: Pid, signal: Signal) -> bool {
        let Some(foreground) = self.foreground() else { return false };
        let is_childs = foreground.as_raw() == group.0 as i32;
        match signal {
            Signal::TSTP => is_childs,
            Signal::TTIN | Signal::TTOU => !is_childs && !self.is_ours(),
            _ => false,
        }
    }

    /// Takes in that a child has given it to its own group.
    pub fn was_given(&mut self, group: Pid) {
        self.given_to = Some(NixPid::from_raw(group.0 as i32));
    }

    /// Gives the terminal to a group, if foster's own has it.
    pub fn give(&mut self, group: Pid) {
        if let Some(descriptor) = self.to_give() {
            let group_id = NixPid::from_raw(group.0 as i32);
            if unistd::tcsetpgrp(borrow(descriptor), group_id).is_ok() {
                self.was_given(group);
            }
        }
    }

    /// Takes the terminal back from the group that it was given to, or from one that is no more;
    /// leaves it with any other, which a shell has brought forward since.
    pub fn take_back(&mut self) {
        let (Some(descriptor), Some(given_to)) = (self.descriptor, self.given_to) else { return };
        let Some(foreground) = self.foreground() else { return };
        let is_gone = || nix::sys::signal::killpg(foreground, None).is_err();
        if foreground == given_to || is_gone() {
            // TTOU is blocked, so that a background group may do this (tcsetpgrp(3)).
            let _ = unistd::tcsetpgrp(borrow(descriptor), self.own_group);
            self.given_to = None;
        }
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
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: the path is a string, and the descriptor is new and ours.
    unsafe {
        match libc::open(c"/dev/tty".as_ptr(), flags) {
            -1 => None,
            descriptor => Some(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

fn borrow(descriptor: RawFd) -> BorrowedFd<'static> {
    // SAFETY: descriptors 0 to 2 are never closed by foster, nor is the terminal that it opened and
    // keeps; where they were closed before, system calls on them fail, which is what is asked.
    unsafe { BorrowedFd::borrow_raw(descriptor) }
}
