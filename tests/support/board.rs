//! A page of numbers that the test and its probes share: it works where a probe has no descriptor
//! left to write to, and after the probe has been killed.

use std::ops::Index;
use std::os::fd::RawFd;
use std::sync::atomic::AtomicU64;

use nix::libc;

/// The page.
#[derive(Debug, Clone, Copy)]
pub struct Board(&'static [AtomicU64; PLACES]);

impl Board {
    /// Maps the file behind a descriptor, for as long as the process lives.
    pub fn of(descriptor: RawFd) -> Option<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: it asks for new memory, which is never given back. It is aligned to a page and
        // as long as the array (the file is), and atomics may be shared with other processes.
        unsafe {
            let none = std::ptr::null_mut();
            let page = libc::mmap(none, SIZE, protection, libc::MAP_SHARED, descriptor, 0);
            (page != libc::MAP_FAILED).then(|| Self(&*page.cast()))
        }
    }
}

impl Index<usize> for Board {
    type Output = AtomicU64;

    fn index(&self, place: usize) -> &AtomicU64 {
        &self.0[place]
    }
}

/// The length of the file.
pub const SIZE: usize = PLACES * size_of::<AtomicU64>();

const PLACES: usize = 512;

// What stands where.

/// From here on: how often the counting probe got each signal, by number.
pub const SIGNALS: usize = 0;
/// The sum of the values that came with them.
pub const VALUES: usize = 65;
/// How often a counting probe has begun.
pub const COUNTERS: usize = 66;
/// Not 0: the counting probe is to end at the next USR2.
pub const OVER: usize = 67;
/// How often a wild probe has begun.
pub const RUNS: usize = 68;
/// How often a fork was refused.
pub const REFUSED: usize = 69;
/// The descriptor by which system calls are judged, in the process that will be the subject.
pub const JUDGE: usize = 70;
/// Not 0: the test has it.
pub const JUDGED: usize = 71;
/// Not 0: who has no mark at all is left alone here, and the test looks after one of these.
pub const STRANGERS: usize = 72;
/// The one that is about to be a stranger, by its pid in its namespace, or 1 before it has one.
pub const CANDIDATE: usize = 73;
/// The same one, when foster has left it alone behind a crash.
pub const STRANGER: usize = 74;
/// Not 0: there is a limit of processes; 2 where foster does not see all.
pub const LIMITED: usize = 75;
/// How many are changing their marks.
pub const COPYING: usize = 76;
/// Not 0: the mark of the counting service is copied.
pub const COPIED: usize = 77;
/// Not 0: all is about to end, and nobody is to change his mark any more.
pub const ENDING: usize = 78;
/// From here on: how often each kind of deed was done.
pub const DEEDS: usize = 80;
/// From here on: how often each of the wild services has begun.
pub const RUNS_OF: usize = 100;
/// From here on: the mark of each, and behind these that of the counting service.
pub const MARKS: usize = 104;
/// The most wild services that there are.
pub const MOST: u64 = 4;
