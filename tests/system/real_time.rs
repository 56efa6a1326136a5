//! What takes its time because the defaults say so. All of it runs side by side from the first
//! test on, so that it takes as long as the longest.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::sync::{LazyLock, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::idle::{assert_waits_in_one_call, idle_init, idle_supervisor, watch};
use crate::subject::{foster, probe_line};
use crate::support::{Place, Running};

type Case = fn();

/// All cases, by the names of their tests.
const CASES: [(&str, Case); 6] = [
    ("starts", starts),
    ("deadline of a supervisor", deadline_of_a_supervisor),
    ("deadline of an init", deadline_of_an_init),
    ("clean-up", clean_up),
    ("idle init", || idle(idle_init())),
    ("idle supervisor", || idle(idle_supervisor())),
];

/// Waits for a case; the first one asked for starts them all.
fn result(name: &str) {
    static RUNNING: LazyLock<Mutex<HashMap<&str, JoinHandle<()>>>> = LazyLock::new(|| {
        Mutex::new(CASES.iter().map(|(name, case)| (*name, thread::spawn(case))).collect())
    });
    let case = RUNNING.lock().expect("nobody panics with it").remove(name);
    if let Err(panic) = case.expect("each is asked for once").join() {
        resume_unwind(panic);
    }
}

#[test]
fn wrap_exit_3_starts_at_0_half_1_and_a_half_3_and_a_half_7_and_a_half_15_and_a_half_and_25_and_a_half_seconds()
 {
    result("starts");
}

#[test]
fn a_service_that_ignores_term_is_killed_10_s_after_the_stop() {
    result("deadline of a supervisor");
}

#[test]
fn a_command_that_ignores_term_is_killed_10_s_after_the_stop() {
    result("deadline of an init");
}

#[test]
fn sh_c_around_an_app_that_needs_2_s_to_clean_up_lets_it_finish() {
    result("clean-up");
}

#[test]
fn strace_shows_no_call_in_ten_idle_seconds_of_an_init() {
    result("idle init");
}

#[test]
fn strace_shows_no_call_in_ten_idle_seconds_of_a_supervisor() {
    result("idle supervisor");
}

fn starts() {
    let begin = Instant::now();
    let mut run = foster().args(["--wrap", "exit 3"]).place(Place::Pid1).start();
    for expected in [0, 500, 1500, 3500, 7500, 15_500, 25_500] {
        assert!(run.expect_error("foster: info: exit (pid ").ends_with(") started"));
        let (at, expected) = (begin.elapsed(), Duration::from_millis(expected));
        assert!(
            run.expect_error("foster: warning: exit (pid ").ends_with(") exited with status 3")
        );
        assert!(at >= expected, "start at {at:?}, not at {expected:?}");
        // Doubled once too often, the last pause alone would take longer; tests/model is exact.
        assert!(at < expected + ON_A_BUSY_MACHINE, "start at {at:?}, not at {expected:?}");
    }
    run.signal("TERM");
    assert_eq!(run.wait().code(), 3);
}

fn deadline_of_a_supervisor() {
    let line = probe_line("ignore=TERM say=up pause");
    killed_after_ten_seconds(foster().args(["--wrap", &line]).place(Place::Pid1).start());
}

fn deadline_of_an_init() {
    let launch = foster().arg("--").probe("ignore=TERM say=up pause");
    killed_after_ten_seconds(launch.place(Place::Pid1).start());
}

fn killed_after_ten_seconds(mut run: Running) {
    run.expect("up");
    let begin = Instant::now();
    run.signal("TERM");
    run.expect_error("foster: warning: probe has not ended: sending SIGKILL");
    let after = begin.elapsed();
    assert_eq!(run.wait().code(), 137);
    let least = Duration::from_secs(10);
    assert!((least..least + ON_A_BUSY_MACHINE).contains(&after), "{after:?}");
}

/// What may come on top on a machine that is busy with other tests.
const ON_A_BUSY_MACHINE: Duration = Duration::from_secs(5);

fn clean_up() {
    let app = probe_line("block=TERM say=up await=TERM sleep=2000 say=clean exit=0");
    for args in [["--wrap".to_owned(), format!("{app}; exit 5")], ["--".to_owned(), String::new()]]
    {
        let launch = match args[0].as_str() {
            "--" => foster().args(["--", "sh", "-c", &format!("{app}; exit 5")]),
            _ => foster().args(args),
        };
        let mut run = launch.place(Place::Pid1).start();
        run.expect("up");
        let begin = Instant::now();
        run.signal("TERM");
        let output = run.wait();
        assert!(output.stdout.ends_with("clean\n"), "{output:?}");
        assert!(begin.elapsed() >= Duration::from_secs(2));
    }
}

fn idle(mut run: Running) {
    assert_waits_in_one_call(&watch(&mut run, Duration::from_secs(10)));
}
