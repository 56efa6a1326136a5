//! tini's command line, environment and messages.

use foster::cli::{Need, Say, Stream, cannot_have};
use foster::config::{
    Config, ForwardTo, JobControl, Leftovers, Level, Rewrites, Session, Setup, StartFailure,
};
use foster::exit::ExitStatus;
use foster::process::{Pid, SpawnError, SpawnErrorKind, Target};
use foster::signal::Signal;
use foster::supervisor::{EndCause, Report};

use crate::world::{RUN, SERVICE, World, lines, said, words};

fn config(args: &[&str]) -> Config {
    World::new().config(&[&["tini"], args].concat())
}

fn codes(config: &Config) -> Vec<u32> {
    (0..256).filter(|code| config.services[0].policy.success.contains(*code)).collect()
}

#[test]
fn a_command_alone_is_tinis_defaults() {
    let config = config(&["app", "-x", "--", "y"]);
    assert_eq!(words(&config), ["app", "-x", "--", "y"]);
    assert_eq!(config.services[0].policy.forward, ForwardTo::Child);
    let mut rewrites = Rewrites::default();
    rewrites.set(Signal::TTIN, None);
    rewrites.set(Signal::TTOU, None);
    assert_eq!(config.signals.rewrites, rewrites);
    assert_eq!(config.services[0].policy.leftovers, Leftovers::Leave);
    assert_eq!(config.services[0].policy.session, Session::Group);
    assert_eq!(config.signals.job_control, JobControl::FollowChild);
    let expected = StartFailure {
        not_found: 127,
        bad_interpreter: 127,
        denied: 126,
        not_executable: 1,
        resources: 1,
        no_process: 1,
    };
    assert_eq!(config.start_failure, expected);
    let setup = Setup { warn_unless_reaper: true, script_fallback: true, ..Setup::default() };
    assert_eq!(config.setup, setup);
    assert_eq!(config.log.level, Level::Warn);
    assert!(!config.log.warn_of_orphans);
    assert_eq!(codes(&config), [0]);
}

#[test]
fn options_cluster_and_take_their_values_attached_or_apart() {
    let config = config(&["-sgwvp", "SIGUSR1", "-e1", "-e", "143", "--", "--", "app"]);
    assert_eq!(words(&config), ["--", "app"]);
    assert!(config.setup.subreaper);
    assert_eq!(config.services[0].policy.forward, ForwardTo::Group);
    assert!(config.log.warn_of_orphans);
    assert_eq!(config.log.level, Level::Info);
    assert_eq!(config.setup.parent_death_signal, Some(Signal::USR1));
    assert_eq!(codes(&config), [0, 1, 143]);
}

#[test]
fn options_end_at_the_first_operand() {
    let config = config(&["-v", "sh", "-c", "x", "-g"]);
    assert_eq!(words(&config), ["sh", "-c", "x", "-g"]);
    assert_eq!(config.services[0].policy.forward, ForwardTo::Child);
}

#[test]
fn verbosity_counts_up_from_warnings() {
    for (args, level) in [
        (&["app"][..], Level::Warn),
        (&["-v", "app"], Level::Info),
        (&["-vv", "app"], Level::Debug),
        (&["-v", "-v", "-v", "app"], Level::Trace),
        (&["-vvvvvvvv", "app"], Level::Trace),
    ] {
        assert_eq!(config(args).log.level, level);
    }
}

#[test]
fn tini_verbosity_replaces_the_count_and_is_read_by_atoi() {
    for (text, level) in [
        ("0", Level::Error),
        ("1", Level::Warn),
        (" +2x", Level::Info),
        ("3", Level::Debug),
        ("4", Level::Trace),
        ("99", Level::Trace),
        ("-1", Level::Trace),
        ("abc", Level::Error),
        ("", Level::Error),
        ("4294967298", Level::Info),
        ("99999999999999999999", Level::Trace),
    ] {
        let world = World::new().with("TINI_VERBOSITY", text);
        assert_eq!(world.config(&["tini", "-vv", "app"]).log.level, level, "{text:?}");
    }
}

#[test]
fn tini_subreaper_and_kill_process_group_count_as_soon_as_they_are_set() {
    for value in ["", "0", "1"] {
        let world = World::new().with("TINI_SUBREAPER", value);
        assert!(world.config(&["tini", "app"]).setup.subreaper);
        let world = World::new().with("TINI_KILL_PROCESS_GROUP", value);
        assert_eq!(world.config(&["tini", "app"]).services[0].policy.forward, ForwardTo::Group);
    }
}

#[test]
fn exit_codes_are_read_by_strtol() {
    for (text, code) in [("0", 0), (" +5", 5), ("\t255", 255), ("007", 7), ("", 0), ("-0", 0)] {
        let config = config(&["-e", text, "app"]);
        assert_eq!(codes(&config).last(), Some(&code), "{text:?}");
    }
    for text in ["x", "5x", "256", "-1", " ", "+", "0x1", "18446744073709551616", "1 "] {
        let text_out = format!("[FATAL tini (7)] Not a valid option for -e: {text}\n");
        let expected = Say { stream: Stream::Err, text: text_out, code: 1 };
        assert_eq!(World::new().say(&["tini", "-e", text, "app"]), expected);
    }
}

#[test]
fn the_parent_death_signal_is_one_of_28_names() {
    let mut known = 0;
    for number in 1..=64 {
        let name = Signal::new(number).expect("1 to 64 are signals").to_string();
        let is_known = match name.as_str() {
            "SIGSTKFLT" | "SIGIO" | "SIGPWR" => false,
            _ => number <= 31,
        };
        if is_known {
            let config = config(&["-p", &name, "app"]);
            assert_eq!(config.setup.parent_death_signal, Signal::new(number));
            known += 1;
        } else {
            assert_eq!(World::new().say(&["tini", "-p", &name, "app"]).code, 1, "{name}");
        }
    }
    assert_eq!(known, 28);
    for name in ["TERM", "15", "sigterm", "SIGIOT", "SIGCLD", "SIGPOLL", ""] {
        let text = format!("[FATAL tini (7)] Not a valid option for -p: {name}\n");
        let expected = Say { stream: Stream::Err, text, code: 1 };
        assert_eq!(World::new().say(&["tini", "-p", name, "app"]), expected);
    }
}

#[test]
fn version_counts_only_alone() {
    for name in ["tini", "/usr/bin/docker-init"] {
        let expected = Say { stream: Stream::Out, text: "tini version 0.19.0\n".into(), code: 0 };
        assert_eq!(World::new().say(&[name, "--version"]), expected);
    }
    for args in [&["--version", "app"][..], &["-s", "--version"], &["--help"]] {
        let said = World::new().say(&[&["tini"], args].concat());
        assert_eq!((said.stream, said.code), (Stream::Err, 1));
        assert!(said.text.starts_with("tini: invalid option -- '-'\ntini (tini version 0.19.0)\n"));
    }
}

#[test]
fn a_wrong_option_and_no_program_end_with_the_usage_on_stderr() {
    for (args, first) in [
        (&["/a/tini", "-x", "app"][..], "/a/tini: invalid option -- 'x'\n"),
        (&["/a/tini", "-sgvx"], "/a/tini: invalid option -- 'x'\n"),
        (&["/a/tini", "-p"], "/a/tini: option requires an argument -- 'p'\n"),
        (&["/a/tini"], ""),
        (&["/a/tini", "--"], ""),
        (&["/a/tini", "-s", "--"], ""),
    ] {
        let text = format!("{first}{USAGE}");
        assert_eq!(World::new().say(args), Say { stream: Stream::Err, text, code: 1 });
    }
}

#[test]
fn help_and_licence_go_to_stdout() {
    for args in [&["/a/tini", "-h"][..], &["/a/tini", "-sh", "-x"]] {
        let expected = Say { stream: Stream::Out, text: USAGE.into(), code: 0 };
        assert_eq!(World::new().say(args), expected);
    }
    let licence = World::new().say(&["tini", "-l"]);
    assert_eq!((licence.stream, licence.code), (Stream::Out, 0));
    assert!(licence.text.starts_with("This is foster "));
}

#[test]
fn reports_are_tinis_lines_at_their_levels_on_their_streams() {
    let (pid, signal) = (Pid(12), Signal::TERM);
    let target = Target::Process(pid);
    let exited = |status| Report::Ended {
        service: SERVICE,
        run: RUN,
        pid,
        status,
        cause: EndCause::Unasked { crash: false },
    };
    let reaped = Report::Reaped { pid, status: ExitStatus::Code(0) };
    let esrch = Report::KillFailed { target, signal, os: 3 };
    let out = |text: &str| Some((Stream::Out, text.to_owned()));
    let err = |text: &str| Some((Stream::Err, text.to_owned()));
    for (verbosity, report, line) in [
        (
            "2",
            Report::Started { service: SERVICE, run: RUN, pid },
            out("[INFO  tini (7)] Spawned child process 'app' with pid '12'"),
        ),
        ("1", Report::Started { service: SERVICE, run: RUN, pid }, None),
        (
            "2",
            exited(ExitStatus::Code(3)),
            out("[INFO  tini (7)] Main child exited normally (with status '3')"),
        ),
        (
            "4",
            exited(ExitStatus::Signal(Signal::TERM)),
            out("[DEBUG tini (7)] Received SIGCHLD\n[DEBUG tini (7)] Reaped child with pid: \
                 '12'\n[INFO  tini (7)] Main child exited with signal (with signal \
                 'Terminated')\n[TRACE tini (7)] Exiting: child has exited"),
        ),
        ("1", exited(ExitStatus::Code(3)), None),
        (
            "3",
            reaped,
            out("[DEBUG tini (7)] Received SIGCHLD\n[DEBUG tini (7)] Reaped child with pid: '12'"),
        ),
        ("2", reaped, None),
        (
            "3",
            Report::Forwarded { signal, target },
            out("[DEBUG tini (7)] Passing signal: 'Terminated'"),
        ),
        (
            "3",
            Report::Forwarded { signal: Signal::RTMIN, target },
            out("[DEBUG tini (7)] Passing signal: 'Real-time signal 0'"),
        ),
        (
            "3",
            Report::StopRequested { signal: Some(Signal::WINCH) },
            out("[DEBUG tini (7)] Passing signal: 'Window changed'"),
        ),
        ("1", esrch, err("[WARN  tini (7)] Child was dead when forwarding signal")),
        ("0", esrch, None),
        (
            "1",
            Report::KillFailed { target, signal, os: 1 },
            err("[WARN  tini (7)] Unexpected error when forwarding signal: 'Operation not \
                 permitted'"),
        ),
        ("1", Report::NotReaper, err(NOT_REAPER)),
        ("0", Report::NotReaper, None),
        ("4", Report::Received { signal }, None),
        ("4", Report::Rewritten { from: Signal::TTIN, to: None }, None),
        ("4", Report::Killing { service: SERVICE, run: RUN }, None),
        ("4", Report::Suspending, None),
    ] {
        let config = World::new().with("TINI_VERBOSITY", verbosity).config(&["tini", "app"]);
        assert_eq!(said(&config, report), line, "{report:?} at {verbosity}");
    }
}

#[test]
fn a_failed_start_is_reported_like_the_end_of_a_child() {
    let failed = |os, pid| {
        let error = SpawnError { kind: SpawnErrorKind::NotFound, os, pid };
        Report::StartFailed { service: SERVICE, run: RUN, error }
    };
    let at = |verbosity, report| {
        let world = World::new().with("TINI_VERBOSITY", verbosity);
        let lines = lines(&world.config(&["tini", "app"]), report);
        lines.into_iter().map(|(stream, line)| format!("{stream:?} {line}")).collect::<Vec<_>>()
    };
    let fatal = "Err [FATAL tini (12)] exec app failed: No such file or directory";
    assert_eq!(at("0", failed(2, Some(Pid(12)))), [fatal]);
    let all = [
        "Out [INFO  tini (7)] Spawned child process 'app' with pid '12'",
        fatal,
        "Out [DEBUG tini (7)] Received SIGCHLD",
        "Out [DEBUG tini (7)] Reaped child with pid: '12'",
        "Out [INFO  tini (7)] Main child exited normally (with status '127')",
        "Out [TRACE tini (7)] Exiting: child has exited",
    ];
    assert_eq!(at("4", failed(2, Some(Pid(12)))), all);
    let no_process = "Err [FATAL tini (7)] fork failed: Resource temporarily unavailable";
    assert_eq!(at("4", failed(11, None)), [no_process]);
}

#[test]
fn tini_reports_a_failed_preparation_with_1() {
    for (need, text) in [
        (Need::Subreaper, "Failed to register as child subreaper: why"),
        (Need::ParentDeathSignal, "Failed to set up parent death signal"),
        (Need::Signals, "cannot read signals (signalfd, rt_sigaction): why"),
    ] {
        let text = format!("[FATAL tini (7)] {text}\n");
        let expected = Say { stream: Stream::Err, text, code: 1 };
        assert_eq!(cannot_have(&config(&["app"]), need, "why", &World::new()), expected);
    }
}

#[test]
fn with_w_every_orphan_is_a_warning() {
    let report = Report::Reaped { pid: Pid(12), status: ExitStatus::Signal(Signal::KILL) };
    let line = "[WARN  tini (7)] Reaped zombie process with pid=12".to_owned();
    assert_eq!(said(&config(&["-w", "app"]), report), Some((Stream::Err, line.clone())));
    let at_end = Report::ReapedAtEnd { pid: Pid(12), status: ExitStatus::Code(0) };
    assert_eq!(said(&config(&["-w", "app"]), at_end), Some((Stream::Err, line)));
    let told = "[DEBUG tini (7)] Reaped child with pid: '12'".to_owned();
    assert_eq!(said(&config(&["-vv", "app"]), at_end), Some((Stream::Out, told)));
    let quiet = World::new().with("TINI_VERBOSITY", "0").config(&["tini", "-w", "app"]);
    assert_eq!(said(&quiet, report), None);
}

#[test]
fn signals_are_described_as_strsignal_does() {
    let passing = |number| {
        let signal = Signal::new(number).expect("1 to 64 are signals");
        let report = Report::Forwarded { signal, target: Target::Process(Pid(12)) };
        said(&config(&["-vv", "app"]), report).expect("it is said at this level").1
    };
    assert!(passing(1).ends_with("'Hangup'"));
    assert!(passing(17).ends_with("'Child exited'"));
    assert!(passing(31).ends_with("'Bad system call'"));
    assert!(passing(32).ends_with("'Unknown signal 32'"));
    assert!(passing(64).ends_with("'Real-time signal 30'"));
}

const NOT_REAPER: &str = "\
[WARN  tini (7)] Tini is not running as PID 1 and isn't registered as a child subreaper.
Zombie processes will not be re-parented to Tini, so zombie reaping won't work.
To fix the problem, use the -s option or set the environment variable TINI_SUBREAPER to register \
Tini as a child subreaper, or run Tini as PID 1.";

const USAGE: &str = concat!(
    "\
tini (tini version 0.19.0)
Usage: tini [OPTIONS] PROGRAM [ARG]... | --version

This is foster ",
    env!("CARGO_PKG_VERSION"),
    " in the place of tini.

  -s         adopt orphans where this is not PID 1 (or TINI_SUBREAPER is set)
  -g         send signals to the program's process group, not to it alone
             (or TINI_KILL_PROCESS_GROUP is set)
  -e CODE    exit with 0 where it would be CODE, 0 to 255; may be repeated
  -p SIGNAL  get SIGNAL when the parent dies, such as SIGTERM
  -w         warn of each orphan that is reaped
  -v         say more; up to three times (or TINI_VERBOSITY=0 to 4; default 1)
  -l         print the licence
  -h         print this help
  --version  print the version
"
);
