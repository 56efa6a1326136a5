//! "where the kernel has none (ENOSYS), signal-hook's self-pipe and the poll timeout serve, with
//! the same behaviour": what other files promise, with signalfd and timerfd taken away.

use std::time::{Duration, Instant};

use crate::idle::{assert_waits_in_one_call, watch};
use crate::inheritance::WITHOUT_SIGNALFD;
use crate::orphans::ten_thousand_orphans;
use crate::signals::values_go_on;
use crate::subject::{foster, kill, probe_line, wrapped};
use crate::support::patience::until;
use crate::support::procfs;
use crate::support::running::send;
use crate::support::{Launch, Place, Status, probe};

fn without(launch: Launch) -> Launch {
    launch.inheriting(WITHOUT_SIGNALFD)
}

#[test]
fn neither_signalfd_nor_timerfd_is_there() {
    // What the others rest on; each has one descriptor for what the other does with another.
    let mut run = without(wrapped("say=up pause")).start();
    run.expect("up");
    for (_, file) in procfs::open_files(run.pid()) {
        assert!(!file.contains("signalfd") && !file.contains("timerfd"), "{file}");
    }
}

#[test]
fn an_init_ends_with_the_status_of_its_command() {
    for place in [Place::Child, Place::Pid1, Place::Job] {
        assert_eq!(without(foster().probe("exit=7")).place(place).output().code(), 7);
        assert_eq!(without(foster().probe("die=SEGV")).place(place).output().code(), 139);
    }
}

#[test]
fn real_time_signals_go_on_one_by_one_in_order_with_their_values() {
    let launch = foster().arg("--").probe("rawtrap");
    values_go_on(without(launch).place(Place::Pid1));
}

#[test]
fn without_a_queue_either_none_of_many_signals_waits_for_the_next() {
    let launch = foster().args(["-q", "--wrap"]).arg(probe_line("rawtrap"));
    let denied = format!("{WITHOUT_SIGNALFD} deny=epoll_create1:EMFILE");
    values_go_on(launch.inheriting(&denied).place(Place::Pid1));
}

#[test]
fn without_rt_sigtimedwait_signals_are_read() {
    for error in ["EPERM", "ENOSYS"] {
        // One that waits in another way itself.
        let app = "trap 'echo got' USR1; echo up; while :; do sleep 60 & wait $!; done";
        let launch = foster().args(["--", "/bin/sh", "-c", app]).place(Place::Pid1);
        let mut run = launch.inheriting(&format!("deny=rt_sigtimedwait:{error}")).start();
        run.expect("up");
        assert_waits_in_one_call(&watch(&mut run, Duration::from_secs(1)));
        assert!(!procfs::waits_for_signals(run.pid()));
        for _ in 0..3 {
            run.signal("USR1");
            run.expect("got");
        }
        run.signal("TERM");
        assert_eq!(run.wait().code(), 143);
    }
}

#[test]
fn without_a_queue_deadlines_and_signals_still_arrive() {
    for deny in [
        "epoll_create1:EMFILE",
        "epoll_ctl:ENOMEM",
        "epoll_create1,signalfd4:ENOSYS",
        "epoll_create1,rt_sigtimedwait:ENOSYS",
    ] {
        let deny = format!("deny={deny}");
        let launch = foster().args(["--backoff", "100ms", "--backoff-max", "100ms", "--wrap"]);
        let begin = Instant::now();
        let mut run = launch.arg(probe_line("say=run exit=1")).inheriting(&deny).start();
        (0..3).for_each(|_| run.expect("run"));
        assert!(begin.elapsed() >= Duration::from_millis(200), "{deny}: {:?}", begin.elapsed());
        let files = procfs::open_files(run.pid());
        assert!(!files.iter().any(|(_, file)| file.contains("eventpoll")), "{deny}: {files:?}");
        run.signal("TERM");
        // It may have been between two runs.
        assert!(matches!(run.wait_for_status(), Status::Code(0 | 1)), "{deny}");

        // One that waits in another way itself.
        let app = "for s in USR1 USR2 TERM; do trap \"echo got $s\" $s; done; echo up; \
                   while :; do sleep 60 & wait $!; done";
        let launch = foster().args(["--stop-timeout", "3s", "--", "/bin/sh", "-c", app]);
        let mut run = launch.inheriting(&deny).place(Place::Pid1).start();
        run.expect("up");
        run.signal("USR1");
        run.expect("got USR1");
        let begin = Instant::now();
        run.signal("TERM");
        run.expect("got TERM");
        // With a deadline, and during its wait.
        procfs::await_rest(run.pid());
        run.signal("USR2");
        run.expect("got USR2");
        assert_eq!(run.wait().code(), 137, "{deny}");
        assert!(begin.elapsed() >= Duration::from_secs(3), "{deny}: {:?}", begin.elapsed());

        let launch = foster().args(["--backoff", "1h", "--backoff-max", "1h", "--wrap"]);
        let mut run = launch.arg(probe_line("exit=1")).inheriting(&deny).place(Place::Pid1).start();
        run.expect_error("foster: info: probe starts again in 3600s");
        let calls = watch(&mut run, Duration::from_secs(1));
        assert_waits_in_one_call(&calls);
        assert!(calls.last().is_some_and(|call| call.contains(" ppoll(")), "{deny}: {calls:#?}");
    }
}

#[test]
fn what_is_pending_when_the_first_deadline_begins_arrives_beside_it() {
    let launch = foster().arg("--").probe("trap").place(Place::Child);
    for launch in
        [launch.clone(), launch.clone().inheriting("deny=epoll_create1:EMFILE"), without(launch)]
    {
        let mut run = launch.start();
        run.expect("trapping");
        // For a foster that does not get to see to them.
        let pid = run.pid();
        send(pid, "STOP");
        procfs::await_state(pid, "T");
        run.signal("TERM");
        run.signal("WINCH");
        send(pid, "CONT");
        run.expect_all(&["got TERM", "got WINCH"]);
        run.signal("KILL");
        run.wait_for_status();
    }
}

/// docs/INSTALL.md says what foster does without each of these.
#[test]
fn no_system_call_that_came_after_linux_3_4_is_needed() {
    let newer = "deny=getrandom,clone3,close_range,pidfd_open,pidfd_send_signal:ENOSYS";
    let script = "fork { setsid say=fled pause } block=USR1 say=up await=USR1 exit=1";
    let mut run = wrapped(script).place(Place::Job).inheriting(newer).start();
    for _ in 0..3 {
        run.expect_all(&["fled", "up"]);
        // What the run before left behind is gone. The namespace's own PID 1 is a probe too.
        until("there are other processes than there should be", || {
            let all = run.everything().into_iter().filter_map(procfs::stat);
            let probes = all.filter(|stat| stat.name == "probe" && stat.state != 'Z');
            (probes.count() == 3).then_some(())
        });
        run.signal("USR1");
    }
    run.expect_all(&["fled", "up"]);
    run.signal("TERM");
    assert_eq!(run.wait().code(), 0);

    let mut run =
        foster().args(["--", probe(), "trap"]).inheriting(newer).place(Place::Pid1).start();
    run.expect("trapping");
    run.signal("HUP");
    run.expect("got HUP");
}

/// More than a pipe holds, and less than a small machine's kernel keeps for a user (RLIMIT_SIGPENDING).
const MANY: usize = 3000;

#[test]
fn no_signal_is_lost_however_many_there_are_at_once() {
    let launch = foster().arg("--").probe("rawtrap").place(Place::Pid1);
    for launch in [launch.clone(), without(launch)] {
        let mut run = launch.start();
        run.expect("trapping");
        // For a foster that does not get to see to them.
        let pid = run.pid();
        send(pid, "STOP");
        procfs::await_state(pid, "T");
        (0..MANY).for_each(|_| kill(pid, 40));
        send(pid, "CONT");
        (0..MANY).for_each(|_| run.expect("got 40"));
    }
}

#[test]
fn ten_thousand_orphans_leave_no_zombie_and_delay_no_signal() {
    ten_thousand_orphans(without(foster()), Place::Pid1);
}

#[test]
fn a_restart_comes_after_its_backoff() {
    let launch = foster().args(["--backoff", "100ms", "--backoff-max", "200ms", "--wrap"]);
    let begin = Instant::now();
    let mut run = without(launch.arg(probe_line("say=run exit=1"))).start();
    (0..4).for_each(|_| run.expect("run"));
    assert!(begin.elapsed() >= Duration::from_millis(500), "{:?}", begin.elapsed());
    run.signal("TERM");
    run.wait_for_status();
}

#[test]
fn a_stop_kills_at_the_deadline() {
    let launch = wrapped("ignore=TERM say=up pause").args(["--stop-timeout", "300ms"]);
    let mut run = without(launch).place(Place::Pid1).start();
    run.expect("up");
    let begin = Instant::now();
    run.signal("TERM");
    assert_eq!(run.wait().code(), 137);
    assert!(begin.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_stop_waits_for_the_whole_group_and_clears_away_what_escaped_it() {
    let script = "fork { block=TERM say=member await=TERM sleep=200 say=cleaned } \
                  fork { setsid say=daemon pause } say=leader pause";
    let mut run = without(wrapped(script)).place(Place::Job).start();
    run.expect_all(&["member", "daemon", "leader"]);
    run.signal("TERM");
    run.expect("cleaned");
    assert_eq!(run.wait_for_status(), Status::Code(0));
    assert!(run.living().is_empty());
}

#[test]
fn a_stop_right_after_the_start_is_not_lost() {
    for attempt in 0..200 {
        let launch = foster().args(["--stop-timeout", "infinity", "--"]).probe("pause");
        let mut run = without(launch).place(Place::Child).start();
        let pid = run.pid();
        // Until it handles its signals, which it blocked before.
        until("it never caught its signals", || {
            (procfs::status(pid, "SigCgt")? != "0000000000000000").then_some(())
        });
        std::thread::sleep(Duration::from_micros(attempt * 5));
        run.signal("TERM");
        assert_eq!(run.wait().code(), 143, "try {attempt}");
    }
}

#[test]
fn a_fault_that_somebody_sends_is_forwarded_and_kills_nobody_else() {
    let mut run = without(foster().arg("--").probe("trap")).start();
    run.expect("trapping");
    for signal in ["SEGV", "BUS", "FPE", "ILL", "TRAP", "ABRT", "SYS"] {
        run.signal(signal);
        assert_eq!(run.line(), format!("got {signal}"));
    }
}

#[test]
fn a_signal_that_the_c_library_hides_kills_nobody() {
    let mut run = without(foster().arg("--").probe("trap")).start();
    run.expect("trapping");
    for signal in ["32", "33", "USR1"] {
        run.signal(signal);
    }
    assert_eq!(run.line(), "got USR1");
}
