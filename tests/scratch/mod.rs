//! Programs for a root file system with nothing else in it: each is one static file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// foster: what `FOSTER_UNDER_TEST` says, or a static build of this package.
pub fn foster() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("FOSTER_UNDER_TEST") {
        Some(path) => {
            let path = PathBuf::from(path);
            assert!(path.is_absolute() && path.exists(), "FOSTER_UNDER_TEST: no {path:?}");
            path
        }
        None => build(&["--bin", "foster"], "foster"),
    })
}

/// The probe (tests/support/probe.rs).
pub fn probe() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| build(&["--example", "probe"], "examples/probe"))
}

/// A shell and what goes with it.
pub fn busybox() -> &'static Path {
    let path = Path::new("/bin/busybox");
    assert!(path.exists(), "no {path:?}: apt-get install busybox-static");
    path
}

/// A folder of a test's own, gone with it.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("foster-test-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a command that has to succeed, and returns what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Builds a part of this package with the C library of this machine linked in.
fn build(what: &[&str], file: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own path");
    let target = own.ancestors().nth(3).expect("tests are built in TARGET/PROFILE/deps");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = run(Command::new(rustc).arg("-vV"));
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.expect("rustc tells its host");
    let folder = target.join("linked-static");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--target", host]).args(what);
    build.arg("--target-dir").arg(&folder).current_dir(env!("CARGO_MANIFEST_DIR"));
    build.env("RUSTFLAGS", "-Ctarget-feature=+crt-static -Cstrip=symbols");
    run(&mut build);
    folder.join(host).join("debug").join(file)
}
