//! What a process looks like from outside, as far as that must not change while it runs.

use std::fs;

use crate::support::patience::until;
use crate::support::procfs;
use crate::support::reachable::reachable;

/// The binary under test.
pub fn binary() -> String {
    let given = std::env::var("FOSTER_UNDER_TEST");
    reachable(&given.unwrap_or_else(|_| env!("CARGO_BIN_EXE_foster").into()))
}

/// The memory that a process has written to, in kB: no page of a file, which comes and goes as the
/// kernel likes (proc_pid_smaps(5)).
pub fn own_memory(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("it lives");
    let line = text.lines().find_map(|line| line.strip_prefix("Anonymous:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    number.expect("the kernel tells it")
}

/// Waits until all children that are zombies now have been reaped, but for those that another
/// process traces: their ends are told to that one first (ptrace(2)). One whose main thread alone has
/// ended looks like one too, and lives.
pub fn await_no_zombies(pid: i32) {
    let dead = |pid: &i32| {
        procfs::stat(*pid).is_some_and(|stat| stat.state == 'Z')
            && procfs::status(*pid, "TracerPid").is_some_and(|tracer| tracer == "0")
            && procfs::status(*pid, "Threads").is_some_and(|count| count == "1")
    };
    let mut zombies = procfs::children(pid);
    until("zombies stay", || {
        zombies.retain(dead);
        zombies.is_empty().then_some(())
    });
}
