//! What /proc tells of one process.

use foster::process::{Comm, Pid};

use super::file::{self, Short};

/// What /proc/PID/stat tells (proc_pid_stat(5)), as far as it is of interest.
pub struct Stat {
    pub name: Comm,
    pub parent: Pid,
    pub group: Pid,
    /// Whether its main thread has ended.
    pub ended: bool,
    /// Whether all of it has: a main thread that has ended reads as a zombie, whoever else lives.
    pub dead: bool,
    pub has_environment: bool,
}

impl Stat {
    pub fn of(pid: Pid) -> Option<Stat> {
        let mut room = [0; LONGEST_STAT];
        Stat::parse(file::read_start(path(pid, b"stat").as_c_str(), &mut room).ok()?)
    }

    fn parse(text: &[u8]) -> Option<Stat> {
        // The name in parentheses may hold anything, parentheses and spaces too.
        let begin = text.iter().position(|byte| *byte == b'(')?;
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let name = Comm::new(text.get(begin + 1..end)?);
        let mut words = text.get(end + 2..)?.split(|byte| *byte == b' ');
        let ended = matches!(words.next()?, b"Z" | b"X");
        let parent = file::pid(words.next()?)?;
        let group = file::pid(words.next()?)?;
        // Field 20, `num_threads`: none of a process of which hardly anything is left.
        let dead = ended && file::number(words.nth(14)?)? <= 1;
        // Field 51, `env_end`.
        let has_environment = words.nth(30).is_some_and(|word| word.trim_ascii() != b"0");
        Some(Stat { name, parent, group, ended, dead, has_environment })
    }
}

/// The path of something that /proc has of a process. The longest is
/// /proc/4294967295/task/4294967295/environ.
pub fn path(pid: Pid, what: &[u8]) -> Short {
    let mut path = Short::new();
    path.add(b"/proc/").add_number(pid.0).add(b"/").add(what);
    path
}

/// More than there is to /proc/PID/stat, some fifty numbers and a name of 64 bytes at the most.
const LONGEST_STAT: usize = 64 + 52 * 21;
