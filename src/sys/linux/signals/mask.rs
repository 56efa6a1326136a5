//! Which signals are blocked, and what each does when it is not.

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

/// Blocks every signal, those that glibc hides too; gives the mask that was in force.
pub fn block_all() -> u64 {
    set_mask(u64::MAX)
}

/// The same, where that may be refused (seccomp); none if it is.
pub fn try_to_block_all() -> Option<u64> {
    change_mask(u64::MAX)
}

/// Sets the signal mask, a bit for each signal; gives the one that was in force.
pub fn set_mask(mask: u64) -> u64 {
    // Where it is refused, foster does not start.
    change_mask(mask).unwrap_or_default()
}

fn change_mask(mask: u64) -> Option<u64> {
    let mut old = 0_u64;
    // SAFETY: both masks are 64 bits, the size that is given. glibc's function would leave signals 32
    // and 33 out.
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

/// Sets what a signal does, `SIG_DFL` or `SIG_IGN`; gives what it did.
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

/// What a signal does.
pub fn disposition(signal: c_int) -> libc::sighandler_t {
    // SAFETY: a sigaction of zeroes is valid, and takes the answer.
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
