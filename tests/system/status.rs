//! "Status": what foster ends with.

use crate::subject::{binary, foster, probe_line, quick, wrapped};
use crate::support::patience::until;
use crate::support::{Launch, Output, Place};

#[test]
fn an_init_ends_with_the_childs_code() {
    for code in [0, 1, 2, 42, 125, 126, 127, 128, 143, 255] {
        assert_eq!(foster().probe(&format!("exit={code}")).output().code(), code);
    }
}

#[test]
fn an_init_ends_with_128_and_the_number_of_the_signal_that_killed_the_child() {
    for (name, code) in [
        ("HUP", 129),
        ("INT", 130),
        ("ABRT", 134),
        ("KILL", 137),
        ("SEGV", 139),
        ("TERM", 143),
        ("40", 168),
    ] {
        for place in [Place::Child, Place::Pid1] {
            assert_eq!(foster().probe(&format!("die={name}")).place(place).output().code(), code);
        }
    }
}

#[test]
fn an_init_that_was_stopped_still_ends_with_the_childs_code() {
    for (script, code) in [
        ("say=up pause", 143),
        ("block=TERM say=up await=TERM exit=0", 0),
        ("block=TERM say=up await=TERM exit=7", 7),
        ("block=TERM say=up await=TERM die=KILL", 137),
    ] {
        assert_eq!(stopped(foster().probe(script), "TERM").code(), code, "{script}");
    }
}

#[test]
fn an_init_ends_with_0_for_a_success_code() {
    let launch = |script| foster().args(["--success", "7", "--success", "TERM"]).probe(script);
    assert_eq!(launch("exit=7").output().code(), 0);
    assert_eq!(launch("die=TERM").output().code(), 0);
    assert_eq!(stopped(launch("say=up pause"), "TERM").code(), 0);
    assert_eq!(launch("exit=8").output().code(), 8);
}

#[test]
fn a_supervisor_that_was_stopped_ends_with_0_when_every_service_ended_well() {
    for (script, signal) in [
        ("say=up pause", "TERM"),
        ("say=up pause", "INT"),
        ("say=up pause", "QUIT"),
        ("block=TERM say=up await=TERM exit=0", "TERM"),
        // What a shell makes of it.
        ("block=TERM say=up await=TERM exit=143", "TERM"),
    ] {
        assert_eq!(stopped(wrapped(script), signal).code(), 0, "{script} {signal}");
    }
}

#[test]
fn a_supervisor_that_was_stopped_ends_with_0_when_the_stop_signal_was_another_one() {
    let launch = |script: &str| wrapped(script).args(["--stop-signal", "USR1"]);
    assert_eq!(stopped(launch("say=up pause"), "TERM").code(), 0);
    assert_eq!(stopped(launch("block=USR1 say=up await=USR1 exit=138"), "TERM").code(), 0);
    assert_eq!(stopped(launch("block=USR1 say=up await=USR1 die=TERM"), "TERM").code(), 143);
}

#[test]
fn a_supervisor_that_was_stopped_ends_with_another_status_where_there_was_one() {
    for (script, code) in [
        ("block=TERM say=up await=TERM exit=9", 9),
        ("block=TERM say=up await=TERM die=SEGV", 139),
        ("block=TERM say=up await=TERM exit=130", 130),
    ] {
        assert_eq!(stopped(wrapped(script), "TERM").code(), code, "{script}");
    }
}

#[test]
fn a_supervisor_ends_with_the_first_status_that_was_no_success() {
    let line = |end: &str| probe_line(&format!("block=TERM,HUP say=up await=TERM {end}"));
    let mut launch = foster().args(["--stop-timeout", "infinity"]);
    for end in ["await=HUP exit=5", "exit=0", "exit=6"] {
        launch = launch.arg("--wrap").arg(line(end));
    }
    let mut run = launch.start();
    run.expect_all(&["up", "up", "up"]);
    run.signal("TERM");
    until("the others end", || {
        let text = run.errors();
        [") exited with status 0,", ") exited with status 6,"]
            .iter()
            .all(|end| text.contains(end))
            .then_some(())
    });
    run.signal("HUP");
    assert_eq!(run.wait().code(), 6);
}

#[test]
fn it_is_137_where_the_stop_took_kill() {
    let launch = wrapped("ignore=TERM say=up pause").args(["--stop-timeout", "50ms"]);
    assert_eq!(stopped(launch, "TERM").code(), 137);
    let launch = foster().args(["--stop-timeout", "50ms"]).probe("ignore=TERM say=up pause");
    assert_eq!(stopped(launch, "TERM").code(), 137);
}

#[test]
fn a_success_code_counts_for_a_stopped_supervisor_too() {
    let script = "block=TERM say=up await=TERM exit=9";
    assert_eq!(stopped(wrapped(script).args(["--success", "9"]), "TERM").code(), 0);
}

#[test]
fn after_giving_up_it_is_that_services_status() {
    for (script, code) in [("exit=3", 3), ("die=SEGV", 139), ("exit=0", 0)] {
        let launch = wrapped(script).args(["--max-restarts", "1", "--wrap"]);
        let output = launch.arg(probe_line("block=TERM await=TERM exit=9")).output();
        assert_eq!(output.code(), code, "{script}");
    }
}

#[test]
fn services_that_are_done_end_foster_with_the_first_status_that_was_no_success() {
    let launch = quick(foster()).args(["--restart", "never"]);
    let launch = launch.arg("--wrap").arg(probe_line("sleep=200 exit=4"));
    let output = launch.arg("--wrap").arg(probe_line("exit=0")).output();
    assert_eq!(output.code(), 4);
}

#[test]
fn its_own_failure_is_125() {
    assert_eq!(foster().output().code(), 125);
    assert_eq!(foster().arg("--no-such-option").output().code(), 125);
    let output = foster().probe("exit=0").inheriting("deny=signalfd4:EMFILE").output();
    assert_eq!((output.code(), output.stdout.as_str()), (125, ""));
    assert!(output.stderr.contains("nothing was started"), "{output:?}");
    assert_eq!(Launch::new(binary()).output().code(), 125);
}

/// What is left after a signal to foster once its child is up.
fn stopped(launch: Launch, signal: &str) -> Output {
    let mut run = launch.start();
    run.expect("up");
    run.signal(signal);
    run.wait()
}
