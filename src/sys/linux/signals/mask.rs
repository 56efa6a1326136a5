//! The signal mask and dispositions.

use std::mem;
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, c_int};

/// The signals whose disposition foster has changed, and those of them that were ignored.
#[derive(Clone, Copy, Default)]
pub struct Dispositions {
    pub changed: u64,
    pub ignored: u64,
}

/// Blocks every signal, even those that glibc hides; returns the previous mask.
pub fn block_all() -> u64 {
    set_mask(u64::MAX)
}

/// The same, where it may be refused (seccomp); none if it is.
pub fn try_to_block_all() -> Option<u64> {
    change_mask(u64::MAX)
}

/// Sets the signal mask, one bit per signal; returns the previous one.
pub fn set_mask(mask: u64) -> u64 {
    // If this is refused, foster does not start.
    change_mask(mask).unwrap_or_default()
}

fn change_mask(mask: u64) -> Option<u64> {
    let mut old = 0_u64;
    // SAFETY: both masks have the given size of 64 bits. glibc's function would skip signals 32 and
    // 33.
    let done = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            &raw mut old,
            size_of::<u64>(),
        )
    };
    (done == 0).then_some(old)
}

/// Sets a signal's disposition, `SIG_DFL` or `SIG_IGN`; returns the previous one.
pub fn set_disposition(signal: c_int, handler: libc::sighandler_t) -> Result<usize, Errno> {
    // SAFETY: a zeroed sigaction is one without flags and with an empty mask, and `handler` is
    // none that would run.
    unsafe {
        let mut action = mem::zeroed::<libc::sigaction>();
        let mut old = mem::zeroed::<libc::sigaction>();
        action.sa_sigaction = handler;
        let done = libc::sigaction(signal, &raw const action, &raw mut old);
        Errno::result(done).map(|_| old.sa_sigaction)
    }
}

/// A signal's disposition.
pub fn disposition(signal: c_int) -> libc::sighandler_t {
    // SAFETY: a zeroed sigaction is valid, with room for the result.
    unsafe {
        let mut action = mem::zeroed::<libc::sigaction>();
        libc::sigaction(signal, ptr::null(), &raw mut action);
        action.sa_sigaction
    }
}

/// The bit of a signal in a mask.
pub const fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}
