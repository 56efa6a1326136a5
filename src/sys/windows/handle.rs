//! Handles of the kernel's objects, as std owns them.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::HANDLE;

/// Takes what a call that makes an object has given: a null where it failed.
///
/// # Safety
/// The handle is null, or one that nobody else closes.
pub unsafe fn made(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and ours alone, as the caller says.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Turns the answer of a call into a result.
pub fn done(answer: i32) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The number that calls take.
pub fn raw(handle: &OwnedHandle) -> HANDLE {
    handle.as_raw_handle()
}
