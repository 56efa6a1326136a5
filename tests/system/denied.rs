//! Processes that foster may not kill (EPERM) delay nothing, and are logged once.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::leftovers::{Crash, alive};
use crate::subject::{Folder, binary, foster, probe_line, quick};
use crate::support::skip::has_root_to;
use crate::support::{Launch, Place, Running, probe};

/// Below the ten seconds for which foster waits for what got SIGKILL.
const MOMENTS: Duration = Duration::from_secs(8);

const PLACES: [(Place, usize); 2] = [(Place::Pid1, 3), (Place::Job, 1)];

/// A foster, and what makes a probe a process that it may not kill.
struct Denied {
    launch: Launch,
    /// Becomes a probe.
    helper: String,
    _folder: Folder,
}

/// A foster that is nobody, and a set-user-ID program of root's; and one that is root without
/// CAP_KILL, and another user's.
fn all(before: &str) -> [Denied; 2] {
    let folder = Folder::new();
    let program = folder.program("helper", Path::new(probe()));
    chown(&program, Some(0), Some(0)).expect("it is root's");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).expect("it is ours");
    let nobody = foster().inheriting(format!("{before} uid=65534").trim());
    let helper = format!("{program} uid=0");
    let nobody = Denied { launch: nobody, helper, _folder: folder };
    let root = Launch::new("setpriv").args(["--bounding-set=-kill", "--inh-caps=-kill", &binary()]);
    let root = if before.is_empty() { root } else { root.inheriting(before) };
    let helper = format!("{} uid=65534", probe());
    [nobody, Denied { launch: root, helper, _folder: Folder::new() }]
}

fn with_others(launch: Launch, line: &str, services: usize) -> Launch {
    let mut launch = launch.args(["--wrap", line]);
    for _ in 1..services {
        launch = launch.args(["--wrap", &probe_line("say=other pause")]);
    }
    launch
}

fn expect(run: &mut Running, says: &[&str], services: usize) {
    run.expect_all(&[says, &vec!["other"; services - 1]].concat());
}

/// How many lines have this.
fn count(run: &mut Running, what: &str) -> usize {
    run.errors().lines().filter(|line| line.contains(what)).count()
}

const LEFT: &str = " alone: foster may not kill it";

#[test]
fn a_process_that_foster_may_not_kill_delays_no_restart() {
    if !has_root_to("have others' processes") {
        return;
    }
    for (place, services) in PLACES {
        for Denied { launch, helper, _folder } in all("") {
            let crash = Crash::new();
            let line = crash.line(&format!("{helper} orphan '{{' setsid say=away pause '}}'"));
            let mut run = with_others(quick(launch), &line, services).place(place).start();
            expect(&mut run, &["away", "ready"], services);
            let begin = Instant::now();
            crash.crash();
            run.expect("second");
            // The second run crashes too, and the third.
            let second = |run: &mut Running| {
                let all = alive(run, "probe");
                all.into_iter().max().expect("it runs")
            };
            for _ in 0..2 {
                crate::support::running::send(second(&mut run), "KILL");
                run.expect("second");
            }
            let time = begin.elapsed();
            assert!(time < MOMENTS, "{time:?}: {}", run.errors());
            assert_eq!(count(&mut run, LEFT), 1, "{}", run.errors());
            assert_eq!(count(&mut run, "cannot send"), 0, "{}", run.errors());
        }
    }
}

#[test]
fn a_process_that_foster_may_not_kill_delays_no_stop() {
    if !has_root_to("have others' processes") {
        return;
    }
    for odd in ["", "proc=none"] {
        for (place, services) in PLACES {
            for Denied { launch, helper, _folder } in all(odd) {
                let line = _folder.script(
                    "app",
                    format!("#!/bin/sh\n{helper} say=member pause &\n{helper} setsid say=away pause &\nexec {} say=up pause\n", probe()),
                );
                let launch = with_others(quick(launch), &line, services);
                let mut run = launch.place(place).start();
                expect(&mut run, &["member", "away", "up"], services);
                let begin = Instant::now();
                run.signal("TERM");
                let output = run.wait();
                let time = begin.elapsed();
                assert!(time < MOMENTS, "{odd} {place:?} {time:?}: {output:?}");
                assert_eq!(output.code(), 0, "{output:?}");
                assert!(!output.stderr.contains("after SIGKILL"), "{output:?}");
            }
        }
    }
}

#[test]
fn a_service_that_foster_may_not_kill_has_its_stop_timeout_and_no_more() {
    if !has_root_to("have others' processes") {
        return;
    }
    for (place, services) in PLACES {
        for Denied { launch, helper, _folder } in all("") {
            let launch = quick(launch).args(["--stop-timeout", "300ms"]);
            let line = format!("{helper} say=up pause");
            let mut run = with_others(launch, &line, services).place(place).start();
            expect(&mut run, &["up"], services);
            let begin = Instant::now();
            run.signal("TERM");
            let output = run.wait();
            let time = begin.elapsed();
            assert!(time >= Duration::from_millis(300) && time < MOMENTS, "{time:?}: {output:?}");
            assert_eq!(output.code(), 137, "{output:?}");
            assert_eq!(output.stderr.matches("cannot send").count(), 1, "{output:?}");
            assert!(!output.stderr.contains("after SIGKILL"), "{output:?}");
        }
    }
}
