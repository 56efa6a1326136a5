//! "A command that cannot be started": the code, the line, and the supervisor's next try.

use std::fs;
use std::path::Path;

use crate::subject::{Folder, binary, foster, probe_line, quick};
use crate::support::skip::has_root_to;
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
fn a_directory_is_126_and_called_one() {
    let why = "it is a directory: give the path of a program";
    let output = foster().arg("/tmp").output();
    assert_eq!((output.code(), output.stderr), (126, cannot_start("/tmp", why)));
    let launch = foster().args(["-q", "--max-restarts", "0", "--wrap", "/tmp --port 80"]);
    let output = launch.output();
    let (error, _) = output.stderr.split_once('\n').expect("a line");
    assert_eq!((output.code(), error), (126, cannot_start("/tmp", why).trim_end()));
    // One on PATH is none where a file stands in a later folder, which may not be executed.
    let (first, second) = (Folder::new(), Folder::new());
    fs::create_dir(first.path("app")).expect("a directory can be made");
    let path = format!("{}:{}", first.word(""), second.word(""));
    let app = || foster().env("PATH", &path).arg("app").output();
    assert_eq!((app().code(), app().stderr), (126, cannot_start("app", why)));
    fs::write(second.path("app"), "#!/bin/sh\n").expect("a file can be written");
    assert_eq!((app().code(), app().stderr), (126, cannot_start("app", "Permission denied")));
}

#[test]
fn a_bad_interpreter_is_126_and_told_apart_from_a_missing_command() {
    let folder = Folder::new();
    let script = folder.script("script", "#!/no/such/interpreter\n");
    let output = foster().arg(&script).output();
    let why = "it exists, but its interpreter or loader does not";
    let line = cannot_start(&script, why);
    assert_eq!((output.code(), output.stderr), (126, line));
    let output = foster().env("PATH", folder.word("")).arg("script").output();
    let line = cannot_start("script", why);
    assert_eq!((output.code(), output.stderr), (126, line));
}

#[test]
fn a_file_of_no_executable_format_is_126_on_every_c_library() {
    let folder = Folder::new();
    let is_script = "it is a script without a first line like #!/bin/sh: add one, or give the \
                     interpreter in front: sh SCRIPT";
    let long = "echo r\u{fc}n\n".repeat(100);
    for (name, text, why) in [
        // glibc's execvp would hand this to a shell.
        ("script", "echo run\n", is_script),
        ("long", &long, is_script),
        ("empty", "", "Exec format error"),
        ("nameless", "#!\n", "Exec format error"),
        ("binary", "\x7fELF no more", "Exec format error"),
        ("other", "MZ\u{0}\u{1}", "Exec format error"),
    ] {
        let path = folder.script(name, text);
        let output = foster().arg(&path).output();
        let line = cannot_start(&path, why);
        assert_eq!((output.code(), output.stderr, output.stdout.as_str()), (126, line, ""));
        let on_path = foster().env("PATH", folder.word("")).arg(name).output();
        assert_eq!((on_path.code(), on_path.stderr), (126, cannot_start(name, why)));
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
    if !has_root_to("become a user of one's own") {
        return;
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
fn a_line_without_shell_syntax_whose_program_is_not_there_is_a_failed_start_and_no_shells() {
    // Without foster, no shell would report it either.
    let empty = Folder::new();
    let long = format!("/{} x", "x".repeat(5000));
    for (line, code, why) in [
        ("/no/such/app --port 80", 127, "no such command"),
        ("no-such-command 'a b'", 127, "no such command"),
        ("./plain", 126, "Permission denied"),
        (&long, 126, "File name too long"),
    ] {
        fs::write(empty.path("plain"), "#!/bin/sh\n").expect("a file can be written");
        let launch = quick(foster()).args(["--max-restarts", "2", "--wrap", line]);
        let output = launch.env("PATH", "/nowhere").directory(empty.word("")).output();
        let words = line.split(' ').next().expect("a split has a first part");
        let error = cannot_start(words, why);
        assert_eq!((output.code(), output.stderr.matches(&error).count()), (code, 3), "{output:?}");
        assert!(!output.stderr.contains("started"), "{output:?}");
    }
}

#[test]
fn a_wrapped_program_that_appears_later_is_started_then() {
    let folder = Folder::new();
    let launch = quick(foster()).env("PATH", folder.word("")).args(["--wrap", "app trap"]);
    let mut run = launch.start();
    run.expect_error(cannot_start("app", "no such command").trim_end());
    std::os::unix::fs::symlink(probe(), folder.path("app")).expect("a link can be made");
    run.expect("trapping");
}

#[test]
fn nothing_else_is_held_up_by_a_command_that_cannot_be_started() {
    let launch = quick(foster()).args(["--wrap", "/no/app/here"]).arg("--wrap");
    let mut run = launch.arg(probe_line("trap")).start();
    run.expect("trapping");
    run.signal("USR1");
    run.expect("got USR1");
}
