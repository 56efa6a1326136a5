//! "A command that cannot be started": the code, the line, and the supervisor's next try.

use std::fs;
use std::path::Path;

use crate::subject::{Folder, binary, foster, is_root, probe_line, quick};
use crate::support::{Launch, Place, Status, probe};

#[test]
fn a_command_that_is_not_found_is_127_with_one_line() {
    for place in [Place::Child, Place::Pid1] {
        let output = foster().args(["--", "no-such-command", "x"]).place(place).output();
        assert_eq!(output.code(), 127);
        assert_eq!(output.stderr, cannot_start("no-such-command", "no such command"));
    }
    for command in ["/no/such/command", "./no", "no/such"] {
        let output = foster().args(["--", command]).output();
        let line = cannot_start(command, "no such command");
        assert_eq!((output.code(), output.stderr), (127, line));
    }
    let output = foster().args(["--name", "web", "--", ""]).output();
    let line = "foster: error: cannot start web: '': no such command\n";
    assert_eq!((output.code(), output.stderr.as_str()), (127, line));
}

/// The line for a command that has no other name than its program's.
fn cannot_start(command: &str, why: &str) -> String {
    let name = command.rsplit('/').next().unwrap_or(command);
    format!("foster: error: cannot start {name}: '{command}': {why}\n")
}

#[test]
fn a_file_that_may_not_be_executed_is_126_with_one_line() {
    let folder = Folder::new();
    let path = folder.word("plain");
    fs::write(&path, "#!/bin/sh\n").expect("a file can be written");
    let by_path = foster().arg(&path).output();
    let line = cannot_start(&path, "Permission denied");
    assert_eq!((by_path.code(), by_path.stderr), (126, line));
    let on_path = foster().env("PATH", folder.word("")).arg("plain").output();
    let line = cannot_start("plain", "Permission denied");
    assert_eq!((on_path.code(), on_path.stderr), (126, line));
}

#[test]
fn a_later_folder_of_path_is_tried_after_a_file_that_may_not_be_executed() {
    let (first, second) = (Folder::new(), Folder::new());
    fs::write(first.path("app"), "#!/bin/sh\n").expect("a file can be written");
    second.script("app", "#!/bin/sh\necho second");
    let path = format!("{}:{}:/bin", first.word(""), second.word(""));
    assert_eq!(foster().env("PATH", path).arg("app").output().stdout, "second\n");
}

#[test]
fn a_directory_is_126_with_one_line() {
    let output = foster().arg("/tmp").output();
    assert_eq!((output.code(), output.stderr), (126, cannot_start("/tmp", "Permission denied")));
}

#[test]
fn a_bad_interpreter_is_126_and_told_apart_from_a_missing_command() {
    let folder = Folder::new();
    let script = folder.script("script", "#!/no/such/interpreter\n");
    let output = foster().arg(&script).output();
    let why = "it is there, but its interpreter or loader is not";
    let line = cannot_start(&script, why);
    assert_eq!((output.code(), output.stderr), (126, line));
    let output = foster().env("PATH", folder.word("")).arg("script").output();
    let line = cannot_start("script", why);
    assert_eq!((output.code(), output.stderr), (126, line));
}

#[test]
fn a_file_of_no_executable_format_is_126_on_every_c_library() {
    let folder = Folder::new();
    // glibc's execvp would hand the first to a shell.
    for (name, text) in [("script", "echo run\n"), ("empty", ""), ("binary", "\x7fELF no more")] {
        let path = folder.script(name, text);
        let output = foster().arg(&path).output();
        let line = cannot_start(&path, "Exec format error");
        assert_eq!((output.code(), output.stderr, output.stdout.as_str()), (126, line, ""));
    }
}

#[test]
fn a_loop_of_links_and_a_name_too_long_are_126() {
    let folder = Folder::new();
    std::os::unix::fs::symlink(folder.path("loop"), folder.path("loop")).expect("a link");
    assert_eq!(foster().arg(folder.word("loop")).output().code(), 126);
    assert_eq!(foster().arg(format!("/{}", "x".repeat(5000))).output().code(), 126);
}

#[test]
fn a_supervisor_tries_a_missing_command_again_with_backoff_until_it_is_there() {
    let folder = Folder::new();
    let path = folder.word("app");
    let launch = foster().args(["--backoff", "20ms", "--backoff-max", "40ms"]);
    let mut run = launch.args(["--restart", "always", &path]).arg("trap").start();
    for _ in 0..3 {
        let failed = cannot_start(&path, "no such command");
        assert_eq!(run.expect_error(failed.trim_end()), "");
    }
    std::os::unix::fs::symlink(probe(), &path).expect("a link can be made");
    run.expect("trapping");
}

#[test]
fn each_try_that_failed_is_an_error_line_and_the_next_one_is_announced() {
    let launch = foster().args(["--backoff", "20ms", "--backoff-max", "40ms", "-v"]);
    let mut run = launch.args(["--restart", "always", "/no/app"]).start();
    for delay in ["20ms, restart 1", "40ms, restart 2", "40ms, restart 3"] {
        run.expect_error("foster: error: cannot start app: '/no/app': no such command");
        run.expect_error(&format!("foster: info: app starts again in {delay} in a row"));
    }
    run.signal("TERM");
    assert_eq!(run.wait_for_status(), Status::Code(127));
}

#[test]
fn a_missing_command_counts_as_a_restart_that_was_not_healthy() {
    let launch = quick(foster()).args(["--restart", "on-failure", "--max-restarts", "2"]);
    let output = launch.arg("/no/app").output();
    assert_eq!(output.code(), 127);
    assert_eq!(output.stderr.matches("cannot start").count(), 3, "{output:?}");
}

#[test]
fn no_room_for_a_process_is_an_error_of_an_init_with_one_line() {
    for (error, text) in
        [("EAGAIN", "Resource temporarily unavailable"), ("ENOMEM", "Cannot allocate memory")]
    {
        let deny = format!("deny=clone,clone3,fork,vfork:{error}");
        let output = foster().probe("exit=1").inheriting(&deny).output();
        let line = cannot_start(probe(), text);
        assert_eq!((output.code(), output.stderr), (125, line));
    }
}

#[test]
fn no_room_for_a_process_does_not_bring_a_supervisor_down() {
    for error in ["EAGAIN", "ENOMEM"] {
        let deny = format!("deny=clone,clone3,fork,vfork:{error}");
        let mut run =
            quick(foster()).arg("--wrap").arg(probe_line("exit=1")).inheriting(&deny).start();
        for _ in 0..5 {
            run.expect_error("foster: error: cannot start");
        }
        run.signal("TERM");
        assert_eq!(run.wait_for_status(), Status::Code(125));
    }
}

#[test]
fn a_full_process_table_is_tried_again_until_there_is_room() {
    if !is_root() {
        return eprintln!("skipped: it takes root to become a user of one's own");
    }
    let folder = Folder::new();
    let word = |name: &str, from: &str| folder.program(name, Path::new(from));
    let (foster, probe) = (word("foster", &binary()), word("probe", probe()));
    let uid = 40_000 + std::process::id() % 20_000;
    // Two processes of this user are one too many.
    let limits = format!("limit=nproc:2 uid={uid}");
    let other = Launch::new(&probe).args(["say=up", "pause"]).inheriting(&limits);
    let mut other = other.start();
    other.expect("up");
    let line = format!("{probe} say=started trap");
    let run = Launch::new(&foster).args(["--backoff", "20ms", "--backoff-max", "50ms", "--wrap"]);
    let mut run = run.arg(&line).inheriting(&limits).start();
    for _ in 0..3 {
        run.expect_error("foster: error: cannot start probe: '");
    }
    other.signal("KILL");
    other.wait_for_status();
    run.expect("started");
    run.expect("trapping");
}

#[test]
fn a_service_that_is_found_nowhere_goes_to_a_shell_and_ends_as_that_ends() {
    let output = quick(foster()).args(["--restart", "never", "--wrap", "no-such-command"]).output();
    assert_eq!(output.code(), 127);
    // It is the shell's own line.
    assert!(output.stderr.contains("not found"), "{output:?}");
}

#[test]
fn nothing_else_is_held_up_by_a_command_that_cannot_be_started() {
    let launch = quick(foster()).args(["--wrap", "/no/app/here"]).arg("--wrap");
    let mut run = launch.arg(probe_line("trap")).start();
    run.expect("trapping");
    run.signal("USR1");
    run.expect("got USR1");
}
