//! "In a storm, orphans that the log does not show are reaped in a row", at one system call each,
//! and everything else that happens after or during it is handled as usual.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use crate::signals::values_arrive;
use crate::subject::{Folder, await_foreground, binary, foster, probe_line};
use crate::support::patience::until;
use crate::support::procfs::{self, await_sleep, await_state};
use crate::support::running::send;
use crate::support::terminal::SUSPEND;
use crate::support::{Launch, Place, Running, Status, probe};

/// Eight in a row are a storm, and more than that show that it does not matter how many.
const STORM: &str = "block=USR1,CONT say=ready await=USR1 orphans=100 say=made";

#[test]
fn in_a_storm_an_orphan_costs_hardly_more_than_a_system_call() {
    let folder = Folder::new();
    let trace = folder.word("trace");
    let launch = Launch::new("strace").args(["-qq", "-o", &trace, &binary(), "--", probe()]);
    let script = "block=USR1 say=ready await=USR1 orphans=1000 say=made await=USR1 exit=7";
    let mut run = launch.args(script.split(' ')).start();
    run.expect("ready");
    let strace = run.pid();
    let foster = procfs::children(strace)[0];
    await_sleep(foster);
    let calls = || std::fs::read_to_string(&trace).expect("strace writes").lines().count();
    let before = calls();
    storm(&mut run, foster, 1000);
    let child = procfs::children(foster)[0];
    until("zombies stay", || (procfs::children(foster) == [child]).then_some(()));
    await_sleep(foster);
    // Besides, three for each batch of 64, and some for the first ones.
    let spent = calls() - before;
    assert!((1000..1150).contains(&spent), "{spent} system calls");
    send(child, "USR1");
    assert_eq!(run.wait().code(), 7);
}

/// What the loop asks of the kernel, in order, while a command ends and so many orphans with it:
/// foster sees to none before all have ended.
fn calls_at_the_end_of(orphans: usize, more: &str) -> Vec<String> {
    let folder = Folder::new();
    let trace = folder.word("trace");
    let calls = "trace=rt_sigtimedwait,sched_yield,waitid,wait4";
    let launch = Launch::new("strace").args(["-qq", "-e", calls, "-o", &trace]);
    let script = format!("block=USR1 say=ready await=USR1 orphans={orphans} say=made {more}");
    let mut run = launch.args([&binary(), "--", probe()]).args(script.split(' ')).start();
    run.expect("ready");
    let foster = procfs::children(run.pid())[0];
    await_sleep(foster);
    let before = std::fs::read_to_string(&trace).expect("strace writes").lines().count();
    let child = procfs::children(foster)[0];
    let ends_with_them = more.starts_with("exit");
    storm(&mut run, foster, orphans + usize::from(ends_with_them));
    if !ends_with_them {
        until("orphans stay", || (procfs::children(foster) == [child]).then_some(()));
        await_sleep(foster);
        send(child, "USR1");
    }
    assert_eq!(run.wait().code(), 7);
    let trace = std::fs::read_to_string(&trace).expect("strace writes");
    let calls = trace.lines().skip(before).filter_map(|line| line.split_once('('));
    calls.map(|(call, _)| call.to_owned()).collect()
}

#[test]
fn several_orphans_let_others_run_before_the_next_is_reaped() {
    let yields = |calls: &[String]| calls.iter().filter(|call| *call == "sched_yield").count();
    assert_eq!(yields(&calls_at_the_end_of(1, "await=USR1 exit=7")), 0, "one may be all there is");
    let calls = calls_at_the_end_of(20, "await=USR1 exit=7");
    assert_eq!(yields(&calls), 1, "{calls:?}");
    let place = calls.iter().position(|call| call == "sched_yield").expect("it is there");
    // Two were looked at and reaped.
    let reaped = calls[..place].iter().filter(|call| *call == "waitid").count();
    assert_eq!(reaped, 4, "{calls:?}");
}

#[test]
fn a_command_that_ends_together_with_orphans_is_handled_first() {
    let calls = calls_at_the_end_of(20, "exit=7");
    assert!(!calls.contains(&String::from("sched_yield")), "{calls:?}");
}

#[test]
fn while_orphans_end_foster_pauses_and_signals_end_the_pause() {
    let folder = Folder::new();
    let trace = folder.word("trace");
    // Some orphans after others, so that the next have ended before foster is rested from the last; of a
    // process that is proof against the signal from its first step. It sends it itself: who looks on may
    // get to run too late for any pause.
    let storm = "while :; do (:& :& :& :&); kill -HUP $PPID; done";
    let app = format!("#!/bin/sh\ntrap '' HUP\n({storm}) &\nexec {} trap=it\n", probe());
    let app = folder.script("app", app);
    let launch = Launch::new("strace").args(["-qq", "-o", &trace, &binary(), "--", &app]);
    let mut run = launch.place(Place::Pid1).start();
    run.expect("it trapping");
    let mut file = BufReader::new(File::open(&trace).expect("strace writes"));
    let (mut line, mut pauses) = (String::new(), Vec::new());
    until("no signal ended a pause", || {
        while run.line_so_far().is_some() {}
        // The last line may not be whole yet.
        while file.read_line(&mut line).expect("it can be read") > 0 && line.ends_with('\n') {
            let call = std::mem::take(&mut line);
            if call.starts_with("rt_sigtimedwait(~[CHLD") && call.contains(", 8) = ") {
                pauses.push(call);
            }
        }
        pauses.iter().any(|pause| pause.ends_with("(SIGHUP)\n")).then_some(())
    });
    run.expect("it got HUP");
    for pause in &pauses {
        let (_, time) = pause.split_once("{tv_sec=0, tv_nsec=").expect("less than a second");
        let (time, _) = time.split_once('}').expect("the time ends");
        let time = time.parse::<u32>().expect("a number");
        assert!((1..=10_000_000).contains(&time), "{pause}");
    }
}

#[test]
fn a_deadline_is_kept_during_a_storm() {
    let folder = Folder::new();
    let app = "#!/bin/sh\ntrap '' TERM\necho up\nwhile :; do (:&); done\n";
    let app = folder.script("app", app);
    let launch = foster().args(["--stop-timeout", "300ms", "--", &app]).place(Place::Pid1);
    let mut run = launch.start();
    run.expect("up");
    let begin = Instant::now();
    run.signal("TERM");
    assert_eq!(run.wait_for_status(), Status::Code(137));
    let took = begin.elapsed();
    assert!((Duration::from_millis(300)..Duration::from_secs(5)).contains(&took), "{took:?}");
}

#[test]
fn a_command_that_ends_after_a_storm_gives_its_status() {
    for (end, status) in [("exit=7", 7), ("die=TERM", 143), ("die=SEGV", 139), ("exit=0", 0)] {
        let mut run = in_storm(foster().arg("--"), &format!("await=USR1 {end}"), Place::Pid1);
        let child = run.child();
        send(child, "USR1");
        assert_eq!(run.wait_for_status(), Status::Code(status), "{end}");
    }
}

#[test]
fn a_command_that_ends_during_a_storm_gives_its_status() {
    for round in 0..200 {
        let script = format!("orphans={} exit=7", 20 + round);
        let output = foster().arg("--").probe(&script).place(Place::Pid1).output();
        assert_eq!((output.code(), output.stderr.as_str()), (7, ""), "round {round}");
    }
}

#[test]
fn a_signal_that_comes_over_and_over_does_not_keep_another_from_foster() {
    let folder = Folder::new();
    // Each time foster has forwarded one, the next is pending: the kernel returns the lowest number
    // first, as long as one is requested alone.
    let slow = ["-qq", "-o", "/dev/null", "-e", "inject=kill:delay_exit=2000"];
    let flood = "trap '' HUP; echo up; while :; do kill -HUP $PPID; done";
    let app = folder.script("app", format!("#!/bin/sh\n{flood}\n"));
    for _ in 0..5 {
        let foster = [&binary(), "--", &app];
        let mut run = Launch::new("strace").args(slow).args(foster).start();
        run.expect("up");
        let strace = run.pid();
        let begin = Instant::now();
        send(procfs::children(strace)[0], "TERM");
        assert_eq!(run.wait().code(), 143);
        // It takes eight of them, or by luck some thousands.
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    }
}

#[test]
fn after_a_storm_signals_are_forwarded_and_orphans_reaped() {
    let script = "fork { trap=member } orphan { block=HUP,PWR await=PWR } trap=leader";
    let mut run = in_storm(foster().args(["--forward-to", "group", "--"]), script, Place::Pid1);
    run.expect_all(&["member trapping", "leader trapping"]);
    for name in ["HUP", "PWR", "HUP"] {
        run.signal(name);
        let lines = [format!("leader got {name}"), format!("member got {name}")];
        run.expect_all(&lines.each_ref().map(String::as_str));
    }
    // The orphan has ended of the PWR; the child and its own child are left.
    let pid = run.pid();
    until("zombies stay", || (procfs::children(pid).len() == 1).then_some(()));
    run.signal("KILL");
    run.wait_for_status();
}

#[test]
fn real_time_signals_keep_their_values_after_a_storm() {
    let launch = foster().arg("--");
    let mut run = in_storm(launch, "rawtrap", Place::Pid1);
    run.expect("trapping");
    // That of the storm.
    run.expect("got CONT");
    values_arrive(&mut run);
}

#[test]
fn after_a_storm_a_stop_kills_at_the_deadline_and_nothing_is_left() {
    let launch = foster().args(["--stop-timeout", "200ms", "--"]);
    let script = "ignore=TERM fork { say=member pause } orphan { setsid say=away pause } pause";
    let mut run = in_storm(launch, script, Place::Job);
    run.expect_all(&["member", "away"]);
    run.signal("TERM");
    assert_eq!(run.wait_for_status(), Status::Code(137));
    until("something is left", || run.living().is_empty().then_some(()));
}

#[test]
fn a_stop_at_the_moment_of_the_end_after_a_storm_leaves_nothing() {
    for round in 0..50 {
        let script = "fork { ignore=TERM say=member pause } await=USR1 exit=0";
        let launch = foster().args(["--stop-timeout", "100ms", "--"]);
        let mut run = in_storm(launch, script, Place::Job);
        run.expect("member");
        let child = run.child();
        let pid = run.pid();
        // Both are there when it runs again.
        send(pid, "STOP");
        await_state(pid, "T");
        send(child, "USR1");
        until("it does not end", || {
            procfs::stat(child).is_none_or(|stat| stat.state == 'Z').then_some(())
        });
        send(pid, "TERM");
        if round % 2 == 0 {
            send(pid, "INT");
        }
        send(pid, "CONT");
        assert_eq!(run.wait_for_status(), Status::Code(0));
        until("the member is left", || run.living().is_empty().then_some(()));
    }
}

#[test]
fn a_service_that_crashes_after_a_storm_is_started_like_the_first_time() {
    let launch = foster().args(["-q", "--backoff", "0", "--wrap"]);
    let script =
        "ignored fork { ignore=TERM say=member pause } orphans=100 say=made await=USR1 die=KILL";
    let mut run = launch.arg(probe_line(script)).place(Place::Pid1).start();
    for _ in 0..20 {
        assert_eq!(run.line(), "ignored:");
        run.expect_all(&["member", "made"]);
        let pid = run.pid();
        let leader = until("no service runs", || {
            let children = procfs::children(pid);
            let children: Vec<_> = children.into_iter().filter(|pid| is_alive(*pid)).collect();
            (children.len() == 1).then(|| children[0])
        });
        send(leader, "USR1");
    }
    run.expect("made");
    // Of the members, the last one alone lives.
    until("members live", || (run.living().len() == 2).then_some(()));
}

#[test]
fn who_wants_to_read_of_orphans_reads_of_each() {
    for arguments in [&["-vv", "--"], &["-vvv", "--"]] {
        let script = format!("{STORM} orphans=200 say=more await=USR1 exit=0");
        let mut run = foster().args(arguments).probe(&script).place(Place::Pid1).start();
        run.expect("ready");
        let pid = run.pid();
        storm(&mut run, pid, 100);
        run.expect("more");
        let child = run.child();
        until("zombies stay", || (procfs::children(pid).len() == 1).then_some(()));
        send(child, "USR1");
        let output = run.wait();
        let lines = output.stderr.lines().filter(|line| line.contains(" reaped process "));
        // Of three hundred orphans and the two that made them.
        assert_eq!(lines.count(), 300, "{}", output.stderr);
    }
}

#[test]
fn on_a_terminal_a_stop_is_reported_after_a_storm_too() {
    let script = format!("{STORM} pause");
    let mut run = foster().arg("--").probe(&script).in_front().place(Place::Foreground).start();
    run.expect("ready");
    let (pid, child) = (run.pid(), run.child());
    send(pid, "STOP");
    // Its parent has taken the terminal now.
    run.expect_event("stopped STOP");
    send(child, "USR1");
    run.expect("made");
    await_orphans(pid, 100);
    run.command("fg");
    until("zombies stay", || (procfs::children(pid).len() == 1).then_some(()));
    await_foreground(child);
    run.terminal().type_text(SUSPEND);
    run.expect_event("stopped TSTP");
}

#[test]
fn a_service_that_ends_after_the_storm_of_another_is_started_again() {
    let storm = probe_line(&format!("block=HUP {STORM} await=USR1 orphans=100 say=more pause"));
    let other = probe_line("block=HUP,USR1 say=other await=HUP exit=1");
    let launch = foster().args(["-q", "--backoff", "0", "--wrap", &storm, "--wrap", &other]);
    let mut run = launch.place(Place::Pid1).start();
    run.expect_all(&["ready", "other"]);
    for line in ["made", "more"] {
        for pid in procfs::children(run.pid()) {
            send(pid, "USR1");
        }
        run.expect(line);
        run.signal("HUP");
        run.expect("other");
    }
}

#[test]
fn signals_after_a_storm_to_a_group_that_is_gone_are_no_errors() {
    let launch = foster().args(["--stop-timeout", "1s", "--wrap"]);
    let script = format!("{STORM} orphans=100 exit=0");
    let launch = launch.arg(probe_line(&script)).args(["--restart", "on-failure"]);
    let mut run = launch.place(Place::Pid1).start();
    run.expect("ready");
    let pid = run.pid();
    storm(&mut run, pid, 100);
    let output = run.wait();
    assert_eq!(output.code(), 0);
    assert!(!output.stderr.contains("cannot"), "{output:?}");
}

/// Starts it with a child that makes a storm, and does more afterwards.
fn in_storm(launch: Launch, more: &str, place: Place) -> Running {
    let mut run = launch.probe(&format!("{STORM} {more}")).place(place).start();
    run.expect("ready");
    let pid = run.pid();
    storm(&mut run, pid, 100);
    run
}

/// Has the child make orphans. So many children have ended before foster gets to see to the first.
pub fn storm(run: &mut Running, foster: i32, ends: usize) {
    send(foster, "STOP");
    await_state(foster, "Tt");
    send(procfs::children(foster)[0], "USR1");
    run.expect("made");
    await_orphans(foster, ends);
    send(foster, "CONT");
}

/// Waits until so many children of a foster that stands still have ended: the last that an orphan does
/// itself, which is what its maker waits for, is some steps before its end.
fn await_orphans(foster: i32, count: usize) {
    let ended = || procfs::children(foster).into_iter().filter(|pid| !is_alive(*pid)).count();
    until("orphans live", || (ended() >= count).then_some(()));
}

fn is_alive(pid: i32) -> bool {
    procfs::stat(pid).is_some_and(|stat| !"ZX".contains(stat.state))
}
