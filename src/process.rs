//! Processes: ids, targets of signals, marks, and why a start failed.

use std::fmt;
use std::io;

/// A process id. For a group, it is the id of the group's leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub u32);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The target of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// One process.
    Process(Pid),
    /// A whole process group; on Windows, a Job Object.
    Group(Pid),
    /// A process group without its leader.
    Rest(Pid),
    /// A process that is not foster's child, if it still carries the mark of this service.
    Marked(Pid, ServiceId),
}

impl Target {
    /// The process, or the group's leader.
    #[must_use]
    pub const fn pid(self) -> Pid {
        match self {
            Target::Process(pid)
            | Target::Group(pid)
            | Target::Rest(pid)
            | Target::Marked(pid, _) => pid,
        }
    }
}

/// A service, by its place in `Config::services`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub u32);

impl ServiceId {
    /// As an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The name of a process in the kernel: the first 15 bytes of its program's name, or of the name
/// that it gave itself.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Comm([u8; 16]);

impl Comm {
    /// This name, cut to 15 bytes.
    #[must_use]
    pub fn new(name: &[u8]) -> Comm {
        let mut comm = Comm::default();
        // The last byte stays zero, as in the kernel.
        comm.0[..15].iter_mut().zip(name).for_each(|(place, byte)| *place = *byte);
        comm
    }

    /// The name, or nothing if it is unknown.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or_default()
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_bytes().escape_ascii(), f)
    }
}

/// The number of a service's run, counted from 1. A failed start counts too.
///
/// It only appears in messages. So `Debug` does not show it, and two machines that differ in
/// nothing else are the same state to a search.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RunNumber(pub u32);

impl fmt::Debug for RunNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

/// One run of a service, as its processes carry it in their environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunId {
    /// The service.
    pub service: ServiceId,
    /// A random number that nobody can guess.
    pub nonce: u128,
}

/// The mark of a run outside of the environment: a number that its processes inherit and that means
/// nothing else (on Linux, their soft limit of file locks).
///
/// Under another foster, the number begins like the one that foster itself carries, so that the
/// outer foster recognizes it. There is room for two such levels. Below the highest bits, the
/// outermost run has the whole payload; the next level keeps the first half of it, the last one
/// three quarters. The rest is the level's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Badge(u64);

impl Badge {
    /// This number as a badge, if it is one. Badges are in the upper half of the range of a signed
    /// machine word, where no limit lies by chance.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Badge> {
        let badge = Badge(number);
        let is_one = number >> (PAYLOAD + 2) == 1 && badge.depth() < KEPT.len() as u64;
        if is_one { Some(badge) } else { None }
    }

    /// As a number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// A badge from a random number, below that of foster itself, if foster has one. None if there
    /// is no room for another level.
    #[must_use]
    pub fn new(random: u64, own: Option<Badge>) -> Option<Badge> {
        let (depth, inherited) = own.map_or((0, 0), |own| (own.depth() + 1, own.0));
        let kept = KEPT.get(depth as usize)?;
        let rest = (1 << (PAYLOAD - kept)) - 1;
        let payload = inherited & ((1 << PAYLOAD) - 1) & !rest | random & rest;
        Some(Badge(1 << (PAYLOAD + 2) | depth << PAYLOAD | payload))
    }

    /// Whether this is the badge of the run itself, or of one that a foster inside it started.
    #[must_use]
    pub fn covers(self, other: Badge) -> bool {
        let nested = || {
            let kept = KEPT.get(self.depth() as usize + 1)?;
            let rest = PAYLOAD - kept;
            let payload = |badge: Badge| (badge.0 & ((1 << PAYLOAD) - 1)) >> rest;
            Some(other.depth() > self.depth() && payload(self) == payload(other))
        };
        self == other || nested() == Some(true)
    }

    /// How many fosters are above the one that made it.
    const fn depth(self) -> u64 {
        self.0 >> PAYLOAD & 3
    }
}

/// The number of payload bits of a badge: all but the sign, the bit below it, and two for the
/// depth.
const PAYLOAD: u32 = usize::BITS - 4;

/// How many of them a foster at each depth keeps of its own badge.
const KEPT: [u32; 3] = [0, PAYLOAD / 2, PAYLOAD / 4 * 3];

/// The owner of an adopted process, by its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It carries the mark of a run, or of several if one foster runs under another. This is the
    /// one that this foster made.
    Run(RunId),
    /// It carries none: it came by `docker exec`, for example.
    None,
    /// It has no badge, and its environment cannot be read.
    Unreadable,
    /// The same, and it is exiting: its environment is gone with its memory, but it is not a zombie
    /// yet, and its children are still its own.
    Lost,
}

/// Why a command could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpawnError {
    /// The kind of failure.
    pub kind: SpawnErrorKind,
    /// The system's own error number (`errno`, or `GetLastError` on Windows).
    pub os: i32,
    /// The process that could not become the command, if there was one. It is gone.
    pub pid: Option<Pid>,
}

/// The kinds of failure that a user handles differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpawnErrorKind {
    /// There is no such command.
    NotFound,
    /// The file exists, but the interpreter in its first line, or its loader, does not.
    BadInterpreter,
    /// The file exists, but has no permission to be executed.
    Denied,
    /// It is a directory.
    Directory,
    /// The file is a text whose first line names no interpreter.
    Script,
    /// The file exists, but cannot be executed: its format is unknown, for example.
    NotExecutable,
    /// It needs a shell and there is none.
    NoShell,
    /// The system cannot create a process at the moment (EAGAIN, ENOMEM and the like).
    Resources,
    /// The process could not get its own session.
    NoSession,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            SpawnErrorKind::NotFound => f.write_str("no such command"),
            SpawnErrorKind::BadInterpreter => {
                f.write_str("it exists, but its interpreter or loader does not")
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

/// The system's text for one of its error numbers, the same with every C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OsError(pub i32);

impl OsError {
    /// There is no such process (ESRCH on Linux).
    pub const NO_SUCH_PROCESS: OsError = OsError(3);
    /// It is not permitted (EPERM on Linux).
    pub const NOT_PERMITTED: OsError = OsError(1);
}

impl fmt::Display for OsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It ends with "(os error NUMBER)".
        let text = io::Error::from_raw_os_error(self.0).to_string();
        let end = text.find('(').unwrap_or(text.len());
        // musl words these differently, but scripts know glibc's texts.
        f.write_str(match text[..end].trim_ascii_end() {
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

    /// Bits that a number has only by intent.
    const RANDOM: [u64; 6] = [0, 1, 0x5555_5555_5555_5555, 1 << 40, u64::MAX >> 9, u64::MAX];

    #[test]
    fn a_badge_is_a_number_that_no_limit_is() {
        for random in RANDOM {
            let badge = Badge::new(random, None).expect("there is room for the first");
            assert_eq!(Badge::from_number(badge.number()), Some(badge));
            assert!(badge.number() > u64::from(u32::MAX) >> 2);
            assert!(badge.number() < usize::MAX as u64 >> 1);
        }
        for number in [0, 1, 1024, 1 << 40, usize::MAX as u64 >> 1, usize::MAX as u64, u64::MAX] {
            assert_eq!(Badge::from_number(number), None, "{number}");
        }
    }

    #[test]
    fn the_badge_of_a_run_covers_those_of_the_fosters_in_it_and_no_other() {
        let under = |own| RANDOM.map(|random| Badge::new(random, own)).into_iter().flatten();
        for outer in under(None) {
            assert!(outer.covers(outer));
            assert!(under(None).all(|other| !outer.covers(other) || outer == other));
            for inner in under(Some(outer)) {
                assert!(outer.covers(inner) && !inner.covers(outer));
                assert!(under(Some(outer)).all(|other| !inner.covers(other) || inner == other));
                for last in under(Some(inner)) {
                    assert!(outer.covers(last) && inner.covers(last) && !last.covers(inner));
                    assert_eq!(Badge::new(1, Some(last)), None);
                }
            }
        }
        let own = |random: u64| Badge::new(random << (PAYLOAD / 2), None).expect("the first");
        let inner = Badge::new(7, Some(own(1))).expect("the second");
        assert!(!own(2).covers(inner));
    }

    #[test]
    fn a_name_is_cut_off_as_the_kernel_does_it() {
        assert_eq!(Comm::new(b"a-very-long-program").as_bytes(), b"a-very-long-pro");
        assert_eq!(Comm::new(b"sh").as_bytes(), b"sh");
        assert_eq!(Comm::default().as_bytes(), b"");
    }

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
