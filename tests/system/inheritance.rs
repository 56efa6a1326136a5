//! "The child gets exactly the signal mask and dispositions that foster was started with, all
//! descriptors that foster inherited and none that it opened", and odd ones do no harm.

use crate::subject::{Folder, foster, probe_line, quick, wrapped};
use crate::support::procfs;
use crate::support::{Launch, Place, Running, Status, probe};

/// Without signalfd foster installs handlers, but still passes on the inherited dispositions.
pub const WITHOUT_SIGNALFD: &str = "deny=signalfd4,timerfd_create:ENOSYS";

/// A few odd inheritances, as instructions for the probe that becomes foster.
const ODD: [&str; 7] = [
    "say=nothing",
    "ignore=HUP",
    "ignore=HUP,CHLD,PIPE,TTOU block=USR1,TERM,CHLD",
    "rawignore=32,33,34,64",
    "rawblock=32,33,34,64",
    "blockall",
    "blockall rawignore=1,2,3,6,11,13,15,17,20,21,22,32,33,40,64",
];

#[test]
fn the_child_gets_exactly_the_mask_and_dispositions_that_foster_was_started_with() {
    for odd in ODD {
        gets_what_was_inherited(odd, "");
    }
}

#[test]
fn without_signalfd_it_gets_them_as_exactly() {
    for odd in ODD {
        gets_what_was_inherited(odd, WITHOUT_SIGNALFD);
    }
}

fn gets_what_was_inherited(odd: &str, more: &str) {
    let signals = |pid| {
        ["SigBlk", "SigIgn", "SigCgt"].map(|field| procfs::status(pid, field).expect("it lives"))
    };
    let script = format!("{odd} {more}");
    let script = script.trim();
    let mut direct = Launch::new(probe()).args(["say=up", "pause"]).inheriting(script).start();
    direct.expect("up");
    let expected = signals(direct.pid());
    for launch in [foster().probe("say=up pause"), wrapped("say=up pause")] {
        let mut run = launch.inheriting(script).start();
        run.expect("up");
        let child = run.child();
        assert_eq!(signals(child), expected, "{script}");
    }
}

#[test]
fn a_restarted_service_gets_them_as_exactly() {
    let mut run = wrapped("mask ignored exit=1").inheriting("ignore=HUP,PIPE block=USR1").start();
    for _ in 0..3 {
        assert_eq!([run.line(), run.line()], ["blocked: USR1", "ignored: HUP PIPE"]);
    }
}

#[test]
fn the_child_gets_all_descriptors_that_foster_inherited_and_none_that_it_opened() {
    // With a gap, which foster's own fill.
    let script = "open=/dev/null open=/dev/null open=/dev/zero close=3";
    // Later runs are started when foster has opened all that it ever does.
    let output = quick(foster()).args(["--max-restarts", "3", "--wrap"]);
    let output = output.arg(probe_line("fds exit=1")).inheriting(script).output();
    assert_eq!(output.stdout, "fds: 0 1 2 4 5\n".repeat(4));
    let output = foster().probe("fds").inheriting(script).output();
    assert_eq!(output.stdout, "fds: 0 1 2 4 5\n");
}

#[test]
fn descriptors_0_to_2_that_were_closed_stay_closed_for_the_child() {
    for (closed, expected) in [
        ("close=0", vec![1, 2]),
        ("close=1", vec![0, 2]),
        ("close=2", vec![0, 1]),
        ("close=0 close=1", vec![2]),
        ("close=1 close=2", vec![0]),
        ("close=0 close=1 close=2", vec![]),
    ] {
        for more in ["", " deny=signalfd4,timerfd_create:ENOSYS"] {
            for launch in
                [foster().probe("pause"), wrapped("pause"), foster().arg("-vvv").probe("pause")]
            {
                let script = format!("{closed}{more}");
                let mut run = launch.inheriting(&script).place(Place::Pid1).start();
                let child = named_child(&mut run);
                assert_eq!(procfs::descriptors(child), expected, "{script}");
            }
        }
    }
}

/// The child once it is the probe and waits.
fn named_child(run: &mut Running) -> i32 {
    let child = run.child();
    crate::support::patience::until("the probe does not sleep", || {
        procfs::stat(child).filter(|stat| stat.name == "probe" && stat.state == 'S')
    });
    child
}

#[test]
fn closed_descriptors_0_to_2_do_no_harm() {
    for closed in ["close=0", "close=1", "close=2", "close=0 close=1 close=2"] {
        for script in ["exit=7", "sleep=10 exit=7"] {
            let output = foster().arg("-vvv").probe(script).inheriting(closed).output();
            assert_eq!(output.code(), 7, "{closed}");
        }
        let launch = wrapped("exit=3").args(["--max-restarts", "3", "-vvv"]).inheriting(closed);
        assert_eq!(launch.output().code(), 3, "{closed}");
    }
}

#[test]
fn eight_descriptors_are_enough() {
    for more in ["limit=nofile:8", "limit=nofile:8 deny=signalfd4,timerfd_create:ENOSYS"] {
        let output = foster().probe("fds exit=7").inheriting(more).output();
        assert_eq!((output.code(), output.stdout.as_str()), (7, "fds: 0 1 2\n"), "{output:?}");

        // A crash with leftovers in the group and outside it, then a stop that takes a while.
        let folder = Folder::new();
        let app = folder.script(
            "app",
            format!(
                "[ -e $0.2 ] && exec {0} block=TERM say=second await=TERM sleep=100 \
                 say=bye\n: > $0.2\nsetsid {0} say=daemon pause &\n{0} say=member pause &\n\
                 read go < {1}\nexit 1\n",
                probe(),
                folder.fifo("go"),
            ),
        );
        // The shell itself needs more.
        let line = format!("{} limit=nofile:1024 exec sh {app}", probe());
        let launch = quick(foster()).args(["-vvv", "--wrap", &line]).inheriting(more);
        let mut run = launch.place(Place::Job).start();
        run.expect_all(&["daemon", "member"]);
        folder.feed("go", "go\n");
        run.expect("second");
        // foster and the service.
        assert_eq!(run.living().len(), 2, "{}", run.errors());
        run.signal("TERM");
        run.expect("bye");
        assert_eq!(run.wait_for_status(), Status::Code(0));
        assert!(run.living().is_empty());
    }
}

#[test]
fn sigchld_inherited_as_ignored_does_no_harm() {
    for more in ["ignore=CHLD", "ignore=CHLD deny=signalfd4,timerfd_create:ENOSYS"] {
        for place in [Place::Child, Place::Pid1] {
            let output = foster().probe("ignored exit=7").inheriting(more).place(place).output();
            assert_eq!((output.code(), output.stdout.as_str()), (7, "ignored: CHLD\n"));
        }
    }
}

#[test]
fn a_full_signal_mask_does_no_harm() {
    for more in ["blockall", "blockall deny=signalfd4,timerfd_create:ENOSYS"] {
        let mut run = foster().probe("trap").inheriting(more).place(Place::Pid1).start();
        run.expect("trapping");
        run.signal("USR1");
        run.expect("got USR1");
        run.signal("TERM");
        run.expect("got TERM");
        let output = foster().probe("exit=7").inheriting(more).output();
        assert_eq!(output.code(), 7);
    }
}

#[test]
fn a_system_without_proc_does_no_harm() {
    let launch = foster().arg("-vvv").probe("orphan { exit=1 } trap");
    let mut run = launch.inheriting("proc=none").place(Place::Pid1).start();
    run.expect("trapping");
    run.signal("HUP");
    run.expect("got HUP");
    let pid = run.pid();
    crate::support::patience::until("zombies stay", || {
        (procfs::children(pid).len() == 1).then_some(())
    });
    run.signal("TERM");
    run.expect("got TERM");
}
