//! What foster does to itself at its start, according to its configuration.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::libc::{self, c_int};

use foster::config::Setup;
use foster::process::Pid;
use foster::supervisor::Event;

use super::file;

/// Makes foster adopt orphans; says whether it does.
pub fn become_reaper(setup: &Setup, own_pid: Pid) -> Result<bool, Errno> {
    if own_pid == Pid(1) {
        return Ok(true);
    }
    if setup.subreaper {
        prctl(libc::PR_SET_CHILD_SUBREAPER, 1)?;
        return Ok(true);
    }
    // The setting survives exec, so whoever started foster may have made it.
    let mut is_one: c_int = 0;
    let _ = prctl(libc::PR_GET_CHILD_SUBREAPER, (&raw mut is_one).expose_provenance());
    Ok(is_one != 0)
}

/// prctl(2), with a number or the address for a result.
pub fn prctl(what: c_int, argument: usize) -> Result<(), Errno> {
    // SAFETY: these are numbers; none of the requests takes more, or writes elsewhere.
    Errno::result(unsafe { libc::syscall(libc::SYS_prctl, what, argument, 0, 0, 0) }).map(drop)
}

/// Gives up the terminal on stdin; says whether foster led the terminal's session.
pub fn detach_terminal(setup: &Setup) -> Option<Event> {
    if !setup.detach_terminal {
        return None;
    }
    // SAFETY: these are system calls on numbers.
    let (detached, leads) =
        unsafe { (libc::ioctl(0, libc::TIOCNOTTY) == 0, libc::getsid(0) == libc::getpid()) };
    (detached && leads).then_some(Event::TerminalDetached)
}

/// What foster does once a child has its own copy of everything that foster had.
pub fn settle_in(setup: &Setup, keep: &[RawFd]) {
    if setup.leave_directory {
        // SAFETY: the path is a string. If it fails, foster stays where it is.
        unsafe { libc::chdir(c"/".as_ptr()) };
    }
    if setup.close_descriptors && !close_ranges(keep) {
        close_one_by_one(keep);
    }
}

/// Closes all descriptors from `FIRST` on, with some exceptions; says whether the kernel has a call
/// for that (close_range(2), Linux 5.9).
fn close_ranges(keep: &[RawFd]) -> bool {
    let mut first = FIRST;
    while first < RawFd::MAX {
        let behind = keep.iter().filter(|kept| **kept >= first);
        let next = behind.min().copied().unwrap_or(RawFd::MAX);
        // SAFETY: this is a system call on numbers, for descriptors that nobody here uses.
        if first < next && unsafe { libc::syscall(libc::SYS_close_range, first, next - 1, 0) } != 0
        {
            return false;
        }
        first = next.saturating_add(1);
    }
    true
}

/// The same, up to the last one that /proc lists; without /proc, up to the highest that there may
/// be.
fn close_one_by_one(keep: &[RawFd]) {
    let mut end = 0;
    file::for_each_name(c"/proc/self/fd", &mut |name| {
        end = end.max(file::number(name.to_bytes()).map_or(0, |number| number as RawFd + 1));
        true
    });
    if end == 0 {
        end = descriptor_limit();
    }
    for descriptor in (FIRST..end).filter(|descriptor| !keep.contains(descriptor)) {
        // SAFETY: nobody here uses it.
        unsafe { libc::close(descriptor) };
    }
}

/// The first descriptor after the standard streams.
const FIRST: RawFd = 3;

/// One past the highest descriptor that can be open.
fn descriptor_limit() -> RawFd {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` takes the answer.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    RawFd::try_from(limit.rlim_cur).unwrap_or(1024).min(1 << 16)
}
