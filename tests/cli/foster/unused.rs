//! Warnings about options and variables that have no effect. foster runs all the same.

use crate::world::World;

#[track_caller]
fn warns(world: &World, args: &[&str], expected: &[&str]) {
    assert_eq!(world.config(args).log.warnings, expected, "{args:?}");
}

#[test]
fn options_that_have_an_effect_get_no_warning() {
    let world = World::new().with("FOSTER_LOG", "info").with("FOSTER_SUCCESS", "3");
    let world =
        world.with("APP_PORT", "1").with("APP_HOST", "::").with("FOSTE", "").with("FOSTER", "");
    for args in [
        &["foster", "app"][..],
        &["foster", "--wrap", "app"],
        &["foster", "--restart", "never", "app"],
        &["foster", "--session", "--stop-signal=WINCH", "--rewrite=TERM:INT", "app"],
        &["foster", "--stop-signal=KILL", "--parent-death-signal=KILL", "app"],
        &["foster", "--backoff=1s", "--backoff-max=2s", "--healthy-after=1s", "--wrap", "app"],
        &["foster", "--backoff=1s", "--max-restarts=1", "--restart=on-failure", "app"],
        &["foster", "--max-restarts=0", "--wrap", "app"],
        &["foster", "--app-port=1", "--app-host=::", "--wrap", "app"],
        &["foster", "--app-port=none", "--wrap", "app"],
        &["foster", "--leftovers=kill", "--stop-timeout=0", "app"],
        &["foster", "--leftovers=keep", "--stop-timeout=0", "app"],
        &["foster", "--leftovers=term", "app"],
        &["foster", "--leftovers=term", "--backoff=0", "--stop-timeout=0", "--wrap", "app"],
        &["foster", "--keep-orphans", "--success=3", "--forward-to=child", "app"],
    ] {
        warns(&world, args, &[]);
    }
}

#[test]
fn options_of_restarts_where_nothing_restarts() {
    let why = "no effect without restarts: add --restart on-failure, or remove it";
    for (option, variable, value) in [
        ("--max-restarts", "FOSTER_MAX_RESTARTS", "3"),
        ("--max-restarts", "FOSTER_MAX_RESTARTS", "0"),
        ("--backoff", "FOSTER_BACKOFF", "1s"),
        ("--backoff-max", "FOSTER_BACKOFF_MAX", "1s"),
        ("--healthy-after", "FOSTER_HEALTHY_AFTER", "1s"),
    ] {
        let line = format!("{option}: {why}");
        warns(&World::new(), &["foster", option, value, "app"], &[&line]);
        let args = ["foster", "--restart=never", option, value, "--wrap", "app"];
        warns(&World::new(), &args, &[&line]);
        let world = World::new().with(variable, value);
        warns(&world, &["foster", "app"], &[&format!("{variable}: {why}")]);
        // Under another foster, variables may be meant for that one.
        let world = world.with("FOSTER_RUN", "0-1").with("FOSTER_X", "1");
        warns(&world, &["foster", "app"], &[]);
        warns(&world, &["foster", option, value, "app"], &[&line]);
    }
    let why = "no effect, because --max-restarts 0 allows no restart: remove one of them";
    for option in ["--backoff=1s", "--backoff-max=1s", "--healthy-after=1s"] {
        let (name, _) = option.split_once('=').expect("it has a value");
        let args = ["foster", "--max-restarts=0", option, "--wrap", "app"];
        warns(&World::new(), &args, &[&format!("{name}: {why}")]);
    }
}

#[test]
fn leftovers_that_get_no_time() {
    let line = "--leftovers: term has no effect, because --stop-timeout 0 leaves no time: remove \
                one of them";
    let args = ["foster", "--leftovers=term", "--stop-timeout=0", "app"];
    warns(&World::new(), &args, &[line]);
    let args = ["foster", "--leftovers=term", "--stop-timeout=0", "--restart=never", "--wrap=app"];
    warns(&World::new(), &args, &[line]);
}

#[test]
fn options_of_a_wrap_with_a_command_and_of_a_command_with_a_wrap() {
    let line = |option: &str, variable: &str| {
        let how = "for the COMMAND yourself, or remove it";
        format!("{option}: no effect without --wrap: set {variable} {how}")
    };
    let (port, host) = (line("--app-port", "PORT"), line("--app-host", "HOST"));
    warns(&World::new(), &["foster", "--app-port", "80", "app"], &[&port]);
    let both = ["foster", "--app-host=::", "--app-port", "none", "app"];
    warns(&World::new(), &both, &[&port, &host]);
    let line = "--app-host: no effect with --app-port none: remove one of them";
    let args = ["foster", "--app-host=::", "--app-port=none", "--wrap=app"];
    warns(&World::new(), &args, &[line]);
    let line = "--session: no effect with --wrap, which has its own session anyway: remove it";
    warns(&World::new(), &["foster", "--session", "--wrap", "app"], &[line]);
}

#[test]
fn signals_without_an_effect() {
    for signal in ["CHLD", "CONT", "STOP"] {
        let how = "does not ask a program to end: use one that does, such as TERM";
        let line = format!("--stop-signal: SIG{signal} {how}");
        warns(&World::new(), &["foster", "--stop-signal", signal, "app"], &[&line]);
        warns(&World::new(), &["foster", "--stop-signal", signal, "--wrap", "app"], &[&line]);
    }
    let line = "--stop-timeout: no effect, because --stop-signal KILL leaves no time: remove one of \
                them";
    let args = ["foster", "--stop-signal=KILL", "--stop-timeout=5s", "app"];
    warns(&World::new(), &args, &[line]);
    for signal in ["CHLD", "STOP"] {
        let how = "does not end foster: use one that does, such as TERM";
        let line = format!("--parent-death-signal: SIG{signal} {how}");
        warns(&World::new(), &["foster", "--parent-death-signal", signal, "app"], &[&line]);
    }
    let line = "--rewrite: SIGTERM is forwarded as itself anyway: remove it";
    warns(&World::new(), &["foster", "--rewrite", "HUP:0,15:TERM", "app"], &[line]);
}

#[test]
fn unknown_variables_that_look_like_fosters() {
    for (name, hint) in [
        ("FOSTER_BACKOF", "did you mean FOSTER_BACKOFF?"),
        ("FOSTER_STOPTIMEOUT", "did you mean FOSTER_STOP_TIMEOUT?"),
        ("FOSTER_APP_PORT", "did you mean APP_PORT?"),
        ("FOSTER_WRAP", "did you mean WRAP_CMD?"),
        ("FOSTER_VERBOSE", "did you mean FOSTER_LOG?"),
        ("FOSTER_SESSION", "use --session instead"),
        ("FOSTER_", "foster -h lists the options"),
        ("FOSTER_COLOUR", "foster -h lists the options"),
        ("FOSTER_A\nB", "foster -h lists the options"),
    ] {
        let shown = name.replace('\n', "?");
        let line = format!("unknown variable {shown}: {hint}");
        for args in [["foster", "app"], ["foster", "--wrap=app"]] {
            warns(&World::new().with(name, "x").with("OTHER", ""), &args, &[&line]);
        }
        // The other inits read none of them.
        warns(&World::new().with(name, "x"), &["tini", "app"], &[]);
    }
    let windows =
        World { variables: World::new().with("foster_logs", "x").variables, ..World::windows() };
    let line = "unknown variable FOSTER_LOGS: did you mean FOSTER_LOG?";
    warns(&windows, &["foster", "app"], &[line]);
}

#[test]
fn variables_that_an_orchestrator_sets_for_a_service_called_foster() {
    let mut world = World::new();
    for name in [
        "FOSTER_SERVICE_HOST",
        "FOSTER_SERVICE_PORT",
        "FOSTER_SERVICE_PORT_HTTP",
        "FOSTER_PORT",
        "FOSTER_PORT_80_TCP",
        "FOSTER_WEB_SERVICE_HOST",
        "FOSTER_WEB_PORT_80_TCP_ADDR",
    ] {
        world = world.with(name, "x");
    }
    warns(&world, &["foster", "app"], &[]);
}
