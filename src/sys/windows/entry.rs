//! The entry of the program.
//!
//! There is no runtime of std's around `main`, as on Linux: foster needs nothing of it.

use std::ffi::{c_char, c_int};

use super::World;

/// The entry of C. Its arguments are in the code page of the system; the command line itself
/// is not.
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _args: *const *const c_char) -> c_int {
    // All 32 bits of the code come through: the C library hands them to `ExitProcess` as they are.
    crate::run(std::env::args_os().collect(), World) as c_int
}
