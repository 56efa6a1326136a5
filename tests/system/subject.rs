//! foster as it is started here, and what several files of tests need.

use std::ffi::CString;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::libc;

use crate::support::patience::until;
use crate::support::procfs;
use crate::support::reachable::reachable;
use crate::support::signals;
use crate::support::{Launch, Running, probe};

/// The binary under test.
pub fn binary() -> String {
    let given = std::env::var("FOSTER_UNDER_TEST");
    reachable(&given.unwrap_or_else(|_| env!("CARGO_BIN_EXE_foster").into()))
}

/// foster, yet without arguments.
pub fn foster() -> Launch {
    Launch::new(binary())
}

/// A command line for `--wrap` that runs the probe directly.
pub fn probe_line(script: &str) -> String {
    let quote = |word: &str| {
        if word.contains(['{', '}']) { format!("'{word}'") } else { word.to_owned() }
    };
    let words: Vec<String> = script.split(' ').map(quote).collect();
    format!("{} {}", probe(), words.join(" "))
}

/// foster with one supervised probe, and delays that no test has to wait for.
pub fn wrapped(script: &str) -> Launch {
    quick(foster()).arg("--wrap").arg(probe_line(script))
}

/// Short delays.
pub fn quick(launch: Launch) -> Launch {
    launch.args(["--backoff", "10ms", "--backoff-max", "20ms"])
}

/// A folder of a test's own, which goes when it is dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("foster-system-{}-{number}", std::process::id());
            // Not in the target folder: that may lie where only its owner can go.
            let path = std::env::temp_dir().join(name);
            match fs::create_dir(&path) {
                Ok(()) => break path,
                // An earlier process with this id was killed.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("cannot make {path:?}: {error}"),
            }
        };
        // Other users run in some of them.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("it is ours");
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The path of a file in it, as a word.
    pub fn word(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().expect("a target directory in UTF-8")
    }

    /// Makes a file that may be executed.
    pub fn script(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let draft = self.path(&format!("{name}.draft"));
        fs::write(&draft, text).expect("a file can be written");
        self.program(name, &draft)
    }

    /// Makes a copy of a file that may be executed. Another process writes it: what this one has
    /// open for writing, a child of another test's may have too for a moment, and a file that
    /// anyone may write to is not executed (ETXTBSY).
    pub fn program(&self, name: &str, from: &Path) -> String {
        let mut copy = Command::new("cp");
        let status = copy.arg(from).arg(self.path(name)).status().expect("there is cp");
        assert!(status.success(), "cp {from:?}: {status}");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path(name), mode).expect("it is ours");
        self.word(name)
    }

    pub fn fifo(&self, name: &str) -> String {
        let path = CString::new(self.path(name).as_os_str().as_bytes()).expect("no NUL inside");
        // SAFETY: the path is a string.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o666) }, 0, "a FIFO can be made");
        self.word(name)
    }

    /// Writes to a FIFO once somebody reads from it.
    pub fn feed(&self, name: &str, text: &str) {
        // With O_NONBLOCK it cannot be opened as long as nobody has it open to read.
        let mut options = fs::OpenOptions::new();
        let options = options.write(true).custom_flags(libc::O_NONBLOCK);
        let mut fifo = until("nobody reads", || options.open(self.path(name)).ok());
        fifo.write_all(text.as_bytes()).expect("somebody reads");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sends a signal by number, as seen from the test.
pub fn kill(pid: i32, number: i32) {
    // SAFETY: kill takes two numbers.
    assert_eq!(unsafe { libc::kill(pid, number) }, 0, "signal {number} can be sent to {pid}");
}

/// Sends a signal with a value (sigqueue(3)).
pub fn queue(pid: i32, number: i32, value: usize) {
    let value = libc::sigval { sival_ptr: value as *mut libc::c_void };
    // SAFETY: sigqueue takes numbers, and a value that nobody follows as a pointer.
    let sent = unsafe { libc::sigqueue(pid, number, value) };
    assert_eq!(sent, 0, "signal {number} can be queued");
}

/// Waits until there is exactly one process of this name below the subject's own PID 1, and gives
/// its pid as seen from the test.
pub fn await_process(run: &mut Running, name: &str) -> i32 {
    until(&format!("no process {name}"), || {
        let named = |pid: &i32| procfs::stat(*pid).is_some_and(|stat| stat.name == name);
        run.everything().into_iter().find(named)
    })
}

/// Waits until the foreground group of a process's terminal is its own, and it sleeps or is
/// stopped: then it is what a key on the terminal is for.
pub fn await_foreground(pid: i32) {
    until(&format!("{pid} is not in the foreground"), || {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, tail) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = tail.split(' ').collect();
        // State, parent, group, session, terminal, the terminal's foreground group.
        (fields[0] == "S" && fields[2] == fields[5]).then_some(())
    });
}

/// What `name` prints: a number for a signal that has no name, as the probe does.
pub fn signal_name(number: i32) -> String {
    signals::name(number)
}

/// Limits the memory that a process may ask for from now on; gives the limit that there was.
pub fn limit_memory(pid: i32, limit: libc::rlim_t) -> libc::rlim_t {
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the records are live, or null.
    unsafe {
        libc::prlimit(pid, libc::RLIMIT_AS, std::ptr::null(), &raw mut old);
        let new = libc::rlimit { rlim_cur: limit, ..old };
        let done = libc::prlimit(pid, libc::RLIMIT_AS, &raw const new, std::ptr::null_mut());
        assert_eq!(done, 0, "a limit can be lowered");
    }
    old.rlim_cur
}
