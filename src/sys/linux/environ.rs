//! The mark in the environment of a process, for processes whose limits were reset (pam_limits),
//! and where limits cannot be set.
//!
//! A process can make its environment arbitrary, arbitrarily long, and put it anywhere in its
//! memory (prctl(2), PR_SET_MM). So it is read piece by piece, up to a bound, into memory for one
//! piece.

use nix::errno::Errno;
use nix::libc;

use foster::process::{Mark, Pid, RunId, ServiceId};

use super::budget::Budget;
use super::file::{self, Short};
use super::mark::MARK;
use super::stat::{Stat, path};

/// The mark that this foster made in the environment of a process, or in that of one of its threads
/// if the main thread has ended.
pub fn mark_in(pid: Pid, instance: u64, budget: &mut Budget) -> Mark {
    loop {
        let seen = scan(&path(pid, b"environ"), instance, budget);
        let Found::Nothing { known } = seen else { return seen.mark() };
        // A process without an environment is about to be a zombie, or another program; or only its
        // main thread has ended.
        let Some(stat) = Stat::of(pid) else { return Mark::Unreadable };
        if !stat.dead && stat.ended {
            return in_threads(pid, instance, budget);
        }
        if known && stat.has_environment {
            return Mark::None;
        }
        // During an exec, a process has no environment for a moment: that is waited out.
        if !known || has_no_memory(pid) || budget.looks == 0 {
            return Mark::Lost;
        }
        budget.looks -= 1;
        // SAFETY: it lets another process run, and changes nothing.
        unsafe { libc::sched_yield() };
    }
}

/// The same, for the first thread that has an environment.
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
    // gVisor shows none of them, and such a process may live for ever.
    let is_hidden = tries == MOST_THREADS && Stat::of(pid).is_some_and(|stat| !stat.dead);
    if is_hidden { Mark::Unreadable } else { mark }
}

/// The result of reading an environment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Run(RunId),
    /// It contains no mark.
    NoMark,
    /// It is empty; `known` if the kernel says so.
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
        // The process is exiting, and has no memory any more (since Linux 6.16 the kernel says so).
        (None, Err(Errno::ESRCH)) => Found::Nothing { known: false },
        (None, Err(_)) => Found::Unreadable,
    }
}

/// Looks for a mark in the pieces of an environment, whose entries each end with a NUL.
struct Scanner {
    instance: u64,
    at: At,
    /// The mark that is being read; one that is too long does not count.
    mark: [u8; LONGEST],
    length: usize,
}

enum At {
    /// This much of an entry matches [`MARK`] and its `=`.
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
                    // Most bytes are of this kind.
                    let left = bytes.as_slice();
                    let end = left.iter().position(|byte| *byte == 0).unwrap_or(left.len());
                    bytes = left[end..].iter();
                }
            }
        }
        None
    }

    /// The mark that ends here, if any.
    fn end(&self) -> Option<RunId> {
        let At::Marks = self.at else { return None };
        parse(self.mark.get(..self.length)?, self.instance)
    }
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

/// Whether a process has released its memory: it is about to be a zombie.
fn has_no_memory(pid: Pid) -> bool {
    let mut room = [0; 2];
    let path = path(pid, b"statm");
    file::read_start(path.as_c_str(), &mut room).is_ok_and(|start| start == b"0 ")
}

/// The longest mark: the number of a service, a dash, 32 digits.
const LONGEST: usize = 10 + 1 + 32;

/// The most that is read of one environment. Most take less than a page.
const MOST_OF_ONE: usize = 1 << 16;

/// How many threads are tried if the main thread has ended: a living one has an environment.
const MOST_THREADS: u32 = 16;
