//! What holds under every runtime.

use std::time::{Duration, Instant};

use crate::container::{Container, Runtime};
use crate::daemon::Docker;
use crate::oci::Oci;

/// Each of these as a test of each runtime.
macro_rules! on_every_runtime {
    ($($name:ident)*) => {
        mod runc {
            $(#[test] fn $name() { super::$name(&super::Oci::Runc); })*
        }
        mod docker {
            $(#[test] fn $name() { super::$name(&super::Docker::new()); })*
        }
        mod gvisor {
            $(#[test] fn $name() { super::$name(&super::Oci::Gvisor); })*
        }
    };
}

on_every_runtime! {
    foster_is_pid_1_and_its_child_leads_a_group_of_its_own
    the_exit_code_is_the_childs
    a_death_by_signal_is_128_and_its_number
    a_command_that_is_not_there_is_127
    signals_reach_the_child
    a_stop_lets_the_child_clean_up
    a_child_that_does_not_stop_is_killed_at_the_deadline
    orphans_are_reaped
    a_service_that_crashes_is_started_again_with_nothing_left_of_it
    what_an_exec_leaves_behind_is_reaped_and_never_killed
    foster_mounts_nothing_and_switches_nothing_off
}

fn foster_is_pid_1_and_its_child_leads_a_group_of_its_own(runtime: &dyn Runtime) {
    let mut container = runtime.start(&["/probe", "ids"]);
    let ids = container.expect_prefix("pid=");
    let (pid, rest) = ids.split_once(' ').expect("there are four");
    assert!(rest.starts_with(&format!("ppid=1 pgid={pid} ")), "{ids}");
    assert_eq!(container.wait(), 0);
}

fn the_exit_code_is_the_childs(runtime: &dyn Runtime) {
    assert_eq!(runtime.start(&["/probe", "exit=42"]).wait(), 42);
}

fn a_death_by_signal_is_128_and_its_number(runtime: &dyn Runtime) {
    assert_eq!(runtime.start(&["/probe", "die=USR1"]).wait(), 128 + 10);
}

fn a_command_that_is_not_there_is_127(runtime: &dyn Runtime) {
    let mut container = runtime.start(&["/nobody"]);
    assert_eq!(container.wait(), 127);
    let errors = container.errors();
    assert!(errors.contains("cannot start nobody: '/nobody': no such command"), "{errors}");
}

fn signals_reach_the_child(runtime: &dyn Runtime) {
    let mut container = runtime.start(&["/probe", "trap"]);
    container.expect("trapping");
    for signal in ["HUP", "INT", "QUIT", "USR1", "USR2", "WINCH"] {
        container.kill(signal);
        container.expect(&format!("got {signal}"));
    }
    container.kill("KILL");
    assert_eq!(container.wait(), 128 + 9);
}

fn a_stop_lets_the_child_clean_up(runtime: &dyn Runtime) {
    let script = "block=TERM say=up await=TERM say=cleaning sleep=300 say=done exit=3";
    let mut container = runtime.start(&words("/probe", script));
    container.expect("up");
    container.kill("TERM");
    container.expect("cleaning");
    container.expect("done");
    assert_eq!(container.wait(), 3);
}

fn a_child_that_does_not_stop_is_killed_at_the_deadline(runtime: &dyn Runtime) {
    let mut container = runtime.start(&["--stop-timeout", "3s", "/probe", "trap"]);
    container.expect("trapping");
    container.kill("TERM");
    container.expect("got TERM");
    assert_eq!(container.wait(), 128 + 9);
    let errors = container.errors();
    assert!(errors.contains("has not ended: sending SIGKILL"), "{errors}");
}

fn orphans_are_reaped(runtime: &dyn Runtime) {
    let mut container = runtime.start(&["/probe", "orphans=300", "say=made", "pause"]);
    container.expect("made");
    // foster and its child.
    container.await_only(2);
    container.kill("KILL");
    container.wait();
}

fn a_service_that_crashes_is_started_again_with_nothing_left_of_it(runtime: &dyn Runtime) {
    // Each run leaves one behind that has fled from its group.
    let script = "/probe fork '{' setsid say=fled pause '}' block=USR1 say=up await=USR1 exit=1";
    let mut container = runtime.start(&["--backoff", "10ms", "--wrap", script]);
    for _ in 0..3 {
        let mut lines = [container.expect_prefix(""), container.expect_prefix("")];
        lines.sort();
        assert_eq!(lines, ["fled", "up"]);
        // foster, the app, the one that fled.
        container.await_only(3);
        container.kill("USR1");
    }
    container.expect("up");
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
}

fn what_an_exec_leaves_behind_is_reaped_and_never_killed(runtime: &dyn Runtime) {
    let script = "/probe block=USR1 say=up await=USR1 exit=1";
    let mut container = runtime.start(&["--backoff", "10ms", "--wrap", script]);
    container.expect("up");
    container.exec(&words(
        "/probe",
        "orphans=20 orphan { setsid close=0 close=1 close=2 block=USR2 await=USR2 }",
    ));
    container.await_only(3);
    // The service comes and goes; the stranger stays.
    container.kill("USR1");
    container.expect("up");
    container.await_only(3);
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
}

fn foster_mounts_nothing_and_switches_nothing_off(runtime: &dyn Runtime) {
    let mut container = runtime.start(&["-v", "/probe", "exit=5"]);
    assert_eq!(container.wait(), 5);
    let errors = container.errors();
    assert!(!errors.contains("mounted") && !errors.contains("powering off"), "{errors}");
}

/// A program and a script for it.
pub fn words<'a>(program: &'a str, script: &'a str) -> Vec<&'a str> {
    std::iter::once(program).chain(script.split(' ')).collect()
}

#[test]
fn in_gvisor_the_environment_alone_tells_whose_a_process_is() {
    // Processes with a mark, without one, and those whose mark cannot be read.
    let known = ["setsid", "setsid undumpable", "setenv=A=1 setsid exec /probe"];
    let unknown = ["unsetenv=FOSTER_RUN setsid exec /probe", "setsid mainless"];
    let mut service = String::from("/probe ");
    let mut lines = vec!["other".to_owned(), "others".into(), "up".into()];
    for treatment in known.into_iter().chain(unknown) {
        let say = format!("say={}", lines.len());
        service += &format!("orphan '{{' {treatment} {say} pause '}}' ");
        lines.push(say.replace("say=", ""));
    }
    service += "block=USR1 say=up await=USR1 exit=1";
    let other = "/probe orphan '{' setsid say=others pause '}' ignore=USR1 say=other pause";
    let options = ["--backoff", "10ms", "--wrap", &service, "--wrap", other];
    let mut container = Oci::Gvisor.start(&options);
    // All of each run, in any order.
    let expect_all = |container: &mut Container, lines: &[String]| {
        let mut said: Vec<_> = lines.iter().map(|_| container.expect_prefix("")).collect();
        said.sort();
        let mut lines = lines.to_vec();
        lines.sort();
        assert_eq!(said, lines);
    };
    expect_all(&mut container, &lines);
    let all = 1 + lines.len();
    container.await_only(all);
    let begin = Instant::now();
    container.kill("USR1");
    expect_all(&mut container, &lines[2..]);
    // Only processes without a mark are left of the first run.
    container.await_only(all + unknown.len());
    assert!(begin.elapsed() < Duration::from_secs(8), "{}", container.errors());
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
}
