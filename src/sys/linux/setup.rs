//! What foster does to itself at its start, as its configuration says.

use std::io;
use std::os::fd::RawFd;

use nix::libc;
use nix::sys::prctl;

use foster::config::Setup;
use foster::process::Pid;
use foster::supervisor::Event;

use super::file;

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

/// What foster does when a child has its own of all that foster had.
pub fn settle_in(setup: &Setup, keep: &[RawFd]) {
    if setup.leave_directory {
        // SAFETY: the path is a string. Where it fails, foster stays where it is.
        unsafe { libc::chdir(c"/".as_ptr()) };
    }
    if setup.close_descriptors {
        let mut keep: Vec<RawFd> = keep.iter().copied().filter(|kept| *kept >= FIRST).collect();
        keep.sort_unstable();
        if !close_ranges(&keep) {
            close_one_by_one(&keep);
        }
    }
}

/// Closes all descriptors from `FIRST` on but some, which are in order; says whether the kernel has
/// a call for that (close_range(2), Linux 5.9).
fn close_ranges(keep: &[RawFd]) -> bool {
    let mut first = FIRST;
    for next in keep.iter().copied().chain([RawFd::MAX]) {
        // SAFETY: this is a system call on numbers, for descriptors that nobody here uses.
        let is_done = first == next
            || unsafe { libc::syscall(libc::SYS_close_range, first, next - 1, 0) == 0 };
        if !is_done {
            return false;
        }
        first = next.saturating_add(1);
    }
    true
}

/// The same, for those that /proc tells of; without it, for as many as there may be.
fn close_one_by_one(keep: &[RawFd]) {
    let mut open = Vec::new();
    file::for_each_name(c"/proc/self/fd", &mut |name| {
        open.extend(name.to_str().ok().and_then(|name| name.parse::<RawFd>().ok()));
        true
    });
    if open.is_empty() {
        open.extend(0..descriptor_limit());
    }
    open.retain(|descriptor| *descriptor >= FIRST && keep.binary_search(descriptor).is_err());
    for descriptor in open {
        // SAFETY: nobody here uses it. The folder that was read is among them, and closed already.
        unsafe { libc::close(descriptor) };
    }
}

/// The first one behind the standard ones.
const FIRST: RawFd = 3;

/// One past the highest descriptor that can be open.
fn descriptor_limit() -> RawFd {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` takes the answer.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    RawFd::try_from(limit.rlim_cur).unwrap_or(1024).min(1 << 16)
}
