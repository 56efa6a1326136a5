//! The ends of children. Each is looked at before it is reaped.
//!
//! waitid(2) with `WNOWAIT` shows the first dead child, and shows the same one again for ever. So a
//! child that the machine holds as a zombie hides those behind it. Meanwhile the machine's surveys,
//! which go through all children, find ends.
//!
//! Looking first costs one more system call than reaping at once. So in a storm of ending orphans
//! foster reaps first, if the machine has no use for zombies (`Action::ReapOrphan`) and the kernel
//! has a way to a service's group that a recycled id cannot mislead ([`Guard`]). The remaining cost
//! is the kernel's. But while the kernel reaps a child, foster's own code falls out of the
//! processor's caches, so orphans that are not reported are reaped in one short loop.

use std::mem;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, c_int, id_t, idtype_t};

use foster::exit::ExitStatus;
use foster::process::Pid;
use foster::signal::{Signal, SignalSet};
use foster::time::Instant;

use super::guard::Guard;
use super::timer;

/// The ends of children.
pub struct Reaper {
    /// `WEXITED`, and `WSTOPPED` if stops are of interest.
    interest: c_int,
    /// The way to the group of the only service, once there has been a storm.
    guard: Option<Guard>,
    /// Whether a guard is impossible.
    no_guards: bool,
    /// The number of ends in a row.
    row: usize,
    /// How many of these, the last ones, were orphans.
    orphans: usize,
    /// The number of children reaped since signals were last read.
    batch: usize,
    /// Whether to pause before the next child is reaped.
    pauses: bool,
    /// When reaping resumed after the last pause.
    row_began: Option<Instant>,
    /// When more than the first few of the next row may be reaped.
    rested_at: Instant,
    /// Whether the next child is reaped before its end is reported.
    reaps_first: bool,
    /// The child that was.
    reaped: Option<Pid>,
    /// The number of all children reaped.
    total: u64,
    /// Zombies that are held, in order of pid.
    held: Vec<Pid>,
}

/// The number of children that are reaped before signals are read again.
const BATCH: usize = 64;

/// The number of orphans in a row after which it pays to let others end first. A single one may be
/// alone, and the kernel reports the oldest child first, which most often is the service.
const SEVERAL: usize = 2;

/// The longest pause. A service may end among the orphans, and zombies count for a limit of
/// processes.
const LONGEST_REST: Duration = Duration::from_millis(1);

/// The number of ends in a row after which it pays to make a guard, which takes some system calls.
const STORM: usize = 8;

/// What happened to a child.
#[derive(Clone, Copy)]
pub enum Fate {
    /// It ended, and is a zombie.
    Exited(Pid, ExitStatus),
    /// It was stopped; the kernel reports this once.
    Stopped(Pid, Signal),
    /// foster traces it, by inheritance, and it is stopped (ptrace(2)); reported once, too.
    Traced(Pid),
}

impl Reaper {
    /// A reaper that reports stops too if `stops`.
    pub fn new(stops: bool) -> Reaper {
        let interest = if stops { libc::WEXITED | libc::WSTOPPED } else { libc::WEXITED };
        Reaper {
            interest,
            guard: None,
            no_guards: false,
            row: 0,
            orphans: 0,
            batch: 0,
            pauses: false,
            row_began: None,
            rested_at: Instant::ZERO,
            reaps_first: false,
            reaped: None,
            total: 0,
            held: Vec::new(),
        }
    }

    /// Whether another child may be reaped before signals are read again.
    pub fn may_go_on(&self) -> bool {
        self.batch < BATCH
    }

    /// Starts counting again, as after any other read of signals.
    pub fn signals_were_read(&mut self) {
        self.batch = 0;
    }

    /// What happened to the next child, if anything. If it is reaped before its end is reported,
    /// orphans may be skipped (`overlooks`), except the last one that may be reaped before signals
    /// are read again. `leaders` are never skipped.
    // Separate from the work before and after it, and as short as possible: see above.
    #[inline(never)]
    pub fn next(&mut self, leaders: &[Pid], overlooks: bool) -> Option<Fate> {
        let fate = if mem::take(&mut self.reaps_first) {
            let most = if overlooks { BATCH - 1 } else { 0 };
            loop {
                let fate = reap_or_tell(self.interest & libc::WSTOPPED);
                if let Some(Fate::Exited(pid, _)) = fate {
                    self.batch += 1;
                    self.total += 1;
                    if self.batch <= most && !leaders.contains(&pid) {
                        self.row += 1;
                        self.orphans += 1;
                        continue;
                    }
                    self.reaped = Some(pid);
                }
                break fate;
            }
        } else {
            self.look()
        };
        match fate {
            Some(Fate::Exited(pid, _)) if leaders.binary_search(&pid).is_err() => {
                self.row += 1;
                self.orphans += 1;
                if self.orphans == SEVERAL {
                    // The others have to wait for a read of signals anyway.
                    (self.pauses, self.batch) = (true, BATCH);
                }
            }
            Some(_) => (self.row, self.orphans) = (self.row + 1, 0),
            None => self.end_row(),
        }
        fate
    }

    /// Whether to wait before the next child is reaped: there are several orphans to reap, and
    /// those that are about to end should do so first. While others end, reaping one can cost ten
    /// times as much: the kernel passes all living children until it finds a dead one, and ending
    /// processes wait for the same locks as the one that reaps.
    pub fn takes_pause(&mut self) -> bool {
        mem::take(&mut self.pauses)
    }

    /// How long to wait. Reaping after a pause takes time too, and the next pause is eight times as
    /// long as that.
    pub fn rested_at(&self) -> Instant {
        self.rested_at
    }

    /// Resumes reaping after a pause.
    pub fn begin_row(&mut self) {
        self.row_began = Some(timer::now());
    }

    /// Nothing is left to report.
    fn end_row(&mut self) {
        (self.row, self.orphans) = (0, 0);
        if let Some(began) = self.row_began.take() {
            self.rested_at = timer::now().rested(began, LONGEST_REST);
        }
    }

    /// Reaps a child.
    pub fn reap(&mut self, pid: Pid) {
        if let Ok(place) = self.held.binary_search(&pid) {
            self.held.remove(place);
        }
        if self.reaped == Some(pid) {
            self.reaped = None;
        } else {
            self.batch += 1;
            self.total += 1;
            // It cannot fail: the child is a zombie, and nobody else reaps it.
            let _ = waitid(libc::P_PID, pid.0, libc::WEXITED | libc::WNOHANG);
        }
        if self.guard_of(pid).is_some() {
            self.guard = None;
        }
    }

    /// Reaps the next child, whichever it is, before its end is reported, if that pays and no
    /// signal to a service's group can go astray: there is no service, or one with a guard.
    pub fn reap_first(&mut self, leaders: &[Pid]) {
        self.reaps_first = match leaders {
            _ if self.row < STORM => false,
            [] => true,
            [leader] => {
                if self.guard_of(*leader).is_none() && !self.no_guards {
                    self.guard = Guard::new(*leader);
                    self.no_guards = self.guard.is_none();
                }
                !self.no_guards
            }
            _ => false,
        };
    }

    /// Goes back to looking before reaping.
    pub fn look_first(&mut self) {
        self.reaps_first = false;
    }

    /// Whether this child is already reaped, though its end is still to be handled.
    pub fn has_reaped(&self, pid: Pid) -> bool {
        self.reaped == Some(pid)
    }

    /// The way to the group of a service that does not depend on its id.
    pub fn guard_of(&self, leader: Pid) -> Option<&Guard> {
        self.guard.as_ref().filter(|guard| guard.leader == leader)
    }

    /// Whether there is a guard.
    pub fn has_guard(&self) -> bool {
        self.guard.is_some()
    }

    /// The number of all children reaped so far.
    pub fn reaped_so_far(&self) -> u64 {
        self.total
    }

    /// Holds a zombie. This ends the row: others are found by surveys now.
    pub fn hold(&mut self, pid: Pid) {
        (self.pauses, self.row_began) = (false, None);
        if let Err(place) = self.held.binary_search(&pid) {
            self.held.insert(place, pid);
        }
    }

    /// The held zombies, in order of pid.
    pub fn held(&self) -> &[Pid] {
        &self.held
    }

    /// Looks at what happened to the first child, if anything.
    fn look(&self) -> Option<Fate> {
        let interest = self.interest | libc::WNOHANG | libc::WNOWAIT;
        let fate = fate(&waitid(libc::P_ALL, 0, interest).ok()?)?;
        // As long as this child can be reported, it is, and younger children are not.
        if let Fate::Stopped(pid, _) | Fate::Traced(pid) = fate {
            let _ = waitid(libc::P_PID, pid.0, libc::WSTOPPED | libc::WNOHANG);
        }
        Some(fate)
    }
}

/// Whether anything happened to a child; an error if that cannot be known.
pub fn has_fates() -> Result<bool, Errno> {
    let options = libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT;
    match waitid(libc::P_ALL, 0, options) {
        // SAFETY: waitid has filled in what this reads.
        Ok(info) => Ok(unsafe { info.si_pid() } != 0),
        Err(Errno::ECHILD) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reaps any child that has ended.
pub fn reap_any() -> Option<Fate> {
    reap_or_tell(0)
}

/// The same; with `WUNTRACED` it reports stops too. waitpid(2) is the fastest call, and reports
/// just enough.
fn reap_or_tell(stops: c_int) -> Option<Fate> {
    let mut status = 0;
    // SAFETY: `status` has room for the result.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | stops) };
    let pid = Pid(u32::try_from(pid).ok().filter(|pid| *pid != 0)?);
    if let Some(status) = ended(status) {
        return Some(Fate::Exited(pid, status));
    }
    // Stops by another signal, or with an event or a mark in the upper bits, are meant for a
    // tracer.
    Some(match Signal::new(status >> 8) {
        Some(signal) if JOB_CONTROL.contains(signal) => Fate::Stopped(pid, signal),
        _ => Fate::Traced(pid),
    })
}

/// How a child ended, if wait(2) reports an end.
fn ended(status: c_int) -> Option<ExitStatus> {
    if libc::WIFEXITED(status) {
        Some(ExitStatus::Code(libc::WEXITSTATUS(status) as u32))
    } else if libc::WIFSIGNALED(status) {
        Some(ExitStatus::Signal(Signal::new(libc::WTERMSIG(status))?))
    } else {
        None
    }
}

/// The signals that stop a process that nobody traces (signal(7)).
const JOB_CONTROL: SignalSet =
    SignalSet::of(&[Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU]);

/// The report of waitid(2), if any.
fn fate(info: &libc::siginfo_t) -> Option<Fate> {
    // SAFETY: waitid has filled in what these read.
    let (pid, number) = unsafe { (info.si_pid(), info.si_status()) };
    let pid = Pid(u32::try_from(pid).ok().filter(|pid| *pid != 0)?);
    match status(info) {
        Some(status) => Some(Fate::Exited(pid, status)),
        None if info.si_code == libc::CLD_STOPPED => Some(Fate::Stopped(pid, Signal::new(number)?)),
        // The status is a signal, with bits that the kernel adds for a tracer.
        None => Some(Fate::Traced(pid)),
    }
}

/// How a child ended, if waitid(2) reports an end.
pub fn status(info: &libc::siginfo_t) -> Option<ExitStatus> {
    // SAFETY: waitid has filled it in.
    let number = unsafe { info.si_status() };
    match info.si_code {
        libc::CLD_EXITED => Some(ExitStatus::Code(number as u32)),
        libc::CLD_KILLED | libc::CLD_DUMPED => Some(ExitStatus::Signal(Signal::new(number)?)),
        _ => None,
    }
}

/// waitid(2). The pid in its result is 0 if there is nothing to report.
pub fn waitid(which: idtype_t, id: id_t, options: c_int) -> Result<libc::siginfo_t, Errno> {
    // SAFETY: a zeroed siginfo_t is valid, and the kernel fills it in.
    unsafe {
        let mut info = mem::zeroed::<libc::siginfo_t>();
        Errno::result(libc::waitid(which, id, &raw mut info, options)).map(|_| info)
    }
}
