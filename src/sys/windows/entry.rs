//! The entry point of the program.
//!
//! std's runtime is not used, as on Linux: foster does not need it.

use std::ffi::{c_char, c_int};

use windows_sys::Win32::System::Threading::{GetCurrentProcess, TerminateProcess};

use super::World;

/// The entry point of C. Its arguments are in the system's code page; the command line itself is
/// not.
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _args: *const *const c_char) -> c_int {
    let code = crate::run(std::env::args_os().collect(), World);
    // `ExitProcess` would end a thread of the console's at any point, with the locks that it holds,
    // and then let every library clean up, which may wait for those locks for ever (ExitProcess,
    // Remarks). foster has nothing to clean up: its output is written by then.
    // SAFETY: it ends this process; all 32 bits of the code are kept.
    unsafe { TerminateProcess(GetCurrentProcess(), code) };
    code as c_int
}
