//! An interactive shell in a container, driven through a terminal.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::libc;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

use crate::daemon::{Docker, SHELL, docker};
use crate::scratch::run;
use crate::support::patience::until;
use crate::support::stream::{Stream, await_any};
use crate::support::terminal::{INTERRUPT, SUSPEND};

/// `docker run -it` on a terminal.
struct Session {
    client: Child,
    keyboard: File,
    screen: Stream,
    /// How much of what is on the screen has been looked at.
    looked: usize,
    name: String,
}

#[test]
fn docker_run_it_is_a_shell_with_job_control() {
    let mut session = Session::start(&["sh"]);
    session.enter("echo sum $((40 + 2))");
    session.expect("sum 42");
    // Ctrl-C ends the program and not the shell, nor foster.
    session.enter("sleep 1000");
    session.await_program("sleep");
    session.press(INTERRUPT);
    session.enter("echo status $?");
    session.expect("status 130");
    // Ctrl-Z stops it, and fg takes it back.
    session.enter("sleep 1001");
    session.await_program("sleep");
    session.press(SUSPEND);
    session.expect("Stopped");
    session.enter("fg");
    session.await_program("sleep");
    session.press(INTERRUPT);
    session.enter("echo again $((40 + 3))");
    session.expect("again 43");
    session.enter("exit 9");
    assert_eq!(session.wait(), 9);
}

impl Session {
    fn start(arguments: &[&str]) -> Self {
        let docker = Docker::new().option("--interactive").option("--tty");
        let (mut command, name) = docker.run(SHELL, arguments);
        let (keyboard, slave) = open_terminal();
        let end = || Stdio::from(slave.try_clone().expect("it can be duplicated"));
        command.stdin(end()).stdout(end()).stderr(end());
        let screen = Stream::new(keyboard.as_fd().try_clone_to_owned().expect("so can this"));
        let client = command.spawn().expect("docker is installed");
        Self { client, keyboard, screen, looked: 0, name }
    }

    /// Types a line, once the shell asks for one.
    #[track_caller]
    fn enter(&mut self, line: &str) {
        // Behind its prompt the shell asks the terminal where the cursor is.
        self.pump("a prompt", |text| {
            let text = text.strip_suffix("\u{1b}[6n").unwrap_or(text);
            text.ends_with("# ").then_some(text.len())
        });
        self.press(&format!("{line}\r"));
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes input");
    }

    /// Waits for text, which is not what was typed.
    #[track_caller]
    fn expect(&mut self, wanted: &str) {
        self.pump(wanted, |text| text.find(wanted).map(|at| at + wanted.len()));
    }

    /// Waits until this program runs, and does not stand still.
    #[track_caller]
    fn await_program(&self, name: &str) {
        until(&format!("{name} does not run"), || {
            let found = run(&mut docker(&["exec", &self.name, "/probe", "processes"]));
            found.lines().any(|line| line.ends_with(&format!(" S {name}"))).then_some(())
        });
    }

    #[track_caller]
    fn wait(&mut self) -> i32 {
        let status = self.client.wait().expect("the client is our child");
        status.code().expect("it ended by itself")
    }

    #[track_caller]
    fn pump(&mut self, wanted: &str, find: impl Fn(&str) -> Option<usize>) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            self.screen.fill();
            let text = self.screen.text();
            if let Some(end) = find(&text[self.looked..]) {
                self.looked += end;
                return;
            }
            let more = self.screen.source().is_some_and(|source| await_any(&[source], deadline));
            assert!(more, "waited in vain for {wanted:?}: {text:?}");
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut remove = docker(&["rm", "--force", &self.name]);
        let _ = remove.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

/// A terminal, both ends of it.
fn open_terminal() -> (File, OwnedFd) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).expect("a pseudo-terminal");
    grantpt(&master).expect("the slave can be granted");
    unlockpt(&master).expect("the slave can be unlocked");
    let path = ptsname_r(&master).expect("the slave has a name");
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NOCTTY);
    let slave = options.open(path).expect("the slave can be opened");
    (File::from(OwnedFd::from(master)), slave.into())
}
