//! A folder in which the examples run: foster under all its names, and stand-ins for the programs
//! that examples start, which write down how they were started and end at once.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::page;

/// A folder of its own, gone with the test.
pub struct Stage(PathBuf);

/// How something went that was run.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// A line for each stand-in that was started: its name and its arguments.
    pub started: Vec<String>,
}

/// Programs that the examples start. One that is not here has to be installed, or the example fails.
const STAND_INS: [&str; 19] = [
    "app",
    "web",
    "worker",
    "nginx",
    "gunicorn",
    "cron",
    "php-fpm",
    "sshd",
    "getty",
    "docker",
    "podman",
    "kubectl",
    "dpkg",
    "apt-get",
    "cargo",
    "systemctl",
    "setpriv",
    "qemu-system-x86_64",
    "migrate",
];

impl Stage {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("foster-docs-{}-{number}", std::process::id());
        let stage = Self(std::env::temp_dir().join(name));
        let bin = stage.0.join("bin");
        fs::create_dir_all(&bin).expect("a folder can be made");
        symlink(foster(), bin.join("foster")).expect("a link can be made");
        for name in page::read(".ci/links").split_whitespace() {
            symlink("foster", bin.join(name)).expect("a link can be made");
        }
        // One script under all their names, by which it knows itself.
        stage.script("stand-in", "printf '%s\\n' \"${0##*/}${*:+ }$*\" >>\"$RECORD\"");
        for name in STAND_INS {
            symlink("stand-in", bin.join(name)).expect("a link can be made");
        }
        // The targets must exist; nothing is built.
        let make = format!(
            "case \"$*\" in *static*) echo {} ;; esac\nexec /usr/bin/make -n -C {} \"$@\" >&2",
            foster(),
            page::path("").display()
        );
        stage.script("make", &make);
        stage.script("sudo", "exec \"$@\"");
        stage
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Another process writes it: what this one has open for writing, a child of another test's may
    /// have too for a moment, and a file that anyone may write to is not executed (ETXTBSY).
    fn script(&self, name: &str, text: &str) {
        let (draft, path) = (self.0.join("draft"), self.0.join("bin").join(name));
        fs::write(&draft, format!("#!/bin/sh\n{text}\n")).expect("the folder is ours");
        let status = Command::new("cp").args([&draft, &path]).status().expect("there is cp");
        assert!(status.success(), "cp {draft:?}: {status}");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::remove_file(draft).expect("the folder is ours");
    }

    /// Runs a script; what it starts with `--wrap` and without `--restart` ends with success, and so
    /// runs once.
    pub fn rehearse(&self, script: &str) -> Outcome {
        self.run(self.command("sh").args(["-euc", script]).env("FOSTER_RESTART", "on-failure"))
    }

    /// Runs a command line of a container: foster under one of its names, and paths of an image.
    pub fn rehearse_words(&self, words: &[String], environment: &[(String, String)]) -> Outcome {
        let bin = self.0.join("bin");
        let words: Vec<String> = words.iter().map(|word| here(word, &bin)).collect();
        let mut command = self.command(&words[0]);
        command.args(&words[1..]).env("FOSTER_RESTART", "on-failure");
        let here = |(name, value): &(String, String)| (name.clone(), here(value, &bin));
        self.run(command.envs(environment.iter().map(here)))
    }

    /// Runs a script as it stands.
    pub fn perform(&self, script: &str) -> Outcome {
        self.run(self.command("sh").args(["-c", script]))
    }

    fn command(&self, program: &str) -> Command {
        // What an example does wrong may last for ever.
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "60", program]);
        command.env_clear().env("HOME", &self.0).current_dir(&self.0);
        let cargo = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo/bin"));
        let cargo = cargo.unwrap_or_default();
        let path =
            format!("{}/bin:/usr/bin:/bin:/usr/sbin:/sbin:{}", self.0.display(), cargo.display());
        command.env("PATH", path).env("RECORD", self.0.join("record"));
        command
    }

    fn run(&self, command: &mut Command) -> Outcome {
        let record = self.0.join("record");
        let _ = fs::remove_file(&record);
        let output = command.stdin(Stdio::null()).output().expect("there is timeout");
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let started = fs::read_to_string(record).unwrap_or_default();
        Outcome {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            started: started.lines().map(str::to_owned).collect(),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Outcome {
    /// Foster took the command line, and what it started ended well.
    #[track_caller]
    pub fn is_a_success(&self, place: &str) {
        let complaint = self.stderr.contains("foster: error") || self.stderr.contains("warning");
        assert!(self.code == Some(0) && !complaint, "{place}: {self:#?}");
    }
}

/// The binary under test.
pub fn foster() -> String {
    std::env::var("FOSTER_UNDER_TEST").unwrap_or_else(|_| env!("CARGO_BIN_EXE_foster").into())
}

/// A word in which paths of an image are those of the stand-ins.
fn here(word: &str, bin: &Path) -> String {
    let parts = word.split(' ').map(|part| {
        let name = part.rsplit('/').next().unwrap_or_default();
        if part.starts_with('/') && bin.join(name).exists() && !name.is_empty() {
            bin.join(name).display().to_string()
        } else {
            part.to_owned()
        }
    });
    parts.collect::<Vec<String>>().join(" ")
}
