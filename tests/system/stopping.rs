//! "Stopping": requests, the deadline, and when a service is down. The default deadline of 10 s is
//! waited for in `real_time`.

use std::time::{Duration, Instant};

use crate::subject::{foster, probe_line, quick, wrapped};
use crate::support::procfs;
use crate::support::running::send;
use crate::support::{Launch, Place, Status, probe};

#[test]
fn term_int_and_quit_stop_what_is_supervised() {
    for signal in ["TERM", "INT", "QUIT"] {
        let supervised = quick(foster()).args(["-v", "--restart", "on-failure"]);
        let supervised = supervised.probe("say=up pause");
        for launch in [wrapped("say=up pause"), supervised] {
            let mut run = launch.start();
            run.expect("up");
            run.signal(signal);
            let output = run.wait();
            assert_eq!((output.code(), output.stdout.as_str()), (0, "up\n"), "{signal}");
            assert!(output.stderr.contains(&format!("SIG{signal}: stopping\n")), "{output:?}");
        }
    }
}

#[test]
fn term_stops_an_init() {
    let mut run = foster().probe("block=TERM say=up await=TERM say=bye exit=4").start();
    run.expect("up");
    run.signal("TERM");
    let output = run.wait();
    assert_eq!((output.code(), output.stdout.as_str()), (4, "up\nbye\n"));
}

#[test]
fn the_stop_signal_is_a_request_too_with_a_deadline() {
    for signal in ["WINCH", "QUIT", "USR1", "RTMIN+3"] {
        for launch in [wrapped("trap"), foster().probe("trap")] {
            let launch = launch.env("FOSTER_STOP_SIGNAL", signal);
            let mut run = launch.env("FOSTER_STOP_TIMEOUT", "100ms").start();
            run.expect("trapping");
            let name = if signal == "RTMIN+3" { "37" } else { signal };
            run.signal(name);
            run.expect_all(&[&format!("got {name}"), "got CONT"]);
            assert_eq!(run.wait().code(), 137, "{signal}");
        }
    }
}

#[test]
fn a_power_failure_stops_services_by_term() {
    let mut run = wrapped("block=PWR say=up pause").start();
    run.expect("up");
    run.signal("PWR");
    let output = run.wait();
    assert_eq!(output.code(), 0);
    assert!(output.stderr.contains("was killed by SIGTERM, as requested"), "{output:?}");
}

#[test]
fn a_slow_stop_is_told() {
    let mut run = wrapped("fork { ignore=TERM,INT say=member pause } say=up pause").start();
    run.expect_all(&["member", "up"]);
    run.signal("TERM");
    let line = run.expect_error("foster: warning: probe: waiting for probe (pid ");
    assert!(line.ends_with("s; Ctrl-C twice kills at once"), "{line}");
    run.signal("INT");
    let line = run.expect_error("foster: warning: probe: waiting for probe (pid ");
    assert!(line.ends_with("s; another Ctrl-C kills at once"), "{line}");
    run.signal("INT");
    assert_eq!(run.wait().code(), 137);
}

#[test]
fn the_end_by_sigkill_is_said_as_it_was() {
    let mut run = wrapped("ignore=TERM say=up pause").args(["--stop-timeout", "50ms"]).start();
    run.expect("up");
    run.signal("TERM");
    let late = run.wait().stderr;
    assert!(late.contains("was killed by SIGKILL because it did not stop in time"), "{late}");
    let mut run = wrapped("trap").start();
    run.expect("trapping");
    run.signal("INT");
    run.expect("got CONT");
    run.signal("INT");
    let hurried = run.wait().stderr;
    assert!(hurried.contains("was killed by SIGKILL because SIGINT came twice"), "{hurried}");
}

#[test]
fn after_a_stop_request_nothing_is_started_any_more() {
    // Ends by itself, while another one takes its time over the stop.
    let launch = foster().args(["--backoff", "1ms", "--backoff-max", "1ms", "--wrap"]);
    let launch = launch.arg(probe_line("block=TERM say=up await=TERM sleep=300 say=down"));
    let mut run = launch.arg("--wrap").arg(probe_line("say=run sleep=1")).start();
    run.expect_all(&["up", "run"]);
    run.signal("TERM");
    run.expect_error("foster: info: SIGTERM: stopping");
    let rest = run.wait();
    let after = rest.stderr.split("SIGTERM: stopping").nth(1).expect("it was there");
    assert!(!after.contains(" started"), "{rest:?}");
    assert!(rest.stdout.ends_with("down\n"), "{rest:?}");
}

#[test]
fn a_pending_backoff_ends_at_once() {
    let launch = foster().args(["--backoff", "1h", "--backoff-max", "1h", "--wrap"]);
    let mut run = launch.arg(probe_line("exit=3")).start();
    run.expect_error("foster: info: probe starts again in 3600s");
    // No test waits for an hour.
    run.signal("TERM");
    assert_eq!(run.wait().code(), 3);
}

#[test]
fn a_second_int_kills_at_once() {
    let mut run = wrapped("trap").args(["--stop-timeout", "infinity"]).start();
    run.expect("trapping");
    run.signal("INT");
    assert_eq!([run.line(), run.line()], ["got INT", "got CONT"]);
    run.signal("INT");
    run.expect_error("foster: warning: probe has not ended: sending SIGKILL");
    assert_eq!(run.wait().code(), 137);
}

#[test]
fn an_int_behind_a_term_is_the_first_one() {
    let mut run = wrapped("trap").args(["--stop-timeout", "infinity"]).start();
    run.expect("trapping");
    run.signal("TERM");
    assert_eq!([run.line(), run.line()], ["got TERM", "got CONT"]);
    run.signal("INT");
    assert_eq!(run.line(), "got INT");
    run.signal("INT");
    assert_eq!(run.wait().code(), 137);
}

#[test]
fn a_child_that_ignores_the_stop_signal_is_killed_at_the_deadline_with_its_group() {
    let script = "ignore=TERM fork { say=helper pause } say=up pause";
    for launch in [wrapped(script), foster().probe(script)] {
        let launch = launch.env("FOSTER_STOP_TIMEOUT", "200ms");
        let mut run = launch.place(Place::Job).start();
        run.expect_all(&["up", "helper"]);
        let begin = Instant::now();
        run.signal("TERM");
        run.expect_error("foster: warning: probe has not ended: sending SIGKILL");
        assert!(begin.elapsed() >= Duration::from_millis(200));
        assert_eq!(run.wait_for_status(), Status::Code(137));
        assert!(run.living().is_empty());
    }
}

#[test]
fn a_stopped_child_gets_cont_so_that_it_can_act_on_the_stop() {
    for launch in [wrapped(ACTS), foster().probe(ACTS)] {
        let mut run = launch.place(Place::Pid1).start();
        run.expect("up");
        let child = run.child();
        send(child, "STOP");
        procfs::await_state(child, "T");
        run.signal("TERM");
        run.expect("acted");
        assert_eq!(run.wait().code(), 0);
    }
}

const ACTS: &str = "block=TERM say=up await=TERM say=acted exit=0";

#[test]
fn a_stopped_child_that_ignores_the_stop_is_killed_at_the_deadline() {
    let launch = wrapped("ignore=TERM,CONT say=up pause").args(["--stop-timeout", "100ms"]);
    let mut run = launch.place(Place::Pid1).start();
    run.expect("up");
    let child = run.child();
    send(child, "STOP");
    procfs::await_state(child, "T");
    run.signal("TERM");
    assert_eq!(run.wait().code(), 137);
}

#[test]
fn a_service_is_down_when_its_whole_group_is_gone_not_when_its_leader_is() {
    let member = "fork { block=TERM say=member await=TERM sleep=300 say=cleaned } say=leader pause";
    for launch in [wrapped(member), foster().probe(member)] {
        for place in [Place::Child, Place::Pid1, Place::Job] {
            let mut run = launch.clone().place(place).start();
            run.expect_all(&["member", "leader"]);
            run.signal("TERM");
            assert!(run.wait().stdout.ends_with("cleaned\n"));
        }
    }
}

#[test]
fn sh_c_around_an_app_that_takes_a_while_to_clean_up_lets_it_finish() {
    // dash dies of the group's TERM at once. `real_time` does the same with two seconds.
    let line =
        format!("{}; exit 5", probe_line("block=TERM say=up await=TERM sleep=300 say=clean"));
    for launch in [foster().args(["--wrap", &line]), foster().args(["--", "sh", "-c", &line])] {
        let mut run = launch.place(Place::Pid1).start();
        run.expect("up");
        run.signal("TERM");
        assert!(run.wait().stdout.ends_with("clean\n"));
    }
}

#[test]
fn a_member_of_the_group_whose_parent_lives_elsewhere_is_waited_for_too() {
    // The member is the child of one that left the group, and so is never adopted by foster.
    let script = "fork { fork { block=TERM say=member await=TERM sleep=300 say=cleaned } setsid \
                  ignore=TERM say=outside pause } say=leader pause";
    let script = script.replace("                  ", "");
    let mut run = foster().args(["--stop-timeout", "infinity", "--"]).probe(&script);
    run = run.place(Place::Job);
    let mut run = run.start();
    run.expect_all(&["member", "outside", "leader"]);
    run.signal("TERM");
    run.expect("cleaned");
    assert_eq!(run.wait_for_status(), Status::Code(143));
}

#[test]
fn the_deadline_holds_for_the_last_member() {
    let script = "fork { ignore=TERM say=member pause } say=leader pause";
    for (launch, code) in [(wrapped(script), 137), (foster().probe(script), 143)] {
        let launch = launch.env("FOSTER_STOP_TIMEOUT", "300ms").place(Place::Job);
        let mut run = launch.start();
        run.expect_all(&["member", "leader"]);
        let begin = Instant::now();
        run.signal("TERM");
        assert_eq!(run.wait_for_status(), Status::Code(code));
        assert!(begin.elapsed() >= Duration::from_millis(300));
        assert!(run.living().is_empty());
    }
}

#[test]
fn at_the_deadline_what_escaped_the_group_is_killed_too() {
    let script =
        "ignore=TERM fork { setsid say=daemon pause } fork { say=member pause } say=up pause";
    for launch in [wrapped(script), foster().probe(script)] {
        let launch = launch.env("FOSTER_STOP_TIMEOUT", "100ms").place(Place::Job);
        let mut run = launch.start();
        run.expect_all(&["daemon", "member", "up"]);
        run.signal("TERM");
        assert_eq!(run.wait_for_status(), Status::Code(137));
        assert!(run.living().is_empty());
    }
}

#[test]
fn after_a_stop_in_time_what_escaped_the_group_of_a_service_is_gone_too() {
    let script = "fork { setsid say=daemon pause } say=up pause";
    let mut run = wrapped(script).place(Place::Job).start();
    run.expect_all(&["daemon", "up"]);
    run.signal("TERM");
    assert_eq!(run.wait_for_status(), Status::Code(0));
    assert!(run.living().is_empty());
}

#[test]
fn an_infinite_stop_timeout_waits_for_as_long_as_it_takes() {
    let script = "block=TERM say=up await=TERM say=asked await=HUP exit=0";
    let launch = foster().args(["--stop-timeout", "infinity", "--"]);
    let mut run = launch.probe(&format!("block=HUP {script}")).start();
    run.expect("up");
    run.signal("TERM");
    run.expect("asked");
    let told = run.expect_error("foster: warning: probe: waiting for probe (pid ");
    assert!(told.contains("), without a deadline"), "{told}");
    run.signal("HUP");
    assert_eq!(run.wait().code(), 0);
}

#[test]
fn a_stop_timeout_of_0_kills_right_behind_the_stop_signal() {
    let mut run = wrapped("trap").args(["--stop-timeout", "0"]).start();
    run.expect("trapping");
    run.signal("TERM");
    assert_eq!(run.wait().code(), 137);
}

#[test]
fn services_stop_side_by_side() {
    // None ends before all were asked to.
    let script = "block=TERM,HUP say=up await=TERM say=asked await=HUP";
    let mut launch = foster().args(["--stop-timeout", "infinity"]);
    for _ in 0..5 {
        launch = launch.arg("--wrap").arg(probe_line(script));
    }
    let mut run = launch.start();
    run.expect_all(&["up"; 5]);
    run.signal("TERM");
    run.expect_all(&["asked"; 5]);
    run.signal("HUP");
    assert_eq!(run.wait().code(), 0);
}

#[test]
fn a_stop_is_obeyed_while_a_service_is_between_a_crash_and_its_restart_again_and_again() {
    for delay in 0..40 {
        let launch = foster().args(["--backoff", "0", "--wrap"]);
        let mut run: crate::support::Running =
            launch.arg(probe_line("say=run exit=0")).place(Place::Child).start();
        run.expect("run");
        std::thread::sleep(Duration::from_micros(delay * 100));
        run.signal("TERM");
        assert_eq!(run.wait().code(), 0);
    }
}

#[test]
fn the_probe_itself_ends_by_term_where_nobody_stops_it() {
    // What the other tests rest on.
    let mut run = Launch::new(probe()).args(["say=up", "pause"]).start();
    run.expect("up");
    run.signal("TERM");
    assert_eq!(run.wait().status, Status::Signal("TERM".into()));
}
