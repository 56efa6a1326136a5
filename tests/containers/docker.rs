//! What Docker's own options and commands come to.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::container::Runtime;
use crate::contract::words;
use crate::daemon::{Docker, SHELL, docker, state};
use crate::oci::install;
use crate::scratch::{self, Folder, run};

#[test]
fn docker_stop_takes_as_long_as_the_child_and_passes_its_status_on() {
    let script = "block=TERM say=up await=TERM say=cleaning sleep=500 say=done exit=3";
    let mut container = Docker::new().start(&words("/probe", script));
    container.expect("up");
    let before = Instant::now();
    run(&mut docker(&["stop", "--time", "60", container.name()]));
    let took = before.elapsed();
    container.expect("done");
    assert_eq!(container.wait(), 3);
    assert!(took >= Duration::from_millis(500), "{took:?}");
    assert!(took < Duration::from_secs(30), "{took:?}: the stop was not passed on");
}

#[test]
fn docker_stop_of_a_child_that_does_not_stop_ends_at_fosters_own_deadline() {
    let mut container = Docker::new().start(&["--stop-timeout", "1s", "/probe", "trap"]);
    container.expect("trapping");
    let before = Instant::now();
    run(&mut docker(&["stop", "--time", "60", container.name()]));
    let took = before.elapsed();
    assert_eq!(container.wait(), 137);
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert!(took < Duration::from_secs(30), "{took:?}: Docker had to kill foster");
}

#[test]
fn docker_stop_of_services_that_end_as_asked_is_a_success() {
    let mut container =
        Docker::new().start(&["--wrap", "/probe say=one pause", "--wrap", "/probe say=two pause"]);
    let mut up = [container.expect_prefix(""), container.expect_prefix("")];
    up.sort();
    assert_eq!(up, ["one", "two"]);
    run(&mut docker(&["stop", "--time", "60", container.name()]));
    assert_eq!(container.wait(), 0);
}

#[test]
fn docker_kill_of_foster_takes_everything_with_it() {
    let mut container = Docker::new().start(&["--wrap", "/probe say=up pause"]);
    container.expect("up");
    container.kill("KILL");
    assert_eq!(container.wait(), 137);
}

#[test]
fn it_runs_hardened_as_nobody_without_capabilities_on_a_read_only_root() {
    let docker = Docker::new()
        .option("--read-only")
        .option("--user=65534")
        .option("--cap-drop=ALL")
        .option("--security-opt=no-new-privileges");
    let script = "orphans=50 block=TERM say=up await=TERM say=cleaning exit=3";
    let mut container = docker.start(&words("/probe", script));
    container.expect("up");
    container.await_only(2);
    container.kill("TERM");
    container.expect("cleaning");
    assert_eq!(container.wait(), 3);
    assert_eq!(container.errors(), "");
}

#[test]
fn it_supervises_hardened_too() {
    let docker = Docker::new()
        .option("--read-only")
        .option("--user=65534")
        .option("--cap-drop=ALL")
        .option("--security-opt=no-new-privileges");
    let script = "/probe fork '{' setsid say=fled pause '}' block=USR1 say=up await=USR1 exit=1";
    let mut container = docker.start(&["--backoff", "10ms", "--wrap", script]);
    for _ in 0..2 {
        let mut lines = [container.expect_prefix(""), container.expect_prefix("")];
        lines.sort();
        assert_eq!(lines, ["fled", "up"]);
        container.await_only(3);
        container.kill("USR1");
    }
    container.expect("up");
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
}

#[test]
fn a_full_pids_limit_is_no_reason_to_end() {
    // Room for foster alone, until it is given more. What counts are threads, and foster has one.
    let mut container = Docker::new().option("--pids-limit=1").start(&[
        "--backoff",
        "50ms",
        "--wrap",
        "/probe say=up pause",
    ]);
    container.expect_error("cannot start probe: '/probe': ");
    container.expect_error("starts again in ");
    run(&mut docker(&["update", "--pids-limit", "50", container.name()]));
    container.expect("up");
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
}

#[test]
fn the_out_of_memory_killer_takes_the_child_and_not_foster() {
    let docker = Docker::new().option("--memory=32m").option("--memory-swap=32m");
    // Docker tells whether the killer was there at all, by PID 1's cgroup; but not if it hears of it
    // only after the container's end.
    let killer_was_there = || {
        let mut container = docker.start(&["/probe", "eat=200", "say=ate"]);
        assert_eq!(container.wait(), 137);
        state(container.name(), "OOMKilled") == "true"
    };
    assert!((0..3).any(|_| killer_was_there()), "Docker never told of the killer");
    let options = ["--backoff", "10ms", "--max-restarts", "2", "--wrap"];
    let service = ["/probe say=up eat=200 say=ate"];
    let mut container = docker.start(&[&options[..], &service].concat());
    for _ in 0..3 {
        container.expect("up");
        container.expect_error("was killed by SIGKILL");
    }
    assert_eq!(container.wait(), 137);
    let errors = container.errors();
    assert!(errors.contains("giving up on probe"), "{errors}");
}

#[test]
fn an_image_without_a_shell_says_so_where_one_is_needed() {
    let mut container =
        Docker::new().start(&["--max-restarts", "0", "--wrap", "/probe say=up && /probe exit=3"]);
    assert_eq!(container.wait(), 127);
    let errors = container.errors();
    assert!(errors.contains("it needs a shell and there is no sh on PATH"), "{errors}");
}

#[test]
fn a_shell_line_runs_where_there_is_a_shell() {
    let (mut command, _) = Docker::new()
        .option("--rm")
        .run(SHELL, &["--restart", "never", "--wrap", "/probe say=up && echo port $PORT"]);
    assert_eq!(run(&mut command), "up\nport 3000\n");
}

#[test]
fn the_image_of_the_readme_is_made_as_the_readme_says() {
    const CLONE: &str = env!("CARGO_MANIFEST_DIR");
    let readme = fs::read_to_string(format!("{CLONE}/README.md")).expect("it can be read");
    let (_, dockerfile) = readme.split_once("```dockerfile\n").expect("there is a Dockerfile");
    let (dockerfile, _) = dockerfile.split_once("```").expect("it ends");
    let line = readme.lines().find(|line| line.contains("make -s static"));
    let folder = Folder::new();
    let path = folder.path();
    fs::write(path.join("Dockerfile"), dockerfile).expect("the folder is ours");
    // The line is for the clone, which is to stay as it is.
    let draft = path.join("make.draft");
    fs::write(&draft, format!("#!/bin/sh\nexec /usr/bin/make -C {CLONE} \"$@\"\n"))
        .expect("the folder is ours");
    install(&draft, &path.join("make"));
    let search = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("sh");
    shell.args(["-euc", line.expect("there is such a line")]).current_dir(path);
    run(shell.env_remove("MAKEFLAGS").env("PATH", format!("{}:{search}", path.display())));
    install(scratch::probe(), &path.join("app"));
    run(&mut docker(&["build", "--quiet", "--tag", "readme", &path.display().to_string()]));
    let (mut command, _) = Docker::new().option("--rm").run("readme", &["/app", "say=up"]);
    assert_eq!(run(&mut command), "up\n");
}
