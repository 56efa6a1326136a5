//! "--wrap and the shell."

use crate::subject::{Folder, foster, probe_line, quick};
use crate::support::probe;
use crate::support::procfs;

#[test]
fn a_line_without_shell_syntax_is_split_and_run_directly() {
    let mut run = quick(foster()).arg("--wrap").arg(probe_line("say=up pause")).start();
    run.expect("up");
    run.expect_error("foster: info: probe (pid ");
    // The service's pid is the app.
    let child = run.child();
    assert_eq!(procfs::stat(child).expect("it lives").name, "probe");

    let line = format!("{} args 'a  b' \"c d\" e\\ f '' '$X;' --", probe());
    let output = foster().args(["--restart", "never", "--wrap", &line]).output();
    assert_eq!(output.stdout, "arg: a  b\narg: c d\narg: e f\narg: \narg: $X;\narg: --\n");
}

#[test]
fn a_line_with_shell_syntax_goes_to_sh() {
    for (line, expected) in [
        ("echo one; echo two", "one\ntwo\n"),
        ("X=3 && echo $X", "3\n"),
        ("X=4 env | grep ^X=", "X=4\n"),
        ("echo \"$PORT\"", "3000\n"),
        ("exit 0", ""),
    ] {
        let output = foster().args(["--restart", "never", "--wrap", line]).output();
        assert_eq!((output.code(), output.stdout.as_str()), (0, expected), "{line}");
    }
    assert_eq!(foster().args(["--restart", "never", "--wrap", "exit 3"]).output().code(), 3);
}

#[test]
fn an_image_without_a_shell_runs_a_line_without_shell_syntax() {
    let folder = Folder::new();
    std::os::unix::fs::symlink(probe(), folder.path("app")).expect("a link can be made");
    let launch = foster().env("PATH", folder.word("")).args(["--restart", "never", "--wrap"]);
    assert_eq!(launch.arg("app args 'a b'").output().stdout, "arg: a b\n");
}

#[test]
fn a_missing_shell_is_reported_with_the_form_that_needs_none() {
    let folder = Folder::new();
    let launch = foster().env("PATH", folder.word("")).args(["--restart", "never", "--wrap"]);
    let output = launch.arg("exit 3").output();
    let line = "foster: error: cannot start exit: 'exit 3': it needs a shell and there is no sh on PATH; \
                give the program itself: foster -- COMMAND [ARG]...\n";
    assert_eq!((output.code(), output.stderr.as_str()), (127, line));
    // And as in all that cannot be started, it is tried again.
    let launch = quick(foster()).env("PATH", folder.word("")).args(["--wrap", "exit 3"]);
    let mut run = launch.start();
    for _ in 0..3 {
        run.expect_error("foster: error: cannot start exit: 'exit 3': it needs a shell");
    }
}

#[test]
fn the_shell_is_found_on_path() {
    let folder = Folder::new();
    folder.script("sh", format!("#!{}\n", probe()));
    std::fs::remove_file(folder.path("sh")).expect("it was there");
    std::os::unix::fs::symlink("/bin/echo", folder.path("sh")).expect("a link can be made");
    let launch = foster().env("PATH", folder.word("")).args(["--restart", "never", "--wrap"]);
    assert_eq!(launch.arg("a;  b").output().stdout, "-c a;  b\n");
}
