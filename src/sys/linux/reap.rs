//! The ends of children, each looked at before it is reaped.
//!
//! waitid(2) with `WNOWAIT` looks at the first dead child, and would look at the same one again
//! for ever: so a child that the machine holds as a zombie hides those behind it. While one does,
//! ends are found by the machine's surveys, which go through all children.
//!
//! To look first costs a system call more than to reap at once. So in a storm of orphans that end
//! foster reaps first, if the machine has no use for zombies (`Action::ReapOrphan`) and the kernel
//! has a way to a service's group that no recycled id can lead astray ([`Guard`]). What it costs is
//! the kernel's then; but while one child is reaped, the kernel drives foster's own code out of the
//! processor's caches, and so those of whom nobody is told are reaped in one short loop.

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

/// The children, as far as their ends go.
pub struct Reaper {
    /// `WEXITED`, and `WSTOPPED` where stops are of interest.
    interest: c_int,
    /// The way to the group of the only service, once there was a storm.
    guard: Option<Guard>,
    /// Whether there is none to be had.
    no_guards: bool,
    /// How many fates there were in a row.
    row: usize,
    /// How many of these, up to the last, were ends of orphans.
    orphans: usize,
    /// How many children were reaped since signals were last read.
    batch: usize,
    /// Whether there is to be a pause before the next is reaped.
    pauses: bool,
    /// When it was gone on with behind a pause.
    row_began: Option<Instant>,
    /// When there is to be more of the next row than its first ones.
    rested_at: Instant,
    /// Whether the next child is reaped before its fate is told.
    reaps_first: bool,
    /// The one that was.
    reaped: Option<Pid>,
    /// How many were reaped altogether.
    total: u64,
    /// Zombies that stay, in order of pid.
    held: Vec<Pid>,
}

/// How many children are reaped before signals are read again.
const BATCH: usize = 64;

/// How many orphans end in a row before it pays to let others end: one alone may be all there is, and
/// the oldest child comes first, which most often is the service.
const SEVERAL: usize = 2;

/// For how long a pause lasts at the most: the end of a service may come amid those of orphans, and their
/// zombies count for a limit of processes.
const LONGEST_REST: Duration = Duration::from_millis(1);

/// How many children end in a row before it pays to have a guard, which takes some system calls.
const STORM: usize = 8;

/// Something that became of a child.
#[derive(Clone, Copy)]
pub enum Fate {
    /// It ended, and is a zombie.
    Exited(Pid, ExitStatus),
    /// It was stopped; the kernel will not tell it again.
    Stopped(Pid, Signal),
    /// It is traced by foster, by inheritance, and stands still (ptrace(2)); as above.
    Traced(Pid),
}

impl Reaper {
    /// A reaper that tells of stops too if `stops`.
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

    /// Lets as many be reaped as after any other read of signals.
    pub fn signals_were_read(&mut self) {
        self.batch = 0;
    }

    /// What became of the next child, if anything did. Where it is reaped before its fate is told,
    /// orphans may be passed over (`overlooks`): all but the last one that may be reaped before
    /// signals are read again. None of `leaders` is.
    // Apart from what is done before and after it, as short as it can be: see above.
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
                    // The others have to wait for a read of signals in any case.
                    (self.pauses, self.batch) = (true, BATCH);
                }
            }
            Some(_) => (self.row, self.orphans) = (self.row + 1, 0),
            None => self.end_row(),
        }
        fate
    }

    /// Whether to wait now, before the next child is reaped: there are several orphans to reap, and
    /// those that are about to end had better do so before. While others end, each one that is reaped
    /// can cost ten times as much: the kernel goes by all children that live until it finds one that
    /// does not, and who ends waits for the same locks as who reaps.
    pub fn takes_pause(&mut self) -> bool {
        mem::take(&mut self.pauses)
    }

    /// Until when to wait then. What is reaped behind a pause takes its time too, and the next pause
    /// is eight times as long.
    pub fn rested_at(&self) -> Instant {
        self.rested_at
    }

    /// Goes on with the row behind a pause.
    pub fn begin_row(&mut self) {
        self.row_began = Some(timer::now());
    }

    /// Nothing is left to tell.
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
            // It cannot fail: the child was seen as a zombie, and nobody else reaps.
            let _ = waitid(libc::P_PID, pid.0, libc::WEXITED | libc::WNOHANG);
        }
        if self.guard_of(pid).is_some() {
            self.guard = None;
        }
    }

    /// Has the next child reaped before its fate is told, whichever it is, if that pays; and if no
    /// signal to a service's group can go astray by it: there is no service, or one with a guard.
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

    /// Has the next child looked at, whatever was to pay.
    pub fn look_first(&mut self) {
        self.reaps_first = false;
    }

    /// Whether this child is reaped already, though its end is still to be dealt with.
    pub fn has_reaped(&self, pid: Pid) -> bool {
        self.reaped == Some(pid)
    }

    /// The way to the group of a service that does not go by its id.
    pub fn guard_of(&self, leader: Pid) -> Option<&Guard> {
        self.guard.as_ref().filter(|guard| guard.leader == leader)
    }

    /// Whether there is a guard.
    pub fn has_guard(&self) -> bool {
        self.guard.is_some()
    }

    /// How many children were reaped until now.
    pub fn reaped_so_far(&self) -> u64 {
        self.total
    }

    /// Leaves a zombie be. It ends the row: others are found by surveys now.
    pub fn hold(&mut self, pid: Pid) {
        (self.pauses, self.row_began) = (false, None);
        if let Err(place) = self.held.binary_search(&pid) {
            self.held.insert(place, pid);
        }
    }

    /// The zombies that are left be, in order of pid.
    pub fn held(&self) -> &[Pid] {
        &self.held
    }

    /// Looks at the fate of the first child that has one.
    fn look(&self) -> Option<Fate> {
        let interest = self.interest | libc::WNOHANG | libc::WNOWAIT;
        let fate = fate(&waitid(libc::P_ALL, 0, interest).ok()?)?;
        // As long as it can be told, it is, and all that became of younger children is not.
        if let Fate::Stopped(pid, _) | Fate::Traced(pid) = fate {
            let _ = waitid(libc::P_PID, pid.0, libc::WSTOPPED | libc::WNOHANG);
        }
        Some(fate)
    }
}

/// Whether there is anything to tell of children; fails where that cannot be known.
pub fn has_fates() -> Result<bool, Errno> {
    let options = libc::WEXITED | libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT;
    match waitid(libc::P_ALL, 0, options) {
        // SAFETY: waitid has filled in what this reads.
        Ok(info) => Ok(unsafe { info.si_pid() } != 0),
        Err(Errno::ECHILD) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reaps a child that has ended, whichever it is.
pub fn reap_any() -> Option<Fate> {
    reap_or_tell(0)
}

/// The same, and with `WUNTRACED` it tells of stops too. waitpid(2) is the fastest way there is: it
/// tells no more than this.
fn reap_or_tell(stops: c_int) -> Option<Fate> {
    let mut status = 0;
    // SAFETY: `status` takes the answer.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | stops) };
    let pid = Pid(u32::try_from(pid).ok().filter(|pid| *pid != 0)?);
    if let Some(status) = ended(status) {
        return Some(Fate::Exited(pid, status));
    }
    // A stop by another signal, or with an event or a mark in the bits above it, is told to a tracer.
    Some(match Signal::new(status >> 8) {
        Some(signal) if JOB_CONTROL.contains(signal) => Fate::Stopped(pid, signal),
        _ => Fate::Traced(pid),
    })
}

/// How a child ended, where that is what wait(2) tells.
fn ended(status: c_int) -> Option<ExitStatus> {
    if libc::WIFEXITED(status) {
        Some(ExitStatus::Code(libc::WEXITSTATUS(status) as u32))
    } else if libc::WIFSIGNALED(status) {
        Some(ExitStatus::Signal(Signal::new(libc::WTERMSIG(status))?))
    } else {
        None
    }
}

/// What stops a process that nobody traces (signal(7)).
const JOB_CONTROL: SignalSet =
    SignalSet::of(&[Signal::STOP, Signal::TSTP, Signal::TTIN, Signal::TTOU]);

/// What waitid(2) tells, if anything.
fn fate(info: &libc::siginfo_t) -> Option<Fate> {
    // SAFETY: waitid has filled in what these read.
    let (pid, number) = unsafe { (info.si_pid(), info.si_status()) };
    let pid = Pid(u32::try_from(pid).ok().filter(|pid| *pid != 0)?);
    match status(info) {
        Some(status) => Some(Fate::Exited(pid, status)),
        None if info.si_code == libc::CLD_STOPPED => Some(Fate::Stopped(pid, Signal::new(number)?)),
        // The status is a signal and what the kernel adds to it for a tracer.
        None => Some(Fate::Traced(pid)),
    }
}

/// How a child ended, where that is what waitid(2) tells.
pub fn status(info: &libc::siginfo_t) -> Option<ExitStatus> {
    // SAFETY: waitid has filled it in.
    let number = unsafe { info.si_status() };
    match info.si_code {
        libc::CLD_EXITED => Some(ExitStatus::Code(number as u32)),
        libc::CLD_KILLED | libc::CLD_DUMPED => Some(ExitStatus::Signal(Signal::new(number)?)),
        _ => None,
    }
}

/// waitid(2), with a pid of 0 in the answer where there is nothing to tell.
pub fn waitid(which: idtype_t, id: id_t, options: c_int) -> Result<libc::siginfo_t, Errno> {
    // SAFETY: a siginfo_t of zeroes is valid, and the kernel fills it in.
    unsafe {
        let mut info = mem::zeroed::<libc::siginfo_t>();
        Errno::result(libc::waitid(which, id, &raw mut info, options)).map(|_| info)
    }
}
