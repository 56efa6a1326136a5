//! Orphans: who adopts and reaps them, and what becomes of the living when the child ends.

use crate::subject::{bug, catatonit, dumb_init, path, tini};
use crate::support::patience::until;
use crate::support::procfs::{await_state, children, stat};
use crate::support::running::send;
use crate::support::{Launch, Place, Running, Status, probe};

#[test]
fn tini_reaps_orphans_as_pid_1() {
    reaps_orphans(tini().arg("--"), Place::Pid1);
    reaps_orphans(tini().args(["-g", "--"]), Place::Pid1);
}

#[test]
fn dumb_init_reaps_orphans_as_pid_1() {
    reaps_orphans(dumb_init(), Place::Pid1);
    reaps_orphans(dumb_init().arg("-c"), Place::Pid1);
}

#[test]
fn catatonit_reaps_orphans_as_pid_1() {
    reaps_orphans(catatonit().arg("--"), Place::Pid1);
}

#[test]
fn tini_reaps_what_ended_before_it_started() {
    reaps_what_ended_before_it_started(tini().args(["-s", "--"]));
}

#[test]
fn dumb_init_reaps_what_ended_before_it_started() {
    bug("it looks only when it is told", "timed out: the zombie is reaped", || {
        reaps_what_ended_before_it_started(dumb_init());
    });
}

#[test]
fn catatonit_reaps_what_ended_before_it_started() {
    bug("it looks only when it is told", "timed out: the zombie is reaped", || {
        reaps_what_ended_before_it_started(catatonit().arg("--"));
    });
}

#[test]
fn tini_s_adopts_and_reaps_as_an_ordinary_process() {
    adopts(tini().args(["-s", "--"]));
    reaps_orphans(tini().args(["-s", "--"]), Place::Job);
}

#[test]
fn tini_subreaper_variable_may_have_any_value() {
    for value in ["", "0", "1"] {
        adopts(tini().env("TINI_SUBREAPER", value).arg("--"));
    }
}

#[test]
fn tini_leaves_no_zombie_when_it_ends() {
    leaves_no_zombie_when_it_ends("tini");
}

#[test]
fn catatonit_leaves_no_zombie_when_it_ends() {
    leaves_no_zombie_when_it_ends("catatonit");
}

#[test]
fn dumb_init_leaves_no_zombie_when_it_ends() {
    bug("it ends without a look at what else has ended", "left to PID 1", || {
        leaves_no_zombie_when_it_ends("dumb-init");
    });
}

#[test]
fn tini_without_s_adopts_nobody() {
    adopts_nobody(tini().arg("--"));
}

#[test]
fn dumb_init_adopts_nobody_as_an_ordinary_process() {
    adopts_nobody(dumb_init());
}

#[test]
fn catatonit_adopts_and_reaps_as_an_ordinary_process() {
    adopts(catatonit().arg("--"));
    reaps_orphans(catatonit().arg("--"), Place::Job);
}

#[test]
fn tini_leaves_the_group_alone_when_the_child_ends() {
    leaves_the_group_alone(tini().args(["-s", "--"]));
    leaves_the_group_alone(tini().args(["-sg", "--"]));
}

#[test]
fn catatonit_leaves_the_group_alone_when_the_child_ends() {
    leaves_the_group_alone(catatonit().arg("--"));
    leaves_the_group_alone(catatonit().args(["-g", "--"]));
}

#[test]
fn dumb_init_terminates_the_group_when_the_child_ends() {
    let (mut run, _) = ended_before_its_group(dumb_init());
    assert_eq!(run.line(), "other got TERM");
}

#[test]
fn dumb_init_terminates_the_group_through_the_rewriting() {
    let (mut run, _) = ended_before_its_group(dumb_init().args(["-r", "15:10"]));
    assert_eq!(run.line(), "other got USR1");
}

#[test]
fn dumb_init_rewriting_term_to_0_spares_the_group() {
    leaves_the_group_alone(dumb_init().args(["-r", "15:0"]));
}

#[test]
fn dumb_init_c_leaves_the_group_alone_when_the_child_ends() {
    leaves_the_group_alone(dumb_init().arg("-c"));
}

#[test]
fn dumb_init_leaves_other_groups_alone_when_the_child_ends() {
    let script = "fork { setsid trap=other } read exit=3";
    let mut run = dumb_init().probe(script).with_input().place(Place::Job).start();
    run.expect("other trapping");
    let child = run.child();
    let other = children(child)[0];
    run.write_line("");
    assert_eq!(run.line(), "read: ");
    assert_eq!(run.wait_for_status(), Status::Code(3));
    send(other, "PWR");
    assert_eq!(run.line(), "other got PWR");
}

#[test]
fn tini_outlives_orphans_and_takes_no_status_of_theirs() {
    takes_no_status_of_orphans(tini().arg("--"));
}

#[test]
fn dumb_init_outlives_orphans_and_takes_no_status_of_theirs() {
    takes_no_status_of_orphans(dumb_init());
}

#[test]
fn catatonit_outlives_orphans_and_takes_no_status_of_theirs() {
    takes_no_status_of_orphans(catatonit().arg("--"));
}

#[test]
fn tini_does_not_end_when_the_child_stops() {
    does_not_end_when_the_child_stops(tini().arg("--"));
}

#[test]
fn dumb_init_does_not_end_when_the_child_stops() {
    does_not_end_when_the_child_stops(dumb_init());
}

#[test]
fn catatonit_does_not_end_when_the_child_stops() {
    does_not_end_when_the_child_stops(catatonit().arg("--"));
}

/// `sh -c 'prepare & exec init -- app'` leaves one to a program that was not there when it ended.
fn reaps_what_ended_before_it_started(launch: Launch) {
    let mut run = launch.inheriting("zombie").probe("say=ready pause").start();
    run.expect("ready");
    let pid = run.pid();
    until("the zombie is reaped", || (children(pid).len() == 1).then_some(()));
}

/// No zombie stays of many orphans, while the main child lives.
fn reaps_orphans(launch: Launch, place: Place) {
    let script = "orphans=200 say=made pause";
    let mut run = launch.probe(script).place(place).start();
    run.expect("made");
    let pid = run.pid();
    until("the orphans are reaped", || (children(pid).len() == 1).then_some(()));
}

/// An orphan becomes the subject's child.
fn adopts(launch: Launch) {
    let (mut run, init) = with_an_orphan(launch);
    let child = run.child();
    until("the orphan is adopted", || (children(init).len() == 2).then_some(()));
    assert!(children(init).contains(&child));
}

/// An orphan becomes the child of the subject's own parent, the PID 1 of the namespace.
fn adopts_nobody(launch: Launch) {
    let (_run, init) = with_an_orphan(launch);
    let parent = stat(init).expect("the subject lives").parent;
    until("the orphan goes to PID 1", || (children(parent).len() == 2).then_some(()));
    assert_eq!(children(init).len(), 1);
}

fn with_an_orphan(launch: Launch) -> (Running, i32) {
    let mut run = launch.probe("orphan { say=here pause } pause").place(Place::Job).start();
    run.expect("here");
    let init = run.pid();
    (run, init)
}

/// The child has ended with another process in its group; the subject has ended too, at once.
fn ended_before_its_group(launch: Launch) -> (Running, i32) {
    let script = "fork { trap=other } read exit=3";
    let mut run = launch.probe(script).with_input().place(Place::Job).start();
    run.expect("other trapping");
    let child = run.child();
    let other = children(child)[0];
    run.write_line("");
    assert_eq!(run.line(), "read: ");
    assert_eq!(run.wait_for_status(), Status::Code(3));
    assert_eq!(run.errors(), "");
    (run, other)
}

fn leaves_the_group_alone(launch: Launch) {
    let (mut run, other) = ended_before_its_group(launch);
    send(other, "PWR");
    assert_eq!(run.line(), "other got PWR");
}

/// An orphan ends together with the child, under a PID 1 that reaps nothing.
fn leaves_no_zombie_when_it_ends(name: &str) {
    let subject = path(name);
    let launch = Launch::new(probe()).args(["fork", "{", "subreaper", "exec"]).arg(subject);
    let script = "orphan { say=made pause } read exit=3 } pause";
    let mut run = launch.probe(script).with_input().place(Place::Pid1).start();
    run.expect("made");
    let pid_1 = run.pid();
    let init = run.child();
    let child = children(init)[0];
    let orphan = until("the orphan is adopted", || {
        children(init).into_iter().find(|adopted| *adopted != child)
    });
    send(init, "STOP");
    await_state(init, "T");
    send(orphan, "KILL");
    await_state(orphan, "Z");
    run.write_line("");
    await_state(child, "Z");
    send(init, "CONT");
    await_state(init, "Z");
    assert_eq!(children(pid_1), [init], "a zombie is left to PID 1");
}

fn takes_no_status_of_orphans(launch: Launch) {
    let script = "orphan { exit=9 } orphan { die=KILL } orphans=3 say=made read exit=4";
    let mut run = launch.probe(script).with_input().place(Place::Pid1).start();
    run.expect("made");
    let pid = run.pid();
    until("the orphans are reaped", || (children(pid).len() == 1).then_some(()));
    run.write_line("");
    let output = run.wait();
    assert_eq!((output.code(), output.stderr.as_str()), (4, ""));
}

fn does_not_end_when_the_child_stops(launch: Launch) {
    let mut run = launch.probe("trap").place(Place::Pid1).start();
    run.expect("trapping");
    let child = run.child();
    send(child, "STOP");
    await_state(child, "T");
    send(child, "CONT");
    assert_eq!(run.line(), "got CONT");
    run.signal("TERM");
    assert_eq!(run.line(), "got TERM");
}
