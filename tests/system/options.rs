//! What each option does to the real binary. How options are read is tested in tests/cli.

use std::time::{Duration, Instant};

use crate::subject::{foster, probe_line, quick, wrapped};
use crate::support::procfs;
use crate::support::running::send;
use crate::support::{Place, Running, Status};

#[test]
fn app_port_numbers_the_services() {
    let launch = foster().args(["--app-port", "8080"]);
    let launch = launch.arg("--wrap").arg(probe_line("env=PORT env=HOST pause"));
    let launch = launch.arg("--wrap").arg(probe_line("env=PORT env=HOST pause"));
    let mut run = launch.start();
    run.expect_all(&["PORT=8080", "PORT=8081", "HOST=127.0.0.1", "HOST=127.0.0.1"]);
}

#[test]
fn app_port_is_read_from_the_environment_too() {
    let mut run = wrapped("env=PORT pause").env("APP_PORT", "4000").start();
    run.expect("PORT=4000");
}

#[test]
fn restart_never_runs_a_service_once() {
    let output = wrapped("say=run exit=3").args(["--restart", "never"]).output();
    assert_eq!((output.code(), output.stdout.as_str()), (3, "run\n"));
}

#[test]
fn restart_on_failure_stops_at_the_first_success() {
    let folder = crate::subject::Folder::new();
    let script = folder.script(
        "app",
        "#!/bin/sh\necho run\n[ -e \"$0.done\" ] && exit 0\n: > \"$0.done\"\nexit 1\n",
    );
    let output = quick(foster()).args(["--restart", "on-failure", "--wrap", &script]).output();
    assert_eq!((output.code(), output.stdout.as_str()), (0, "run\nrun\n"));
}

#[test]
fn restart_on_failure_does_not_restart_what_counts_as_success() {
    let launch = wrapped("say=run exit=4").args(["--restart", "on-failure", "--success", "4"]);
    let output = launch.output();
    assert_eq!((output.code(), output.stdout.as_str()), (0, "run\n"));
}

#[test]
fn restart_always_supervises_a_command_too() {
    let launch = quick(foster()).args(["-v", "--restart", "always"]);
    let mut run = launch.probe("env=PORT exit=1").start();
    for _ in 0..3 {
        // PORT is touched only with --wrap.
        assert_eq!(run.line(), "PORT is unset");
    }
    // And so INT is a stop request.
    run.signal("INT");
    run.expect_error("foster: info: SIGINT: stopping");
    run.wait_for_status();
}

#[test]
fn backoff_is_measured_from_the_end_and_doubles_up_to_the_maximum() {
    let launch = foster().args(["--backoff", "100ms", "--backoff-max", "300ms"]);
    // A run lasts for a while, which counts for nothing, and then for as long as the test likes.
    let script = "block=USR1 sleep=150 say=up await=USR1";
    let mut run = launch.arg("--wrap").arg(probe_line(script)).start();
    run.expect("up");
    for least in [100, 200, 300, 300].map(Duration::from_millis) {
        let begin = Instant::now();
        run.signal("USR1");
        run.expect("up");
        let pause = begin.elapsed().saturating_sub(Duration::from_millis(150));
        assert!(pause >= least, "{pause:?} instead of {least:?}");
    }
    for line in ["100ms, restart 1", "200ms, restart 2", "300ms, restart 3", "300ms, restart 4"] {
        run.expect_error(&format!("foster: info: probe starts again in {line} in a row"));
    }
}

#[test]
fn a_healthy_run_resets_the_backoff_and_the_restart_count() {
    let launch = foster().args(["--backoff", "20ms", "--healthy-after", "5s"]);
    let script = "block=HUP say=up await=HUP exit=1";
    let launch = launch.args(["--max-restarts", "2", "--wrap"]).arg(probe_line(script));
    let mut run = launch.start();
    let mut end_run = |lasts| {
        run.expect("up");
        // From then on its time counts.
        assert!(run.expect_error("foster: info: probe (pid ").ends_with(" started"));
        run.expect_quiet(lasts);
        run.signal("HUP");
        assert!(run.expect_error("foster: warning: probe (pid ").ends_with(" status 1"));
        run.expect_error("foster: ")
    };
    // All but the third run end at once.
    let (short, long) = (Duration::ZERO, Duration::from_millis(5100));
    let again = |line| format!("info: probe starts again in {line} in a row");
    assert_eq!(end_run(short), again("20ms, restart 1"));
    assert_eq!(end_run(short), again("40ms, restart 2"));
    assert_eq!(end_run(long), again("20ms, restart 1"));
    assert_eq!(end_run(short), again("40ms, restart 2"));
    let gives_up = "error: giving up on probe: no healthy run in 2 restarts in a row";
    assert_eq!(end_run(short), gives_up);
    assert_eq!(run.wait().code(), 1);
}

#[test]
fn max_restarts_stops_the_others_and_ends_with_that_services_status() {
    let script = "block=HUP say=run await=HUP exit=3";
    let other = probe_line("block=TERM,HUP say=other await=TERM say=other,stopped exit=9");
    let launch = wrapped(script).args(["--max-restarts", "2", "--wrap", &other]);
    let mut run = launch.start();
    run.expect_all(&["other", "run"]);
    for _ in 0..2 {
        run.signal("HUP");
        run.expect("run");
    }
    run.signal("HUP");
    let output = run.wait();
    assert_eq!(output.code(), 3);
    assert_eq!(output.stdout.matches("run\n").count(), 3, "{output:?}");
    assert!(output.stdout.ends_with("other,stopped\n"), "{output:?}");
}

#[test]
fn max_restarts_0_gives_up_at_the_first_end() {
    let output = wrapped("say=run exit=0").args(["--max-restarts", "0"]).output();
    assert_eq!((output.code(), output.stdout.as_str()), (0, "run\n"));
}

#[test]
fn stop_signal_is_sent_instead_of_the_one_received_and_cont_follows_it() {
    let mut run = wrapped("trap").args(["--stop-signal", "QUIT"]).start();
    run.expect("trapping");
    run.signal("TERM");
    assert_eq!([run.line(), run.line()], ["got QUIT", "got CONT"]);
}

#[test]
fn without_a_stop_signal_the_one_received_is_sent_and_cont_follows_it() {
    for signal in ["TERM", "INT", "QUIT"] {
        let mut run = wrapped("trap").start();
        run.expect("trapping");
        run.signal(signal);
        assert_eq!([run.line(), run.line()], [format!("got {signal}"), "got CONT".into()]);
    }
    let mut run = foster().probe("trap").start();
    run.expect("trapping");
    run.signal("TERM");
    assert_eq!([run.line(), run.line()], ["got TERM", "got CONT"]);
}

#[test]
fn an_internal_stop_sends_term() {
    let launch = quick(foster()).args(["--max-restarts", "0", "--stop-timeout", "infinity"]);
    let launch = launch.arg("--wrap").arg(probe_line("trap"));
    let mut run = launch.arg("--wrap").arg(probe_line("block=HUP say=up await=HUP exit=2")).start();
    run.expect_all(&["trapping", "up"]);
    // The first that foster started.
    let trapping = run.child();
    run.signal("HUP");
    assert_eq!([run.line(), run.line(), run.line()], ["got HUP", "got TERM", "got CONT"]);
    send(trapping, "KILL");
    assert_eq!(run.wait().code(), 2);
}

#[test]
fn stop_timeout_is_the_time_from_the_stop_signal_to_kill() {
    for launch in [wrapped("trap"), foster().probe("trap")] {
        let launch = launch.env("FOSTER_STOP_TIMEOUT", "300ms");
        let mut run = launch.start();
        run.expect("trapping");
        let begin = Instant::now();
        run.signal("TERM");
        assert_eq!(run.wait_for_status(), Status::Code(137));
        assert!(begin.elapsed() >= Duration::from_millis(300));
    }
}

#[test]
fn forward_to_group_reaches_all_of_it_and_to_child_the_child_alone() {
    let script = "fork { trap=helper } trap=leader";
    let launch = foster().args(["--forward-to", "group", "--"]).probe(script);
    let mut run = launch.place(Place::Pid1).start();
    run.expect_all(&["helper trapping", "leader trapping"]);
    run.signal("USR1");
    run.expect_all(&["helper got USR1", "leader got USR1"]);

    let by_default = [foster().arg("--").probe(script), wrapped(script)];
    let asked_for = foster().args(["--forward-to", "child", "--"]).probe(script);
    for launch in by_default.into_iter().chain([asked_for]) {
        let mut run = launch.place(Place::Pid1).start();
        run.expect_all(&["helper trapping", "leader trapping"]);
        run.signal("USR1");
        run.expect("leader got USR1");
        run.expect_quiet(Duration::from_millis(200));
    }
}

#[test]
fn rewrite_sends_another_signal_or_none() {
    let launch = foster().args(["--rewrite", "HUP:USR2", "--rewrite", "USR1:0"]);
    let mut run = launch.arg("--").probe("trap").place(Place::Pid1).start();
    run.expect("trapping");
    for signal in ["HUP", "USR1", "WINCH"] {
        run.signal(signal);
    }
    assert_eq!([run.line(), run.line()], ["got USR2", "got WINCH"]);
}

#[test]
fn rewrite_makes_a_stop_request_of_another_signal() {
    let rewriting = |timeout| {
        let launch = foster().args(["--rewrite", "PWR:TERM", "--stop-timeout", timeout, "--"]);
        let mut run = launch.probe("trap").place(Place::Pid1).start();
        run.expect("trapping");
        run.signal("PWR");
        run
    };
    let mut run = rewriting("infinity");
    assert_eq!([run.line(), run.line()], ["got TERM", "got CONT"]);
    // It has a deadline too, and a late report of signals may miss it.
    assert_eq!(rewriting("100ms").wait().code(), 137);
}

#[test]
fn success_makes_foster_exit_0() {
    for (success, script) in [("143", "die=TERM"), ("TERM", "die=TERM"), ("4,5", "exit=5")] {
        assert_eq!(foster().args(["--success", success]).probe(script).output().code(), 0);
        assert_eq!(foster().env("FOSTER_SUCCESS", success).probe(script).output().code(), 0);
    }
    assert_eq!(foster().args(["--success", "4"]).probe("exit=5").output().code(), 5);
}

#[test]
fn foster_is_subreaper_unless_told_not_to() {
    let orphan = "orphan { say=orphan pause } say=left pause";
    for (launch, adopts) in [(foster(), true), (foster().arg("--no-subreaper"), false)] {
        let mut run = launch.arg("--").probe(orphan).place(Place::Job).start();
        run.expect_all(&["orphan", "left"]);
        let pid = run.pid();
        assert_eq!(procfs::children(pid).len(), if adopts { 2 } else { 1 });
    }
}

#[test]
fn a_command_leads_a_group_and_with_session_a_session() {
    let ids = |run: &mut Running| {
        run.expect("up");
        let (pid, child) = (run.pid(), run.child());
        let own = procfs::stat(pid).expect("it lives");
        (own, child, procfs::stat(child).expect("it lives"))
    };
    let (own, child, stat) = ids(&mut foster().probe("say=up pause").start());
    assert_eq!((stat.group, stat.session), (child, own.session));
    for launch in [foster().arg("--session").probe("say=up pause"), wrapped("say=up pause")] {
        let (_, child, stat) = ids(&mut launch.start());
        assert_eq!((stat.group, stat.session), (child, child));
    }
}

#[test]
fn a_command_is_run_in_silence_and_a_service_with_its_starts_and_ends() {
    assert_eq!(foster().probe("exit=3").output().stderr, "");
    let launch = foster().args(["--restart", "never", "--wrap"]);
    let output = launch.arg(probe_line("exit=3")).output();
    let starts = |line: &str| line.starts_with("foster: info: probe (pid ");
    assert!(output.stderr.lines().all(starts), "{output:?}");
    assert!(output.stderr.contains(") started\n"), "{output:?}");
    assert!(output.stderr.ends_with(") exited with status 3\n"), "{output:?}");
}

#[test]
fn v_says_more_and_q_says_errors_only() {
    let levels = [("-v", "info: "), ("-vv", "debug: "), ("-vvv", "trace: ")];
    for (option, level) in levels {
        let mut run = foster().arg(option).probe("trap").start();
        run.expect("trapping");
        // By the time that the second one comes out, all is said of the first.
        for _ in 0..2 {
            run.signal("USR1");
            run.expect("got USR1");
        }
        run.signal("KILL");
        let text = run.wait().stderr;
        for (other, name) in levels {
            assert_eq!(text.contains(name), option >= other, "{option}: {text}");
        }
        assert!(text.contains(level), "{text}");
    }
    let output = wrapped("exit=3").args(["--restart", "never", "-q"]).output();
    assert_eq!(output.stderr, "");
    let output = foster().args(["-q", "/nowhere"]).output();
    assert_eq!(output.stderr, "foster: error: cannot start nowhere: '/nowhere': no such command\n");
}

#[test]
fn foster_log_is_a_filter_and_the_command_line_beats_it() {
    let silent = wrapped("exit=3").args(["--restart", "never"]).env("FOSTER_LOG", "off").output();
    assert_eq!(silent.stderr, "");
    let told = foster().env("FOSTER_LOG", "foster=info").probe("exit=3").output();
    assert_eq!(told.stderr.lines().count(), 2, "{told:?}");
    let quiet = foster().env("FOSTER_LOG", "info").arg("-q").probe("exit=3").output();
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_bad_filter_is_refused_by_foster_alone_with_125() {
    let line = "foster: FOSTER_LOG: invalid filter 'inof': no level 'inof'; did you mean info?\n";
    let output = foster().env("FOSTER_LOG", "inof").probe("exit=3").output();
    assert_eq!((output.code(), output.stderr.as_str(), output.stdout.as_str()), (125, line, ""));
    for odd in ["close=2 open=/dev/full", "close=2"] {
        for filter in ["inof", "warn,foster=3", "a/b/c", "warning", "other=info"] {
            let launch = foster().env("FOSTER_LOG", filter).probe("exit=3").inheriting(odd);
            let expected = if ["warning", "other=info"].contains(&filter) { 3 } else { 125 };
            assert_eq!(launch.output().code(), expected, "{odd}: {filter}");
        }
    }
}

#[test]
fn each_variable_of_the_environment_has_the_effect_of_its_option() {
    let run = wrapped("say=run exit=3").env("FOSTER_RESTART", "never").output();
    assert_eq!((run.code(), run.stdout.as_str()), (3, "run\n"));

    let launch = foster().env("FOSTER_BACKOFF", "30ms").env("FOSTER_BACKOFF_MAX", "40ms");
    let launch = launch.env("FOSTER_MAX_RESTARTS", "2").env("FOSTER_HEALTHY_AFTER", "1h");
    let output = launch.arg("--wrap").arg(probe_line("exit=3")).output();
    assert_eq!(output.code(), 3);
    assert!(output.stderr.contains("in 30ms, restart 1"), "{output:?}");
    assert!(output.stderr.contains("in 40ms, restart 2"), "{output:?}");

    let launch = foster().env("FOSTER_STOP_SIGNAL", "USR2").env("FOSTER_FORWARD_TO", "child");
    let launch = launch.env("FOSTER_REWRITE", "HUP:USR1,WINCH:0").arg("--");
    let mut run = launch.probe("fork { trap=helper } trap").place(Place::Pid1).start();
    run.expect_all(&["helper trapping", "trapping"]);
    for signal in ["WINCH", "HUP", "TERM"] {
        run.signal(signal);
    }
    assert_eq!([run.line(), run.line(), run.line()], ["got USR1", "got USR2", "got CONT"]);

    let launch = foster().env("FOSTER_LOG_FORMAT", "json").arg("/nowhere");
    assert!(launch.output().stderr.starts_with("{\"time\":"));
}

#[test]
fn the_command_line_beats_the_environment() {
    let launch = wrapped("say=run exit=3").env("FOSTER_RESTART", "always");
    assert_eq!(launch.args(["--restart", "never"]).output().stdout, "run\n");
}

#[test]
fn port_and_host_are_touched_only_with_wrap() {
    let launch = foster().env("PORT", "1").env("HOST", "h").env("APP_PORT", "no number");
    assert_eq!(launch.probe("env=PORT env=HOST").output().stdout, "PORT=1\nHOST=h\n");
    let launch = wrapped("env=PORT env=HOST").args(["--restart", "never"]);
    let output = launch.env("PORT", "1").env("HOST", "h").output();
    assert_eq!(output.stdout, "PORT=3000\nHOST=127.0.0.1\n");
}

#[test]
fn without_a_port_a_service_has_port_and_host_as_they_were() {
    for set in [&["--app-port", "none"][..], &["--app-port=none", "--app-host", "::"]] {
        let launch = wrapped("env=PORT env=HOST").args(["--restart", "never"]).args(set);
        assert_eq!(launch.output().stdout, "PORT is unset\nHOST is unset\n");
    }
    let launch = wrapped("env=PORT env=HOST").args(["--restart", "never"]).env("HOST", "h");
    let output = launch.env("PORT", "1").env("APP_PORT", "none").output();
    assert_eq!(output.stdout, "PORT=1\nHOST=h\n");
}

#[test]
fn the_host_of_services_is_the_one_that_was_given() {
    let launch = || wrapped("env=PORT env=HOST").args(["--restart", "never"]).env("HOST", "h");
    for host in ["::", "0.0.0.0", "a.example.org"] {
        let line = format!("PORT=3000\nHOST={host}\n");
        assert_eq!(launch().args(["--app-host", host]).output().stdout, line);
        assert_eq!(launch().env("APP_HOST", host).output().stdout, line);
    }
}
