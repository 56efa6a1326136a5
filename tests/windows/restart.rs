//! Services that end and are started again.

use std::fs;

use super::harness::{Folder, exe, foster, helping, run, windows};

#[test]
fn a_service_is_started_again_with_the_real_backoff_times() {
    let mut foster = foster(["--wrap", &helping("tick 3")]);
    let mut ticks = Vec::new();
    for _ in 0..7 {
        let line = foster.line();
        let tick = line.strip_prefix("tick ").and_then(|tick| tick.parse::<u64>().ok());
        ticks.push(tick.unwrap_or_else(|| panic!("{line:?} is no tick")));
    }
    let gaps: Vec<u64> = ticks.windows(2).map(|two| two[1] - two[0]).collect();
    let delays = [500, 1000, 2000, 4000, 8000, 10_000];
    let mut in_time = 0;
    for (gap, delay) in gaps.iter().zip(delays) {
        // The clock of the ticks moves in steps of up to 16 ms; a start takes what it takes.
        assert!((delay - 20..delay + 10_000).contains(gap), "{delay} ms took {gap} ms");
        in_time += usize::from(*gap < delay + 2000);
    }
    // On a busy machine one of them may take longer.
    assert!(in_time + 1 >= delays.len(), "{delays:?} ms took {gaps:?} ms");
    foster.interrupt();
    let end = foster.end();
    for delay in [
        "500ms, restart 1",
        "1s, restart 2",
        "2s, restart 3",
        "4s, restart 4",
        "8s, restart 5",
        "10s, restart 6",
    ] {
        assert!(end.says(&format!("starts again in {delay}")), "{delay}: {end:#?}");
    }
}

#[test]
fn a_missing_program_is_tried_again_until_it_is_there() {
    let folder = Folder::new();
    let program = folder.path().join("late.exe");
    let mut foster = foster(["--wrap", &format!("{} tick", windows(&program))]);
    foster.logged("no such command");
    foster.logged("starts again in 500ms, restart 1");
    foster.logged("no such command");
    // Complete at once, so that no half of it is tried.
    let half = folder.path().join("half");
    fs::copy(exe("HELPER_EXE"), &half).expect("the folder is ours");
    fs::rename(&half, &program).expect("the folder is ours");
    foster.logged("late.exe (pid");
    assert!(foster.line().starts_with("tick "));
}

#[test]
fn what_a_run_left_behind_is_gone_before_the_next_one() {
    let folder = Folder::new();
    let name = folder.path().file_name().expect("it has a name").to_string_lossy().into_owned();
    let line = helping(&format!("leave {name}"));
    let mut foster = foster(["--backoff", "1ms", "--max-restarts", "5", "--wrap", &line]);
    for _ in 0..6 {
        foster.expect("alone");
    }
    let end = foster.end();
    assert_eq!(end.code, 3, "{end:#?}");
    assert!(end.says("giving up"), "{end:#?}");
}

#[test]
fn a_command_that_ends_takes_what_it_left_behind_with_it() {
    let end = run(["--", &super::harness::helper(), "leave", "init"]);
    assert_eq!((end.code, end.out), (3, vec!["alone".to_owned()]));
}

#[test]
fn foster_gives_up_with_the_code_of_the_service() {
    let mut foster = foster([
        "--backoff",
        "1ms",
        "--max-restarts",
        "2",
        "--wrap",
        &helping("tree 2"),
        "--wrap",
        &helping("exit 9"),
    ]);
    foster.logged("giving up on");
    // The other one is stopped, which has processes of its own.
    let end = foster.end();
    assert_eq!(end.code, 9, "{end:#?}");
}

#[test]
fn on_failure_leaves_a_success_at_that() {
    let line = helping("exit 0");
    let end = run(["--restart", "on-failure", "--wrap", &line]);
    assert_eq!(end.code, 0, "{end:#?}");
    assert!(!end.says("starts again"), "{end:#?}");
    let line = helping("exit 4");
    let args = ["--restart", "on-failure", "--success", "4", "--wrap", &line];
    assert_eq!(run(args).code, 0);
}

#[test]
fn a_stop_ends_a_pending_backoff_at_once() {
    let mut foster =
        foster(["--backoff", "1h", "--backoff-max", "1h", "--wrap", &helping("exit 9")]);
    foster.logged("starts again in 3600s");
    foster.interrupt();
    let end = foster.end();
    assert!(end.says("SIGINT: stopping"), "{end:#?}");
}
