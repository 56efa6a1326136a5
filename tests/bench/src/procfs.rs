//! What the kernel says about a process under /proc, and how to read it.

use std::{collections::HashMap, fs, io, time::Duration};

use crate::sys::{self, PATIENCE, Pid};

/// The resident memory of a process in kB of 1,024 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    pub resident: f64,
    pub private_dirty: f64,
}

pub fn memory(pid: Pid) -> io::Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    parse_memory(&text).ok_or_else(|| unreadable(pid, "smaps_rollup"))
}

/// The processor time of a process so far, in nanoseconds.
pub fn cpu_time(pid: Pid) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    parse_cpu_time(&text).ok_or_else(|| unreadable(pid, "schedstat"))
}

/// How often a process gave up the processor or lost it.
pub fn context_switches(pid: Pid) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    parse_context_switches(&text).ok_or_else(|| unreadable(pid, "status"))
}

pub fn children(pid: Pid) -> io::Result<usize> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(text.split_whitespace().count())
}

/// Every process in this namespace, with its parent.
pub fn processes() -> io::Result<HashMap<Pid, Pid>> {
    let mut parents = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process may end between the listing and the look at it.
        if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat"))
            && let Some((_, parent)) = parse_stat(&text)
        {
            parents.insert(pid, parent);
        }
    }
    Ok(parents)
}

/// A process and everything below it.
pub fn tree(root: Pid) -> io::Result<Vec<Pid>> {
    Ok(descend(root, &processes()?))
}

/// Waits until a process sleeps and has used no processor time for two looks in a row.
pub fn wait_until_idle(pid: Pid) -> io::Result<()> {
    let deadline = sys::after(PATIENCE);
    let mut before = None;
    loop {
        let state = fs::read_to_string(format!("/proc/{pid}/stat"))
            .ok()
            .and_then(|text| parse_stat(&text))
            .map(|(state, _)| state);
        let look = (state, cpu_time(pid)?);
        if state == Some('S') && before == Some(look) {
            return Ok(());
        }
        if sys::now() > deadline {
            return Err(io::Error::other(format!("process {pid} does not come to rest")));
        }
        before = Some(look);
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn unreadable(pid: Pid, file: &str) -> io::Error {
    io::Error::other(format!("cannot understand /proc/{pid}/{file}"))
}

fn parse_memory(rollup: &str) -> Option<Memory> {
    Some(Memory {
        resident: field(rollup, "Rss:")? as f64,
        private_dirty: field(rollup, "Private_Dirty:")? as f64,
    })
}

fn parse_cpu_time(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

fn parse_context_switches(status: &str) -> Option<u64> {
    Some(field(status, "voluntary_ctxt_switches:")? + field(status, "nonvoluntary_ctxt_switches:")?)
}

/// State and parent. The name before them stands in parentheses and may hold anything, more
/// parentheses included.
fn parse_stat(stat: &str) -> Option<(char, Pid)> {
    let mut words = stat[stat.rfind(')')? + 1..].split_whitespace();
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn descend(root: Pid, parents: &HashMap<Pid, Pid>) -> Vec<Pid> {
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_rollup() {
        let text = "00400000-7ffc [rollup]\nRss:    708 kB\nPss:   600 kB\nPss_Dirty:   60 kB\n\
                    Shared_Dirty:  0 kB\nPrivate_Clean:   656 kB\nPrivate_Dirty:   52 kB\n";
        assert_eq!(parse_memory(text), Some(Memory { resident: 708.0, private_dirty: 52.0 }));
        assert_eq!(parse_memory("Rss: 1 kB\n"), None);
    }

    #[test]
    fn processor_time_is_the_first_number() {
        assert_eq!(parse_cpu_time("398551 12 1\n"), Some(398_551));
        assert_eq!(parse_cpu_time(""), None);
    }

    #[test]
    fn both_kinds_of_context_switches_count() {
        let text = "Name:\tx\nvoluntary_ctxt_switches:\t10\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(parse_context_switches(text), Some(13));
    }

    #[test]
    fn a_name_with_parentheses_does_not_hide_state_and_parent() {
        assert_eq!(parse_stat("7 (a) b) (c) S 3 7 7 0"), Some(('S', 3)));
        assert_eq!(parse_stat("7 (x"), None);
    }

    #[test]
    fn a_tree_holds_grandchildren_and_nobody_else() {
        let parents = HashMap::from([(2, 1), (3, 2), (4, 3), (5, 1)]);
        assert_eq!(descend(2, &parents), [2, 3, 4]);
    }

    #[test]
    fn this_process_can_be_looked_at() {
        let pid = std::process::id() as Pid;
        assert!(memory(pid).unwrap().resident > 0.0);
        assert!(cpu_time(pid).unwrap() > 0);
        context_switches(pid).unwrap();
        assert!(tree(pid).unwrap().contains(&pid));
    }
}
