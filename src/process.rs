//! Words for processes: who they are, whom a signal is for, and why one could not be started.

use std::fmt;
use std::io;

/// A process id; where it stands for a group, the id of the group's leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub u32);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whom a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// One process.
    Process(Pid),
    /// All of a process group; on Windows, of a Job Object.
    Group(Pid),
}

impl Target {
    /// The process, or the leader of the group.
    #[must_use]
    pub const fn pid(self) -> Pid {
        match self {
            Target::Process(pid) | Target::Group(pid) => pid,
        }
    }
}

/// Which service: its place in `Config::services`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub u32);

impl ServiceId {
    /// As a place in a list.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The mark that the processes of one run of a service carry in their environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunId {
    /// Whose run.
    pub service: ServiceId,
    /// What nobody can guess.
    pub nonce: u128,
}

/// Whose an adopted process is, by the mark in its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It carries the mark of a run, or of several where one foster runs under another; this is
    /// the one that is of this foster's making.
    Run(RunId),
    /// It carries none: `docker exec` brought it, say.
    None,
    /// Its environment cannot be read.
    Unreadable,
    /// It is on its way out, and its environment is gone with its memory; but it is no zombie
    /// yet, and its children are still its own.
    Lost,
}

/// Why a command could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpawnError {
    /// What kind of failure it was.
    pub kind: SpawnErrorKind,
    /// The system's own error number (`errno`, or `GetLastError` on Windows).
    pub os: i32,
    /// The process that could not become the command, where it came so far; it is no more.
    pub pid: Option<Pid>,
}

/// The kinds of failure that a user does something different about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpawnErrorKind {
    /// There is no such command.
    NotFound,
    /// The file is there, but the interpreter in its first line, or its loader, is not.
    BadInterpreter,
    /// The file is there, but may not be executed.
    Denied,
    /// It is a directory.
    Directory,
    /// The file is a text that names no interpreter in its first line.
    Script,
    /// The file is there, but cannot be executed: it is of no executable format, say.
    NotExecutable,
    /// A shell is needed and there is none.
    NoShell,
    /// The system could not make a process now (EAGAIN, ENOMEM and the like).
    Resources,
    /// The process was not allowed a session of its own.
    NoSession,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            SpawnErrorKind::NotFound => f.write_str("no such command"),
            SpawnErrorKind::BadInterpreter => {
                f.write_str("it is there, but its interpreter or loader is not")
            }
            SpawnErrorKind::Directory => {
                f.write_str("it is a directory: give the path of a program")
            }
            SpawnErrorKind::Script => f.write_str(
                "it is a script without a first line like #!/bin/sh: add one, or give the \
                 interpreter in front: sh SCRIPT",
            ),
            SpawnErrorKind::NoShell => f.write_str(
                "it needs a shell and there is no sh on PATH; give the program itself: \
                 foster -- COMMAND [ARG]...",
            ),
            SpawnErrorKind::Denied
            | SpawnErrorKind::NotExecutable
            | SpawnErrorKind::Resources
            | SpawnErrorKind::NoSession => write!(f, "{}", OsError(self.os)),
        }
    }
}

/// The system's words for one of its error numbers, the same on every C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OsError(pub i32);

impl OsError {
    /// There is no such process (ESRCH on Linux).
    pub const NO_SUCH_PROCESS: OsError = OsError(3);
}

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = io::Error::from_raw_os_error(self.0).to_string();
        // musl has words of its own for these; scripts know glibc's.
        f.write_str(match text.split(" (os error").next().unwrap_or(&text) {
            "I/O error" => "Input/output error",
            "Out of memory" => "Cannot allocate memory",
            "No file descriptors available" => "Too many open files",
            "Filename too long" => "File name too long",
            "Symbolic link loop" => "Too many levels of symbolic links",
            text => text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn errors_have_the_same_words_on_every_c_library() {
        for (number, words) in [
            (2, "No such file or directory"),
            (5, "Input/output error"),
            (12, "Cannot allocate memory"),
            (24, "Too many open files"),
            (36, "File name too long"),
            (40, "Too many levels of symbolic links"),
        ] {
            assert_eq!(OsError(number).to_string(), words);
        }
    }
}
