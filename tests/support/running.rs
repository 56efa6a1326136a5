//! A subject while it runs, and what is left of it in the end.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::libc;

use super::launch::Place;
use super::patience::{patience, until};
use super::procfs;
use super::signals;
use super::stream::{Stream, await_any, await_end, process_descriptor};
use super::terminal::Terminal;

/// A started subject; dropping it kills it and all that it started.
#[derive(Debug)]
pub struct Running {
    host: Child,
    place: Place,
    pid: Option<i32>,
    stdout: Stream,
    stderr: Stream,
    parent: Option<ParentLink>,
    terminal: Option<Terminal>,
    /// Whether standard output is that terminal.
    in_front: bool,
}

/// The connection to the probe that is the parent of the job.
#[derive(Debug)]
struct ParentLink {
    connection: std::fs::File,
    events: Stream,
}

/// What else than the output ends the waiting for it.
#[derive(Debug, Clone, Copy)]
enum Wait<'a> {
    /// Nothing is left that could write.
    WhileSomethingRuns,
    /// This descriptor is readable.
    End(BorrowedFd<'a>),
    /// Nothing.
    Anyway,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    Code(i32),
    Signal(String),
}

/// What a subject left.
#[derive(Debug, Clone)]
pub struct Output {
    pub status: Status,
    pub stdout: String,
    pub stderr: String,
}

impl Running {
    pub(super) fn new(
        mut host: Child,
        place: Place,
        connection: Option<OwnedFd>,
        terminal: Option<Terminal>,
    ) -> Self {
        let in_front = host.stdout.is_none();
        let output = match (host.stdout.take(), &terminal) {
            (Some(pipe), _) => pipe.into(),
            (None, Some(terminal)) => terminal.output(),
            (None, None) => panic!("there is a pipe or a terminal"),
        };
        let stdout = Stream::new(output);
        let stderr = Stream::new(host.stderr.take().expect("it is piped").into());
        let parent = connection.map(|connection| ParentLink {
            connection: connection.try_clone().expect("a descriptor can be duplicated").into(),
            events: Stream::new(connection),
        });
        Self { host, place, pid: None, stdout, stderr, parent, terminal, in_front }
    }

    /// The pid of the subject, as seen from the test.
    pub fn pid(&mut self) -> i32 {
        if let Some(pid) = self.pid {
            return pid;
        }
        let host = self.host.id() as i32;
        let pid = match self.place {
            Place::Child => host,
            Place::Pid1 | Place::TerminalLeader => self.first_child(host),
            Place::Job | Place::Foreground | Place::Background => {
                let inner = self.started().0;
                let parent = self.first_child(host);
                let all = procfs::children(parent);
                let found = all.iter().find(|pid| procfs::inner_pid(**pid) == Some(inner));
                *found.unwrap_or_else(|| panic!("the subject is gone: {}", self.describe()))
            }
        };
        self.pid = Some(pid);
        pid
    }

    /// The pid, as seen from the test, of the first process that the subject started.
    pub fn child(&mut self) -> i32 {
        let pid = self.pid();
        self.first_child(pid)
    }

    /// The pids of all that runs below the subject's own PID 1, or below the subject as a child.
    pub fn everything(&mut self) -> Vec<i32> {
        procfs::descendants(self.host.id() as i32)
    }

    /// The same without PID 1 of a [`Place::Job`], and without zombies, which that one is about to
    /// reap.
    pub fn living(&mut self) -> Vec<i32> {
        let lives = |pid: &i32| procfs::stat(*pid).is_some_and(|stat| !"ZX".contains(stat.state));
        self.everything().into_iter().skip(1).filter(lives).collect()
    }

    /// Sends a signal to the subject.
    pub fn signal(&mut self, name: &str) {
        let pid = self.pid();
        send(pid, name);
    }

    /// Waits for this line on standard output, and skips all lines before it.
    pub fn expect(&mut self, line: &str) {
        self.lines_until(line);
    }

    /// Waits for this line on standard output, and returns the lines that came before it.
    pub fn lines_until(&mut self, line: &str) -> Vec<String> {
        let mut before = Vec::new();
        self.pump(&format!("line {line:?}"), |run| {
            while let Some(next) = run.stdout.line() {
                if next == line {
                    return Some(());
                }
                before.push(next);
            }
            None
        });
        before
    }

    /// Waits for all of these lines on standard output, in any order, and skips others.
    pub fn expect_all(&mut self, lines: &[&str]) {
        let mut missing = lines.to_vec();
        self.pump(&format!("lines {lines:?}"), |run| {
            while let Some(next) = run.stdout.line() {
                if let Some(found) = missing.iter().position(|line| *line == next) {
                    missing.remove(found);
                }
            }
            missing.is_empty().then_some(())
        });
    }

    /// Watches for a time in which nothing may happen: no output, no end.
    pub fn expect_quiet(&mut self, time: Duration) {
        let pid = self.pid();
        let end = process_descriptor(pid).expect("the subject lives");
        let sources = [self.stdout.source(), self.stderr.source(), Some(end.as_fd())];
        let sources: Vec<BorrowedFd> = sources.into_iter().flatten().collect();
        let something = await_any(&sources, Instant::now() + time);
        self.fill();
        assert!(!something, "something happened within {time:?}: {}", self.describe());
    }

    /// Waits for the next line on standard output.
    pub fn line(&mut self) -> String {
        self.pump("a line", |run| run.stdout.line())
    }

    /// The next line on standard output, if it is there already.
    pub fn line_so_far(&mut self) -> Option<String> {
        self.stdout.fill();
        self.stdout.line()
    }

    /// Waits for the next line on standard output, or `None` at the end of it.
    pub fn line_or_end(&mut self) -> Option<String> {
        self.pump("a line or the end", |run| match run.stdout.line() {
            None if run.stdout.source().is_none() => Some(None),
            line => line.map(Some),
        })
    }

    /// Waits for a line of standard output that starts like this, and returns the rest of it.
    pub fn expect_prefix(&mut self, prefix: &str) -> String {
        self.pump(&format!("a line {prefix:?}..."), |run| rest_of_line(&mut run.stdout, prefix))
    }

    /// The same for standard error.
    pub fn expect_error(&mut self, prefix: &str) -> String {
        self.pump(&format!("an error line {prefix:?}..."), |run| {
            rest_of_line(&mut run.stderr, prefix)
        })
    }

    /// Waits until all of these lines stand on standard error, in any order.
    pub fn expect_all_errors(&mut self, lines: &[&str]) {
        self.pump(&format!("error lines {lines:?}"), |run| {
            let text = run.stderr.text();
            lines.iter().all(|line| text.lines().any(|one| one == *line)).then_some(())
        });
    }

    /// What came on standard error so far.
    pub fn errors(&mut self) -> String {
        self.stderr.fill();
        self.stderr.text()
    }

    /// Closes the reading end of standard error.
    pub fn close_errors(&mut self) {
        self.stderr.close();
    }

    /// Writes a line to the subject's standard input, a pipe.
    pub fn write_line(&mut self, line: &str) {
        let input = self.host.stdin.as_mut().expect("the launch was `with_input`");
        input.write_all(format!("{line}\n").as_bytes()).expect("the subject takes input");
    }

    /// The terminal that the subject runs on.
    pub fn terminal(&mut self) -> &mut Terminal {
        self.terminal.as_mut().expect("the place has a terminal")
    }

    /// Waits until the parent tells something that starts like this, and returns the rest.
    pub fn expect_event(&mut self, prefix: &str) -> String {
        self.pump(&format!("the parent to tell {prefix:?}"), |run| {
            rest_of_line(&mut run.parent_link().events, prefix)
        })
    }

    /// Closes the window that the terminal is in, and waits until those on it have lost it. A child
    /// of another test's has the master too for a moment, until it executes what it is to be.
    pub fn hang_up(&mut self) {
        let is_on_it = |pid: &i32| procfs::stat(*pid).is_some_and(|stat| stat.terminal != 0);
        let mut all = self.everything();
        self.terminal().hang_up();
        if self.in_front {
            self.stdout.fill();
            self.stdout.close();
        }
        until("the terminal is not hung up", || {
            all.retain(is_on_it);
            all.is_empty().then_some(())
        });
    }

    /// Gives the parent a command, see `probe/parent.rs`.
    pub fn command(&mut self, command: &str) {
        let line = format!("{command}\n");
        let sent = self.parent_link().connection.write_all(line.as_bytes());
        sent.expect("the parent takes commands");
    }

    /// The pid of the job and the process group of its parent, as seen in their PID namespace.
    pub fn started(&mut self) -> (i32, i32) {
        self.pump("the parent to start the job", |run| {
            let text = run.parent_link().events.text();
            let mut words = text.strip_prefix("started ")?.split_whitespace();
            let mut number = || words.next()?.parse().ok();
            Some((number()?, number()?))
        })
    }

    /// The foreground process group of the terminal now, as seen in the PID namespace.
    pub fn foreground(&mut self) -> i32 {
        self.ask_foreground("foreground?")
    }

    /// Has the parent put the job into the terminal's foreground, whether it runs or not.
    pub fn give_foreground(&mut self) {
        assert_eq!(self.ask_foreground("give"), self.started().0);
    }

    fn ask_foreground(&mut self, command: &str) -> i32 {
        self.command(command);
        // The parent answers after the end of the job too.
        let answer = self.pump_until("the foreground group", Wait::Anyway, |run| {
            rest_of_line(&mut run.parent_link().events, "foreground ")
        });
        answer.parse().expect("a process group")
    }

    /// Waits for the end.
    pub fn wait(mut self) -> Output {
        let status = self.wait_for_status();
        self.fill();
        Output { status, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }

    /// Waits for the end, and keeps what else lives in the PID namespace of a [`Place::Job`].
    pub fn wait_for_status(&mut self) -> Status {
        if self.place.has_parent() {
            return self.pump("the subject to end", |run| {
                while let Some(line) = run.parent_link().events.line() {
                    let mut words = line.split_whitespace();
                    let (verb, value) = (words.next()?, words.next().unwrap_or_default());
                    match verb {
                        "exited" => return value.parse().ok().map(Status::Code),
                        "killed" => return Some(Status::Signal(value.to_string())),
                        _ => {}
                    }
                }
                None
            });
        }
        let end = process_descriptor(self.host.id() as i32).expect("the host is not reaped yet");
        self.pump_until("the subject to end", Wait::End(end.as_fd()), |run| {
            run.host.try_wait().expect("the host is our child").map(Status::from)
        })
    }

    fn first_child(&self, pid: i32) -> i32 {
        until(&format!("{pid} started no process"), || procfs::children(pid).first().copied())
    }

    fn parent_link(&mut self) -> &mut ParentLink {
        self.parent.as_mut().expect("the place has a parent")
    }

    fn pump<T>(&mut self, what: &str, check: impl FnMut(&mut Self) -> Option<T>) -> T {
        self.pump_until(what, Wait::WhileSomethingRuns, check)
    }

    /// Takes in everything that comes until `check` finds what it looks for.
    fn pump_until<T>(
        &mut self,
        what: &str,
        wait: Wait,
        mut check: impl FnMut(&mut Self) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + patience();
        loop {
            self.fill();
            let mut found = check(self);
            let mut over = matches!(wait, Wait::WhileSomethingRuns) && self.is_over();
            if over && found.is_none() {
                // Who is gone by now may have written since, but cannot write any more.
                self.fill();
                found = check(self);
            }
            if let Some(found) = found {
                return found;
            }
            let streams = [Some(&self.stdout), Some(&self.stderr)];
            let events = self.parent.as_ref().map(|parent| &parent.events);
            let mut sources: Vec<BorrowedFd> =
                streams.into_iter().chain([events]).flatten().filter_map(Stream::source).collect();
            if let Wait::End(end) = wait {
                sources.push(end);
            }
            over |= sources.is_empty();
            assert!(!over, "it ended, waiting for {what}: {}", self.describe());
            let more = await_any(&sources, deadline);
            assert!(more, "timed out waiting for {what}: {}", self.describe());
        }
    }

    fn fill(&mut self) {
        self.stdout.fill();
        self.stderr.fill();
        if let Some(parent) = &mut self.parent {
            parent.events.fill();
        }
    }

    /// Whether a job has ended and left nothing behind, so that nothing can come any more.
    fn is_over(&self) -> bool {
        let told = self.parent.as_ref().map(|parent| parent.events.text()).unwrap_or_default();
        self.place.has_parent()
            && told.lines().any(|line| line.starts_with("exited") || line.starts_with("killed"))
            && procfs::descendants(self.host.id() as i32).len() <= 1
    }

    /// Everything that helps to see why a test failed.
    fn describe(&self) -> String {
        let mut text = format!("\nstdout: {:?}", self.stdout.text());
        text.push_str(&format!("\nstderr: {:?}", self.stderr.text()));
        if let Some(parent) = &self.parent {
            text.push_str(&format!("\nparent: {:?}", parent.events.text()));
        }
        let host = self.host.id() as i32;
        for pid in std::iter::once(host).chain(procfs::descendants(host)) {
            if let Some(stat) = procfs::stat(pid) {
                let inner = procfs::inner_pid(pid).unwrap_or_default();
                text.push_str(&format!("\nprocess {pid} ({inner} inside): {stat:?}"));
            }
        }
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Once it has been waited for, its pid may be somebody else's.
        if !matches!(self.host.try_wait(), Ok(None)) {
            return;
        }
        let host = self.host.id() as i32;
        let inner = procfs::children(host);
        match inner.first() {
            // With its PID 1 everything in the namespace dies, and then unshare ends by itself.
            Some(init) if self.place != Place::Child => {
                send(*init, "KILL");
                let end = process_descriptor(host).expect("it is not reaped yet");
                await_end(&end);
            }
            _ => {
                // A stopped process starts no more, so that none is missed.
                send(host, "STOP");
                procfs::descendants(host).into_iter().for_each(|pid| send(pid, "KILL"));
            }
        }
        let _ = self.host.kill();
        let _ = self.host.wait();
    }
}

impl Output {
    /// The exit code; panics with everything there is if it was a signal.
    pub fn code(&self) -> i32 {
        match self.status {
            Status::Code(code) => code,
            Status::Signal(_) => panic!("it was killed: {self:?}"),
        }
    }
}

impl From<ExitStatus> for Status {
    fn from(status: ExitStatus) -> Self {
        match status.signal() {
            Some(signal) => Self::Signal(signals::name(signal)),
            None => Self::Code(status.code().expect("it exited or it was killed")),
        }
    }
}

/// Sends a signal to a process, as seen from the test; one that is gone is no error.
pub fn send(pid: i32, name: &str) {
    // SAFETY: kill takes two numbers.
    unsafe { libc::kill(pid, signals::number(name)) };
}

fn rest_of_line(stream: &mut Stream, prefix: &str) -> Option<String> {
    while let Some(line) = stream.line() {
        if let Some(rest) = line.strip_prefix(prefix) {
            return Some(rest.to_string());
        }
    }
    None
}
