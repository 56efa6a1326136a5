//! What stands in the log: lines for machines, lines with the time, colours, and how much is said of
//! what is run.

use std::process::Command;

use tinyjson::JsonValue;

use crate::subject::{Folder, binary, foster, probe_line, quick};
use crate::support::terminal::Terminal;
use crate::support::{Launch, Place};

/// What stands under a key of a line in JSON, as text; nothing where there is no such key.
pub fn member(line: &str, key: &str) -> String {
    let value: JsonValue = line.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
    let JsonValue::Object(members) = &value else { panic!("{line} is no object") };
    match members.get(key) {
        None => String::new(),
        Some(JsonValue::String(text)) => text.clone(),
        Some(other) => other.stringify().expect("it was read from text"),
    }
}

fn members(line: &str, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| member(line, key)).collect()
}

/// A service that runs once.
fn once(script: &str) -> Launch {
    foster().args(["--restart", "never", "--wrap"]).arg(probe_line(script))
}

/// Whether it is a time of this century as RFC 3339 writes it, in UTC and with milliseconds.
fn is_time(text: &str) -> bool {
    let digits: String =
        text.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
    digits == "0000-00-00T00:00:00.000Z" && text.starts_with("20")
}

#[test]
fn each_run_of_a_service_is_logged_in_json() {
    let launch = quick(foster()).args(["--log-format", "json", "--max-restarts", "2"]);
    let launch = launch.args(["--name", "web", "--wrap"]).arg(probe_line("exit=3"));
    let output = launch.output();
    let lines: Vec<&str> = output.stderr.lines().collect();
    let told = |index: usize, keys: &[&str]| members(lines[index], keys).join(" ");
    let keys = ["event", "service", "run", "exit_code", "attempt"];
    for run in 0..3 {
        assert_eq!(told(3 * run, &keys), format!("started web {}  ", run + 1));
        assert_eq!(told(3 * run + 1, &keys), format!("ended web {} 3 ", run + 1));
        assert_eq!(member(lines[3 * run], "pid"), member(lines[3 * run + 1], "pid"));
    }
    assert_eq!(told(2, &keys), "restart_due web   1");
    assert_eq!(told(5, &keys), "restart_due web   2");
    assert!(member(lines[2], "delay_ms").parse::<u64>().is_ok(), "{lines:?}");
    assert_eq!(told(8, &keys), "gave_up web   2");
    for line in lines {
        assert!(is_time(&member(line, "time")), "{line}");
        assert!(!member(line, "level").is_empty() && !member(line, "message").is_empty(), "{line}");
    }
}

#[test]
fn a_death_by_a_signal_and_a_failed_start_are_logged_in_json() {
    let launch = once("die=KILL").env("FOSTER_LOG_FORMAT", "json");
    let output = launch.output();
    let last = output.stderr.lines().last().expect("a line");
    assert_eq!(members(last, &["event", "signal", "exit_code"]), ["ended", "SIGKILL", ""]);
    let output = foster().env("FOSTER_LOG_FORMAT", "json").arg("/nowhere").output();
    let line = output.stderr.strip_suffix('\n').expect("a line");
    let expected = ["start_failed", "nowhere", "1", "error"];
    assert_eq!(members(line, &["event", "service", "run", "level"]), expected);
    assert!(member(line, "message").starts_with("cannot start nowhere: '/nowhere': "), "{line}");
}

#[test]
fn any_bytes_in_what_is_run_make_a_line_of_json() {
    let folder = Folder::new();
    let name = "a\u{2028}\"\\\u{7}\u{e9}";
    let path = folder.script(name, "#!/bin/sh\n");
    let output = foster().args(["-v", "--log-format", "json", "--", &path]).output();
    let shown = name.replace('\u{7}', "?");
    for line in output.stderr.lines().skip(1) {
        assert_eq!(member(line, "service"), shown, "{output:?}");
    }
    assert_eq!(output.stderr.lines().count(), 3, "{output:?}");
    assert!(!output.stderr.contains('\u{2028}'), "{output:?}");
}

#[test]
fn a_refusal_and_a_failed_preparation_are_logged_in_json() {
    let output = foster().args(["--yolo", "--log-format", "json", "true"]).output();
    let line = output.stderr.strip_suffix('\n').expect("a line");
    assert_eq!(members(line, &["level", "event"]), ["error", "usage_error"]);
    assert!(is_time(&member(line, "time")) && output.code() == 125, "{output:?}");
    let launch = foster().args(["--boot", "--log-format", "json", "--", "true"]);
    let output = launch.output();
    let line = output.stderr.strip_suffix('\n').expect("a line");
    assert_eq!(members(line, &["level", "event"]), ["error", "setup_failed"]);
    assert!(is_time(&member(line, "time")) && output.code() == 125, "{output:?}");
}

#[test]
fn log_time_puts_the_time_in_front() {
    let launch = foster().args(["--log-time", "--restart", "never", "--wrap"]);
    let launch = launch.arg(probe_line("exit=3"));
    for launch in [launch, once("exit=3").env("FOSTER_LOG_TIME", "1")] {
        let output = launch.output();
        assert_eq!(output.stderr.lines().count(), 2, "{output:?}");
        for line in output.stderr.lines() {
            let (time, line) = line.split_once(' ').expect("a time and more");
            assert!(is_time(time) && line.starts_with("foster: info: probe (pid "), "{output:?}");
        }
    }
}

/// What a terminal shows as standard error.
fn screen(args: &[&str], variables: &[(&str, &str)]) -> String {
    let (mut terminal, slave) = Terminal::open();
    let mut command = Command::new(binary());
    command
        .args(args)
        .env_remove("NO_COLOR")
        .env_remove("FOSTER_UNDER_TEST")
        .env("TERM", "xterm")
        .stderr(slave);
    command.envs(variables.iter().copied());
    command.status().expect("foster is there");
    drop(command);
    terminal.screen()
}

#[test]
fn level_and_name_are_coloured_on_a_terminal_unless_somebody_minds() {
    let args = ["--restart", "never", "--wrap", "true"];
    for variables in [&[][..], &[("NO_COLOR", "")], &[("TERM", "linux")]] {
        let shown = screen(&args, variables);
        let line = "foster: \x1b[32minfo\x1b[0m: \x1b[1mtrue\x1b[0m (pid ";
        assert!(
            shown.lines().count() == 2 && shown.lines().all(|it| it.starts_with(line)),
            "{shown}"
        );
    }
    for variables in [("NO_COLOR", "1"), ("NO_COLOR", "false"), ("TERM", "dumb")] {
        let shown = screen(&args, &[variables]);
        assert!(shown.contains("foster: info: true (pid ") && !shown.contains('\x1b'), "{shown}");
    }
    let json = screen(&[&["--log-format", "json"], &args[..]].concat(), &[]);
    assert!(json.starts_with('{') && !json.contains('\x1b') && !json.contains("u001b"), "{json}");
    for name in ["tini", "dumb-init", "catatonit"] {
        let shown = screen(&["--as", name, "/nowhere"], &[]);
        assert!(!shown.is_empty() && !shown.contains('\x1b'), "{shown}");
    }
}

#[test]
fn v_begins_with_the_version_and_shows_the_words_that_are_run() {
    let version = env!("CARGO_PKG_VERSION");
    let first = |output: &str| output.lines().next().expect("a line").to_owned();
    let output = foster().args(["-v", "--", "sh", "-c", "exit 3"]).place(Place::Pid1).output();
    let line = format!("foster: info: foster {version} begins as PID 1");
    assert_eq!(first(&output.stderr), line);
    assert!(output.stderr.contains(") started: sh -c 'exit 3'\n"), "{output:?}");
    let launch = foster().args(["-v", "--restart", "never", "--wrap", "cd / && exec true"]);
    let output = launch.output();
    let begun = format!("foster: info: foster {version} begins with pid ");
    assert!(first(&output.stderr).starts_with(&begun), "{output:?}");
    assert!(output.stderr.contains("foster: info: true (pid "), "{output:?}");
    assert!(output.stderr.contains(") started by a shell: cd / && exec true\n"), "{output:?}");
    let output = foster().env("FOSTER_LOG", "debug").args(["--", "true"]).output();
    assert!(first(&output.stderr).starts_with(&begun), "{output:?}");
    assert!(output.stderr.contains(") started: true\n"), "{output:?}");
}

#[test]
fn what_is_run_is_nobodys_to_read_unless_more_is_asked_for() {
    for launch in
        [once("exit=3"), foster().env("FOSTER_LOG", "info").args(["--", "sh", "-c", "exit=3"])]
    {
        let output = launch.output();
        assert!(output.stderr.contains(") started\n"), "{output:?}");
        assert!(
            !output.stderr.contains("exit=3") && !output.stderr.contains("begins"),
            "{output:?}"
        );
    }
}
