//! The end of foster's own parent, for those who asked for a signal then.
//!
//! PR_SET_PDEATHSIG (prctl(2)) reports the end of the *thread* that started foster, and only if that
//! may signal foster. So foster watches its parent by a pidfd (Linux 5.3) and sends itself the signal
//! that the kernel would have sent. PR_SET_PDEATHSIG serves if there are no pidfds, if the parent is
//! outside foster's PID namespace, and if the configuration asks for the thread.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;

use foster::config::Setup;
use foster::process::Pid;
use foster::signal::Signal;

use super::guard;
use super::queue::Queue;
use super::setup::prctl;
use super::signals::Signals;
use super::source::Key;

/// The parent, as it is watched.
pub struct Parent {
    pid: Pid,
    pub descriptor: OwnedFd,
}

/// Watches the parent if that was asked for, in place of the one before, if there was one. Returns
/// what the queue waits for, or none if the kernel sends the signal.
pub fn watch(
    setup: &Setup,
    before: Option<Parent>,
    queue: &mut Queue,
    signals: &Signals,
) -> Result<Option<Parent>, Errno> {
    let Some(signal) = setup.parent_death_signal else { return Ok(None) };
    let mut pid = before.map_or_else(own_parent, |before| before.pid);
    loop {
        let opened = if setup.parent_is_thread { None } else { guard::open(pid) };
        let watched = opened.filter(|it| queue.add(Key::PARENT, it.as_raw_fd(), signals));
        let mut now = own_parent();
        if now == pid && watched.is_none() {
            prctl(libc::PR_SET_PDEATHSIG, usize::from(signal.number()))?;
            now = own_parent();
        }
        if now == pid {
            return Ok(watched.map(|descriptor| Parent { pid, descriptor }));
        }
        // It has ended, and foster has another one. The kernel reports the end of that one too.
        tell(signal);
        pid = now;
    }
}

/// Sends foster the signal. It goes to the thread, because one that foster sends to its own process
/// would count as caused by its own writes.
fn tell(signal: Signal) {
    // SAFETY: these are numbers; foster has one thread, whose id is that of the process.
    unsafe { libc::syscall(libc::SYS_tkill, libc::getpid(), libc::c_int::from(signal.number())) };
}

/// The parent; 0, which has no pidfd, if it is outside the PID namespace.
fn own_parent() -> Pid {
    // SAFETY: it only asks.
    Pid(unsafe { libc::getppid() } as u32)
}
