//! How the machine ends, and what comes before.

use std::time::Duration;

use crate::machine::{Booted, Ending, Machine};
use crate::starts::CONSOLE;

#[test]
fn sigterm_reboots() {
    assert_eq!(ends_by_command("kill -TERM 1", "SIGTERM", "rebooting"), Ending::Reboot);
}

#[test]
fn sigusr1_halts() {
    assert_eq!(ends_by_command("kill -USR1 1", "SIGUSR1", "halting"), Ending::Halt);
}

#[test]
fn sigusr2_powers_off() {
    assert_eq!(ends_by_command("kill -USR2 1", "SIGUSR2", "powering off"), Ending::PowerOff);
}

#[test]
fn the_power_failure_powers_off() {
    assert_eq!(ends_by_command("kill -PWR 1", "SIGPWR", "powering off"), Ending::PowerOff);
}

#[test]
fn ctrl_alt_del_reboots() {
    let machine = with_two_services();
    machine.press_ctrl_alt_del();
    assert_eq!(ends(machine, "SIGINT", "rebooting"), Ending::Reboot);
}

#[test]
fn a_second_ctrl_alt_del_waits_for_nobody() {
    let scripts = [("app", "trap '' TERM INT; echo app: up; while :; do sleep 1; done")];
    let mut machine = Machine::new(&scripts).boot("-- --stop-timeout infinity --wrap app");
    machine.expect("app: up");
    machine.press_ctrl_alt_del();
    machine.expect("foster: info: SIGINT: stopping");
    machine.press_ctrl_alt_del();
    machine.expect("foster: warning: app has not ended: sending SIGKILL");
    machine.expect("foster: info: rebooting");
    assert_eq!(machine.ending(), Ending::Reboot);
}

#[test]
fn a_command_that_ends_powers_off_once_what_it_left_has_ended_too() {
    let scripts = [
        (
            "daemon",
            "trap 'echo daemon: put away; exit' TERM; echo daemon: up; while :; do sleep 1; done",
        ),
        ("stubborn", "trap '' TERM; echo stubborn: up; while :; do sleep 1; done"),
        ("main", "setsid daemon & setsid stubborn & read line; echo main: $line; exit 3"),
    ];
    let mut machine = Machine::new(&scripts).boot("-- --stop-timeout 10s main");
    machine.expect_parts(&["daemon: up", "stubborn: up"]);
    machine.type_line("go");
    machine.expect("main: go");
    machine.expect_part(" exited with status 3");
    machine.expect("foster: info: sending SIGTERM to all remaining processes");
    machine.expect("daemon: put away");
    machine.expect("foster: info: sending SIGKILL to all remaining processes");
    machine.expect("foster: info: powering off");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn a_service_that_gives_up_powers_off() {
    let scripts = [("crash", "exit 3")];
    let mut machine = Machine::new(&scripts)
        .boot("-- --max-restarts 2 --backoff 10ms --wrap \"sleep 1000\" --wrap crash");
    machine.expect_part("foster: error: giving up on crash");
    machine.expect("foster: info: stopping");
    machine.expect_part("foster: info: sleep (pid ");
    machine.expect("foster: info: powering off");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn a_command_that_cannot_be_started_powers_off() {
    let mut machine = Machine::new(&[]).boot("-- no-such-command");
    machine
        .expect("foster: error: cannot start no-such-command: 'no-such-command': no such command");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn a_command_line_that_cannot_be_read_powers_off() {
    let mut machine = Machine::new(&[]).boot("-- --no-such-option");
    machine.expect_part("foster: unknown option --no-such-option");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn nothing_to_run_powers_off() {
    let mut machine = Machine::new(&[]).boot("");
    machine.expect_part("foster: no command: ");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn under_a_peers_name_the_end_of_the_command_powers_off_too() {
    let scripts = [("leave", "setsid sleep 1000 & echo left; exit 3")];
    let mut machine = Machine::new(&scripts).boot("-- --as tini leave");
    machine.expect("left");
    assert_eq!(machine.ending(), Ending::PowerOff);
    assert!(!machine.seen().contains("foster:"), "{}", machine.seen());
}

#[test]
fn under_a_peers_name_a_signal_ends_the_machine_too() {
    let mut machine = Machine::new(&[("console", CONSOLE)]);
    machine.add_foster("bin/dumb-init");
    let mut machine = machine.boot("rdinit=/bin/dumb-init -- console");
    machine.expect("console: listening");
    machine.type_line("kill -TERM 1");
    assert_eq!(machine.ending(), Ending::Reboot);
}

#[test]
fn no_boot_overrules_so_that_the_end_is_the_kernels_business() {
    let mut machine =
        Machine::new(&[("look", "mount; echo mounts: $?; exit 4")]).boot("-- --no-boot /bin/look");
    machine.expect("mounts: 1");
    assert_eq!(machine.ending(), Ending::Panic);
    assert!(machine.seen().contains("exitcode=0x00000400"), "{}", machine.seen());
    assert!(!machine.seen().contains("mounted"), "{}", machine.seen());
}

#[test]
fn no_boot_leaves_ctrl_alt_del_to_the_kernel_which_asks_nobody() {
    let app = "trap 'echo app: told; exit' INT TERM; echo app: up; while :; do sleep 1; done";
    let mut machine = Machine::new(&[("app", app)]).boot("-- -v --no-boot /bin/app");
    machine.expect("app: up");
    machine.press_ctrl_alt_del();
    assert_eq!(machine.ending(), Ending::Reboot);
    for said in ["app: told", "SIGINT", "rebooting"] {
        assert!(!machine.seen().contains(said), "{}", machine.seen());
    }
}

#[test]
fn a_slow_console_gets_the_last_line_before_the_power_off() {
    let mut machine = with_a_console_held_back_at_the_end();
    let ends = machine.ends_within(A_WHILE);
    assert!(!ends, "the machine did not wait for its console:\n{}", machine.seen());
    machine.release_console();
    machine.expect("foster: info: powering off");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn a_stopped_console_does_not_prevent_the_power_off() {
    let mut machine = with_a_console_held_back_at_the_end();
    assert_eq!(machine.ending(), Ending::PowerOff);
    assert!(!machine.seen().contains("powering off"), "{}", machine.seen());
}

#[test]
fn a_machine_that_cannot_be_ended_says_why_and_stands_still_until_ctrl_alt_del() {
    let mut machine = Machine::new(&[("app", "echo running")]);
    machine.add_foster("bin/foster");
    let init = "exec probe deny=reboot:EPERM exec foster app";
    machine.add("init", format!("#!/bin/sh\n{init}\n").as_bytes());
    let mut machine = machine.boot("sysrq_always_enabled");
    machine.expect("running");
    machine.expect("foster: info: powering off");
    machine.expect(
        "foster: error: powering off failed: Operation not permitted; Ctrl-Alt-Del reboots",
    );
    // The kernel shows all tasks, the first one first; had that ended, the kernel had panicked. Only
    // now may it say so much on the console: a line of its own could have broken one of foster's.
    machine.press("alt-sysrq-8");
    machine.press("alt-sysrq-t");
    let first = machine.expect_part("task:");
    assert!(first.contains("task:foster ") && first.contains(" state:S "), "{first}");
    machine.press_ctrl_alt_del();
    assert_eq!(machine.ending(), Ending::Reboot);
}

#[test]
fn a_platform_that_comes_back_from_its_power_off_is_no_kernel_panic() {
    let mut machine = Machine::new(&[("app", "echo running")]);
    machine.add_foster("bin/foster");
    let init = "exec probe deny=reboot:0 exec foster app";
    machine.add("init", format!("#!/bin/sh\n{init}\n").as_bytes());
    let mut machine = machine.boot("");
    machine.expect("running");
    machine.expect_part("powering off failed: the platform cannot do it; Ctrl-Alt-Del reboots");
    machine.press_ctrl_alt_del();
    assert_eq!(machine.ending(), Ending::Reboot);
}

#[test]
fn file_systems_that_hang_do_not_prevent_the_power_off() {
    let mut machine = Machine::new(&[("app", "echo running")]);
    machine.add_foster("bin/foster");
    // With /proc there already, foster unmounts nothing before the end.
    let init =
        "mkdir /proc; mount -t proc none /proc; exec probe hang=umount2,sync exec foster app";
    machine.add("init", format!("#!/bin/sh\n{init}\n").as_bytes());
    let mut machine = machine.boot("");
    machine.expect("running");
    machine.expect("foster: warning: unmounting /run hangs: continuing without it");
    machine.expect("foster: warning: a disk does not answer: unwritten data is lost");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

/// A machine whose console is stopped, and whose service has printed its last line: the remaining
/// output is foster's.
fn with_a_console_held_back_at_the_end() -> Booted {
    // By way of the kernel, which nothing holds back.
    let last = "echo \"<1>console: done\" >/dev/kmsg";
    let service = format!("trap '{last}; exit' TERM; {CONSOLE}");
    let mut machine = Machine::new(&[("console", &service)]).boot("-- --wrap console");
    machine.expect("console: listening");
    machine.hold_console();
    machine.type_line("kill -USR2 1");
    machine.expect_part("console: done");
    machine
}

/// Longer than it takes from there to the end, and shorter than foster waits for its console.
const A_WHILE: Duration = Duration::from_millis(400);

/// A machine with an app that cleans up, and a service that obeys the console.
fn with_two_services() -> Booted {
    let app = "trap 'echo app: cleaning up; sleep 1; echo app: done; exit' TERM; echo app: up; \
               while :; do sleep 1; done";
    let scripts = [("app", app), ("console", CONSOLE)];
    let mut machine = Machine::new(&scripts).boot("-- --wrap app --wrap console");
    machine.expect_parts(&["app: up", "console: listening"]);
    machine
}

fn ends_by_command(command: &str, signal: &str, words: &str) -> Ending {
    let mut machine = with_two_services();
    machine.type_line(command);
    ends(machine, signal, words)
}

/// The ordinary stop, then the end that the kernel tells.
fn ends(mut machine: Booted, signal: &str, words: &str) -> Ending {
    machine.expect(&format!("foster: info: {signal}: stopping"));
    machine.expect("app: cleaning up");
    machine.expect("app: done");
    machine.expect_part("foster: info: app (pid ");
    machine.expect(&format!("foster: info: {words}"));
    machine.ending()
}
