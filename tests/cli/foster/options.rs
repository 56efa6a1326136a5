//! Every option, by the command line and by its variable.

use std::time::Duration;

use foster::cli::{Entry, HELP, Kind, SECTIONS};
use foster::config::{
    Argv, Config, ForwardTo, INIT_STOP_REQUESTS, JobControl, Leftovers, Level, LogFormat,
    MACHINE_STOP_REQUESTS, Restart, SUPERVISOR_STOP_REQUESTS, Session, StopTo,
};
use foster::signal::{Signal, SignalSet};

use crate::world::World;

/// The setting from `--NAME VALUE` and from `VARIABLE=VALUE`, before a COMMAND: they must agree.
#[track_caller]
fn by_both<T: PartialEq + std::fmt::Debug>(
    option: &str,
    variable: &str,
    value: &str,
    of: impl Fn(&Config) -> T,
) -> T {
    let by_option = of(&World::new().config(&["foster", option, value, "app"]));
    let by_equals = of(&World::new().config(&["foster", &format!("{option}={value}"), "app"]));
    let by_variable = of(&World::new().with(variable, value).config(&["foster", "app"]));
    assert_eq!(by_option, by_equals, "{option}");
    assert_eq!(by_option, by_variable, "{variable}");
    by_option
}

/// Checks that the command line overrides the environment, even an invalid value there.
#[track_caller]
fn command_line_wins(option: &str, value: &str, variable: &str, other: &str) {
    let args = ["foster", option, value, "app"];
    let alone = format!("{:?}", World::new().config(&args));
    for other in [other, "rubbish"] {
        let both = format!("{:?}", World::new().with(variable, other).config(&args));
        assert_eq!(alone, both, "{variable}={other}");
    }
    let environment = World::new().with(variable, other).config(&["foster", "app"]);
    assert_ne!(alone, format!("{environment:?}"), "{variable} does nothing");
}

fn argv(config: &Config) -> Vec<Vec<String>> {
    let words = |argv: &Argv| {
        argv.words().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>()
    };
    config.services.iter().map(|service| words(&service.program.argv)).collect()
}

#[test]
fn a_command_runs_once_with_the_defaults_of_an_init() {
    let config = World::new().config(&["foster", "app", "-x"]);
    assert_eq!(argv(&config), [["app", "-x"]]);
    assert_eq!(config.services[0].program.port, None);
    assert!(!config.services[0].program.in_shell);
    assert!(!config.services[0].policy.kept);
    assert_eq!(config.services[0].policy.restart, Restart::Never);
    assert_eq!(config.services[0].policy.backoff.first, Duration::from_millis(500));
    assert_eq!(config.services[0].policy.backoff.max, Duration::from_secs(10));
    assert_eq!(config.services[0].policy.backoff.healthy_after, Duration::from_secs(10));
    assert_eq!(config.services[0].policy.backoff.max_restarts, None);
    assert_eq!(config.signals.requests, INIT_STOP_REQUESTS);
    assert_eq!(config.services[0].policy.stop.signal, None);
    assert_eq!(config.services[0].policy.stop.timeout, Some(Duration::from_secs(10)));
    assert_eq!(config.services[0].policy.stop.to, StopTo::LeaderFirst);
    assert_eq!(config.services[0].policy.forward, ForwardTo::Child);
    assert_eq!(format!("{:?}", config.signals.rewrites), "{}");
    assert!(
        config.services[0].policy.success.contains(0)
            && !config.services[0].policy.success.contains(1)
    );
    assert_eq!(
        config.services[0].policy.leftovers,
        Leftovers::Kill { orphans: true, asked: false }
    );
    assert_eq!(config.services[0].policy.session, Session::Group);
    assert_eq!(config.signals.job_control, JobControl::FollowChild);
    assert!(config.setup.subreaper);
    assert_eq!(config.setup.parent_death_signal, None);
    assert!(!config.setup.boot);
    assert_eq!(config.log.level, Level::Warn);
    assert_eq!(config.log.format, LogFormat::Text);
}

#[test]
fn wrap_keeps_running_with_the_defaults_of_a_supervisor() {
    for config in [
        World::new().config(&["foster", "--wrap", "app"]),
        World::new().config(&["foster", "--wrap=app"]),
        World::new().with("WRAP_CMD", "app").config(&["foster"]),
    ] {
        assert_eq!(argv(&config), [["app"]]);
        assert_eq!(config.services[0].program.port, Some(3000));
        assert!(config.services[0].policy.kept);
        assert_eq!(config.services[0].policy.restart, Restart::Always);
        assert_eq!(config.signals.requests, SUPERVISOR_STOP_REQUESTS);
        assert_eq!(config.services[0].policy.session, Session::Own);
        assert_eq!(config.log.level, Level::Info);
    }
}

#[test]
fn on_windows_whatever_the_console_says_stops_a_command_too() {
    let config = World::windows().config(&["foster", "app"]);
    assert!(!config.services[0].policy.kept);
    assert_eq!(config.signals.requests, SUPERVISOR_STOP_REQUESTS);
}

#[test]
fn options_end_at_the_first_other_word_or_after_two_dashes() {
    let commands: [(&[&str], &[&str]); 7] = [
        (&["foster", "app", "-v", "--wrap", "--"], &["app", "-v", "--wrap", "--"]),
        (&["foster", "--", "app", "--", "-v"], &["app", "--", "-v"]),
        (&["foster", "--", "-v"], &["-v"]),
        (&["foster", "--", "--", "app"], &["--", "app"]),
        (&["foster", "-q", "-"], &["-"]),
        (&["foster", "-q", ""], &[""]),
        (&["foster", "-q", "--", "--help"], &["--help"]),
    ];
    for (args, words) in commands {
        assert_eq!(argv(&World::new().config(args)), [words], "{args:?}");
    }
}

#[test]
fn wrap_may_be_repeated_and_each_gets_the_next_port() {
    let world = World::new().with("WRAP_CMD", "echo no");
    let args = ["foster", "--wrap", "app 1", "--app-port", "4000", "--wrap", "api"];
    let config = world.config(&args);
    assert_eq!(argv(&config), [vec!["app", "1"], vec!["api"]]);
    assert_eq!(
        config.services.iter().map(|s| s.program.port).collect::<Vec<_>>(),
        [Some(4000), Some(4001)]
    );
}

#[test]
fn the_command_of_the_environment_yields_to_one_on_the_command_line() {
    let world = World::new().with("WRAP_CMD", "'");
    assert_eq!(argv(&world.config(&["foster", "app"])), [["app"]]);
    assert_eq!(argv(&world.config(&["foster", "--wrap", "api"])), [["api"]]);
}

#[test]
fn the_variable_for_wraps_gives_one_in_each_line() {
    let text = "app 1\n\n  api \\\n 2\ncd / && app\n";
    let config = World::new().with("WRAP_CMD", text).config(&["foster"]);
    // A continued line goes to a shell, which can read it.
    let shell = |line: &str| vec!["sh".to_owned(), "-c".to_owned(), line.to_owned()];
    let first = vec!["app".to_owned(), "1".to_owned()];
    assert_eq!(argv(&config), [first, shell("  api \\\n 2"), shell("cd / && app")]);
    let ports = config.services.iter().map(|service| service.program.port).collect::<Vec<_>>();
    assert_eq!(ports, [Some(3000), Some(3001), Some(3002)]);
    // On the command line each has its own option.
    let config = World::new().config(&["foster", "--wrap", "app\napi"]);
    assert_eq!(argv(&config), [shell("app\napi")]);
    let windows =
        World { variables: vec![("WRAP_CMD".into(), "a.exe\r\nb.exe".into())], ..World::windows() };
    assert_eq!(argv(&windows.config(&["foster"])), [["a.exe"], ["b.exe"]]);
}

#[test]
fn app_port() {
    let port = |config: Config| config.services[0].program.port;
    let wrap = ["foster", "--wrap", "app"];
    assert_eq!(port(World::new().with("APP_PORT", "8080").config(&wrap)), Some(8080));
    let both = ["foster", "--app-port", "65535", "--wrap", "app"];
    assert_eq!(port(World::new().with("APP_PORT", "x").config(&both)), Some(65535));
    // It is for supervision only: a COMMAND may have its own use for the name.
    assert_eq!(port(World::new().with("APP_PORT", "x").config(&["foster", "app"])), None);
    assert_eq!(port(World::new().config(&["foster", "--app-port", "1", "app"])), None);
    let none = World::new().with("APP_PORT", "none").config(&wrap);
    assert_eq!(port(none), None);
    let args = ["foster", "--app-port=none", "--wrap", "app", "--wrap", "api"];
    let none = World::new().with("APP_PORT", "1").config(&args);
    assert!(none.services.iter().all(|service| service.program.port.is_none()));
}

#[test]
fn app_host() {
    let host = |world: World, args: &[&str]| world.config(args).app_host.into_owned();
    let wrap = ["foster", "--wrap", "app"];
    assert_eq!(host(World::new(), &wrap), "127.0.0.1");
    let longest = "x".repeat(255);
    for text in ["0.0.0.0", "::", "fe80::1%eth0", "localhost", "my-app_1.example.org", &longest] {
        assert_eq!(host(World::new().with("APP_HOST", text), &wrap), text);
        let args = ["foster", "--app-host", text, "--wrap", "app"];
        assert_eq!(host(World::new().with("APP_HOST", " "), &args), text);
    }
    assert_eq!(host(World::new().with("APP_HOST", "a b"), &["foster", "app"]), "127.0.0.1");
    let world = World { variables: vec![("APP_HOST".into(), "::1".into())], ..World::windows() };
    assert_eq!(host(world, &wrap), "::1");
}

#[test]
fn restart() {
    for (word, restart, supervised) in [
        ("never", Restart::Never, false),
        ("on-failure", Restart::OnFailure, true),
        ("always", Restart::Always, true),
    ] {
        let of = |config: &Config| {
            let level = if config.services[0].policy.kept { Level::Info } else { Level::Warn };
            assert_eq!(config.log.level, level, "restarts are told");
            (
                config.services[0].policy.restart,
                config.services[0].policy.kept,
                config.signals.requests,
            )
        };
        let requests = if supervised { SUPERVISOR_STOP_REQUESTS } else { INIT_STOP_REQUESTS };
        let expected = (restart, supervised, requests);
        assert_eq!(by_both("--restart", "FOSTER_RESTART", word, of), expected);
    }
    command_line_wins("--restart", "never", "FOSTER_RESTART", "always");
    let once = World::new().config(&["foster", "--restart", "never", "--wrap", "app"]);
    assert!(once.services[0].policy.kept && once.services[0].policy.restart == Restart::Never);
}

#[test]
fn backoff() {
    let first = |config: &Config| config.services[0].policy.backoff.first;
    for (text, millis) in
        [("250ms", 250), ("1s", 1000), ("1.5s", 1500), ("1s 5ms", 1005), ("0", 0), ("0s", 0)]
    {
        let expected = Duration::from_millis(millis);
        assert_eq!(by_both("--backoff", "FOSTER_BACKOFF", text, first), expected);
    }
    command_line_wins("--backoff", "1s", "FOSTER_BACKOFF", "2s");
}

#[test]
fn backoff_max() {
    let max =
        by_both("--backoff-max", "FOSTER_BACKOFF_MAX", "2m", |c| c.services[0].policy.backoff.max);
    assert_eq!(max, Duration::from_secs(120));
    command_line_wins("--backoff-max", "1m", "FOSTER_BACKOFF_MAX", "2m");
}

#[test]
fn healthy_after() {
    let after = by_both("--healthy-after", "FOSTER_HEALTHY_AFTER", "1h", |c| {
        c.services[0].policy.backoff.healthy_after
    });
    assert_eq!(after, Duration::from_secs(3600));
    command_line_wins("--healthy-after", "1m", "FOSTER_HEALTHY_AFTER", "2m");
}

#[test]
fn max_restarts() {
    for (text, max) in [("0", Some(0)), ("5", Some(5)), ("unlimited", None), ("infinity", None)] {
        let of = |config: &Config| config.services[0].policy.backoff.max_restarts;
        assert_eq!(by_both("--max-restarts", "FOSTER_MAX_RESTARTS", text, of), max);
    }
    command_line_wins("--max-restarts", "unlimited", "FOSTER_MAX_RESTARTS", "2");
}

#[test]
fn stop_signal() {
    for text in ["QUIT", "SIGQUIT", "3", "quit"] {
        let signal = by_both("--stop-signal", "FOSTER_STOP_SIGNAL", text, |c| {
            c.services[0].policy.stop.signal
        });
        assert_eq!(signal, Some(Signal::QUIT), "{text}");
    }
    let real_time = by_both("--stop-signal", "FOSTER_STOP_SIGNAL", "RTMIN+3", |c| {
        c.services[0].policy.stop.signal
    });
    assert_eq!(real_time, Signal::new(37));
    command_line_wins("--stop-signal", "INT", "FOSTER_STOP_SIGNAL", "QUIT");
}

#[test]
fn the_stop_signal_is_a_request_to_stop() {
    for text in ["WINCH", "QUIT", "USR1", "RTMIN+3", "TERM"] {
        let signal = text.parse().expect("it is a signal");
        let asking = SignalSet::of(&[signal]);
        let requests = by_both("--stop-signal", "FOSTER_STOP_SIGNAL", text, |c| c.signals.requests);
        assert_eq!(requests, INIT_STOP_REQUESTS.union(asking), "{text}");
        let config = World::new().config(&["foster", "--stop-signal", text, "--wrap", "app"]);
        assert_eq!(config.signals.requests, SUPERVISOR_STOP_REQUESTS.union(asking), "{text}");
    }
    assert!(SUPERVISOR_STOP_REQUESTS.contains(Signal::PWR));
    assert!(!INIT_STOP_REQUESTS.contains(Signal::PWR));
}

#[test]
fn stop_timeout() {
    for (text, timeout) in
        [("30s", Some(Duration::from_secs(30))), ("0", Some(Duration::ZERO)), ("infinity", None)]
    {
        let of = |config: &Config| config.services[0].policy.stop.timeout;
        assert_eq!(by_both("--stop-timeout", "FOSTER_STOP_TIMEOUT", text, of), timeout);
    }
    command_line_wins("--stop-timeout", "1s", "FOSTER_STOP_TIMEOUT", "infinity");
}

#[test]
fn forward_to() {
    for (text, to) in [("group", ForwardTo::Group), ("child", ForwardTo::Child)] {
        assert_eq!(
            by_both("--forward-to", "FOSTER_FORWARD_TO", text, |c| c.services[0].policy.forward),
            to
        );
    }
    command_line_wins("--forward-to", "group", "FOSTER_FORWARD_TO", "child");
}

#[test]
fn stop_to() {
    for (text, to) in [
        ("leader-first", StopTo::LeaderFirst),
        ("group", StopTo::Group),
        ("leader", StopTo::Leader),
    ] {
        assert_eq!(
            by_both("--stop-to", "FOSTER_STOP_TO", text, |c| c.services[0].policy.stop.to),
            to
        );
        let service = ["foster", "--stop-to", text, "--wrap", "app"];
        assert_eq!(World::new().config(&service).services[0].policy.stop.to, to);
    }
    command_line_wins("--stop-to", "group", "FOSTER_STOP_TO", "leader");
}

#[test]
fn a_command_is_stopped_leader_first_and_services_as_groups() {
    let world = World::new();
    let stop = |args: &[&str]| world.config(args).services[0].policy.stop.to;
    assert_eq!(stop(&["foster", "--restart", "always", "app"]), StopTo::LeaderFirst);
    assert_eq!(stop(&["foster", "--wrap", "app"]), StopTo::Group);
    assert_eq!(stop(&["foster", "--restart", "never", "--wrap", "app"]), StopTo::Group);
    // On Windows a console event can only be sent to a group.
    let windows = World::windows().config(&["foster", "app"]);
    assert_eq!(windows.services[0].policy.stop.to, StopTo::Group);
}

#[test]
fn rewrite() {
    let table = |config: &Config| format!("{:?}", config.signals.rewrites);
    let one = by_both("--rewrite", "FOSTER_REWRITE", "TERM:QUIT", table);
    assert_eq!(one, "{SIGTERM: Some(SIGQUIT)}");
    let two = by_both("--rewrite", "FOSTER_REWRITE", "15:SIGINT, HUP:0", table);
    assert_eq!(two, "{SIGHUP: None, SIGTERM: Some(SIGINT)}");
    let args = ["foster", "--rewrite", "USR1:RTMIN+1", "--rewrite", "USR1:0", "app"];
    assert_eq!(table(&World::new().config(&args)), "{SIGUSR1: None}");
    command_line_wins("--rewrite", "TERM:QUIT", "FOSTER_REWRITE", "HUP:0");
}

#[test]
fn success() {
    let codes = |config: &Config| {
        (0..256).filter(|c| config.services[0].policy.success.contains(*c)).collect::<Vec<_>>()
    };
    assert_eq!(by_both("--success", "FOSTER_SUCCESS", "3", codes), [0, 3]);
    assert_eq!(
        by_both("--success", "FOSTER_SUCCESS", "15,TERM, SIGRTMAX,255", codes),
        [0, 15, 143, 192, 255]
    );
    let args = ["foster", "--success", "1", "--success", "INT", "app"];
    assert_eq!(codes(&World::new().config(&args)), [0, 1, 130]);
    command_line_wins("--success", "1", "FOSTER_SUCCESS", "2");
}

#[test]
fn leftovers() {
    let kill = |orphans, asked| Leftovers::Kill { orphans, asked };
    let (kill, term, keep) = (kill(true, false), kill(true, true), kill(false, false));
    let leftovers = |config: &Config| config.services[0].policy.leftovers;
    for (text, wanted) in [("kill", kill), (" term ", term), ("keep", keep)] {
        assert_eq!(by_both("--leftovers", "FOSTER_LEFTOVERS", text, leftovers), wanted);
    }
    command_line_wins("--leftovers", "term", "FOSTER_LEFTOVERS", "keep");
    let given = |world: World, args: &[&str]| {
        world.config(&[&["foster"], args, &["app"]].concat()).services[0].policy.leftovers
    };
    let variable = |value| World::new().with("FOSTER_KEEP_ORPHANS", value);
    assert_eq!(given(World::new(), &["--keep-orphans"]), keep);
    assert_eq!(given(variable("1"), &[]), keep);
    assert_eq!(given(variable("0"), &[]), kill);
    assert_eq!(given(variable("0"), &["--keep-orphans"]), keep);
    // The last one counts; options override variables, and the variable with a word overrides the
    // switch.
    assert_eq!(given(World::new(), &["--keep-orphans", "--leftovers=term"]), term);
    assert_eq!(given(World::new(), &["--leftovers=term", "--keep-orphans"]), keep);
    assert_eq!(given(variable("1"), &["--leftovers=term"]), term);
    assert_eq!(given(variable("1").with("FOSTER_LEFTOVERS", "term"), &[]), term);
    let other = World::new().with("FOSTER_LEFTOVERS", "term");
    assert_eq!(given(other, &["--keep-orphans"]), keep);
    let windows = World::windows().config(&["foster", "--leftovers=kill", "app"]);
    assert_eq!(windows.services[0].policy.leftovers, kill);
}

#[test]
fn options_without_a_variable() {
    let config = |args: &[&str]| World::new().config(&[&["foster"], args, &["app"]].concat());
    assert!(!config(&["--no-subreaper"]).setup.subreaper);
    let signal = config(&["--parent-death-signal", "KILL"]).setup.parent_death_signal;
    assert_eq!(signal, Some(Signal::KILL));
    assert_eq!(config(&["--session"]).services[0].policy.session, Session::Own);
    assert!(config(&["--boot"]).setup.boot);
    assert!(!config(&["--boot", "--no-boot"]).setup.boot);
}

#[test]
fn the_init_of_a_system_stops_by_its_own_signals_and_logs_what_it_does() {
    let config = |args: &[&str]| World::machine().config(&[&["foster"], args].concat());
    let requests = |signals| MACHINE_STOP_REQUESTS.union(SignalSet::of(signals));
    let command = config(&["app"]);
    assert!(command.setup.boot);
    assert_eq!(command.signals.requests, requests(&[]));
    assert_eq!(command.log.level, Level::Info);
    assert_eq!(config(&["--wrap", "app"]).signals.requests, requests(&[Signal::QUIT]));
    assert_eq!(config(&["-q", "app"]).log.level, Level::Error);
    let told_not_to = config(&["--no-boot", "app"]);
    assert!(!told_not_to.setup.boot);
    assert_eq!(told_not_to.signals.requests, INIT_STOP_REQUESTS);
    assert_eq!(told_not_to.log.level, Level::Warn);
}

#[test]
fn log_format() {
    for (text, format) in [("text", LogFormat::Text), ("json", LogFormat::Json)] {
        let of = |config: &Config| config.log.format;
        assert_eq!(by_both("--log-format", "FOSTER_LOG_FORMAT", text, of), format);
    }
    command_line_wins("--log-format", "text", "FOSTER_LOG_FORMAT", "json");
}

#[test]
fn the_level_of_the_log() {
    let level = |args: &[&str]| World::new().config(args).log.level;
    assert_eq!(level(&["foster", "-v", "app"]), Level::Info);
    assert_eq!(level(&["foster", "-vv", "app"]), Level::Debug);
    assert_eq!(level(&["foster", "-v", "-v", "--verbose", "app"]), Level::Trace);
    assert_eq!(level(&["foster", "-vvvvvv", "app"]), Level::Trace);
    assert_eq!(level(&["foster", "-q", "app"]), Level::Error);
    assert_eq!(level(&["foster", "--quiet", "--wrap", "app"]), Level::Error);
    assert_eq!(level(&["foster", "-qv", "app"]), Level::Info);
    assert_eq!(level(&["foster", "-vvq", "app"]), Level::Error);
    assert_eq!(level(&["foster", "-vv", "--wrap", "app"]), Level::Debug);
    assert_eq!(level(&["foster", "-q", "--restart", "always", "app"]), Level::Error);
    assert_eq!(level(&["foster", "--restart", "never", "--wrap", "app"]), Level::Info);
}

#[test]
fn the_filter_of_the_environment_yields_to_the_command_line() {
    let log = |args: &[&str]| World::new().with("FOSTER_LOG", "foster=trace").config(args).log;
    let level = |args: &[&str]| (log(args).level, log(args).verbose);
    assert_eq!(level(&["foster", "app"]), (Level::Trace, true));
    assert_eq!(level(&["foster", "-v", "app"]), (Level::Info, true));
    assert_eq!(level(&["foster", "-q", "app"]), (Level::Error, false));
}

#[test]
fn a_filter_takes_the_usual_names_of_levels_in_any_case() {
    let level =
        |text: &str| World::new().with("FOSTER_LOG", text).config(&["foster", "app"]).log.level;
    for (text, read) in [
        ("off OFF none quiet silent", Level::Off),
        ("error err emerg alert crit critical fatal", Level::Error),
        ("warn warning WARNING Warning", Level::Warn),
        ("info notice information INFO", Level::Info),
        ("debug verbose Debug", Level::Debug),
        ("trace all", Level::Trace),
    ] {
        for name in text.split(' ') {
            assert_eq!(level(name), read, "{name}");
            assert_eq!(level(&format!("foster={name}")), read, "{name}");
        }
    }
    for (text, read) in [
        (" warning , foster = all ", Level::Trace),
        ("foster=debug,warn", Level::Debug),
        ("warn,info", Level::Info),
        ("foster", Level::Trace),
        ("foster=", Level::Trace),
        ("=debug", Level::Debug),
        ("info,other=debug", Level::Info),
        ("other=info", Level::Off),
        (",", Level::Off),
    ] {
        assert_eq!(level(text), read, "{text}");
    }
}

#[test]
fn kubernetes_variables_for_a_service_of_that_name_are_ignored() {
    for value in ["tcp://10.0.0.1:8080", "udp://10.0.0.1:53", "sctp://[fd00::1]:9"] {
        let world = World::new().with("APP_PORT", value).with("APP_HOST", value);
        let config = world.with("WRAP_CMD", value).config(&["foster", "--wrap", "app"]);
        let plain = World::new().config(&["foster", "--wrap", "app"]);
        assert_eq!(config.services, plain.services, "{value}");
        // Nor is it a command line for a service, if there is no other.
        let world = World::new().with("WRAP_CMD", value);
        assert!(world.say(&["foster"]).text.starts_with("foster: no command: "), "{value}");
        // Variables with foster's name are foster's.
        let told = World::new().with("FOSTER_BACKOFF", value).say(&["foster", "app"]);
        assert_eq!(told.code, 125, "{value}");
    }
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let mut world = World::new();
    for name in [
        "APP_PORT",
        "APP_HOST",
        "FOSTER_RESTART",
        "FOSTER_BACKOFF",
        "FOSTER_BACKOFF_MAX",
        "FOSTER_HEALTHY_AFTER",
        "FOSTER_MAX_RESTARTS",
        "FOSTER_STOP_SIGNAL",
        "FOSTER_STOP_TIMEOUT",
        "FOSTER_STOP_TO",
        "FOSTER_FORWARD_TO",
        "FOSTER_REWRITE",
        "FOSTER_SUCCESS",
        "FOSTER_LEFTOVERS",
        "FOSTER_KEEP_ORPHANS",
        "FOSTER_LOG_FORMAT",
        "FOSTER_LOG",
    ] {
        world = world.with(name, "");
    }
    for args in [["foster", "--wrap=app"], ["foster", "app"]] {
        let plain = World::new().config(&args);
        assert_eq!(format!("{:?}", world.config(&args)), format!("{plain:?}"));
    }
}

#[test]
#[cfg(unix)]
fn commands_and_arguments_may_be_any_bytes() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let args =
        ["foster".into(), OsString::from_vec(b"a\xff".into()), OsString::from_vec(vec![0xfe])];
    let foster::cli::Outcome::Run(config) = World::new().parse(&args) else {
        panic!("any bytes are a command");
    };
    assert_eq!(config.services[0].program.argv.as_bytes(), b"a\xff\0\xfe\0");
}

#[test]
fn the_defaults_that_are_listed_are_the_ones_that_hold() {
    let given = |entry: &Entry, value: &str, command: &[&str]| {
        let row = &entry.row;
        // Only its variable takes the value of -v.
        let (world, option) = match row.kind {
            Kind::Filter => (World::new().with(row.variable, value), String::new()),
            _ => (World::new(), format!("{}={value}", row.name)),
        };
        let options = Some(&*option).filter(|option| !option.is_empty());
        let args: Vec<&str> =
            ["foster"].into_iter().chain(options).chain(command.iter().copied()).collect();
        let mut config = world.config(&args);
        // It may say that the option has no effect there.
        config.log.warnings.clear();
        config
    };
    let default = |command: &[&str]| World::new().config(&[&["foster"], command].concat());
    let (command, wrap) = (&["app"][..], &["--wrap", "app"][..]);
    let entries = SECTIONS.iter().flat_map(|section| section.entries);
    let mut tried = 0;
    for entry in entries.filter(|entry| !entry.default.is_empty()) {
        if entry.default.starts_with("the ") {
            continue;
        }
        let (with_command, with_wrap) =
            entry.default.split_once("; --wrap: ").unwrap_or((entry.default, entry.default));
        same(&given(entry, with_command, command), &default(command), entry);
        same(&given(entry, with_wrap, wrap), &default(wrap), entry);
        tried += 1;
    }
    assert!(tried > 10, "{tried}");
}

#[track_caller]
fn same(given: &Config, default: &Config, entry: &Entry) {
    assert_eq!(format!("{given:?}"), format!("{default:?}"), "{}", entry.row.name);
}

#[test]
fn the_help_has_each_option_with_its_default_and_its_variable() {
    for Entry { row, default, help } in SECTIONS.iter().flat_map(|section| section.entries) {
        let mut lines = HELP.lines().filter(|line| {
            line.split_ascii_whitespace().any(|word| word.trim_end_matches('*') == row.name)
        });
        let line =
            lines.find(|line| line.ends_with(help)).unwrap_or_else(|| panic!("{}", row.name));
        for value in default.split("; --wrap: ") {
            assert!(line.contains(value) || value.starts_with("the program"), "{line}: {value}");
        }
        let is_marked = line.contains(&format!("{}*", row.name));
        assert_eq!(is_marked, row.has_regular_variable(), "{line}");
        assert!(is_marked || line.contains(row.variable), "{line}");
        if row.kind.takes_value() {
            let usage = format!(
                "{}{} {}",
                row.name,
                if is_marked { "*" } else { "" },
                row.kind.placeholder()
            );
            assert!(line.contains(&usage), "{line}");
        }
    }
}
