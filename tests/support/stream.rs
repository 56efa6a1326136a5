//! The output of a process, read as it comes.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Instant;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::patience::patience;

/// One stream: everything that came, and how far the test has looked at it.
#[derive(Debug)]
pub struct Stream {
    source: Option<std::fs::File>,
    text: Vec<u8>,
    looked: usize,
}

impl Stream {
    /// Reads from a pipe or socket, which no longer blocks from then on.
    pub fn new(source: OwnedFd) -> Self {
        let flags = fcntl(&source, FcntlArg::F_GETFL).expect("a descriptor has flags");
        let flags = OFlag::from_bits_retain(flags) | OFlag::O_NONBLOCK;
        fcntl(&source, FcntlArg::F_SETFL(flags)).expect("it can be made non-blocking");
        Self { source: Some(source.into()), text: Vec::new(), looked: 0 }
    }

    /// Everything that came so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    /// The next complete line, if it is there already.
    pub fn line(&mut self) -> Option<String> {
        let rest = &self.text[self.looked..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        self.looked += end + 1;
        Some(line)
    }

    /// Takes in what there is now, without waiting; false when the end has been reached.
    pub fn fill(&mut self) -> bool {
        let Some(source) = &mut self.source else {
            return false;
        };
        let mut chunk = [0; 4096];
        loop {
            match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => self.text.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // A terminal's master and a reset socket end in this way.
                Err(_) => break,
            }
        }
        self.source = None;
        false
    }

    /// The descriptor to wait on, until the end.
    pub fn source(&self) -> Option<BorrowedFd<'_>> {
        self.source.as_ref().map(AsFd::as_fd)
    }

    /// Closes the reading end.
    pub fn close(&mut self) {
        self.source = None;
    }
}

/// Waits until one of the descriptors has something to read or is at its end.
///
/// False at the deadline, or when there is nothing left to wait for.
pub fn await_any(sources: &[BorrowedFd<'_>], deadline: Instant) -> bool {
    let mut ready: Vec<PollFd> =
        sources.iter().map(|source| PollFd::new(*source, PollFlags::POLLIN)).collect();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut ready, left) {
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => panic!("poll failed: {error}"),
            Ok(count) => return count > 0,
        }
    }
}

/// Waits until a process has ended, by a descriptor for it; it need not be a child.
///
/// False at the deadline.
pub fn await_end(process: &OwnedFd) -> bool {
    await_any(&[process.as_fd()], Instant::now() + patience())
}

/// A descriptor that becomes readable when the process has ended.
pub fn process_descriptor(pid: i32) -> Option<OwnedFd> {
    // SAFETY: pidfd_open takes two numbers; the descriptor that it returns is ours alone.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        (fd >= 0).then(|| OwnedFd::from_raw_fd(fd as i32))
    }
}
