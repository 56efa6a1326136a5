//! What /proc says about a process.

use std::fs;
use std::time::Duration;

use nix::libc;

use super::patience::until;
use super::signals;

/// A line of /proc/PID/stat, or `None` for a process that is gone.
#[derive(Debug, Clone)]
pub struct Stat {
    pub name: String,
    pub state: char,
    pub parent: i32,
    pub group: i32,
    pub session: i32,
    /// The terminal of its session, or 0.
    pub terminal: i32,
}

/// Reads /proc/PID/stat.
pub fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may contain anything.
    let (head, tail) = text.rsplit_once(") ")?;
    let name = head.split_once('(')?.1.to_string();
    let mut fields = tail.split(' ');
    let state = fields.next()?.chars().next()?;
    let mut number = || fields.next()?.parse().ok();
    let (parent, group, session) = (number()?, number()?, number()?);
    Some(Stat { name, state, parent, group, session, terminal: number()? })
}

/// A field of /proc/PID/status, such as `SigIgn`.
pub fn status(pid: i32, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Some(value?.trim().to_string())
}

/// The names of the signals in a mask of /proc/PID/status, separated by blanks.
pub fn signal_set(pid: i32, field: &str) -> String {
    signals::names_in_mask(&status(pid, field).unwrap_or_else(|| panic!("{pid} is gone")))
}

/// Whether a process waits for signals (sigwaitinfo(2)): then it does not show them as blocked.
pub fn waits_for_signals(pid: i32) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()) == Some(libc::SYS_rt_sigtimedwait)
}

/// The children of a process, the oldest first.
pub fn children(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// The children, their children, and so on.
pub fn descendants(pid: i32) -> Vec<i32> {
    let mut all = children(pid);
    let mut at = 0;
    while at < all.len() {
        let more = children(all[at]);
        all.extend(more);
        at += 1;
    }
    all
}

/// The pid that a process has in its own PID namespace.
pub fn inner_pid(pid: i32) -> Option<i32> {
    status(pid, "NSpid")?.split_whitespace().last()?.parse().ok()
}

/// The files that a process has open, by descriptor.
pub fn open_files(pid: i32) -> Vec<(i32, String)> {
    let listed = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process lives");
    let mut all: Vec<(i32, String)> = listed
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let file = fs::read_link(entry.path()).ok()?;
            let fd = entry.file_name().to_str()?.parse().ok()?;
            Some((fd, file.to_string_lossy().into_owned()))
        })
        .collect();
    all.sort_unstable();
    all
}

/// The words that a process was started with, a blank between them.
#[allow(dead_code, reason = "not every suite looks at them")]
pub fn command_line(pid: i32) -> Option<String> {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(String::from_utf8_lossy(&words).replace('\0', " "))
}

/// The descriptors that a process has open.
pub fn descriptors(pid: i32) -> Vec<i32> {
    open_files(pid).into_iter().map(|(fd, _)| fd).collect()
}

/// The current directory of a process.
pub fn directory(pid: i32) -> String {
    let link = fs::read_link(format!("/proc/{pid}/cwd")).expect("the process lives");
    link.to_string_lossy().into_owned()
}

/// Waits until a process is in one of `states`, such as `T` or `Z`.
pub fn await_state(pid: i32, states: &str) {
    until(&format!("process {pid} did not come to state {states}"), || {
        stat(pid).filter(|stat| states.contains(stat.state))
    });
}

/// Waits until a process sleeps, which is where it waits for what comes next.
pub fn await_sleep(pid: i32) {
    await_state(pid, "S");
}

/// Waits until a process is at rest: it sleeps, and has not run for a while. Returns how often it
/// went to sleep before.
pub fn await_rest(pid: i32) -> u64 {
    until(&format!("process {pid} did not come to rest"), || {
        let before = sleeps(pid)?;
        std::thread::sleep(A_WHILE);
        (stat(pid)?.state == 'S' && sleeps(pid)? == before).then_some(before)
    })
}

/// How often a process went to sleep.
pub fn sleeps(pid: i32) -> Option<u64> {
    status(pid, "voluntary_ctxt_switches")?.parse().ok()
}

/// Waits until a process is gone, or only a zombie that someone else should reap.
pub fn await_death(pid: i32) {
    until(&format!("process {pid} did not end"), || {
        stat(pid).is_none_or(|stat| "ZX".contains(stat.state)).then_some(())
    });
}

/// Who sleeps for so long has nothing left to do.
const A_WHILE: Duration = Duration::from_millis(100);
