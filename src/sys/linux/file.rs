//! Files by plain system calls. What std has for them brings along its texts for errors, paths
//! of any kind and the C library's allocator, which is more than all the rest of foster reads.

use std::ffi::CStr;
use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::libc::{self, c_int};

use super::heap;

/// Opens a file. Children do not inherit it.
pub fn open(path: &CStr, flags: c_int) -> io::Result<OwnedFd> {
    // SAFETY: the path is a string; the descriptor is new and ours.
    unsafe {
        match libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(OwnedFd::from_raw_fd(descriptor)),
        }
    }
}

/// Reads a whole file in the place of what `text` held. Without memory for it, this fails.
pub fn read(path: &CStr, text: &mut Vec<u8>) -> io::Result<()> {
    text.clear();
    let file = open(path, libc::O_RDONLY)?;
    loop {
        heap::without_waiting(|| text.try_reserve(PIECE))
            .map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
        let room = text.spare_capacity_mut();
        // SAFETY: the buffer is writable for its length, and what was read into it is filled in.
        unsafe {
            match libc::read(file.as_raw_fd(), room.as_mut_ptr().cast(), room.len()) {
                0 => return Ok(()),
                -1 => return Err(io::Error::last_os_error()),
                length => text.set_len(text.len() + length as usize),
            }
        }
    }
}

/// What a symbolic link holds, as far as there is room for it.
pub fn read_link<'a>(path: &CStr, room: &'a mut [u8]) -> Option<&'a [u8]> {
    // SAFETY: the path is a string, and the buffer is writable for its length.
    let length = unsafe { libc::readlink(path.as_ptr(), room.as_mut_ptr().cast(), room.len()) };
    room.get(..usize::try_from(length).ok()?)
}

/// What stat(2) tells of a path.
pub fn status(path: &CStr) -> Option<libc::stat> {
    // SAFETY: the path is a string, and a stat of zeroes is valid.
    unsafe {
        let mut status = mem::zeroed::<libc::stat>();
        (libc::stat(path.as_ptr(), &raw mut status) == 0).then_some(status)
    }
}

/// What kind of file a descriptor stands for, one of `S_IF*`; 0 where it is closed.
pub fn kind(descriptor: c_int) -> libc::mode_t {
    // SAFETY: a stat of zeroes is valid, and fstat fills it in.
    unsafe {
        let mut status = mem::zeroed::<libc::stat>();
        libc::fstat(descriptor, &raw mut status);
        status.st_mode & libc::S_IFMT
    }
}

/// Visits the names in a folder (getdents64(2)); none where it cannot be read.
// Its room on the stack is for its own time only.
#[inline(never)]
pub fn for_each_name(folder: &CStr, mut visit: impl FnMut(&CStr)) {
    let Ok(folder) = open(folder, libc::O_RDONLY | libc::O_DIRECTORY) else { return };
    // Records of a changing length, each with its own length at a place that the C library
    // knows, aligned to eight bytes.
    let mut room = [const { MaybeUninit::<u64>::uninit() }; PIECE / 8];
    loop {
        // SAFETY: the buffer is writable for as many bytes as are asked for.
        let filled = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                folder.as_raw_fd(),
                room.as_mut_ptr(),
                size_of_val(&room),
            )
        };
        let Some(filled) = usize::try_from(filled).ok().filter(|filled| *filled > 0) else {
            return;
        };
        let mut at = 0;
        while at < filled {
            // SAFETY: the kernel has filled in whole records up to `filled`, and ends each name
            // by a NUL.
            unsafe {
                let entry = room.as_ptr().byte_add(at).cast::<libc::dirent64>();
                visit(CStr::from_ptr((&raw const (*entry).d_name).cast()));
                at += usize::from((*entry).d_reclen);
            }
        }
    }
}

/// How much is read at once.
const PIECE: usize = 2048;
