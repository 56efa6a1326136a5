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

use super::guard;
use super::queue::Queue;
use super::setup::prctl;
use super::signals::Signals;
use super::source::Key;

/// Watches the parent if that was asked for. Returns the descriptor that the queue waits for, or none
/// if the kernel sends the signal.
pub fn watch(
    setup: &Setup,
    queue: &mut Queue,
    signals: &Signals,
) -> Result<Option<OwnedFd>, Errno> {
    let Some(signal) = setup.parent_death_signal else { return Ok(None) };
    loop {
        let parent = own_parent();
        let opened = if setup.parent_is_thread { None } else { guard::open(parent) };
        let watched = opened.filter(|it| queue.add(Key::PARENT, it.as_raw_fd(), signals));
        if watched.is_none() {
            prctl(libc::PR_SET_PDEATHSIG, usize::from(signal.number()))?;
        }
        if own_parent() == parent {
            return Ok(watched);
        }
        // The parent ended before it was watched, and foster has another one.
        tell(setup);
    }
}

/// Sends foster the signal. It goes to the thread, because one that foster sends to its own process
/// would count as caused by its own writes.
pub fn tell(setup: &Setup) {
    if let Some(signal) = setup.parent_death_signal {
        // SAFETY: these are numbers; foster has one thread, whose id is that of the process.
        unsafe {
            libc::syscall(libc::SYS_tkill, libc::getpid(), libc::c_int::from(signal.number()))
        };
    }
}

/// The parent; 0, which has no pidfd, if it is outside the PID namespace.
fn own_parent() -> Pid {
    // SAFETY: it only asks.
    Pid(unsafe { libc::getppid() } as u32)
}
