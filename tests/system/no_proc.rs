//! Without a /proc of its own foster asks the kernel: nobody is missed, and nothing takes long.

use std::fs;
use std::time::Duration;

use crate::leftovers::{Crash, alive};
use crate::subject::{Folder, binary, foster, probe_line, quick, wrapped};
use crate::support::patience::until;
use crate::support::procfs;
use crate::support::running::send;
use crate::support::skip::has_root_to;
use crate::support::{Launch, Place, Running, Status};

/// Runs a shell's line in the namespaces of a process.
fn inside(pid: i32, line: &str) {
    let pid = pid.to_string();
    let enter = Launch::new("nsenter").args(["-t", &pid, "-p", "-m", "sh", "-c", line]);
    let output = enter.output();
    assert_eq!(output.code(), 0, "{output:?}");
}

#[test]
fn a_proc_that_is_unmounted_later_is_not_missed() {
    if !has_root_to("unmount /proc") {
        return;
    }
    let crash = Crash::new();
    let line = crash.line("$probe orphan '{' setsid say=daemon pause '}'");
    let member = "fork { block=TERM say=member await=TERM sleep=300 say=cleaned } pause";
    let launch = quick(foster()).args(["--wrap", &line, "--wrap", &probe_line(member)]);
    let mut run = launch.place(Place::Job).start();
    run.expect_all(&["daemon", "member", "ready"]);
    let pid = run.pid();
    inside(pid, "umount -l /proc");
    crash.crash();
    run.expect("second");
    // The other service and its member, and the second run.
    assert_eq!(alive(&mut run, "probe").len(), 3);
    run.signal("TERM");
    run.expect("cleaned");
}

#[test]
fn a_proc_that_is_mounted_later_is_used() {
    if !has_root_to("mount /proc") {
        return;
    }
    // Only the environment identifies these.
    let service = "block=HUP orphan { setsid limit=locks:hard say=daemon pause } say=run await=HUP \
                   exit=1";
    let service = probe_line(&service.replace("                   ", ""));
    let launch =
        quick(foster()).args(["--wrap", &service, "--wrap", &probe_line("ignore=HUP pause")]);
    let mut run = launch.inheriting("proc=none").place(Place::Job).start();
    run.expect_all(&["daemon", "run"]);
    run.signal("HUP");
    run.expect_all(&["daemon", "run"]);
    assert_eq!(alive(&mut run, "probe").len(), 4, "the first may be anyone's");
    let pid = run.pid();
    inside(pid, "mount -t proc proc /proc");
    run.signal("HUP");
    run.expect_all(&["daemon", "run"]);
    assert_eq!(alive(&mut run, "probe").len(), 3, "both are known: {}", run.errors());
}

/// Has ids begin anew in the subject's namespace a few processes from now.
fn let_ids_begin_anew_soon(run: &mut Running) {
    let init = run.everything()[0];
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("/proc is mounted");
    let mut numbers = release.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    // From then on a namespace has a limit of its own.
    if (numbers.next(), numbers.next()) >= (Some(6), Some(14)) {
        inside(init, "echo 400000 > /proc/sys/kernel/pid_max");
    }
    inside(init, "cd /proc/sys/kernel; echo $(($(cat pid_max) - 8)) > ns_last_pid");
}

#[test]
fn when_ids_begin_anew_no_member_is_missed() {
    if !has_root_to("set the next process id") {
        return;
    }
    let member = "fork { block=TERM,USR1 say=member await=TERM say=asked await=USR1 say=cleaned }";
    let script = format!("block=HUP say=up await=HUP {member} orphans=20 say=over pause");
    let mut run = wrapped(&script).inheriting("proc=none").place(Place::Job).start();
    run.expect("up");
    let_ids_begin_anew_soon(&mut run);
    run.signal("HUP");
    run.expect_all(&["member", "over"]);
    let leader = run.child();
    run.signal("TERM");
    run.expect("asked");
    let own = procfs::inner_pid(leader).expect("it is held");
    run.expect_error(&format!("foster: info: probe (pid {own}) was killed by SIGTERM"));
    // Whom foster misses it does not wait for.
    run.expect_quiet(Duration::from_millis(200));
    // The other children are foster's own, which end at once.
    let is_member =
        |pid: &i32| *pid != leader && procfs::stat(*pid).is_some_and(|stat| stat.name == "probe");
    let member = procfs::children(run.pid()).into_iter().find(is_member);
    send(member.expect("it was adopted"), "USR1");
    run.expect("cleaned");
    assert_eq!(run.wait_for_status(), Status::Code(0));
}

#[test]
fn when_ids_begin_anew_no_orphan_is_missed() {
    if !has_root_to("set the next process id") {
        return;
    }
    let script = "block=HUP say=up await=HUP orphan { setsid say=daemon pause } orphans=20 say=over \
                  await=HUP exit=1";
    let script = script.replace("                  ", "");
    let mut run = wrapped(&script).inheriting("proc=none").place(Place::Job).start();
    run.expect("up");
    let_ids_begin_anew_soon(&mut run);
    run.signal("HUP");
    run.expect_all(&["daemon", "over"]);
    run.signal("HUP");
    run.expect("up");
    assert_eq!(alive(&mut run, "probe").len(), 1, "{}", run.errors());
}

#[test]
fn where_no_process_can_be_made_only_likely_ids_are_asked_about() {
    if !has_root_to("become another user") {
        return;
    }
    let folder = Folder::new();
    let trace = folder.word("trace");
    let strace = ["-qq", "-e", "trace=waitid", "-o", &trace];
    let script = "fork { block=TERM,HUP say=member await=HUP } say=leader pause";
    let launch = Launch::new("strace").args(strace).arg(binary()).args(["-q", "--wrap"]);
    let launch = launch.arg(probe_line(script)).place(Place::Job);
    // Nobody else is this user; there is room for strace, foster, the leader and the member.
    let user = 300_000 + std::process::id() % 100_000;
    let odd = format!("proc=none limit=nproc:4 uid={user}");
    let mut run = launch.inheriting(&odd).start();
    run.expect_all(&["member", "leader"]);
    let all = run.everything();
    let (foster, member) = (all[2], all[all.len() - 1]);
    send(foster, "TERM");
    let calls = || {
        let text = fs::read_to_string(&trace).expect("strace writes");
        text.lines().filter(|line| line.starts_with("waitid(P_PID,")).count()
    };
    until("nobody is looked for", || (calls() > 100).then_some(()));
    send(member, "HUP");
    assert_eq!(run.wait_for_status(), Status::Code(0));
    assert!(calls() < 100_000, "{} ids were asked about", calls());
}

/// Where foster runs, and how many services it has.
const PLACES: [(Place, usize); 4] =
    [(Place::Pid1, 1), (Place::Pid1, 3), (Place::Job, 1), (Place::Job, 3)];

/// foster without /proc, with this service among so many.
fn among(services: usize, line: &str, place: Place) -> Running {
    let mut launch = quick(foster()).args(["-q", "--stop-timeout", "30s"]);
    for _ in 1..services {
        launch = launch.args(["--wrap", &probe_line("say=other pause")]);
    }
    let mut run = launch.args(["--wrap", line]).inheriting("proc=none").place(place).start();
    let mut says = vec!["other"; services - 1];
    says.push("ready");
    run.expect_all(&says);
    run
}

#[test]
fn in_a_stop_a_member_that_is_anothers_child_has_its_time() {
    if !has_root_to("hide /proc") {
        return;
    }
    // It has left its children's group; one has ended, which does not count.
    let member = "block=TERM,USR1 await=TERM say=asked await=USR1 say=cleaned";
    let script = format!("fork {{ zombie fork {{ {member} }} setpgid say=ready pause }} pause");
    for (place, services) in PLACES {
        let mut run = among(services, &probe_line(&script), place);
        let probes = alive(&mut run, "probe");
        let blocks = |pid: &&i32| procfs::signal_set(**pid, "SigBlk").contains("USR1");
        let member = until("nobody blocks it", || probes.iter().find(blocks));
        let parent = procfs::stat(*member).expect("it lives").parent;
        run.signal("TERM");
        run.expect("asked");
        // Whom foster misses it does not wait for.
        run.expect_quiet(Duration::from_millis(200));
        assert!(run.living().contains(&parent), "{place:?}, {services}: {}", run.errors());
        send(*member, "USR1");
        run.expect("cleaned");
        assert_eq!(run.wait_for_status(), Status::Code(0), "{place:?}, {services}");
    }
}

#[test]
fn after_a_crash_a_member_that_is_anothers_child_is_gone() {
    if !has_root_to("hide /proc") {
        return;
    }
    let leaves = "$probe fork '{' fork '{' ignore=TERM,HUP pause '}' setpgid ignore=TERM,HUP pause '}' pause &";
    for (place, services) in PLACES {
        let crash = Crash::new();
        let mut run = among(services, &crash.line(leaves), place);
        let all = services - 1 + 3;
        until("not all are there", || (alive(&mut run, "probe").len() == all).then_some(()));
        crash.crash();
        run.expect("second");
        assert_eq!(alive(&mut run, "probe").len(), services, "{place:?}: {}", run.errors());
    }
}
