//! The system calls that foster makes, one by one: for a command that ends at once, one signal, one
//! orphan, one restart, one stop. A commit that is to change nothing leaves these lists alone.

use std::fs;

use crate::subject::{Folder, binary};
use crate::support::patience::until;
use crate::support::{Launch, Running, probe, procfs};

/// A foster under strace, from the moment that it has blocked all signals.
struct Traced {
    run: Running,
    folder: Folder,
}

impl Traced {
    fn new(options: &[&str], command: &[&str]) -> Traced {
        let folder = Folder::new();
        let trace = folder.word("trace");
        let launch = Launch::new("strace").args(["-qq", "-o", &trace]).arg(binary());
        let run = launch.args(options.iter().copied()).args(command.iter().copied()).start();
        Traced { run, folder }
    }

    /// One that runs the probe.
    fn of_probe(script: &str) -> Traced {
        let words: Vec<&str> = ["--", probe()].into_iter().chain(script.split(' ')).collect();
        Traced::new(&[], &words)
    }

    fn foster(&mut self) -> i32 {
        let strace = self.run.pid();
        until("it has not begun", || procfs::children(strace).first().copied())
    }

    /// Sends foster a signal while it waits for one.
    fn gets(&mut self, signal: &str) {
        let foster = self.foster();
        procfs::await_rest(foster);
        crate::support::running::send(foster, signal);
    }

    /// All calls by their names, but for those of the C library's own, which differ from one to the
    /// other, and those for the time, of which most machines make none.
    fn calls(self) -> Vec<String> {
        let Traced { mut run, folder } = self;
        run.wait_for_status();
        let text = fs::read_to_string(folder.path("trace")).expect("strace writes");
        let mut lines = text.lines().skip_while(|line| !line.starts_with("rt_sigprocmask("));
        assert!(lines.next().is_some(), "{text}");
        let calls = lines.filter_map(|line| line.split_once('('));
        let calls = calls.filter(|(name, _)| !LIBRARY.contains(name));
        calls.map(|(name, rest)| told(name, rest)).collect()
    }
}

/// A call's name, with what matters of its words.
fn told(name: &str, rest: &str) -> String {
    let name = if name == "epoll_pwait" { "epoll_wait" } else { name };
    let word = |prefix: &str| {
        let words = rest.split([',', ' ', ')', '|']);
        words.into_iter().find(|word| word.starts_with(prefix)).unwrap_or_default().to_owned()
    };
    match name {
        "kill" => format!("kill {}", word("SIG")),
        "waitid" => {
            let looks = if rest.contains("WNOWAIT") { " look" } else { "" };
            format!("waitid {}{looks}", word("P_"))
        }
        "ioctl" => format!("ioctl {}", word("T")),
        "prctl" => format!("prctl {}", word("PR_")),
        "prlimit64" => format!("prlimit64 {}", word("RLIMIT_")),
        _ => name.to_owned(),
    }
}

const LIBRARY: [&str; 13] = [
    "arch_prctl",
    "brk",
    "clock_gettime",
    "getpgid",
    "getpgrp",
    "getpid",
    "getrandom",
    "madvise",
    "mmap",
    "munmap",
    "rt_sigprocmask",
    "set_tid_address",
    "newfstatat",
];

/// What each foster does before its first start, if not for the mark of a service.
const BEGIN: [&str; 8] = [
    "prctl PR_SET_CHILD_SUBREAPER",
    "signalfd4",
    "rt_sigaction",
    "ioctl TIOCGPGRP",
    "ioctl TIOCGPGRP",
    "ioctl TIOCGPGRP",
    "openat",
    "waitid P_ALL look",
];

/// Its system calls after the end of its only child: it reads further signals, ends the rest of the
/// group, and reaps the child.
const CHILD_ENDS: [&str; 5] =
    ["read", "waitid P_ALL look", "kill SIGKILL", "kill SIGKILL", "waitid P_PID"];

/// The same where stops are of interest too, on a command.
const COMMAND_ENDS: [&str; 6] = [
    "read",
    "waitid P_ALL look",
    "waitid P_ALL look",
    "kill SIGKILL",
    "kill SIGKILL",
    "waitid P_PID",
];

/// What it does last of all.
const END: [&str; 2] = ["wait4", "exit_group"];

fn assert_calls(traced: Traced, between: &[&[&str]]) {
    let expected = [&BEGIN[..], &between.concat(), &END].concat();
    assert_eq!(traced.calls(), expected);
}

#[test]
fn for_a_command_that_ends() {
    let traced = Traced::new(&[], &["--", "true"]);
    assert_calls(traced, &[&["clone", "rt_sigtimedwait"], &COMMAND_ENDS]);
}

#[test]
fn for_one_signal() {
    let mut traced = Traced::of_probe("block=USR1 say=ready await=USR1");
    traced.run.expect("ready");
    traced.gets("USR1");
    let signal = ["clone", "rt_sigtimedwait", "kill SIGUSR1", "rt_sigtimedwait"];
    assert_calls(traced, &[&signal, &COMMAND_ENDS]);
}

#[test]
fn for_one_orphan() {
    let mut traced = Traced::of_probe("block=USR1 orphans=1 say=made await=USR1");
    traced.run.expect("made");
    let foster = traced.foster();
    until("it is not reaped", || (procfs::children(foster).len() == 1).then_some(()));
    traced.gets("USR1");
    let orphan = ["read", "waitid P_ALL look", "waitid P_PID", "waitid P_ALL look"];
    let signal = ["rt_sigtimedwait", "kill SIGUSR1", "rt_sigtimedwait"];
    assert_calls(traced, &[&["clone", "rt_sigtimedwait"], &orphan, &signal, &COMMAND_ENDS]);
}

#[test]
fn for_one_restart() {
    let folder = Folder::new();
    let script = format!("test -e {0} || {{ : >{0}; exit 3; }}", folder.word("ran"));
    let options = ["-qq", "--restart", "on-failure", "--backoff", "10ms"];
    let traced = Traced::new(&options, &["--", "sh", "-c", &script]);
    let mark = ["prlimit64 RLIMIT_LOCKS"];
    let delay = [
        "waitid P_ALL look",
        "epoll_wait",
        "waitid P_ALL look",
        "timerfd_create",
        "epoll_ctl",
        "timerfd_settime",
        "epoll_wait",
        "read",
    ];
    let run = ["clone", "epoll_create1", "epoll_ctl", "epoll_wait"];
    let again = ["clone", "epoll_wait"];
    let last = ["read", "waitid P_ALL look", "waitid P_PGID look"];
    let end = ["waitid P_ALL look", "epoll_wait", "waitid P_ALL look"];
    let parts = [&mark[..], &run, &CHILD_ENDS, &delay, &again, &last, &CHILD_ENDS[2..], &end];
    assert_calls(traced, &parts);
}

#[test]
fn for_whoever_asks_for_the_end_of_the_parent() {
    let calls = Traced::new(&["--parent-death-signal", "TERM"], &["--", "true"]).calls();
    let watch = ["getppid", "pidfd_open", "epoll_create1", "epoll_ctl", "epoll_ctl", "getppid"];
    let begin = [&BEGIN[..3], &watch, &BEGIN[3..]].concat();
    let run = ["clone", "epoll_wait"];
    assert_eq!(calls, [&begin[..], &run, &COMMAND_ENDS, &END].concat());
}

#[test]
fn for_one_stop() {
    let mut traced = Traced::of_probe("block=TERM say=ready await=TERM");
    traced.run.expect("ready");
    traced.gets("TERM");
    let stop = ["clone", "rt_sigtimedwait", "kill SIGTERM", "kill SIGCONT"];
    let deadline = ["epoll_create1", "epoll_ctl", "timerfd_create", "epoll_ctl", "timerfd_settime"];
    let child_ends = ["epoll_wait", "read", "waitid P_ALL look", "kill SIGTERM", "kill SIGCONT"];
    let looked_for = ["read", "waitid P_ALL look", "waitid P_PID"];
    assert_calls(traced, &[&stop, &deadline, &child_ends, &looked_for]);
}
