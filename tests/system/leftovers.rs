//! "An unexpected end": what a run leaves behind is gone before the next one starts.

use std::time::{Duration, Instant};

use crate::subject::{Folder, binary, foster, limit_memory, probe_line, quick, wrapped};
use crate::support::patience::until;
use crate::support::procfs;
use crate::support::running::send;
use crate::support::skip::{has_root_to, is_root};
use crate::support::{Launch, Place, Running, Status, probe};

/// A service that crashes on request, after it has left something behind; from its second run on it
/// says so and stays.
pub struct Crash {
    folder: Folder,
}

impl Crash {
    pub fn new() -> Crash {
        let folder = Folder::new();
        folder.fifo("go");
        Crash { folder }
    }

    /// The line for `--wrap`, with shell commands that leave something behind.
    pub fn line(&self, leaving: &str) -> String {
        let (probe, go) = (probe(), self.folder.word("go"));
        self.folder.script(
            "app",
            format!(
                "#!/bin/sh\nprobe={probe}\nif [ -e {go}.2 ]; then exec $probe say=second trap; fi\n\
                 : > {go}.2\n{leaving}\necho ready\nread go < {go}\nexit 1\n"
            ),
        )
    }

    pub fn crash(&self) {
        self.folder.feed("go", "go\n");
    }
}

/// The processes in a namespace by name, but for zombies and the namespace's own PID 1.
pub fn alive(run: &mut Running, name: &str) -> Vec<i32> {
    let is = |pid: &i32| procfs::stat(*pid).is_some_and(|stat| stat.name == name);
    run.living().into_iter().filter(is).collect()
}

#[test]
fn what_is_left_of_the_group_is_killed_before_the_restart() {
    let crash = Crash::new();
    let line = crash.line("$probe ignore=TERM,HUP say=left pause & $probe say=left pause &");
    let mut run = quick(foster()).args(["--wrap", &line]).place(Place::Job).start();
    run.expect_all(&["left", "left", "ready"]);
    crash.crash();
    run.expect("second");
    assert_eq!(alive(&mut run, "probe").len(), 1);
}

#[test]
fn what_is_left_of_the_group_of_a_command_is_killed_when_that_ends() {
    let script = "block=USR1 fork { ignore=TERM,HUP say=left pause } await=USR1 exit=3";
    let mut run = foster().arg("--").probe(script).place(Place::Job).start();
    run.expect("left");
    let leader = run.child();
    send(leader, "USR1");
    assert_eq!(run.wait_for_status(), Status::Code(3));
    // Killed it is when foster ends; gone a moment later.
    until("the group is there", || alive(&mut run, "probe").is_empty().then_some(()));
}

#[test]
fn what_goes_to_the_background_is_told_once_and_what_to_do() {
    let told = " seems to run in the background: it ended at once and left processes";
    let count = |text: &str| text.matches(told).count();
    for daemon in ["fork { ignore=TERM pause } exit=0", "orphan { setsid pause } exit=0"] {
        let service = wrapped(daemon).args(["--max-restarts", "2"]).place(Place::Pid1).output();
        assert_eq!((service.code(), count(&service.stderr)), (0, 1), "{service:?}");
        let command = foster().probe(daemon).place(Place::Pid1).output();
        assert_eq!((command.code(), count(&command.stderr)), (0, 1), "{command:?}");
        let start = "foster: warning: probe seems";
        assert!(command.stderr.starts_with(start), "{command:?}");
        let tini = Launch::new(binary()).args(["--as", "tini", "--"]).probe(daemon);
        assert_eq!(tini.place(Place::Pid1).output().stderr, "");
    }
    for other in ["exit=0", "fork { pause } exit=3"] {
        assert_eq!(count(&foster().probe(other).place(Place::Pid1).output().stderr), 0, "{other}");
    }
}

#[test]
fn setsid_sleep_999_in_a_crashing_service_is_gone_after_the_restart() {
    let crash = Crash::new();
    let line = crash.line("setsid sleep 999 &\nuntil pgrep -s 0 sleep >/dev/null; do break; done");
    let mut run = quick(foster()).args(["--wrap", &line]).place(Place::Job).start();
    run.expect("ready");
    until("no sleep", || (alive(&mut run, "sleep").len() == 1).then_some(()));
    crash.crash();
    run.expect("second");
    assert_eq!(alive(&mut run, "sleep").len(), 0);
    let pid = run.expect_error("foster: info: killing process ");
    assert!(pid.ends_with(", which app left behind"), "{pid}");
}

#[test]
fn double_forks_and_many_generations_are_gone_after_the_restart() {
    // Each leads a session of its own, and is the child of one that lives or of none.
    let mut generations = "say=last pause".to_owned();
    for _ in 0..12 {
        generations = format!("fork {{ setsid {generations} }} pause");
    }
    let crash = Crash::new();
    let quoted = generations.replace('{', "'{'").replace('}', "'}'");
    let line = crash.line(&format!(
        "$probe {quoted} &\n$probe orphan '{{' setsid say=last pause '}}'\n\
         $probe orphan '{{' setsid orphan '{{' setsid say=last pause '}}' pause '}}'"
    ));
    let mut run = quick(foster()).args(["--wrap", &line]).place(Place::Job).start();
    run.expect_all(&["last", "last", "last", "ready"]);
    // One that only makes an orphan is gone a moment later than that speaks.
    until("there are others", || (alive(&mut run, "probe").len() == 12 + 1 + 1 + 2).then_some(()));
    crash.crash();
    run.expect("second");
    assert_eq!(alive(&mut run, "probe").len(), 1);
}

#[test]
fn one_that_forks_away_a_thousand_times_does_not_get_away() {
    does_not_get_away(quick(foster()));
}

#[test]
fn one_that_forks_away_while_foster_looks_does_not_get_away() {
    // From the list to the look at each who is on it, they are some forks further.
    let slow = ["-qq", "-o", "/dev/null", "-e", "trace=waitid", "-e", SLOW_LOOKS];
    does_not_get_away(quick(Launch::new("strace").args(slow).arg(binary())));
}

const SLOW_LOOKS: &str = "inject=waitid:delay_enter=300";

fn does_not_get_away(launch: Launch) {
    let crash = Crash::new();
    let line = crash.line("$probe flee=1000 say=fled pause &\n$probe flee=3000 pause &");
    let mut run = launch.args(["-q", "--wrap", &line]).place(Place::Job).start();
    run.expect_all(&["fled", "ready"]);
    crash.crash();
    run.expect("second");
    assert_eq!(alive(&mut run, "probe").len(), 1);
}

#[test]
fn hundreds_of_leftovers_are_gone_after_the_restart() {
    let crash = Crash::new();
    let line = crash.line(
        "i=0; while [ $i -lt 300 ]; do $probe orphan '{' setsid pause '}'; i=$((i + 1)); done",
    );
    let mut run = quick(foster()).args(["-q", "--wrap", &line]).place(Place::Job).start();
    run.expect("ready");
    assert_eq!(alive(&mut run, "probe").len(), 300);
    crash.crash();
    run.expect("second");
    assert_eq!(alive(&mut run, "probe").len(), 1);
}

#[test]
fn without_memory_hundreds_of_leftovers_are_gone_before_the_restart() {
    let crash = Crash::new();
    let line = crash.line(
        "i=0; while [ $i -lt 300 ]; do $probe orphan '{' setsid pause '}'; i=$((i + 1)); done",
    );
    let mut run = quick(foster()).args(["-q", "--wrap", &line]).place(Place::Job).start();
    run.expect("ready");
    assert_eq!(alive(&mut run, "probe").len(), 300);
    let all = limit_memory(run.pid(), 0);
    crash.crash();
    until("they stay", || alive(&mut run, "probe").is_empty().then_some(()));
    // Until then a new run has none either, and ends before it begins.
    limit_memory(run.pid(), all);
    run.expect("second");
}

#[test]
fn without_memory_a_stop_ends_beside_thousands_of_leftovers() {
    let crash = Crash::new();
    // More than foster has room for without the kernel.
    let line = crash.line(
        "i=0; while [ $i -lt 4000 ]; do setsid sleep 1000 & i=$((i + 1)); done; wait_for=$!\n\
         until [ \"$(ps -o comm= -p $wait_for)\" = sleep ]; do :; done",
    );
    let mut run = quick(foster()).args(["-q", "--wrap", &line]).place(Place::Job).start();
    run.expect("ready");
    limit_memory(run.pid(), 0);
    run.signal("TERM");
    let status = run.wait_for_status();
    assert_eq!((status, alive(&mut run, "sleep").len()), (Status::Code(0), 0));
}

#[test]
fn what_another_service_left_outside_its_group_is_left_alone() {
    let crash = Crash::new();
    let line = crash.line("$probe orphan '{' setsid say=mine pause '}'");
    let other = probe_line("orphan { setsid say=others pause } say=other pause");
    let launch = quick(foster()).args(["--wrap", &line, "--wrap", &other]);
    let mut run = launch.place(Place::Job).start();
    run.expect_all(&["mine", "others", "other", "ready"]);
    crash.crash();
    run.expect("second");
    // The second run, the other service, and its daemon.
    assert_eq!(alive(&mut run, "probe").len(), 3);
}

#[test]
fn a_process_without_a_mark_is_left_alone() {
    let crash = Crash::new();
    let line = crash.line(
        "$probe orphan '{' setsid limit=locks:hard unsetenv=FOSTER_RUN exec $probe say=unmarked \
         pause '}'\n\
         $probe orphan '{' setsid say=marked pause '}'",
    );
    let mut run = quick(foster()).args(["--wrap", &line]).place(Place::Job).start();
    run.expect_all(&["unmarked", "marked", "ready"]);
    crash.crash();
    run.expect("second");
    assert_eq!(alive(&mut run, "probe").len(), 2);
}

#[test]
fn a_process_with_a_forged_mark_is_left_alone() {
    let crash = Crash::new();
    let (mark, number) = ("0-0123456789abcdef0123456789abcdef", (1_u64 << 62) + 1);
    let line = crash.line(&format!(
        "$probe orphan '{{' setsid setenv=FOSTER_RUN={mark} limit=locks:{number} exec $probe \
         say=forged pause '}}'"
    ));
    let mut run = quick(foster()).args(["--wrap", &line]).place(Place::Job).start();
    run.expect_all(&["forged", "ready"]);
    crash.crash();
    run.expect("second");
    assert_eq!(alive(&mut run, "probe").len(), 2);
}

#[test]
fn a_process_that_came_into_the_namespace_from_outside_is_left_alone() {
    if !has_root_to("enter a namespace from outside") {
        return;
    }
    let crash = Crash::new();
    let mut run = quick(foster()).args(["--wrap", &crash.line("")]).place(Place::Pid1).start();
    run.expect("ready");
    // As docker exec does it, but that the one who brought it goes away: foster adopts it.
    let init = run.pid().to_string();
    let enter = Launch::new("nsenter").args(["-t", &init, "-p", "-m", probe(), "orphan", "{"]);
    let output = enter.args(["setsid", "close=0", "close=1", "close=2", "pause", "}"]).output();
    assert_eq!(output.code(), 0, "{output:?}");
    let pid = run.pid();
    let guest = |pid| procfs::children(pid).len() == 2;
    until("it is not adopted", || guest(pid).then_some(()));
    crash.crash();
    run.expect("second");
    assert!(guest(pid), "the second run and the guest");
}

#[test]
fn keep_orphans_spares_what_is_outside_the_group_and_kills_the_group() {
    let leaving = "$probe orphan '{' setsid say=daemon pause '}'\n$probe say=member pause &";
    let options: [fn(Launch) -> Launch; 2] =
        [|launch| launch.arg("--keep-orphans"), |launch| launch.env("FOSTER_KEEP_ORPHANS", "1")];
    for option in options {
        let crash = Crash::new();
        let launch = option(quick(foster())).args(["--wrap", &crash.line(leaving)]);
        let mut run = launch.place(Place::Job).start();
        run.expect_all(&["daemon", "member", "ready"]);
        crash.crash();
        run.expect("second");
        // The one that got SIGKILL may take a moment; the daemon and the second run stay.
        until("the group is gone", || (alive(&mut run, "probe").len() <= 2).then_some(()));
        assert_eq!(alive(&mut run, "probe").len(), 2);
    }
}

#[test]
fn without_proc_every_adopted_process_is_that_of_the_only_service() {
    for proc in ["proc=none", "proc=outer"] {
        let crash = Crash::new();
        let line = crash.line("$probe orphan '{' setsid say=daemon pause '}'");
        let launch = quick(foster()).args(["--wrap", &line]).inheriting(proc);
        let mut run = launch.place(Place::Job).start();
        run.expect_all(&["daemon", "ready"]);
        crash.crash();
        run.expect("second");
        assert_eq!(alive(&mut run, "probe").len(), 1, "{proc}");
    }
}

#[test]
fn without_proc_the_limit_identifies_a_process() {
    let crash = Crash::new();
    let line = crash.line(
        "$probe orphan '{' setsid say=daemon pause '}'\n\
         $probe orphan '{' setsid limit=locks:hard say=anyones pause '}'",
    );
    let other = probe_line("orphan { setsid say=others pause } pause");
    let launch = quick(foster()).args(["--wrap", &line, "--wrap", &other]);
    let mut run = launch.inheriting("proc=none").place(Place::Job).start();
    run.expect_all(&["daemon", "anyones", "others", "ready"]);
    crash.crash();
    run.expect("second");
    // The other service and its daemon, what may be anyone's, and the second run.
    assert_eq!(alive(&mut run, "probe").len(), 4);
}

#[test]
fn without_proc_and_limits_nobody_kills_what_may_be_that_of_another_service() {
    let crash = Crash::new();
    let line = crash.line("$probe orphan '{' setsid say=daemon pause '}'");
    let launch = quick(foster()).args(["--wrap", &line, "--wrap"]).arg(probe_line("pause"));
    let odd = "proc=none deny=prlimit64:EPERM";
    let mut run = launch.inheriting(odd).place(Place::Job).start();
    run.expect_all(&["daemon", "ready"]);
    crash.crash();
    run.expect("second");
    // The daemon, the other service and the second run.
    assert_eq!(alive(&mut run, "probe").len(), 3);
}

#[test]
fn without_proc_a_service_is_down_when_its_whole_group_is_gone() {
    for proc in ["proc=none", "proc=outer"] {
        let member = "fork { block=TERM say=member await=TERM sleep=300 say=cleaned } say=up pause";
        let mut run = wrapped(member).inheriting(proc).place(Place::Job).start();
        run.expect_all(&["member", "up"]);
        run.signal("TERM");
        run.expect("cleaned");
        assert_eq!(run.wait_for_status(), Status::Code(0));
    }
}

#[test]
fn the_backoff_comes_after_the_cleaning_and_is_measured_from_the_end() {
    let crash = Crash::new();
    let line = crash.line("$probe orphan '{' setsid say=daemon pause '}'");
    let launch = foster().args(["--backoff", "400ms", "--wrap", &line]).place(Place::Job);
    let mut run = launch.start();
    run.expect_all(&["daemon", "ready"]);
    let begin = Instant::now();
    crash.crash();
    until("the daemon stays", || alive(&mut run, "probe").is_empty().then_some(()));
    run.expect("second");
    assert!(begin.elapsed() >= Duration::from_millis(400));
}

#[test]
fn a_killed_leader_is_as_unexpected_an_end_as_any() {
    let mut run = wrapped("fork { say=member pause } say=leader pause").place(Place::Job).start();
    run.expect_all(&["member", "leader"]);
    let leader = run.child();
    send(leader, "KILL");
    run.expect_all(&["member", "leader"]);
    assert_eq!(alive(&mut run, "probe").len(), 2);
}

#[test]
fn an_environment_of_gigabytes_takes_no_memory_of_fosters() {
    let crash = Crash::new();
    let user = if is_root() { "uid=65534 " } else { "" };
    let line =
        crash.line(&format!("$probe orphan '{{' setsid {user}sham=4096 say=sham pause '}}'"));
    let mut run = quick(foster()).args(["--wrap", &line]).place(Place::Pid1).start();
    run.expect_all(&["sham", "ready"]);
    crash.crash();
    run.expect("second");
    let pid = run.pid();
    let most = procfs::status(pid, "VmHWM").expect("foster lives");
    let most: u64 = most.trim_end_matches(" kB").parse().expect("a number");
    assert!(most < 16 << 10, "foster took {most} kB");
}

#[test]
fn a_stranger_whose_main_thread_has_ended_is_spared_and_delays_no_restart() {
    if !has_root_to("open the environment of a process whose main thread has ended") {
        return;
    }
    let crash = Crash::new();
    let line = crash.line(
        "$probe orphan '{' setsid limit=locks:hard unsetenv=FOSTER_RUN exec $probe block=HUP \
         mainless say=stranger await=HUP say=here pause '}'",
    );
    let mut run = quick(foster()).args(["--wrap", &line]).place(Place::Job).start();
    run.expect_all(&["stranger", "ready"]);
    let begin = Instant::now();
    crash.crash();
    run.expect("second");
    // Foster would wait for ten seconds for what is on its way out.
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    let stands = |pid: &i32| procfs::stat(*pid).is_some_and(|stat| stat.state == 'Z');
    let stranger = run.everything().into_iter().find(stands).expect("its main thread is a zombie");
    send(stranger, "HUP");
    run.expect("here");
}

#[test]
fn one_whose_main_thread_has_ended_gets_its_time_to_stop() {
    // It is in the leader's group, and the child of one that is not, whose end comes by KILL.
    let member = "block=TERM mainless say=member await=TERM sleep=300 say=cleaned";
    let script = format!("fork {{ fork {{ {member} }} setpgid say=apart pause }} say=leader pause");
    let mut run = wrapped(&script).place(Place::Job).start();
    run.expect_all(&["member", "apart", "leader"]);
    run.signal("TERM");
    run.expect("cleaned");
    assert_eq!(run.wait_for_status(), Status::Code(0));
}
