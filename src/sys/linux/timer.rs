//! The one deadline of the process: a timerfd, made when there is a deadline for the first time.
//! Where the kernel gives none, the timeout of the wait serves.

use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use mio::unix::SourceFd;
use mio::{Interest, Registry};
use nix::libc;

use foster::time::Instant;

use super::source::Key;

/// The timer, and what it is set to.
pub enum Timer {
    /// Nobody has needed one yet.
    Unused,
    /// Set to this.
    Set(OwnedFd, Option<Instant>),
    /// The kernel gives none.
    Unavailable,
}

impl Timer {
    /// Sets the timer; says whether it will go off, where there is a deadline.
    pub fn set(&mut self, deadline: Option<Instant>, registry: &Registry) -> bool {
        if let (Timer::Unused, Some(_)) = (&self, deadline) {
            *self = Timer::open(registry).map_or(Timer::Unavailable, |fd| Timer::Set(fd, None));
        }
        match self {
            Timer::Unused => true,
            Timer::Unavailable => false,
            Timer::Set(_, set_to) if *set_to == deadline => true,
            Timer::Set(timer, set_to) => {
                // Zeroes stop it.
                let at = deadline.map_or(0, Instant::as_nanos);
                // SAFETY: a time of zeroes is valid, and nothing is to be told.
                let set = unsafe {
                    let mut time = mem::zeroed::<libc::itimerspec>();
                    time.it_value.tv_sec = (at / 1_000_000_000) as _;
                    time.it_value.tv_nsec = (at % 1_000_000_000) as _;
                    let (flags, old) = (libc::TFD_TIMER_ABSTIME, ptr::null_mut());
                    libc::timerfd_settime(timer.as_raw_fd(), flags, &raw const time, old) == 0
                };
                if set {
                    *set_to = deadline;
                }
                set
            }
        }
    }

    /// The descriptor, once there is one.
    pub fn descriptor(&self) -> Option<RawFd> {
        if let Timer::Set(timer, _) = self { Some(timer.as_raw_fd()) } else { None }
    }

    /// Takes in that the timer went off.
    pub fn went_off(&mut self) {
        if let Timer::Set(timer, set_to) = self {
            let mut count = 0_u64;
            // SAFETY: the buffer takes the eight bytes that a timerfd gives. What is read says
            // nothing new, and a failure (somebody set the clock back, none was due) neither.
            unsafe {
                libc::read(timer.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>());
            }
            *set_to = None;
        }
    }

    fn open(registry: &Registry) -> Option<OwnedFd> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: the descriptor is new and ours.
        let timer = unsafe {
            let descriptor = libc::timerfd_create(libc::CLOCK_MONOTONIC, flags);
            (descriptor != -1).then(|| OwnedFd::from_raw_fd(descriptor))?
        };
        let descriptor = timer.as_raw_fd();
        let source = &mut SourceFd(&descriptor);
        registry.register(source, Key::TIMER.token(), Interest::READABLE).ok()?;
        Some(timer)
    }
}

/// The time on the clock that nobody can set (clock_gettime(2), `CLOCK_MONOTONIC`).
///
/// Of the kernel itself: the C library has a way to it that needs no system call (vdso(7)), but to
/// find that costs it two page faults, some twenty microseconds in the midst of a stop or of a
/// signal that should arrive.
pub fn now() -> Instant {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` takes the answer, as the kernel lays it out on 64 bits; this clock is there
    // on every Linux.
    unsafe {
        let (call, clock) = (libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC);
        // A filter may deny the system call; that other way it cannot.
        if cfg!(not(target_pointer_width = "64")) || libc::syscall(call, clock, &raw mut time) != 0
        {
            libc::clock_gettime(clock, &raw mut time);
        }
    }
    Instant::from_nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
