//! catatonit's command line, environment and messages.

use foster::cli::{Need, Say, Stream, cannot_have};
use foster::config::{
    Config, ForwardTo, JobControl, Leftovers, Level, Session, Setup, StartFailure,
};
use foster::exit::ExitStatus;
use foster::process::{Pid, SpawnError, SpawnErrorKind, Target};
use foster::signal::{Signal, SignalSet};
use foster::supervisor::{Action, Event, Facts, Report, Signalled, Supervisor};
use foster::time::Instant;

use crate::world::{RUN, SERVICE, World, said, words};

fn config(args: &[&str]) -> Config {
    World::new().config(&[&["catatonit"], args].concat())
}

#[track_caller]
fn fails(world: &World, args: &[&str], text: &str) {
    let expected = Say { stream: Stream::Err, text: text.into(), code: 1 };
    assert_eq!(world.say(&[&["/a/catatonit"], args].concat()), expected, "{args:?}");
}

#[test]
fn a_command_alone_is_catatonits_defaults() {
    let config = config(&["app", "-g", "--", "y"]);
    assert_eq!(words(&config), ["app", "-g", "--", "y"]);
    assert_eq!(config.services[0].policy.forward, ForwardTo::Child);
    let dropped = "{SIGTSTP: None, SIGTTIN: None, SIGTTOU: None}";
    assert_eq!(format!("{:?}", config.signals.rewrites), dropped);
    assert_eq!(config.services[0].policy.leftovers, Leftovers::Leave);
    assert_eq!(config.services[0].policy.session, Session::Group);
    assert_eq!(config.signals.job_control, JobControl::FollowChild);
    let expected = StartFailure {
        not_found: 1,
        bad_interpreter: 1,
        denied: 1,
        not_executable: 1,
        resources: 1,
        no_process: 1,
    };
    assert_eq!(config.start_failure, expected);
    let setup = Setup {
        needs_subreaper: true,
        subreaper: true,
        close_descriptors: true,
        leave_directory: true,
        script_fallback: true,
        ..Setup::default()
    };
    assert_eq!(config.setup, setup);
    assert_eq!(config.log.level, Level::Error);
}

#[test]
fn listen_pid_names_the_child_where_it_names_foster_in_any_way_of_strtol() {
    for (value, names) in [("7", true), (" +07x", true), ("70", false), ("x7", false), ("", false)]
    {
        let config = World::new().with("LISTEN_PID", value).config(&["catatonit", "app"]);
        assert_eq!(config.setup.listen_pid, names, "{value:?}");
    }
}

#[test]
fn g_is_the_group() {
    for args in [&["-g", "app"][..], &["-gg", "--", "app"]] {
        let config = config(args);
        assert_eq!(
            (config.services[0].policy.forward, words(&config)),
            (ForwardTo::Group, vec!["app".into()])
        );
    }
}

#[test]
fn help_goes_to_stderr_licence_and_version_to_stdout() {
    let world = World::new();
    for option in ["-h", "-gh"] {
        let text = format!("{USAGE}{HELP}");
        let expected = Say { stream: Stream::Err, text, code: 0 };
        assert_eq!(world.say(&["/a/catatonit", option]), expected);
    }
    for option in ["-V", "--version", "--v", "--vers", "-gV"] {
        let text = "tini version 0.2.1_catatonit\n".to_owned();
        assert_eq!(world.say(&["catatonit", option]), Say { stream: Stream::Out, text, code: 0 });
    }
    let licence = world.say(&["catatonit", "-L"]);
    assert_eq!((licence.stream, licence.code), (Stream::Out, 0));
    assert!(licence.text.starts_with("This is foster "));
}

#[test]
fn a_wrong_option_is_getopts_line_and_the_usage_under_a_fixed_name() {
    for (args, line) in [
        (&["-x", "app"][..], "invalid option -- 'x'"),
        (&["-gx"], "invalid option -- 'x'"),
        (&["--foo"], "unrecognized option '--foo'"),
        (&["--V"], "unrecognized option '--V'"),
        (&["--version=1"], "option '--version' doesn't allow an argument"),
    ] {
        fails(&World::new(), args, &format!("/a/catatonit: {line}\n{USAGE}"));
    }
}

#[test]
fn no_program_is_an_error_unless_it_pauses() {
    for args in [&[][..], &["--"], &["-g"]] {
        let text = format!("ERROR (catatonit:7): missing program name\n{USAGE}");
        fails(&World::new(), args, &text);
    }
}

#[test]
fn catatonit_log_is_reserved_whatever_else_there_is() {
    for args in [&["app"][..], &["-V"], &["-h"], &["-x"], &[]] {
        let line = "ERROR (catatonit:7): CATATONIT_LOG is reserved for future use\n";
        fails(&World::new().with("CATATONIT_LOG", ""), args, line);
    }
}

#[test]
fn catatonit_debug_counts_as_soon_as_it_is_set() {
    for value in ["", "0", "1"] {
        let world = World::new().with("CATATONIT_DEBUG", value);
        assert_eq!(world.config(&["catatonit", "app"]).log.level, Level::Debug);
    }
}

#[test]
fn pause_runs_nothing_and_ends_with_0_on_term_or_int() {
    for args in [&["-P"][..], &["-P", "app", "x"], &["-gP", "--"]] {
        for signal in [Signal::TERM, Signal::INT] {
            let config = config(args);
            assert!(config.services.is_empty() && config.setup.subreaper);
            assert_eq!(config.signals.requests, SignalSet::of(&[Signal::TERM, Signal::INT]));
            let mut machine = Supervisor::new(config, Facts::default());
            let mut told = |event: Event| {
                machine.handle_event(event, Instant::ZERO);
                std::iter::from_fn(|| machine.poll_action())
                    .filter(|action| !matches!(action, Action::Report(_)))
                    .collect::<Vec<_>>()
            };
            let signalled = |signal| {
                Event::Signal(Signalled {
                    signal,
                    value: None,
                    by_kernel: false,
                    hung_up: false,
                    passed: false,
                })
            };
            assert_eq!(told(signalled(Signal::HUP)), []);
            let (pid, status) = (Pid(9), ExitStatus::Code(3));
            assert_eq!(
                told(Event::Exited { pid, status }),
                [Action::ReapOrphan { pid, freely: true }]
            );
            assert_eq!(told(signalled(signal)), [Action::Exit { code: 0 }]);
        }
    }
}

#[test]
fn reports_are_catatonits_lines_on_stderr() {
    let (pid, signal) = (Pid(12), Signal::TERM);
    let target = Target::Process(pid);
    for (report, line) in [
        (
            Report::Started { service: SERVICE, run: RUN, pid },
            "DEBUG (catatonit:7): pid1 (12) spawned: app",
        ),
        (
            Report::Reaped { pid, status: ExitStatus::Code(3) },
            "DEBUG (catatonit:7): child process 12 exited with code 3",
        ),
        (
            Report::Reaped { pid, status: ExitStatus::Signal(signal) },
            "DEBUG (catatonit:7): child process 12 exited due to signal 15",
        ),
        (
            Report::ReapedAtEnd { pid, status: ExitStatus::Code(3) },
            "DEBUG (catatonit:7): child process 12 exited with code 3",
        ),
        (
            Report::Rewritten { from: Signal::TSTP, to: None },
            "DEBUG (catatonit:7): ignoring kernel attempting to stop us: tty has TOSTOP set",
        ),
        (
            Report::KillFailed { target, signal, os: 1 },
            "WARN (catatonit:7): forwarding of signal 15 to pid1 (12) failed: Operation not \
             permitted",
        ),
    ] {
        let debug = World::new().with("CATATONIT_DEBUG", "").config(&["catatonit", "app"]);
        assert_eq!(said(&debug, report), Some((Stream::Err, line.to_owned())));
        assert_eq!(said(&config(&["app"]), report), None);
    }
}

#[test]
fn a_failed_start_is_reported_like_the_end_of_a_child() {
    let told = |variable, os, pid| {
        let error = SpawnError { kind: SpawnErrorKind::NotFound, os, pid };
        let world = World::new().with(variable, "");
        let report = Report::StartFailed { service: SERVICE, run: RUN, error };
        said(&world.config(&["catatonit", "app"]), report).map(|(_, text)| text)
    };
    let spawned = "DEBUG (catatonit:7): pid1 (12) spawned: app\n";
    let failed = "ERROR (catatonit:12): failed to exec pid1: No such file or directory";
    assert_eq!(told("X", 2, Some(Pid(12))), Some(failed.to_owned()));
    assert_eq!(told("CATATONIT_DEBUG", 2, Some(Pid(12))), Some([spawned, failed].concat()));
    let no_process = "ERROR (catatonit:7): failed to fork child: Resource temporarily unavailable\n\
                      ERROR (catatonit:7): failed to spawn pid1: Resource temporarily unavailable";
    assert_eq!(told("X", 11, None), Some(no_process.to_owned()));
}

#[test]
fn catatonit_reports_a_failed_preparation_with_1() {
    for (need, text) in [
        (Need::Subreaper, "failed to set child-reaper as non-pid1: why"),
        (Need::Signals, "failed to create signalfd: why"),
        (Need::ParentDeathSignal, "cannot ask for a signal when the parent dies (prctl): why"),
    ] {
        let text = format!("ERROR (catatonit:7): {text}\n");
        let expected = Say { stream: Stream::Err, text, code: 1 };
        assert_eq!(cannot_have(&config(&["app"]), need, "why", &World::new()), expected);
    }
}

const USAGE: &str = "usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]\n";

const HELP: &str = concat!(
    "
This is foster ",
    env!("CARGO_PKG_VERSION"),
    " in the place of catatonit.

  -g             send signals to the program's process group, not to it alone
  -P             pause: run nothing, reap orphans, end on SIGTERM or SIGINT
  -L             print the licence
  -h             print this help
  -V, --version  print the version
"
);
