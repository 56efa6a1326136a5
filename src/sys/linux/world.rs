//! What the process was started with: its signal mask and its environment.

use std::ffi::{CStr, OsStr, OsString, c_char};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::libc;

use foster::cli::{Platform, Surroundings};
use foster::process::Pid;
use foster::time::Timestamp;

use crate::log::wall_clock;

use super::{boot, file};

/// What the process was started with.
#[derive(Clone, Copy)]
pub struct World {
    /// The inherited signal mask, one bit per signal.
    pub(super) mask: u64,
    /// Whether all signals are blocked.
    pub(super) blocks_signals: bool,
    environment: *const *const c_char,
    /// The first bytes of all names in the environment, one bit for each, modulo 64.
    initials: u64,
    /// Whether foster is PID 1 of a whole system.
    pub(super) is_machine: bool,
}

impl World {
    /// # Safety
    /// `environment` points to a list of pointers to strings, ended by a null, that all live and
    /// stay as they are as long as the process.
    pub(super) unsafe fn new(mask: Option<u64>, environment: *const *const c_char) -> World {
        let is_machine = std::process::id() == 1 && boot::is_machine();
        let mut world = World {
            mask: mask.unwrap_or_default(),
            blocks_signals: mask.is_some(),
            environment,
            initials: 0,
            is_machine,
        };
        // SAFETY: `new` was given strings, which have at least a NUL.
        world.initials = world.entries().fold(0, |set, entry| set | bit(unsafe { *entry } as u8));
        // The kernel gives the first process none.
        if is_machine && world.value("PATH").is_none() {
            let path = c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
            let mut entries = Vec::new();
            for entry in world.entries() {
                entries.push(entry);
            }
            entries.push(path.as_ptr());
            entries.push(std::ptr::null());
            world.environment = entries.leak().as_ptr();
            world.initials |= bit(b'P');
        }
        world
    }

    /// The environment as it was inherited, each variable as `NAME=value`.
    pub(super) fn entries(&self) -> impl Iterator<Item = *const c_char> + use<> {
        let mut next = self.environment;
        std::iter::from_fn(move || {
            // SAFETY: `new` was given a list ended by a null, and `next` stops there.
            unsafe {
                let entry = *next;
                if entry.is_null() {
                    return None;
                }
                next = next.add(1);
                Some(entry)
            }
        })
    }

    /// The list itself, for exec.
    pub(super) fn environment_list(&self) -> *const *const c_char {
        self.environment
    }

    /// The value of a variable.
    ///
    /// A start asks for some twenty names, of which hardly any is set. Measuring every entry for
    /// each name took nine tenths of all instructions before the loop, and comparing each entry as
    /// far as it agrees still a third. So most names are ruled out by their first byte.
    pub(super) fn value(&self, name: &str) -> Option<&'static [u8]> {
        if self.initials & bit(*name.as_bytes().first()?) == 0 {
            return None;
        }
        self.entries().find_map(|entry| value_in(entry, name))
    }

    /// Where programs are searched: `PATH`, or what musl's execvp(3) uses instead.
    pub(super) fn path(&self) -> &'static [u8] {
        self.value("PATH").unwrap_or(b"/usr/local/bin:/bin:/usr/bin")
    }
}

impl Surroundings for World {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.value(name).map(|value| OsString::from_vec(value.to_vec()))
    }

    fn names(&self, prefix: &str) -> Vec<OsString> {
        let initial = prefix.bytes().next().unwrap_or_default();
        if self.initials & bit(initial) == 0 {
            return Vec::new();
        }
        let mut names = Vec::new();
        for entry in self.entries() {
            let Some(rest) = behind(entry, prefix) else { continue };
            let mut name = prefix.as_bytes().to_vec();
            name.extend_from_slice(rest.split(|byte| *byte == b'=').next().unwrap_or(rest));
            names.push(OsString::from_vec(name));
        }
        names
    }

    fn is_program(&self, word: &OsStr) -> bool {
        let word = word.as_bytes();
        let mut file = Vec::new();
        !word.is_empty()
            && self.path().split(|byte| *byte == b':').any(|folder| {
                file.clear();
                file.extend_from_slice(folder);
                if !folder.is_empty() {
                    file.push(b'/');
                }
                file.extend_from_slice(word);
                file.push(0);
                CStr::from_bytes_until_nul(&file).is_ok_and(is_executable)
            })
    }

    fn platform(&self) -> Platform {
        Platform::Linux
    }

    fn own_pid(&self) -> Pid {
        Pid(std::process::id())
    }

    fn now(&self) -> Timestamp {
        wall_clock()
    }

    fn is_machine(&self) -> bool {
        self.is_machine
    }

    fn kernel_line(&self) -> Option<Vec<u8>> {
        if self.is_machine { boot::kernel_line() } else { None }
    }
}

/// The value in an entry of the environment, if it is this variable's.
pub(super) fn value_in(entry: *const c_char, name: &str) -> Option<&'static [u8]> {
    behind(entry, name)?.strip_prefix(b"=")
}

/// The rest of an environment entry that begins with these bytes.
fn behind(entry: *const c_char, start: &str) -> Option<&'static [u8]> {
    // SAFETY: entries come from `World::entries`: strings that live as long as the process. The
    // comparison ends at the first byte that differs, at the latest at the NUL, so it reads nothing
    // beyond.
    unsafe {
        let mut rest = entry;
        for byte in start.bytes() {
            if *rest as u8 != byte {
                return None;
            }
            rest = rest.add(1);
        }
        Some(CStr::from_ptr(rest).to_bytes())
    }
}

/// A byte's bit in a set of initials.
fn bit(initial: u8) -> u64 {
    1 << (initial % 64)
}

/// Whether the path is a regular file that foster may execute.
fn is_executable(path: &CStr) -> bool {
    // SAFETY: the path is a string.
    let may_execute = unsafe { libc::access(path.as_ptr(), libc::X_OK) == 0 };
    may_execute
        && file::status(path).is_some_and(|status| status.st_mode & libc::S_IFMT == libc::S_IFREG)
}
