//! Ways to a process that no recycled id can lead astray: pidfds.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, c_int};

use foster::process::Pid;

/// A process and the group that it led, by a descriptor of the process (pidfd_open(2)): a signal
/// cannot reach another, even when the id is somebody else's by now.
pub struct Guard {
    pub leader: Pid,
    descriptor: OwnedFd,
}

impl Guard {
    /// A guard for a process that is not reaped yet; none where the kernel has none (Linux 6.9)
    /// or no descriptor is left.
    pub fn new(leader: Pid) -> Option<Guard> {
        // A kernel that does not know the flag says so before it looks for the descriptor. The
        // group itself is not asked: in a storm it has thousands of members.
        if send(-1, 0, PROCESS_GROUP) != Err(Errno::EBADF) {
            return None;
        }
        // SAFETY: these are system calls on numbers; the descriptor is new and ours, and closed
        // when foster executes anything.
        unsafe {
            let descriptor = libc::syscall(libc::SYS_pidfd_open, leader.0, 0);
            let descriptor = RawFd::try_from(descriptor).ok().filter(|fd| *fd >= 0)?;
            Some(Guard { leader, descriptor: OwnedFd::from_raw_fd(descriptor) })
        }
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: c_int) -> Result<(), Errno> {
        send(self.descriptor.as_raw_fd(), signal, 0)
    }

    /// Sends a signal to all in the group.
    pub fn signal_group(&self, signal: c_int) -> Result<(), Errno> {
        send(self.descriptor.as_raw_fd(), signal, PROCESS_GROUP)
    }
}

/// pidfd_send_signal(2).
fn send(descriptor: RawFd, signal: c_int, flags: c_int) -> Result<(), Errno> {
    let info = ptr::null::<libc::siginfo_t>();
    // SAFETY: these are numbers, and no record of what to send.
    let sent =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, descriptor, signal, info, flags) };
    Errno::result(sent).map(drop)
}

/// `PIDFD_SIGNAL_PROCESS_GROUP` (pidfd_send_signal(2)).
const PROCESS_GROUP: c_int = 1 << 2;
