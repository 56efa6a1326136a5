//! A pseudo-terminal: the test holds the master, the subject has the slave.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::OFlag;
use nix::libc;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{LocalFlags, OutputFlags, SetArg, tcgetattr, tcsetattr};

/// The master side.
#[derive(Debug)]
pub struct Terminal {
    master: Option<PtyMaster>,
}

impl Terminal {
    /// Opens a terminal without echo, and returns it with its slave side.
    ///
    /// Both are closed on exec from the start (which openpty cannot do), because tests run in
    /// parallel and no other test's subject may inherit them.
    pub fn open() -> (Self, OwnedFd) {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).expect("a pseudo-terminal");
        grantpt(&master).expect("the slave can be granted");
        unlockpt(&master).expect("the slave can be unlocked");
        let path = ptsname_r(&master).expect("the slave has a name");
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_NOCTTY);
        let slave: OwnedFd = options.open(path).expect("the slave can be opened").into();
        let mut attributes = tcgetattr(&slave).expect("a terminal has attributes");
        attributes.local_flags.remove(LocalFlags::ECHO);
        attributes.output_flags.remove(OutputFlags::OPOST);
        tcsetattr(&slave, SetArg::TCSANOW, &attributes).expect("attributes can be set");
        (Self { master: Some(master) }, slave)
    }

    /// Types text, or a control character such as [`INTERRUPT`].
    pub fn type_text(&mut self, text: &str) {
        let master = self.master.as_mut().expect("the terminal is there");
        master.write_all(text.as_bytes()).expect("the terminal takes input");
    }

    /// What is written to the terminal, to be read.
    pub fn output(&self) -> OwnedFd {
        let master = self.master.as_ref().expect("the terminal is there");
        master.as_fd().try_clone_to_owned().expect("a descriptor can be duplicated")
    }

    /// Takes what was written to the terminal, so that it never stands full.
    pub fn discard_output(&mut self) {
        let master = self.master.as_mut().expect("the terminal is there");
        let mut waiting: libc::c_int = 0;
        // SAFETY: FIONREAD writes the number that it is given.
        while unsafe { libc::ioctl(master.as_raw_fd(), libc::FIONREAD, &raw mut waiting) } == 0
            && waiting > 0
        {
            let _ = master.read(&mut [0; 4096]);
        }
    }

    /// Changes the size, which sends WINCH to the foreground group.
    pub fn resize(&self, rows: u16, columns: u16) {
        let master = self.master.as_ref().expect("the terminal is there");
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: TIOCSWINSZ reads the winsize that it is given.
        let done = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(done, 0, "the size can be set");
    }

    /// All that is shown, once nobody has the slave any more.
    pub fn screen(&mut self) -> String {
        let master = self.master.as_mut().expect("the terminal is there");
        let mut shown = Vec::new();
        // It ends with EIO.
        let _ = master.read_to_end(&mut shown);
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Closes the master, as a window that is closed does.
    pub fn hang_up(&mut self) {
        self.master = None;
    }
}

/// Ctrl-C.
pub const INTERRUPT: &str = "\x03";
/// Ctrl-\.
pub const QUIT: &str = "\x1c";
/// Ctrl-Z.
pub const SUSPEND: &str = "\x1a";
