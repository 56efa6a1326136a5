//! Files by plain system calls. What std has for them brings along its texts for errors, paths
//! of any kind and the C library's allocator, which is more than all the rest of foster reads. What
//! the C library has for some calls is as long as what foster does with them: it makes up for kernels
//! and for structures of other times.

use std::ffi::CStr;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long};

use foster::process::Pid;

use super::heap;

/// Opens a file. Children do not inherit it.
pub fn open(path: &CStr, flags: c_int) -> Result<OwnedFd, Errno> {
    let descriptor = open_for_all(path, flags | libc::O_CLOEXEC)?;
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Opens a file, which children inherit, for good.
pub fn open_for_all(path: &CStr, flags: c_int) -> Result<RawFd, Errno> {
    let flags = flags | libc::O_LARGEFILE;
    // SAFETY: the path is a string.
    let opened =
        unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0) };
    Errno::result(opened).map(|descriptor| descriptor as RawFd)
}

/// A pipe: its end to read, and that to write, which no command inherits.
pub fn pipe(flags: c_int) -> Result<[RawFd; 2], Errno> {
    let mut ends = [0; 2];
    // SAFETY: `ends` takes the two descriptors.
    let made =
        unsafe { libc::syscall(libc::SYS_pipe2, ends.as_mut_ptr(), flags | libc::O_CLOEXEC) };
    Errno::result(made).map(|_| ends)
}

/// Reads a file in the place of what `text` held, up to so many bytes: somebody else may have made
/// it as long as he liked. Without memory for it, this fails.
pub fn read(path: &CStr, text: &mut Vec<u8>, most: usize) -> Result<(), Errno> {
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
pub fn read_start<'a>(path: &CStr, room: &'a mut [u8]) -> Result<&'a [u8], Errno> {
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
            Err(_) => return Err(Errno::last()),
        }
    }
}

/// Shows a file piece by piece, for as long as more is wanted. However long it is, it takes no
/// memory but that for one piece.
// Its room on the stack is for its own time only.
#[inline(never)]
pub fn for_each_piece(path: &CStr, visit: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Errno> {
    let file = open(path, libc::O_RDONLY)?;
    let mut room = [0; PIECE];
    loop {
        // SAFETY: the buffer is writable for its length.
        let length = unsafe { libc::read(file.as_raw_fd(), room.as_mut_ptr().cast(), PIECE) };
        match usize::try_from(length) {
            Ok(0) => return Ok(()),
            Ok(length) if visit(&room[..length]) => {}
            Ok(_) => return Ok(()),
            Err(_) => return Err(Errno::last()),
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
pub fn status(path: &CStr) -> Option<Status> {
    status_at(libc::AT_FDCWD, path, 0)
}

/// What kind of file a descriptor stands for, one of `S_IF*`; 0 where it is closed.
pub fn kind(descriptor: c_int) -> libc::mode_t {
    let status = status_at(descriptor, c"", libc::AT_EMPTY_PATH);
    status.map_or(0, |status| status.st_mode & libc::S_IFMT)
}

/// What the kernel tells of a file.
pub type Status = libc::stat64;

fn status_at(folder: RawFd, path: &CStr, flags: c_int) -> Option<Status> {
    // SAFETY: the path is a string, and a status of zeroes is valid, as the kernel lays it out.
    unsafe {
        let mut status = mem::zeroed::<Status>();
        let told = libc::syscall(FSTATAT, folder, path.as_ptr(), &raw mut status, flags);
        (told == 0).then_some(status)
    }
}

#[cfg(target_pointer_width = "64")]
const FSTATAT: c_long = libc::SYS_newfstatat;
#[cfg(not(target_pointer_width = "64"))]
const FSTATAT: c_long = libc::SYS_fstatat64;

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

/// A number in decimal digits and nothing else, as the kernel writes it.
pub fn number(digits: &[u8]) -> Option<u64> {
    let mut number = None;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        let tens = number.unwrap_or(0_u64).checked_mul(10)?;
        number = Some(tens.checked_add(u64::from(digit))?);
    }
    number
}

/// The same, of a process.
pub fn pid(digits: &[u8]) -> Option<Pid> {
    Some(Pid(u32::try_from(number(digits)?).ok()?))
}

/// A short text made of pieces, the path of a file for one, where nothing is to be allocated. What
/// there is no room for is cut off.
pub struct Short {
    bytes: [u8; 64],
    length: usize,
}

// A path takes several of these calls, and there are many paths: none becomes part of its caller.
impl Short {
    #[inline(never)]
    pub fn new() -> Short {
        Short { bytes: [0; 64], length: 0 }
    }

    #[inline(never)]
    pub fn add(&mut self, text: &[u8]) -> &mut Short {
        for byte in text {
            // The last byte stays zero.
            if self.length < self.bytes.len() - 1 {
                self.bytes[self.length] = *byte;
                self.length += 1;
            }
        }
        self
    }

    /// Adds a number in decimal digits.
    #[inline(never)]
    pub fn add_number(&mut self, mut number: u32) -> &mut Short {
        let mut digits = [0_u8; 10];
        let mut first = digits.len();
        while first > 0 && (number > 0 || first == digits.len()) {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
        }
        self.add(&digits[first..])
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

/// How much is read at once.
const PIECE: usize = 2048;
