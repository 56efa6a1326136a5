//! "Two ways to run": one command as an init, or command lines that are kept running.

use crate::subject::{Folder, binary, foster, probe_line, quick, wrapped};
use crate::support::patience::until;
use crate::support::procfs;
use crate::support::{Launch, Place, Status, probe};

#[test]
fn a_command_is_started_directly_with_its_arguments_as_they_are() {
    let words = ["$HOME", "*", "a b", "", "'", "--wrap", "-V", "--", "\\", "; exit 7"];
    let output = foster().args(["--", probe(), "args"]).args(words).output();
    let expected: String = words.iter().map(|word| format!("arg: {word}\n")).collect();
    assert_eq!((output.code(), output.stdout), (0, expected));
    assert_eq!(output.stderr, "");
}

#[test]
fn a_command_and_its_arguments_may_be_any_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let word = OsStr::from_bytes(b"\xff\xfe");
    let output = foster().args(["--", "sh", "-c", "printf %s \"$1\" | od -An -tx1", "sh"]);
    assert_eq!(output.arg(word).output().stdout, " ff fe\n");
}

#[test]
fn the_command_is_the_only_child_of_an_init() {
    for place in [Place::Child, Place::Pid1, Place::Job] {
        let mut run = foster().arg("--").probe("say=up pause").place(place).start();
        run.expect("up");
        let pid = run.pid();
        let children = procfs::children(pid);
        assert_eq!(children.len(), 1);
        assert_eq!(procfs::stat(children[0]).expect("it lives").name, "probe");
    }
}

#[test]
fn an_init_ends_with_the_status_of_its_command() {
    for place in [Place::Child, Place::Pid1] {
        assert_eq!(foster().probe("exit=7").place(place).output().code(), 7);
    }
}

#[test]
fn an_init_does_not_restart_its_command() {
    let output = foster().probe("say=once exit=1").output();
    assert_eq!((output.code(), output.stdout.as_str()), (1, "once\n"));
}

#[test]
fn options_stop_at_the_first_other_word() {
    let output = foster().args(["-q", probe(), "args", "-q", "--wrap", "--", "-V"]).output();
    assert_eq!(output.stdout, "arg: -q\narg: --wrap\narg: --\narg: -V\n");
}

#[test]
fn options_stop_after_two_dashes() {
    let folder = Folder::new();
    folder.script("-V", "#!/bin/sh\necho run");
    let path = format!("{}:/bin", folder.word(""));
    let output = foster().env("PATH", path).args(["--", "-V"]).output();
    assert_eq!(output.stdout, "run\n");
}

#[test]
fn a_command_is_looked_for_on_path() {
    let folder = Folder::new();
    let here = folder.script("here", "#!/bin/sh\necho found");
    let path = format!("/nowhere:{}:/bin", here.strip_suffix("/here").expect("a folder"));
    assert_eq!(foster().env("PATH", path).arg("here").output().stdout, "found\n");
}

#[test]
fn a_service_is_restarted_on_every_end() {
    for end in ["exit=0", "exit=3", "die=KILL", "die=SEGV"] {
        let mut run = wrapped(&format!("say=run {end}")).start();
        for _ in 0..4 {
            run.expect("run");
        }
        run.signal("TERM");
        run.wait_for_status();
    }
}

#[test]
fn several_services_run_side_by_side() {
    let launch = quick(foster()).arg("--wrap").arg(probe_line("trap=one"));
    let mut run = launch.arg("--wrap").arg(probe_line("trap=two")).start();
    run.expect_all(&["one trapping", "two trapping"]);
    run.signal("USR1");
    run.expect_all(&["one got USR1", "two got USR1"]);
}

#[test]
fn one_service_that_ends_leaves_the_others_alone() {
    let launch = quick(foster()).arg("--wrap").arg(probe_line("trap=stays"));
    let mut run = launch.arg("--wrap").arg(probe_line("say=ends exit=1")).start();
    run.expect("stays trapping");
    for _ in 0..5 {
        run.expect("ends");
    }
    run.signal("USR1");
    run.expect("stays got USR1");
}

#[test]
fn wrap_cmd_in_the_environment_is_one_wrap() {
    let mut run = foster().env("WRAP_CMD", probe_line("env=PORT trap")).start();
    run.expect("PORT=3000");
    run.expect("trapping");
}

#[test]
fn a_wrap_on_the_command_line_beats_wrap_cmd() {
    let launch = foster().env("WRAP_CMD", "exit 9").arg("--wrap").arg(probe_line("say=it trap"));
    let mut run = launch.start();
    run.expect("it");
    let pid = run.pid();
    assert_eq!(procfs::children(pid).len(), 1);
}

#[test]
fn a_command_on_the_command_line_beats_wrap_cmd() {
    let output = foster().env("WRAP_CMD", "exit 9").probe("exit=4").output();
    assert_eq!(output.code(), 4);
}

#[test]
fn a_hundred_services_run_side_by_side_and_stop_together() {
    let script = "env=PORT fork { block=TERM say=helper await=TERM } block=TERM say=up await=TERM";
    let mut launch = foster().args(["-q", "--stop-timeout", "infinity"]);
    for _ in 0..100 {
        launch = launch.arg("--wrap").arg(probe_line(script));
    }
    let mut run = launch.place(Place::Job).start();
    let ports: Vec<String> = (3000..3100).map(|port| format!("PORT={port}")).collect();
    let mut lines: Vec<&str> = ports.iter().map(String::as_str).collect();
    lines.extend(["up"; 100]);
    lines.extend(["helper"; 100]);
    run.expect_all(&lines);
    run.signal("TERM");
    assert_eq!(run.wait_for_status(), Status::Code(0));
    assert!(run.living().is_empty());
}

#[test]
fn version_prints_name_and_version() {
    for option in ["-V", "--version"] {
        let output = foster().arg(option).output();
        let expected = format!("foster {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((output.code(), output.stdout), (0, expected));
        assert_eq!(output.stderr, "");
    }
}

#[test]
fn help_fits_a_screen() {
    for option in ["-h", "--help"] {
        let output = foster().arg(option).output();
        assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
        assert!(output.stdout.starts_with("Usage: foster "), "{output:?}");
        assert!(output.stdout.lines().count() <= 40, "{output:?}");
        assert!(output.stdout.lines().all(|line| line.len() <= 80), "{output:?}");
    }
}

#[test]
fn one_foster_runs_under_another() {
    let launch = foster().arg("--").arg(binary()).arg("--").probe("trap").place(Place::Pid1);
    let mut run = launch.start();
    run.expect("trapping");
    run.signal("USR1");
    run.expect("got USR1");
    run.signal("HUP");
    run.expect("got HUP");
    assert_eq!(foster().arg("--").arg(binary()).probe("exit=5").output().code(), 5);
}

#[test]
fn a_supervisor_under_a_supervisor_clears_away_what_is_its_own() {
    let folder = Folder::new();
    // The daemon of each run escapes the group; the third run stays.
    let app = folder.script(
        "app",
        format!(
            "#!/bin/sh\nsetsid {} say=daemon pause &\nread run < {dir}/run; echo $((run + 1)) > \
             {dir}/run\necho run $run\n[ $run = 3 ] && exec {} trap=app\nexit 1\n",
            probe(),
            probe(),
            dir = folder.word(""),
        ),
    );
    std::fs::write(folder.path("run"), "1\n").expect("a file can be written");
    let inner = format!("{} --backoff 10ms --wrap {app}", binary());
    let launch = quick(foster()).arg("--wrap").arg(inner).place(Place::Job);
    let mut run = launch.start();
    run.expect("app trapping");
    // Of three daemons that of the run that lives is left; the app leads a session too.
    let leads = |pid: &i32| {
        procfs::stat(*pid)
            .is_some_and(|stat| stat.name == "probe" && stat.session == *pid && stat.state != 'Z')
    };
    until("two sessions of probes", || {
        let leaders = run.everything().into_iter().filter(leads).count();
        (leaders == 2).then_some(())
    });
    run.signal("TERM");
    run.wait_for_status();
    assert!(run.living().is_empty());
}

#[test]
fn foster_needs_no_environment_at_all() {
    let output = Launch::new("env").args(["-i"]).arg(binary()).args([probe(), "environ"]).output();
    assert_eq!((output.code(), output.stdout.as_str()), (0, ""));
}
