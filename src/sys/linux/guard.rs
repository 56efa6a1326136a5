//! Pidfds: ways to a process that a recycled id cannot mislead.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, c_int};

use foster::process::Pid;

use super::kill::Record;

/// A process and the group that it led, by a descriptor of the process (pidfd_open(2)): a signal
/// cannot reach another one, even if the id has been reused.
pub struct Guard {
    pub leader: Pid,
    descriptor: OwnedFd,
}

impl Guard {
    /// A guard for a process that is not reaped yet. None if the kernel does not support it (before
    /// Linux 6.9) or there is no free descriptor.
    pub fn new(leader: Pid) -> Option<Guard> {
        // A kernel that does not know the flag says so before it looks at the descriptor. The group
        // itself is not asked, because in a storm it has thousands of members.
        if send(-1, 0, ptr::null(), PROCESS_GROUP) != Err(Errno::EBADF) {
            return None;
        }
        Some(Guard { leader, descriptor: open(leader)? })
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: c_int) -> Result<(), Errno> {
        send(self.descriptor.as_raw_fd(), signal, ptr::null(), 0)
    }

    /// Sends a signal to the whole group.
    pub fn signal_group(&self, signal: c_int) -> Result<(), Errno> {
        send(self.descriptor.as_raw_fd(), signal, ptr::null(), PROCESS_GROUP)
    }

    /// The same, with a value.
    pub fn queue_to_group(&self, record: &Record) -> Result<(), Errno> {
        send(self.descriptor.as_raw_fd(), record.signal, record, PROCESS_GROUP)
    }
}

/// Sends a signal to a process that is identified by more than its id, once the pidfd has proved to
/// be of the right one. If it is gone, that is no error.
pub fn signal_checked(
    pid: Pid,
    signal: c_int,
    is_meant: impl FnOnce() -> bool,
) -> Result<(), Errno> {
    let descriptor = open(pid);
    if !is_meant() {
        return Ok(());
    }
    let sent = descriptor.map(|it| send(it.as_raw_fd(), signal, ptr::null(), 0));
    match sent {
        Some(Err(Errno::ESRCH)) => Ok(()),
        Some(sent) if sent != Err(Errno::ENOSYS) => sent,
        // There are no pidfds (before Linux 5.3), or no free descriptor.
        // SAFETY: these are numbers.
        Some(_) | None => Errno::result(unsafe { libc::kill(pid.0 as i32, signal) }).map(drop),
    }
}

/// Whether a process has ended and is not reaped yet. Where nobody can tell, it has not.
pub fn has_ended(pid: Pid) -> bool {
    open(pid).is_some_and(|descriptor| {
        let fd = descriptor.as_raw_fd();
        let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        // SAFETY: it is one pollfd, as the count says.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
    })
}

/// pidfd_open(2).
pub fn open(pid: Pid) -> Option<OwnedFd> {
    // SAFETY: these are system calls on numbers; the descriptor is new and ours, and closed on
    // exec.
    unsafe {
        let descriptor = libc::syscall(libc::SYS_pidfd_open, pid.0, 0);
        let descriptor = RawFd::try_from(descriptor).ok().filter(|fd| *fd >= 0)?;
        Some(OwnedFd::from_raw_fd(descriptor))
    }
}

/// pidfd_send_signal(2).
fn send(
    descriptor: RawFd,
    signal: c_int,
    record: *const Record,
    flags: c_int,
) -> Result<(), Errno> {
    // SAFETY: these are numbers, and either no record or one that is at least as long as the 128
    // bytes that the kernel reads.
    let sent =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, descriptor, signal, record, flags) };
    Errno::result(sent).map(drop)
}

/// `PIDFD_SIGNAL_PROCESS_GROUP` (pidfd_send_signal(2)).
const PROCESS_GROUP: c_int = 1 << 2;
