//! How the program is found, and what becomes of one that cannot be started.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use crate::subject::{catatonit, dumb_init, posix, tini, unique};
use crate::support::{Launch, Place};

#[test]
fn tini_finds_the_program_on_path() {
    finds_the_program_on_path(tini().arg("-s"));
}

#[test]
fn dumb_init_finds_the_program_on_path() {
    finds_the_program_on_path(dumb_init());
}

#[test]
fn catatonit_finds_the_program_on_path() {
    finds_the_program_on_path(catatonit());
}

#[test]
fn tini_runs_a_script_without_shebang_by_sh() {
    runs_a_script_without_shebang(tini().arg("-s"));
}

#[test]
fn dumb_init_runs_a_script_without_shebang_by_sh() {
    runs_a_script_without_shebang(dumb_init());
}

#[test]
fn catatonit_runs_a_script_without_shebang_by_sh() {
    runs_a_script_without_shebang(catatonit());
}

#[test]
fn tini_exec_not_found_is_127() {
    let files = Unstartable::new();
    for program in ["/nonexistent", "no-such-program", "", &files.no_interpreter, &files.dangling] {
        fails_in_tini(program, 127, "No such file or directory");
    }
}

#[test]
fn tini_exec_denied_is_126() {
    let files = Unstartable::new();
    for program in [&files.not_executable, "/etc", "/"] {
        fails_in_tini(program, 126, "Permission denied");
    }
}

#[test]
fn tini_other_exec_failures_are_1() {
    let files = Unstartable::new();
    fails_in_tini(&format!("{}/x", files.not_executable), 1, "Not a directory");
    fails_in_tini(&files.looping, 1, "Too many levels of symbolic links");
    fails_in_tini(&format!("/{}", "x".repeat(300)), 1, "File name too long");
}

#[test]
fn tini_exec_failure_carries_the_childs_pid() {
    let output = tini().arg("/nonexistent").place(Place::Pid1).output();
    let expected = "[FATAL tini (2)] exec /nonexistent failed: No such file or directory\n";
    assert_eq!(output.stderr, expected);
}

#[test]
fn dumb_init_exec_failure_is_always_2() {
    let files = Unstartable::new();
    for (program, error) in files.with_errors() {
        let output = dumb_init().arg(&program).output();
        assert_eq!((output.code(), output.stdout.as_str()), (2, ""), "{program}");
        assert_eq!(output.stderr, format!("[dumb-init] {program}: {error}\n"));
    }
}

#[test]
fn catatonit_exec_failure_is_always_1() {
    let files = Unstartable::new();
    for (program, error) in files.with_errors() {
        let output = catatonit().args(["--", &program]).output();
        assert_eq!((output.code(), output.stdout.as_str()), (1, ""), "{program}");
        let expected = format!("failed to exec pid1: {error}\n");
        assert!(output.stderr.ends_with(&expected), "{output:?}");
    }
}

#[test]
fn tini_fork_failure_is_1() {
    fails_to_fork(tini().arg("-s"));
}

#[test]
fn dumb_init_fork_failure_is_1() {
    fails_to_fork(dumb_init());
}

#[test]
fn catatonit_fork_failure_is_1() {
    fails_to_fork(catatonit());
}

#[test]
fn dumb_init_setsid_failure_is_1() {
    let output = dumb_init().inheriting("deny=setsid:EPERM").probe("say=started").output();
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
    assert!(output.stderr.starts_with("[dumb-init] "), "{output:?}");
}

fn finds_the_program_on_path(launch: Launch) {
    let output = posix(launch).args(["sh", "-c", "exit 4"]).output();
    assert_eq!((output.code(), output.stderr.as_str()), (4, ""));
}

fn runs_a_script_without_shebang(launch: Launch) {
    let folder = Folder::new();
    let script = folder.script("plain", "echo \"$0 $1\"\nexit 5\n");
    let output = posix(launch).args([script.as_str(), "one"]).output();
    assert_eq!(output.code(), 5, "{output:?}");
    assert_eq!(output.stdout, format!("{script} one\n"));
}

fn fails_in_tini(program: &str, code: i32, error: &str) {
    let output = tini().args(["-s", "--", program]).output();
    assert_eq!((output.code(), output.stdout.as_str()), (code, ""), "{program:?}: {output:?}");
    let text = output.stderr.strip_prefix("[FATAL tini (").expect("a log line");
    let (pid, text) = text.split_once(")] ").expect("the end of the prefix");
    assert!(pid.parse::<u32>().is_ok(), "{output:?}");
    assert_eq!(text, format!("exec {program} failed: {error}\n"));
}

fn fails_to_fork(launch: Launch) {
    let output = launch.inheriting("deny=clone,clone3,fork,vfork:EAGAIN").arg("true").output();
    assert_eq!(output.code(), 1, "{output:?}");
    assert_eq!(output.stdout, "");
    assert!(!output.stderr.is_empty(), "it says something");
}

/// Files that cannot be started, each for another reason.
struct Unstartable {
    folder: Folder,
    not_executable: String,
    no_interpreter: String,
    dangling: String,
    looping: String,
}

impl Unstartable {
    fn new() -> Self {
        let folder = Folder::new();
        let not_executable = folder.script("not-executable", "");
        fs::set_permissions(&not_executable, fs::Permissions::from_mode(0o644)).expect("a mode");
        let no_interpreter = folder.script("no-interpreter", "#!/nonexistent\n");
        let dangling = folder.link("dangling", "/nonexistent");
        let looping = folder.link("looping", "looping");
        Self { folder, not_executable, no_interpreter, dangling, looping }
    }

    /// Programs with the error of starting them.
    fn with_errors(&self) -> [(String, &'static str); 7] {
        [
            ("/nonexistent".into(), "No such file or directory"),
            (self.no_interpreter.clone(), "No such file or directory"),
            (self.dangling.clone(), "No such file or directory"),
            (self.not_executable.clone(), "Permission denied"),
            (self.folder.0.display().to_string(), "Permission denied"),
            (format!("{}/x", self.not_executable), "Not a directory"),
            (self.looping.clone(), "Too many levels of symbolic links"),
        ]
    }
}

/// A folder of its own that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("foster-compat-{}", unique()));
        fs::create_dir(&path).expect("a folder can be made");
        Self(path)
    }

    fn script(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a script can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        path.into_os_string().into_string().expect("UTF-8")
    }

    fn link(&self, name: &str, target: &str) -> String {
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
