//! Handles of kernel objects, owned by std's types.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::HANDLE;

/// Takes the result of a call that creates an object: null if it failed.
///
/// # Safety
/// The handle is null, or one that nobody else closes.
pub unsafe fn made(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the caller guarantees that it is open and ours alone.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Turns the return value of a call into a result.
pub fn done(answer: i32) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The raw handle.
pub fn raw(handle: &OwnedHandle) -> HANDLE {
    handle.as_raw_handle()
}
