//! "Valgrind is silent on an ordinary run under each name." It runs where valgrind is installed, which
//! `make test-valgrind` sees to.

use std::process::{Command, Stdio};

use crate::subject::{binary, probe_line};
use crate::support::skip::skip;
use crate::support::{Launch, Output};

/// foster under valgrind; none where there is no valgrind.
fn watched() -> Option<Launch> {
    // The static build, which has no symbol names, is not silent under it.
    if std::env::var_os("FOSTER_UNDER_TEST").is_some() {
        skip("it is for the build of this package");
        return None;
    }
    let mut version = Command::new("valgrind");
    let found = version.arg("--version").stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        skip("there is no valgrind here");
        return None;
    }
    let options = ["-q", "--trace-children=no", "--error-exitcode=99", "--leak-check=no"];
    Some(Launch::new("valgrind").args(options).arg(binary()))
}

fn assert_silent(output: &Output, code: i32, what: &str) {
    let told: Vec<&str> = output.stderr.lines().filter(|line| line.starts_with("==")).collect();
    assert!(told.is_empty() && output.code() == code, "{what}: {output:#?}");
}

#[test]
fn valgrind_is_silent_on_an_ordinary_run_under_each_name() {
    let Some(watched) = watched() else { return };
    for words in
        ["--", "--as tini -s --", "--as dumb-init", "--as dumb-init -c", "--as catatonit --"]
    {
        let launch = watched.clone().args(words.split(' ')).probe("exit=7");
        assert_silent(&launch.output(), 7, words);
    }
}

#[test]
fn valgrind_is_silent_on_signals_restarts_and_a_stop() {
    let Some(watched) = watched() else { return };
    let options = ["-vvv", "--backoff", "10ms", "--backoff-max", "10ms", "--wrap"];
    let launch = watched.clone().args(options).arg(probe_line("say=crash exit=1")).arg("--wrap");
    let mut run = launch.arg(probe_line("fork { setsid say=daemon pause } trap")).start();
    run.expect_all(&["crash", "crash", "trapping", "daemon"]);
    run.signal("USR1");
    run.expect("got USR1");
    run.signal("TERM");
    run.expect("got TERM");
    // It is a second TERM that kills what does not end.
    run.signal("TERM");
    // The other's status, or that of this.
    let output = run.wait();
    assert!(matches!(output.code(), 1 | 137), "{output:#?}");
    assert_silent(&output, output.code(), "--wrap");

    let script = "orphan { exit=1 } ignore=USR1 say=up pause";
    let mut run = watched.args(["--as", "catatonit", "--"]).probe(script).start();
    run.expect("up");
    run.signal("USR1");
    run.signal("TERM");
    assert_silent(&run.wait(), 143, "catatonit");
}
