//! PID 1 of a PID namespace is not PID 1 of a machine. Most of that needs no emulator.

use crate::machine::{Ending, Machine};
use crate::scratch;
use crate::starts::CONSOLE;
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
fn company_from_outside_does_not_make_a_machine_of_a_pid_namespace() {
    // PID 2 is in a group that cannot be seen, as the parent of the kernel's threads is.
    for before in ["fork { pause }", "proc=none fork { pause }"] {
        let run = Launch::new(scratch::foster()).args(["-v", "--"]).probe("ids exit=4");
        let output = run.inheriting(before).with_own_users().place(Place::Pid1).output();
        assert_eq!(output.code(), 4, "{output:?}");
        assert!(output.stdout.starts_with("pid=3 ppid=1 "), "{output:?}");
        for said in ["mounted", "to all remaining processes", "powering off"] {
            assert!(!output.stderr.contains(said), "{output:?}");
        }
    }
}

#[test]
fn a_machines_own_root_is_not_taken_in_by_a_pid_namespace_either() {
    let mut machine = Machine::new(&[("console", CONSOLE)]);
    machine.add_foster("mnt/foster");
    machine.add("mnt/probe", &std::fs::read(scratch::probe()).expect("the probe can be read"));
    let mut machine = machine.boot("-- --wrap console");
    machine.expect("console: listening");
    // In there is no /proc, and PID 2 is in a group from outside.
    let inner = "sleep 1000 & exec chroot /mnt /foster -v -- /probe exit=4";
    machine.type_line(&format!("unshare -m -p -f sh -c '{inner}'; echo status $?"));
    machine.expect_part("foster: info: probe (pid 3) started");
    machine.expect("status 4");
    machine.type_line("ls /mnt/proc /mnt/run || echo nothing made");
    machine.expect("nothing made");
    machine.type_line("kill -USR2 1");
    assert_eq!(machine.ending(), Ending::PowerOff);
    let seen = machine.off();
    assert_eq!(seen.matches("foster: info: mounted").count(), 4, "{seen}");
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
        "foster: cannot be the init of a system (--boot): only PID 1 can; nothing was started";
    assert_eq!(output.stderr.trim_end(), why);
}
