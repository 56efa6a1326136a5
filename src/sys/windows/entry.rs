//! The entry of the program.
//!
//! There is no runtime of std's around `main`, as on Linux: foster needs nothing of it.

use std::ffi::{c_char, c_int};

use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

use super::World;

/// The entry of C. Its arguments are in the code page of the system; the command line itself
/// is not.
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _args: *const *const c_char) -> c_int {
    let code = crate::run(std::env::args_os().collect(), World);
    // `ExitProcess` would end a thread that the console just made wherever it is, with the locks that
    // it holds, and then have every library tidy up, which may wait for them for ever (ExitProcess,
    // Remarks). Nothing of foster's is to be tidied up: what it says is written by then.
    // SAFETY: it is the end of this process; all 32 bits of the code come through.
    unsafe { TerminateProcess(GetCurrentProcess(), code) };
    code as c_int
}
