//! Whose command line foster reads: by the base name of argv[0], or by `--as`.

use foster::cli::{Say, Stream};
use foster::config::{Config, ForwardTo, Leftovers, Session, StopTo, Voice};
use foster::exit::ExitStatus;
use foster::process::{Pid, RunId};
use foster::signal::Signal;
use foster::supervisor::{Action, Event, Facts, Foreground, Signalled, Supervisor};
use foster::time::Instant;

use crate::world::{SERVICE, World, words};

#[test]
fn the_base_name_chooses() {
    for (path, voice) in [
        ("tini", Voice::Tini),
        ("/sbin/tini", Voice::Tini),
        ("/usr/bin/tini-static", Voice::Tini),
        ("/sbin/docker-init", Voice::Tini),
        ("/usr/bin/dumb-init", Voice::DumbInit),
        ("./catatonit", Voice::Catatonit),
        ("/run/podman-init", Voice::Catatonit),
        ("foster", Voice::Foster),
        ("/init", Voice::Foster),
        ("/tini/foster", Voice::Foster),
        ("tini2", Voice::Foster),
        ("", Voice::Foster),
    ] {
        assert_eq!(World::new().config(&[path, "app"]).log.voice, voice, "{path}");
    }
}

#[test]
fn each_name_that_is_installed_chooses() {
    for name in include_str!("../../.ci/links").lines() {
        assert_ne!(World::new().config(&[name, "app"]).log.voice, Voice::Foster, "{name}");
    }
}

#[test]
fn as_chooses_when_it_comes_first() {
    let world = World::new();
    for (args, voice) in [
        (&["foster", "--as", "tini", "-g", "--", "app"][..], Voice::Tini),
        (&["foster", "--as=docker-init", "-g", "app"], Voice::Tini),
        (&["/init", "--as", "tini-static", "app"], Voice::Tini),
        (&["foster", "--as", "dumb-init", "-c", "app"], Voice::DumbInit),
        (&["foster", "--as", "catatonit", "-g", "app"], Voice::Catatonit),
        (&["foster", "--as", "foster", "-q", "app"], Voice::Foster),
    ] {
        let config = world.config(args);
        assert_eq!((config.log.voice, words(&config)), (voice, vec!["app".to_owned()]));
    }
    let version = world.say(&["foster", "--as", "tini", "--version"]);
    assert_eq!(version.text, "tini version 0.19.0\n");
}

#[test]
fn an_unknown_name_and_a_name_in_the_wrong_place_are_refused() {
    let names = "use one of tini, docker-init, dumb-init, catatonit";
    for (args, line) in [
        (&["foster", "--as", "s6", "app"][..], format!("--as: invalid value 's6': {names}")),
        (&["foster", "--as=tinni"], "--as: invalid value 'tinni': did you mean tini?".to_owned()),
        (&["foster", "--as"], "--as requires a value".to_owned()),
        (
            &["foster", "-q", "--as", "tini"],
            "--as: 'tini' comes too late: put --as first".to_owned(),
        ),
    ] {
        let text = format!("foster: {line}\n");
        assert_eq!(World::new().say(args), Say { stream: Stream::Err, text, code: 125 });
    }
    // Under its name, tini is tini.
    assert_eq!(World::new().say(&["tini", "--as", "dumb-init"]).code, 1);
}

#[test]
fn windows_knows_no_other_names() {
    assert_eq!(World::windows().config(&["tini", "app"]).log.voice, Voice::Foster);
    let line = "foster: --as: not available on Windows: remove it\n";
    assert_eq!(World::windows().say(&["foster", "--as", "tini", "app"]).text, line);
}

#[test]
fn under_their_names_nothing_is_stopped_restarted_or_killed_that_they_would_not() {
    for name in ["tini", "dumb-init", "catatonit"] {
        // Variables of foster's own do not apply to them.
        let world = World::new()
            .with("FOSTER_RESTART", "always")
            .with("FOSTER_REWRITE", "HUP:0")
            .with("FOSTER_SUCCESS", "3")
            .with("FOSTER_LOG", "trace")
            .with("FOSTER_BACKOFF", "rubbish")
            .with("WRAP_CMD", "api");
        let config = world.config(&[name, "app"]);
        assert_eq!(words(&config), ["app"]);
        assert!(!config.services[0].policy.kept);
        assert_eq!(config.services[0].policy.stop.timeout, None);
        for number in 1..=64 {
            let signal = foster::signal::Signal::new(number).expect("1 to 64 are signals");
            assert!(!config.signals.requests.contains(signal), "{name} {signal}");
        }
        assert!(!matches!(config.services[0].policy.leftovers, Leftovers::Kill { .. }), "{name}");
        assert!(!config.services[0].policy.success.contains(3));
        assert!(!config.log.verbose);
        assert_ne!(config.services[0].policy.session, Session::Own);
    }
}

#[test]
fn a_stop_timeout_adds_a_deadline() {
    use foster::config::{INIT_STOP_REQUESTS, Stop};
    use std::time::Duration;

    for name in ["tini", "dumb-init", "catatonit"] {
        let told = |value: &str| {
            let config = World::new().with("FOSTER_STOP_TIMEOUT", value).config(&[name, "app"]);
            (config.services[0].policy.stop, config.signals.requests)
        };
        let usual = World::new().config(&[name, "app"]);
        let usual = (usual.services[0].policy.stop, usual.signals.requests);
        let limited = Stop { timeout: Some(Duration::from_secs(3)), ..usual.0 };
        assert_eq!(told("3s"), (limited, INIT_STOP_REQUESTS));
        assert_eq!((told("infinity"), told("")), (usual, usual));
        let said = World::new().with("FOSTER_STOP_TIMEOUT", "3").say(&[name, "app"]);
        let line = "foster: FOSTER_STOP_TIMEOUT: invalid duration '3': missing unit (try 3s)\n";
        assert_eq!((said.text.as_str(), said.code), (line, 125));
    }
}

#[test]
fn their_stops_have_the_targets_of_their_signals() {
    for (args, to) in [
        (&["tini", "app"][..], StopTo::Leader),
        (&["tini", "-g", "app"], StopTo::Group),
        (&["dumb-init", "app"], StopTo::Group),
        (&["dumb-init", "-c", "app"], StopTo::Leader),
        (&["catatonit", "app"], StopTo::Leader),
        (&["catatonit", "-g", "app"], StopTo::Group),
    ] {
        let world = World::new().with("FOSTER_STOP_TIMEOUT", "3s").with("FOSTER_STOP_TO", "x");
        let config = world.config(args);
        assert_eq!(config.services[0].policy.stop.to, to, "{args:?}");
        assert_eq!(
            config.services[0].policy.forward == ForwardTo::Group,
            to == StopTo::Group,
            "{args:?}"
        );
    }
}

#[test]
fn foster_is_the_init_of_a_system_under_any_name() {
    use foster::config::{MACHINE_STOP_REQUESTS, STOP_TIMEOUT};
    use std::time::Duration;

    for args in [&["tini", "app"][..], &["dumb-init", "app"], &["catatonit", "-P"]] {
        assert!(!World::new().config(args).setup.boot, "{args:?}");
        let config = World::machine().config(args);
        assert!(config.setup.boot, "{args:?}");
        let requests = config.signals.requests;
        assert_eq!(requests.union(MACHINE_STOP_REQUESTS), requests, "{args:?}");
        assert_eq!(config.stop_timeout, Some(STOP_TIMEOUT), "{args:?}");
        for (text, timeout) in [("3s", Some(Duration::from_secs(3))), ("infinity", None)] {
            let world = World::machine().with("FOSTER_STOP_TIMEOUT", text);
            assert_eq!(world.config(args).stop_timeout, timeout, "{args:?}");
        }
    }
}

/// A personality is only values: foster does the same in any voice.
#[test]
fn the_voice_changes_nothing_but_words() {
    let voices = [Voice::Foster, Voice::Tini, Voice::DumbInit, Voice::Catatonit];
    for name in ["foster", "tini", "dumb-init", "catatonit"] {
        let actions = voices.map(|voice| {
            let mut config = World::new().config(&[name, "app"]);
            config.log.voice = voice;
            life(config)
        });
        assert!(actions[0].contains(&Action::Exit { code: 3 }), "{:?}", actions[0]);
        assert!(actions.iter().all(|other| *other == actions[0]), "{name}: {actions:?}");
    }
}

/// The machine's actions in a life with every signal, a stop of the child, an orphan and the end.
fn life(config: Config) -> Vec<Action> {
    let mut machine = Supervisor::new(config, Facts { terminal: true, ..Facts::default() });
    let mut actions: Vec<Action> = std::iter::from_fn(|| machine.poll_action()).collect();
    let (pid, status) = (Pid(7), ExitStatus::Code(3));
    let mut events = vec![Event::Spawned { service: SERVICE, pid, run: RunId::default() }];
    events.push(Event::TerminalDetached);
    events.extend((1..=64).filter_map(Signal::new).filter(|signal| *signal != Signal::TERM).map(
        |signal| {
            Event::Signal(Signalled {
                signal,
                value: None,
                by_kernel: true,
                hung_up: false,
                passed: false,
            })
        },
    ));
    events.push(Event::Stopped { pid, signal: Signal::TSTP, foreground: Foreground::Childs });
    events.push(Event::Exited { pid: Pid(9), status });
    events.push(Event::Exited { pid, status });
    events.push(Event::Surveyed { whole: true, groups: true });
    for event in events {
        machine.handle_event(event, Instant::ZERO);
        actions.extend(std::iter::from_fn(|| machine.poll_action()));
    }
    actions
}
