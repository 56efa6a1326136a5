//! "Orphans are reaped as PID 1 or subreaper, thousands at once, without delaying a signal by more
//! than one batch of 64."

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;

use crate::storms::storm;
use crate::subject::{Folder, binary, foster, wrapped};
use crate::support::patience::until;
use crate::support::procfs;
use crate::support::running::send;
use crate::support::signals::names_in_mask;
use crate::support::skip::skip;
use crate::support::{Launch, Place, Running, Status, probe};

/// No signal may wait for this long, on a machine that is busy with other tests; another test
/// counts what comes between.
const AT_ONCE: Duration = Duration::from_secs(10);

#[test]
fn ten_thousand_orphans_leave_no_zombie_and_delay_no_signal_as_pid_1() {
    ten_thousand_orphans(foster(), Place::Pid1);
}

#[test]
fn ten_thousand_orphans_leave_no_zombie_and_delay_no_signal_as_subreaper() {
    ten_thousand_orphans(foster(), Place::Job);
}

pub fn ten_thousand_orphans(launch: Launch, place: Place) {
    // A busy system may leave a test no time at that moment, but not again and again.
    let in_the_midst = || signals_among_ten_thousand_orphans(launch.clone(), place) > 1;
    assert!((0..5).any(|_| in_the_midst()), "no signal came in the midst");
}

/// How many signals came before and while there were ten thousand orphans.
fn signals_among_ten_thousand_orphans(launch: Launch, place: Place) -> u32 {
    let script = "block=USR1 fork { trap=app } orphans=10000 say=made pause";
    let launch = launch.args(["--forward-to", "group", "--"]);
    let mut run = launch.probe(script).place(place).start();
    run.expect("app trapping");
    let pid = run.pid();
    let mut signals = 0;
    loop {
        let begin = Instant::now();
        run.signal("USR1");
        signals += 1;
        // The other line may come between.
        let before = run.lines_until("app got USR1");
        let delay = begin.elapsed();
        assert!(delay < AT_ONCE, "signal {signals} took {delay:?}");
        if before.contains(&"made".to_owned()) {
            break;
        }
    }
    // The child is left, and its own child.
    until("zombies stay", || (procfs::children(pid).len() == 1).then_some(()));
    signals
}

#[test]
fn orphans_are_reaped_by_a_supervisor_too() {
    let mut run = wrapped("orphans=1000 say=made pause").arg("-q").place(Place::Pid1).start();
    run.expect("made");
    let pid = run.pid();
    until("zombies stay", || (procfs::children(pid).len() == 1).then_some(()));
}

#[test]
fn orphans_are_reaped_while_a_dead_leader_is_held_for_its_group() {
    let script = "fork { block=HUP ignore=TERM say=member orphans=500 say=made await=HUP orphans=500 say=more \
                  pause } say=leader pause";
    let launch = foster().args(["--stop-timeout", "infinity", "--forward-to", "group", "--"]);
    let mut run =
        launch.probe(&script.replace("                  ", "")).place(Place::Pid1).start();
    run.expect_all(&["made", "leader"]);
    run.signal("TERM");
    let pid = run.pid();
    // The leader, held as a zombie, and the member.
    until("the leader is not held", || {
        let children = procfs::children(pid);
        let zombies =
            children.iter().filter(|pid| procfs::stat(**pid).is_some_and(|s| s.state == 'Z'));
        (children.len() == 2 && zombies.count() == 1).then_some(())
    });
    run.signal("HUP");
    run.expect("more");
    until("zombies stay", || (procfs::children(pid).len() == 2).then_some(()));
}

/// What makes one orphan after another for as long as it lives, in a session of its own.
fn endless(folder: &Folder) -> String {
    let app = folder.script("endless", "#!/bin/sh\nwhile :; do (:&); done\n");
    format!("orphan {{ unsetenv=FOSTER_RUN exec {} setsid say=away exec {app} }}", probe())
}

#[test]
fn a_stop_ends_while_orphans_of_others_keep_ending() {
    let folder = Folder::new();
    let script = format!(
        "{} fork {{ ignore=TERM block=HUP say=member await=HUP }} block=TERM say=leader await=TERM",
        endless(&folder)
    );
    let launch = foster().args(["--stop-timeout", "infinity", "--forward-to", "group", "--"]);
    let mut run = launch.probe(&script).place(Place::Pid1).start();
    run.expect_all(&["away", "member", "leader"]);
    run.signal("TERM");
    let leader = run.child();
    procfs::await_state(leader, "Z");
    // To the member alone; the leader is held for it.
    run.signal("HUP");
    assert_eq!(run.wait_for_status(), Status::Code(0));
}

#[test]
fn a_crash_is_handled_while_orphans_of_others_keep_ending() {
    let folder = Folder::new();
    let endless = endless(&folder);
    let script =
        format!("{endless} orphan {{ setsid say=escaped pause }} say=run await=HUP exit=1");
    let mut run = wrapped(&script).arg("-q").place(Place::Pid1).start();
    for _ in 0..3 {
        run.expect_all(&["away", "escaped", "run"]);
        run.signal("HUP");
    }
    run.expect("run");
}

#[test]
fn signals_are_read_after_every_batch_of_64_orphans_at_the_latest() {
    let folder = Folder::new();
    let trace = folder.word("trace");
    let launch = Launch::new("strace").args(["-qq", "-e", "trace=read,waitid,wait4", "-o", &trace]);
    let script = "block=USR1 say=ready await=USR1 orphans=1000 say=made pause";
    let mut run = launch.args([&binary(), "--", probe()]).args(script.split(' ')).start();
    run.expect("ready");
    make_at_once(&mut run);
    let is_read = |line: &str| line.starts_with("read(");
    let is_reap = |line: &str| {
        (line.starts_with("waitid(") && !line.contains("WNOWAIT") && line.ends_with("= 0"))
            || (line.starts_with("wait4(") && !line.ends_with("= 0") && !line.contains("= -1"))
    };
    // strace may be a line behind.
    let text = until("not all were seen to be reaped", || {
        let text = std::fs::read_to_string(&trace).expect("strace writes");
        (text.lines().filter(|line| is_reap(line)).count() >= 1000).then_some(text)
    });
    let (mut batch, mut longest) = (0, 0);
    for line in text.lines() {
        // Once it runs, foster reads nothing else than signals.
        if is_read(line) {
            batch = 0;
        } else if is_reap(line) {
            batch += 1;
            longest = longest.max(batch);
        }
    }
    assert!(longest <= 64, "{longest} were reaped between two reads of signals");
}

/// Has the child of a foster that strace runs make its orphans, all of which have ended before
/// foster gets to see to the first; gives the pid of foster.
fn make_at_once(run: &mut Running) -> i32 {
    let strace = run.pid();
    let foster = procfs::children(strace)[0];
    storm(run, foster, 1000);
    until("zombies stay", || (procfs::children(foster).len() == 1).then_some(()));
    foster
}

#[test]
fn in_a_storm_of_orphans_each_is_reaped_by_one_system_call_and_signals_go_by_the_guard() {
    if !kernel_has_guards() {
        return skip("this kernel has no PIDFD_SIGNAL_PROCESS_GROUP");
    }
    let folder = Folder::new();
    let trace = folder.word("trace");
    let launch = Launch::new("strace").args([
        "-qq",
        "-e",
        "trace=waitid,wait4,kill,pidfd_send_signal",
        "-o",
        &trace,
    ]);
    let script = "block=USR1 fork { trap=member } say=ready await=USR1 orphans=1000 say=made \
                  trap=leader";
    let script = script.replace("                  ", "");
    let group = ["--forward-to", "group", "--"];
    let launch = launch.arg(binary()).args(group).arg(probe());
    let mut run = launch.args(script.split(' ')).start();
    run.expect_all(&["ready", "member trapping"]);
    let foster = make_at_once(&mut run);
    run.expect("leader trapping");
    send(foster, "HUP");
    run.expect_all(&["leader got HUP", "member got HUP"]);
    // strace may be a line behind.
    let text = until("no signal was seen to go", || {
        let text = std::fs::read_to_string(&trace).expect("strace writes");
        text.lines()
            .any(|line| line.starts_with("pidfd_send_signal(") && line.contains("SIGHUP"))
            .then_some(text)
    });
    let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    let reaps = text.lines().filter(|line| line.starts_with("wait4(-1, [")).count();
    assert!(reaps >= 900, "{reaps} were reaped at once");
    assert!(count("waitid(") <= 200, "{} were looked at", count("waitid("));
    // But for the CONT, which came before the storm.
    let kills = text.lines().filter(|line| line.starts_with("kill(") && !line.contains("SIGCONT"));
    assert_eq!(kills.count(), 0, "{text}");
    assert!(count("pidfd_send_signal(") >= 2, "{text}");
}

#[test]
fn a_leader_that_dies_in_a_storm_of_orphans_takes_its_group_with_it() {
    // Without --keep-orphans the mark would find what the group's signal has missed.
    let script = "fork { ignore=TERM say=member pause } orphans=200 die=KILL";
    let launch = wrapped(script).args(["-q", "--keep-orphans", "--backoff", "0"]);
    let launch = launch.args(["--max-restarts", "unlimited"]).place(Place::Pid1);
    let mut run = launch.start();
    for _ in 0..30 {
        run.expect("member");
    }
    // As foster stands still, no new one comes; those that it has killed go. Of thirty members at
    // most the last one lives.
    run.signal("STOP");
    let pid = run.pid();
    procfs::await_state(pid, "T");
    let ignores_term = |pid: &i32| {
        let lives = procfs::stat(*pid).is_some_and(|stat| !"ZX".contains(stat.state));
        let ignored = procfs::status(*pid, "SigIgn").filter(|_| lives);
        ignored.is_some_and(|mask| names_in_mask(&mask).contains("TERM"))
    };
    until("members live", || {
        (run.everything().iter().filter(|pid| ignores_term(pid)).count() <= 1).then_some(())
    });
}

/// Whether a pidfd takes a signal for a whole group (pidfd_send_signal(2), Linux 6.9).
fn kernel_has_guards() -> bool {
    // SAFETY: these are system calls on numbers, and a signal that is none.
    unsafe {
        let own = libc::syscall(libc::SYS_pidfd_open, libc::getpgrp(), 0);
        let none = std::ptr::null::<u8>();
        let has = libc::syscall(libc::SYS_pidfd_send_signal, own, 0, none, 4) == 0
            // The test's group may be another user's.
            || Errno::last() == Errno::EPERM;
        libc::close(own as i32);
        has
    }
}

#[test]
fn an_orphan_that_lives_is_adopted_and_reaped_when_it_ends() {
    let launch = foster().args(["--forward-to", "group", "--"]);
    let mut run = launch.probe("orphan { say=orphan block=HUP await=HUP } trap");
    run = run.place(Place::Pid1);
    let mut run = run.start();
    run.expect_all(&["orphan", "trapping"]);
    let pid = run.pid();
    until("not adopted", || (procfs::children(pid).len() == 2).then_some(()));
    run.signal("HUP");
    until("zombies stay", || (procfs::children(pid).len() == 1).then_some(()));
}

#[test]
fn a_child_that_is_traced_or_stopped_is_not_taken_for_a_dead_one() {
    let mut run = foster().arg("--").probe("tracee pause").place(Place::Pid1).start();
    run.expect("traced");
    let child = run.child();
    send(child, "STOP");
    procfs::await_state(child, "T");
    run.expect_quiet(Duration::from_millis(100));
    send(child, "CONT");
    procfs::await_sleep(child);
    run.signal("HUP");
    assert_eq!(run.wait().code(), 129);
}
