//! What tini writes, where, and the environment variables that it reads.

use crate::subject::{bug, tini};
use crate::support::patience::until;
use crate::support::procfs::{await_state, children, inner_pid, stat};
use crate::support::running::send;
use crate::support::{Launch, Output, Place, Status};

#[test]
fn tini_is_silent_by_default() {
    let output = tini().arg("--").probe("orphans=2 exit=3").place(Place::Pid1).output();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
    let output = tini().args(["-s", "--"]).probe("orphans=2 die=TERM").output();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
}

#[test]
fn tini_warns_when_it_can_adopt_nobody() {
    let output = tini().arg("--").probe("exit=3").output();
    assert_eq!((output.code(), output.stdout.as_str()), (3, ""));
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{output:?}");
    assert_eq!(level_and_text(lines[0]), ("WARN ", ADOPTS_NOBODY));
}

#[test]
fn tini_does_not_warn_as_pid_1_or_subreaper() {
    let pid_1 = tini().arg("--").probe("exit=3").place(Place::Pid1);
    let subreaper = tini().args(["-s", "--"]).probe("exit=3");
    let by_variable = tini().env("TINI_SUBREAPER", "").arg("--").probe("exit=3");
    let inherited = tini().inheriting("subreaper").arg("--").probe("exit=3");
    for launch in [pid_1, subreaper, by_variable, inherited] {
        let output = launch.output();
        assert_eq!((output.code(), output.stderr.as_str()), (3, ""));
    }
}

#[test]
fn tini_verbosity_0_silences_warnings() {
    let launch = tini().env("TINI_VERBOSITY", "0").args(["-w", "--"]);
    let output = launch.probe("exit=3").output();
    assert_eq!((output.code(), output.stderr.as_str()), (3, ""));
}

#[test]
fn tini_verbosity_0_leaves_fatal_messages() {
    let output = tini().env("TINI_VERBOSITY", "0").args(["-s", "/nonexistent"]).output();
    assert!(output.stderr.starts_with("[FATAL tini ("), "{output:?}");
}

#[test]
fn tini_v_informs_on_stdout() {
    let output = as_pid_1("-v", "exit=3");
    assert_eq!(output.stderr, "");
    let lines: Vec<(&str, &str)> = output.stdout.lines().map(level_and_text).collect();
    assert!(lines.iter().all(|(level, _)| *level == "INFO "), "{output:?}");
    let program = crate::support::probe();
    let spawned = format!("Spawned child process '{program}' with pid '2'");
    assert!(lines.iter().any(|(_, text)| *text == spawned), "{output:?}");
    let ended = "Main child exited normally (with status '3')";
    assert!(lines.iter().any(|(_, text)| *text == ended), "{output:?}");
}

#[test]
fn tini_informs_of_a_death_by_signal() {
    let output = as_pid_1("-v", "die=TERM");
    let ended = "[INFO  tini (1)] Main child exited with signal (with signal 'Terminated')";
    assert!(output.stdout.lines().any(|line| line == ended), "{output:?}");
}

#[test]
fn tini_levels_add_up() {
    // Each further -v adds a level, and no level above it is written.
    for (option, levels) in [
        ("-v", &["INFO "][..]),
        ("-vv", &["INFO ", "DEBUG"]),
        ("-vvv", &["INFO ", "DEBUG", "TRACE"]),
        ("-vvvvv", &["INFO ", "DEBUG", "TRACE"]),
    ] {
        assert_eq!(levels_of(&as_pid_1(option, "orphans=1 exit=3")), levels, "{option}");
    }
    assert_eq!(levels_of(&as_pid_1("-s", "exit=3")), [""; 0]);
}

#[test]
fn tini_verbosity_replaces_the_count_of_v() {
    let quiet = tini().env("TINI_VERBOSITY", "1").args(["-vvv", "--"]);
    assert_eq!(levels_of(&quiet.probe("exit=3").place(Place::Pid1).output()), [""; 0]);
    let verbose = tini().env("TINI_VERBOSITY", "2").arg("--");
    assert_eq!(levels_of(&verbose.probe("exit=3").place(Place::Pid1).output()), ["INFO "]);
}

#[test]
fn tini_reads_verbosity_like_atoi() {
    for (value, warns) in [("abc", false), ("", false), (" 1x", true), ("+1", true)] {
        let output = tini().env("TINI_VERBOSITY", value).arg("--").probe("exit=0").output();
        assert_eq!(!output.stderr.is_empty(), warns, "{value:?}: {output:?}");
    }
    // A negative number becomes the largest one.
    let everything = tini().env("TINI_VERBOSITY", "-1").arg("--");
    let output = everything.probe("exit=3").place(Place::Pid1).output();
    assert_eq!(levels_of(&output), ["INFO ", "DEBUG", "TRACE"]);
}

#[test]
fn tini_keeps_its_variables_in_the_environment() {
    let mut launch = tini().args(["-s", "--"]);
    for name in ["TINI_SUBREAPER", "TINI_KILL_PROCESS_GROUP", "TINI_VERBOSITY"] {
        launch = launch.env(name, "1");
    }
    let script = "env=TINI_SUBREAPER env=TINI_KILL_PROCESS_GROUP env=TINI_VERBOSITY";
    let expected = "TINI_SUBREAPER=1\nTINI_KILL_PROCESS_GROUP=1\nTINI_VERBOSITY=1\n";
    assert_eq!(launch.probe(script).output().stdout, expected);
}

#[test]
fn tini_w_warns_of_each_reaped_orphan() {
    let mut run = with_orphans(tini().args(["-w", "--"]), 3);
    let mut pids: Vec<i32> = (0..3)
        .map(|_| {
            let pid = run.expect_error("[WARN  tini (1)] Reaped zombie process with pid=");
            pid.parse().expect("a pid")
        })
        .collect();
    pids.dedup();
    assert_eq!(pids.len(), 3, "each has its own pid");
    run.write_line("");
    let output = run.wait();
    // The main child is no orphan.
    assert_eq!(output.stderr.lines().count(), 3, "{output:?}");
    assert!(!pids.contains(&2));
}

#[test]
fn tini_w_leaves_the_debug_lines_of_an_orphan() {
    let mut run = with_orphans(tini().args(["-w", "-vv", "--"]), 1);
    run.write_line("");
    let output = run.wait();
    let line = output.stderr.lines().find(|line| line.contains("zombie")).expect("a warning");
    let (_, pid) = line.rsplit_once('=').expect("a pid");
    for text in ["Received SIGCHLD".to_owned(), format!("Reaped child with pid: '{pid}'")] {
        let line = format!("[DEBUG tini (1)] {text}");
        assert!(output.stdout.lines().any(|one| one == line), "{line}: {output:?}");
    }
}

#[test]
fn tini_without_w_reaps_silently() {
    let mut run = with_orphans(tini().arg("--"), 3);
    run.write_line("");
    assert_eq!(run.wait().stderr, "");
}

#[test]
fn tini_w_is_silenced_by_verbosity_0() {
    let mut run = with_orphans(tini().env("TINI_VERBOSITY", "0").args(["-w", "--"]), 3);
    run.write_line("");
    assert_eq!(run.wait().stderr, "");
}

#[test]
fn tini_w_warns_of_what_ended_together_with_the_child() {
    let launch = tini().args(["-sw", "--"]).probe("orphan { say=made pause } read exit=3");
    let mut run = launch.with_input().place(Place::Job).start();
    run.expect("made");
    let (pid, child) = (run.pid(), run.child());
    let orphan = until("the orphan is adopted", || {
        children(pid).into_iter().find(|adopted| *adopted != child)
    });
    let orphan_here = inner_pid(orphan).expect("it lives");
    run.signal("STOP");
    await_state(pid, "T");
    send(orphan, "KILL");
    await_state(orphan, "Z");
    run.write_line("");
    await_state(child, "Z");
    run.signal("CONT");
    let init_here = run.started().0;
    let line = format!("[WARN  tini ({init_here})] Reaped zombie process with pid={orphan_here}");
    run.expect_error(&line);
    assert_eq!(run.wait_for_status(), Status::Code(3));
}

#[test]
fn tini_writes_each_line_once_when_exec_fails() {
    bug("buffered output is flushed by the child too", "more than once", || {
        let launch = tini().args(["-vvv", "-s", "/nonexistent"]);
        let output = launch.output();
        assert_eq!(output.code(), 127);
        let mut lines: Vec<&str> = output.stdout.lines().collect();
        lines.sort_unstable();
        let repeated = lines.windows(2).find(|pair| pair[0] == pair[1]);
        assert!(repeated.is_none(), "a line comes more than once: {output:?}");
    });
}

const ADOPTS_NOBODY: &str =
    "Tini is not running as PID 1 and isn't registered as a child subreaper.";

fn as_pid_1(option: &str, script: &str) -> Output {
    tini().args([option, "--"]).probe(script).place(Place::Pid1).output()
}

/// Starts a child that leaves orphans, and waits until they have been reaped.
fn with_orphans(launch: Launch, count: usize) -> crate::support::Running {
    let script = format!("orphans={count} say=made read exit=0");
    let mut run = launch.probe(&script).with_input().place(Place::Pid1).start();
    run.expect("made");
    let pid = run.pid();
    until("the orphans are reaped", || (children(pid).len() == 1).then_some(()));
    assert!(stat(pid).is_some());
    run
}

/// `[INFO  tini (1)] text` in its two parts: the level is padded to five.
fn level_and_text(line: &str) -> (&str, &str) {
    let inner = line.strip_prefix('[').unwrap_or_else(|| panic!("no log line: {line:?}"));
    let (level, rest) = inner.split_once(" tini (").expect("the program's name");
    let (pid, text) = rest.split_once(")] ").expect("the end of the prefix");
    assert_eq!(level.len(), 5, "{line:?}");
    assert!(pid.parse::<u32>().is_ok(), "{line:?}");
    (level, text)
}

/// The levels of what was written on standard output, in ascending order of detail.
fn levels_of(output: &Output) -> Vec<&'static str> {
    let written: Vec<&str> = output.stdout.lines().map(|line| level_and_text(line).0).collect();
    let known = ["FATAL", "WARN ", "INFO ", "DEBUG", "TRACE"];
    known.into_iter().filter(|level| written.contains(level)).collect()
}
