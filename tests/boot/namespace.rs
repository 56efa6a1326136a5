//! PID 1 of a PID namespace is not PID 1 of a machine: no emulator is needed to see that.

use crate::scratch;
use crate::support::{Launch, Place, Status};

#[test]
fn in_a_pid_namespace_foster_mounts_nothing_and_exits() {
    let run = Launch::new(scratch::foster()).args(["-v", "--"]).probe("exit=4");
    let output = run.place(Place::Pid1).output();
    assert_eq!(output.code(), 4);
    assert!(!output.stderr.contains("mounted"), "{output:?}");
    assert!(!output.stderr.contains("powering off"), "{output:?}");
}

#[test]
fn without_proc_foster_is_not_taken_in_by_a_pid_namespace() {
    let run = Launch::new(scratch::foster()).args(["-v", "--"]).probe("exit=4");
    let output = run.inheriting("proc=none").place(Place::Pid1).output();
    assert_eq!(output.code(), 4);
    assert!(!output.stderr.contains("mounted"), "{output:?}");
}

#[test]
fn boot_overrules_so_that_a_pid_namespace_ends_as_a_machine_does() {
    // For whoever made the namespace the kernel turns the end of the machine into a signal
    // (reboot(2)).
    for (signal, words, told) in
        [("TERM", "rebooting", "HUP"), ("USR1", "halting", "INT"), ("USR2", "powering off", "INT")]
    {
        let run = Launch::new(scratch::foster()).args(["--boot", "--"]).probe("trap=probe");
        let mut run = run.place(Place::Pid1).start();
        run.expect("probe trapping");
        run.signal(signal);
        run.expect("probe got TERM");
        let child = run.child();
        crate::support::running::send(child, "KILL");
        let output = run.wait();
        let line = format!("foster: info: {words}");
        assert!(output.stderr.lines().any(|one| one == line), "{output:?}");
        assert_eq!(output.status, Status::Signal(told.into()), "{output:?}");
    }
}

#[test]
fn boot_is_refused_to_anyone_but_pid_1() {
    let output =
        Launch::new(scratch::foster()).args(["--boot", "--"]).probe("say=started").output();
    assert_eq!(output.code(), 125);
    assert_eq!(output.stdout, "");
    let why =
        "foster: cannot be the init of a machine (--boot): only PID 1 can; nothing was started";
    assert_eq!(output.stderr.trim_end(), why);
}
