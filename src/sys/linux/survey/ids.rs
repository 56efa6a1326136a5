//! Processes found without /proc: the kernel says of each id whether it is a child's, and in which
//! group it is.

use std::mem;
use std::ops::RangeInclusive;
use std::ptr;

use nix::libc;

use foster::process::{Comm, Pid};

use super::super::heap;
use super::super::reap::waitid;
use super::Children;

/// How far all ids have been asked about.
pub struct Sweep {
    /// The next one to ask about.
    pub next: u32,
    /// How many children had been reaped when the first one was asked about.
    pub reaped: u64,
    /// Whether nobody who has ended was found since.
    pub is_clean: bool,
    /// Who was found.
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
        // Where there is no room for a process, not many can have been made since.
        let last = newest.map_or(self.newest.0.saturating_add(MANY), |newest| newest.0);
        if self.ids_began_anew || last.saturating_sub(first) >= MOST_ASKED {
            return self.ask_some(list);
        }
        self.asked_to = last;
        ask(first..=last, list) && newest.is_some()
    }

    /// Lists the children among the next of all ids; says whether these were all ids.
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

/// The newest process id: that of a process which ends at once, and whose end nobody is told.
fn newest_pid() -> Option<Pid> {
    // SAFETY: without flags this is a fork, but for a signal at the end; the child ends itself
    // before it touches anything.
    unsafe {
        match libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) {
            0 => libc::_exit(0),
            pid => {
                let pid = u32::try_from(pid).ok()?;
                // Somebody may have stopped it, and then it would be waited for in vain.
                libc::kill(pid as i32, libc::SIGKILL);
                // Only by this flag is it seen as a child at all.
                libc::waitpid(pid as i32, ptr::null_mut(), libc::__WCLONE);
                Some(Pid(pid))
            }
        }
    }
}

/// The most that `kernel.pid_max` can be (proc_sys_kernel(5)), on 64 bits.
const LARGEST_PID: u32 = if mem::size_of::<usize>() == 8 { 1 << 22 } else { 1 << 15 };

/// About how many ids one survey asks: it takes some tens of milliseconds.
const MOST_ASKED: u32 = 1 << 17;

/// How many processes may have been made since the newest one that is known.
const MANY: u32 = 1 << 12;

/// The first id that may be a child's.
pub const FIRST_PID: u32 = 2;
