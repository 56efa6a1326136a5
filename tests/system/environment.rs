//! "the same working directory and environment (plus PORT/HOST with --wrap, and under supervision
//! the mark FOSTER_RUN)".

use crate::subject::{Folder, binary, foster, probe_line, quick, wrapped};
use crate::support::{Launch, probe};

const GIVEN: [(&str, &str); 4] =
    [("A", "1"), ("EMPTY", ""), ("WITH", "a=b=c d"), ("FOSTER_BACKOFF_MAX", "20s")];

#[test]
fn an_init_hands_on_its_environment_as_it_is_and_in_its_order() {
    let given = ["Z=1", "A=2", "EMPTY=", "X=a=b", "PORT=x", "FOSTER_LOG=off"];
    let direct = Launch::new("env").arg("-i").args(given).args([probe(), "environ"]).output();
    let under = Launch::new("env").arg("-i").args(given).arg(binary()).args([probe(), "environ"]);
    assert_eq!(under.output().stdout, direct.stdout);
    assert_eq!(direct.stdout.lines().collect::<Vec<_>>(), given);
}

#[test]
fn a_service_gets_port_host_and_the_mark_besides() {
    let mut launch = wrapped("environ").args(["--restart", "never"]);
    for (name, value) in GIVEN {
        launch = launch.env(name, value);
    }
    let output = launch.output();
    let (mark, mut others): (Vec<&str>, Vec<&str>) =
        output.stdout.lines().partition(|line| line.starts_with("FOSTER_RUN="));
    others.sort_unstable();
    let path = others.iter().position(|line| line.starts_with("PATH=")).expect("PATH");
    others.remove(path);
    let expected =
        ["A=1", "EMPTY=", "FOSTER_BACKOFF_MAX=20s", "HOST=127.0.0.1", "PORT=3000", "WITH=a=b=c d"];
    assert_eq!(others, expected);
    assert_eq!(mark.len(), 1);
}

#[test]
fn an_init_sets_no_mark() {
    assert_eq!(foster().probe("env=FOSTER_RUN").output().stdout, "FOSTER_RUN is unset\n");
}

#[test]
fn each_service_has_a_mark_of_its_own_that_cannot_be_guessed() {
    let launch = quick(foster()).args(["--max-restarts", "9"]);
    let launch = launch.arg("--wrap").arg(probe_line("env=FOSTER_RUN exit=1"));
    let output = launch.arg("--wrap").arg(probe_line("env=FOSTER_RUN exit=1")).output();
    let mut marks: Vec<&str> = output.stdout.lines().collect();
    let count = marks.len();
    assert!(count >= 10, "{output:?}");
    marks.sort_unstable();
    marks.dedup();
    assert_eq!(marks.len(), 2, "all runs of a service have one: {output:?}");
    // 128 bits in hexadecimal, of which neither half stays the same from one foster to the next.
    let other = wrapped("env=FOSTER_RUN").args(["--restart", "never"]).output();
    let halves = |line: &str| {
        let nonce = line.trim_end().rsplit('-').next().expect("a nonce").to_owned();
        assert_eq!(nonce.len(), 32, "{line}");
        (nonce[..16].to_owned(), nonce[16..].to_owned())
    };
    let (one, two) = (halves(marks[0]), halves(&other.stdout));
    assert!(one.0 != two.0 && one.1 != two.1);
}

#[test]
fn a_command_that_is_supervised_carries_the_mark_too() {
    let output = quick(foster()).args(["--restart", "on-failure"]).probe("env=FOSTER_RUN").output();
    assert!(output.stdout.starts_with("FOSTER_RUN=0-"), "{output:?}");
}

#[test]
fn an_inherited_mark_of_another_foster_is_kept_beside_the_own() {
    let launch = wrapped("env=FOSTER_RUN").args(["--restart", "never"]).env("FOSTER_RUN", "0-77");
    let output = launch.output();
    assert!(output.stdout.starts_with("FOSTER_RUN=0-77:0-"), "{output:?}");
}

#[test]
fn the_working_directory_is_the_same() {
    let folder = Folder::new();
    let here = folder.path("").canonicalize().expect("it is there");
    let expected = format!("cwd: {}\n", here.display());
    for launch in [foster().probe("cwd"), wrapped("cwd").args(["--restart", "never"])] {
        assert_eq!(launch.directory(&here).output().stdout, expected);
    }
}
