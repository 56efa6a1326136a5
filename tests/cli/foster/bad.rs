//! Bad input: the exact line, on stderr, with 125.

use foster::cli::{Say, Stream};

use crate::world::World;

#[track_caller]
fn refused(world: &World, args: &[&str], line: &str) {
    let expected = Say { stream: Stream::Err, text: format!("foster: {line}\n"), code: 125 };
    assert_eq!(world.say(args), expected, "{args:?}");
}

/// What is said of a value that is given to an option, and by the environment.
#[track_caller]
fn value(option: &str, variable: &str, value: &str, wrong: &str) {
    let line = format!("{option}: '{value}' {wrong}");
    refused(&World::new(), &["foster", option, value, "--wrap", "app"], &line);
    if !variable.is_empty() {
        let line = format!("{variable}: '{value}' {wrong}");
        refused(&World::new().with(variable, value), &["foster", "--wrap", "app"], &line);
    }
}

#[test]
fn nothing_to_run() {
    let line = "no command: give COMMAND [ARG]... or --wrap 'COMMAND LINE' (foster -h explains)";
    for args in [&["foster"][..], &["foster", "--"], &["foster", "-v"], &[]] {
        refused(&World::new(), args, line);
    }
}

#[test]
fn both_a_command_and_a_wrap() {
    let line = "--wrap: COMMAND is given too, 'api': give one of the two";
    refused(&World::new(), &["foster", "--wrap", "app", "api", "x"], line);
    refused(&World::new(), &["foster", "--wrap", "app", "--", "api"], line);
}

#[test]
fn an_unknown_option() {
    for (word, line) in [
        ("--yolo", "--yolo: there is no such option: foster -h lists them"),
        ("--restrat", "--restrat: there is no such option: did you mean --restart?"),
        ("--wrapp", "--wrapp: there is no such option: did you mean --wrap?"),
        ("--warp=app", "--warp: there is no such option: did you mean --wrap?"),
        ("--stop", "--stop: there is no such option: did you mean --stop-signal?"),
        ("--healthy", "--healthy: there is no such option: did you mean --healthy-after?"),
        ("--stoptimeout", "--stoptimeout: there is no such option: did you mean --stop-timeout?"),
        ("--max-restart", "--max-restart: there is no such option: did you mean --max-restarts?"),
        ("-wrap", "-wrap: there is no such option: did you mean --wrap?"),
        ("-x", "-x: there is no such option: foster -h lists them"),
        ("-H", "-H: there is no such option: did you mean -h?"),
        ("-vx", "-x: there is no such option: foster -h lists them"),
        ("--a\nb", "--a?b: there is no such option: foster -h lists them"),
    ] {
        refused(&World::new(), &["foster", word, "app"], line);
    }
}

#[test]
fn a_name_that_is_none_is_taken_or_names_nothing() {
    let world = World::new().with("WRAP_CMD", "app");
    let how = "is no name: write it with letters, digits, '.', '_' and '-'";
    for name in ["a b", "a/b", "\u{e9}", "a#1", "a\nb"] {
        let line = format!("--name: '{}' {how}", name.replace('\n', "?"));
        refused(&world, &["foster", "--name", name, "app"], &line);
    }
    refused(&world, &["foster", "--name", "", "app"], "--name: '' is empty: write a name");
    let front = "in front of the --wrap or COMMAND that it is for";
    let line = format!("--name: 'web' names nothing: put it {front}");
    refused(&world, &["foster", "--name", "web"], &line);
    refused(&world, &["foster", "--wrap", "app", "--name", "web"], &line);
    refused(&world, &["foster", "--name", "web", "--"], &line);
    let line = format!("--name: 'db' comes second: put the first one {front}");
    refused(&world, &["foster", "--name", "web", "--name", "db", "app"], &line);
    let line = "--name: 'web' is the name of an earlier --wrap: give each one of its own";
    let args = ["foster", "--name", "web", "--wrap", "app", "--name", "web", "--wrap", "api"];
    refused(&world, &args, line);
}

#[test]
fn an_option_of_another_init() {
    let adopts = "leave it out, as foster adopts orphans anyway, or --as tini in front of it";
    for (words, hint) in [
        (&["-s"][..], adopts),
        (&["--subreaper"], adopts),
        (&["-g"], "write --forward-to group, or --as tini in front of it"),
        (&["-e", "143"], "write --success CODE, or --as tini in front of it"),
        (&["-p", "KILL"], "write --parent-death-signal SIG, or --as tini in front of it"),
        (&["-w"], "write -vv, which tells of every orphan, or --as tini in front of it"),
        (&["-c"], "write --forward-to child, or --as dumb-init in front of it"),
        (&["--single-child"], "write --forward-to child, or --as dumb-init in front of it"),
        (&["-r", "15:3"], "write --rewrite FROM:TO, or --as dumb-init in front of it"),
        (&["-l"], "write --as tini in front of it"),
        (&["-P"], "write --as catatonit in front of it"),
    ] {
        let line = format!("{}: there is no such option: {hint}", words[0]);
        refused(&World::new(), &[&["foster"], words, &["app"]].concat(), &line);
    }
    let joined =
        "-e143: there is no such option: write --success CODE, or --as tini in front of it";
    refused(&World::new(), &["foster", "-e143", "app"], joined);
    // There they mean nothing, nor do most of foster's own.
    let line = "-g: there is no such option: foster -h lists them";
    refused(&World::windows(), &["foster", "-g", "app"], line);
}

#[test]
fn a_value_that_is_missing_or_too_much() {
    let world = World::new();
    refused(&world, &["foster", "--wrap"], "--wrap: its value is missing: add it");
    let line = "--keep-orphans: 'yes' is too much: it takes no value";
    refused(&world, &["foster", "--keep-orphans=yes", "app"], line);
}

#[test]
fn restart() {
    let none = "is none of never, on-failure, always";
    let write = format!("{none}: write one of them");
    value("--restart", "FOSTER_RESTART", "sometimes", &write);
    value("--restart", "FOSTER_RESTART", "alway", &format!("{none}: did you mean always?"));
    let meant = format!("{none}: did you mean on-failure?");
    value("--restart", "FOSTER_RESTART", "on_failure", &meant);
    refused(&World::new(), &["foster", "--restart", "", "app"], &format!("--restart: '' {write}"));
}

#[test]
fn durations() {
    for (option, variable) in [
        ("--backoff", "FOSTER_BACKOFF"),
        ("--backoff-max", "FOSTER_BACKOFF_MAX"),
        ("--healthy-after", "FOSTER_HEALTHY_AFTER"),
        ("--stop-timeout", "FOSTER_STOP_TIMEOUT"),
    ] {
        let more = if option == "--stop-timeout" { ", or infinity" } else { "" };
        for (text, why) in [
            ("5", "its unit is missing"),
            ("5parsecs", "its unit is unknown"),
            ("-1s", "it is no number and unit"),
            ("soon", "it is no number and unit"),
            ("1s!", "it is no number and unit"),
            (" ", "it is empty"),
            ("0.5ns", "it is too large or too fine"),
            ("99999999999999y", "it is too large or too fine"),
            ("18446744073709551615s 1000ms", "it is too large or too fine"),
        ] {
            let how = "write it like 500ms, 10s or 1m30s";
            value(option, variable, text, &format!("is no duration, {why}: {how}{more}"));
        }
    }
}

#[test]
fn signals() {
    let how = "is no signal: write it like TERM, SIGTERM, 15 or RTMIN+3";
    for (option, variable) in
        [("--stop-signal", "FOSTER_STOP_SIGNAL"), ("--parent-death-signal", "")]
    {
        for text in ["TERMINATE", "0", "65", "-9", "RTMIN+31", "SIG"] {
            value(option, variable, text, how);
        }
        value(option, variable, "SIGTREM", "is no signal: did you mean TERM?");
    }
}

#[test]
fn numbers() {
    for text in ["many", "-1", "+1", "1.5", "4294967296", "0x10"] {
        let wrong = "is no number: write it like 5, or unlimited";
        value("--max-restarts", "FOSTER_MAX_RESTARTS", text, wrong);
    }
}

#[test]
fn ports() {
    for text in ["http", "0", "65536", "-1", "80 80"] {
        let wrong = "is no port: write a number from 1 to 65535, or none";
        value("--app-port", "APP_PORT", text, wrong);
    }
    let line = "--app-port: '65535' leaves no port up to 65535 for --wrap number 2: choose a lower \
                one";
    let two = ["foster", "--app-port", "65535", "--wrap", "app", "--wrap", "api"];
    refused(&World::new(), &two, line);
    let world = World::new().with("APP_PORT", "65535");
    let args = ["foster", "--wrap", "app", "--wrap", "api"];
    refused(&world, &args, &line.replace("--app-port", "APP_PORT"));
}

#[test]
fn hosts() {
    let long = "x".repeat(256);
    for text in ["a b", "a/b", "[::1]", "a,b", "a\u{7}", "\u{e4}", "$HOST", "*"] {
        let wrong = "is neither an address nor the name of a host: write it like 127.0.0.1, :: or \
                     localhost";
        let shown = text.replace('\u{7}', "?");
        let line = |name: &str| format!("{name}: '{shown}' {wrong}");
        let args = ["foster", "--app-host", text, "--wrap", "app"];
        refused(&World::new(), &args, &line("--app-host"));
        let world = World::new().with("APP_HOST", text);
        refused(&world, &["foster", "--wrap", "app"], &line("APP_HOST"));
    }
    assert_eq!(World::new().say(&["foster", "--app-host", &long, "--wrap", "app"]).code, 125);
    assert_eq!(World::new().say(&["foster", "--app-host", "", "--wrap", "app"]).code, 125);
    let port = "is no address alone: its port is for --app-port";
    value("--app-host", "APP_HOST", "127.0.0.1:80", port);
    value("--app-host", "APP_HOST", "http://a", port);
}

#[test]
fn words_of_a_choice() {
    let forward = "is none of group, child";
    let write = format!("{forward}: write one of them");
    value("--forward-to", "FOSTER_FORWARD_TO", "everyone", &write);
    let meant = format!("{forward}: did you mean child?");
    value("--forward-to", "FOSTER_FORWARD_TO", "chidl", &meant);
    let stop = "is none of leader-first, group, leader";
    value("--stop-to", "FOSTER_STOP_TO", "all", &format!("{stop}: write one of them"));
    value(
        "--stop-to",
        "FOSTER_STOP_TO",
        "leader-frist",
        &format!("{stop}: did you mean leader-first?"),
    );
    let left = "is none of kill, term, keep";
    value("--leftovers", "FOSTER_LEFTOVERS", "spare", &format!("{left}: write one of them"));
    value("--leftovers", "FOSTER_LEFTOVERS", "tern", &format!("{left}: did you mean term?"));
    let format = "is none of text, json";
    value("--log-format", "FOSTER_LOG_FORMAT", "xml", &format!("{format}: write one of them"));
    value("--log-format", "FOSTER_LOG_FORMAT", "jsn", &format!("{format}: did you mean json?"));
    let wrong = "FOSTER_KEEP_ORPHANS: 'perhaps' is neither 1 nor 0: set it to 1 for yes, 0 for no";
    refused(&World::new().with("FOSTER_KEEP_ORPHANS", "perhaps"), &["foster", "app"], wrong);
}

#[test]
fn log_filters() {
    let how = "write off, error, warn, info, debug or trace, or foster=LEVEL";
    for (text, wrong) in [
        ("loud", format!("is no filter, 'loud' is no level: {how}")),
        ("inof", "is no filter, 'inof' is no level: did you mean info?".into()),
        ("warn,foster=Debgu", "is no filter, 'Debgu' is no level: did you mean debug?".into()),
        ("foster=info=debug", format!("is no filter, 'info=debug' is no level: {how}")),
        ("mio", format!("is no filter, 'mio' is no level: {how}")),
        ("3", format!("is no filter, '3' is no level: {how}")),
        ("info/a", "is no filter, 'info/a' is no level: did you mean info?".into()),
    ] {
        let line = format!("FOSTER_LOG: '{text}' {wrong}");
        refused(&World::new().with("FOSTER_LOG", text), &["foster", "app"], &line);
    }
}

#[test]
fn rewrites() {
    let how = "write it like TERM:QUIT, or HUP:0 to drop HUP";
    for (text, wrong) in [
        ("TERM", format!("is no rewrite: {how}")),
        ("TERM:0x", format!("is no rewrite, '0x' is no signal: {how}")),
        ("0:TERM", format!("is no rewrite, '0' is no signal: {how}")),
        ("KILL:TERM", "is no rewrite: KILL, STOP and CHLD are never passed on".to_owned()),
        ("HUP:0,x:1", format!("is no rewrite, 'x' is no signal: {how}")),
        ("QIUT:TERM", "is no rewrite, 'QIUT' is no signal: did you mean QUIT?".to_owned()),
    ] {
        value("--rewrite", "FOSTER_REWRITE", text, &wrong);
    }
}

#[test]
fn successes() {
    let how = "is no status: write a code from 0 to 255 or a signal like TERM";
    for text in ["fine", "256", "-1", "1,,2", "4294967297"] {
        value("--success", "FOSTER_SUCCESS", text, how);
    }
}

#[test]
fn a_backoff_above_its_cap() {
    let line = "--backoff: 20s is above --backoff-max, which is 10s: lower --backoff or raise \
                --backoff-max";
    refused(&World::new(), &["foster", "--backoff", "20s", "app"], line);
    let line = "FOSTER_BACKOFF: 1.5s is above --backoff-max, which is 1s: lower FOSTER_BACKOFF or \
                raise --backoff-max";
    let world = World::new().with("FOSTER_BACKOFF", "1500ms");
    refused(&world, &["foster", "--backoff-max=1s", "app"], line);
    let line = "--backoff: 500ms is above FOSTER_BACKOFF_MAX, which is 100ms: lower --backoff or \
                raise FOSTER_BACKOFF_MAX";
    refused(&World::new().with("FOSTER_BACKOFF_MAX", "100ms"), &["foster", "app"], line);
}

#[test]
fn an_empty_or_unbalanced_wrap() {
    for (line, wrong) in [
        ("", "is empty: give it the command line to run"),
        (" \t ", "is empty: give it the command line to run"),
        ("app 'x", "has a quote without its partner, or a backslash at its end: complete it"),
        ("''", "begins with an empty word: begin it with a program"),
        ("'' app", "begins with an empty word: begin it with a program"),
        ("nosuch \"x", "has a quote without its partner, or a backslash at its end: complete it"),
        ("app \\", "has a quote without its partner, or a backslash at its end: complete it"),
    ] {
        let shown = line.replace('\t', "?");
        let said = format!("'{shown}' {wrong}");
        refused(&World::new(), &["foster", "--wrap", line], &format!("--wrap: {said}"));
        refused(&World::new().with("WRAP_CMD", line), &["foster"], &format!("WRAP_CMD: {said}"));
    }
}

#[test]
#[cfg(unix)]
fn a_value_that_is_not_utf_8() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let bad = || OsString::from_vec(b"1\xffs".into());
    let text = "foster: --backoff: '1\u{fffd}s' is not UTF-8: write it in UTF-8\n";
    let args = ["foster".into(), "--backoff".into(), bad(), "app".into()];
    assert_eq!(World::new().say(&args).text, text);
    let world = World::new().with("FOSTER_BACKOFF", bad());
    let text = text.replace("--backoff", "FOSTER_BACKOFF");
    assert_eq!(world.say(&["foster", "app"]).text, text);
    let wrap = ["foster".into(), "--wrap".into(), bad()];
    let text = "foster: --wrap: '1\u{fffd}s' is not UTF-8: write it in UTF-8\n";
    assert_eq!(World::new().say(&wrap).text, text);
    let option = ["foster".into(), OsString::from_vec(b"--wr\xffp".into())];
    let text = "foster: --wr\u{fffd}p: there is no such option: did you mean --wrap?\n";
    assert_eq!(World::new().say(&option).text, text);
}

#[test]
fn options_without_meaning_on_windows() {
    for option in [
        "--stop-signal=INT",
        "--forward-to=child",
        "--stop-to=leader",
        "--rewrite=TERM:INT",
        "--parent-death-signal=INT",
        "--session",
        "--no-subreaper",
        "--keep-orphans",
        "--boot",
        "--no-boot",
    ] {
        let name = option.split('=').next().expect("a split has a first part");
        let line = format!("{name}: it has no meaning on Windows: leave it out");
        refused(&World::windows(), &["foster", option, "app"], &line);
    }
    for variable in [
        "FOSTER_STOP_SIGNAL",
        "FOSTER_STOP_TO",
        "FOSTER_FORWARD_TO",
        "FOSTER_REWRITE",
        "FOSTER_KEEP_ORPHANS",
    ] {
        let line = format!("{variable}: it has no meaning on Windows: leave it out");
        refused(&World::windows().with(variable, "1"), &["foster", "app"], &line);
    }
    for how in ["term", "keep"] {
        let line =
            format!("--leftovers: '{how}' has no meaning on Windows: write kill, or leave it out");
        refused(&World::windows(), &["foster", "--leftovers", how, "app"], &line);
    }
    let codes = World::windows().config(&["foster", "--success", "4294967295", "app"]);
    assert!(codes.success.contains(u32::MAX));
    let line = "--success: 'TERM' is no status: write a code from 0 to 4294967295";
    refused(&World::windows(), &["foster", "--success", "TERM", "app"], line);
}

#[test]
fn every_refusal_is_one_line() {
    let long = "x".repeat(100_000);
    for args in [["foster", "--restart", "a\nb\u{1b}[31m"], ["foster", "--restart", &long]] {
        let text = World::new().say(&args).text;
        assert_eq!(text.matches('\n').count(), 1);
        assert!(!text.contains('\u{1b}') && text.len() < 300, "{text}");
    }
}
