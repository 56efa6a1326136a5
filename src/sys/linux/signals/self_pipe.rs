//! The replacement for signalfd: handlers that write a record of each signal into a pipe.

use std::mem;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, c_int};

use super::super::file;
use super::mask::{Dispositions, bit, block_all, set_disposition};
use super::{Record, errno, is_standard};

/// Makes the handler of a signal finish before another begins: of several pending signals the
/// kernel prepares the first one's handler first, and so runs it last (signal(7)).
fn let_nothing_interrupt(signal: c_int) -> Result<(), Errno> {
    // SAFETY: the record came from sigaction, and only its mask is changed.
    unsafe {
        let mut action = mem::zeroed::<libc::sigaction>();
        libc::sigaction(signal, ptr::null(), &raw mut action);
        libc::sigfillset(&raw mut action.sa_mask);
        Errno::result(libc::sigaction(signal, &raw const action, ptr::null_mut())).map(drop)
    }
}

/// Installs a handler that writes a record of every signal into a pipe, whose ends are not standard
/// descriptors either; returns the read end.
pub fn self_pipe(dispositions: &mut Dispositions) -> Result<OwnedFd, Errno> {
    let mut ends = [0; 2];
    while ends.into_iter().any(is_standard) {
        ends = file::pipe(libc::O_NONBLOCK)?;
    }
    // SAFETY: the descriptors are new and ours.
    let (reader, writer) = (unsafe { OwnedFd::from_raw_fd(ends[0]) }, ends[1]);
    for signal in 1..=64 {
        // KILL and STOP cannot be caught, and the C library reserves two or three.
        let Ok(old) = set_disposition(signal, libc::SIG_DFL) else { continue };
        if old == libc::SIG_IGN {
            dispositions.ignored |= bit(signal);
        }
        dispositions.changed |= bit(signal);
        let handler = move |info: &libc::siginfo_t| {
            // A fault of foster's own is not a signal from somebody else.
            let fault = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];
            if info.si_code > 0 && info.si_code != libc::SI_KERNEL && fault.contains(&signal) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            // SAFETY: the kernel has called the handler with it; write(2) may be called in one.
            unsafe {
                let record = Record::of(info);
                libc::write(writer, (&raw const record).cast(), size_of::<Record>());
            }
        };
        // SAFETY: the handler only does what signal-safety(7) allows.
        unsafe { signal_hook_registry::register_unchecked(signal, handler) }.map_err(errno)?;
        let_nothing_interrupt(signal)?;
    }
    // With a program's first handler, musl unblocks the signals that it hides.
    block_all();
    Ok(reader)
}
