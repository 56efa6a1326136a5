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

/// Reads a file in the place of what `text` held, up to so many bytes: somebody else may have made
/// it as long as he liked. Without memory for it, this fails.
pub fn read(path: &CStr, text: &mut Vec<u8>, most: usize) -> io::Result<()> {
    text.clear();
    for_each_piece(path, &mut |piece| {
        let got = heap::without_waiting(|| text.try_reserve(piece.len())).is_ok();
        if got {
            text.extend_from_slice(piece);
        }
        got && text.len() < most
    })
}

/// Reads as much of a file as there is room for.
pub fn read_start<'a>(path: &CStr, room: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let file = open(path, libc::O_RDONLY)?;
    let mut length = 0;
    loop {
        // SAFETY: what is left of the room is writable for its length.
        let more = unsafe {
            let left = &mut room[length..];
            libc::read(file.as_raw_fd(), left.as_mut_ptr().cast(), left.len())
        };
        match usize::try_from(more) {
            Ok(0) => return Ok(&room[..length]),
            Ok(more) => length += more,
            Err(_) => return Err(io::Error::last_os_error()),
        }
    }
}

/// Shows a file piece by piece, for as long as more is wanted. However long it is, it takes no
/// memory but that for one piece.
// Its room on the stack is for its own time only.
#[inline(never)]
pub fn for_each_piece(path: &CStr, visit: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<()> {
    let file = open(path, libc::O_RDONLY)?;
    let mut room = [0; PIECE];
    loop {
        // SAFETY: the buffer is writable for its length.
        let length = unsafe { libc::read(file.as_raw_fd(), room.as_mut_ptr().cast(), PIECE) };
        match usize::try_from(length) {
            Ok(0) => return Ok(()),
            Ok(length) if visit(&room[..length]) => {}
            Ok(_) => return Ok(()),
            Err(_) => return Err(io::Error::last_os_error()),
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

/// Visits the names in a folder (getdents64(2)), for as long as more are wanted; none where it cannot
/// be read.
// Its room on the stack is for its own time only.
#[inline(never)]
pub fn for_each_name(folder: &CStr, visit: &mut dyn FnMut(&CStr) -> bool) {
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
                if !visit(CStr::from_ptr((&raw const (*entry).d_name).cast())) {
                    return;
                }
                at += usize::from((*entry).d_reclen);
            }
        }
    }
}

/// How much is read at once.
const PIECE: usize = 2048;
