//! "TERM right after the start, 1,000 times, none lost."
//!
//! These start foster by clone(2) itself: a thousand `unshare`s would take their time, and the
//! signal is to come as early as can be.

use std::ffi::{CString, c_char};
use std::os::fd::AsFd;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;

use crate::subject::{binary, foster, kill};
use crate::support::launch::forget_dispositions;
use crate::support::patience::patience;
use crate::support::procfs;
use crate::support::skip::has_root_to;
use crate::support::stream::{await_any, process_descriptor};
use crate::support::{Place, probe};

/// Tries of each kind.
const TRIES: u32 = 1000;

const MAKE_NAMESPACES: &str = "be PID 1 by clone(2) alone";

#[test]
fn term_right_after_the_start_of_pid_1_reaches_the_child_a_thousand_times() {
    if !has_root_to(MAKE_NAMESPACES) {
        return;
    }
    side_by_side(TRIES, |attempt| {
        let mut run = Early::start(Namespace::Own, &["--stop-timeout", "infinity", "--"]);
        run.await_blocked_signals();
        wait(attempt);
        kill(run.pid, libc::SIGTERM);
        assert_eq!(run.end(), Some(128 + libc::SIGTERM), "try {attempt}");
    });
}

#[test]
fn any_signal_right_after_the_start_of_pid_1_reaches_the_child() {
    if !has_root_to(MAKE_NAMESPACES) {
        return;
    }
    side_by_side(TRIES / 2, |attempt| {
        let number =
            [libc::SIGUSR1, libc::SIGINT, libc::SIGSEGV, libc::SIGHUP, 40][attempt as usize % 5];
        let mut run = Early::start(Namespace::Own, &["--"]);
        run.await_blocked_signals();
        wait(attempt);
        kill(run.pid, number);
        assert_eq!(run.end(), Some(128 + number), "try {attempt}");
    });
}

#[test]
fn term_right_after_the_start_of_a_supervisor_stops_it_a_thousand_times() {
    if !has_root_to(MAKE_NAMESPACES) {
        return;
    }
    let line = format!("{} pause", probe());
    side_by_side(TRIES, |attempt| {
        let options = ["-q", "--stop-timeout", "infinity", "--wrap", &line];
        let mut run = Early::start(Namespace::Own, &options);
        run.await_blocked_signals();
        wait(attempt);
        kill(run.pid, libc::SIGTERM);
        assert_eq!(run.end(), Some(0), "try {attempt}");
    });
}

#[test]
fn term_at_any_moment_ends_a_foster_that_is_not_pid_1_a_thousand_times() {
    side_by_side(TRIES, |attempt| {
        let mut run = Early::start(Namespace::Shared, &["--stop-timeout", "infinity", "--"]);
        // From before its first instruction on.
        wait(attempt * 2);
        kill(run.pid, libc::SIGTERM);
        // Either it got it as any program, and started nothing, or the child got it.
        let end = run.end();
        assert!(end.is_none_or(|code| code == 128 + libc::SIGTERM), "try {attempt}: {end:?}");
    });
}

#[test]
fn a_signal_that_came_before_the_first_instruction_is_not_lost_where_it_was_blocked() {
    for more in ["", " deny=signalfd4,timerfd_create:ENOSYS"] {
        let script = format!("block=TERM,USR1 raise=TERM,USR1{more}");
        let launch = foster().arg("--").probe("trap").inheriting(&script);
        let mut run = launch.place(Place::Pid1).start();
        run.expect_all(&["trapping", "got TERM", "got USR1"]);
    }
}

/// Runs many tries on several threads; most of their time is the kernel's work for namespaces.
fn side_by_side(tries: u32, attempt: impl Fn(u32) + Sync) {
    let next = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mine = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < tries);
                std::iter::from_fn(mine).for_each(&attempt);
            });
        }
    });
}

/// Lets a time pass that differs from try to try: half a millisecond in steps of 10 µs.
fn wait(attempt: u32) {
    let end = Instant::now() + Duration::from_micros(u64::from(attempt % 50) * 10);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Namespace {
    Own,
    Shared,
}

/// A foster that was started a moment ago.
struct Early {
    pid: i32,
    ended: bool,
}

impl Early {
    /// Starts foster with these options; what it runs pauses.
    fn start(namespace: Namespace, options: &[&str]) -> Early {
        let mut words = vec![binary()];
        words.extend(options.iter().map(|word| (*word).to_owned()));
        if options.last() == Some(&"--") {
            words.extend([probe().to_owned(), "pause".to_owned()]);
        }
        let words: Vec<CString> =
            words.into_iter().map(|word| CString::new(word).expect("no NUL inside")).collect();
        let mut list: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
        list.push(ptr::null());
        let environment = [c"PATH=/usr/bin:/bin".as_ptr(), ptr::null()];
        let flags = match namespace {
            Namespace::Own => libc::CLONE_NEWPID | libc::SIGCHLD,
            Namespace::Shared => libc::SIGCHLD,
        };
        // SAFETY: without CLONE_VM this is a fork. The child makes system calls on values that
        // were made before, and nothing else.
        let pid = unsafe {
            let pid = libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) as i32;
            if pid == 0 {
                forget_dispositions();
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::setsid();
                libc::execve(list[0], list.as_ptr(), environment.as_ptr());
                libc::_exit(99);
            }
            pid
        };
        assert!(pid > 0, "a process can be made: {}", std::io::Error::last_os_error());
        Early { pid, ended: false }
    }

    /// Waits until its first instructions have run.
    ///
    /// To PID 1 a signal that comes before is none at all: the kernel drops it.
    fn await_blocked_signals(&self) {
        let deadline = Instant::now() + patience();
        let unblocked = |mask: String| mask == "0000000000000000";
        while procfs::status(self.pid, "SigBlk").is_some_and(unblocked)
            && !procfs::waits_for_signals(self.pid)
        {
            assert!(Instant::now() < deadline, "it never blocked its signals");
        }
    }

    /// Waits for its end; gives the code, or none where a signal killed it.
    fn end(&mut self) -> Option<i32> {
        let descriptor = process_descriptor(self.pid).expect("it is not reaped yet");
        let ended = await_any(&[descriptor.as_fd()], Instant::now() + patience());
        assert!(ended, "the signal was lost");
        let mut status = 0;
        // SAFETY: it waits for a process that this test started.
        unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
        self.ended = true;
        libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status))
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        if !self.ended {
            // SAFETY: it is a child that was not waited for, so the pid is its own.
            unsafe {
                libc::kill(self.pid, libc::SIGKILL);
                libc::waitpid(self.pid, ptr::null_mut(), 0);
            }
        }
    }
}
