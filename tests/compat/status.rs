//! The status at the end, and what no shim does of its own accord before that.

use std::time::Duration;

use crate::subject::{bug, catatonit, dumb_init, tini};
use crate::support::procfs::{await_death, children};
use crate::support::running::send;
use crate::support::{Launch, Place, Running, Status};

#[test]
fn tini_passes_the_exit_code() {
    for place in [Place::Child, Place::Pid1] {
        passes_the_exit_code(tini().args(["-s", "--"]), place);
    }
}

#[test]
fn dumb_init_passes_the_exit_code() {
    for place in [Place::Child, Place::Pid1] {
        passes_the_exit_code(dumb_init(), place);
        passes_the_exit_code(dumb_init().arg("-c"), place);
    }
}

#[test]
fn catatonit_passes_the_exit_code() {
    for place in [Place::Child, Place::Pid1] {
        passes_the_exit_code(catatonit().arg("--"), place);
    }
}

#[test]
fn tini_death_by_signal_is_128_and_the_number() {
    death_by_signal_is_128_and_the_number(tini().args(["-s", "--"]));
}

#[test]
fn dumb_init_death_by_signal_is_128_and_the_number() {
    death_by_signal_is_128_and_the_number(dumb_init());
}

#[test]
fn catatonit_death_by_signal_is_128_and_the_number() {
    death_by_signal_is_128_and_the_number(catatonit().arg("--"));
}

#[test]
fn tini_ends_when_the_child_dies_of_a_forwarded_signal() {
    ends_by_a_forwarded_signal(tini().arg("--"));
}

#[test]
fn dumb_init_ends_when_the_child_dies_of_a_forwarded_signal() {
    ends_by_a_forwarded_signal(dumb_init());
}

#[test]
fn catatonit_ends_when_the_child_dies_of_a_forwarded_signal() {
    ends_by_a_forwarded_signal(catatonit().arg("--"));
}

#[test]
fn no_shim_has_a_stop_deadline() {
    // A supervisor's default is ten seconds; a drop-in waits as long as the child does.
    let launches = [tini().args(["-s", "--"]), dumb_init(), catatonit().arg("--")];
    let mut all: Vec<Running> = launches.map(|launch| launch.probe("trap").start()).into();
    for run in &mut all {
        run.expect("trapping");
        run.signal("TERM");
        run.expect("got TERM");
    }
    // The first one is watched for longer than that, and by then the others have had as long.
    all[0].expect_quiet(Duration::from_millis(10_500));
    for run in &mut all {
        run.signal("USR1");
        assert_eq!(run.line(), "got USR1");
        assert_eq!(run.errors(), "");
    }
}

#[test]
fn no_shim_restarts_the_child() {
    let launches = [tini().args(["-s", "--"]), dumb_init(), catatonit().arg("--")];
    for launch in launches {
        let launch = launch.env("FOSTER_RESTART", "always").env("FOSTER_BACKOFF", "1ms");
        let output = launch.probe("say=started exit=3").output();
        assert_eq!((output.code(), output.stdout.as_str()), (3, "started\n"));
        assert_eq!(output.stderr, "");
    }
}

#[test]
fn no_shim_obeys_fosters_own_variables() {
    let launches = [tini().args(["-s", "--"]), dumb_init(), catatonit().arg("--")];
    for mut launch in launches {
        for (name, value) in [
            ("WRAP_CMD", "exit 9"),
            ("FOSTER_REWRITE", "TERM:USR1"),
            ("FOSTER_STOP_SIGNAL", "USR2"),
            ("FOSTER_SUCCESS", "143,TERM"),
            ("FOSTER_FORWARD_TO", "nobody"),
            ("FOSTER_LOG", "trace"),
        ] {
            launch = launch.env(name, value);
        }
        let mut run = launch.probe("say=ready pause").start();
        run.expect("ready");
        run.signal("TERM");
        let output = run.wait();
        assert_eq!((output.code(), output.stderr.as_str()), (143, ""), "{output:?}");
    }
}

#[test]
fn tini_has_a_deadline_where_foster_is_told() {
    bug("it knows no deadline", "timed out waiting for the subject to end", || {
        has_a_deadline_where_foster_is_told(tini().args(["-s", "--"]));
    });
}

#[test]
fn dumb_init_has_a_deadline_where_foster_is_told() {
    bug("it knows no deadline", "timed out waiting for the subject to end", || {
        has_a_deadline_where_foster_is_told(dumb_init());
    });
}

#[test]
fn catatonit_has_a_deadline_where_foster_is_told() {
    bug("it knows no deadline", "timed out waiting for the subject to end", || {
        has_a_deadline_where_foster_is_told(catatonit().arg("--"));
    });
}

#[test]
fn with_a_deadline_a_child_that_has_the_terminal_gets_hup() {
    for launch in [tini().args(["-s", "--"]), catatonit().arg("--")] {
        let launch = launch.in_front().place(Place::TerminalLeader);
        let mut run = launch.clone().probe("trap").start();
        run.expect("trapping");
        run.signal("TERM");
        assert_eq!(run.line(), "got TERM");
        run.signal("PWR");
        assert_eq!(run.line(), "got PWR");
        let symptom = "timed out waiting for the subject to end";
        bug("it knows no deadline, and so no stop", symptom, || {
            let launch = launch.clone().env("FOSTER_STOP_TIMEOUT", "100s");
            let mut run = launch.probe("ignore=TERM say=up pause").start();
            run.expect("up");
            run.signal("TERM");
            assert_eq!(run.wait().code(), 129);
        });
    }
}

#[test]
fn a_deadline_counts_from_term_alone() {
    // Docker's STOPSIGNAL may be another signal: that is forwarded, and Docker's own timeout runs.
    for launch in [tini().args(["-s", "--"]), dumb_init(), catatonit().arg("--")] {
        let mut run = launch.env("FOSTER_STOP_TIMEOUT", "10ms").probe("trap").start();
        run.expect("trapping");
        for name in ["INT", "QUIT", "INT"] {
            run.signal(name);
            assert_eq!(run.line(), format!("got {name}"));
        }
        run.expect_quiet(Duration::from_millis(200));
    }
}

#[test]
fn dumb_init_has_a_deadline_for_what_is_rewritten_from_or_to_term() {
    for (rule, sent, received) in [("15:2", "TERM", "INT"), ("2:15", "INT", "TERM")] {
        bug("it knows no deadline", "timed out waiting for the subject to end", || {
            let launch = dumb_init().args(["-r", rule]).env("FOSTER_STOP_TIMEOUT", "1s");
            let mut run = launch.probe("trap").place(Place::Job).start();
            run.expect("trapping");
            run.signal(sent);
            run.expect(&format!("got {received}"));
            assert_eq!(run.wait().code(), 137);
        });
    }
}

#[test]
fn dumb_init_has_no_deadline_for_a_term_that_it_drops() {
    let launch = dumb_init().args(["-r", "15:0"]).env("FOSTER_STOP_TIMEOUT", "10ms");
    let mut run = launch.probe("trap").start();
    run.expect("trapping");
    run.signal("TERM");
    run.expect_quiet(Duration::from_millis(200));
}

#[test]
fn at_a_deadline_the_group_is_killed_and_with_dumb_init_c_the_child_alone() {
    for (launch, group) in [
        (tini().args(["-s", "--"]), true),
        (tini().args(["-sg", "--"]), true),
        (dumb_init(), true),
        (catatonit().arg("--"), true),
        (dumb_init().arg("-c"), false),
    ] {
        bug("it knows no deadline", "timed out waiting for the subject to end", || {
            let launch = launch.env("FOSTER_STOP_TIMEOUT", "1s");
            let launch = launch.probe("fork { trap=other } trap=child").place(Place::Job);
            let mut run = launch.start();
            run.expect_all(&["other trapping", "child trapping"]);
            let child = run.child();
            let other = children(child)[0];
            run.signal("TERM");
            run.expect("child got TERM");
            assert_eq!(run.wait_for_status(), Status::Code(137));
            if group {
                await_death(other);
            } else {
                send(other, "PWR");
                run.expect("other got PWR");
            }
        });
    }
}

fn passes_the_exit_code(launch: Launch, place: Place) {
    for code in [0, 1, 2, 3, 127, 128, 143, 255] {
        let output = launch.clone().probe(&format!("exit={code}")).place(place).output();
        assert_eq!((output.code(), output.stderr.as_str()), (code, ""));
    }
}

fn death_by_signal_is_128_and_the_number(launch: Launch) {
    for (name, code) in [("HUP", 129), ("ABRT", 134), ("KILL", 137), ("TERM", 143), ("40", 168)] {
        let output = launch.clone().probe(&format!("die={name}")).output();
        assert_eq!((output.code(), output.stderr.as_str()), (code, ""), "{name}");
    }
}

fn ends_by_a_forwarded_signal(launch: Launch) {
    let mut run = launch.probe("say=ready pause").place(Place::Pid1).start();
    run.expect("ready");
    run.signal("TERM");
    let output = run.wait();
    assert_eq!((output.code(), output.stderr.as_str()), (143, ""));
}

fn has_a_deadline_where_foster_is_told(launch: Launch) {
    let launch = launch.env("FOSTER_STOP_TIMEOUT", "3s").probe("trap");
    let mut run = launch.place(Place::Job).start();
    run.expect("trapping");
    run.signal("TERM");
    run.expect("got TERM");
    assert_eq!(run.wait().code(), 137);
}
