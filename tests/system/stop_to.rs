//! "Who gets the stop signal, and when": the leader first, the whole group, or the leader alone.

use std::time::{Duration, Instant};

use crate::subject::{binary, foster, probe_line, wrapped};
use crate::support::running::Output;
use crate::support::{Launch, Place};

/// Each way, and whether it is the default of a command.
const WAYS: [&str; 3] = ["leader-first", "group", "leader"];

/// Stops a command in this way once all of it is up; gives what came of it, and how long it took.
fn stopped(to: &str, timeout: &str, command: &[&str], up: &[&str]) -> (Output, Duration) {
    let launch = foster().args(["--stop-to", to, "--stop-timeout", timeout, "--"]).args(command);
    let mut run = launch.place(Place::Pid1).start();
    run.expect_all(up);
    let begin = Instant::now();
    run.signal("TERM");
    let output = run.wait();
    (output, begin.elapsed())
}

/// How often a line stands in an output.
fn count(output: &Output, line: &str) -> usize {
    output.stdout.lines().filter(|one| *one == line).count()
}

/// A program that takes a moment to clean up when it is asked to end.
fn app() -> String {
    probe_line("block=TERM say=app await=TERM sleep=50 say=cleaned")
}

#[test]
fn a_prefork_server_looks_after_its_workers_unless_its_whole_group_is_stopped() {
    // As PostgreSQL and nginx have it: a worker finishes what it has in hand when its server says so, and dies of TERM.
    let worker = "fork { unblock=TERM block=QUIT say=worker await=QUIT sleep=50 say=finished }";
    let server = format!("block=TERM {worker} {worker} say=up await=TERM tell=QUIT wait exit=0");
    for (to, finished) in [("leader-first", 2), ("group", 0), ("leader", 2)] {
        let command: Vec<&str> =
            std::iter::once(crate::support::probe()).chain(server.split(' ')).collect();
        let (output, _) = stopped(to, "20s", &command, &["worker", "worker", "up"]);
        assert_eq!((output.code(), count(&output, "finished")), (0, finished), "{to}: {output:?}");
    }
}

#[test]
fn a_shell_that_ends_at_once_does_not_cut_off_its_app() {
    let line = format!("{}; exit 5", app());
    for shell in ["dash", "bash"] {
        for to in WAYS {
            // For the leader alone the app is not told, and there is nobody left who could.
            let told = to != "leader";
            let timeout = if told { "20s" } else { "200ms" };
            let (output, took) = stopped(to, timeout, &[shell, "-c", &line], &["app"]);
            let cleaned = usize::from(told);
            assert_eq!((output.code(), count(&output, "cleaned")), (143, cleaned), "{shell} {to}");
            assert!(told || took >= Duration::from_millis(200), "{shell} {to}: {took:?}");
        }
    }
}

#[test]
fn a_shell_that_waits_with_a_trap_is_not_stuck() {
    let line = format!("trap 'echo trapped; exit 3' TERM; {}", app());
    for shell in ["dash", "bash"] {
        for (to, timeout, least) in
            [("leader-first", "3s", 1500), ("group", "20s", 0), ("leader", "200ms", 200)]
        {
            let (output, took) = stopped(to, timeout, &[shell, "-c", &line], &["app"]);
            // A shell runs its trap when the app that it waits for has ended.
            let told = to != "leader";
            let (code, lines) = if told { (3, 1) } else { (137, 0) };
            let said = (count(&output, "cleaned"), count(&output, "trapped"));
            assert_eq!((output.code(), said), (code, (lines, lines)), "{shell} {to}: {output:?}");
            assert!(took >= Duration::from_millis(least), "{shell} {to}: {took:?}");
            assert!(told || output.stderr.contains("sending SIGKILL"), "{shell} {to}: {output:?}");
        }
    }
}

#[test]
fn a_shell_that_waits_for_its_app_in_the_background_passes_the_stop_on() {
    // The trap knows its app from the second line on.
    let trap = "trap 'kill -TERM $app; wait $app; exit 4' TERM";
    let line = format!("{trap}; {} & app=$!; echo waits; wait", app());
    for shell in ["dash", "bash"] {
        for to in WAYS {
            let (output, _) = stopped(to, "20s", &[shell, "-c", &line], &["app", "waits"]);
            assert_eq!((output.code(), count(&output, "cleaned")), (4, 1), "{shell} {to}");
        }
    }
}

#[test]
fn all_of_a_pipeline_is_stopped() {
    // The shell ends at once, and both of the others get the signal.
    let part =
        |name: &str| probe_line(&format!("block=TERM say={name} await=TERM say={name}-done"));
    let line = format!("{} >&2 | {}; exit 5", part("first"), part("second"));
    for shell in ["dash", "bash"] {
        for to in WAYS {
            let told = to != "leader";
            let timeout = if told { "20s" } else { "200ms" };
            let launch = foster().args(["--stop-to", to, "--stop-timeout", timeout, "--"]);
            let mut run = launch.args([shell, "-c", &line]).place(Place::Pid1).start();
            run.expect_error("first");
            run.expect("second");
            run.signal("TERM");
            let output = run.wait();
            let done = (count(&output, "second-done"), output.stderr.contains("first-done"));
            assert_eq!((output.code(), done), (143, (usize::from(told), told)), "{shell} {to}");
        }
    }
    // It waits, and the last one reads until the one before has ended.
    let first = probe_line("block=TERM say=first await=TERM say=done");
    let line = format!("{first} | while read -r line; do echo \"$line\"; done; exit 6");
    let line = format!("trap '' TERM; ({line})");
    for shell in ["dash", "bash"] {
        for to in WAYS {
            let told = to != "leader";
            let timeout = if told { "1s" } else { "200ms" };
            let (output, _) = stopped(to, timeout, &[shell, "-c", &line], &["first"]);
            let (code, done) = if told { (6, 1) } else { (137, 0) };
            assert_eq!((output.code(), count(&output, "done")), (code, done), "{shell} {to}");
        }
    }
}

#[test]
fn the_rest_of_a_group_is_asked_once_after_half_of_the_time_and_its_leader_not_again() {
    let script = "fork { setsid trap=outside } fork { fork { trap=inner } trap=outer } trap=leader";
    let up = ["outside trapping", "inner trapping", "outer trapping", "leader trapping"];
    let launch = |config: &str| {
        let launch = foster().args(["--stop-timeout", "1s", "--"]).probe(script);
        if config.is_empty() { launch } else { launch.inheriting(config) }
    };
    let asked = |launch: Launch| {
        let mut run = launch.place(Place::Pid1).start();
        run.expect_all(&up);
        run.signal("TERM");
        let output = run.wait();
        assert_eq!(output.code(), 137);
        let lines: Vec<String> = output.stdout.lines().skip(up.len()).map(str::to_owned).collect();
        lines
    };
    for config in ["", "deny=pidfd_open:ENOSYS", "deny=pidfd_send_signal:ENOSYS"] {
        let lines = asked(launch(config));
        assert_eq!(lines[..2], ["leader got TERM", "leader got CONT"], "{config}");
        let mut rest = lines[2..].to_vec();
        rest.sort();
        let wanted = ["inner got CONT", "inner got TERM", "outer got CONT", "outer got TERM"];
        assert_eq!(rest, wanted, "{config}");
    }
    // Nobody can be told apart: all are asked.
    let mut rest = asked(launch("proc=none"))[2..].to_vec();
    rest.sort();
    assert_eq!(rest[..2], ["inner got CONT", "inner got TERM"]);
    assert_eq!(rest[2..4], ["leader got CONT", "leader got TERM"]);
    assert_eq!(rest[4..], ["outer got CONT", "outer got TERM"]);
}

#[test]
fn services_are_stopped_as_groups_and_restarted_commands_leader_first() {
    let script = "fork { trap=member } trap=leader";
    let command = foster().args(["--restart", "always", "--"]).probe(script);
    let by_choice = wrapped(script).args(["--stop-to", "leader-first"]);
    for (launch, both) in [(wrapped(script), true), (command, false), (by_choice, false)] {
        let mut run = launch.env("FOSTER_STOP_TIMEOUT", "infinity").place(Place::Pid1).start();
        run.expect_all(&["member trapping", "leader trapping"]);
        run.signal("TERM");
        if both {
            run.expect_all(&["member got TERM", "leader got TERM"]);
        } else {
            assert_eq!([run.line(), run.line()], ["leader got TERM", "leader got CONT"]);
            run.expect_quiet(Duration::from_millis(200));
            let leader = run.child();
            crate::support::running::send(leader, "KILL");
            assert_eq!([run.line(), run.line()], ["member got TERM", "member got CONT"]);
        }
        run.signal("INT");
        run.expect("member got INT");
        run.signal("INT");
        run.wait_for_status();
    }
}

#[test]
fn a_stop_under_the_name_of_another_goes_to_whom_its_signals_go() {
    let script = "fork { trap=member } trap=leader";
    for (args, both) in [
        (&["--as", "tini", "--"][..], false),
        (&["--as", "tini", "-g", "--"], true),
        (&["--as", "dumb-init"], true),
        (&["--as", "dumb-init", "-c"], false),
        (&["--as", "catatonit", "--"], false),
        (&["--as", "catatonit", "-g", "--"], true),
    ] {
        let launch = Launch::new(binary()).args(args).probe(script);
        let mut run = launch.env("FOSTER_STOP_TIMEOUT", "1h").place(Place::Pid1).start();
        run.expect_all(&["member trapping", "leader trapping"]);
        run.signal("TERM");
        if both {
            run.expect_all(&["member got TERM", "leader got TERM"]);
        } else {
            assert_eq!([run.line(), run.line()], ["leader got TERM", "leader got CONT"]);
            run.expect_quiet(Duration::from_millis(100));
        }
    }
}
