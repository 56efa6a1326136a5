//! Who is tested: our binary under the peers' names, or the peers themselves.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::Launch;
use crate::support::patience::impatiently;

pub fn tini() -> Launch {
    named("tini")
}

pub fn tini_static() -> Launch {
    named("tini-static")
}

pub fn docker_init() -> Launch {
    named("docker-init")
}

pub fn dumb_init() -> Launch {
    named("dumb-init")
}

pub fn catatonit() -> Launch {
    named("catatonit")
}

/// Our binary with `--as NAME`; the original has no other way than its name.
pub fn chosen(name: &str) -> Launch {
    match under_test() {
        Side::Ours(foster) => Launch::new(foster).args(["--as", name]),
        Side::Theirs => named(name),
    }
}

/// The subject of this name, through a symbolic link.
pub fn named(name: &str) -> Launch {
    Launch::new(path(name))
}

/// The path of the link that has this name, which is the subject's `argv[0]`.
pub fn path(name: &str) -> PathBuf {
    let (side, target) = match under_test() {
        Side::Ours(foster) => ("ours", foster),
        Side::Theirs => ("theirs", original(name)),
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(side);
    fs::create_dir_all(&folder).expect("the folder of links can be made");
    let link = folder.join(name);
    if fs::read_link(&link).ok().as_ref() != Some(&target) {
        // Tests run in parallel: the link is made aside and moved into place.
        let aside = folder.join(format!(".{name}-{}", unique()));
        symlink(&target, &aside).expect("a link can be made");
        fs::rename(&aside, &link).expect("a link can be moved");
    }
    link
}

/// A number that no other test uses, in this process or another.
pub fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A folder of its own that goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("foster-compat-{}", unique()));
        fs::create_dir(&path).expect("a folder can be made");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn script(&self, name: &str, text: &str) -> String {
        self.file(name, text, 0o755)
    }

    /// Another process writes it: what this one has open for writing, a child of another test's
    /// may have too for a moment, and a file that anyone may write to is not executed (ETXTBSY).
    pub fn file(&self, name: &str, text: &str, mode: u32) -> String {
        let (draft, path) = (self.0.join(format!("{name}.draft")), self.0.join(name));
        fs::write(&draft, text).expect("a file can be written");
        let status = Command::new("cp").args([&draft, &path]).status().expect("there is cp");
        assert!(status.success(), "cp {draft:?}: {status}");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        path.into_os_string().into_string().expect("UTF-8")
    }

    pub fn link(&self, name: &str, target: &str) -> String {
        let path = self.0.join(name);
        symlink(target, &path).expect("a link can be made");
        path.into_os_string().into_string().expect("UTF-8")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Sets POSIXLY_CORRECT for the original.
///
/// Built on glibc, tini and catatonit take options from behind the first operand, unless this is
/// set or they are built on musl (tini). The contract is to stop at the first operand.
pub fn posix(launch: Launch) -> Launch {
    if theirs() { launch.env("POSIXLY_CORRECT", "1") } else { launch }
}

/// Whether the originals are being tested.
pub fn theirs() -> bool {
    matches!(under_test(), Side::Theirs)
}

/// A case that the original fails, which shows a bug of it: it is an error if it passes there.
///
/// `symptom` is a part of the message with which it fails, so that it cannot fail for another
/// reason than the bug.
pub fn bug(bug: &str, symptom: &str, case: impl FnOnce()) {
    if !theirs() {
        return case();
    }
    let result = catch_unwind(AssertUnwindSafe(|| impatiently(HOPELESS, case)));
    let Err(panic) = result else {
        panic!("the original passes, so it does not have the bug any more: {bug}");
    };
    let message = match panic.downcast_ref::<String>() {
        Some(message) => message.as_str(),
        None => panic.downcast_ref::<&str>().copied().unwrap_or_default(),
    };
    if !message.contains(symptom) {
        eprintln!("it does not fail as expected ({symptom}) of a subject with the bug: {bug}");
        resume_unwind(panic);
    }
    eprintln!("the original fails, as expected: {bug}");
}

/// A case that holds from a later version of the original on than the one installed, perhaps.
pub fn since(name: &str, version: &str, symptom: &str, case: impl FnOnce()) {
    if theirs() && installed_version(name) < numbers(version) {
        bug(&format!("{name} before {version}"), symptom, case);
    } else {
        case();
    }
}

/// How long a test waits for what it expects to wait for in vain.
const HOPELESS: Duration = Duration::from_secs(2);

enum Side {
    Ours(PathBuf),
    Theirs,
}

/// INIT_UNDER_TEST: `ours` (also when unset), `theirs`, or the path of a foster binary.
fn under_test() -> Side {
    match std::env::var("INIT_UNDER_TEST").as_deref() {
        Err(_) | Ok("" | "ours") => Side::Ours(env!("CARGO_BIN_EXE_foster").into()),
        Ok("theirs") => Side::Theirs,
        Ok(path) if path.starts_with('/') => Side::Ours(path.into()),
        Ok(other) => panic!("INIT_UNDER_TEST is ours, theirs or a path, not {other:?}"),
    }
}

fn original(name: &str) -> PathBuf {
    // Docker and podman have them under names of their own.
    let name = match name {
        "docker-init" => "tini",
        "podman-init" => "catatonit",
        name => name,
    };
    let path = Path::new("/usr/bin").join(name);
    assert!(path.exists(), "{path:?} is missing: apt-get install tini dumb-init catatonit strace");
    path
}

fn installed_version(name: &str) -> Vec<u32> {
    let output = Command::new(original(name)).arg("--version").output().expect("it runs");
    numbers(&String::from_utf8_lossy(&[output.stdout, output.stderr].concat()))
}

/// The numbers of the first version in a text: `[0, 1, 7]` for `tini version 0.1.7_catatonit`.
fn numbers(text: &str) -> Vec<u32> {
    let start = text.find(|character: char| character.is_ascii_digit()).unwrap_or(text.len());
    let end = text[start..].find(|character: char| !character.is_ascii_digit() && character != '.');
    let version = &text[start..end.map_or(text.len(), |end| start + end)];
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}
