//! Ways to a process that no recycled id can lead astray: pidfds.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::libc::{self, c_int};

use foster::exit::ExitStatus;
use foster::process::Pid;

use super::kill::Record;
use super::reap;

/// A process and the group that it led, by a descriptor of the process (pidfd_open(2)): a signal
/// cannot reach another, even when the id is somebody else's by now.
pub struct Guard {
    pub leader: Pid,
    descriptor: OwnedFd,
    is_watched: bool,
}

impl Guard {
    /// A guard for a process that is not reaped yet; none where the kernel has none (Linux 6.9)
    /// or no descriptor is left.
    pub fn new(leader: Pid) -> Option<Guard> {
        // A kernel that does not know the flag says so before it looks for the descriptor. The
        // group itself is not asked: in a storm it has thousands of members.
        if send(-1, 0, None, PROCESS_GROUP) != Err(Errno::EBADF) {
            return None;
        }
        // SAFETY: these are system calls on numbers; the descriptor is new and ours, and closed
        // when foster executes anything.
        unsafe {
            let descriptor = libc::syscall(libc::SYS_pidfd_open, leader.0, 0);
            let descriptor = RawFd::try_from(descriptor).ok().filter(|fd| *fd >= 0)?;
            let descriptor = OwnedFd::from_raw_fd(descriptor);
            Some(Guard { leader, descriptor, is_watched: false })
        }
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: c_int, record: Option<&Record>) -> Result<(), Errno> {
        send(self.descriptor.as_raw_fd(), signal, record, 0)
    }

    /// Sends a signal to all in the group.
    pub fn signal_group(&self, signal: c_int) -> Result<(), Errno> {
        send(self.descriptor.as_raw_fd(), signal, None, PROCESS_GROUP)
    }

    /// Has the queue tell when the process has ended, and again when it is reaped.
    pub fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if !self.is_watched {
            let source = self.descriptor.as_raw_fd();
            registry.register(&mut SourceFd(&source), token, Interest::READABLE)?;
            self.is_watched = true;
        }
        Ok(())
    }

    /// How the process ended, if it did and is reaped, by whomever (Linux 6.15).
    pub fn end(&self) -> Option<ExitStatus> {
        // SAFETY: all of it is numbers; the kernel writes as much as the request says.
        let info = unsafe {
            let mut info = mem::zeroed::<Info>();
            info.mask = EXIT;
            match libc::ioctl(self.descriptor.as_raw_fd(), GET_INFO, &raw mut info) {
                0 => info,
                _ => return None,
            }
        };
        (info.mask & EXIT != 0).then(|| reap::ended(info.exit_code)).flatten()
    }
}

/// pidfd_send_signal(2).
fn send(
    descriptor: RawFd,
    signal: c_int,
    record: Option<&Record>,
    flags: c_int,
) -> Result<(), Errno> {
    let record = record.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: these are numbers, and a record that is at least as long as the 128 bytes that the
    // kernel reads, or none.
    let sent =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, descriptor, signal, record, flags) };
    Errno::result(sent).map(drop)
}

/// `PIDFD_SIGNAL_PROCESS_GROUP` (pidfd_send_signal(2)).
const PROCESS_GROUP: c_int = 1 << 2;

/// `struct pidfd_info` in its first size (linux/pidfd.h).
#[repr(C)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: c_int,
}

/// `PIDFD_GET_INFO`.
const GET_INFO: libc::Ioctl = libc::_IOWR::<Info>(0xff, 11);

/// `PIDFD_INFO_EXIT`.
const EXIT: u64 = 1 << 3;
