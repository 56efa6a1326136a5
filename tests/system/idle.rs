//! "No idle wake-ups: with nothing to do, foster makes no system call at all."

use std::fs;
use std::time::Duration;

use crate::inheritance::WITHOUT_SIGNALFD;
use crate::subject::{Folder, foster, probe_line, quick};
use crate::support::procfs;
use crate::support::{Launch, Place, Running};

/// What strace sees in a while, of a subject that has come to rest.
pub fn watch(run: &mut Running, time: Duration) -> Vec<String> {
    let folder = Folder::new();
    let pid = run.pid();
    // Without strace first, which is itself something that happens.
    let before = procfs::await_rest(pid);
    run.expect_quiet(time);
    assert_eq!(procfs::sleeps(pid), Some(before), "it woke up");
    let (file, number) = (folder.word("trace"), pid.to_string());
    let mut strace = Launch::new("strace").args(["-f", "-o", &file, "-p", &number]).start();
    strace.expect_error(&format!("strace: Process {pid} attached"));
    strace.expect_quiet(time);
    strace.signal("INT");
    strace.wait_for_status();
    let text = fs::read_to_string(&file).expect("strace writes");
    text.lines().map(str::to_owned).collect()
}

/// There is one wait, which lasts until strace goes. That strace comes interrupts the wait before
/// it (signal(7)); beside a deadline, foster looks at its signals then.
pub fn assert_waits_in_one_call(calls: &[String]) {
    // For signals alone, for a deadline too, and without signalfd.
    let names = [" rt_sigtimedwait(", " epoll_", " ppoll("];
    let waits = |call: &&String| names.iter().any(|name| call.contains(name));
    assert_eq!(calls.iter().filter(waits).count(), 1, "{calls:#?}");
    let last = calls.last().expect("there is one");
    assert!(waits(&last) && last.ends_with("<detached ...>"), "{calls:#?}");
    assert!(calls.len() <= 5, "{calls:#?}");
}

/// All the ways to have nothing to do; `real_time` watches the first two for ten seconds.
pub fn idle_init() -> Running {
    let mut run = foster().arg("--").probe("orphan { say=orphan pause } say=up pause");
    run = run.place(Place::Pid1);
    let mut run = run.start();
    run.expect_all(&["orphan", "up"]);
    run
}

pub fn idle_supervisor() -> Running {
    let launch = quick(foster()).args(["-q", "--wrap"]).arg(probe_line("say=up pause"));
    let mut run = launch.arg("--wrap").arg(probe_line("say=up pause")).place(Place::Pid1).start();
    run.expect_all(&["up", "up"]);
    run
}

#[test]
fn an_idle_foster_makes_no_system_call_without_signalfd_and_timerfd_either() {
    let launch = quick(foster()).args(["-q", "--wrap"]).arg(probe_line("say=up pause"));
    let mut run = launch.inheriting(WITHOUT_SIGNALFD).place(Place::Pid1).start();
    run.expect("up");
    assert_waits_in_one_call(&watch(&mut run, Duration::from_secs(1)));
}

#[test]
fn a_foster_that_has_restarted_a_service_is_as_idle_as_before() {
    let folder = Folder::new();
    let line = folder.script(
        "app",
        "#!/bin/sh\n[ -e $0.2 ] && echo second && exec sleep 60\n: > $0.2\nexit 1\n",
    );
    let launch = quick(foster()).args(["-q", "--wrap", &line]);
    let mut run = launch.place(Place::Pid1).start();
    run.expect("second");
    assert_waits_in_one_call(&watch(&mut run, Duration::from_secs(1)));
}

#[test]
fn a_foster_in_a_backoff_wakes_up_only_at_its_end() {
    let launch = foster().args(["--backoff", "1h", "--backoff-max", "1h", "--wrap"]);
    let mut run = launch.arg(probe_line("exit=1")).place(Place::Pid1).start();
    run.expect_error("foster: info: probe starts again in 3600s");
    assert_waits_in_one_call(&watch(&mut run, Duration::from_secs(1)));
}

#[test]
fn a_foster_that_waits_for_an_adopted_child_to_stop_sleeps_until_it_ends() {
    let script = "ignore=TERM say=up pause";
    let mut run = foster().args(["--stop-timeout", "infinity", "--"]).probe(script);
    run = run.place(Place::Pid1);
    let mut run = run.start();
    run.expect("up");
    run.signal("TERM");
    // It says after one second whom it waits for, after three, and then after seven.
    for _ in 0..2 {
        run.expect_error("foster: warning: probe: waiting for ");
    }
    assert_waits_in_one_call(&watch(&mut run, Duration::from_secs(1)));
}
