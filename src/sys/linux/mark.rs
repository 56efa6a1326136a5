//! The owner of a process, by the marks that it inherited.
//!
//! The first is a number, its soft limit of file locks, which Linux has no use for since 2.4. It
//! outlives an exec, a change of names, users and sessions, a cleared environment, and the process
//! itself, as long as it is a zombie; prlimit(2) tells it of one's own children, and /proc of all.
//!
//! The second mark is in the environment (environ.rs).

use std::ptr;

use nix::libc;

use foster::config::Config;
use foster::process::{Badge, Mark, Pid, RunId, ServiceId};

use super::budget::Budget;
use super::file::{self, Short};
use super::stat::path;
use super::{environ, timer};

/// The variable that marks the processes of a run.
pub const MARK: &str = "FOSTER_RUN";

/// The mark of a run in the environment: the number of its service, a dash, and a random number in
/// hexadecimal digits.
pub fn written(run: RunId) -> Short {
    let mut text = Short::new();
    text.add_number(run.service.0).add(b"-");
    for byte in run.nonce.to_be_bytes() {
        let digit = |half: u8| b"0123456789abcdef"[usize::from(half & 15)];
        text.add(&[digit(byte >> 4), digit(byte)]);
    }
    text
}

/// The marks that this foster makes.
pub struct Marks {
    /// The random part of all of them.
    instance: u64,
    /// What foster itself carries, from a foster above it.
    own: Option<Badge>,
    /// Each service's, shared by all its runs: processes that could not be killed in time are tried
    /// again after the next run. None without supervision.
    issued: Vec<Issued>,
}

/// The mark of a service.
#[derive(Clone, Copy, Default)]
pub struct Issued {
    pub run: RunId,
    pub badge: Option<Badge>,
}

impl Marks {
    pub fn new(config: &Config) -> Marks {
        let mut marks = Marks { instance: 0, own: None, issued: Vec::new() };
        if config.keeps_any() {
            marks.instance = random();
            marks.own = limit_of(Pid(0)).ok().and_then(badge);
            for index in 0..config.services.len() {
                let nonce = u128::from(marks.instance) << 64 | u128::from(random());
                let run = RunId { service: ServiceId(index as u32), nonce };
                let badge = marks.new_badge();
                marks.issued.push(Issued { run, badge });
            }
        }
        marks
    }

    /// The mark of a service. Without supervision there is none.
    pub fn issued(&self, service: ServiceId) -> Issued {
        let none = Issued { run: RunId { service, nonce: 0 }, badge: None };
        self.issued.get(service.index()).copied().unwrap_or(none)
    }

    /// The badge of a process, from prlimit(2) or, if that is allowed, from /proc (`shown`).
    fn badge_of(&self, pid: Pid, shown: bool) -> Option<Badge> {
        let limit = limit_of(pid).ok().or_else(|| shown.then(|| shown_limit_of(pid)).flatten());
        // The badge that foster itself carries does not identify processes that it starts.
        limit.and_then(badge).filter(|badge| Some(*badge) != self.own)
    }

    /// The owner of a process by its badge alone.
    pub fn by_limit(&self, pid: Pid, shown: bool) -> Option<RunId> {
        self.run_of(self.badge_of(pid, shown)?)
    }

    fn new_badge(&self) -> Option<Badge> {
        // Far below other fosters there are so few badges that two may be equal.
        for _ in 0..TRIES {
            let badge = Badge::new(random(), self.own)?;
            if self.run_of(badge).is_none() {
                return Some(badge);
            }
        }
        None
    }

    fn run_of(&self, badge: Badge) -> Option<RunId> {
        let is_of = |issued: &&Issued| issued.badge.is_some_and(|own| own.covers(badge));
        self.issued.iter().find(is_of).map(|issued| issued.run)
    }

    /// The mark of a child, whoever started it.
    pub fn of(&self, pid: Pid, has_proc: bool, budget: &mut Budget) -> Mark {
        let badge = self.badge_of(pid, has_proc);
        if let Some(run) = badge.and_then(|badge| self.run_of(badge)) {
            return Mark::Run(run);
        }
        let mark = match has_proc {
            true => environ::mark_in(pid, self.instance, budget),
            false => Mark::Unreadable,
        };
        match mark {
            // It is that of an earlier run, or of another foster's.
            Mark::Unreadable | Mark::Lost if badge.is_some() => Mark::None,
            mark => mark,
        }
    }
}

fn badge(limit: Limit) -> Option<Badge> {
    Badge::from_number(limit.soft)
}

/// A limit in the layout of prlimit(2) on every architecture.
#[repr(C)]
#[derive(Default)]
struct Limit {
    soft: u64,
    hard: u64,
}

/// The limit of file locks of a process, or with 0 of foster itself.
fn limit_of(pid: Pid) -> Result<Limit, ()> {
    let mut limit = Limit::default();
    // SAFETY: the record has room for the result.
    match unsafe { prlimit(pid, ptr::null(), &raw mut limit) } {
        0 => Ok(limit),
        _ => Err(()),
    }
}

/// The same of a process that may be another user's, as /proc shows it.
fn shown_limit_of(pid: Pid) -> Option<Limit> {
    let mut room = [0; LONGEST_LIMITS];
    let text = file::read_start(path(pid, b"limits").as_c_str(), &mut room).ok()?;
    let mut lines = text.split(|byte| *byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(b"Max file locks"))?;
    let soft = line.split(|byte| *byte == b' ').find_map(file::number);
    Some(Limit { soft: soft?, hard: 0 })
}

/// Gives the calling process, which was just made, its badge. It only makes system calls. If that
/// is refused, only the environment identifies it.
pub fn wear(badge: Badge) {
    let (mut old, own) = (Limit::default(), Pid(0));
    // SAFETY: the records are live, and nobody else's.
    unsafe {
        if prlimit(own, ptr::null(), &raw mut old) == 0 {
            let new = Limit { soft: badge.number(), hard: old.hard };
            prlimit(own, &raw const new, ptr::null_mut());
        }
    }
}

/// prlimit(2), without the C library, which has a separate file for it, and limits of 32 bits.
///
/// # Safety
/// The records are live, or null.
unsafe fn prlimit(pid: Pid, new: *const Limit, old: *mut Limit) -> libc::c_long {
    // SAFETY: as required above.
    unsafe { libc::syscall(libc::SYS_prlimit64, pid.0, libc::RLIMIT_LOCKS, new, old) }
}

/// A random number (getrandom(2)); if the kernel has none yet, one that at least never repeats.
fn random() -> u64 {
    let mut number = 0_u64;
    // SAFETY: the buffer has room for the eight bytes.
    let got =
        unsafe { libc::getrandom((&raw mut number).cast(), size_of::<u64>(), libc::GRND_NONBLOCK) };
    if got == 8 { number } else { timer::now().as_nanos() ^ (&raw const number as u64) }
}

/// How often a new badge is tried if another service has the same.
const TRIES: usize = 16;

/// More than /proc/PID/limits has up to the line of interest: 80 bytes per line.
const LONGEST_LIMITS: usize = 1024;
