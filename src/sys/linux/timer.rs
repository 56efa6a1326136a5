//! The deadline of the process: a timerfd, made for the first deadline. If the kernel has none, the
//! timeout of the wait serves.

use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use mio::unix::SourceFd;
use mio::{Interest, Registry};
use nix::libc;

use foster::time::Instant;

use super::source::Key;

/// The timer, and its deadline.
pub enum Timer {
    /// Not needed yet.
    Unused,
    /// Set to this.
    Set(OwnedFd, Option<Instant>),
    /// The kernel refused.
    Unavailable,
}

impl Timer {
    /// Sets the timer; says whether it will expire, if there is a deadline.
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
                // SAFETY: a zeroed time is valid, and no result is requested.
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

    /// Notes that the timer expired.
    pub fn went_off(&mut self) {
        if let Timer::Set(timer, set_to) = self {
            let mut count = 0_u64;
            // SAFETY: the buffer has room for the eight bytes of a timerfd. Neither its content nor
            // a failure (the clock was set back, nothing was due) says anything new.
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

/// The time of the clock that cannot be set (clock_gettime(2), `CLOCK_MONOTONIC`).
///
/// By a system call: the C library can avoid it (vdso(7)), but finding the vdso costs two page
/// faults, some twenty microseconds during a stop or before a signal is forwarded.
pub fn now() -> Instant {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` has room for the result, in the kernel's layout on 64 bits; this clock exists
    // on every Linux.
    unsafe {
        let (call, clock) = (libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC);
        // A filter may deny the system call, but not the vdso.
        if cfg!(not(target_pointer_width = "64")) || libc::syscall(call, clock, &raw mut time) != 0
        {
            libc::clock_gettime(clock, &raw mut time);
        }
    }
    Instant::from_nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
