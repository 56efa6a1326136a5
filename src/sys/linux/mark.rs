//! Whose a process is, by the marks that it inherited.
//!
//! The first is a number, its soft limit of file locks, which Linux has no use for since 2.4. It
//! outlives an exec, a change of names, users and sessions, a cleared environment, and the process
//! itself, as long as it is a zombie; prlimit(2) tells it of one's own children, and /proc of all.
//!
//! The second stands in the environment, for those who got their limits anew (pam_limits) and where
//! limits cannot be set. A process can make its environment whatever it likes, as long as it likes,
//! and anywhere in its memory (prctl(2), PR_SET_MM). So it is read piece by piece, up to a bound,
//! into no memory but that for one piece.

use std::ptr;

use nix::errno::Errno;
use nix::libc;

use foster::config::Config;
use foster::process::{Badge, Comm, Mark, Pid, RunId, ServiceId};
use foster::supervisor::Event;

use super::file::{self, Short};
use super::{heap, random};

/// The variable that marks the processes of a run.
pub const MARK: &str = "FOSTER_RUN";

/// The mark of a run as it stands in the environment: the number of its service, a dash, and what
/// nobody can guess, in hexadecimal digits.
pub fn written(run: RunId) -> Short {
    let mut text = Short::new();
    text.add_number(run.service.0).add(b"-");
    for byte in run.nonce.to_be_bytes() {
        let digit = |half: u8| b"0123456789abcdef"[usize::from(half & 15)];
        text.add(&[digit(byte >> 4), digit(byte)]);
    }
    text
}

fn parse(text: &[u8], instance: u64) -> Option<RunId> {
    let dash = text.iter().position(|byte| *byte == b'-')?;
    let service = ServiceId(file::number(&text[..dash])?.try_into().ok()?);
    let mut nonce = 0;
    for byte in &text[dash + 1..] {
        nonce = nonce << 4 | u128::from(char::from(*byte).to_digit(16)?);
    }
    ((nonce >> 64) as u64 == instance).then_some(RunId { service, nonce })
}

/// The marks that this foster makes.
pub struct Marks {
    /// What is random about all of them.
    instance: u64,
    /// What foster itself carries, from a foster above it.
    own: Option<Badge>,
    /// Each service's, by which all its runs are known: what one leaves that cannot be killed in time
    /// has its turn behind the next. None where nothing is supervised.
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
        if config.supervised {
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

    /// The mark of a service. What is supervised by nobody needs none.
    pub fn issued(&self, service: ServiceId) -> Issued {
        let none = Issued { run: RunId { service, nonce: 0 }, badge: None };
        self.issued.get(service.index()).copied().unwrap_or(none)
    }

    /// The badge of a process, as prlimit(2) tells it or, where it may be looked up, as it is `shown`.
    fn badge_of(&self, pid: Pid, shown: bool) -> Option<Badge> {
        let limit = limit_of(pid).ok().or_else(|| shown.then(|| shown_limit_of(pid)).flatten());
        // What foster itself carries says nothing of those that it starts.
        limit.and_then(badge).filter(|badge| Some(*badge) != self.own)
    }

    /// Whose a process is by its badge alone.
    pub fn by_limit(&self, pid: Pid, shown: bool) -> Option<RunId> {
        self.run_of(self.badge_of(pid, shown)?)
    }

    fn new_badge(&self) -> Option<Badge> {
        // Far below other fosters there are so few that two may be the same.
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

    /// The mark of a child, whoever it stems from.
    pub fn of(&self, pid: Pid, has_proc: bool, budget: &mut Budget) -> Mark {
        let badge = self.badge_of(pid, has_proc);
        if let Some(run) = badge.and_then(|badge| self.run_of(badge)) {
            return Mark::Run(run);
        }
        let mark = match has_proc {
            true => in_environment(pid, self.instance, budget),
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

/// A limit as prlimit(2) has it on every architecture.
#[repr(C)]
#[derive(Default)]
struct Limit {
    soft: u64,
    hard: u64,
}

/// The limit of file locks of a process, or with 0 of foster itself.
fn limit_of(pid: Pid) -> Result<Limit, ()> {
    let mut limit = Limit::default();
    // SAFETY: the record takes the answer.
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

/// Gives a process that was just made, and that calls this, its badge. It makes system calls and
/// nothing else. Where that is refused, its environment has to tell alone.
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

/// prlimit(2): without the C library, which has a file of its own for it, and limits of 32 bits.
///
/// # Safety
/// The records are live, or null.
unsafe fn prlimit(pid: Pid, new: *const Limit, old: *mut Limit) -> libc::c_long {
    // SAFETY: as promised.
    unsafe { libc::syscall(libc::SYS_prlimit64, pid.0, libc::RLIMIT_LOCKS, new, old) }
}

/// What one survey may spend on what others make long or slow.
pub struct Budget {
    /// How much of all environments may still be read.
    bytes: usize,
    /// How often a process that is executing a program may still be looked at again.
    looks: u32,
    /// Whether there was memory for all that was to be told.
    told_all: bool,
    /// The same of what concerns held groups.
    told_held: bool,
}

impl Budget {
    pub fn new() -> Budget {
        Budget { bytes: MOST_OF_ALL, looks: MOST_LOOKS, told_all: true, told_held: true }
    }

    /// Whether it was too little.
    pub fn is_spent(&self) -> bool {
        self.bytes == 0 || !self.told_all
    }

    /// Tells of something, if there is memory for it: of one that is in a held group, or not.
    pub fn tell(&mut self, events: &mut Vec<Event>, event: Event, is_held: bool) {
        let told = heap::push(events, event);
        self.told_all &= told;
        self.told_held &= told || !is_held;
    }

    /// Whether there was memory for all in held groups.
    pub fn has_told_held(&self) -> bool {
        self.told_held
    }
}

/// The mark of this instance's making in the environment of a process, or in that of one of its
/// threads where the main thread has ended.
fn in_environment(pid: Pid, instance: u64, budget: &mut Budget) -> Mark {
    loop {
        let seen = scan(&path(pid, b"environ"), instance, budget);
        let Found::Nothing { known } = seen else { return seen.mark() };
        // One that has no environment is about to be a zombie, or another program; or its main
        // thread alone has ended.
        let Some(stat) = Stat::of(pid) else { return Mark::Unreadable };
        if !stat.dead && stat.ended {
            return in_threads(pid, instance, budget);
        }
        if known && stat.has_environment {
            return Mark::None;
        }
        // Between its old memory and its new one, a process that is just executing a program has
        // none for a moment: that is waited out.
        if !known || has_no_memory(pid) || budget.looks == 0 {
            return Mark::Lost;
        }
        budget.looks -= 1;
        // SAFETY: it lets another process run, and touches nothing.
        unsafe { libc::sched_yield() };
    }
}

/// The same, of the first thread that has an environment.
fn in_threads(pid: Pid, instance: u64, budget: &mut Budget) -> Mark {
    let mut mark = Mark::Lost;
    let mut tries = MOST_THREADS;
    file::for_each_name(path(pid, b"task").as_c_str(), &mut |name| {
        let Some(thread) = file::pid(name.to_bytes()).filter(|thread| *thread != pid) else {
            return true;
        };
        tries -= 1;
        let mut path = path(pid, b"task/");
        path.add_number(thread.0).add(b"/environ");
        mark = scan(&path, instance, budget).mark();
        mark == Mark::Lost && tries > 0
    });
    mark
}

/// What was seen of an environment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Run(RunId),
    /// There is one, and no mark in it.
    NoMark,
    /// There is nothing; where that is `known`, the kernel has shown it to be empty.
    Nothing {
        known: bool,
    },
    Unreadable,
}

impl Found {
    fn mark(self) -> Mark {
        match self {
            Found::Run(run) => Mark::Run(run),
            Found::NoMark => Mark::None,
            Found::Nothing { .. } => Mark::Lost,
            Found::Unreadable => Mark::Unreadable,
        }
    }
}

fn scan(path: &Short, instance: u64, budget: &mut Budget) -> Found {
    let mut scanner = Scanner { instance, at: At::Name(0), mark: [0; LONGEST], length: 0 };
    let (mut run, mut length) = (None, 0);
    let most = budget.bytes.min(MOST_OF_ONE);
    if most == 0 {
        return Found::NoMark;
    }
    let read = file::for_each_piece(path.as_c_str(), &mut |piece| {
        length += piece.len();
        run = scanner.take(piece);
        run.is_none() && length < most
    });
    budget.bytes = budget.bytes.saturating_sub(length);
    match (run.or_else(|| scanner.end()), read) {
        (Some(run), _) => Found::Run(run),
        (None, Ok(())) if length == 0 => Found::Nothing { known: true },
        (None, Ok(())) => Found::NoMark,
        // It is on its way out, and has no memory any more (from Linux 6.16 on it is told so).
        (None, Err(Errno::ESRCH)) => Found::Nothing { known: false },
        (None, Err(_)) => Found::Unreadable,
    }
}

/// Looks for a mark in the pieces of an environment, whose entries end with a NUL each.
struct Scanner {
    instance: u64,
    at: At,
    /// The mark that is being read; too long a one is none.
    mark: [u8; LONGEST],
    length: usize,
}

enum At {
    /// So much of an entry is as [`MARK`] and its `=`.
    Name(usize),
    /// In the list of marks.
    Marks,
    /// In another entry.
    Other,
}

impl Scanner {
    fn take(&mut self, piece: &[u8]) -> Option<RunId> {
        let mut bytes = piece.iter();
        while let Some(&byte) = bytes.next() {
            match self.at {
                _ if byte == 0 => {
                    let mark = self.end();
                    (self.at, self.length) = (At::Name(0), 0);
                    if mark.is_some() {
                        return mark;
                    }
                }
                At::Name(length) => {
                    let expected = MARK.as_bytes().get(length).copied().unwrap_or(b'=');
                    self.at = match byte == expected {
                        true if length == MARK.len() => At::Marks,
                        true => At::Name(length + 1),
                        false => At::Other,
                    };
                }
                At::Marks if byte == b':' => {
                    let mark = self.end();
                    self.length = 0;
                    if mark.is_some() {
                        return mark;
                    }
                }
                At::Marks => {
                    if let Some(place) = self.mark.get_mut(self.length) {
                        *place = byte;
                    }
                    self.length += 1;
                }
                At::Other => {
                    // Most bytes are these.
                    let left = bytes.as_slice();
                    let end = left.iter().position(|byte| *byte == 0).unwrap_or(left.len());
                    bytes = left[end..].iter();
                }
            }
        }
        None
    }

    /// The mark that ends here, if one does.
    fn end(&self) -> Option<RunId> {
        let At::Marks = self.at else { return None };
        parse(self.mark.get(..self.length)?, self.instance)
    }
}

/// What /proc/PID/stat tells (proc_pid_stat(5)), as far as it is of interest.
pub struct Stat {
    pub name: Comm,
    pub parent: Pid,
    pub group: Pid,
    /// Whether its main thread has ended.
    ended: bool,
    /// Whether all of it has: a main thread that has ended reads as a zombie, whoever else lives.
    pub dead: bool,
    has_environment: bool,
}

impl Stat {
    pub fn of(pid: Pid) -> Option<Stat> {
        let mut room = [0; LONGEST_STAT];
        Stat::parse(file::read_start(path(pid, b"stat").as_c_str(), &mut room).ok()?)
    }

    fn parse(text: &[u8]) -> Option<Stat> {
        // The name in parentheses may hold anything, parentheses and spaces too.
        let begin = text.iter().position(|byte| *byte == b'(')?;
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let name = Comm::new(text.get(begin + 1..end)?);
        let mut words = text.get(end + 2..)?.split(|byte| *byte == b' ');
        let ended = matches!(words.next()?, b"Z" | b"X");
        let parent = file::pid(words.next()?)?;
        let group = file::pid(words.next()?)?;
        // Field 20, `num_threads`: none of a process of which hardly anything is left.
        let dead = ended && file::number(words.nth(14)?)? <= 1;
        // Field 51, `env_end`.
        let has_environment = words.nth(30).is_some_and(|word| word.trim_ascii() != b"0");
        Some(Stat { name, parent, group, ended, dead, has_environment })
    }
}

/// Whether a process has given up its memory already: it is about to be a zombie.
fn has_no_memory(pid: Pid) -> bool {
    let mut room = [0; 2];
    let path = path(pid, b"statm");
    file::read_start(path.as_c_str(), &mut room).is_ok_and(|start| start == b"0 ")
}

/// The path of something that /proc has of a process. The longest is
/// /proc/4294967295/task/4294967295/environ.
fn path(pid: Pid, what: &[u8]) -> Short {
    let mut path = Short::new();
    path.add(b"/proc/").add_number(pid.0).add(b"/").add(what);
    path
}

/// The longest mark: the number of a service, a dash, 32 digits.
const LONGEST: usize = 10 + 1 + 32;

/// How often a badge is made anew that another service has.
const TRIES: usize = 16;

/// More than there is to /proc/PID/limits up to the line that is of interest: 80 bytes a line.
const LONGEST_LIMITS: usize = 1024;

/// More than there is to /proc/PID/stat, some fifty numbers and a name of 64 bytes at the most.
const LONGEST_STAT: usize = 64 + 52 * 21;

/// How much is read of one environment, and of all in one survey. Most take less than a page.
const MOST_OF_ONE: usize = 1 << 16;
const MOST_OF_ALL: usize = 1 << 23;

/// How many threads are asked where the main thread has ended: one that lives has an environment.
const MOST_THREADS: u32 = 16;

/// How often one survey looks again at processes that are executing a program.
const MOST_LOOKS: u32 = 1000;
