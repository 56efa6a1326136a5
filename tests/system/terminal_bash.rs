//! "Job control works": a real interactive bash under foster, and foster under one.

use crate::subject::{await_foreground, await_process, binary, foster};
use crate::support::procfs::await_state;
use crate::support::running::send;
use crate::support::terminal::{INTERRUPT, SUSPEND};
use crate::support::{Launch, Place, Running, probe};

const BASH: [&str; 5] = ["bash", "--norc", "--noprofile", "--noediting", "-i"];

/// bash alone, for comparison, and under foster.
fn shells() -> [Launch; 2] {
    [Launch::new(BASH[0]).args(&BASH[1..]), foster().arg("--").args(BASH)]
}

fn start(launch: Launch) -> Running {
    let mut run = launch.env("PS1", "$ ").place(Place::TerminalLeader).start();
    tell(&mut run, "echo ready");
    run.expect("ready");
    run
}

fn tell(run: &mut Running, line: &str) {
    run.terminal().type_text(&format!("{line}\n"));
}

#[test]
fn an_interactive_bash_has_ctrl_c_as_without_foster() {
    for launch in shells() {
        let mut run = start(launch);
        tell(&mut run, "sleep 100");
        let sleep = await_process(&mut run, "sleep");
        await_foreground(sleep);
        run.terminal().type_text(INTERRUPT);
        tell(&mut run, "echo status $?");
        run.expect("status 130");
        tell(&mut run, "exit 7");
        assert_eq!(run.wait().code(), 7);
    }
}

#[test]
fn an_interactive_bash_has_ctrl_z_fg_and_bg_as_without_foster() {
    for launch in shells() {
        let mut run = start(launch);
        tell(&mut run, &format!("{} block=USR1 say=up read await=USR1", probe()));
        run.expect("up");
        let job = await_process(&mut run, "probe");
        await_foreground(job);
        run.terminal().type_text(SUSPEND);
        await_state(job, "T");
        tell(&mut run, "jobs; echo suspended");
        let jobs = run.lines_until("suspended").join("\n");
        assert!(jobs.contains("Stopped"), "{jobs}");
        tell(&mut run, "fg");
        await_foreground(job);
        tell(&mut run, "hello");
        run.expect("read: hello");
        run.terminal().type_text(SUSPEND);
        await_state(job, "T");
        // It goes on in the background, until it gets its signal.
        tell(&mut run, "bg; wait; echo all done");
        await_state(job, "S");
        send(job, "USR1");
        run.expect("all done");
        tell(&mut run, "exit 0");
        assert_eq!(run.wait().code(), 0);
    }
}

#[test]
fn bash_complains_of_nothing_under_foster() {
    let said = |launch| {
        let mut run = start(launch);
        tell(&mut run, "set -o | grep monitor");
        let monitor = run.expect_prefix("monitor");
        tell(&mut run, "exit");
        (monitor.trim().to_owned(), run.wait().stderr)
    };
    let [alone, under] = shells().map(said);
    assert_eq!(alone, under);
    assert_eq!(under.0, "on");
}

#[test]
fn foster_is_a_job_of_bash_like_any_other() {
    let mut run = start(Launch::new(BASH[0]).args(&BASH[1..]));
    tell(&mut run, &format!("{} -- {} say=up read pause", binary(), probe()));
    run.expect("up");
    let (foster, child) = (await_process(&mut run, "foster"), await_process(&mut run, "probe"));
    await_foreground(child);
    run.terminal().type_text(SUSPEND);
    await_state(child, "T");
    await_state(foster, "T");
    tell(&mut run, "jobs; echo suspended");
    let jobs = run.lines_until("suspended").join("\n");
    assert!(jobs.contains("Stopped"), "{jobs}");
    tell(&mut run, "fg");
    await_foreground(child);
    await_state(foster, "S");
    tell(&mut run, "hello");
    run.expect("read: hello");
    run.terminal().type_text(INTERRUPT);
    tell(&mut run, "echo status $?");
    run.expect("status 130");
    tell(&mut run, "exit 0");
    assert_eq!(run.wait().code(), 0);
}

#[test]
fn ctrl_z_stops_a_script_with_the_foster_in_it() {
    let script = format!("sh -c '{} -- {} say=up read; echo over'", binary(), probe());
    stops_as_a_whole(&script, "sh");
}

#[test]
fn ctrl_z_stops_a_pipeline_with_the_foster_in_it() {
    stops_as_a_whole(&format!("{} -- {} say=up read | cat", binary(), probe()), "cat");
}

fn stops_as_a_whole(line: &str, other: &str) {
    let mut run = start(Launch::new(BASH[0]).args(&BASH[1..]));
    tell(&mut run, line);
    run.expect("up");
    let all = ["foster", "probe", other].map(|name| await_process(&mut run, name));
    for hello in ["", "once more"] {
        await_foreground(all[1]);
        run.terminal().type_text(SUSPEND);
        all.into_iter().for_each(|pid| await_state(pid, "T"));
        tell(&mut run, "jobs; echo suspended");
        let jobs = run.lines_until("suspended").join("\n");
        assert!(jobs.contains("Stopped"), "{jobs}");
        tell(&mut run, "fg");
        all.into_iter().for_each(|pid| await_state(pid, "SR"));
        await_foreground(all[1]);
        if !hello.is_empty() {
            tell(&mut run, hello);
            run.expect("read: once more");
        }
    }
    tell(&mut run, "echo at the prompt again");
    run.expect("at the prompt again");
}

#[test]
fn a_script_in_the_background_is_stopped_with_the_reader_in_it_until_fg() {
    let mut run = start(Launch::new(BASH[0]).args(&BASH[1..]));
    tell(&mut run, &format!("sh -c '{} -- {} read; echo over' &", binary(), probe()));
    for name in ["sh", "foster", "probe"] {
        let pid = await_process(&mut run, name);
        await_state(pid, "T");
    }
    tell(&mut run, "fg");
    let reader = await_process(&mut run, "probe");
    await_foreground(reader);
    tell(&mut run, "hello");
    run.expect("read: hello");
    run.expect("over");
}

#[test]
fn foster_in_a_pipeline_of_bash_runs_to_its_end() {
    let mut run = start(Launch::new(BASH[0]).args(&BASH[1..]));
    let (foster, probe) = (binary(), probe());
    tell(&mut run, &format!("{foster} -- {probe} say=one | {foster} -- {probe} read | cat"));
    run.expect("read: one");
    tell(&mut run, "echo status ${PIPESTATUS[*]}");
    run.expect("status 0 0 0");
}

#[test]
fn foster_in_the_background_of_bash_leaves_it_the_terminal() {
    let mut run = start(Launch::new(BASH[0]).args(&BASH[1..]));
    tell(&mut run, &format!("{} -- {} say=up pause &", binary(), probe()));
    run.expect("up");
    tell(&mut run, "echo still here; kill %1; wait; echo status $?");
    run.expect("still here");
    run.expect("status 0");
}
