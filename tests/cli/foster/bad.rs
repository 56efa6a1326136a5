//! Bad input: the exact line, on stderr, with 125.

use foster::cli::{Outcome, Row, SECTIONS, Say, Scope, Stream};

use crate::world::World;

#[track_caller]
fn refused(world: &World, args: &[&str], line: &str) {
    let expected = Say { stream: Stream::Err, text: format!("foster: {line}\n"), code: 125 };
    assert_eq!(world.say(args), expected, "{args:?}");
}

/// That a value is refused as an option's and as a variable's: `--option: invalid WHAT 'VALUE': WHY`.
#[track_caller]
fn value(option: &str, variable: &str, value: &str, what: &str, why: &str) {
    let line = |name: &str| format!("{name}: invalid {what} '{value}': {why}");
    both(option, variable, value, &line);
}

/// The same for any line.
#[track_caller]
fn both(option: &str, variable: &str, value: &str, line: &dyn Fn(&str) -> String) {
    refused(&World::new(), &["foster", option, value, "--wrap", "app"], &line(option));
    if !variable.is_empty() {
        let world = World::new().with(variable, value);
        refused(&world, &["foster", "--wrap", "app"], &line(variable));
    }
}

#[test]
fn nothing_to_run() {
    let line = "no command: give COMMAND [ARG]... or --wrap 'COMMAND LINE' (see foster -h)";
    for args in [&["foster"][..], &["foster", "--"], &["foster", "-v"], &[]] {
        refused(&World::new(), args, line);
    }
}

#[test]
fn both_a_command_and_a_wrap() {
    let line = "--wrap cannot be combined with a COMMAND ('api'): remove one of them";
    refused(&World::new(), &["foster", "--wrap", "app", "api", "x"], line);
    refused(&World::new(), &["foster", "--wrap", "app", "--", "api"], line);
}

#[test]
fn an_unknown_option() {
    for (word, line) in [
        ("--yolo", "unknown option --yolo: foster -h lists the options"),
        ("--restrat", "unknown option --restrat: did you mean --restart?"),
        ("--wrapp", "unknown option --wrapp: did you mean --wrap?"),
        ("--warp=app", "unknown option --warp: did you mean --wrap?"),
        ("--stop", "unknown option --stop: did you mean --stop-signal?"),
        ("--healthy", "unknown option --healthy: did you mean --healthy-after?"),
        ("--stoptimeout", "unknown option --stoptimeout: did you mean --stop-timeout?"),
        ("--max-restart", "unknown option --max-restart: did you mean --max-restarts?"),
        ("-wrap", "unknown option -wrap: did you mean --wrap?"),
        ("-x", "unknown option -x: foster -h lists the options"),
        ("-H", "unknown option -H: did you mean -h?"),
        ("-vx", "unknown option -x: foster -h lists the options"),
        ("--a\nb", "unknown option --a?b: foster -h lists the options"),
    ] {
        refused(&World::new(), &["foster", word, "app"], line);
    }
}

#[test]
fn a_name_that_is_invalid_taken_or_without_a_service() {
    let world = World::new().with("WRAP_CMD", "app");
    let how = "use letters, digits, '.', '_' and '-'";
    for name in ["a b", "a/b", "\u{e9}", "a#1", "a\nb", ""] {
        let line = format!("--name: invalid name '{}': {how}", name.replace('\n', "?"));
        refused(&world, &["foster", "--name", name, "app"], &line);
    }
    let line = "--name: no service follows 'web': put it before its --wrap or COMMAND";
    refused(&world, &["foster", "--name", "web"], line);
    refused(&world, &["foster", "--wrap", "app", "--name", "web"], line);
    refused(&world, &["foster", "--name", "web", "--"], line);
    let line = "--name: 'db' is a second name for the same service: keep one of them";
    refused(&world, &["foster", "--name", "web", "--name", "db", "app"], line);
    let line = "--name: 'web' is taken by an earlier --wrap: use another name";
    let args = ["foster", "--name", "web", "--wrap", "app", "--name", "web", "--wrap", "api"];
    refused(&world, &args, line);
}

#[test]
fn an_option_of_another_init() {
    let adopts = "remove it, because foster adopts orphans anyway, or --as tini before it";
    for (words, hint) in [
        (&["-s"][..], adopts),
        (&["--subreaper"], adopts),
        (&["-g"], "use --forward-to group, or --as tini before it"),
        (&["-e", "143"], "use --success CODE, or --as tini before it"),
        (&["-p", "KILL"], "use --parent-death-signal SIG, or --as tini before it"),
        (&["-w"], "use -vv, which logs every orphan, or --as tini before it"),
        (&["-c"], "use --forward-to child, or --as dumb-init before it"),
        (&["--single-child"], "use --forward-to child, or --as dumb-init before it"),
        (&["-r", "15:3"], "use --rewrite FROM:TO, or --as dumb-init before it"),
        (&["-l"], "use --as tini before it"),
        (&["-P"], "use --as catatonit before it"),
    ] {
        let line = format!("unknown option {}: {hint}", words[0]);
        refused(&World::new(), &[&["foster"], words, &["app"]].concat(), &line);
    }
    let joined = "unknown option -e143: use --success CODE, or --as tini before it";
    refused(&World::new(), &["foster", "-e143", "app"], joined);
    // Windows has neither these nor most of foster's own.
    let line = "unknown option -g: foster -h lists the options";
    refused(&World::windows(), &["foster", "-g", "app"], line);
}

#[test]
fn a_value_that_is_missing_or_too_much() {
    let world = World::new();
    refused(&world, &["foster", "--wrap"], "--wrap requires a value");
    let line = "--keep-orphans takes no value, so 'yes' is too much";
    refused(&world, &["foster", "--keep-orphans=yes", "app"], line);
}

#[test]
fn restart() {
    let one = "use one of never, on-failure, always";
    for (text, why) in [
        ("sometimes", one),
        ("alway", "did you mean always?"),
        ("on_failure", "did you mean on-failure?"),
    ] {
        value("--restart", "FOSTER_RESTART", text, "value", why);
    }
    let line = format!("--restart: invalid value '': {one}");
    refused(&World::new(), &["foster", "--restart", "", "app"], &line);
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
            ("5parsecs", "unknown unit; "),
            ("-1s", ""),
            ("soon", ""),
            ("1s!", ""),
            (" ", ""),
            ("0.5ns", "too large or too fine; "),
            ("99999999999999y", "too large or too fine; "),
            ("18446744073709551615s 1000ms", "too large or too fine; "),
        ] {
            let how = "write it like 500ms, 10s or 1m30s";
            value(option, variable, text, "duration", &format!("{why}{how}{more}"));
        }
        value(option, variable, "10", "duration", "missing unit (try 10s)");
        value(option, variable, "1m30", "duration", "missing unit (try 1m30s)");
    }
}

#[test]
fn signals() {
    let how = "write it like TERM, SIGTERM, 15 or RTMIN+3";
    for (option, variable) in
        [("--stop-signal", "FOSTER_STOP_SIGNAL"), ("--parent-death-signal", "")]
    {
        for text in ["TERMINATE", "0", "65", "-9", "RTMIN+31", "SIG"] {
            value(option, variable, text, "signal", how);
        }
        value(option, variable, "SIGTREM", "signal", "did you mean TERM?");
    }
}

#[test]
fn numbers() {
    for text in ["many", "-1", "+1", "1.5", "4294967296", "0x10"] {
        let how = "write it like 5, or unlimited";
        value("--max-restarts", "FOSTER_MAX_RESTARTS", text, "number", how);
    }
}

#[test]
fn ports() {
    for text in ["http", "0", "65536", "-1", "80 80"] {
        value("--app-port", "APP_PORT", text, "port", "use a number from 1 to 65535, or none");
    }
    let line = "--app-port: '65535' leaves no port up to 65535 for --wrap number 2: use a lower \
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
        let shown = text.replace('\u{7}', "?");
        let line = |name: &str| {
            format!("{name}: invalid host '{shown}': write it like 127.0.0.1, :: or localhost")
        };
        let args = ["foster", "--app-host", text, "--wrap", "app"];
        refused(&World::new(), &args, &line("--app-host"));
        let world = World::new().with("APP_HOST", text);
        refused(&world, &["foster", "--wrap", "app"], &line("APP_HOST"));
    }
    assert_eq!(World::new().say(&["foster", "--app-host", &long, "--wrap", "app"]).code, 125);
    assert_eq!(World::new().say(&["foster", "--app-host", "", "--wrap", "app"]).code, 125);
    for text in ["127.0.0.1:80", "http://a"] {
        let why = "is not an address alone: its port belongs to --app-port";
        both("--app-host", "APP_HOST", text, &|name| format!("{name}: '{text}' {why}"));
    }
}

#[test]
fn words_of_a_choice() {
    for (option, variable, text, why) in [
        ("--forward-to", "FOSTER_FORWARD_TO", "everyone", "use one of child, group"),
        ("--forward-to", "FOSTER_FORWARD_TO", "chidl", "did you mean child?"),
        ("--stop-to", "FOSTER_STOP_TO", "all", "use one of leader-first, group, leader"),
        ("--stop-to", "FOSTER_STOP_TO", "leader-frist", "did you mean leader-first?"),
        ("--leftovers", "FOSTER_LEFTOVERS", "spare", "use one of kill, term, keep"),
        ("--leftovers", "FOSTER_LEFTOVERS", "tern", "did you mean term?"),
        ("--log-format", "FOSTER_LOG_FORMAT", "xml", "use one of text, json"),
        ("--log-format", "FOSTER_LOG_FORMAT", "jsn", "did you mean json?"),
    ] {
        value(option, variable, text, "value", why);
    }
    let wrong = "FOSTER_KEEP_ORPHANS: invalid value 'perhaps': use 1 for yes, 0 for no";
    refused(&World::new().with("FOSTER_KEEP_ORPHANS", "perhaps"), &["foster", "app"], wrong);
}

#[test]
fn log_filters() {
    let how = "use off, error, warn, info, debug or trace, or foster=LEVEL";
    for (text, wrong) in [
        ("loud", format!("no level 'loud'; {how}")),
        ("inof", "no level 'inof'; did you mean info?".into()),
        ("warn,foster=Debgu", "no level 'Debgu'; did you mean debug?".into()),
        ("foster=info=debug", format!("no level 'info=debug'; {how}")),
        ("mio", format!("no level 'mio'; {how}")),
        ("3", format!("no level '3'; {how}")),
        ("info/a", "no level 'info/a'; did you mean info?".into()),
    ] {
        let line = format!("FOSTER_LOG: invalid filter '{text}': {wrong}");
        refused(&World::new().with("FOSTER_LOG", text), &["foster", "app"], &line);
    }
}

#[test]
fn rewrites() {
    let how = "write it like TERM:QUIT, or HUP:0 to drop HUP";
    for (text, wrong) in [
        ("TERM", how.to_owned()),
        ("TERM:0x", format!("no signal '0x'; {how}")),
        ("0:TERM", format!("no signal '0'; {how}")),
        ("HUP:0,x:1", format!("no signal 'x'; {how}")),
        ("QIUT:TERM", "no signal 'QIUT'; did you mean QUIT?".to_owned()),
    ] {
        value("--rewrite", "FOSTER_REWRITE", text, "rewrite", &wrong);
    }
    let why = "cannot be rewritten: KILL, STOP and CHLD are never forwarded";
    both("--rewrite", "FOSTER_REWRITE", "KILL:TERM", &|name| format!("{name}: 'KILL:TERM' {why}"));
}

#[test]
fn successes() {
    let how = "use a code from 0 to 255 or a signal like TERM";
    for text in ["fine", "256", "-1", "1,,2", "4294967297"] {
        value("--success", "FOSTER_SUCCESS", text, "status", how);
    }
}

#[test]
fn a_backoff_above_its_cap() {
    let line = "--backoff: 20s exceeds --backoff-max, which is 10s: lower --backoff or raise \
                --backoff-max";
    refused(&World::new(), &["foster", "--backoff", "20s", "app"], line);
    let line = "FOSTER_BACKOFF: 1.5s exceeds --backoff-max, which is 1s: lower FOSTER_BACKOFF or \
                raise --backoff-max";
    let world = World::new().with("FOSTER_BACKOFF", "1500ms");
    refused(&world, &["foster", "--backoff-max=1s", "app"], line);
    let line = "--backoff: 500ms exceeds FOSTER_BACKOFF_MAX, which is 100ms: lower --backoff or \
                raise FOSTER_BACKOFF_MAX";
    refused(&World::new().with("FOSTER_BACKOFF_MAX", "100ms"), &["foster", "app"], line);
}

#[test]
fn an_empty_or_unbalanced_wrap() {
    for (line, wrong) in [
        ("", "is empty: give the command line to run"),
        (" \t ", "is empty: give the command line to run"),
        ("app 'x", "has an unclosed quote or ends with a backslash: complete it"),
        ("''", "begins with an empty word: put a program there"),
        ("'' app", "begins with an empty word: put a program there"),
        ("nosuch \"x", "has an unclosed quote or ends with a backslash: complete it"),
        ("app \\", "has an unclosed quote or ends with a backslash: complete it"),
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
    let text = "foster: --backoff: '1\u{fffd}s' is not UTF-8\n";
    let args = ["foster".into(), "--backoff".into(), bad(), "app".into()];
    assert_eq!(World::new().say(&args).text, text);
    let world = World::new().with("FOSTER_BACKOFF", bad());
    let text = text.replace("--backoff", "FOSTER_BACKOFF");
    assert_eq!(world.say(&["foster", "app"]).text, text);
    let wrap = ["foster".into(), "--wrap".into(), bad()];
    let text = "foster: --wrap: '1\u{fffd}s' is not UTF-8\n";
    assert_eq!(World::new().say(&wrap).text, text);
    let option = ["foster".into(), OsString::from_vec(b"--wr\xffp".into())];
    let text = "foster: unknown option --wr\u{fffd}p: did you mean --wrap?\n";
    assert_eq!(World::new().say(&option).text, text);
}

#[test]
fn options_that_windows_lacks() {
    let rows = SECTIONS.iter().flat_map(|section| section.entries).map(|entry| entry.row);
    let (linux_only, everywhere): (Vec<_>, Vec<_>) =
        rows.partition(|row| row.platform == Scope::LinuxOnly);
    assert!(linux_only.len() > 5 && everywhere.len() > 5);
    for Row { name, variable, kind, .. } in linux_only {
        let line = |name| format!("{name}: not available on Windows: remove it");
        let value = if kind.takes_value() { &["x"][..] } else { &[] };
        refused(&World::windows(), &[&["foster", name], value, &["app"]].concat(), &line(name));
        if !variable.is_empty() {
            refused(&World::windows().with(variable, "1"), &["foster", "app"], &line(variable));
        }
    }
    for Row { name, variable, .. } in everywhere {
        for (world, args) in [
            (World::windows(), &["foster", name, "1", "app"][..]),
            (World::windows().with(variable, "1"), &["foster", "app"]),
        ] {
            if let Outcome::Say(say) = world.parse(args) {
                assert!(!say.text.contains("Windows"), "{say:?}");
            }
        }
    }
    for how in ["term", "keep"] {
        let line = format!("--leftovers: '{how}' is not available on Windows: use kill");
        refused(&World::windows(), &["foster", "--leftovers", how, "app"], &line);
    }
    let codes = World::windows().config(&["foster", "--success", "4294967295", "app"]);
    assert!(codes.services[0].policy.success.contains(u32::MAX));
    let line = "--success: invalid status 'TERM': use a code from 0 to 4294967295";
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
