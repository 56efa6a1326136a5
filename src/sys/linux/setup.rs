//! What foster does to itself at its start, as its configuration says.

use std::io;
use std::os::fd::RawFd;

use nix::libc;
use nix::sys::prctl;

use foster::config::Setup;
use foster::process::Pid;
use foster::supervisor::Event;

/// Sees to it that orphans come to foster; says whether they do.
pub fn become_reaper(setup: &Setup, own_pid: Pid) -> io::Result<bool> {
    if own_pid == Pid(1) {
        return Ok(true);
    }
    if setup.subreaper {
        prctl::set_child_subreaper(true)?;
        return Ok(true);
    }
    // It survives exec: whoever started foster may have asked for it.
    Ok(prctl::get_child_subreaper().unwrap_or(false))
}

/// Has the kernel send foster a signal when its parent dies.
pub fn die_with_parent(setup: &Setup) -> io::Result<()> {
    let Some(signal) = setup.parent_death_signal else { return Ok(()) };
    // SAFETY: these are system calls on numbers.
    unsafe {
        let parent = libc::getppid();
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::c_ulong::from(signal.number())) != 0 {
            return Err(io::Error::last_os_error());
        }
        // It may have died before it was asked to tell.
        if libc::getppid() != parent {
            libc::kill(libc::getpid(), i32::from(signal.number()));
        }
    }
    Ok(())
}

/// Gives up the terminal that stdin is; tells it where foster led the terminal's session.
pub fn detach_terminal(setup: &Setup) -> Option<Event> {
    if !setup.detach_terminal {
        return None;
    }
    // SAFETY: these are system calls on numbers.
    let (detached, leads) =
        unsafe { (libc::ioctl(0, libc::TIOCNOTTY) == 0, libc::getsid(0) == libc::getpid()) };
    (detached && leads).then_some(Event::TerminalDetached)
}

/// What foster does once a child has started, which keeps all that it had.
pub fn settle_in(setup: &Setup, keep: &[RawFd]) {
    if setup.leave_directory {
        // SAFETY: the path is a string. Where it fails, foster stays where it is.
        unsafe { libc::chdir(c"/".as_ptr()) };
    }
    if setup.close_descriptors {
        let mut first = 3;
        let mut keep: Vec<RawFd> = keep.iter().copied().filter(|kept| *kept >= first).collect();
        keep.sort_unstable();
        for kept in keep {
            close_all(first, kept - 1);
            first = kept + 1;
        }
        close_all(first, RawFd::MAX);
    }
}

/// Closes all descriptors from one to another, both included; none of them is one that foster
/// uses.
fn close_all(first: RawFd, last: RawFd) {
    if last < first {
        return;
    }
    // SAFETY: these are system calls on numbers, for descriptors that nobody here uses.
    unsafe {
        // Linux 5.9 has one call for all (close_range(2)).
        if libc::syscall(libc::SYS_close_range, first, last, 0) != 0 {
            (first..=last.min(descriptor_limit())).for_each(|descriptor| {
                libc::close(descriptor);
            });
        }
    }
}

/// One past the highest descriptor that can be open.
fn descriptor_limit() -> RawFd {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` takes the answer.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    RawFd::try_from(limit.rlim_cur).unwrap_or(1024).min(1 << 16)
}
