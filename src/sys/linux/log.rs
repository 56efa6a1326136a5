//! Writes to streams whose readers may have stopped reading.
//!
//! stderr can be a full pipe that nobody reads. A log line that waited for it would stop forwarding
//! and reaping. Making stderr itself non-blocking would affect everybody who shares it (open(2):
//! the flag belongs to the open file). So a pipe is asked not to wait this once (pwritev2(2) with
//! `RWF_NOWAIT`, Linux 6.5). A terminal, a FIFO or a pipe on an older kernel is opened again, by
//! its name in /proc. If that is impossible (no /proc, or foster has no permission because it is
//! another user by now), foster asks whether the stream has room before it writes a line. Somebody
//! else may fill it in between: a timer ends that wait.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;

use foster::cli::Stream;

use super::bounded;
use super::file::{self, Short};

/// A stream for log lines.
pub struct LogWriter {
    stream: RawFd,
    door: Door,
}

/// How to write to a stream without blocking.
enum Door {
    /// Not determined yet.
    Unknown,
    /// An open file of foster's own.
    Own(OwnedFd),
    /// A socket, for which a flag says not to wait.
    Socket,
    /// A pipe, for which another flag does.
    Pipe,
    /// The stream itself: a plain file, which never has to wait for a reader.
    Plain,
    /// The stream itself, once it says that it has room, and for a short time.
    Ask,
}

impl LogWriter {
    /// A writer to this stream.
    pub fn new(stream: Stream) -> LogWriter {
        LogWriter { stream: descriptor(stream), door: Door::Unknown }
    }

    /// Whether it is a terminal, which can show colours.
    pub fn shows_colours(&self) -> bool {
        // SAFETY: isatty(3) takes any number.
        unsafe { libc::isatty(self.stream) == 1 }
    }

    /// Writes a whole line at once, or says that it could not. It never waits.
    pub fn put(&mut self, line: &[u8]) -> bool {
        // A pipe accepts up to PIPE_BUF bytes as a whole (pipe(7)).
        line.chunks(libc::PIPE_BUF).all(|piece| self.put_piece(piece))
    }

    fn put_piece(&mut self, line: &[u8]) -> bool {
        if let Door::Unknown = self.door {
            self.door = find_door(self.stream);
        }
        if let Door::Pipe = self.door {
            match write_at_once(self.stream, line) {
                // It is a FIFO, or the kernel does not support this.
                Err(Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINVAL | Errno::EPERM) => {
                    self.door = find_way_round(self.stream, libc::S_IFIFO);
                }
                written => return written == Ok(line.len()),
            }
        }
        let (bytes, length) = (line.as_ptr().cast(), line.len());
        // SAFETY: the buffer is readable for its length.
        let written = unsafe {
            match &self.door {
                Door::Own(file) => libc::write(file.as_raw_fd(), bytes, length),
                Door::Socket => {
                    libc::send(self.stream, bytes, length, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
                }
                Door::Ask if !takes_a_line(self.stream) => -1,
                Door::Ask => bounded::write(self.stream, line),
                Door::Plain | Door::Pipe | Door::Unknown => libc::write(self.stream, bytes, length),
            }
        };
        usize::try_from(written) == Ok(length)
    }
}

/// Writes a whole text to a stream, as any program does.
pub fn say(stream: Stream, text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        // SAFETY: the buffer is readable for its length.
        let written = unsafe { libc::write(descriptor(stream), rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(written) {
            Ok(written) => rest = &rest[written..],
            // There is nobody left to tell.
            Err(_) => return,
        }
    }
}

fn find_door(stream: RawFd) -> Door {
    match file::kind(stream) {
        libc::S_IFSOCK => Door::Socket,
        libc::S_IFIFO => Door::Pipe,
        libc::S_IFCHR => find_way_round(stream, libc::S_IFCHR),
        _ => Door::Plain,
    }
}

fn find_way_round(stream: RawFd, kind: libc::mode_t) -> Door {
    open_again(stream)
        // If /proc belongs to another PID namespace, this may be another file.
        .filter(|file| file::kind(file.as_raw_fd()) == kind)
        .map_or(Door::Ask, Door::Own)
}

/// Writes to the stream itself, unless that would have to wait.
fn write_at_once(stream: RawFd, line: &[u8]) -> Result<usize, Errno> {
    let piece = libc::iovec { iov_base: line.as_ptr().cast_mut().cast(), iov_len: line.len() };
    // The offset, in two halves; a kernel that needs only one takes that.
    let here: libc::c_long = -1;
    // SAFETY: it is one piece, as the count says, which is readable for its length.
    let written = unsafe {
        let (call, piece) = (libc::SYS_pwritev2, &raw const piece);
        let flags = libc::c_long::from(libc::RWF_NOWAIT);
        libc::syscall(call, stream, piece, 1 as libc::c_long, here, here, flags)
    };
    Errno::result(written).map(|written| written as usize)
}

fn open_again(stream: RawFd) -> Option<OwnedFd> {
    let mut name = Short::new();
    name.add(b"/proc/self/fd/").add_number(stream.unsigned_abs());
    file::open(name.as_c_str(), libc::O_WRONLY | libc::O_NONBLOCK | libc::O_NOCTTY).ok()
}

fn takes_a_line(stream: RawFd) -> bool {
    let mut poll = libc::pollfd { fd: stream, events: libc::POLLOUT, revents: 0 };
    // SAFETY: it is one pollfd, as the count says.
    unsafe { libc::poll(&raw mut poll, 1, 0) == 1 && poll.revents & libc::POLLOUT != 0 }
}

fn descriptor(stream: Stream) -> RawFd {
    match stream {
        Stream::Out => 1,
        Stream::Err => 2,
    }
}
