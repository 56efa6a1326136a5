//! Which signals reach whom, as what, and what they do to the subject itself.

use nix::libc;

use crate::subject::{bug, catatonit, dumb_init, tini};
use crate::support::procfs::{await_sleep, await_state, children};
use crate::support::running::send;
use crate::support::{Launch, Place, Running, Status};

#[test]
fn tini_forwards_signals() {
    forwards(tini().arg("--"), Place::Pid1, ORDINARY);
    forwards(tini().arg("--"), Place::Pid1, "TSTP");
    forwards(tini().args(["-s", "--"]), Place::Child, ORDINARY);
}

#[test]
fn dumb_init_forwards_signals() {
    forwards(dumb_init(), Place::Pid1, ORDINARY);
    forwards(dumb_init(), Place::Child, ORDINARY);
    forwards(dumb_init().arg("-c"), Place::Pid1, ORDINARY);
}

#[test]
fn catatonit_forwards_signals() {
    forwards(catatonit().arg("--"), Place::Pid1, ORDINARY);
    forwards(catatonit().arg("--"), Place::Child, ORDINARY);
}

#[test]
fn tini_forwards_real_time_signals() {
    forwards(tini().arg("--"), Place::Pid1, &real_time());
}

#[test]
fn tini_forwards_a_value_that_the_child_has_no_room_for() {
    let mut run = tini().args(["-s", "--"]).probe("limit=sigpending:0 trap").start();
    run.expect("trapping");
    // SAFETY: sigqueue takes numbers, and a value that nobody follows as a pointer.
    unsafe { libc::sigqueue(run.pid(), 40, libc::sigval { sival_ptr: std::ptr::null_mut() }) };
    assert_eq!(run.line(), "got 40");
}

#[test]
fn dumb_init_forwards_real_time_signals() {
    forwards(dumb_init(), Place::Pid1, &real_time());
    forwards(dumb_init().arg("-c"), Place::Pid1, &real_time());
}

#[test]
fn catatonit_forwards_real_time_signals() {
    forwards(catatonit().arg("--"), Place::Pid1, &real_time());
}

#[test]
fn dumb_init_forwards_fatal_signals() {
    forwards(dumb_init(), Place::Pid1, FATAL);
    forwards(dumb_init(), Place::Child, FATAL);
    forwards(dumb_init().arg("-c"), Place::Pid1, FATAL);
}

#[test]
fn tini_forwards_fatal_signals_as_pid_1() {
    bug(
        "what may kill an ordinary process is dropped as PID 1",
        "timed out waiting for a line",
        || {
            forwards(tini().arg("--"), Place::Pid1, FATAL);
        },
    );
}

#[test]
fn catatonit_forwards_fatal_signals_as_pid_1() {
    bug(
        "what may kill an ordinary process is dropped as PID 1",
        "timed out waiting for a line",
        || {
            forwards(catatonit().arg("--"), Place::Pid1, FATAL);
        },
    );
}

#[test]
fn tini_keeps_some_signals_to_itself() {
    keeps_to_itself(tini().arg("--"), "CHLD TTIN TTOU");
    keeps_to_itself(tini().args(["-g", "--"]), "CHLD TTIN TTOU");
}

#[test]
fn dumb_init_keeps_chld_to_itself() {
    keeps_to_itself(dumb_init(), "CHLD");
    keeps_to_itself(dumb_init().arg("-c"), "CHLD");
}

#[test]
fn catatonit_keeps_some_signals_to_itself() {
    keeps_to_itself(catatonit().arg("--"), "CHLD TSTP TTIN TTOU");
    keeps_to_itself(catatonit().args(["-g", "--"]), "CHLD TSTP TTIN TTOU");
}

#[test]
fn tini_signals_the_child_alone() {
    signals_the_child_alone(tini().arg("--"));
}

#[test]
fn tini_g_signals_the_group() {
    signals_the_group(tini().args(["-g", "--"]));
    signals_the_group(tini().env("TINI_KILL_PROCESS_GROUP", "").arg("--"));
    signals_the_group(tini().env("TINI_KILL_PROCESS_GROUP", "0").arg("--"));
}

#[test]
fn dumb_init_signals_the_group() {
    signals_the_group(dumb_init());
}

#[test]
fn dumb_init_c_signals_the_child_alone() {
    signals_the_child_alone(dumb_init().arg("-c"));
    signals_the_child_alone(dumb_init().arg("--single-child"));
    signals_the_child_alone(dumb_init().env("DUMB_INIT_SETSID", "0"));
}

#[test]
fn catatonit_signals_the_child_alone() {
    signals_the_child_alone(catatonit().arg("--"));
}

#[test]
fn catatonit_g_signals_the_group() {
    signals_the_group(catatonit().args(["-g", "--"]));
}

#[test]
fn dumb_init_signals_the_group_and_not_the_whole_session() {
    // The README speaks of the session, but kill() knows only groups.
    let script = "fork { setpgid trap=other } trap=child";
    let mut run = dumb_init().probe(script).place(Place::Pid1).start();
    run.expect_all(&["other trapping", "child trapping"]);
    run.signal("TERM");
    run.expect("child got TERM");
    let child = run.child();
    send(children(child)[0], "PWR");
    assert_eq!(run.line(), "other got PWR");
}

#[test]
fn tini_does_not_stop_on_tstp() {
    let mut run = tini().args(["-s", "--"]).probe("trap").place(Place::Job).start();
    run.expect("trapping");
    run.signal("TSTP");
    assert_eq!(run.line(), "got TSTP");
    // It keeps forwarding, which it could not if it were stopped.
    run.signal("USR1");
    assert_eq!(run.line(), "got USR1");
}

#[test]
fn catatonit_does_not_stop_on_tstp() {
    let mut run = catatonit().arg("--").probe("trap").place(Place::Job).start();
    run.expect("trapping");
    run.signal("TSTP");
    run.signal("USR1");
    assert_eq!(run.line(), "got USR1");
}

#[test]
fn dumb_init_stops_the_child_on_terminal_signals() {
    // As PID 1 it cannot stop itself, and keeps running.
    for name in ["TSTP", "TTIN", "TTOU"] {
        let mut run = dumb_init().probe("trap").place(Place::Pid1).start();
        run.expect("trapping");
        run.signal(name);
        let child = run.child();
        await_state(child, "T");
        run.signal("USR1");
        run.signal("CONT");
        run.expect_all(&["got USR1", "got CONT"]);
    }
}

#[test]
fn dumb_init_suspends_with_the_child_and_resumes() {
    for name in ["TSTP", "TTIN", "TTOU"] {
        let mut run = dumb_init().probe("trap").place(Place::Job).start();
        run.expect("trapping");
        let child = run.child();
        run.signal(name);
        run.expect_event("stopped STOP");
        await_state(child, "T");
        run.signal("CONT");
        run.expect_event("continued");
        assert_eq!(run.line(), "got CONT");
        run.signal("TERM");
        assert_eq!(run.line(), "got TERM");
    }
}

#[test]
fn dumb_init_c_passes_terminal_signals_and_suspends_itself() {
    for name in ["TSTP", "TTIN", "TTOU"] {
        let mut run = dumb_init().arg("-c").probe("trap").place(Place::Job).start();
        run.expect("trapping");
        run.signal(name);
        assert_eq!(run.line(), format!("got {name}"));
        run.expect_event("stopped STOP");
        run.signal("CONT");
        run.expect_event("continued");
        assert_eq!(run.line(), "got CONT");
    }
}

#[test]
fn dumb_init_suspends_itself_even_on_a_rewritten_signal() {
    let mut run = dumb_init().args(["-r", "20:10"]).probe("trap").place(Place::Job).start();
    run.expect("trapping");
    run.signal("TSTP");
    assert_eq!(run.line(), "got USR1");
    run.expect_event("stopped STOP");
    run.signal("CONT");
    assert_eq!(run.line(), "got CONT");
}

#[test]
fn dumb_init_suspends_itself_even_on_a_dropped_signal() {
    let mut run = dumb_init().args(["-r", "20:0"]).probe("trap").place(Place::Job).start();
    run.expect("trapping");
    run.signal("TSTP");
    run.expect_event("stopped STOP");
    run.signal("CONT");
    assert_eq!(run.line(), "got CONT");
}

#[test]
fn dumb_init_rewrites_signals() {
    let mut run = rewriting(&["-r", "15:2"]);
    run.signal("TERM");
    assert_eq!(run.line(), "got INT");
    run.signal("INT");
    assert_eq!(run.line(), "got INT");
    run.signal("HUP");
    assert_eq!(run.line(), "got HUP");
}

#[test]
fn dumb_init_rewrites_once() {
    let mut run = rewriting(&["-r", "1:10", "-r", "10:12", "-r", "12:1"]);
    for (sent, received) in [("HUP", "USR1"), ("USR1", "USR2"), ("USR2", "HUP")] {
        run.signal(sent);
        assert_eq!(run.line(), format!("got {received}"));
    }
}

#[test]
fn dumb_init_last_rewrite_wins() {
    let mut run = rewriting(&["-r", "15:2", "--rewrite", "15:0", "-r", "15:3"]);
    run.signal("TERM");
    assert_eq!(run.line(), "got QUIT");
}

#[test]
fn dumb_init_rewrite_to_0_drops() {
    let mut run = rewriting(&["-r", "15:0", "-r", "1:0"]);
    run.signal("TERM");
    run.signal("HUP");
    run.signal("PWR");
    assert_eq!(run.line(), "got PWR");
}

#[test]
fn dumb_init_rewrites_to_kill() {
    let mut run = rewriting(&["-r", "15:9"]);
    run.signal("TERM");
    assert_eq!(run.wait().code(), 137);
}

#[test]
fn dumb_init_rewrites_terminal_signals_of_both_modes() {
    for options in [&["-r", "20:12"][..], &["-c", "-r", "20:12"]] {
        let mut run = rewriting(options);
        run.signal("TSTP");
        assert_eq!(run.line(), "got USR2");
    }
    // An explicit rule beats the rewriting to STOP.
    let mut run = rewriting(&["-r", "21:21"]);
    run.signal("TTIN");
    assert_eq!(run.line(), "got TTIN");
}

#[test]
fn tini_dies_of_kill() {
    dies_of_kill(tini().args(["-s", "--"]));
}

#[test]
fn dumb_init_dies_of_kill() {
    dies_of_kill(dumb_init());
}

#[test]
fn catatonit_dies_of_kill() {
    dies_of_kill(catatonit().arg("--"));
}

#[test]
fn tini_stops_on_stop() {
    stops_on_stop(tini().args(["-s", "--"]));
}

#[test]
fn dumb_init_stops_on_stop() {
    stops_on_stop(dumb_init());
}

#[test]
fn catatonit_stops_on_stop() {
    stops_on_stop(catatonit().arg("--"));
}

/// What all three forward in all modes.
const ORDINARY: &str = "HUP INT QUIT USR1 USR2 PIPE ALRM TERM STKFLT CONT URG XCPU XFSZ VTALRM \
     PROF WINCH IO PWR";

/// What the kernel raises for a fault, though anyone may send it.
const FATAL: &str = "ILL TRAP ABRT BUS FPE SEGV SYS";

fn real_time() -> String {
    (34..=64).map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
}

/// Each signal arrives, as itself and once.
fn forwards(launch: Launch, place: Place, names: &str) {
    let mut run = launch.probe("trap").place(place).start();
    run.expect("trapping");
    for name in names.split_whitespace() {
        run.signal(name);
        assert_eq!(run.line(), format!("got {name}"));
    }
    run.signal("PWR");
    assert_eq!(run.line(), "got PWR");
}

/// None of the signals arrives, and the subject does not mind them.
fn keeps_to_itself(launch: Launch, names: &str) {
    let mut run = launch.probe("trap").place(Place::Pid1).start();
    run.expect("trapping");
    let pid = run.pid();
    for name in names.split(' ') {
        run.signal(name);
        await_sleep(pid);
    }
    // A later signal has a larger number, so that it comes last even among pending ones.
    run.signal("PWR");
    assert_eq!(run.line(), "got PWR");
}

/// Starts a child with another process in its group, and sends TERM.
fn with_a_group(launch: Launch) -> (Running, i32) {
    let mut run = launch.probe("fork { trap=other } trap=child").place(Place::Pid1).start();
    run.expect_all(&["other trapping", "child trapping"]);
    let child = run.child();
    let other = children(child)[0];
    run.signal("TERM");
    (run, other)
}

fn signals_the_group(launch: Launch) {
    let (mut run, _) = with_a_group(launch);
    run.expect_all(&["child got TERM", "other got TERM"]);
}

fn signals_the_child_alone(launch: Launch) {
    let (mut run, other) = with_a_group(launch);
    assert_eq!(run.line(), "child got TERM");
    send(other, "PWR");
    assert_eq!(run.line(), "other got PWR");
}

fn rewriting(options: &[&str]) -> Running {
    let mut run = dumb_init().args(options).probe("trap").place(Place::Pid1).start();
    run.expect("trapping");
    run
}

fn dies_of_kill(launch: Launch) {
    let mut run = launch.probe("say=ready pause").place(Place::Job).start();
    run.expect("ready");
    run.signal("KILL");
    assert_eq!(run.wait_for_status(), Status::Signal("KILL".to_string()));
}

/// Nobody can catch it, and the child hears only of the CONT.
fn stops_on_stop(launch: Launch) {
    let mut run = launch.probe("trap").place(Place::Job).start();
    run.expect("trapping");
    run.signal("STOP");
    run.expect_event("stopped STOP");
    run.signal("CONT");
    run.expect_event("continued");
    assert_eq!(run.line(), "got CONT");
}
