//! "In a storm, orphans of whom nobody wants to know are left to the kernel": foster ignores SIGCHLD
//! for as long, and hears of its child by a pidfd.

use nix::libc;

use crate::signals::values_arrive;
use crate::subject::{Folder, binary, foster, probe_line};
use crate::support::patience::until;
use crate::support::procfs::{self, await_sleep, await_state};
use crate::support::running::send;
use crate::support::signals::names_in_mask;
use crate::support::{Launch, Place, Running, Status, probe};

/// Eight in a row are a storm, and more than that show that it does not matter how many.
const STORM: &str = "block=USR1,CONT say=ready await=USR1 orphans=100 say=made";

#[test]
fn orphans_that_end_after_a_storm_do_not_wake_foster() {
    if !guards_tell() {
        return;
    }
    let folder = Folder::new();
    let trace = folder.word("trace");
    let launch = Launch::new("strace").args(["-qq", "-o", &trace, &binary(), "--", probe()]);
    let script = format!("{STORM} await=USR1 orphans=1000 say=more await=USR1 exit=7");
    let mut run = launch.args(script.split(' ')).start();
    run.expect("ready");
    let strace = run.pid();
    let foster = procfs::children(strace)[0];
    storm(&mut run, foster);
    await_ignored(foster);
    await_sleep(foster);
    let child = procfs::children(foster)[0];
    let calls = || std::fs::read_to_string(&trace).expect("strace writes").lines().count();
    let before = calls();
    send(child, "USR1");
    run.expect("more");
    until("zombies stay", || (procfs::children(foster) == [child]).then_some(()));
    await_sleep(foster);
    // Its wait may have been written down since.
    let after = calls();
    assert!(after <= before + 1, "{before} system calls and then {after}");
    send(child, "USR1");
    assert_eq!(run.wait().code(), 7);
}

#[test]
fn a_command_that_ends_behind_a_storm_gives_its_status() {
    for (end, status) in [("exit=7", 7), ("die=TERM", 143), ("die=SEGV", 139), ("exit=0", 0)] {
        let mut run = in_storm(foster().arg("--"), &format!("await=USR1 {end}"), Place::Pid1);
        let child = run.child();
        send(child, "USR1");
        assert_eq!(run.wait_for_status(), Status::Code(status), "{end}");
    }
}

#[test]
fn a_command_that_ends_in_the_midst_of_a_storm_gives_its_status() {
    for round in 0..200 {
        let script = format!("orphans={} exit=7", 20 + round);
        let output = foster().arg("--").probe(&script).place(Place::Pid1).output();
        assert_eq!((output.code(), output.stderr.as_str()), (7, ""), "round {round}");
    }
}

#[test]
fn behind_a_storm_signals_go_on_and_orphans_are_foster_s_again_until_the_next() {
    let script = "fork { trap=member } orphan { block=HUP,PWR await=PWR } trap=leader";
    let mut run = in_storm(foster().arg("--"), script, Place::Pid1);
    run.expect_all(&["member trapping", "leader trapping"]);
    let pid = run.pid();
    if guards_tell() {
        await_ignored(pid);
    }
    for name in ["HUP", "PWR", "HUP"] {
        run.signal(name);
        let lines = [format!("leader got {name}"), format!("member got {name}")];
        run.expect_all(&lines.each_ref().map(String::as_str));
        assert!(!ignored(pid).contains("CHLD"), "something else than orphans was to be seen to");
    }
    // The orphan has ended of the PWR; the child and its own child are left.
    until("zombies stay", || (procfs::children(pid).len() == 1).then_some(()));
    run.signal("KILL");
    run.wait_for_status();
}

#[test]
fn real_time_signals_keep_their_values_behind_a_storm() {
    let launch = foster().args(["--forward-to", "child", "--"]);
    let mut run = in_storm(launch, "rawtrap", Place::Pid1);
    run.expect("trapping");
    // That of the storm.
    run.expect("got CONT");
    if guards_tell() {
        let pid = run.pid();
        await_ignored(pid);
    }
    values_arrive(&mut run);
}

#[test]
fn behind_a_storm_a_stop_kills_at_the_deadline_and_nothing_is_left() {
    let launch = foster().args(["--stop-timeout", "200ms", "--"]);
    let script = "ignore=TERM fork { say=member pause } orphan { setsid say=away pause } pause";
    let mut run = in_storm(launch, script, Place::Job);
    run.expect_all(&["member", "away"]);
    run.signal("TERM");
    assert_eq!(run.wait_for_status(), Status::Code(137));
    until("something is left", || run.living().is_empty().then_some(()));
}

#[test]
fn a_stop_in_the_moment_of_the_end_behind_a_storm_leaves_nothing() {
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
fn a_service_that_crashes_behind_a_storm_is_started_again_as_the_first_time() {
    let launch = foster().args(["-q", "--backoff", "0", "--wrap"]);
    let script =
        "ignored fork { ignore=TERM say=member pause } orphans=100 say=made await=USR1 die=KILL";
    let mut run = launch.arg(probe_line(script)).place(Place::Pid1).start();
    for _ in 0..20 {
        // Not even SIGCHLD, whatever foster does with it.
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
        storm(&mut run, pid);
        run.expect("more");
        let child = run.child();
        until("zombies stay", || (procfs::children(pid).len() == 1).then_some(()));
        assert!(!ignored(pid).contains("CHLD"));
        send(child, "USR1");
        let output = run.wait();
        let lines = output.stderr.lines().filter(|line| line.contains(" reaped process "));
        // Of three hundred orphans and the two that made them.
        assert_eq!(lines.count(), 300, "{}", output.stderr);
    }
}

#[test]
fn on_a_terminal_a_stop_is_told_behind_a_storm_too() {
    let script = format!("{STORM} pause");
    let mut run = foster().arg("--").probe(&script).place(Place::Foreground).start();
    run.expect("ready");
    let pid = run.pid();
    storm(&mut run, pid);
    until("zombies stay", || (procfs::children(pid).len() == 1).then_some(()));
    assert!(!ignored(pid).contains("CHLD"));
    run.terminal().type_text(crate::support::terminal::SUSPEND);
    run.expect_event("stopped ");
}

/// Starts it with a child that makes a storm, and does more behind it.
fn in_storm(launch: Launch, more: &str, place: Place) -> Running {
    let mut run = launch.probe(&format!("{STORM} {more}")).place(place).start();
    run.expect("ready");
    let pid = run.pid();
    storm(&mut run, pid);
    run
}

/// Has the child make its orphans, all of which have ended before foster gets to see to the first.
fn storm(run: &mut Running, foster: i32) {
    send(foster, "STOP");
    await_state(foster, "Tt");
    send(procfs::children(foster)[0], "USR1");
    run.expect("made");
    send(foster, "CONT");
}

fn await_ignored(foster: i32) {
    until("SIGCHLD is not ignored", || ignored(foster).contains("CHLD").then_some(()));
}

fn ignored(pid: i32) -> String {
    procfs::status(pid, "SigIgn").map(|mask| names_in_mask(&mask)).unwrap_or_default()
}

fn is_alive(pid: i32) -> bool {
    procfs::stat(pid).is_some_and(|stat| !"ZX".contains(stat.state))
}

/// Whether a pidfd tells how somebody ended who is reaped (`PIDFD_INFO_EXIT`, Linux 6.15).
fn guards_tell() -> bool {
    let mut child = std::process::Command::new("true").spawn().expect("there is true");
    // SAFETY: these are system calls on numbers, and a record of the size that the request says.
    let told = unsafe {
        let pidfd = libc::syscall(libc::SYS_pidfd_open, child.id(), 0) as i32;
        child.wait().expect("it ends");
        let mut info = [0_u64; 8];
        info[0] = 1 << 3;
        let asked = libc::ioctl(pidfd, 0xc040_ff0b, &raw mut info);
        libc::close(pidfd);
        asked == 0 && info[0] & 1 << 3 != 0
    };
    if !told {
        eprintln!("skipped in part: this kernel has no PIDFD_INFO_EXIT");
    }
    told
}
