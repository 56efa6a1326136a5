//! "Job control works": a real interactive bash under foster, and foster under one.

use crate::subject::{Folder, await_foreground, await_process, binary, foster};
use crate::support::patience::until;
use crate::support::procfs::{self, await_state};
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
        // It keeps running in the background until it gets its signal.
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

/// bash and dash, with whole scripts of theirs on the terminal.
const SHELLS: [&str; 2] = ["bash", "dash"];

/// A job of an interactive bash.
fn job(line: &str) -> Running {
    let mut run = start(Launch::new(BASH[0]).args(&BASH[1..]).in_front());
    tell(&mut run, line);
    run
}

/// Waits for the process, other than foster, whose command line has this in it.
fn with_word(run: &mut Running, word: &str) -> i32 {
    let is_it = |pid: &i32| {
        let named = procfs::stat(*pid).is_some_and(|stat| stat.name != "foster");
        named && procfs::command_line(*pid).is_some_and(|line| line.contains(word))
    };
    until(&format!("no process with {word}"), || run.everything().into_iter().find(is_it))
}

#[test]
fn ctrl_c_ends_a_loop_a_make_and_an_xargs_with_a_foster_in_it() {
    let folder = Folder::new();
    let (foster, probe) = (binary(), probe());
    let makefile = format!("all: one two\none two:\n\t@{foster} -- {probe} say=up$@ pause\n");
    std::fs::write(folder.word("Makefile"), makefile).expect("a file can be written");
    let lone = format!("{foster} -- {probe} say=upone pause");
    let mut lines = vec![
        format!("make -f {}", folder.word("Makefile")),
        format!("printf 'one\\ntwo\\n' | xargs -o -I% {foster} -- {probe} say=up% pause"),
        format!("for i in one two; do {foster} -- {probe} say=up$i pause; done"),
    ];
    for shell in SHELLS {
        let each = format!("{foster} -- {probe} say=up$i pause");
        lines.push(format!("{shell} -c 'for i in one two; do {each}; done; echo not ended'"));
        // Forwarded by foster, because the child does not have the terminal.
        let each = format!("{each} > /dev/null");
        lines.push(format!("{shell} -c 'for i in one two; do {each}; done; echo not ended'"));
        lines.push(format!("{shell} -c '{lone}; echo not ended'"));
    }
    for line in lines {
        let mut run = job(&format!("{line}; echo over $?"));
        let probe = if line.contains("/dev/null") {
            await_process(&mut run, "probe")
        } else {
            run.expect("upone");
            await_process(&mut run, "probe")
        };
        until("it does not wait", || {
            procfs::stat(probe).filter(|stat| stat.state == 'S' && stat.name == "probe")
        });
        run.terminal().type_text(INTERRUPT);
        // A loop of the interactive shell's own takes the rest of the line with it.
        tell(&mut run, "echo at the prompt again");
        let before = run.lines_until("at the prompt again").join("\n");
        assert!(!before.contains("uptwo") && !before.contains("not ended"), "{line}: {before}");
    }
}

#[test]
fn foster_in_front_of_a_pager_leaves_it_the_terminal() {
    // As less: it shows what comes, and reads keys from the terminal.
    let pager = format!("{} say=shown ask say=quit", probe());
    let mut run = job(&format!("{} -- {} say=line pause | {pager}", binary(), probe()));
    run.expect("shown");
    let pager = with_word(&mut run, "quit");
    await_foreground(pager);
    tell(&mut run, "q");
    run.expect("asked: q");
    run.expect("quit");
}

#[test]
fn a_password_prompt_before_a_pager_gets_the_terminal_and_then_the_pager() {
    // As less: keys are what it reads once it has something to show, here what the child was told.
    let pager = format!("{} read read say=shown ask say=quit", probe());
    let mut run = job(&format!("{} -- {} ask say=line pause | {pager}", binary(), probe()));
    let (child, pager) = (with_word(&mut run, "say=line"), with_word(&mut run, "quit"));
    await_foreground(child);
    tell(&mut run, "secret");
    run.expect("read: asked: secret");
    run.expect("shown");
    await_foreground(pager);
    tell(&mut run, "q");
    run.expect("asked: q");
    run.expect("quit");
}

#[test]
fn foster_in_the_background_of_a_script_leaves_it_the_terminal() {
    for shell in SHELLS {
        let background = format!("{} -- {} say=up pause", binary(), probe());
        let script = format!("{background} & read line; echo read: $line; kill $!; wait");
        let mut run = job(&format!("{shell} -c '{script}'"));
        run.expect("up");
        let script = with_word(&mut run, "read line");
        await_foreground(script);
        tell(&mut run, "hello");
        run.expect("read: hello");
        tell(&mut run, "echo at the prompt again");
        run.expect("at the prompt again");
    }
}

#[test]
fn an_interactive_shell_that_has_the_terminal_ends_when_foster_is_stopped() {
    for shell in SHELLS {
        let run = foster().args(["--", shell, "-i"]).env("PS1", "$ ").in_front();
        let mut run = run.place(Place::TerminalLeader).start();
        tell(&mut run, "echo ready");
        run.expect("ready");
        let child = run.child();
        await_foreground(child);
        run.signal("TERM");
        assert_eq!(run.wait().code(), 129, "{shell}");
    }
}

#[test]
fn ctrl_z_suspends_a_supervisor_under_bash_and_fg_resumes_it() {
    let mut run = job(&format!("{} --wrap '{} trap'", binary(), probe()));
    run.expect("trapping");
    let foster = await_process(&mut run, "foster");
    for _ in 0..2 {
        await_foreground(foster);
        run.terminal().type_text(SUSPEND);
        await_state(foster, "T");
        tell(&mut run, "jobs; echo suspended");
        let jobs = run.lines_until("suspended").join("\n");
        assert!(jobs.contains("Stopped"), "{jobs}");
        tell(&mut run, "fg");
        run.expect("got CONT");
    }
    run.terminal().type_text(INTERRUPT);
    run.expect("got INT");
}

#[test]
fn a_window_that_is_closed_stops_a_supervisor_under_any_shell() {
    for shell in SHELLS {
        // Its output goes elsewhere, so that it can tell.
        let folder = Folder::new();
        let told = folder.word("told");
        let line = format!("{} --wrap '{} trap' > {told} 2>&1", binary(), probe());
        // A shell that is PID 1 would take all with it when it ends.
        let words = ["detach", "fork", "{", "leader", "exec", shell, "-i", "}", "pause"];
        let run = Launch::new(probe()).args(words).env("PS1", "$ ").in_front();
        let mut run = run.place(Place::TerminalLeader).start();
        tell(&mut run, &line);
        let foster = await_process(&mut run, "foster");
        let text = || std::fs::read_to_string(&told).unwrap_or_default();
        until("it does not run", || text().contains("trapping").then_some(()));
        await_foreground(foster);
        run.hang_up();
        until("it is not stopped", || text().contains("got TERM").then_some(()));
        assert!(!text().contains("got HUP"), "{}", text());
    }
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
