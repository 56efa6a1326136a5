//! The state of the machine when its command runs.

use crate::machine::{Ending, Machine};

#[test]
fn it_mounts_what_is_missing_takes_the_console_and_reaps() {
    let mut machine = Machine::new(&[("console", CONSOLE)]).boot("-- --wrap console");
    for place in [("devtmpfs", "/dev"), ("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")] {
        machine.expect(&format!("foster: info: mounted {} on {}", place.0, place.1));
    }
    machine.expect_part("foster: info: console (pid ");
    machine.expect("console: listening");
    for (question, answer) in [
        ("readlink /proc/1/exe", "/init"),
        ("echo \"the path is $PATH\"", &format!("the path is {PATH}")),
        ("cat /proc/sys/kernel/ctrl-alt-del", "0"),
        ("ls /sys/kernel/mm >/dev/null && echo sysfs works", "sysfs works"),
        ("echo hi >/run/file && cat /run/file", "hi"),
        ("ls -d /dev/ttyS0", "/dev/ttyS0"),
        ("readlink /proc/1/fd/2", "/dev/console"),
        ("probe orphans=1000 && echo 1000 orphans", "1000 orphans"),
        // Whatever ends while this looks is the reader's own child.
        (
            "while grep -q '^State:.Z' /proc/[0-9]*/status; do sleep 1; done; echo no zombies",
            "no zombies",
        ),
        ("cat /proc/1/stat | grep -o '^1 (init) S 0 1 1 '", "1 (init) S 0 1 1 "),
    ] {
        machine.type_line(question);
        machine.expect(answer);
    }
    machine.type_line("kill -USR2 1");
    assert_eq!(machine.ending(), Ending::PowerOff);
    machine.off();
}

#[test]
fn what_is_mounted_already_is_left_alone() {
    let mut machine = Machine::new(&[("look", "grep -c ' /proc \\| /dev \\| /run ' /proc/mounts")]);
    machine.add_foster("bin/foster");
    let init = "mount -t proc none /proc; mount -t devtmpfs none /dev; mount -t tmpfs own /run; \
                exec foster look";
    machine.add("init", format!("#!/bin/sh\n/bin/busybox mkdir /proc /run\n{init}\n").as_bytes());
    let mut machine = machine.boot("");
    machine.expect("foster: info: mounted sysfs on /sys");
    machine.expect("3");
    assert_eq!(machine.ending(), Ending::PowerOff);
    let seen = machine.off();
    assert_eq!(seen.matches("foster: info: mounted").count(), 1, "{seen}");
}

#[test]
fn closed_descriptors_are_opened_on_the_console_that_devtmpfs_brings() {
    let mut machine =
        Machine::new(&[("look", "for fd in 0 1 2; do readlink /proc/1/fd/$fd; done")]);
    machine.add_foster("bin/foster");
    let init = "rm /dev/console; exec foster look 0<&- 1>&- 2>&-";
    machine.add("init", format!("#!/bin/sh\n{init}\n").as_bytes());
    let mut machine = machine.boot("");
    machine.expect("foster: info: mounted devtmpfs on /dev");
    for _ in 0..3 {
        machine.expect("/dev/console");
    }
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn closed_descriptors_are_opened_on_dev_null_where_there_is_no_console() {
    let look = "for fd in 0 1 2; do readlink /proc/1/fd/$fd; done >/dev/ttyS0";
    let mut machine = Machine::new(&[("look", look)]);
    machine.add_foster("bin/foster");
    let init = "mount -t devtmpfs none /dev; rm /dev/console; exec foster look 0<&- 1>&- 2>&-";
    machine.add("init", format!("#!/bin/sh\n{init}\n").as_bytes());
    let mut machine = machine.boot("");
    for _ in 0..3 {
        machine.expect("/dev/null");
    }
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn a_step_of_the_clock_by_a_day_changes_nothing() {
    // There is one in every backoff, to and fro.
    let clock = "day=86400; while sleep 1; do before=$(date +%s); date -s @$((before + day)) \
                 >/dev/null; echo clock: $before $(date +%s); day=$((-day)); done";
    let app = "read up rest </proc/uptime; echo app: $up; exit 1";
    let options = "-- --backoff 3s --backoff-max 3s --wrap clock --wrap app";
    let mut machine = Machine::new(&[("clock", clock), ("app", app)]).boot(options);
    let (mut starts, mut steps) = (Vec::new(), Vec::new());
    while starts.len() < 5 {
        let line = machine.expect_part(": ");
        let words: Vec<&str> = line.split(' ').collect();
        // The kernel may have broken the line with one of its own.
        let number = |place: usize| words.get(place)?.parse::<f64>().ok();
        match words[0] {
            "app:" => starts.extend(number(1)),
            "clock:" => steps.extend(number(1).zip(number(2)).map(|(from, to)| to - from)),
            _ => {}
        }
    }
    let waited: Vec<f64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waited.iter().all(|seconds| (3.0..60.0).contains(seconds)), "{waited:?}");
    let a_day = |step: &&f64| (step.abs() - 86400.0).abs() < 60.0;
    assert!(steps.iter().filter(a_day).count() >= 4, "{steps:?}");
}

#[test]
fn a_command_follows_two_dashes_on_the_kernel_command_line() {
    let mut machine = Machine::new(&[]).boot("-- echo these are \"three words\"");
    machine.expect("these are three words");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn services_with_quotes_follow_two_dashes_on_the_kernel_command_line() {
    let wraps = "--wrap \"echo 'two  blanks'\" --wrap=\"sh -c 'echo one \\$ and  two  more'\"";
    let mut machine = Machine::new(&[]).boot(&format!("-- --restart never {wraps}"));
    machine.expect_parts(&["two  blanks", "one $ and two more"]);
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn a_service_is_given_as_a_variable_on_the_kernel_command_line() {
    let mut machine = Machine::new(&[("console", CONSOLE)]).boot("WRAP_CMD=\"console with words\"");
    machine.expect("console: listening with words");
    machine.type_line("kill -USR2 1");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn the_initramfs_gives_arguments_in_the_first_line_of_its_init() {
    let mut machine = Machine::new(&[]);
    machine.add_foster("bin/foster");
    machine.add("init", b"#!/bin/foster /bin/sh\necho a script under PID $PPID\n");
    let mut machine = machine.boot("");
    machine.expect("a script under PID 1");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn leftover_words_of_the_kernel_are_no_command() {
    let mut machine = Machine::new(&[]).boot("splash single auto -- echo one command");
    machine.expect(
        "foster: warning: ignoring 'splash', 'single', 'auto' of the kernel command line: put \
         arguments for foster behind --, as in: quiet -- COMMAND",
    );
    machine.expect("one command");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn leftover_words_of_the_kernel_are_reported_before_the_end() {
    let mut machine = Machine::new(&[]).boot("splash");
    machine.expect_part("foster: warning: ignoring 'splash' of the kernel command line: ");
    machine.expect_part("foster: no command: ");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

#[test]
fn words_that_a_script_gives_are_foster_s_whatever_the_kernel_had_left_over() {
    let mut machine = Machine::new(&[("single", "echo a command called $0 $1")]);
    machine.add_foster("bin/foster");
    machine.add("init", b"#!/bin/sh\nexec foster single user\n");
    let mut machine = machine.boot("single");
    machine.expect("a command called /bin/single user");
    assert_eq!(machine.ending(), Ending::PowerOff);
}

/// A service that does what is typed on the console.
pub const CONSOLE: &str = "echo console: listening $*; while read -r line; do eval \"$line\"; done";

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
