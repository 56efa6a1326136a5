//! A fork bomb in a service that crashes: it is gone before the next run, which gets its processes.

use std::time::{Duration, Instant};

use crate::leftovers::{Crash, alive};
use crate::subject::{foster, probe_line};
use crate::support::Place;
use crate::support::cgroup::Cgroup;
use crate::support::patience::until;
use crate::support::skip::has_root_to;

/// How many processes there may be.
const MOST: u64 = 300;

#[test]
fn a_fork_bomb_is_gone_and_its_service_back_within_two_seconds() {
    if !has_root_to("limit processes") {
        return;
    }
    let bomb = "$probe setsid bomb=5 &";
    let secret = "$probe setsid rename ignore=CHLD bomb=5 &";
    defuses(bomb, Place::Pid1, 1, true);
    defuses(secret, Place::Job, 3, true);
    defuses(secret, Place::Pid1, 3, false);
    defuses(bomb, Place::Job, 1, false);
}

/// Runs it in one of so many services, under a limit for a cgroup, where there is one to be had, or
/// for a user.
fn defuses(bomb: &str, place: Place, services: usize, grouped: bool) {
    let crash = Crash::new();
    let cgroup = if grouped { Cgroup::new(MOST) } else { None };
    let user = 200_000 + std::process::id() * 4 + services as u32;
    let own = format!("limit=nproc:{MOST} uid={user}");
    let limit = cgroup.as_ref().map_or(own, Cgroup::joined);
    let mut launch = foster().arg("-q");
    for _ in 1..services {
        launch = launch.args(["--wrap", &probe_line("say=other pause")]);
    }
    let launch = launch.args(["--wrap", &crash.line(&format!("sleep 0.1\n{bomb}"))]);
    let mut run = launch.inheriting(&limit).place(place).start();
    let others = vec!["other"; services - 1];
    run.expect_all(&[&others[..], &["ready"]].concat());
    until("the limit is not reached", || (run.everything().len() >= 280).then_some(()));
    let begin = Instant::now();
    crash.crash();
    run.expect("second");
    let time = begin.elapsed();
    assert_eq!(alive(&mut run, "probe").len(), services, "{}", run.errors());
    assert!(time < Duration::from_secs(2), "{time:?}: {}", run.errors());
}
