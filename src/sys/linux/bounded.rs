//! A write that ends in time, to a stream that may block and has no non-blocking mode: a timer
//! interrupts it, by a signal that is used for nothing else.
//!
//! Only that signal is unblocked, for as long as the write takes. If somebody sends it anyway, it
//! is sent on to foster afterwards, unchanged.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::mem;
use std::os::fd::RawFd;
use std::ptr;

use nix::libc::{self, c_int, c_long};

use super::signals;

/// Writes at once, in part, or not at all, after a short wait; returns the result of write(2). The
/// result is negative too if there is no timer: then nothing is written.
pub fn write(descriptor: RawFd, bytes: &[u8]) -> isize {
    let Some(timer) = Timer::start() else { return -1 };
    // SAFETY: the buffer is readable for its length, and `interrupted` may run at any time.
    let written = unsafe {
        let old = set_action(&action());
        let mask = signals::set_mask(!signals::bit(SIGNAL));
        let written = libc::write(descriptor, bytes.as_ptr().cast(), bytes.len());
        signals::set_mask(mask);
        drop(timer);
        set_action(&old);
        written
    };
    // SAFETY: the handler cannot run any more. The record came from the kernel, and a process may
    // send itself any record.
    unsafe {
        if let Some(stray) = (*STRAY.0.get()).take() {
            let own = libc::getpid();
            libc::syscall(libc::SYS_rt_sigqueueinfo, own, SIGNAL, &raw const stray);
        }
    }
    written
}

/// Whether a signal is this timer's. It may arrive a moment late, and concerns nobody else; a timer
/// of another program would not survive its exec.
pub fn is_timers(signal: c_int, code: c_int) -> bool {
    signal == SIGNAL && code == libc::SI_TIMER
}

/// It means a fault that no processor has any more, so the kernel sends it to nobody.
pub const SIGNAL: c_int = libc::SIGSTKFLT;

/// The longest wait. The timer repeats, because its first signal may come before the write.
const LIMIT_NANOSECONDS: c_long = 10_000_000;

/// A timer (timer_create(2)), by system calls: the C library's version starts threads.
struct Timer(c_int);

impl Timer {
    fn start() -> Option<Timer> {
        let mut id = 0;
        // SAFETY: a zeroed record is valid and as long as the kernel's, and `id` has room for the
        // result.
        let made = unsafe {
            let mut event = mem::zeroed::<libc::sigevent>();
            event.sigev_signo = SIGNAL;
            event.sigev_notify = libc::SIGEV_SIGNAL;
            let clock = libc::CLOCK_MONOTONIC;
            libc::syscall(libc::SYS_timer_create, clock, &raw mut event, &raw mut id)
        };
        if made != 0 {
            return None;
        }
        let timer = Timer(id);
        // Seconds and nanoseconds of the interval, then of the first time; this call uses machine
        // words on every architecture.
        let times: [c_long; 4] = [0, LIMIT_NANOSECONDS, 0, LIMIT_NANOSECONDS];
        // SAFETY: the times are live, and no result is requested.
        let set = unsafe {
            let old = ptr::null_mut::<c_void>();
            libc::syscall(libc::SYS_timer_settime, timer.0, 0, times.as_ptr(), old)
        };
        (set == 0).then_some(timer)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: it is the number of a timer that still exists.
        unsafe { libc::syscall(libc::SYS_timer_delete, self.0) };
    }
}

extern "C" fn interrupted(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel calls this with a record. Nobody else uses the place meanwhile: there is
    // one thread, and it is in `write`.
    unsafe {
        if (*info).si_code != libc::SI_TIMER {
            *STRAY.0.get() = Some(*info);
        }
    }
}

/// A signal that somebody sent.
static STRAY: Stray = Stray(UnsafeCell::new(None));

struct Stray(UnsafeCell<Option<libc::siginfo_t>>);

// SAFETY: foster has one thread.
unsafe impl Sync for Stray {}

/// The kernel's record for sigaction(2): the handler, flags, on some architectures the return
/// address, and the signals that it blocks, none. No architecture has more fields.
type Action = [usize; 8];

/// A handler without `SA_RESTART`, so that it interrupts the write.
fn action() -> Action {
    let handler = interrupted as extern "C" fn(_, _, _) as usize;
    let flags = libc::SA_SIGINFO as usize;
    #[cfg(target_arch = "x86_64")]
    return [
        handler,
        flags | SA_RESTORER,
        foster_restore as extern "C" fn() as usize,
        0,
        0,
        0,
        0,
        0,
    ];
    #[cfg(not(target_arch = "x86_64"))]
    [handler, flags, 0, 0, 0, 0, 0, 0]
}

/// By a system call: with a program's first handler, musl unblocks its internal signals.
unsafe fn set_action(action: &Action) -> Action {
    let mut old = [0; 8];
    let (new, old_place) = (action.as_ptr(), old.as_mut_ptr());
    // SAFETY: the records are as long as the kernel's on every architecture, and so is the mask.
    unsafe {
        libc::syscall(libc::SYS_rt_sigaction, SIGNAL, new, old_place, size_of::<u64>());
    }
    old
}

#[cfg(target_arch = "x86_64")]
const SA_RESTORER: usize = 0x0400_0000;

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    safe fn foster_restore();
}

// On this architecture the kernel needs the address where a handler returns: rt_sigreturn(2).
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(".globl foster_restore", "foster_restore:", "mov eax, 15", "syscall");
