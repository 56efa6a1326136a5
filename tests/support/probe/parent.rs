//! The parent of one job, as a shell with job control is: `parent=MODE,FD PROGRAM WORD...`.
//!
//! MODE is `plain` (no terminal), or `foreground` or `background` (this process leads the session
//! of the terminal on standard input). The job runs in a process group of its own. Descriptor FD
//! is the connection over which this parent tells what happens, in lines, and takes commands:
//!
//! | says | when |
//! | --- | --- |
//! | `started PID GROUP` | the job runs; GROUP is this parent's own process group |
//! | `stopped NAME foreground N`, `continued` | the job was stopped or resumed |
//! | `exited CODE foreground N`, `killed NAME foreground N` | it ended |
//! | `foreground N` | the terminal's foreground process group, on request |
//!
//! The commands are `foreground?` (ask), `fg` and `bg` (resume the job) and `give` (give the job
//! the terminal, and tell). Like a shell it takes the terminal back when a foreground job stops or
//! ends, and it says first what it found. It also reaps every orphan that comes to it, so it can be
//! the init of a PID namespace.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, FromRawFd};
use std::os::unix::net::UnixStream;

use nix::fcntl::OFlag;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{self, ForkResult, Pid};

use crate::script;
use crate::signals;

/// Starts the job and stays until the connection is closed.
pub fn run(options: &str, command: &[OsString]) -> ! {
    let (mode, fd) = options.split_once(',').expect("MODE,FD");
    let fd: i32 = fd.parse().expect("a descriptor");
    // SAFETY: the harness passed this descriptor for the parent alone.
    let connection = unsafe { UnixStream::from_raw_fd(fd) };
    // SAFETY: setting a flag touches no memory.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };

    let mut chld = SigSet::empty();
    chld.add(Signal::SIGCHLD);
    let mask = chld.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK).expect("a mask");
    let deaths = SignalFd::with_flags(&chld, SfdFlags::SFD_CLOEXEC).expect("a signalfd");

    let (begun, begins) = unistd::pipe2(OFlag::O_CLOEXEC).expect("cannot make a pipe");
    // SAFETY: the probe has one thread, so that everything works in the child as before.
    let job = match unsafe { unistd::fork() }.expect("cannot fork") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            enter_group(mode);
            mask.thread_set_mask().expect("a mask");
            script::exec(command);
        }
    };
    // A shell does it too, whoever comes first. But if this one came late, it would take the
    // foreground away from whom the job has given it to. The exec closes the pipe.
    drop(begins);
    let _ = unistd::read(&begun, &mut [0]);
    drop(begun);
    let mut parent = Parent { connection, deaths, job, mode };
    let group = unistd::getpgrp();
    parent.tell(&format!("started {job} {group}"));
    parent.serve()
}

struct Parent<'a> {
    connection: UnixStream,
    deaths: SignalFd,
    job: Pid,
    mode: &'a str,
}

impl Parent<'_> {
    fn serve(&mut self) -> ! {
        let commands = self.connection.try_clone().expect("cannot duplicate the connection");
        let mut commands = BufReader::new(commands);
        let lifetime = PollTimeout::try_from(script::LIFETIME).expect("some minutes");
        loop {
            let mut ready = [
                PollFd::new(self.deaths.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.connection.as_fd(), PollFlags::POLLIN),
            ];
            // A lifetime at most: a forgotten parent ends by itself.
            match poll(&mut ready, lifetime) {
                Ok(0) => script::fail("nobody ended this parent"),
                Ok(_) => {}
                Err(_) => continue,
            }
            let [died, asked] = ready.map(|one| one.any().unwrap_or(false));
            if died {
                let _ = self.deaths.read_signal();
                self.wait();
            }
            // The harness sends one command at a time, so nothing hides in the buffer.
            if asked {
                let mut line = String::new();
                match commands.read_line(&mut line) {
                    Ok(length) if length > 0 => self.obey(line.trim_end()),
                    _ => std::process::exit(0),
                }
            }
        }
    }

    fn wait(&mut self) {
        let all = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED | WaitPidFlag::WCONTINUED;
        while let Ok(status) = waitpid(None, Some(all)) {
            match status.pid() {
                None => return,
                Some(pid) if pid == self.job => self.report(status),
                Some(_) => {}
            }
        }
    }

    fn report(&mut self, status: WaitStatus) {
        let found = script::foreground();
        let what = match status {
            WaitStatus::Exited(_, code) => format!("exited {code}"),
            WaitStatus::Signaled(_, signal, _) => format!("killed {}", signals::name(signal as _)),
            WaitStatus::Stopped(_, signal) => format!("stopped {}", signals::name(signal as _)),
            _ => return self.tell("continued"),
        };
        if self.mode == "foreground" {
            set_foreground(unistd::getpgrp());
        }
        self.tell(&format!("{what} foreground {found}"));
    }

    fn obey(&mut self, command: &str) {
        match command {
            "foreground?" => self.tell_foreground(),
            "fg" => {
                set_foreground(self.job);
                self.resume();
            }
            "bg" => self.resume(),
            "give" => {
                set_foreground(self.job);
                self.tell_foreground();
            }
            _ => script::fail(&format!("no such command: {command}")),
        }
    }

    fn resume(&self) {
        let _ = nix::sys::signal::killpg(self.job, Signal::SIGCONT);
    }

    fn tell_foreground(&mut self) {
        self.tell(&format!("foreground {}", script::foreground()));
    }

    fn tell(&mut self, line: &str) {
        // The harness may be gone already; then the end of the connection ends this process.
        let _ = self.connection.write_all(format!("{line}\n").as_bytes());
    }
}

fn enter_group(mode: &str) {
    let job = unistd::getpid();
    let _ = unistd::setpgid(job, job);
    if mode == "foreground" {
        set_foreground(job);
    }
}

/// Sets the terminal's foreground group, which a background process may do with TTOU blocked.
fn set_foreground(group: Pid) {
    let mut ttou = SigSet::empty();
    ttou.add(Signal::SIGTTOU);
    let mask = ttou.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK).expect("a mask");
    // SAFETY: tcsetpgrp takes two numbers.
    unsafe { libc::tcsetpgrp(0, group.as_raw()) };
    mask.thread_set_mask().expect("a mask");
}
