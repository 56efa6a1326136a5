//! tini's command line.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::subject::{chosen, docker_init, path, posix, tini, tini_static};
use crate::support::procfs::{await_death, children, stat};
use crate::support::running::send;
use crate::support::{Launch, Output, Place, probe};

#[test]
fn tini_version_alone() {
    is_version(&tini().arg("--version").output());
}

#[test]
fn tini_static_version_alone() {
    is_version(&tini_static().arg("--version").output());
}

#[test]
fn docker_init_version_alone() {
    is_version(&docker_init().arg("--version").output());
}

#[test]
fn tini_chosen_by_option_version_alone() {
    is_version(&chosen("tini").arg("--version").output());
}

#[test]
fn tini_version_with_anything_else_is_an_invalid_option() {
    let foo = tini().args(["--version", "foo"]).output();
    is_refused(&foo, "invalid option -- '-'");
    let with_option = tini().args(["-s", "--version"]).output();
    is_refused(&with_option, "invalid option -- '-'");
}

#[test]
fn tini_has_no_other_long_option() {
    is_refused(&tini().arg("--help").output(), "invalid option -- '-'");
    is_refused(&tini().arg("--verbose").output(), "invalid option -- '-'");
}

#[test]
fn tini_help_is_on_stdout() {
    let output = tini().arg("-h").output();
    assert_eq!(output.code(), 0);
    assert!(is_usage(&output.stdout, "tini"), "{output:?}");
    assert_eq!(output.stderr, "");
}

#[test]
fn tini_help_names_the_program_by_its_base_name() {
    let output = docker_init().arg("-h").output();
    assert!(is_usage(&output.stdout, "docker-init"), "{output:?}");
}

#[test]
fn tini_help_acts_where_it_stands() {
    assert_eq!(tini().args(["-h", "-x"]).output().code(), 0);
    assert_eq!(tini().args(["-sgh"]).output().code(), 0);
    is_refused(&tini().args(["-x", "-h"]).output(), "invalid option -- 'x'");
}

#[test]
fn tini_licence_is_on_stdout() {
    let output = tini().arg("-l").output();
    assert_eq!(output.code(), 0);
    assert!(output.stdout.to_lowercase().contains("licen"), "{output:?}");
    assert_eq!(output.stderr, "");
}

#[test]
fn tini_without_a_program_prints_usage_on_stderr() {
    for args in [&[][..], &["--"], &["-s"], &["-s", "-e", "1", "--"]] {
        let output = tini().args(args).output();
        assert_eq!(output.code(), 1, "{args:?}");
        assert!(is_usage(&output.stderr, "tini"), "{output:?}");
        assert_eq!(output.stdout, "");
    }
}

#[test]
fn tini_unknown_option_is_refused() {
    is_refused(&tini().args(["-x", "true"]).output(), "invalid option -- 'x'");
    is_refused(&tini().args(["-sx", "true"]).output(), "invalid option -- 'x'");
}

#[test]
fn tini_missing_value_is_refused() {
    is_refused(&tini().arg("-p").output(), "option requires an argument -- 'p'");
    is_refused(&tini().arg("-e").output(), "option requires an argument -- 'e'");
    is_refused(&tini().arg("-sge").output(), "option requires an argument -- 'e'");
}

#[test]
fn tini_options_cluster_and_values_attach() {
    for args in [&["-sg", "-e", "3"][..], &["-sge3"], &["-sge", "3"], &["-s", "-g", "-e3"]] {
        assert_eq!(status_with(args, "exit=3"), 0, "{args:?}");
    }
}

#[test]
fn tini_value_may_look_like_an_option() {
    let output = tini().args(["-p", "--", "true"]).output();
    is_fatal(&output, "Not a valid option for -p: --");
}

#[test]
fn tini_parsing_stops_at_the_first_operand() {
    let output = posix(tini().arg("-s")).probe("args -x --version -e").output();
    assert_eq!(output.stdout, "arg: -x\narg: --version\narg: -e\n");
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
}

#[test]
fn tini_drops_the_first_double_dash_only() {
    let output = tini().args(["-s", "--"]).probe("args -- -w").output();
    assert_eq!(output.stdout, "arg: --\narg: -w\n");
    let output = posix(tini().arg("-s")).probe("args -- a").output();
    assert_eq!(output.stdout, "arg: --\narg: a\n");
}

#[test]
fn tini_single_dash_is_an_operand() {
    let output = posix(tini()).args(["-s", "-", "-x"]).output();
    assert_eq!(output.code(), 127);
    assert!(output.stderr.ends_with("exec - failed: No such file or directory\n"), "{output:?}");
}

#[test]
fn tini_passes_arguments_as_they_are() {
    let odd = OsStr::from_bytes(b"a\xff\x01 b");
    let launch = tini().args(["-s", "--", probe(), "args", "", "-"]).arg(odd).arg("é\"'$");
    assert_eq!(launch.output().stdout, "arg: \narg: -\narg: a\u{fffd}\u{1} b\narg: é\"'$\n");
}

#[test]
fn tini_remaps_an_exit_code_to_zero() {
    assert_eq!(status_with(&["-e", "7"], "exit=7"), 0);
    assert_eq!(status_with(&["-e", "7"], "exit=8"), 8);
    assert_eq!(status_with(&["-e", "7"], "exit=0"), 0);
}

#[test]
fn tini_remaps_several_exit_codes() {
    for code in [143, 1, 255] {
        let options = ["-e", "143", "-e", "1", "-e255"];
        assert_eq!(status_with(&options, &format!("exit={code}")), 0, "{code}");
    }
}

#[test]
fn tini_remaps_a_death_by_signal() {
    assert_eq!(status_with(&["-e", "143"], "die=TERM"), 0);
    assert_eq!(status_with(&["-e", "143"], "die=HUP"), 129);
}

#[test]
fn tini_remaps_even_an_exec_failure() {
    let output = tini().args(["-s", "-e", "127", "/nonexistent"]).output();
    assert_eq!(output.code(), 0);
    assert!(output.stderr.contains("exec /nonexistent failed"), "{output:?}");
}

#[test]
fn tini_reads_exit_codes_like_strtol() {
    for value in ["7", " 7", "\t\n7", "+7", "007"] {
        assert_eq!(status_with(&["-e", value], "exit=7"), 0, "{value:?}");
    }
    // Nothing at all is a zero.
    assert_eq!(status_with(&["-e", ""], "exit=7"), 7);
}

#[test]
fn tini_refuses_other_exit_codes() {
    for value in ["256", "-1", "abc", "7x", "7 ", "0x7", "7.0", "99999999999999999999"] {
        let output = tini().args(["-s", "-e", value, "true"]).output();
        is_fatal(&output, &format!("Not a valid option for -e: {value}"));
    }
}

#[test]
fn tini_takes_28_signal_names_for_parent_death() {
    for name in PARENT_DEATH_SIGNALS.split_whitespace() {
        let output = tini().args(["-s", "-p", name, "--"]).probe("exit=3").output();
        assert_eq!((output.code(), output.stderr.as_str()), (3, ""), "{name}");
    }
}

#[test]
fn tini_refuses_other_parent_death_signals() {
    let refused = "TERM 15 sigterm SigTerm SIGSTKFLT SIGIO SIGPOLL SIGPWR SIGRTMIN SIGRT34 SIG";
    for name in refused.split(' ').chain(["", " SIGTERM", "SIGTERM "]) {
        let output = tini().args(["-s", "-p", name, "true"]).output();
        is_fatal(&output, &format!("Not a valid option for -p: {name}"));
    }
}

#[test]
fn tini_forwards_its_parent_death_signal() {
    let mut run = below_a_mortal_parent(&["-s", "-p", "SIGTERM"]);
    run.expect("trapping");
    run.signal("KILL");
    run.expect("got TERM");
}

#[test]
fn tini_takes_the_end_of_the_thread_that_started_it_for_that_of_its_parent() {
    let mut run = below(&["-s", "-p", "SIGTERM"], &["read", "mainless", "say=alone", "pause"]);
    run.expect("trapping");
    run.write_line("");
    run.expect_all(&["read: ", "alone", "got TERM"]);
}

#[test]
fn tini_parent_death_by_kill_leaves_the_child() {
    let mut run = below_a_mortal_parent(&["-s", "-p", "SIGKILL"]);
    run.expect("trapping");
    let init = run.child();
    let child = children(init)[0];
    run.signal("KILL");
    await_death(init);
    // The child lives and was told nothing: the next thing it hears of is what we send.
    assert!(stat(child).is_some_and(|stat| stat.state != 'Z'));
    send(child, "PWR");
    assert_eq!(run.line(), "got PWR");
}

#[test]
fn tini_without_parent_death_signal_outlives_its_parent() {
    let mut run = below_a_mortal_parent(&["-s"]);
    run.expect("trapping");
    let init = run.child();
    run.signal("KILL");
    await_death(run.pid());
    send(init, "PWR");
    assert_eq!(run.line(), "got PWR");
}

#[test]
fn tini_static_runs_a_program() {
    let output = tini_static().args(["-s", "--"]).probe("exit=3").output();
    assert_eq!((output.code(), output.stderr.as_str()), (3, ""));
}

#[test]
fn docker_init_runs_a_program() {
    // This is how Docker calls it.
    let output = docker_init().arg("--").probe("args -x -- y").place(Place::Pid1).output();
    assert_eq!(output.stdout, "arg: -x\narg: --\narg: y\n");
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
}

#[test]
fn tini_chosen_by_option_runs_a_program() {
    let output = chosen("tini").args(["-s", "-g", "-e", "7", "--"]).probe("exit=7").output();
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
    let output = chosen("tini").args(["-s", "/nonexistent"]).output();
    assert_eq!(output.code(), 127);
}

/// All of the signals that can be given to `-p`.
const PARENT_DEATH_SIGNALS: &str = "SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE \
     SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM SIGCHLD SIGCONT SIGSTOP SIGTSTP \
     SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGSYS";

fn is_version(output: &Output) {
    assert_eq!(output.code(), 0);
    assert_eq!(output.stdout, "tini version 0.19.0\n");
    assert_eq!(output.stderr, "");
}

/// Runs a child that says something and ends, and returns tini's status.
fn status_with(options: &[&str], end: &str) -> i32 {
    let script = format!("say=ran {end}");
    let output = tini().arg("-s").args(options).arg("--").probe(&script).output();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("ran\n", ""));
    output.code()
}

/// getopt's message under the name of `argv[0]`, then the usage, all on standard error.
fn is_refused(output: &Output, message: &str) {
    assert_eq!(output.code(), 1, "{output:?}");
    assert_eq!(output.stdout, "");
    let (first, rest) = output.stderr.split_once('\n').expect("more than one line");
    assert_eq!(first, format!("{}: {message}", path("tini").display()));
    assert!(is_usage(rest, "tini"), "{output:?}");
}

/// One line of the log and no usage.
fn is_fatal(output: &Output, message: &str) {
    assert_eq!(output.code(), 1, "{output:?}");
    assert_eq!(output.stdout, "");
    let text = output.stderr.strip_prefix("[FATAL tini (").expect("a log line");
    let (pid, text) = text.split_once(")] ").expect("the end of the prefix");
    assert!(pid.parse::<u32>().is_ok(), "{output:?}");
    assert_eq!(text, format!("{message}\n"));
}

/// The originals print their version first; what follows is in words of one's own.
fn is_usage(text: &str, name: &str) -> bool {
    text.lines().take(2).any(|line| line.starts_with(&format!("Usage: {name} ")))
}

/// tini with a trapping child, below a process that can be killed.
fn below_a_mortal_parent(options: &[&str]) -> crate::support::Running {
    below(options, &["pause"])
}

/// The same below one that does this.
fn below(options: &[&str], parent: &[&str]) -> crate::support::Running {
    let tini = path("tini");
    let words = ["fork", "{", "exec", tini.to_str().expect("UTF-8")];
    let launch = Launch::new(probe()).args(words).args(options);
    launch
        .args(["--", probe(), "trap", "}"])
        .args(parent.iter().copied())
        .place(Place::Job)
        .with_input()
        .start()
}
