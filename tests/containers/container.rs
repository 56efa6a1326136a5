//! A container while it runs, whatever runs it.

use std::os::fd::BorrowedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::scratch;
use crate::support::patience::until;
use crate::support::stream::{Stream, await_any};

/// What can run a container in which foster, with these arguments, is PID 1.
pub trait Runtime {
    fn start(&self, arguments: &[&str]) -> Container;
}

/// A container, attached to: it is removed when this is dropped.
pub struct Container {
    client: Child,
    stdout: Stream,
    stderr: Stream,
    commands: Box<dyn Commands>,
    deadline: Instant,
}

/// What is done to a container from outside.
pub trait Commands {
    /// The command that sends a signal to PID 1.
    fn kill(&self, signal: &str) -> Command;
    /// The command that runs another one in the container.
    fn exec(&self, arguments: &[&str]) -> Command;
    /// The container's name.
    fn name(&self) -> &str;
    /// Stops and removes what there is.
    fn remove(&self);
}

impl Container {
    /// Starts the client that is attached to a container.
    pub fn new(client: Command, commands: Box<dyn Commands>) -> Self {
        Self::with_input(client, Stdio::null(), commands)
    }

    /// The same, with an input.
    pub fn with_input(mut client: Command, input: Stdio, commands: Box<dyn Commands>) -> Self {
        client.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut client = client.spawn().unwrap_or_else(|error| panic!("{client:?}: {error}"));
        let stdout = Stream::new(client.stdout.take().expect("it is piped").into());
        let stderr = Stream::new(client.stderr.take().expect("it is piped").into());
        Self { client, stdout, stderr, commands, deadline: Instant::now() + PATIENCE }
    }

    /// Waits for this line on standard output, and skips all before it.
    #[track_caller]
    pub fn expect(&mut self, wanted: &str) {
        while self.line(wanted) != wanted {}
    }

    /// Waits for a line on standard output that starts so, and returns the rest.
    #[track_caller]
    pub fn expect_prefix(&mut self, wanted: &str) -> String {
        loop {
            if let Some(rest) = self.line(wanted).strip_prefix(wanted) {
                return rest.to_owned();
            }
        }
    }

    /// Waits for a line on standard error that holds this.
    #[track_caller]
    pub fn expect_error(&mut self, wanted: &str) -> String {
        loop {
            match self.stderr.line() {
                Some(line) if line.contains(wanted) => return line,
                Some(_) => {}
                None => self.wait_for_more(wanted),
            }
        }
    }

    /// The container's name.
    pub fn name(&self) -> &str {
        self.commands.name()
    }

    /// Sends a signal to PID 1.
    pub fn kill(&self, signal: &str) {
        scratch::run(&mut self.commands.kill(signal));
    }

    /// Runs a command beside foster, waits for it, and returns what it printed.
    pub fn exec(&self, arguments: &[&str]) -> String {
        scratch::run(&mut self.commands.exec(arguments))
    }

    /// Waits until there is nobody but PID 1, its one child, and who looks; no zombie either.
    pub fn await_only(&self, processes: usize) {
        until("there are other processes than there should be", || {
            let found = self.exec(&["/probe", "processes"]);
            (found.lines().count() == processes).then_some(())
        });
    }

    /// Waits for the end; gives the status that the runtime ends with.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        loop {
            if let Some(status) = self.client.try_wait().expect("the client is our child") {
                return status.code().unwrap_or_else(|| panic!("the client: {status}"));
            }
            self.wait_for_more("the end");
        }
    }

    /// What came on standard error so far.
    pub fn errors(&mut self) -> String {
        self.stderr.fill();
        self.stderr.text()
    }

    #[track_caller]
    fn line(&mut self, wanted: &str) -> String {
        loop {
            match self.stdout.line() {
                Some(line) => return line,
                None => self.wait_for_more(wanted),
            }
        }
    }

    /// Waits until there is more to see.
    #[track_caller]
    fn wait_for_more(&mut self, wanted: &str) {
        let sources: Vec<BorrowedFd> =
            [&self.stdout, &self.stderr].into_iter().filter_map(Stream::source).collect();
        if sources.is_empty() && wanted == "the end" {
            std::thread::sleep(Duration::from_millis(1));
            return;
        }
        let more = !sources.is_empty()
            && Instant::now() < self.deadline
            && await_any(&sources, self.deadline);
        self.stdout.fill();
        self.stderr.fill();
        let (out, err) = (self.stdout.text(), self.stderr.text());
        assert!(more, "waited in vain for {wanted:?}\nstdout: {out}\nstderr: {err}");
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.commands.remove();
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

/// A daemon on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(120);
