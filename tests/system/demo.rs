//! What a new user runs first: `make demo` and `make test`, without what they build.

use std::net::TcpListener;
use std::path::Path;
use std::time::Instant;

use crate::subject::{Folder, binary};
use crate::support::{Launch, Output};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/demo.sh");

fn demo(foster: &str) -> Launch {
    Launch::new(DEMO).env("FOSTER", foster)
}

/// What it says that it failed by, which comes last.
fn failure(output: &Output) -> &str {
    assert_eq!(output.code(), 1, "{output:?}");
    let last = output.stderr.lines().last().unwrap_or_default();
    last.strip_prefix("demo: ").unwrap_or_else(|| panic!("it does not say why: {output:?}"))
}

#[test]
fn the_demo_shows_the_log_and_needs_neither_an_absolute_path_nor_a_port_that_was_named() {
    let folder = Folder::new();
    folder.program("foster", Path::new(&binary()));
    let start = Instant::now();
    let output = demo("./foster").directory(folder.path("")).output();
    assert_eq!(output.code(), 0, "{output:?}");
    assert!(start.elapsed().as_secs() < 20, "{output:?}");
    for line in [": web (pid ", " started", " was killed by SIGKILL", "SIGTERM: stopping"] {
        assert!(output.stderr.contains(line), "{line}: {output:?}");
    }
    // A page before the server is killed, and one of the server that took its place.
    assert_eq!(output.stdout.matches("Hello from an app").count(), 2, "{output:?}");
}

#[test]
fn a_port_that_is_taken_is_named_by_the_demo() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let port = taken.local_addr().expect("it has an address").port().to_string();
    let output = demo(&binary()).env("APP_PORT", &port).output();
    assert!(failure(&output).contains(&format!("port {port} cannot be had")), "{output:?}");
    assert!(output.stderr.contains("in use"), "{output:?}");
}

#[test]
fn a_demo_that_cannot_start_says_at_once_what_failed() {
    let output = demo("./no-foster").output();
    assert!(failure(&output).contains("there is no program ./no-foster"), "{output:?}");

    let output = demo("/bin/false").output();
    assert!(failure(&output).contains("foster has ended before, with status 1"), "{output:?}");

    // An app that fails is started once more; what it said itself is shown.
    let folder = Folder::new();
    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("python3"))
        .find(|path| path.exists())
        .expect("there is python3");
    let fake = format!(
        "#!/bin/sh\n[ \"$1\" != -c ] || exec {} \"$@\"\necho 'no server here' >&2\nexit 3\n",
        real.display()
    );
    folder.script("python3", fake);
    let path = format!("{}:/usr/bin:/bin", folder.word(""));
    let start = Instant::now();
    let output = demo(&binary()).env("PATH", path).output();
    assert!(failure(&output).contains("foster has ended before, with status 3"), "{output:?}");
    assert!(output.stderr.contains("no server here"), "{output:?}");
    assert!(start.elapsed().as_secs() < 10, "{output:?}");
}

/// `.ci/install` on a machine that has these programs, and none else.
fn install(part: &str, programs: &[(&str, &str)]) -> Output {
    let folder = Folder::new();
    for (name, does) in programs {
        folder.script(name, format!("#!/bin/sh\n{does}\n"));
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/install");
    Launch::new(script).arg(part).env("PATH", folder.word("")).env("HOME", "/").output()
}

#[test]
fn packages_that_nobody_may_install_are_named() {
    let apt = ("apt-get", "echo apt-get \"$@\"");
    let user = ("id", "echo 1000");
    let output = install("demo", &[user, apt]);
    assert_eq!(output.code(), 1, "{output:?}");
    assert!(output.stderr.contains("neither root nor sudo"), "{output:?}");
    assert!(output.stderr.contains("apt-get install gcc libc6-dev python3 curl"), "{output:?}");

    let output = install("demo", &[("id", "echo 0")]);
    assert_eq!(output.code(), 1, "{output:?}");
    assert!(output.stderr.contains("gcc libc6-dev python3 curl; without apt-get"), "{output:?}");

    let sudo = ("sudo", "echo sudo \"$@\" >&2");
    let output = install("demo", &[user, apt, sudo]);
    assert_eq!(output.code(), 0, "{output:?}");
    let mut calls = output.stderr.lines().filter(|line| line.starts_with("sudo "));
    assert!(
        calls.next_back().is_some_and(|call| call.ends_with("install gcc libc6-dev python3 curl"))
    );

    // With all of it there, nothing more is asked of anybody.
    let output = install("demo", &["cc", "python3", "curl", "sudo"].map(|name| (name, "exit 9")));
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""), "{output:?}");
}

/// What `make test` says at the end of such a run of cargo's.
fn make_test(args: &[&str], programs: &[(&str, &str)], code: i32) -> Vec<String> {
    let folder = Folder::new();
    for (name, does) in programs {
        folder.script(name, format!("#!/bin/sh\n{does}\n"));
    }
    let path = format!("{}:/usr/bin:/bin", folder.word(""));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/test");
    let output = Launch::new(script).args(args).env("PATH", path).output();
    assert_eq!(output.code(), code, "{output:?}");
    let own = |line: &&str| line.starts_with("skipped: ") || line.starts_with("make test: ");
    output.stdout.lines().filter(own).map(str::to_owned).collect()
}

#[test]
fn make_test_counts_what_passed_failed_and_was_skipped() {
    let cargo = "echo 'test result: ok. 40 passed; 0 failed; 0 ignored; 0 measured'
        echo 'test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured'
        echo 'skipped: b::second: it takes root' >>\"$SKIPPED_TESTS\"
        echo 'skipped: a::first: it takes root' >>\"$SKIPPED_TESTS\"
        exit 101";
    let said = make_test(&["--test", "system"], &[("cargo", cargo)], 101);
    let skipped = ["skipped: a::first: it takes root", "skipped: b::second: it takes root"];
    assert_eq!(said, [skipped[0], skipped[1], "make test: 45 passed, 2 failed, 2 skipped"]);
}

#[test]
fn make_test_skips_by_name_tests_that_lack_namespaces() {
    let cargo = "case $* in
        *--list*) echo 'c::third: test' ;;
        *'--test system'*) exit 99 ;;
        *) echo 'test result: ok. 30 passed; 0 failed; 0 ignored; 0 measured' ;;
        esac";
    let unshare = "echo 'unshare: Operation not permitted' >&2; exit 1";
    let said = make_test(&[], &[("cargo", cargo), ("unshare", unshare)], 0);
    let skipped = "skipped: c::third: it takes namespaces: unshare: Operation not permitted";
    assert_eq!(said, [skipped, "make test: 30 passed, 0 failed, 1 skipped"]);
}

#[test]
fn ci_runs_what_the_readme_says_to_try() {
    let folder = Folder::new();
    folder.script("make", "#!/bin/sh\necho \"make $*, ${CARGO_TARGET_DIR-no folder}\"\n");
    let path = format!("{}:/usr/bin:/bin", folder.word(""));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/readme");
    let launch = Launch::new(script).directory(env!("CARGO_MANIFEST_DIR")).env("PATH", path);
    let output = launch.env("CARGO_TARGET_DIR", "target").output();
    assert_eq!(output.code(), 0, "{output:?}");
    let made: Vec<&str> = output.stdout.lines().filter(|line| line.starts_with("make ")).collect();
    assert_eq!(made, ["make demo, no folder", "make test, no folder"]);
}
