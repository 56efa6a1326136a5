//! Processes found without /proc: the kernel says of each id whether it is a child's, and its
//! group.

use std::mem;
use std::ops::RangeInclusive;
use std::ptr;

use nix::libc;

use foster::process::{Comm, Pid};

use super::super::heap;
use super::super::reap::waitid;
use super::Children;

/// How far a sweep over all ids has come.
pub struct Sweep {
    /// The next one to ask about.
    pub next: u32,
    /// The number of children reaped when the sweep began.
    pub reaped: u64,
    /// Whether no dead child was found since.
    pub is_clean: bool,
    /// The processes found.
    pub found: Vec<Pid>,
}

impl Children {
    /// Finds children without /proc: the kernel says of an id whether it is a child's. Children
    /// are younger than foster, so that their ids lie between its own and the newest, until ids
    /// begin anew. Says whether no other id can be a child's.
    pub(super) fn list_by_asking(&mut self, list: &mut Vec<Pid>) -> bool {
        let newest = newest_pid();
        if let Some(newest) = newest {
            self.made(newest);
        }
        let first = self.own_pid.0.saturating_add(1);
        // If there is no room for a process, not many can have been made since.
        let last = newest.map_or(self.newest.0.saturating_add(MANY), |newest| newest.0);
        if self.ids_began_anew || last.saturating_sub(first) >= MOST_ASKED {
            return self.ask_some(list);
        }
        self.asked_to = last;
        ask(first..=last, list) && newest.is_some()
    }

    /// Lists the children among the next ids of the sweep; says whether it is complete.
    fn ask_some(&mut self, list: &mut Vec<Pid>) -> bool {
        let first = self.sweep.next;
        let last = LARGEST_PID.min(first + (MOST_ASKED - 1));
        self.sweep.is_clean &= ask(first..=last, list);
        self.sweep.next = if last == LARGEST_PID { FIRST_PID } else { last + 1 };
        first == FIRST_PID && last == LARGEST_PID
    }
}

/// Lists those of these ids that are children's; says whether there was memory for all.
fn ask(range: RangeInclusive<u32>, list: &mut Vec<Pid>) -> bool {
    let is_child = |pid: &u32| {
        waitid(libc::P_PID, *pid, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT).is_ok()
    };
    range.filter(is_child).all(|pid| heap::push(list, Pid(pid)))
}

/// The group of a process, if there is such a process.
pub fn group_of(pid: Pid) -> Option<Pid> {
    // SAFETY: getpgid(2) takes any number.
    u32::try_from(unsafe { libc::getpgid(pid.0 as i32) }).ok().map(Pid)
}

/// The name, the parent and the group of a process: nobody tells the name, and the parent only of
/// foster's own children.
pub fn asked_of(pid: Pid) -> Option<(Comm, Pid, Pid)> {
    group_of(pid).map(|group| (Comm::default(), Pid(0), group))
}

/// The newest process id: that of a process that ends at once, without a report of its end.
fn newest_pid() -> Option<Pid> {
    // SAFETY: without flags this is a fork, except for the signal at its end; the child ends before
    // it touches anything.
    unsafe {
        match libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) {
            0 => libc::_exit(0),
            pid => {
                let pid = u32::try_from(pid).ok()?;
                // Somebody may have stopped it, and then the wait would never end.
                libc::kill(pid as i32, libc::SIGKILL);
                // Without this flag it does not count as a child.
                libc::waitpid(pid as i32, ptr::null_mut(), libc::__WCLONE);
                Some(Pid(pid))
            }
        }
    }
}

/// The highest `kernel.pid_max` (proc_sys_kernel(5)), on 64 bits.
const LARGEST_PID: u32 = if mem::size_of::<usize>() == 8 { 1 << 22 } else { 1 << 15 };

/// The number of ids per survey, which take some tens of milliseconds.
const MOST_ASKED: u32 = 1 << 17;

/// How many processes may have been made since the newest known one.
const MANY: u32 = 1 << 12;

/// The first id that may be a child's.
pub const FIRST_PID: u32 = 2;
