//! What a service runs, and the codes that stand for a command that cannot be started.

use crate::exit::{CANNOT_RUN, NOT_FOUND, OWN_FAILURE};
use crate::process::{SpawnError, SpawnErrorKind};

/// A program, its arguments, and what it gets besides foster's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments.
    pub argv: Argv,
    /// `PORT` for the child's environment, with [`Config::app_host`](super::Config::app_host) as
    /// `HOST`; none leaves both untouched.
    pub port: Option<u16>,
    /// Whether a shell reads the line that `--wrap` was given. On Linux the words are then `sh -c
    /// LINE`, and a missing shell is reported as such. On Windows there is one word, the line
    /// itself. It goes after `%ComSpec% /C` unchanged, because cmd.exe takes a line, not words.
    pub in_shell: bool,
}

impl Program {
    /// These words, run as they are, in the environment as it is.
    #[must_use]
    pub fn new(argv: Argv) -> Program {
        Program { argv, port: None, in_shell: false }
    }
}

/// The words of a command in one allocation, each ended by a NUL: thousands of services cost one
/// allocation each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Argv(Box<[u8]>);

impl Argv {
    /// Packs the words. On Linux they are any bytes but NUL, which no argument can contain: what
    /// follows a NUL would become a word of its own.
    pub fn new<W: AsRef<[u8]>>(words: impl IntoIterator<Item = W>) -> Argv {
        // Most commands fit, so there is one allocation.
        let mut bytes = Vec::with_capacity(64);
        for word in words {
            push_word(&mut bytes, word.as_ref());
        }
        Argv(bytes.into_boxed_slice())
    }

    /// The words, without their NULs.
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let end = rest.iter().position(|byte| *byte == 0)?;
            let word = &rest[..end];
            rest = &rest[end + 1..];
            Some(word)
        })
    }

    /// The program: the first word, or nothing where there is no word.
    #[must_use]
    pub fn program(&self) -> &[u8] {
        self.words().next().unwrap_or_default()
    }

    /// All words with their NULs.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Kept out of line, because the caller is compiled once for each kind of words.
#[inline(never)]
fn push_word(bytes: &mut Vec<u8>, word: &[u8]) {
    bytes.extend_from_slice(word);
    bytes.push(0);
}

/// The codes that stand for a command that cannot be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartFailure {
    /// There is no such command.
    pub not_found: u32,
    /// The file is there, but its interpreter or loader is not.
    pub bad_interpreter: u32,
    /// It may not be executed.
    pub denied: u32,
    /// It cannot be executed for another reason.
    pub not_executable: u32,
    /// The system had no memory for it.
    pub resources: u32,
    /// There was no process to become it: no room for one, or no session.
    pub no_process: u32,
}

impl Default for StartFailure {
    /// 127 for what is not found, 126 for what is and cannot be run, 125 where it is not the
    /// command's fault.
    fn default() -> Self {
        StartFailure {
            not_found: NOT_FOUND,
            bad_interpreter: CANNOT_RUN,
            denied: CANNOT_RUN,
            not_executable: CANNOT_RUN,
            resources: OWN_FAILURE,
            no_process: OWN_FAILURE,
        }
    }
}

impl StartFailure {
    /// The same code for every failure.
    #[must_use]
    pub const fn all(code: u32) -> StartFailure {
        StartFailure {
            not_found: code,
            bad_interpreter: code,
            denied: code,
            not_executable: code,
            resources: code,
            no_process: code,
        }
    }

    /// The code for a failure.
    #[must_use]
    pub fn code(&self, error: SpawnError) -> u32 {
        match error.kind {
            SpawnErrorKind::NotFound | SpawnErrorKind::NoShell => self.not_found,
            SpawnErrorKind::BadInterpreter => self.bad_interpreter,
            SpawnErrorKind::Denied | SpawnErrorKind::Directory => self.denied,
            SpawnErrorKind::NotExecutable | SpawnErrorKind::Script => self.not_executable,
            SpawnErrorKind::Resources if error.pid.is_some() => self.resources,
            SpawnErrorKind::Resources | SpawnErrorKind::NoSession => self.no_process,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::process::Pid;

    #[test]
    fn words_come_back_as_they_were_packed() {
        let argv = Argv::new(["sh", "", "a b"]);
        assert_eq!(argv.words().collect::<Vec<_>>(), [&b"sh"[..], b"", b"a b"]);
        assert_eq!(argv.program(), b"sh");
        assert_eq!(Argv::default().program(), b"");
    }

    #[test]
    fn a_start_that_fails_ends_with_127_126_or_125() {
        let codes = StartFailure::default();
        for (kind, code) in [
            (SpawnErrorKind::NotFound, 127),
            (SpawnErrorKind::NoShell, 127),
            (SpawnErrorKind::BadInterpreter, 126),
            (SpawnErrorKind::Denied, 126),
            (SpawnErrorKind::Directory, 126),
            (SpawnErrorKind::Script, 126),
            (SpawnErrorKind::NotExecutable, 126),
            (SpawnErrorKind::Resources, 125),
            (SpawnErrorKind::NoSession, 125),
        ] {
            for pid in [None, Some(Pid(7))] {
                assert_eq!(codes.code(SpawnError { kind, os: 1, pid }), code, "{kind:?}");
            }
        }
    }
}
