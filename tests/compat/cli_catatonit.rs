//! catatonit's command line, environment and messages.

use crate::subject::{catatonit, chosen, named, path, posix, since, theirs};
use crate::support::patience::until;
use crate::support::procfs::{
    await_sleep, children, directory, open_files, signal_set, stat, status, waits_for_signals,
};
use crate::support::running::send;
use crate::support::{Launch, Output, Place, Running, Status};

#[test]
fn catatonit_version_is_tinis_on_stdout() {
    for option in ["-V", "--version", "--v", "--vers", "-gV"] {
        is_version(&catatonit().arg(option).output());
    }
}

#[test]
fn catatonit_help_is_on_stderr() {
    for option in ["-h", "-gh"] {
        let output = catatonit().arg(option).output();
        assert_eq!((output.code(), output.stdout.as_str()), (0, ""), "{option}");
        assert!(output.stderr.starts_with("usage: catatonit "), "{output:?}");
    }
}

#[test]
fn catatonit_licence_is_on_stdout() {
    let output = catatonit().arg("-L").output();
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
    assert!(output.stdout.to_lowercase().contains("licen"), "{output:?}");
}

#[test]
fn catatonit_help_and_version_act_where_they_stand() {
    assert_eq!(catatonit().args(["-V", "-x"]).output().code(), 0);
    assert_eq!(catatonit().args(["-h", "-x"]).output().code(), 0);
    assert_eq!(catatonit().args(["-L", "-x"]).output().code(), 0);
    is_refused(&catatonit().args(["-x", "-V"]).output(), "invalid option -- 'x'");
}

#[test]
fn catatonit_unknown_option_is_refused_with_usage() {
    is_refused(&catatonit().args(["-x", "true"]).output(), "invalid option -- 'x'");
    is_refused(&catatonit().args(["-gx", "true"]).output(), "invalid option -- 'x'");
    is_refused(&catatonit().args(["--yolo", "true"]).output(), "unrecognized option '--yolo'");
    is_refused(&catatonit().args(["--help"]).output(), "unrecognized option '--help'");
}

#[test]
fn catatonit_superfluous_value_is_refused() {
    let message = "option '--version' doesn't allow an argument";
    is_refused(&catatonit().arg("--version=1").output(), message);
    is_refused(&catatonit().arg("--ver=1").output(), message);
}

#[test]
fn catatonit_without_a_program_says_so() {
    for args in [&[][..], &["--"], &["-g"], &["-g", "--"]] {
        let output = catatonit().args(args).output();
        assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{args:?}");
        let (first, rest) = output.stderr.split_once('\n').expect("more than one line");
        assert_eq!(message_of(first), ("ERROR", "missing program name"));
        assert!(rest.starts_with("usage: catatonit "), "{output:?}");
    }
}

#[test]
fn catatonit_parsing_stops_at_the_first_operand() {
    let output = posix(catatonit()).probe("args -x -V --version").output();
    assert_eq!(output.stdout, "arg: -x\narg: -V\narg: --version\n");
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
}

#[test]
fn catatonit_drops_the_first_double_dash_only() {
    let output = catatonit().args(["-g", "--"]).probe("args -- -V").output();
    assert_eq!(output.stdout, "arg: --\narg: -V\n");
    let output = posix(catatonit()).probe("args -- a").output();
    assert_eq!(output.stdout, "arg: --\narg: a\n");
}

#[test]
fn catatonit_chosen_by_option() {
    is_version(&chosen("catatonit").arg("--version").output());
    let output = chosen("catatonit").args(["-g", "--"]).probe("exit=7").output();
    assert_eq!((output.code(), output.stderr.as_str()), (7, ""));
    assert_eq!(chosen("catatonit").arg("/nonexistent").output().code(), 1);
}

#[test]
fn catatonit_log_variable_is_reserved() {
    for (value, args) in [("", &["true"][..]), ("info", &["true"]), ("1", &["-V"]), ("1", &["-h"])]
    {
        let output = catatonit().env("CATATONIT_LOG", value).args(args).output();
        assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{value:?} {args:?}");
        let line = output.stderr.strip_suffix('\n').expect("one line");
        assert_eq!(message_of(line), ("ERROR", "CATATONIT_LOG is reserved for future use"));
    }
}

#[test]
fn catatonit_debug_variable_turns_the_log_on() {
    for value in ["", "0", "1"] {
        let output = catatonit().env("CATATONIT_DEBUG", value).arg("--").probe("exit=3").output();
        assert_eq!((output.code(), output.stdout.as_str()), (3, ""), "{value:?}");
        // The original's parent and child write in pieces, which may mix.
        assert!(output.stderr.contains("DEBUG (catatonit:"), "{output:?}");
        assert!(!output.stderr.contains("ERROR"), "{output:?}");
    }
}

#[test]
fn catatonit_keeps_its_variables_in_the_environment() {
    let output = catatonit().env("CATATONIT_DEBUG", "").probe("env=CATATONIT_DEBUG").output();
    assert_eq!(output.stdout, "CATATONIT_DEBUG=\n");
}

#[test]
fn catatonit_is_silent_by_default() {
    let output = catatonit().arg("--").probe("orphans=2 exit=3").place(Place::Pid1).output();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
    let output = catatonit().arg("--").probe("orphans=2 die=TERM").output();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
}

#[test]
fn catatonit_exec_failure_does_not_name_the_program() {
    let output = catatonit().arg("/nonexistent").output();
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
    let line = output.stderr.strip_suffix('\n').expect("one line");
    assert_eq!(message_of(line), ("ERROR", "failed to exec pid1: No such file or directory"));
}

#[test]
fn catatonit_pause_ends_on_term_and_int() {
    for place in [Place::Pid1, Place::Job] {
        for name in ["TERM", "INT"] {
            let mut run = pausing(catatonit().arg("-P"), place);
            run.signal(name);
            let output = run.wait();
            assert_eq!(output.status, Status::Code(0), "{name} {place:?}");
            assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
        }
    }
}

#[test]
fn catatonit_pause_runs_no_program() {
    let mut run = pausing(catatonit().args(["-P", "--"]).probe("say=started"), Place::Pid1);
    assert_eq!(children(run.pid()), []);
    run.signal("TERM");
    let output = run.wait();
    assert_eq!((output.code(), output.stdout.as_str()), (0, ""));
}

#[test]
fn catatonit_pause_takes_other_options() {
    let mut run = pausing(catatonit().arg("-gP"), Place::Pid1);
    run.signal("INT");
    assert_eq!(run.wait().code(), 0);
    is_version(&catatonit().arg("-PV").output());
}

#[test]
fn catatonit_pause_swallows_everything_else() {
    let mut run = pausing(catatonit().arg("-P"), Place::Job);
    let pid = run.pid();
    for name in "HUP QUIT USR1 USR2 PIPE ALRM CONT TSTP TTIN TTOU PROF PWR CHLD 40".split(' ') {
        run.signal(name);
    }
    // All were taken, none is left, and it still pauses.
    until("the signals are taken", || {
        let pending = status(pid, "ShdPnd")?;
        (pending.trim_matches('0').is_empty()).then_some(())
    });
    await_sleep(pid);
    run.signal("TERM");
    assert_eq!(run.wait().status, Status::Code(0));
}

#[test]
fn podman_init_runs_a_program() {
    // This is how podman calls it.
    let launch = named("podman-init").args(["--", "/nonexistent"]);
    let output = launch.place(Place::Pid1).output();
    let expected = "ERROR (catatonit:2): failed to exec pid1: No such file or directory\n";
    assert_eq!((output.code(), output.stderr.as_str()), (1, expected));
    let output = named("podman-init").arg("--").probe("exit=3").place(Place::Pid1).output();
    assert_eq!((output.code(), output.stderr.as_str()), (3, ""));
}

#[test]
fn catatonit_pause_reaps_orphans() {
    // As PID 1 it adopts what the probe, which becomes it, leaves behind.
    let launch = catatonit().arg("-P").inheriting("fork { orphans=20 } fork { exit=3 }");
    let mut run = pausing(launch, Place::Pid1);
    let pid = run.pid();
    // The original may not have been there to be told.
    run.signal("CHLD");
    until("the children are reaped", || children(pid).is_empty().then_some(()));
    run.signal("TERM");
    assert_eq!(run.wait().code(), 0);
}

#[test]
fn catatonit_pause_adopts_as_an_ordinary_process() {
    let orphan = "fork { fork { say=here pause } block=USR1 say=up await=USR1 }";
    let mut run = pausing(catatonit().arg("-P").inheriting(orphan), Place::Job);
    run.expect_all(&["here", "up"]);
    let pid = run.pid();
    let middle = children(pid)[0];
    let orphan = until("it has a child", || children(middle).first().copied());
    send(middle, "USR1");
    until("the orphan is adopted", || (children(pid) == [orphan]).then_some(()));
    send(orphan, "KILL");
    until("the orphan is reaped", || children(pid).is_empty().then_some(()));
}

#[test]
fn catatonit_pause_goes_to_the_root_directory() {
    since("catatonit", "0.2.1", "it goes to the root", || {
        let mut run = pausing(catatonit().arg("-P").directory("/usr"), Place::Job);
        let pid = run.pid();
        until("it goes to the root", || (directory(pid) == "/").then_some(()));
    });
}

#[test]
fn catatonit_debugs_the_end_of_orphans_and_dropped_stops() {
    let launch = catatonit().env("CATATONIT_DEBUG", "").arg("--");
    let launch = launch.probe("orphan { exit=5 } orphan { die=TERM } say=up read exit=3");
    let mut run = launch.with_input().place(Place::Pid1).start();
    run.expect("up");
    let pid = run.pid();
    until("the orphans are reaped", || (children(pid).len() == 1).then_some(()));
    run.signal("TSTP");
    // The original's parent and child write in pieces, which may mix.
    for part in [
        "pid1 (2) spawned: ",
        "exited with code 5",
        "exited due to signal 15",
        "ignoring kernel attempting to stop us: tty has TOSTOP set",
    ] {
        until(part, || run.errors().contains(part).then_some(()));
    }
    run.write_line("");
    assert_eq!(run.wait().code(), 3);
}

#[test]
fn catatonit_pause_closes_what_it_inherited() {
    for place in [Place::Pid1, Place::Job] {
        pause_closes_what_it_inherited(place);
    }
}

fn pause_closes_what_it_inherited(place: Place) {
    let launch = catatonit().inheriting("open=/dev/zero open=/dev/full").arg("-P");
    let mut run = pausing(launch, place);
    let pid = run.pid();
    until("it closes what it inherited", || {
        let open = open_files(pid);
        let kept = open.iter().any(|(_, file)| file == "/dev/zero" || file == "/dev/full");
        (!kept).then_some(())
    });
}

/// Starts it and waits until it waits for signals.
fn pausing(launch: Launch, place: Place) -> Running {
    let mut run = launch.place(place).start();
    let pid = run.pid();
    until("catatonit does not pause", || {
        let stat = stat(pid)?;
        let blocks = signal_set(pid, "SigBlk").contains("TERM");
        let ready = waits_for_signals(pid) || (stat.state == 'S' && blocks);
        // The kernel calls it by the base name of what was executed, a link in our case.
        (ready && stat.name == "catatonit").then_some(())
    });
    run
}

fn is_version(output: &Output) {
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
    let version = output.stdout.strip_prefix("tini version ").expect("Docker reads this");
    let version = version.strip_suffix("_catatonit\n").expect("and people read this");
    if theirs() {
        assert!(version.split('.').all(|part| part.parse::<u32>().is_ok()), "{output:?}");
    } else {
        assert_eq!(version, "0.2.1");
    }
}

/// getopt's message under the name of `argv[0]`, then the usage, all on standard error.
fn is_refused(output: &Output, message: &str) {
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{output:?}");
    let (first, rest) = output.stderr.split_once('\n').expect("more than one line");
    assert_eq!(first, format!("{}: {message}", path("catatonit").display()));
    assert!(rest.starts_with("usage: catatonit "), "{output:?}");
}

/// `ERROR (catatonit:7): message` in its parts.
fn message_of(line: &str) -> (&str, &str) {
    let (level, rest) = line.split_once(" (catatonit:").expect("the program's name");
    let (pid, message) = rest.split_once("): ").expect("the end of the prefix");
    assert!(pid.parse::<u32>().is_ok(), "{line:?}");
    (level, message)
}
