//! "An unexpected end", where what is left is asked to end before it is killed: `--leftovers term`,
//! and a leader that dies of a signal that stops programs.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::leftovers::{Crash, alive};
use crate::subject::{binary, foster, probe_line};
use crate::support::patience::until;
use crate::support::procfs;
use crate::support::running::send;
use crate::support::skip::skip;
use crate::support::{Launch, Output, Place, Running, Status};

/// One that has to put its data away when it is asked to end.
const SAVES: &str = "block=TERM say=there await=TERM sleep=50 say=saved";

/// foster with so many services, of which the first runs this.
fn services(launch: Launch, line: &str, count: usize) -> Launch {
    let launch = launch.args(["--wrap", line]);
    (1..count).fold(launch, |launch, _| launch.arg("--wrap").arg(probe_line("pause")))
}

fn ends(mut run: Running) -> Output {
    run.signal("TERM");
    run.wait()
}

#[test]
fn leftovers_term_asks_what_is_left_and_kills_the_rest_when_the_restart_is_due() {
    let options: [fn(Launch) -> Launch; 2] = [
        |launch| launch.args(["--leftovers", "term"]),
        |launch| launch.env("FOSTER_LEFTOVERS", "term"),
    ];
    for (count, place, option) in
        [(1, Place::Pid1, options[0]), (1, Place::Job, options[1]), (3, Place::Pid1, options[0])]
    {
        let crash = Crash::new();
        let saves = SAVES.replace("there", "member");
        let apart = SAVES.replace("there", "apart");
        let line = crash.line(&format!(
            "$probe {saves} &\n$probe orphan '{{' setsid {apart} '}}'\n\
             $probe ignore=TERM say=deaf pause &\n\
             $probe orphan '{{' setsid ignore=TERM say=far pause '}}'"
        ));
        let launch = option(foster().args(["--backoff", "600ms"]));
        let mut run = services(launch, &line, count).place(place).start();
        run.expect_all(&["member", "apart", "deaf", "far", "ready"]);
        let begin = Instant::now();
        crash.crash();
        run.expect_all(&["saved", "saved"]);
        run.expect("second");
        assert!(begin.elapsed() >= Duration::from_millis(600), "{:?}", begin.elapsed());
        assert_eq!(alive(&mut run, "probe").len(), count, "{place:?}");
    }
}

#[test]
fn without_a_backoff_there_is_still_some_time() {
    let crash = Crash::new();
    let line = crash.line(&format!("$probe {SAVES} &"));
    let launch = foster().args(["--leftovers", "term", "--backoff", "0"]);
    let mut run = services(launch, &line, 1).place(Place::Job).start();
    run.expect_all(&["there", "ready"]);
    crash.crash();
    run.expect("saved");
    run.expect("second");
}

#[test]
fn what_a_command_leaves_is_asked_where_that_is_wanted_and_has_the_stop_timeout() {
    for (place, deaf, time) in [(Place::Pid1, "", "10s"), (Place::Job, "ignore=TERM ", "50ms")] {
        let script = format!("fork {{ {deaf}{SAVES} }} block=USR1 say=up await=USR1 exit=3");
        let launch = foster().args(["--leftovers=term", "--stop-timeout", time, "--"]);
        let mut run = launch.probe(&script).place(place).start();
        run.expect_all(&["there", "up"]);
        let child = run.child();
        send(child, "USR1");
        if deaf.is_empty() {
            run.expect("saved");
        }
        assert_eq!(run.wait_for_status(), Status::Code(3));
    }
}

#[test]
fn a_leader_that_dies_of_a_stop_a_moment_before_foster_is_asked_has_been_stopped() {
    let script = format!("fork {{ {SAVES} }} say=up pause");
    for place in [Place::Pid1, Place::Job] {
        for (launch, code) in [
            (foster().arg("--").probe(&script), 143),
            (services(foster(), &probe_line(&script), 1), 0),
            (services(foster(), &probe_line(&script), 3), 0),
        ] {
            for _ in 0..3 {
                let mut run = launch.clone().place(place).start();
                run.expect_all(&["there", "up"]);
                // As systemd does it with a cgroup; and foster's own may come at any time behind.
                let leader = first_leader(&mut run);
                send(leader, "TERM");
                let output = ends(run);
                assert_eq!(output.code(), code, "{place:?}: {output:?}");
                assert!(output.stdout.contains("saved\n"), "{place:?}: {output:?}");
            }
        }
    }
}

/// The leader of the service that has a child.
fn first_leader(run: &mut Running) -> i32 {
    let pid = run.pid();
    let parent = |leader: &i32| !procfs::children(*leader).is_empty();
    until("no leader", || procfs::children(pid).into_iter().find(parent))
}

#[test]
fn a_stop_behind_the_leaders_death_sends_what_is_left_nothing_twice() {
    for signal in ["TERM", "INT", "QUIT", "HUP"] {
        let script = "fork { trap=member } say=up pause";
        let service = foster().args(["--stop-timeout", "500ms", "--wrap"]).arg(probe_line(script));
        let mut run = service.place(Place::Job).start();
        run.expect_all(&["member trapping", "up"]);
        let leader = run.child();
        send(leader, signal);
        run.expect_all(&["member got TERM", "member got CONT"]);
        let output = ends(run);
        assert_eq!(output.stdout.matches("got").count(), 2, "{signal}: {output:?}");
        assert_eq!(output.code(), 137, "{signal}");
    }
}

#[test]
fn what_is_left_of_a_command_that_died_of_a_stop_is_told_of_and_killed_by_two_interrupts() {
    let script = "fork { ignore=TERM,INT,HUP say=member pause } say=up pause";
    let mut run = foster().arg("--").probe(script).place(Place::Job).start();
    run.expect_all(&["member", "up"]);
    let leader = run.child();
    send(leader, "HUP");
    let line = run.expect_error("foster: warning: probe: waiting for probe (pid ");
    assert!(line.ends_with("s; Ctrl-C twice kills at once"), "{line}");
    run.signal("INT");
    run.signal("INT");
    assert_eq!(run.wait_for_status(), Status::Code(129));
    until("the member is left", || alive(&mut run, "probe").is_empty().then_some(()));
}

#[test]
fn a_crash_is_none_of_these_deaths() {
    for die in ["exit=1", "die=KILL", "die=USR1"] {
        let script =
            format!("fork {{ block=TERM say=member await=TERM say=asked }} say=up read {die}");
        let launch = foster().arg("--").probe(&script).place(Place::Job).with_input();
        let mut run = launch.start();
        run.expect_all(&["member", "up"]);
        run.write_line("go");
        let output = run.wait();
        assert!(!output.stdout.contains("asked"), "{die}: {output:?}");
    }
}

#[test]
fn during_a_storm_leftovers_are_asked_too() {
    for round in 0..60 {
        let script = format!("fork {{ {SAVES} }} orphans={} die=TERM", 20 + 3 * round);
        let output = foster().arg("--").probe(&script).place(Place::Pid1).output();
        assert_eq!(output.code(), 143, "round {round}: {output:?}");
        assert!(output.stdout.ends_with("saved\n"), "round {round}: {output:?}");
    }
}

#[test]
fn pythons_resource_tracker_puts_shared_memory_away() {
    let python = |script: &str| {
        let line = ["-c", script];
        Launch::new(binary()).args(["--leftovers=term", "--", "python3"]).args(line).output()
    };
    let known = "import multiprocessing.resource_tracker, multiprocessing.shared_memory";
    if !Path::new("/dev/shm").exists() || python(known).code() != 0 {
        return skip("there is no Python with shared memory");
    }
    let script = "import os; from multiprocessing.shared_memory import SharedMemory as S\n\
                  print(S(create=True, size=4096).name, flush=True); os.kill(os.getpid(), 9)";
    let output = python(script);
    let name = output.stdout.trim();
    assert_eq!((output.code(), name.is_empty()), (137, false), "{output:?}");
    assert!(!fs::exists(Path::new("/dev/shm").join(name)).unwrap_or(true), "{output:?}");
}
