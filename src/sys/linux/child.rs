//! What a child does before its exec: its group or session, its signals, its mark, and the search
//! for the command's file. It only makes system calls: no allocation, no log, no panic.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::RawFd;
use std::ptr;

use nix::errno::Errno;
use nix::libc;

use foster::config::Session;
use foster::process::Badge;

use super::file::{self, Short, Status};
use super::mark;
use super::signals::{self, Dispositions};

/// What the child reads, and the error that it writes.
pub struct Plan {
    pub session: Session,
    /// The terminal whose foreground group the child's group becomes, or -1.
    pub terminal: c_int,
    /// The number that marks everything that descends from the child.
    pub badge: Option<Badge>,
    pub mask: u64,
    pub dispositions: Dispositions,
    pub path: &'static [u8],
    pub script_fallback: bool,
    /// Room for the longest name of a file to try.
    pub file: Vec<u8>,
    pub words: *mut *const c_char,
    pub environment: *const *const c_char,
    /// Where to write the digits of the child's pid, or null.
    pub listen_pid: *mut u8,
    /// The pipes between a forked child and foster.
    pub link: Option<Link>,
    /// Why the exec failed. Nothing if it succeeded, or if the child does not share foster's memory
    /// after all (qemu-user's vfork).
    pub failure: Option<Failure>,
}

/// Why a child could not become its command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    pub step: Step,
    pub errno: Errno,
}

/// The step that failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The command could not be executed, and may not exist.
    Exec = 1,
    /// An existing file could not be executed.
    ExecOfFile,
    /// It is a folder.
    ExecOfFolder,
    /// It is a text that does not name its interpreter.
    ExecOfScript,
    /// Its own session was refused.
    Session,
}

/// A forked child's ends of two pipes.
#[derive(Clone, Copy)]
pub struct Link {
    /// It reaches its end when the child may continue.
    pub go: RawFd,
    /// The other end of the same.
    pub go_writer: RawFd,
    /// Receives the failure.
    pub report: RawFd,
}

impl Failure {
    fn to_words(self) -> [c_int; 2] {
        [self.step as c_int, self.errno as c_int]
    }

    pub fn from_words([step, errno]: [c_int; 2]) -> Option<Failure> {
        let known =
            [Step::Exec, Step::ExecOfFile, Step::ExecOfFolder, Step::ExecOfScript, Step::Session];
        let step = known.into_iter().find(|known| *known as c_int == step)?;
        Some(Failure { step, errno: Errno::from_raw(errno) })
    }
}

/// The child.
pub extern "C" fn run(plan: *mut c_void) -> c_int {
    // SAFETY: `clone_child` passes its plan, which nobody else uses while this runs.
    let plan = unsafe { &mut *plan.cast::<Plan>() };
    plan.wait_for_go();
    let failure = plan.execute();
    plan.failure = Some(failure);
    plan.tell(failure);
    // This code ends the child without touching foster's memory. It is visible only if memory is
    // not shared and there is no pipe, so that there is no other way to report a failure.
    if failure.errno == Errno::ENOENT { 127 } else { 126 }
}

impl Plan {
    /// A forked child waits until foster is ready. If foster is killed meanwhile, the command runs
    /// anyway, as if that had happened a moment later.
    fn wait_for_go(&self) {
        let Some(link) = self.link else { return };
        // SAFETY: the child has its own copies of foster's descriptors; at most one byte is read,
        // into room for it.
        unsafe {
            libc::close(link.go_writer);
            let mut byte = 0_u8;
            while libc::read(link.go, (&raw mut byte).cast(), 1) < 0
                && Errno::last() == Errno::EINTR
            {}
        }
    }

    /// Reports the failure to foster, if foster cannot see it.
    fn tell(&self, failure: Failure) {
        let Some(link) = self.link else { return };
        let words = failure.to_words();
        // SAFETY: the buffer is readable for its length.
        unsafe { libc::write(link.report, words.as_ptr().cast(), size_of_val(&words)) };
    }

    /// Turns the child into the command; returns only with the reason for a failure.
    fn execute(&mut self) -> Failure {
        // SAFETY: all of these are system calls on live values. A new process can create a group,
        // and a session too, unless somebody forbids it; a terminal that went away is no reason not
        // to run.
        unsafe {
            match self.session {
                Session::Group => {
                    libc::setpgid(0, 0);
                    if self.terminal >= 0 {
                        libc::tcsetpgrp(self.terminal, libc::getpid());
                    }
                }
                Session::Own | Session::OwnWithTerminal => {
                    if libc::setsid() < 0 {
                        return Failure { step: Step::Session, errno: Errno::last() };
                    }
                    if self.session == Session::OwnWithTerminal {
                        libc::ioctl(0, libc::TIOCSCTTY, 0);
                    }
                }
                Session::Shared => {}
            }
            if !self.listen_pid.is_null() {
                self.write_own_pid(libc::getpid().unsigned_abs());
            }
        }
        if let Some(badge) = self.badge {
            mark::wear(badge);
        }
        let changed = self.dispositions.changed;
        for signal in (1..=64).filter(|signal| changed & signals::bit(*signal) != 0) {
            let was_ignored = self.dispositions.ignored & signals::bit(signal) != 0;
            let handler = if was_ignored { libc::SIG_IGN } else { libc::SIG_DFL };
            let _ = signals::set_disposition(signal, handler);
        }
        // Signals from here on reach the child as the command will see them.
        signals::set_mask(self.mask);
        let errno = self.search();
        // The child searches itself, because foster may be in another directory by now.
        let step = match errno {
            Errno::ENOENT if self.any_file(|_| true) => Step::ExecOfFile,
            Errno::EACCES if self.any_file(is_folder) && !self.any_file(|it| !is_folder(it)) => {
                Step::ExecOfFolder
            }
            Errno::ENOEXEC if is_script(&self.file) => Step::ExecOfScript,
            _ => Step::Exec,
        };
        Failure { step, errno }
    }

    /// The first word of the command.
    fn program(&self) -> Option<&'static [u8]> {
        // SAFETY: `spawn` has put at least the spare place and a null there; the words are strings
        // that live longer than this.
        unsafe {
            let program = *self.words.add(1);
            (!program.is_null()).then(|| CStr::from_ptr(program).to_bytes())
        }
    }

    /// Looks for the command as execvp(3) does, and executes it.
    fn search(&mut self) -> Errno {
        let Some(program) = self.program() else { return Errno::ENOENT };
        let mut errno = Errno::ENOENT;
        for index in 0.. {
            if !self.next_file(program, index) {
                break;
            }
            match self.exec() {
                // There may be one in a later folder; this folder does not exist, or its server is
                // gone.
                Errno::ENOENT
                | Errno::ENOTDIR
                | Errno::ESTALE
                | Errno::ENODEV
                | Errno::ETIMEDOUT
                    if !program.contains(&b'/') => {}
                // A folder whose own name is too long contains nothing, unlike one in which only
                // the file's path is too long.
                Errno::ENAMETOOLONG
                    if self.file.len() > libc::PATH_MAX as usize + program.len() + 1 => {}
                Errno::EACCES if !program.contains(&b'/') => errno = Errno::EACCES,
                other => return other,
            }
        }
        errno
    }

    /// Puts the file to try at this place of the search into `file`; false after the last.
    fn next_file(&mut self, program: &[u8], index: usize) -> bool {
        self.file.clear();
        if program.contains(&b'/') {
            if index > 0 {
                return false;
            }
        } else {
            let folder = self.path.split(|byte| *byte == b':').nth(index);
            let Some(folder) = folder.filter(|_| !program.is_empty()) else { return false };
            // An empty folder means the current one.
            self.file.extend_from_slice(folder);
            if !folder.is_empty() {
                self.file.push(b'/');
            }
        }
        self.file.extend_from_slice(program);
        self.file.push(0);
        true
    }

    fn exec(&mut self) -> Errno {
        let file = self.file.as_ptr().cast::<c_char>();
        // SAFETY: `file`, the words after the spare place and the environment are strings and lists
        // of them, ended as execve(2) requires.
        unsafe {
            libc::execve(file, self.words.add(1), self.environment);
            let errno = Errno::last();
            if errno == Errno::ENOEXEC && self.script_fallback {
                let shell = c"/bin/sh".as_ptr();
                *self.words = shell;
                *self.words.add(1) = file;
                libc::execve(shell, self.words, self.environment);
            }
            errno
        }
    }

    /// Whether a file that may be meant exists and is of this kind, though it could not be
    /// executed.
    fn any_file(&mut self, is_such: fn(&Status) -> bool) -> bool {
        let Some(program) = self.program() else { return false };
        for index in 0.. {
            if !self.next_file(program, index) {
                break;
            }
            let name = CStr::from_bytes_until_nul(&self.file).ok();
            if name.and_then(file::status).is_some_and(|status| is_such(&status)) {
                return true;
            }
        }
        false
    }

    /// Writes the child's pid into `LISTEN_PID`.
    fn write_own_pid(&mut self, pid: u32) {
        let mut text = Short::new();
        let digits = text.add_number(pid).as_bytes();
        // SAFETY: there is room for ten digits and the NUL after them.
        unsafe {
            ptr::copy_nonoverlapping(digits.as_ptr(), self.listen_pid, digits.len());
            *self.listen_pid.add(digits.len()) = 0;
        }
    }
}

fn is_folder(status: &Status) -> bool {
    status.st_mode & libc::S_IFMT == libc::S_IFDIR
}

/// Whether a file begins with text, and not with `#!`.
fn is_script(name: &[u8]) -> bool {
    let Ok(name) = CStr::from_bytes_until_nul(name) else { return false };
    let mut room = [0; 128];
    let is_text = |byte: &u8| !byte.is_ascii_control() || b"\t\n\r\x0c\x1b".contains(byte);
    file::read_start(name, &mut room).is_ok_and(|start| {
        !start.is_empty() && !start.starts_with(b"#!") && start.iter().all(is_text)
    })
}
