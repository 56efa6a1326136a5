//! "Nothing is allocated once foster runs", seen on the binary that Linux runs: a debug build counts
//! what its heap is asked for (`src/sys/linux/heap.rs`). `tests/alloc` has the machine and the loop
//! alone, and all that can befall them.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::Command;

use crate::subject::{probe_line, quick};
use crate::support::patience::until;
use crate::support::procfs;
use crate::support::running::send;
use crate::support::{Launch, Place, Running};

#[test]
fn nothing_is_allocated_for_signals_orphans_and_restarts_on_linux() {
    // One orphan ends by itself; the other is found and killed before each restart.
    let line = probe_line("orphan { say=orphan } orphan { setsid say=daemon pause } trap pause");
    let launch = quick(Launch::new(DEBUG_BUILD)).args(["-q", "--wrap", &line]);
    let mut run = launch.place(Place::Job).start();
    run.expect_all(&["orphan", "daemon", "trapping"]);
    allocates_nothing(&mut run, |run| {
        run.signal("USR1");
        run.expect("got USR1");
        send(run.child(), "KILL");
        run.expect_all(&["orphan", "daemon", "trapping"]);
    });
}

#[test]
fn nothing_is_allocated_for_the_lines_about_a_restart_on_linux() {
    let launch = quick(Launch::new(DEBUG_BUILD)).args(["--wrap", &probe_line("trap pause")]);
    let mut run = launch.place(Place::Job).start();
    run.expect("trapping");
    allocates_nothing(&mut run, |run| {
        send(run.child(), "KILL");
        run.expect_error("foster: info: probe starts again ");
        run.expect("trapping");
    });
}

#[test]
fn nothing_is_allocated_during_a_stop_on_linux() {
    let launch = Launch::new(DEBUG_BUILD).args(["-q", "--stop-timeout", "infinity"]);
    let launch = launch.args(["--stop-to", "group", "--forward-to", "group", "--"]);
    // The leader ends, and a member of its group stays whose parent is neither foster nor in the
    // group: foster gets no report of its end, so it has to look again and again.
    let member = "fork { fork { trap=member } setsid say=middle pause }";
    let script = format!("{member} block=TERM say=leader await=TERM say=stopping read");
    let mut run = launch.probe(&script).with_input().place(Place::Job).start();
    run.expect_all(&["member trapping", "middle", "leader"]);
    let (foster, leader) = (run.pid(), run.child());
    run.signal("TERM");
    run.expect_all(&["member got TERM", "stopping"]);
    // The first deadline, that to tell of a slow stop, has made the queue.
    procfs::await_sleep(foster);
    let before = allocations(&mut run);
    run.signal("TERM");
    run.expect("member got TERM");
    procfs::await_sleep(foster);
    assert_eq!(allocations(&mut run), before, "allocations for the signal of a stop");
    run.write_line("");
    procfs::await_state(leader, "Z");
    // The first looks make room for the next ones.
    let mut looks = |count| {
        let begin = procfs::sleeps(foster).expect("it lives");
        let sleeps = || procfs::sleeps(foster).filter(|sleeps| *sleeps >= begin + count);
        until("foster does not look again", sleeps);
        allocations(&mut run)
    };
    let before = looks(5);
    assert_eq!(looks(20), before, "allocations while foster looks who is left");
    run.signal("USR1");
    run.expect("member got USR1");
    assert_eq!(allocations(&mut run), before, "allocations for a signal during a stop");
}

/// Lets something happen a few times, for all that has to grow once, and then many times more.
fn allocates_nothing(run: &mut Running, mut happens: impl FnMut(&mut Running)) {
    (0..5).for_each(|_| happens(run));
    let before = allocations(run);
    (0..50).for_each(|_| happens(run));
    assert_eq!(allocations(run), before, "allocations while foster runs");
}

/// How often foster has asked for memory so far.
fn allocations(run: &mut Running) -> u64 {
    let pid = run.pid();
    let output = Command::new("nm").arg(DEBUG_BUILD).output().expect("nm is there, as gcc is");
    let names = String::from_utf8(output.stdout).expect("names are text");
    let line = names.lines().find(|line| line.ends_with(" FOSTER_ALLOCATIONS"));
    let place = line.and_then(|line| line.split(' ').next()).expect("this build counts");
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("foster lives");
    let start = maps.split('-').next().expect("its program lies first");
    let [place, start] = [place, start].map(|text| u64::from_str_radix(text, 16).expect("a place"));
    let mut count = [0; 8];
    let memory = File::open(format!("/proc/{pid}/mem")).expect("it is ours");
    memory.read_exact_at(&mut count, start + place).expect("it lies there");
    u64::from_ne_bytes(count)
}

/// Whatever build the other tests are about.
const DEBUG_BUILD: &str = env!("CARGO_BIN_EXE_foster");
