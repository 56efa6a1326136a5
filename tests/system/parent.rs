//! "`--parent-death-signal`: send foster SIG when its parent dies": its process, not only the thread
//! that started foster.

use crate::subject::binary;
use crate::support::patience::until;
use crate::support::running::send;
use crate::support::{Launch, Place, Running, probe, procfs};

/// A foster below a parent that does this, which asks for a signal at that one's end.
fn below(parent: &str, signal: &str, before: &[&str], does: &str) -> Running {
    let foster = binary();
    let words = ["exec", &foster, "--parent-death-signal", signal, "--", probe(), "trap", "}"];
    let launch = Launch::new(probe()).args(parent.split(' ')).args(before.iter().copied());
    let mut run = launch.args(words).args(does.split(' ')).place(Place::Job).with_input().start();
    run.expect("trapping");
    run
}

/// A parent that ends the thread that started foster, and no more of its process, when it gets a line.
const THREADS: &str = "read mainless say=alone pause";

#[test]
fn parent_death_signal_comes_when_the_parent_dies() {
    let denied = [
        "deny=pidfd_open:ENOSYS",
        "deny=epoll_create1:EMFILE",
        "deny=epoll_ctl:EPERM",
        // The wait itself, which has two numbers on x86_64 and is 22 on newer machines.
        if cfg!(target_arch = "x86_64") { "deny=232,281:EPERM" } else { "deny=22:EPERM" },
        "deny=signalfd4,timerfd_create:ENOSYS",
        "",
    ];
    for deny in denied {
        let before: &[&str] = if deny.is_empty() { &[] } else { &[deny] };
        let mut run = below("fork {", "USR1", before, "pause");
        run.signal("KILL");
        run.expect("got USR1");
    }
}

#[test]
fn each_signal_that_may_mean_something_to_foster_itself_comes_too() {
    for signal in ["HUP", "PIPE", "XFSZ", "STKFLT", "CONT", "TERM", "37"] {
        let mut run = below("fork {", signal, &[], "pause");
        run.signal("KILL");
        run.expect(&format!("got {signal}"));
    }
}

#[test]
fn the_end_of_the_thread_that_started_foster_is_not_that_of_its_parent() {
    let mut run = below("fork {", "USR1", &[], THREADS);
    let (parent, foster) = (run.pid(), run.child());
    run.write_line("");
    run.expect_all(&["read: ", "alone"]);
    until("its main thread lives", || (procfs::stat(parent)?.state == 'Z').then_some(()));
    // The next thing that the command hears of is what this sends.
    send(foster, "PWR");
    assert_eq!(run.line(), "got PWR");
    run.signal("KILL");
    run.expect("got USR1");
}

#[test]
fn without_pidfds_it_is_the_end_of_the_thread_that_counts() {
    let mut run = below("fork {", "USR1", &["deny=pidfd_open:ENOSYS"], THREADS);
    run.write_line("");
    run.expect_all(&["read: ", "alone", "got USR1"]);
}

#[test]
fn the_end_of_who_adopted_foster_is_that_of_a_parent_too() {
    // The one in the middle ends first, and then who has adopted foster from it.
    let mut run = below("subreaper fork { fork {", "USR1", &[], "read } pause");
    run.write_line("");
    run.expect_all(&["read: ", "got USR1"]);
    run.signal("KILL");
    run.expect("got USR1");
}

#[test]
fn a_parent_that_ends_before_foster_watches_it_is_noticed() {
    // strace is the parent. What foster takes for it at first lives in one case, and does not in the
    // other, so that there is nothing to watch.
    for other in ["1", "4194304"] {
        let inject = format!("inject=getppid:retval={other}:when=1");
        let strace = ["block=USR1", "exec", "strace", "-qq", "-o", "/dev/null", "-e", &inject];
        let foster = [&binary(), "--parent-death-signal", "USR1", "--", probe(), "trap"];
        let launch = Launch::new(probe()).args(strace).args(foster);
        launch.place(Place::Job).start().expect_all(&["trapping", "got USR1"]);
    }
}

#[test]
fn a_parent_outside_the_namespace_is_left_to_the_kernel() {
    let options = ["--parent-death-signal", "USR1", "--"];
    let launch = crate::subject::foster().args(options).probe("say=up pause");
    let mut run = launch.place(Place::Pid1).start();
    run.expect("up");
    procfs::await_rest(run.pid());
    assert!(procfs::waits_for_signals(run.pid()));
    assert!(procfs::open_files(run.pid()).iter().all(|(_, file)| !file.contains("pidfd")));
}
