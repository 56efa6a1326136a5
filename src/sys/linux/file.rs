//! Files by plain system calls. std would bring texts for errors, paths of any kind and the C
//! library's allocator: more code than everything that foster reads. Some calls of the C library
//! are as long as foster's use of them, because they support old kernels and structures.

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

/// Opens a file that children inherit. It is never closed.
pub fn open_for_all(path: &CStr, flags: c_int) -> Result<RawFd, Errno> {
    let flags = flags | libc::O_LARGEFILE;
    // SAFETY: the path is a string.
    let opened =
        unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0) };
    Errno::result(opened).map(|descriptor| descriptor as RawFd)
}

/// A pipe: its read end and its write end, which no command inherits.
pub fn pipe(flags: c_int) -> Result<[RawFd; 2], Errno> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors.
    let made =
        unsafe { libc::syscall(libc::SYS_pipe2, ends.as_mut_ptr(), flags | libc::O_CLOEXEC) };
    Errno::result(made).map(|_| ends)
}

/// Reads a file into `text`, in place of its content, up to a limit: somebody else may have made
/// the file arbitrarily long. Fails without memory for it.
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

/// Reads as much of a file as fits.
pub fn read_start<'a>(path: &CStr, room: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let file = open(path, libc::O_RDONLY)?;
    let mut length = 0;
    loop {
        // SAFETY: the rest of the buffer is writable for its length.
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

/// Shows a file piece by piece, as long as more is wanted. It needs memory for one piece only,
/// however long the file is.
// Not inlined, so that its buffer is on the stack only while it runs.
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

/// The target of a symbolic link, as far as it fits.
pub fn read_link<'a>(path: &CStr, room: &'a mut [u8]) -> Option<&'a [u8]> {
    // SAFETY: the path is a string, and the buffer is writable for its length.
    let length = unsafe { libc::readlink(path.as_ptr(), room.as_mut_ptr().cast(), room.len()) };
    room.get(..usize::try_from(length).ok()?)
}

/// The result of stat(2) for a path.
pub fn status(path: &CStr) -> Option<Status> {
    status_at(libc::AT_FDCWD, path, 0)
}

/// The kind of file behind a descriptor, one of `S_IF*`; 0 if it is closed.
pub fn kind(descriptor: c_int) -> libc::mode_t {
    let status = status_at(descriptor, c"", libc::AT_EMPTY_PATH);
    status.map_or(0, |status| status.st_mode & libc::S_IFMT)
}

/// The kernel's record of a file.
pub type Status = libc::stat64;

fn status_at(folder: RawFd, path: &CStr, flags: c_int) -> Option<Status> {
    // SAFETY: the path is a string, and a zeroed status in the kernel's layout is valid.
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

/// Visits the names in a folder (getdents64(2)), as long as more are wanted; none if it cannot be
/// read.
// Not inlined, so that its buffer is on the stack only while it runs.
#[inline(never)]
pub fn for_each_name(folder: &CStr, visit: &mut dyn FnMut(&CStr) -> bool) {
    let Ok(folder) = open(folder, libc::O_RDONLY | libc::O_DIRECTORY) else { return };
    // Records of different lengths, each of which stores its length at a place that the C library
    // knows, aligned to eight bytes.
    let mut room = [const { MaybeUninit::<u64>::uninit() }; PIECE / 8];
    loop {
        // SAFETY: the buffer is writable for the number of bytes that are requested.
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
            // SAFETY: the kernel has filled in whole records up to `filled`, with a NUL after each
            // name.
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

/// A number in decimal digits, as the kernel writes it.
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

/// A short text made of pieces without allocation, such as the path of a file. What does not fit is
/// cut off.
pub struct Short {
    bytes: [u8; 64],
    length: usize,
}

// A path takes several of these calls, and there are many paths, so none is inlined.
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

/// The size of a piece, in bytes.
const PIECE: usize = 2048;
