//! Stops, and ends by force: nothing is left behind.
//!
//! Wine cannot send a Ctrl-Break, so foster ends jobs at once there. Where a test is about what
//! happens when it can be sent, the helper makes foster believe so.

use std::fs;

use super::harness::{Folder, foster, helper, helping, windows};

#[test]
fn a_stop_that_cannot_be_polite_says_so_and_ends_the_whole_tree() {
    let mut foster = foster(["--wrap", &helping("tree 4")]);
    for _ in 0..4 {
        foster.expect("up");
    }
    foster.interrupt();
    foster.logged("SIGINT: stopping");
    foster.logged("cannot send Ctrl-Break");
    let end = foster.end();
    assert_eq!((end.code, end.out.len()), (0, 0), "{end:#?}");
}

#[test]
fn a_command_is_stopped_by_the_console_too_and_its_code_shows_it() {
    let mut foster = foster(["--", &helper(), "tree", "2"]);
    foster.expect("up");
    foster.expect("up");
    foster.interrupt();
    let end = foster.end();
    assert_eq!(end.code, 130, "{end:#?}");
}

#[test]
fn foster_killed_from_outside_leaves_nothing_behind() {
    let mut foster = foster(["--wrap", &helping("tree 3"), "--wrap", &helping("tree 2")]);
    for _ in 0..5 {
        foster.expect("up");
    }
    foster.kill();
    // The end of the pipe is the end of all that had it.
    assert!(foster.end().out.is_empty());
}

#[test]
fn foster_ended_by_terminate_process_leaves_nothing_behind() {
    let mut foster = foster(["--wrap", &helping("tree 3"), "--wrap", &helping("murder")]);
    foster.logged("started");
    let end = foster.end();
    assert_eq!(end.code, 9, "{end:#?}");
    assert!(!end.says("stopping"), "{end:#?}");
}

#[test]
fn what_ignores_the_stop_is_ended_at_the_deadline() {
    let line = helping("stubborn");
    let mut foster = foster(["--stop-timeout", "1s", "--wrap", &line]);
    for _ in 0..2 {
        foster.expect("up");
    }
    foster.interrupt();
    foster.logged("SIGINT: stopping");
    foster.logged("has not ended: sending SIGKILL");
    let end = foster.end();
    assert_eq!(end.code, 137, "{end:#?}");
    assert!(!end.says("cannot send"), "{end:#?}");
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let line = helping("stubborn");
    let mut foster = foster(["--stop-timeout", "infinity", "--wrap", &line]);
    for _ in 0..2 {
        foster.expect("up");
    }
    foster.interrupt();
    foster.logged("SIGINT: stopping");
    foster.interrupt();
    let end = foster.end();
    assert_eq!(end.code, 137, "{end:#?}");
}

#[test]
fn a_service_is_not_down_before_its_job_has_no_live_process() {
    let folder = Folder::new();
    let file = folder.file("busy", "");
    let line = helping(&format!("polite {}", windows(&file)));
    let mut foster = foster(["-vvv", "--stop-timeout", "infinity", "--wrap", &line]);
    foster.expect("up");
    foster.interrupt();
    foster.logged("SIGINT: stopping");
    // The first process ends before the other one has cleaned up.
    foster.close_stdin();
    foster.logged("exited with status 0, as requested");
    fs::remove_file(&file).expect("the file is there until now");
    foster.expect("tidied up");
    // foster waited for that process itself: it looks at nothing again and again.
    foster.logged("which exited with status 5");
    let end = foster.end();
    assert_eq!((end.code, end.out.len()), (0, 0), "{end:#?}");
    assert!(!end.says("SIGKILL"), "{end:#?}");
}

#[test]
fn the_end_of_one_service_is_none_of_the_others() {
    let mut foster = foster([
        "--backoff",
        "1ms",
        "--max-restarts",
        "2",
        "--restart",
        "on-failure",
        "--wrap",
        &helping("tree 2"),
        "--wrap",
        &helping("exit 0"),
    ]);
    foster.expect("up");
    foster.expect("up");
    foster.logged("exited with status 0");
    foster.interrupt();
    let end = foster.end();
    assert_eq!(end.code, 0, "{end:#?}");
    // The one that had ended had nothing to be stopped.
    assert_eq!(end.log.iter().filter(|line| line.contains("cannot send")).count(), 1);
}

#[test]
fn as_many_services_run_as_can_be_waited_for_and_one_more_is_refused() {
    let line = helping("tree 1");
    let wraps = |count| std::iter::repeat_n(["--wrap", &line], count).flatten();
    let mut foster = foster(wraps(62));
    for _ in 0..62 {
        foster.expect("up");
    }
    foster.interrupt();
    assert_eq!(foster.end().code, 0);

    let end = super::harness::run(wraps(63));
    assert_eq!((end.code, end.out.len()), (125, 0), "{end:?}");
    assert!(end.says("--wrap: 63 are too many: on Windows at most 62 fit"), "{end:?}");
}
