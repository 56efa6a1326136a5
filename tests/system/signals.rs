//! "Everything that kill() can send is forwarded".

use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use crate::inheritance::WITHOUT_SIGNALFD;
use crate::subject::{foster, kill, probe_line, queue, quick, signal_name, wrapped};
use crate::support::procfs;
use crate::support::running::send;
use crate::support::{Launch, Place, Running};

#[test]
fn every_signal_reaches_the_child_as_pid_1() {
    every_signal_reaches_the_child(foster().arg("--").probe("rawtrap").place(Place::Pid1), 1..=64);
}

#[test]
fn every_signal_reaches_the_child_as_a_job() {
    every_signal_reaches_the_child(foster().arg("--").probe("rawtrap").place(Place::Job), 1..=64);
}

#[test]
fn every_signal_reaches_the_child_in_its_group_as_pid_1() {
    let launch = foster().args(["--forward-to", "group", "--"]).probe("rawtrap");
    every_signal_reaches_the_child(launch.place(Place::Pid1), 1..=64);
}

#[test]
fn every_signal_reaches_a_service() {
    // Of these the power failure asks for a stop.
    let signals = (1..=64).filter(|number| *number != libc::SIGPWR);
    every_signal_reaches_the_child(wrapped("rawtrap").place(Place::Pid1), signals);
}

/// Sends all but the stop requests first, those in the end.
pub fn every_signal_reaches_the_child(launch: Launch, signals: impl Iterator<Item = i32>) {
    let mut run = launch.start();
    run.expect("trapping");
    let pid = run.pid();
    let never = [libc::SIGKILL, libc::SIGSTOP, libc::SIGCHLD];
    let stops = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT];
    for number in signals.filter(|number| !never.contains(number) && !stops.contains(number)) {
        kill(pid, number);
        assert_eq!(run.line(), format!("got {}", signal_name(number)));
    }
    kill(pid, libc::SIGINT);
    assert_eq!(run.line(), "got INT");
}

#[test]
fn sigchld_is_not_forwarded() {
    let mut run = foster().arg("--").probe("trap").place(Place::Pid1).start();
    run.expect("trapping");
    run.signal("CHLD");
    run.signal("USR1");
    assert_eq!(run.line(), "got USR1");
}

#[test]
fn int_and_quit_are_just_forwarded_by_an_init() {
    let mut run = foster().arg("--").probe("trap").place(Place::Pid1).start();
    run.expect("trapping");
    for _ in 0..3 {
        for signal in ["INT", "QUIT"] {
            run.signal(signal);
            assert_eq!(run.line(), format!("got {signal}"));
        }
    }
}

#[test]
fn a_signal_reaches_each_service() {
    let launch = quick(foster()).arg("--wrap").arg(probe_line("trap=one"));
    let mut run = launch.arg("--wrap").arg(probe_line("trap=two")).place(Place::Pid1).start();
    run.expect_all(&["one trapping", "two trapping"]);
    for signal in ["HUP", "ABRT", "40"] {
        run.signal(signal);
        run.expect_all(&[&format!("one got {signal}"), &format!("two got {signal}")]);
    }
}

#[test]
fn real_time_signals_are_forwarded_one_by_one_in_order_with_their_values_to_a_child() {
    let launch = foster().arg("--").probe("rawtrap");
    values_go_on(launch.place(Place::Pid1));
}

#[test]
fn real_time_signals_are_forwarded_one_by_one_in_order_with_their_values_to_a_group() {
    // SAFETY: there is no descriptor -1, which is all that a kernel that knows the flag says.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, -1, 0, 0, 4) };
    if (sent, Errno::last()) != (-1, Errno::EBADF) {
        eprintln!("skipped: this kernel has no way to send a value to a group (Linux 6.9 has)");
        return;
    }
    let to_group = || foster().args(["--forward-to", "group", "--"]);
    values_go_on(to_group().probe("rawtrap").place(Place::Pid1));
    // All of it gets them; and the leader alone where that has left its group empty.
    let mut run = to_group().probe("fork { trap=member } trap=leader").place(Place::Pid1).start();
    run.expect_all(&["member trapping", "leader trapping"]);
    let pid = run.pid();
    queue(pid, 40, 7);
    run.expect_all(&["member got 40 value=7", "leader got 40 value=7"]);
    let mut run = to_group().probe("join trap").start();
    run.expect("trapping");
    let pid = run.pid();
    queue(pid, 40, 8);
    assert_eq!(run.line(), "got 40 value=8");
}

#[test]
fn real_time_signals_are_forwarded_without_values_where_there_is_no_way_for_them() {
    for deny in ["deny=pidfd_send_signal:ENOSYS", "deny=pidfd_open:EMFILE"] {
        let launch = foster().args(["--forward-to", "group", "--"]).probe("trap").inheriting(deny);
        let mut run = launch.start();
        run.expect("trapping");
        let pid = run.pid();
        queue(pid, 40, 7);
        assert_eq!(run.line(), "got 40");
    }
}

#[test]
fn ordinary_signals_that_were_queued_keep_their_value_too() {
    let launch = foster().arg("--").probe("rawtrap");
    let mut run = launch.place(Place::Pid1).start();
    run.expect("trapping");
    queue(run.pid(), libc::SIGUSR1, 77);
    assert_eq!(run.line(), "got USR1 value=77");
}

/// Queues many signals, most of them while foster stands still.
pub fn values_go_on(launch: Launch) {
    let mut run = launch.start();
    run.expect("trapping");
    values_arrive(&mut run);
}

pub fn values_arrive(run: &mut Running) {
    let pid = run.pid();
    queue(pid, 40, usize::MAX);
    assert_eq!(run.line(), format!("got 40 value={}", usize::MAX));
    send_while_stopped(run, |pid| (0..300).for_each(|value| queue(pid, 35, value)));
    for value in 0..300 {
        assert_eq!(run.line(), format!("got 35 value={value}"));
    }
    // A lower number comes first, whatever came first (signal(7)).
    send_while_stopped(run, |pid| {
        for (number, value) in [(50, 1), (36, 2), (50, 3), (36, 4)] {
            queue(pid, number, value);
        }
    });
    for line in ["got 36 value=2", "got 36 value=4", "got 50 value=1", "got 50 value=3"] {
        assert_eq!(run.line(), line);
    }
}

#[test]
fn real_time_signals_are_forwarded_one_by_one_to_a_group() {
    let mut run = foster().arg("--").probe("trap").place(Place::Pid1).start();
    run.expect("trapping");
    send_while_stopped(&mut run, |pid| (0..300).for_each(|_| kill(pid, 35)));
    (0..300).for_each(|_| assert_eq!(run.line(), "got 35"));
    run.signal("USR1");
    assert_eq!(run.line(), "got USR1");
}

#[test]
fn a_signal_that_may_not_be_queued_with_its_value_is_forwarded_without() {
    let launch = foster().arg("--").probe("limit=sigpending:0 rawtrap");
    let mut run = launch.start();
    run.expect("trapping");
    let pid = run.pid();
    for number in [libc::SIGUSR1, 40] {
        queue(pid, number, 7);
        assert_eq!(run.line(), format!("got {}", signal_name(number)));
    }
}

/// Sends while foster is stopped, so that all come at once.
pub fn send_while_stopped(run: &mut Running, send: impl FnOnce(i32)) {
    let pid = run.pid();
    run.signal("STOP");
    procfs::await_state(pid, "T");
    send(pid);
    run.signal("CONT");
    // That one is forwarded like any other.
    assert_eq!(run.line(), "got CONT");
}

#[test]
fn eperm_or_esrch_on_forwarding_is_a_log_line_and_nothing_more() {
    for (error, text) in [("EPERM", "Operation not permitted"), ("ESRCH", "No such process")] {
        let deny = format!("deny=kill:{error}");
        let mut run = foster().arg("--").probe("say=up pause").inheriting(&deny).start();
        run.expect("up");
        // A stop that cannot be carried out does not bring it down either.
        for signal in ["USR1", "HUP", "TERM"] {
            run.signal(signal);
            let start = format!("foster: warning: cannot send SIG{signal} to process ");
            let line = run.expect_error(&start);
            assert!(line.ends_with(&format!(": {text}")), "{line}");
        }
        let child = run.child();
        send(child, "KILL");
        assert_eq!(run.wait().code(), 137);
    }
}

#[test]
fn a_child_that_left_its_group_empty_is_still_reached() {
    let mut run = foster().arg("--").probe("join trap").start();
    run.expect("trapping");
    run.signal("USR1");
    assert_eq!(run.line(), "got USR1");
    run.signal("TERM");
    assert_eq!([run.line(), run.line()], ["got TERM", "got CONT"]);
    let mut run = foster().args(["--stop-timeout", "200ms", "--"]).probe("join trap").start();
    run.expect("trapping");
    let child = run.child();
    run.signal("TERM");
    let output = run.wait();
    assert_eq!(output.code(), 137);
    assert!(procfs::stat(child).is_none(), "{output:?}");
}

#[test]
fn signals_after_the_stop_has_begun_are_still_forwarded() {
    let mut run = foster().arg("--").probe("trap").place(Place::Pid1).start();
    run.expect("trapping");
    run.signal("TERM");
    assert_eq!([run.line(), run.line()], ["got TERM", "got CONT"]);
    run.signal("USR1");
    assert_eq!(run.line(), "got USR1");
    run.signal("TERM");
    assert_eq!(run.line(), "got TERM");
}

#[test]
fn a_signal_between_two_runs_is_nobodys_and_does_no_harm() {
    let launch = foster().args(["--backoff", "1h", "--backoff-max", "1h", "--wrap"]);
    let mut run = launch.arg(probe_line("exit=1")).place(Place::Pid1).start();
    run.expect_error("foster: info: probe starts again in 3600s");
    for signal in ["USR1", "HUP", "SEGV", "40"] {
        run.signal(signal);
    }
    run.expect_quiet(Duration::from_millis(100));
    run.signal("TERM");
    assert_eq!(run.wait().code(), 1);
}

#[test]
fn without_signalfd_every_signal_with_a_handler_reaches_the_child() {
    // The C library lets nobody handle 32 and 33 (and musl's 34).
    for range in [1..=31, 35..=64] {
        let launch = foster().arg("--").probe("rawtrap").inheriting(WITHOUT_SIGNALFD);
        every_signal_reaches_the_child(launch.place(Place::Pid1), range);
    }
}
