//! dumb-init's command line, environment and messages.

use foster::cli::{Need, Say, Stream, cannot_have};
use foster::config::{
    Config, ForwardTo, JobControl, Leftovers, Level, Session, Setup, StartFailure,
};
use foster::exit::ExitStatus;
use foster::process::{Pid, SpawnError, SpawnErrorKind, Target};
use foster::signal::{Signal, SignalSet};
use foster::supervisor::{EndCause, Report};

use crate::world::{RUN, SERVICE, World, said, words};

fn config(args: &[&str]) -> Config {
    World::new().config(&[&["dumb-init"], args].concat())
}

fn rewrites(args: &[&str]) -> String {
    format!("{:?}", config(args).signals.rewrites)
}

#[track_caller]
fn fails(args: &[&str], text: &str) {
    let expected = Say { stream: Stream::Err, text: text.into(), code: 1 };
    assert_eq!(World::new().say(&[&["/a/dumb-init"], args].concat()), expected, "{args:?}");
}

#[test]
fn a_command_alone_gets_a_session_with_the_terminal() {
    let config = config(&["app", "-v", "--", "y"]);
    assert_eq!(words(&config), ["app", "-v", "--", "y"]);
    assert_eq!(config.services[0].policy.session, Session::OwnWithTerminal);
    assert_eq!(config.services[0].policy.forward, ForwardTo::Group);
    assert_eq!(config.services[0].policy.leftovers, Leftovers::Signal(Signal::TERM));
    let stops = SignalSet::of(&[Signal::TSTP, Signal::TTIN, Signal::TTOU]);
    assert_eq!(config.signals.job_control, JobControl::OnSignals(stops));
    let expected = StartFailure {
        not_found: 2,
        bad_interpreter: 2,
        denied: 2,
        not_executable: 2,
        resources: 2,
        no_process: 1,
    };
    assert_eq!(config.start_failure, expected);
    let setup = Setup {
        detach_terminal: true,
        leave_directory: true,
        unblock_signals: true,
        script_fallback: true,
        ..Setup::default()
    };
    assert_eq!(config.setup, setup);
    assert_eq!(config.log.level, Level::Error);
}

#[test]
fn single_child_stays_in_the_group_and_gets_its_signals_alone() {
    let by_variable = World::new().with("DUMB_INIT_SETSID", "0").config(&["dumb-init", "app"]);
    for config in [
        config(&["-c", "app"]),
        config(&["--single-child", "app"]),
        config(&["--s", "app"]),
        by_variable,
    ] {
        assert_eq!(config.services[0].policy.session, Session::Shared);
        assert_eq!(config.services[0].policy.forward, ForwardTo::Child);
        assert!(!config.setup.detach_terminal);
        assert_eq!(format!("{:?}", config.signals.rewrites), "{}");
    }
}

#[test]
fn only_the_exact_values_of_the_variables_count() {
    for value in ["", "1", "00", " 0", "no"] {
        let world = World::new().with("DUMB_INIT_SETSID", value);
        assert_eq!(
            world.config(&["dumb-init", "app"]).services[0].policy.session,
            Session::OwnWithTerminal
        );
    }
    for value in ["", "0", "11", " 1", "yes"] {
        let world = World::new().with("DUMB_INIT_DEBUG", value);
        assert_eq!(world.config(&["dumb-init", "app"]).log.level, Level::Error);
    }
    let world = World::new().with("DUMB_INIT_DEBUG", "1");
    assert_eq!(world.config(&["dumb-init", "app"]).log.level, Level::Debug);
}

#[test]
fn verbose_is_debug() {
    for option in ["-v", "--verbose", "--verb", "-vv"] {
        assert_eq!(config(&[option, "app"]).log.level, Level::Debug);
    }
}

#[test]
fn terminal_stops_are_rewritten_to_stop_unless_the_user_does() {
    let stops = "SIGTSTP: Some(SIGSTOP), SIGTTIN: Some(SIGSTOP), SIGTTOU: Some(SIGSTOP)";
    assert_eq!(rewrites(&["app"]), format!("{{{stops}}}"));
    assert_eq!(
        rewrites(&["-r", "20:20", "-r", "21:0", "-r22:15", "app"]),
        "{SIGTTIN: None, SIGTTOU: Some(SIGTERM)}"
    );
}

#[test]
fn rewrites_are_read_by_sscanf_and_the_last_one_wins() {
    for (text, table) in [
        ("15:2", "{SIGTERM: Some(SIGINT)}"),
        (" 15: +2", "{SIGTERM: Some(SIGINT)}"),
        ("15:2junk", "{SIGTERM: Some(SIGINT)}"),
        ("15:0", "{SIGTERM: None}"),
        ("15:0x", "{SIGTERM: None}"),
        ("4294967311:2", "{SIGTERM: Some(SIGINT)}"),
    ] {
        for args in [&["-c", "-r", text, "app"][..], &["-c", "--rew", text, "app"]] {
            assert_eq!(rewrites(args), table, "{text}");
        }
    }
    assert_eq!(rewrites(&["-cr15:2", "--rewrite=15:3", "app"]), "{SIGTERM: Some(SIGQUIT)}");
    for text in [
        "",
        "x",
        "15",
        "15:",
        "15 :2",
        "0:1",
        "32:1",
        "1:32",
        "1:-1",
        "TERM:2",
        "99999999999999999999:2",
    ] {
        fails(&["-r", text, "app"], BAD_REWRITE);
    }
}

#[test]
fn what_is_left_gets_term_as_it_is_rewritten() {
    assert_eq!(
        config(&["-r15:2", "app"]).services[0].policy.leftovers,
        Leftovers::Signal(Signal::INT)
    );
    assert_eq!(config(&["-r15:0", "app"]).services[0].policy.leftovers, Leftovers::Leave);
}

#[test]
fn it_serves_as_the_interpreter_of_a_script() {
    // The kernel makes one argument of everything after the interpreter in the first line.
    assert_eq!(words(&config(&["/bin/sh", "./script", "-v"])), ["/bin/sh", "./script", "-v"]);
}

#[test]
fn wrong_options_are_getopts_line_alone() {
    for (args, line) in [
        (&["--yolo"][..], "unrecognized option '--yolo'"),
        (&["-x"], "invalid option -- 'x'"),
        (&["--ver"], "option '--ver' is ambiguous; possibilities: '--verbose' '--version'"),
        (&["--version=3"], "option '--version' doesn't allow an argument"),
        (&["--rew"], "option '--rewrite' requires an argument"),
        (&["-r"], "option requires an argument -- 'r'"),
    ] {
        fails(args, &format!("/a/dumb-init: {line}\n"));
    }
}

#[test]
fn no_command_is_reported_with_the_unchanged_path() {
    let usage = "Usage: /a/dumb-init [option] program [args]\nTry /a/dumb-init --help for full \
                 usage.\n";
    for args in [&[][..], &["--"], &["-v"]] {
        fails(args, usage);
    }
}

#[test]
fn help_and_version_go_to_stderr_with_0() {
    for option in ["-h", "--help", "--he", "-vhx"] {
        let expected = Say { stream: Stream::Err, text: HELP.into(), code: 0 };
        assert_eq!(World::new().say(&["/a/dumb-init", option]), expected);
    }
    for option in ["-V", "--version", "--vers"] {
        let expected = Say { stream: Stream::Err, text: "dumb-init v1.2.5\n".into(), code: 0 };
        assert_eq!(World::new().say(&["dumb-init", option]), expected);
    }
}

#[test]
fn a_failed_start_is_reported_like_the_end_of_a_child() {
    let told = |debug, option, (kind, os, pid)| {
        let error = SpawnError { kind, os, pid };
        let config = World::new().with("DUMB_INIT_DEBUG", debug);
        let config = config.config(&["dumb-init", option, "app"]);
        let (_, text) = said(&config, Report::StartFailed { service: SERVICE, run: RUN, error })?;
        Some(text.replace("[dumb-init] ", ""))
    };
    let not_found = (SpawnErrorKind::NotFound, 2, Some(Pid(12)));
    let no_room = (SpawnErrorKind::Resources, 11, Some(Pid(12)));
    let no_process = (SpawnErrorKind::Resources, 11, None);
    let no_session = (SpawnErrorKind::NoSession, 1, Some(Pid(12)));
    for (error, line, code) in [
        (not_found, "app: No such file or directory", 2),
        (no_room, "app: Resource temporarily unavailable", 2),
        (no_session, "Unable to setsid (errno=1 Operation not permitted). Exiting.", 1),
    ] {
        assert_eq!(told("0", "--", error).as_deref(), Some(line));
        let before = "Running in debug mode.\nChild spawned with PID 12.";
        let after = format!(
            "Received signal 17.\nA child with PID 12 exited with exit status {code}.\nForwarded \
             signal 15 to children.\nChild exited with status {code}. Goodbye."
        );
        let between = if code == 1 { "" } else { "setsid complete.\n" };
        let whole = format!("{before}\n{between}{line}\n{after}");
        assert_eq!(told("1", "--", error), Some(whole));
        if code == 2 {
            assert_eq!(told("1", "-c", error), Some(format!("{before}\n{line}\n{after}")));
        }
    }
    let line = "Unable to fork. Exiting.";
    assert_eq!(told("0", "--", no_process).as_deref(), Some(line));
    assert_eq!(told("1", "--", no_process), Some(format!("Running in debug mode.\n{line}")));
}

#[test]
fn dumb_init_reports_a_failed_preparation_with_1() {
    let text = "[dumb-init] cannot read signals (signalfd, rt_sigaction): why\n".to_owned();
    let expected = Say { stream: Stream::Err, text, code: 1 };
    assert_eq!(cannot_have(&config(&["app"]), Need::Signals, "why", &World::new()), expected);
}

#[test]
fn reports_are_lines_only_where_debugging_is_on() {
    let (pid, signal) = (Pid(12), Signal::TERM);
    let target = Target::Group(pid);
    let exited = |status| Report::Ended {
        service: SERVICE,
        run: RUN,
        pid,
        status,
        cause: EndCause::Unasked { crash: false },
    };
    for (args, report, lines) in [
        (
            &["-v", "app"][..],
            Report::Started { service: SERVICE, run: RUN, pid },
            &["Child spawned with PID 12.", "setsid complete."][..],
        ),
        (
            &["-vc", "app"],
            Report::Started { service: SERVICE, run: RUN, pid },
            &["Child spawned with PID 12."],
        ),
        (
            &["-v", "app"],
            exited(ExitStatus::Code(3)),
            &[
                "Received signal 17.",
                "A child with PID 12 exited with exit status 3.",
                "Forwarded signal 15 to children.",
                "Child exited with status 3. Goodbye.",
            ],
        ),
        (
            &["-vr15:2", "app"],
            exited(ExitStatus::Signal(Signal::TERM)),
            &[
                "Received signal 17.",
                "A child with PID 12 was terminated by signal 15.",
                "Translating signal 15 to 2.",
                "Forwarded signal 2 to children.",
                "Child exited with status 143. Goodbye.",
            ],
        ),
        (
            &["-vr15:0", "app"],
            exited(ExitStatus::Code(0)),
            &[
                "Received signal 17.",
                "A child with PID 12 exited with exit status 0.",
                "Translating signal 15 to 0.",
                "Not forwarding signal 0 to children (ignored).",
                "Child exited with status 0. Goodbye.",
            ],
        ),
        (
            &["-v", "app"],
            Report::Reaped { pid, status: ExitStatus::Code(1) },
            &["Received signal 17.", "A child with PID 12 exited with exit status 1."],
        ),
        (&["-v", "app"], Report::ReapedAtEnd { pid, status: ExitStatus::Code(1) }, &[]),
        (&["-v", "app"], Report::Received { signal }, &["Received signal 15."]),
        (
            &["-v", "app"],
            Report::Rewritten { from: Signal::TSTP, to: Some(Signal::STOP) },
            &["Translating signal 20 to 19."],
        ),
        (
            &["-v", "app"],
            Report::Rewritten { from: signal, to: None },
            &["Translating signal 15 to 0.", "Not forwarding signal 0 to children (ignored)."],
        ),
        (
            &["-v", "app"],
            Report::Forwarded { signal, target },
            &["Forwarded signal 15 to children."],
        ),
        (
            &["-vr15:3", "app"],
            Report::StopRequested { signal: Some(signal) },
            &["Forwarded signal 3 to children."],
        ),
        (
            &["-v", "app"],
            Report::Overlooked { signal: Signal::HUP },
            &["Ignoring tty hand-off signal 1."],
        ),
        (&["-v", "app"], Report::Suspending, &["Suspending self due to TTY signal."]),
        (
            &["-v", "app"],
            Report::TerminalDetached,
            &["Detached from controlling tty, ignoring the first SIGHUP and SIGCONT we receive."],
        ),
        (&["-v", "app"], Report::KillFailed { target, signal, os: 1 }, &[]),
        (&["-v", "app"], Report::Killing { service: SERVICE, run: RUN }, &[]),
    ] {
        let text = lines.iter().map(|line| format!("[dumb-init] {line}")).collect::<Vec<_>>();
        let expected = (!text.is_empty()).then(|| (Stream::Err, text.join("\n")));
        assert_eq!(said(&config(args), report), expected, "{report:?}");
        assert_eq!(said(&config(&["app"]), report), None);
    }
}

#[test]
fn what_the_environment_chose_is_said_first_where_debugging_is_on() {
    let started = Report::Started { service: SERVICE, run: RUN, pid: Pid(12) };
    let text = |debug: &str, setsid: &str, option: &str| {
        let world = World::new().with("DUMB_INIT_DEBUG", debug).with("DUMB_INIT_SETSID", setsid);
        said(&world.config(&["dumb-init", option, "app"]), started).map(|(_, text)| text)
    };
    let (mode, setsid) =
        ("[dumb-init] Running in debug mode.", "[dumb-init] Not running in setsid mode.");
    let spawned = "[dumb-init] Child spawned with PID 12.";
    assert_eq!(text("1", "0", "--"), Some([mode, setsid, spawned].join("\n")));
    assert_eq!(text("1", "1", "-c"), Some([mode, spawned].join("\n")));
    assert_eq!(text("0", "0", "-v"), Some([setsid, spawned].join("\n")));
    assert_eq!(text("0", "0", "--"), None);
}

const BAD_REWRITE: &str = "\
Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.
This option can be specified multiple times.
Use --help for full usage.
";

const HELP: &str = concat!(
    "\
dumb-init v1.2.5
Usage: /a/dumb-init [option] command [[arg] ...]

This is foster ",
    env!("CARGO_PKG_VERSION"),
    " in the place of dumb-init.

  -c, --single-child  no session of its own for the command, and signals for it
                      alone (or DUMB_INIT_SETSID=0)
  -r, --rewrite S:R   pass signal number S on as R, or not at all where R is 0;
                      may be repeated
  -v, --verbose       say what happens (or DUMB_INIT_DEBUG=1)
  -h, --help          print this help
  -V, --version       print the version
"
);
