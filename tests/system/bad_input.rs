//! "Bad input (a clear line on stderr, exit 125, nothing started)"; tests/cli has each case.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::subject::foster;
use crate::support::{Launch, Place, probe};

/// Exit 125 with one line that starts like this, and nothing was started.
fn refused(launch: Launch, start: &str) {
    for place in [Place::Child, Place::Pid1] {
        let output = launch.clone().place(place).output();
        assert_eq!((output.code(), output.stdout.as_str()), (125, ""), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
        assert!(output.stderr.starts_with(&format!("foster: {start}")), "{output:?}");
    }
}

#[test]
fn no_command_and_no_wrap() {
    refused(foster(), "no command: give COMMAND [ARG]... or --wrap 'COMMAND LINE'");
    refused(foster().arg("--"), "no command: ");
}

#[test]
fn a_command_and_a_wrap() {
    refused(
        foster().args(["--wrap", "echo no"]).probe("say=no"),
        "--wrap cannot be combined with a COMMAND",
    );
}

#[test]
fn an_unknown_option_names_the_one_meant() {
    refused(foster().args(["--wrp", "echo no"]), "unknown option --wrp: did you mean --wrap?");
    refused(foster().arg("--zzz").probe("say=no"), "unknown option --zzz");
}

#[test]
fn values_that_cannot_be_read() {
    for (option, value, what) in [
        ("--restart", "sometimes", "value"),
        ("--backoff", "soon", "duration"),
        ("--stop-timeout", "10", "duration"),
        ("--stop-signal", "TREM", "signal"),
        ("--app-port", "0", "port"),
        ("--max-restarts", "many", "number"),
        ("--rewrite", "TERM", "rewrite"),
        ("--success", "256", "status"),
        ("--log-format", "xml", "value"),
        ("--forward-to", "nobody", "value"),
    ] {
        let launch = foster().args([option, value]).probe("say=no");
        refused(launch, &format!("{option}: invalid {what} '{value}': "));
    }
}

#[test]
fn values_in_the_environment_that_cannot_be_read() {
    let launch = foster().env("FOSTER_STOP_TIMEOUT", "soon").probe("say=no");
    refused(launch, "FOSTER_STOP_TIMEOUT: invalid duration 'soon'");
}

#[test]
fn a_backoff_above_its_maximum() {
    refused(
        foster().args(["--backoff", "20s"]).probe("say=no"),
        "--backoff: 20s exceeds --backoff-max",
    );
}

#[test]
fn an_empty_wrap_and_an_unbalanced_quote() {
    refused(foster().args(["--wrap", ""]), "--wrap: '' is empty");
    refused(foster().env("WRAP_CMD", ""), "WRAP_CMD: '' is empty");
    let line = format!("{} say='no", probe());
    refused(foster().args(["--wrap", &line]), &format!("--wrap: '{line}' has an unclosed quote"));
}

#[test]
fn a_bad_service_keeps_the_good_ones_from_being_started() {
    refused(foster().args(["--wrap", "echo no", "--wrap", " "]), "--wrap: ' ' is empty");
}

#[test]
fn an_option_value_that_is_not_utf_8() {
    let value = OsStr::from_bytes(b"10\xff");
    let launch = foster().arg("--stop-timeout").arg(value).probe("say=no");
    refused(launch, "--stop-timeout: '10\u{fffd}' is not UTF-8");
}
