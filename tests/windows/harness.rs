//! A foster.exe that a test runs, and what it and its services say.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A foster.exe that runs.
pub struct Foster {
    child: Child,
    stdin: Option<ChildStdin>,
    out: Receiver<String>,
    err: Receiver<String>,
    /// All lines of stderr that were read.
    log: Vec<String>,
}

/// What foster.exe came to.
#[derive(Debug)]
pub struct End {
    /// Its code, of which a process of Linux has eight bits; less than 0 where Wine was killed.
    pub code: i32,
    /// The lines of stdout that were not read before.
    pub out: Vec<String>,
    /// All lines of stderr.
    pub log: Vec<String>,
}

/// Starts foster.exe with these arguments.
pub fn foster<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Foster {
    foster_with(&[], args)
}

/// Starts foster.exe with these variables and arguments.
pub fn foster_with<A: Into<OsString>>(
    variables: &[(&str, &str)],
    args: impl IntoIterator<Item = A>,
) -> Foster {
    wine(
        variables,
        std::iter::once(exe("FOSTER_EXE").into()).chain(args.into_iter().map(Into::into)),
    )
}

/// Runs foster.exe with these arguments to its end.
pub fn run<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> End {
    foster(args).end()
}

/// Starts a program, by its path and its arguments.
pub fn wine(variables: &[(&str, &str)], words: impl IntoIterator<Item = OsString>) -> Foster {
    let mut command = Command::new("wine");
    command.args(words).env_remove("FOSTER_EXE").envs(variables.iter().copied());
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("wine is installed by make test-windows");
    Foster {
        stdin: child.stdin.take(),
        out: lines(child.stdout.take().expect("stdout is a pipe")),
        err: lines(child.stderr.take().expect("stderr is a pipe")),
        child,
        log: Vec::new(),
    }
}

impl Foster {
    /// The next line that a service says.
    #[track_caller]
    pub fn line(&mut self) -> String {
        match self.out.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => panic!("no line on stdout: {error}; the log: {:#?}", self.read_log()),
        }
    }

    /// Waits for this line from a service.
    #[track_caller]
    pub fn expect(&mut self, expected: &str) {
        let line = self.line();
        assert_eq!(line, expected, "{:#?}", self.read_log());
    }

    /// Waits for a line in foster's log with this text in it, and gives that line.
    #[track_caller]
    pub fn logged(&mut self, text: &str) -> String {
        loop {
            match self.err.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.log.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(error) => panic!("no {text:?} in the log: {error}; {:#?}", self.log),
            }
        }
    }

    /// Presses Ctrl-C: Wine makes that of a SIGINT.
    pub fn interrupt(&self) {
        kill(self.pid(), Signal::SIGINT).expect("foster runs until it is waited for");
    }

    /// Ends foster by force.
    pub fn kill(&self) {
        kill(self.pid(), Signal::SIGKILL).expect("foster runs until it is waited for");
    }

    /// Gives the services something to read.
    pub fn write(&mut self, text: &str) {
        let pipe = self.stdin.as_mut().expect("stdin is open until it is closed");
        pipe.write_all(text.as_bytes()).expect("somebody has it open to read");
    }

    /// Closes foster's stdin, which its services share.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// How many threads foster has by the count of Linux.
    pub fn threads(&self) -> usize {
        let tasks = format!("/proc/{}/task", self.pid());
        fs::read_dir(tasks).expect("foster runs until it is waited for").count()
    }

    /// Waits for the end of foster and of all that has its stdout.
    #[track_caller]
    pub fn end(mut self) -> End {
        self.stdin = None;
        let out = self.drain();
        let log = self.read_log().to_vec();
        let status = self.child.wait().expect("foster is our child");
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or(0));
        End { code, out, log }
    }

    /// The rest of what services say, until none is left that could.
    #[track_caller]
    fn drain(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        loop {
            match self.out.recv_timeout(PATIENCE) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => return rest,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("something still runs; it said {rest:?}; {:#?}", self.log)
                }
            }
        }
    }

    /// All of the log so far; to its end where foster has ended.
    fn read_log(&mut self) -> &[String] {
        while let Ok(line) = self.err.recv_timeout(Duration::from_secs(2)) {
            self.log.push(line);
        }
        &self.log
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }
}

impl Drop for Foster {
    fn drop(&mut self) {
        // Its jobs end with it. It is our child, and was not waited for if this does anything.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl End {
    /// Whether a line of the log has this text in it.
    pub fn says(&self, text: &str) -> bool {
        self.log.iter().any(|line| line.contains(text))
    }
}

/// A folder that is gone with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("foster-windows-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("there is no folder of this name");
        Folder(path)
    }

    /// Makes a file in it, and gives its path.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("the folder is ours to write to");
        path
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A path of Linux as Windows programs name it: Wine has the root as drive Z.
pub fn windows(path: &Path) -> String {
    let path = path.to_str().expect("the tests give their files names in ASCII");
    format!("Z:{}", path.replace('/', "\\"))
}

/// The program helper.c, by its name on Windows. It has no space in it that would need quotes.
pub fn helper() -> String {
    windows(&exe("HELPER_EXE"))
}

/// A command line that runs the helper.
pub fn helping(what: &str) -> String {
    format!("{} {what}", helper())
}

/// A program that was built beforehand.
pub fn exe(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).unwrap_or_else(|| {
        panic!("{variable} is not set: these tests are run by make test-windows")
    });
    path.into()
}

/// The lines that come out of a pipe, until its end.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// How long to wait for what should come at once.
const PATIENCE: Duration = Duration::from_secs(60);
