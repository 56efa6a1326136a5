//! "What the kernel sends foster for its own doing is never forwarded": XFSZ, XCPU and PIPE, however
//! they are read. What somebody sends is.

use std::fs::{self, File};
use std::ptr;
use std::time::Instant;

use nix::libc;

use crate::inheritance::WITHOUT_SIGNALFD;
use crate::subject::{Folder, foster, kill, probe_line, quick};
use crate::support::patience::patience;
use crate::support::skip::has_root_to;
use crate::support::{Launch, Place, Running};

/// From the kernel's hand (in the shortest way, where the log is silent), and from the self-pipe.
const WAYS: [&str; 2] = ["", WITHOUT_SIGNALFD];

fn ways(script: &str) -> impl Iterator<Item = String> {
    WAYS.into_iter().map(move |more| format!("{script} {}", more.trim()).trim_end().to_owned())
}

#[test]
fn a_log_file_at_its_size_limit_sends_nobody_xfsz() {
    for script in ways("close=2 open=LOG limit=fsize:200") {
        let folder = Folder::new();
        let log = folder.word("log");
        File::create(&log).expect("a file can be made");
        let script = script.replace("LOG", &log);
        let launch = foster().args(["-vvv", "--stop-timeout", "1h", "--"]).probe("trap");
        let mut run = launch.inheriting(&script).start();
        run.expect("trapping");
        let goes_on = |run: &mut Running| {
            for _ in 0..20 {
                run.signal("USR1");
                assert_eq!(run.line(), "got USR1", "{script}");
            }
            run.signal("XFSZ");
            assert_eq!(run.line(), "got XFSZ", "{script}");
        };
        goes_on(&mut run);
        // Beside a deadline they are read from a signalfd.
        run.signal("TERM");
        run.expect_all(&["got TERM", "got CONT"]);
        goes_on(&mut run);
        assert_eq!(fs::metadata(&log).expect("it is there").len(), 200);
        run.signal("KILL");
        run.wait_for_status();
    }
}

#[test]
fn a_service_does_not_crash_for_a_log_file_at_its_size_limit() {
    let folder = Folder::new();
    let log = folder.word("log");
    File::create(&log).expect("a file can be made");
    let launch = quick(foster()).args(["-vvv", "--wrap"]).arg(probe_line("trap"));
    let script = format!("close=2 open={log} limit=fsize:20");
    let mut run = launch.inheriting(&script).place(Place::Pid1).start();
    run.expect("trapping");
    for _ in 0..20 {
        run.signal("USR1");
        assert_eq!(run.line(), "got USR1");
    }
    run.signal("TERM");
    assert_eq!(run.line(), "got TERM");
}

#[test]
fn the_processor_time_that_what_became_foster_used_sends_nobody_xcpu() {
    for script in ways("block=XCPU limit=cpu:1 burn=1050") {
        for options in ["-v --", "-q --"] {
            let launch = foster().args(options.split(' ')).probe("trap").inheriting(&script);
            let mut run = launch.start();
            run.expect("trapping");
            run.signal("USR1");
            assert_eq!(run.line(), "got USR1", "{script}");
            run.signal("XCPU");
            assert_eq!(run.line(), "got XCPU", "{script}");
        }
    }
}

#[test]
fn the_processor_time_that_foster_uses_sends_nobody_xcpu() {
    for script in ways("burn=1050") {
        let mut run = foster().args(["-q", "--"]).probe("trap").inheriting(&script).start();
        run.expect("trapping");
        let pid = run.pid();
        let limit = || {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: `limit` takes the answer.
            unsafe { libc::prlimit(pid, libc::RLIMIT_CPU, ptr::null(), &raw mut limit) };
            limit
        };
        let new = libc::rlimit { rlim_cur: 1, ..limit() };
        // SAFETY: `new` is a limit, and the other may be null.
        unsafe { libc::prlimit(pid, libc::RLIMIT_CPU, &raw const new, ptr::null_mut()) };
        // With the signal the kernel raises the limit by a second.
        let deadline = Instant::now() + patience();
        while limit().rlim_cur == 1 {
            assert!(Instant::now() < deadline, "the kernel sends no XCPU");
            run.signal("USR2");
            assert_eq!(run.line(), "got USR2", "{script}");
        }
        for _ in 0..3 {
            run.signal("USR1");
            assert_eq!(run.line(), "got USR1", "{script}");
        }
    }
}

#[test]
fn a_reader_that_is_gone_sends_nobody_pipe() {
    // A PIPE of its own that foster finds before its first wait, as it came to what became foster.
    for options in ["-v --", "-q --"] {
        for script in ways("block=PIPE brokenpipe") {
            let launch = foster().args(options.split(' ')).probe("trap").inheriting(&script);
            let mut run = launch.start();
            run.expect("trapping");
            run.signal("USR1");
            assert_eq!(run.line(), "got USR1", "{script}");
            let pid = run.pid();
            kill(pid, libc::SIGPIPE);
            assert_eq!(run.line(), "got PIPE", "{script}");
        }
    }
}

#[test]
fn a_signal_that_interrupts_log_lines_is_forwarded_like_any_other() {
    if !has_root_to("start foster as another user") {
        return;
    }
    // With a log that is written in this way, and with another.
    for script in ["close=2 open=/dev/null", "close=2 open=/dev/tty uid=65534"] {
        let launch: Launch = foster().args(["-vvv", "--"]).probe("trap").inheriting(script);
        let mut run = launch.place(Place::TerminalLeader).start();
        run.expect("trapping");
        for _ in 0..10 {
            run.signal("STKFLT");
            run.signal("USR1");
            run.expect_all(&["got STKFLT", "got USR1"]);
        }
    }
}
