//! "Any system call that foster makes may be refused: foster does without it, or says which one it
//! needs", and nothing hangs. The calls are those that strace sees.

use std::collections::BTreeMap;
use std::fs;

use crate::subject::{Folder, binary, foster, probe_line, quick};
use crate::support::{Launch, Output, Place, Running, Status};

/// What no program does without: to be started, to end, and a loader's or a C library's own.
const ANY_PROGRAMS: [&str; 5] = ["arch_prctl", "execve", "exit_group", "read", "set_tid_address"];

/// The calls that foster makes after its first instruction, each by its number and its name.
fn calls(launch: impl Fn(Launch) -> Running) -> BTreeMap<String, String> {
    let folder = Folder::new();
    let trace = folder.word("trace");
    let strace = Launch::new("strace").args(["-qq", "-n", "-o", &trace]).arg(binary());
    let mut run = launch(strace);
    run.wait_for_status();
    let text = fs::read_to_string(&trace).expect("strace writes");
    let own = text.lines().skip_while(|line| !line.contains("rt_sigprocmask(SIG_SETMASK, ~[]"));
    let call = |line: &str| {
        let (number, rest) = line.strip_prefix('[')?.split_once("] ")?;
        let name = rest.split_once('(')?.0;
        (!ANY_PROGRAMS.contains(&name)).then(|| (number.trim().to_owned(), name.to_owned()))
    };
    let calls: BTreeMap<String, String> = own.filter_map(call).collect();
    assert!(calls.len() > 12, "{text}");
    calls
}

/// Refuses them one by one, and looks what comes of it.
fn refuse_each(calls: &BTreeMap<String, String>, works: i32, run: impl Fn(Launch) -> Output) {
    for (number, name) in calls {
        for error in ["EPERM", "ENOSYS"] {
            let what = format!("{name}: {error}");
            let launch = foster().inheriting(&format!("deny={number}:{error}"));
            let output = run(launch);
            let worked = output.status == Status::Code(works);
            // foster's own word, or that of a loader, a C library or a probe.
            let told = ["cannot ", "probe: "].iter().any(|word| output.stderr.contains(word));
            assert!(worked || told, "{what} is neither done without nor told: {output:?}");
        }
    }
}

#[test]
fn an_init_does_without_a_call_that_is_refused_or_says_which() {
    let calls = calls(|strace| strace.args(["-v", "--"]).probe("exit=7").start());
    refuse_each(&calls, 7, |launch| launch.args(["--"]).probe("exit=7").output());
}

#[test]
fn a_supervisor_does_without_a_call_that_is_refused_or_says_which() {
    // Two restarts, each with something left over, and a limit to them, which has a status.
    let script = probe_line("fork { setsid pause } sleep=20 exit=7");
    let options = ["--max-restarts", "2", "--wrap", &script];
    let mut calls = calls(|strace| quick(strace).args(options).start());
    // What may not be killed is waited for, which takes its time each time: `leftovers` has that.
    calls.retain(|_, name| name != "kill");
    refuse_each(&calls, 7, |launch| quick(launch).args(options).place(Place::Pid1).output());
}

#[test]
fn a_stop_is_carried_out_whatever_call_is_refused() {
    // What refuses the probe its own doing ends it before it says anything.
    let begin = |launch: Launch| {
        let launch = quick(launch).args(["--max-restarts", "2", "--stop-timeout", "1s", "--wrap"]);
        launch.arg(probe_line("ignore=TERM say=up pause"))
    };
    let calls = calls(|strace| {
        let mut run = begin(strace).start();
        run.expect("up");
        let foster = run.child();
        crate::subject::kill(foster, 15);
        run
    });
    // It is killed at its deadline, as it should be.
    refuse_each(&calls, 137, |launch| {
        let mut run = begin(launch).start();
        if run.line_or_end().as_deref() == Some("up") {
            run.signal("TERM");
        }
        run.wait()
    });
}

#[test]
fn a_foster_that_may_not_become_a_subreaper_says_so_and_continues() {
    let warning = "foster: warning: cannot become a subreaper (prctl): \
                   Operation not permitted; orphans go elsewhere\n";
    let output = foster().inheriting("deny=prctl:EPERM").arg("--").probe("exit=7").output();
    assert_eq!((output.code(), output.stderr.as_str()), (7, warning));
    // As PID 1 it needs not.
    let launch = foster().inheriting("deny=prctl:EPERM").arg("--").probe("exit=7");
    let output = launch.place(Place::Pid1).output();
    assert_eq!((output.code(), output.stderr.as_str()), (7, ""));
}
