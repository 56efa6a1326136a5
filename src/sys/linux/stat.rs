//! What /proc says about one process.

use foster::process::{Comm, Pid};

use super::file::{self, Short};

/// The fields of interest of /proc/PID/stat (proc_pid_stat(5)).
pub struct Stat {
    pub name: Comm,
    pub parent: Pid,
    pub group: Pid,
    /// Whether its main thread has ended.
    pub ended: bool,
    /// Whether all threads have: a main thread that has ended reads as a zombie, even if others
    /// live.
    pub dead: bool,
    pub has_environment: bool,
}

impl Stat {
    pub fn of(pid: Pid) -> Option<Stat> {
        let mut room = [0; LONGEST_STAT];
        Stat::parse(file::read_start(path(pid, b"stat").as_c_str(), &mut room).ok()?)
    }

    fn parse(text: &[u8]) -> Option<Stat> {
        // The name in parentheses may contain anything, even parentheses and spaces.
        let begin = text.iter().position(|byte| *byte == b'(')?;
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let name = Comm::new(text.get(begin + 1..end)?);
        let mut words = text.get(end + 2..)?.split(|byte| *byte == b' ');
        let ended = matches!(words.next()?, b"Z" | b"X");
        let parent = file::pid(words.next()?)?;
        let group = file::pid(words.next()?)?;
        // Field 20, `num_threads`: 0 for a process of which hardly anything is left.
        let dead = ended && file::number(words.nth(14)?)? <= 1;
        // Field 51, `env_end`.
        let has_environment = words.nth(30).is_some_and(|word| word.trim_ascii() != b"0");
        Some(Stat { name, parent, group, ended, dead, has_environment })
    }
}

/// The path of a file of a process in /proc. The longest is
/// /proc/4294967295/task/4294967295/environ.
pub fn path(pid: Pid, what: &[u8]) -> Short {
    let mut path = Short::new();
    path.add(b"/proc/").add_number(pid.0).add(b"/").add(what);
    path
}

/// More than /proc/PID/stat has: some fifty numbers, and a name of at most 64 bytes.
const LONGEST_STAT: usize = 64 + 52 * 21;
