//! dumb-init's command line, environment and messages.

use crate::subject::{Folder, chosen, dumb_init, path};
use crate::support::{Launch, Output, Place, probe};

#[test]
fn dumb_init_version_is_on_stderr() {
    for option in ["-V", "--version", "--vers", "-vV", "-cV"] {
        let output = dumb_init().arg(option).output();
        assert_eq!((output.code(), output.stdout.as_str()), (0, ""), "{option}");
        assert_eq!(output.stderr, "dumb-init v1.2.5\n", "{option}");
    }
}

#[test]
fn dumb_init_help_is_on_stderr() {
    for option in ["-h", "--help", "--he", "--h"] {
        let output = dumb_init().arg(option).output();
        assert_eq!((output.code(), output.stdout.as_str()), (0, ""), "{option}");
        let (first, rest) = output.stderr.split_once('\n').expect("more than one line");
        assert_eq!(first, "dumb-init v1.2.5");
        assert!(rest.starts_with(&format!("Usage: {} ", name())), "{output:?}");
    }
}

#[test]
fn dumb_init_help_and_version_act_where_they_stand() {
    assert_eq!(dumb_init().args(["-V", "--yolo"]).output().code(), 0);
    assert_eq!(dumb_init().args(["-h", "-r", "99:1"]).output().code(), 0);
    is_refused(&dumb_init().args(["--yolo", "-V"]).output(), "unrecognized option '--yolo'");
    let output = dumb_init().args(["-r", "99:1", "-h"]).output();
    assert_eq!((output.code(), output.stderr.as_str()), (1, REWRITE_USAGE));
}

#[test]
fn dumb_init_without_a_command_says_so() {
    for args in [&[][..], &["--"], &["-c"], &["-r", "15:2", "--"]] {
        let output = dumb_init().args(args).output();
        assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{args:?}");
        let name = name();
        let expected =
            format!("Usage: {name} [option] program [args]\nTry {name} --help for full usage.\n");
        assert_eq!(output.stderr, expected, "{args:?}");
    }
}

#[test]
fn dumb_init_reads_its_variables_after_the_options() {
    let output = dumb_init().env("DUMB_INIT_DEBUG", "1").output();
    assert!(output.stderr.starts_with("Usage: "), "no debug line before: {output:?}");
}

#[test]
fn dumb_init_unknown_option_is_one_line() {
    is_refused(&dumb_init().args(["--yolo", "true"]).output(), "unrecognized option '--yolo'");
    is_refused(&dumb_init().args(["--yolo=1", "true"]).output(), "unrecognized option '--yolo=1'");
    is_refused(&dumb_init().args(["-x", "true"]).output(), "invalid option -- 'x'");
    is_refused(&dumb_init().args(["-cx", "true"]).output(), "invalid option -- 'x'");
}

#[test]
fn dumb_init_missing_or_superfluous_value_is_one_line() {
    is_refused(&dumb_init().arg("-r").output(), "option requires an argument -- 'r'");
    is_refused(&dumb_init().arg("-cr").output(), "option requires an argument -- 'r'");
    is_refused(&dumb_init().arg("--rewrite").output(), "option '--rewrite' requires an argument");
    is_refused(&dumb_init().arg("--rew").output(), "option '--rewrite' requires an argument");
    let output = dumb_init().args(["--verbose=2", "true"]).output();
    is_refused(&output, "option '--verbose' doesn't allow an argument");
    let output = dumb_init().args(["--si=2", "true"]).output();
    is_refused(&output, "option '--single-child' doesn't allow an argument");
}

#[test]
fn dumb_init_ambiguous_abbreviation_is_refused() {
    for option in ["--ver", "--v", "--ve=1"] {
        let output = dumb_init().args([option, "true"]).output();
        assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
        let expected = format!("{}: option '{option}' is ambiguous", name());
        assert!(output.stderr.starts_with(&expected), "{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    }
}

#[test]
fn dumb_init_long_options_may_be_abbreviated() {
    for args in [&["--rew", "15:10"][..], &["--rewrite=15:10"], &["--re=15:10"], &["--r", "15:10"]]
    {
        term_arrives_as("USR1", dumb_init().args(args));
    }
    let output = dumb_init().args(["--verb", "true"]).output();
    assert!(output.stderr.starts_with("[dumb-init] "), "{output:?}");
    let output = dumb_init().args(["--single"]).probe("ids").place(Place::Pid1).output();
    assert!(!output.stdout.contains("sid=2"), "no session of its own: {output:?}");
}

#[test]
fn dumb_init_short_options_cluster_and_values_attach() {
    for args in [&["-r", "15:10"][..], &["-r15:10"], &["-cr15:10"], &["-cvr", "15:10"]] {
        term_arrives_as("USR1", dumb_init().args(args));
    }
}

#[test]
fn dumb_init_parsing_stops_at_the_first_operand() {
    let output = dumb_init().probe("args -V --help -r").output();
    assert_eq!(output.stdout, "arg: -V\narg: --help\narg: -r\n");
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
}

#[test]
fn dumb_init_drops_the_first_double_dash_only() {
    let output = dumb_init().args(["-c", "--"]).probe("args -- -V").output();
    assert_eq!(output.stdout, "arg: --\narg: -V\n");
    let output = dumb_init().probe("args -- a").output();
    assert_eq!(output.stdout, "arg: --\narg: a\n");
}

#[test]
fn dumb_init_ignores_posixly_correct() {
    let output = dumb_init().env("POSIXLY_CORRECT", "1").probe("args -V").output();
    assert_eq!(output.stdout, "arg: -V\n");
}

#[test]
fn dumb_init_serves_as_a_shebang() {
    let folder = Folder::new();
    let text = format!("#!{} /bin/sh\necho \"$0 $1\"\nexit 7\n", path("dumb-init").display());
    let script = folder.script("shebang", &text);
    let output = Launch::new(&script).arg("-V").output();
    assert_eq!(output.code(), 7, "{output:?}");
    assert_eq!(output.stdout, format!("{script} -V\n"));
    assert_eq!(output.stderr, "");
}

#[test]
fn dumb_init_chosen_by_option() {
    let output = chosen("dumb-init").arg("-V").output();
    assert_eq!((output.code(), output.stderr.as_str()), (0, "dumb-init v1.2.5\n"));
    term_arrives_as("USR1", chosen("dumb-init").args(["--rew", "15:10"]));
    assert_eq!(chosen("dumb-init").arg("/nonexistent").output().code(), 2);
}

#[test]
fn dumb_init_debug_variable_is_exactly_1() {
    for (value, debugs) in [("1", true), ("0", false), ("", false), ("11", false), ("yes", false)] {
        let output = dumb_init().env("DUMB_INIT_DEBUG", value).probe("exit=0").output();
        assert_eq!(!output.stderr.is_empty(), debugs, "{value:?}: {output:?}");
    }
}

#[test]
fn dumb_init_setsid_variable_is_exactly_0() {
    for (value, session) in [("0", false), ("1", true), ("", true), ("00", true), ("no", true)] {
        let launch = dumb_init().env("DUMB_INIT_SETSID", value).probe("ids").place(Place::Pid1);
        let output = launch.output();
        assert_eq!(output.stdout.contains("sid=2"), session, "{value:?}: {output:?}");
    }
}

#[test]
fn dumb_init_keeps_its_variables_in_the_environment() {
    let launch = dumb_init().env("DUMB_INIT_DEBUG", "0").env("DUMB_INIT_SETSID", "0");
    let output = launch.probe("env=DUMB_INIT_DEBUG env=DUMB_INIT_SETSID").output();
    assert_eq!(output.stdout, "DUMB_INIT_DEBUG=0\nDUMB_INIT_SETSID=0\n");
}

#[test]
fn dumb_init_is_silent_by_default() {
    let output = dumb_init().probe("orphans=2 exit=3").place(Place::Pid1).output();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
    // Not PID 1 and no subreaper: it does not mind.
    let output = dumb_init().probe("orphans=2 die=TERM").output();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
}

#[test]
fn dumb_init_debugs_the_whole_life() {
    let output = dumb_init().arg("-v").probe("exit=3").place(Place::Pid1).output();
    assert_eq!((output.code(), output.stdout.as_str()), (3, ""));
    for line in [
        "Child spawned with PID 2.",
        "setsid complete.",
        "Received signal 17.",
        "A child with PID 2 exited with exit status 3.",
        "Forwarded signal 15 to children.",
        "Child exited with status 3. Goodbye.",
    ] {
        says(&output, line);
    }
    assert!(output.stderr.lines().all(|line| line.starts_with("[dumb-init] ")), "{output:?}");
}

#[test]
fn dumb_init_debugs_its_mode() {
    let by_variable = dumb_init().env("DUMB_INIT_DEBUG", "1").probe("exit=0").output();
    says(&by_variable, "Running in debug mode.");
    let single = dumb_init().args(["-v"]).env("DUMB_INIT_SETSID", "0").probe("exit=0").output();
    says(&single, "Not running in setsid mode.");
    assert!(!single.stderr.contains("setsid complete"), "{single:?}");
}

#[test]
fn dumb_init_debugs_a_death_by_signal() {
    let output = dumb_init().arg("-v").probe("die=TERM").place(Place::Pid1).output();
    says(&output, "A child with PID 2 was terminated by signal 15.");
    says(&output, "Child exited with status 143. Goodbye.");
}

#[test]
fn dumb_init_debugs_forwarding() {
    let launch = dumb_init().args(["-v", "-r", "10:12", "-r", "1:0"]).probe("trap");
    let mut run = launch.place(Place::Pid1).start();
    run.expect("trapping");
    run.signal("USR1");
    for line in ["Received signal 10.", "Translating signal 10 to 12."] {
        run.expect_error(&format!("[dumb-init] {line}"));
    }
    run.expect_error("[dumb-init] Forwarded signal 12 to children.");
    run.signal("HUP");
    run.expect_error("[dumb-init] Translating signal 1 to 0.");
    run.expect_error("[dumb-init] Not forwarding signal 0 to children (ignored).");
}

#[test]
fn dumb_init_debugs_suspension() {
    let mut run = dumb_init().arg("-v").probe("trap").place(Place::Job).start();
    run.expect("trapping");
    run.signal("TSTP");
    run.expect_error("[dumb-init] Translating signal 20 to 19.");
    run.expect_error("[dumb-init] Forwarded signal 19 to children.");
    run.expect_error("[dumb-init] Suspending self due to TTY signal.");
    run.expect_event("stopped STOP");
}

#[test]
fn dumb_init_debugs_the_terminal() {
    let mut run = dumb_init().arg("-v").probe("trap").place(Place::TerminalLeader).start();
    run.expect_error("[dumb-init] Detached from controlling tty");
    run.expect("trapping");
    // Both come at once, so that either may be first.
    run.expect_all_errors(&[
        "[dumb-init] Ignoring tty hand-off signal 1.",
        "[dumb-init] Ignoring tty hand-off signal 18.",
    ]);
}

#[test]
fn dumb_init_rewrites_by_sscanf_rules() {
    for rule in ["15:10", " 15:10", "15: 10", "+15:+10", "015:10", "15:10junk", "15:10:3", "15:10 "]
    {
        term_arrives_as("USR1", dumb_init().args(["-r", rule]));
    }
    // The numbers wrap around like a C int.
    term_arrives_as("USR1", dumb_init().args(["-r", "4294967311:4294967306"]));
}

#[test]
fn dumb_init_refuses_other_rewrites() {
    for rule in [
        "", "15", "15:", ":10", "15 :10", "x:10", "15:x", "TERM:INT", "0:10", "-1:10", "32:10",
        "15:32", "15:-1", "99:1", "15,10", "15 10", "34:10",
    ] {
        for option in ["-r", "--rewrite"] {
            let output = dumb_init().args([option, rule, "true"]).output();
            assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{rule:?}");
            assert_eq!(output.stderr, REWRITE_USAGE, "{rule:?}");
        }
    }
}

const REWRITE_USAGE: &str = "Usage: -r option takes <signum>:<signum>, where <signum> is between \
     1 and 31.\nThis option can be specified multiple times.\nUse --help for full usage.\n";

/// `argv[0]`, which the messages show as it is.
fn name() -> String {
    path("dumb-init").to_str().expect("UTF-8").to_string()
}

fn is_refused(output: &Output, message: &str) {
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{output:?}");
    assert_eq!(output.stderr, format!("{}: {message}\n", name()));
}

fn says(output: &Output, line: &str) {
    let line = format!("[dumb-init] {line}");
    assert!(output.stderr.lines().any(|one| one == line), "no {line:?}: {output:?}");
}

/// Sends TERM, and expects the child to get another signal for it.
fn term_arrives_as(name: &str, launch: Launch) {
    let mut run = launch.args([probe(), "trap"]).start();
    run.expect("trapping");
    run.signal("TERM");
    assert_eq!(run.line(), format!("got {name}"));
}
