//! How the program is found, and what becomes of one that cannot be started.

use crate::subject::{Folder, catatonit, dumb_init, posix, tini};
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
fn a_folder_on_path_that_is_too_long_is_skipped() {
    let path = format!("/{}:/usr/bin:/bin", "x/".repeat(2500));
    for launch in [tini().arg("-s"), dumb_init(), catatonit()] {
        finds_the_program_on_path(launch.env("PATH", &path));
    }
}

#[test]
fn without_path_the_programs_of_the_system_are_found() {
    for launch in [tini().arg("-s"), dumb_init(), catatonit()] {
        finds_the_program_on_path(launch.inheriting("unsetenv=PATH"));
    }
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
fn catatonit_exec_failure_carries_the_childs_pid() {
    let output = catatonit().arg("/nonexistent").place(Place::Pid1).output();
    let expected = "ERROR (catatonit:2): failed to exec pid1: No such file or directory\n";
    assert_eq!(output.stderr, expected);
}

#[test]
fn tini_exec_failure_is_the_end_of_a_child() {
    let output = tini().args(["-v", "/nonexistent"]).place(Place::Pid1).output();
    let expected = "[INFO  tini (1)] Spawned child process '/nonexistent' with pid '2'\n\
                    [INFO  tini (1)] Main child exited normally (with status '127')\n";
    assert_eq!((output.code(), output.stdout.as_str()), (127, expected));
}

#[test]
fn dumb_init_exec_failure_is_the_end_of_a_child() {
    let output = dumb_init().args(["-v", "/nonexistent"]).place(Place::Pid1).output();
    assert_eq!(output.code(), 2);
    for line in [
        "Child spawned with PID 2.",
        "setsid complete.",
        "/nonexistent: No such file or directory",
        "A child with PID 2 exited with exit status 2.",
        "Child exited with status 2. Goodbye.",
    ] {
        let line = format!("[dumb-init] {line}");
        assert!(output.stderr.lines().any(|one| one == line), "{line}: {output:?}");
    }
}

#[test]
fn catatonit_exec_failure_is_the_end_of_a_child() {
    let launch = catatonit().env("CATATONIT_DEBUG", "").arg("/nonexistent");
    let output = launch.place(Place::Pid1).output();
    let spawned = "pid1 (2) spawned: /nonexistent\n";
    assert!(output.stderr.contains(spawned), "{output:?}");
    assert_eq!(output.code(), 1);
}

#[test]
fn long_names_are_reported_whole() {
    let program = format!("/nonexistent{}", "/x".repeat(1000));
    fails_in_tini(&program, 127, "No such file or directory");
    let output = dumb_init().arg(&program).output();
    let expected = format!("[dumb-init] {program}: No such file or directory\n");
    assert_eq!((output.code(), output.stderr), (2, expected));
}

#[test]
fn tini_fork_failure_is_1() {
    let text = fails_to_fork(tini().arg("-s"));
    let text = text.strip_prefix("[FATAL tini (").expect("a log line");
    assert!(text.ends_with(")] fork failed: Resource temporarily unavailable\n"), "{text}");
}

#[test]
fn tini_fork_failure_is_never_remapped() {
    fails_to_fork(tini().args(["-s", "-e", "1"]));
}

#[test]
fn dumb_init_fork_failure_is_1() {
    assert_eq!(fails_to_fork(dumb_init()), "[dumb-init] Unable to fork. Exiting.\n");
}

#[test]
fn catatonit_fork_failure_is_1() {
    let text = fails_to_fork(catatonit());
    assert!(text.starts_with("ERROR (catatonit:"), "{text}");
    for part in ["failed to fork child", "failed to spawn pid1"] {
        let line = format!("{part}: Resource temporarily unavailable\n");
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn dumb_init_setsid_failure_is_1() {
    let output = dumb_init().inheriting("deny=setsid:EPERM").probe("say=started").output();
    let expected = "[dumb-init] Unable to setsid (errno=1 Operation not permitted). Exiting.\n";
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
    assert_eq!(output.stderr, expected);
}

#[test]
fn tini_prctl_failure_is_1() {
    for (option, expected) in [
        ("-s", "Failed to register as child subreaper: Operation not permitted"),
        ("-pSIGTERM", "Failed to set up parent death signal"),
    ] {
        let launch = tini().inheriting("deny=prctl:EPERM").args([option, "--"]);
        let output = launch.probe("say=started").output();
        assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
        let text = output.stderr.strip_prefix("[FATAL tini (").expect("a log line");
        assert!(text.ends_with(&format!(")] {expected}\n")), "{output:?}");
    }
}

#[test]
fn catatonit_prctl_failure_is_1() {
    let launch = catatonit().inheriting("deny=prctl:EPERM").arg("--");
    let output = launch.probe("say=started").output();
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
    let text = output.stderr.strip_prefix("ERROR (catatonit:").expect("a log line");
    let expected = "): failed to set child-reaper as non-pid1: Operation not permitted\n";
    assert!(text.ends_with(expected), "{output:?}");
}

#[test]
fn catatonit_signalfd_failure_is_1() {
    let launch = catatonit().inheriting("deny=signalfd4:ENOMEM").arg("--");
    let output = launch.probe("say=started").output();
    assert_eq!((output.code(), output.stdout.as_str()), (1, ""));
    let text = output.stderr.strip_prefix("ERROR (catatonit:").expect("a log line");
    assert!(text.ends_with("): failed to create signalfd: Cannot allocate memory\n"), "{output:?}");
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

fn fails_to_fork(launch: Launch) -> String {
    let output = launch.inheriting("deny=clone,clone3,fork,vfork:EAGAIN").arg("true").output();
    assert_eq!(output.code(), 1, "{output:?}");
    assert_eq!(output.stdout, "");
    output.stderr
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
        let not_executable = folder.file("not-executable", "", 0o644);
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
            (self.folder.path().display().to_string(), "Permission denied"),
            (format!("{}/x", self.not_executable), "Not a directory"),
            (self.looping.clone(), "Too many levels of symbolic links"),
        ]
    }
}
