//! Where the kernel has no signalfd: handlers that write a record of each signal into a pipe.

use std::mem;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, c_int};

use super::super::file;
use super::mask::{Dispositions, bit, block_all, set_disposition};
use super::{Record, errno, is_standard};

/// Has the handler of a signal run to its end before that of another begins: of several that are
/// pending the kernel prepares the first one's handler first, and so runs it last (signal(7)).
fn let_nothing_interrupt(signal: c_int) -> Result<(), Errno> {
    // SAFETY: what sigaction fills in it also takes; only the mask is another.
    unsafe {
        let mut action = mem::zeroed::<libc::sigaction>();
        libc::sigaction(signal, ptr::null(), &raw mut action);
        libc::sigfillset(&raw mut action.sa_mask);
        Errno::result(libc::sigaction(signal, &raw const action, ptr::null_mut())).map(drop)
    }
}

/// Has a handler write a record of every signal into a pipe, whose ends are none of the standard
/// descriptors either; gives the end to read.
pub fn self_pipe(dispositions: &mut Dispositions) -> Result<OwnedFd, Errno> {
    let mut ends = [0; 2];
    while ends.into_iter().any(is_standard) {
        ends = file::pipe(libc::O_NONBLOCK)?;
    }
    // SAFETY: the descriptors are new and ours.
    let (reader, writer) = (unsafe { OwnedFd::from_raw_fd(ends[0]) }, ends[1]);
    for signal in 1..=64 {
        // KILL and STOP are nobody's, and the C library keeps two or three for itself.
        let Ok(old) = set_disposition(signal, libc::SIG_DFL) else { continue };
        if old == libc::SIG_IGN {
            dispositions.ignored |= bit(signal);
        }
        dispositions.changed |= bit(signal);
        let handler = move |info: &libc::siginfo_t| {
            // A fault of foster's own is not a signal that somebody sent.
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
        // SAFETY: the handler does nothing but what signal-safety(7) allows.
        unsafe { signal_hook_registry::register_unchecked(signal, handler) }.map_err(errno)?;
        let_nothing_interrupt(signal)?;
    }
    // musl lets in the signals that it hides, with the first handler of a program.
    block_all();
    Ok(reader)
}
