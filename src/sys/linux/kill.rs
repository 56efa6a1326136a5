//! Signals to other processes.

use std::mem;

use nix::errno::Errno;
use nix::libc::{self, c_int};

use foster::process::{Pid, Target};

use super::guard::Guard;

/// Sends a signal; to a group by its guard, if it has one.
pub fn send(
    target: Target,
    signal: c_int,
    value: Option<u64>,
    guard: Option<&Guard>,
) -> Result<(), Errno> {
    if let Some(value) = value
        && queue(target, &Record::new(signal, value), guard).is_ok()
    {
        return Ok(());
    }
    // The target's user has as many pending signals as allowed; one without a value is accepted
    // even so (kernel/signal.c). Or there is no way to send a value to a group.
    match (target, guard) {
        (Target::Group(_) | Target::Rest(_), Some(guard)) => {
            // The leader, if its group is empty, and for SIGKILL in any case, as below.
            let sent = match guard.signal_group(signal) {
                Ok(()) if signal == libc::SIGKILL => guard.signal(signal),
                Err(Errno::ESRCH) => guard.signal(signal),
                sent => sent,
            };
            match sent {
                // All members are gone, and the leader is reaped: as a zombie it would have
                // accepted the signal.
                Err(Errno::ESRCH) => Ok(()),
                sent => sent,
            }
        }
        (Target::Group(leader), None) if signal == libc::SIGKILL => {
            // For a group, kill(2) succeeds if one member may be signalled. Only the leader matters
            // here.
            send_on(target, signal).and_then(|()| send_on(Target::Process(leader), signal))
        }
        _ => send_on(target, signal),
    }
}

/// Whether foster may signal a process.
pub fn reaches(pid: Pid) -> bool {
    kill(pid.0 as i32, 0) != Err(Errno::EPERM)
}

/// Sends a signal and its value. For groups this exists since Linux 6.9.
fn queue(target: Target, record: &Record, guard: Option<&Guard>) -> Result<(), Errno> {
    match (target, guard) {
        (Target::Process(pid) | Target::Marked(pid, _), _) => queue_to(pid, record),
        (Target::Group(_) | Target::Rest(_), Some(guard)) => guard.queue_to_group(record),
        (Target::Group(leader) | Target::Rest(leader), None) => {
            let guard = Guard::new(leader).ok_or(Errno::ENOSYS)?;
            match guard.queue_to_group(record) {
                // The leader, if its group is empty, as below.
                Err(Errno::ESRCH) => queue_to(leader, record),
                sent => sent,
            }
        }
    }
}

/// Sends a signal without a value, to a process or to a group without a guard.
// Inlined, because a forwarded signal waits for each line of code that is loaded.
#[inline(always)]
pub fn send_on(target: Target, signal: c_int) -> Result<(), Errno> {
    let (leader, id) = match target {
        Target::Process(pid) | Target::Marked(pid, _) => (None, pid.0 as i32),
        Target::Group(pid) | Target::Rest(pid) => (Some(pid.0 as i32), -(pid.0 as i32)),
    };
    match (kill(id, signal), leader) {
        // The leader has left its group by its own setpgid, and the group is empty: the leader is
        // meant.
        (Err(Errno::ESRCH), Some(leader)) => kill(leader, signal),
        (sent, _) => sent,
    }
}

/// kill(2). The id's process is not reaped, so the id is nobody else's.
#[inline(always)]
fn kill(id: i32, signal: c_int) -> Result<(), Errno> {
    // SAFETY: these are numbers.
    Errno::result(unsafe { libc::kill(id, signal) }).map(drop)
}

/// rt_sigqueueinfo(2).
fn queue_to(pid: Pid, record: &Record) -> Result<(), Errno> {
    let record: *const Record = record;
    // SAFETY: the record is at least as long as the 128 bytes that the kernel reads.
    let sent = unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, pid.0, (*record).signal, record) };
    Errno::result(sent).map(drop)
}

/// A signal and its value in the kernel's layout: signal, error, code, then pid, uid and value,
/// which is aligned like a pointer.
#[repr(C)]
pub struct Record {
    pub signal: i32,
    error: i32,
    code: i32,
    #[cfg(target_pointer_width = "64")]
    padding: i32,
    pid: u32,
    uid: u32,
    value: usize,
    rest: [u8; 96],
}

impl Record {
    fn new(signal: c_int, value: u64) -> Record {
        // SAFETY: all fields are numbers, for which zero is valid.
        let mut record = unsafe { mem::zeroed::<Record>() };
        record.signal = signal;
        record.code = libc::SI_QUEUE;
        record.pid = std::process::id();
        // SAFETY: it only returns a number.
        record.uid = unsafe { libc::getuid() };
        record.value = value as usize;
        record
    }
}
