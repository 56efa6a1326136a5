//! The log in JSON: each line is one object, and its keys do not change.

use std::collections::BTreeSet;
use std::time::Duration;

use foster::cli::{self, Line, Note, Notice, Said, Stream, Style};
use foster::config::{Config, Level, LogFormat};
use foster::exit::{ExitStatus, MachineEnd};
use foster::process::{Comm, Pid, RunNumber, ServiceId, SpawnError, SpawnErrorKind, Target};
use foster::signal::Signal;
use foster::supervisor::{EndCause, Report};
use foster::time::Timestamp;
use tinyjson::JsonValue;

use crate::world::World;

/// The line for a report.
fn line(config: &Config, report: Report) -> String {
    let style = Style::of(config);
    let (now, level) = (Timestamp(Duration::from_millis(1_500)), report.level());
    Line { style, now, level, what: &Said { config, report: &report, style } }.to_string()
}

/// The keys of a line, and its value for each.
#[track_caller]
fn object(line: &str) -> Vec<(String, JsonValue)> {
    assert!(!line.contains('\n'), "{line:?}");
    let value: JsonValue = line.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
    let JsonValue::Object(map) = value else { panic!("{line}") };
    map.into_iter().collect()
}

fn text(line: &str, key: &str) -> String {
    let found = object(line).into_iter().find(|(name, _)| name == key);
    let Some((_, JsonValue::String(text))) = found else { panic!("{line} has no text {key}") };
    text
}

const ARGS: [&str; 6] = ["foster", "--log-format", "json", "--wrap", "/bin/app -x", "-v"];

/// Each kind of report, in each form that has keys of its own.
fn reports() -> Vec<Report> {
    let (service, pid, run) = (ServiceId(0), Pid(12), RunNumber(3));
    let (signal, target) = (Signal::TERM, Target::Group(pid));
    let (code, killed) = (ExitStatus::Code(3), ExitStatus::Signal(Signal::new(34).expect("one")));
    let error = |pid| SpawnError { kind: SpawnErrorKind::NotFound, os: 2, pid };
    vec![
        Report::Started { service, run, pid },
        Report::StartFailed { service, run, error: error(None) },
        Report::StartFailed { service, run, error: error(Some(pid)) },
        Report::Ended { service, run, pid, status: code, cause: EndCause::Unasked { crash: true } },
        Report::Ended { service, run, pid, status: killed, cause: EndCause::Asked },
        Report::InBackground { service, run },
        Report::RestartDue { service, delay: Duration::from_millis(1500), restarts: 2 },
        Report::GaveUp { service, restarts: 5 },
        Report::StopRequested { signal: Some(signal) },
        Report::StopRequested { signal: None },
        Report::StillWaiting {
            service,
            who: foster::supervisor::Who::Leader(pid),
            wait: foster::supervisor::Wait::Death { left: Some(Duration::from_secs(9)) },
        },
        Report::StillWaitingForMore { count: 2 },
        Report::Killing { service, run },
        Report::Unkillable { service, run },
        Report::KillingOrphan { service, run, pid },
        Report::Spared { pid, name: Comm::new(b"app"), in_reach: true },
        Report::Received { signal },
        Report::Rewritten { from: signal, to: None },
        Report::Forwarded { signal, target },
        Report::KillFailed { target, signal, os: 1 },
        Report::Overlooked { signal },
        Report::Reaped { pid, status: code },
        Report::ReapedAtEnd { pid, status: killed },
        Report::KillingAll { signal },
        Report::MachineEnds { how: MachineEnd::Halt },
        Report::Suspending,
        Report::SuspendingAlone,
        Report::NotSuspended,
        Report::TerminalDetached,
        Report::NotReaper,
    ]
}

#[test]
fn a_report_is_an_object_with_what_applies_to_it() {
    let config = World::new().config(&ARGS);
    let [started, _, failed, ended, killed, _, due, ..] = &reports()[..] else { panic!("too few") };
    for (report, expected) in [
        (
            started,
            r#"{"time":"1970-01-01T00:00:01.500Z","level":"info","event":"started","service":"app","pid":12,"run":3,"message":"app (pid 12) started: /bin/app -x"}"#,
        ),
        (
            failed,
            r#"{"time":"1970-01-01T00:00:01.500Z","level":"error","event":"start_failed","service":"app","pid":12,"run":3,"message":"cannot start app: '/bin/app': no such command"}"#,
        ),
        (
            ended,
            r#"{"time":"1970-01-01T00:00:01.500Z","level":"LEVEL","event":"ended","service":"app","pid":12,"run":3,"exit_code":3,"message":"app (pid 12) exited with status 3"}"#,
        ),
        (
            killed,
            r#"{"time":"1970-01-01T00:00:01.500Z","level":"LEVEL","event":"ended","service":"app","pid":12,"run":3,"signal":"SIGRTMIN","message":"app (pid 12) was killed by SIGRTMIN, as requested"}"#,
        ),
        (
            due,
            r#"{"time":"1970-01-01T00:00:01.500Z","level":"LEVEL","event":"restart_due","service":"app","delay_ms":1500,"attempt":2,"message":"app starts again in 1.5s, restart 2 in a row"}"#,
        ),
    ] {
        let level = match report.level() {
            Level::Error => "error",
            Level::Warn => "warning",
            Level::Info => "info",
            Level::Off | Level::Debug | Level::Trace => panic!("{report:?} is graver"),
        };
        assert_eq!(line(&config, *report), expected.replace("LEVEL", level));
    }
}

#[test]
fn every_line_has_a_time_a_level_an_event_and_a_message() {
    let config = World::new().config(&ARGS);
    for report in reports() {
        let line = line(&config, report);
        for key in ["time", "level", "event", "message"] {
            assert!(!text(&line, key).is_empty(), "{line}");
        }
        // A parser would take the last of two equal keys, so each must appear once.
        let keys = object(&line).len();
        assert_eq!(line.matches("\":").count(), keys, "{line}");
    }
}

#[test]
fn the_manual_lists_every_event_with_its_keys_and_every_key() {
    let config = World::new().config(&ARGS);
    let mut told: BTreeSet<(String, String)> = BTreeSet::new();
    let style = Style::of(&config);
    let notes = Notice::ALL.map(|notice| {
        let pid = (notice == Notice::Begun).then_some(Pid(1));
        let note = Note { style, notice, pid, message: format_args!("x") };
        let (now, level) = (Timestamp::default(), notice.level());
        Line { style, now, level, what: &note }.to_string()
    });
    let always = ["time", "level", "event", "message"];
    for line in reports().into_iter().map(|report| line(&config, report)).chain(notes) {
        let event = text(&line, "event");
        told.insert((event.clone(), String::new()));
        let keys = object(&line).into_iter().map(|(key, _)| key);
        told.extend(keys.filter(|key| !always.contains(&&**key)).map(|key| (event.clone(), key)));
    }
    let manual = include_str!("../../../docs/man/foster.1");
    let section = manual.split(".SH LOG\n").nth(1).expect("it has this section");
    let section = section.split("\n.SH ").next().expect("it ends");
    let entries: Vec<(&str, &str)> = section
        .split(".TP\n.B ")
        .skip(1)
        .map(|entry| entry.split_once('\n').expect("a name and more"))
        .collect();
    let mut listed = BTreeSet::new();
    for (event, text) in &entries {
        let Some(keys) = text.strip_prefix('(').and_then(|text| text.split(')').next()) else {
            continue;
        };
        listed.insert((event.to_string(), String::new()));
        let keys = keys.split(", ").filter(|key| !key.is_empty());
        listed.extend(keys.map(|key| (event.to_string(), key.to_owned())));
    }
    assert_eq!(listed, told);
    let keys = told.iter().map(|(_, key)| &**key).filter(|key| !key.is_empty());
    let keys: BTreeSet<&str> = keys.chain(always).collect();
    let described = entries.iter().filter(|(_, text)| !text.starts_with('('));
    assert_eq!(described.map(|(name, _)| *name).collect::<BTreeSet<_>>(), keys);
    // The reports above are all that there are.
    let source = include_str!("../../../src/cli/json.rs");
    for start in ["named(\"", "about(\"", "in_run(\""] {
        for rest in source.split(start).skip(1) {
            let event = rest.split('"').next().expect("it begins").to_owned();
            assert!(event == "e" || told.contains(&(event.clone(), String::new())), "{event}");
        }
    }
}

#[test]
fn any_bytes_come_through_as_text_on_one_line() {
    let line_of = |command: &[u8]| {
        let mut config = World::new().config(&["foster", "--log-format", "json", "-v", "app"]);
        config.services[0].program.argv = foster::config::Argv::new([command]);
        let (service, run, pid) = (ServiceId(0), RunNumber(1), Pid(2));
        line(&config, Report::Started { service, run, pid })
    };
    for (command, shown) in [
        (&b"a\"b\\c"[..], "a\"b\\c"),
        (b"a\nb\x00", "a?b"),
        (b"\x1b[31m\x7f", "?[31m?"),
        (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        ("\u{2028}\u{e9}\u{1f600}".as_bytes(), "\u{2028}\u{e9}\u{1f600}"),
        (b"</script>", "</script>"),
    ] {
        let line = line_of(command);
        assert!(text(&line, "message").contains(shown), "{line}");
        assert!(!line.chars().any(|char| char.is_control() || char == '\u{2028}'), "{line:?}");
    }
}

/// Checks the JSON line for a refused command line.
#[track_caller]
fn refused(world: &World, args: &[&str], message: &str) {
    let say = world.say(args);
    assert_eq!((say.stream, say.code), (Stream::Err, 125));
    let line = say.text.strip_suffix('\n').expect("it is a line");
    let told = ["time", "level", "event", "message"].map(|key| text(line, key));
    assert_eq!(told, ["1970-01-01T00:00:07.000Z", "error", "usage_error", message], "{args:?}");
}

#[test]
fn a_refused_command_line_is_json_wherever_that_was_asked_for() {
    let world = World::new();
    let message = "unknown option --yolo: foster -h lists the options";
    for args in [
        &["--log-format", "json", "--yolo", "app"][..],
        &["--log-format=json", "--yolo", "app"],
        &["--yolo", "--log-format", "json", "app"],
        &["--yolo", "--wrap", "x", "--log-format=json"],
        &["--yolo", "--log-format", "text", "--log-format=json"],
        &["--log-format", "text", "--yolo", "--log-format=json", "--", "--log-format=text"],
    ] {
        refused(&world, &[&["foster"], args].concat(), message);
    }
    let args = ["foster", "--log-format", "json", "--backoff", "1h", "app"];
    let message = "--backoff: 1h";
    let say = world.say(&args);
    assert!(
        text(say.text.trim_end(), "message").starts_with("--backoff: 3600s"),
        "{say:?} {message}"
    );
    let missing = "--wrap requires a value";
    refused(&world, &["foster", "--log-format", "json", "--wrap"], missing);
    let case = "unknown option -H: did you mean -h?";
    refused(&world, &["foster", "-H", "--log-format", "json"], case);
    let name = "--as: invalid value 'tin': did you mean tini?";
    refused(&world, &["foster", "--as", "tin", "--log-format", "json"], name);
    let format = "--log-format: invalid value 'jsn': did you mean json?";
    let inherited = World::new().with("FOSTER_LOG_FORMAT", "json");
    refused(&inherited, &["foster", "--log-format", "jsn", "app"], format);
    refused(&inherited, &["foster", "--wrap"], missing);
    refused(&World::windows(), &["foster", "--log-format=json", "--wrap"], missing);
}

#[test]
fn a_refused_command_line_is_text_where_json_was_not_asked_for() {
    let inherited = World::new().with("FOSTER_LOG_FORMAT", "json");
    for (world, args) in [
        (&World::new(), &["foster", "--yolo", "app"][..]),
        (&World::new(), &["foster", "--yolo", "--", "app", "--log-format=json"]),
        (&World::new(), &["foster", "--log-format=json", "--yolo", "--log-format=text"]),
        (&inherited, &["foster", "--yolo", "--log-format", "text"]),
        // Everything after the command belongs to the command.
        (&World::new(), &["foster", "--wrap", "x", "app", "--log-format=json"]),
    ] {
        assert!(world.say(args).text.starts_with("foster: "), "{args:?}");
    }
}

#[test]
fn a_failed_preparation_is_json_too() {
    let world = World::new();
    let config = world.config(&["foster", "--log-format", "json", "app"]);
    let say = cli::cannot_have(&config, cli::Need::Signals, "why", &world);
    let line = say.text.strip_suffix('\n').expect("it is a line");
    let message = "cannot read signals (signalfd, rt_sigaction): why; nothing was started";
    assert_eq!([text(line, "event"), text(line, "message")], ["setup_failed", message]);
}

#[test]
fn a_line_for_a_person_has_the_time_and_colours_only_where_they_are_asked_for() {
    let config = World::new().config(&["foster", "app"]);
    let mut style = Style { format: LogFormat::Text, time: false, colour: false, words: false };
    let said = |style| {
        let report = Report::Killing { service: ServiceId(0), run: RunNumber(1) };
        let what = &Said { config: &config, report: &report, style };
        Line { style, now: Timestamp::default(), level: Level::Warn, what }.to_string()
    };
    let plain = "foster: warning: app has not ended: sending SIGKILL";
    assert_eq!(said(style), plain);
    style.time = true;
    assert_eq!(said(style), format!("1970-01-01T00:00:00.000Z {plain}"));
    style.time = false;
    style.colour = true;
    let coloured = said(style);
    assert_eq!(
        coloured,
        "foster: \x1b[33mwarning\x1b[0m: \x1b[1mapp\x1b[0m has not ended: sending SIGKILL"
    );
    style.format = LogFormat::Json;
    assert!(!said(style).contains("\\u001b"), "{}", said(style));
}
