//! What is run: found, quoted, with its environment, and its code.

use std::ffi::OsString;
use std::fs;

use super::harness::{
    Folder, Foster, exe, foster, foster_with, helper, helping, run, windows, wine,
};

/// Arguments that are easily broken on the way.
const ARGUMENTS: [&str; 20] = [
    "plain",
    "",
    " ",
    "a b",
    "a\tb",
    "\"",
    "a\"b",
    "\"a b\"",
    "\\",
    "a\\",
    "a b\\",
    "a b\\\\",
    "a\\\"b",
    "a\\\\\" b",
    "*",
    "%PATH%",
    "a&b|c<d>e^f",
    "(!x!)",
    "äöü €",
    "日本 😀",
];

/// A text as the helper tells it.
fn told(text: &str) -> String {
    text.encode_utf16().fold("arg ".to_owned(), |told, unit| match u8::try_from(unit) {
        Ok(byte @ b' '..127) if byte != b'{' => told + &char::from(byte).to_string(),
        _ => told + &format!("{{{unit:x}}}"),
    })
}

/// Starts foster.exe with a variable that Wine would not take from Linux.
fn foster_in<'a>(name: &str, value: &str, args: impl IntoIterator<Item = &'a str>) -> Foster {
    let start = [&*helper(), "with", name, value, "--", &*windows(&exe("FOSTER_EXE"))];
    let words: Vec<_> = start.map(OsString::from).into();
    wine(&[], words.into_iter().chain(args.into_iter().map(OsString::from)))
}

/// The code of foster with all of its 32 bits, which a process of Linux cannot have.
fn code(args: &str) -> String {
    let foster_exe = windows(&exe("FOSTER_EXE"));
    let words = ["code".into(), foster_exe.into()];
    let args = args.split(' ').map(OsString::from);
    let helper = OsString::from(exe("HELPER_EXE"));
    let mut end = wine(&[], [helper].into_iter().chain(words).chain(args)).end();
    end.out.pop().unwrap_or_else(|| panic!("nothing was told: {end:?}"))
}

#[test]
fn codes_pass_through_in_all_of_their_32_bits() {
    for number in ["0", "1", "255", "256", "259", "3221225477", "4294967295"] {
        assert_eq!(code(&format!("-- {} exit {number}", helper())), format!("code {number}"));
    }
}

#[test]
fn a_success_code_becomes_0_and_foster_fails_with_125() {
    let end = run(["--success", "7,4294967295", &helper(), "exit", "7"]);
    assert_eq!((end.code, end.log.len()), (0, 0), "{end:?}");
    assert_eq!(code(&format!("--success 4294967295 {} exit 4294967295", helper())), "code 0");
    assert_eq!(code("--restart sometimes x"), "code 125");
}

#[test]
fn arguments_reach_the_program_as_they_are() {
    let words = [helper(), "args".to_owned()].into_iter();
    let mut foster = foster(words.chain(ARGUMENTS.map(str::to_owned)));
    for argument in ARGUMENTS {
        foster.expect(&told(argument));
    }
    foster.expect("end");
    assert_eq!(foster.end().code, 0);
}

#[test]
fn an_argument_that_is_no_text_reaches_the_program_as_it_is() {
    let foster_exe = windows(&exe("FOSTER_EXE"));
    let helper = helper();
    let words = [&*helper, "code", &foster_exe, "--", &helper, "args", "~x"];
    let mut outer = wine(&[], words.map(OsString::from));
    outer.expect("arg {d800}x");
    outer.expect("end");
    outer.expect("code 0");
    outer.end();
}

#[test]
fn a_batch_file_gets_its_arguments_as_they_are() {
    let folder = Folder::new();
    let file = folder.file("a b.cmd", &format!("@\"{}\" args %*\r\n", helper()));
    let safe = ["plain", "", "a b", "a&b", "a|b", "x^y", "<>", "(!x!)", "C:\\dir\\", "äöü €"];
    let words = ["--".to_owned(), windows(&file)].into_iter();
    let mut foster = foster(words.chain(safe.map(str::to_owned)));
    for argument in safe {
        foster.expect(&told(argument));
    }
    foster.expect("end");
    assert_eq!(foster.end().code, 0);
}

#[test]
fn an_argument_that_a_batch_file_would_not_get_as_it_is_is_refused() {
    let folder = Folder::new();
    let file = windows(&folder.file("a.bat", "@echo it ran\r\n"));
    for (argument, what) in
        [("a\"b", "a quote"), ("%PATH%", "a percent sign"), ("a\nb", "a line break")]
    {
        let end = run(["--", &file, argument]);
        assert_eq!((end.code, end.out.len()), (125, 0), "{end:?}");
        assert!(end.says("to a batch file") && end.says(what), "{end:?}");
    }
}

#[test]
fn a_batch_file_that_appears_later_is_refused_such_arguments_too() {
    let folder = Folder::new();
    let path = folder.path().join("late.bat");
    let args = ["--restart", "always", "--", &windows(&path), "%PATH%"];
    let mut foster = foster_with(&[("FOSTER_LOG", "info")], args);
    foster.logged("no such command");
    folder.file("late.bat", "@echo it ran\r\n");
    foster.logged("a percent sign");
    foster.interrupt();
    let end = foster.end();
    assert!(end.out.is_empty(), "{end:?}");
}

#[test]
fn a_missing_program_is_127_and_one_that_cannot_run_126() {
    let end = run(["no-such-program"]);
    assert_eq!(end.code, 127);
    let line = "foster: error: cannot start no-such-program: 'no-such-program': no such command";
    assert_eq!(end.log, [line]);
    let folder = Folder::new();
    let file = folder.file("text.exe", "this is no program\n");
    let end = run([windows(&file)]);
    assert_eq!(end.code, 126);
    assert!(end.says("cannot start") && end.log.len() == 1, "{end:?}");
    let end = run([windows(folder.path())]);
    assert_eq!(end.code, 126);
    assert!(end.says("it is a directory: give the path of a program"), "{end:?}");
}

#[test]
fn a_program_is_found_by_path_and_pathext_but_not_in_the_current_folder() {
    let folder = Folder::new();
    fs::copy(exe("HELPER_EXE"), folder.path().join("found-it.exe")).expect("the folder is ours");
    folder.file("script.cmd", "@echo script %1\r\n");
    let path = format!("C:\\windows\\system32;{}", windows(folder.path()));
    let variables = [("WINEPATH", path.as_str())];
    for name in ["found-it", "found-it.exe", "FOUND-IT.EXE"] {
        let mut foster = foster_with(&variables, [name, "args", "x"]);
        foster.expect("arg x");
        assert_eq!(foster.end().code, 0);
    }
    let mut foster = foster_with(&variables, ["script", "y"]);
    foster.expect("script y");
    assert_eq!(foster.end().code, 0);
    // `.exe` is not among the extensions to try.
    let program = windows(&folder.path().join("found-it"));
    assert_eq!(foster_in("PATHEXT", ".CMD", [&program, "exit", "4"]).end().code, 127);
    assert_eq!(foster_in("PATHEXT", ".CMD;.EXE", [&program, "exit", "4"]).end().code, 4);
    // cmd.exe looks into the current folder first; foster looks where PATH says.
    let line = format!(
        "cd /d {} && {} found-it exit 0",
        windows(folder.path()),
        windows(&exe("FOSTER_EXE"))
    );
    let end = run(["cmd", "/c", &line]);
    assert_eq!(end.code, 127, "{end:?}");
}

#[test]
fn a_line_with_shell_syntax_or_a_builtin_is_run_by_the_shell() {
    let folder = Folder::new();
    let file = windows(&folder.file("a b.cmd", "@echo in a b, %1\r\n"));
    for (line, says) in [
        ("echo one&& echo two>&2", "one"),
        ("echo port %PORT%", "port 3000"),
        ("ECHO hello", "hello"),
        (&*format!("\"{file}\" \"x y\""), "in a b, \"x y\""),
        ("echo a^&b", "a&b"),
        (&*format!("echo piped| {} cat", helper()), "piped"),
    ] {
        let mut foster = foster(["--max-restarts", "0", "--wrap", line]);
        assert_eq!(foster.line().trim_end(), says, "{line}");
        foster.end();
    }
}

#[test]
fn a_line_without_syntax_is_run_without_a_shell() {
    let line = helping("args a  b 'c d'");
    let mut foster = foster_in("ComSpec", "Z:\\no\\such\\shell.exe", ["--wrap", &line]);
    for argument in ["a", "b", "'c", "d'"] {
        foster.expect(&told(argument));
    }
    drop(foster);
    // The shell that is named there is the one that would have run it.
    let args = ["--max-restarts", "0", "--wrap", "echo x"];
    let end = foster_in("ComSpec", "Z:\\no\\such\\shell.exe", args).end();
    assert_eq!(end.code, 127, "{end:?}");
    assert!(end.says("cannot start echo: 'echo x'"), "{end:?}");
}

#[test]
fn each_wrap_gets_its_port_and_host_and_all_else_as_it_is() {
    let line = helping("env PORT HOST OTHER WRAP_CMD");
    let variables = [("Port", "1"), ("HOST", "elsewhere"), ("OTHER", "a=b ä")];
    for (first, args) in
        [("3000", vec!["--wrap", &line]), ("77", vec!["--app-port", "77", "--wrap", &line])]
    {
        let mut foster = foster_with(&variables, args);
        for value in [first, "127.0.0.1", "a=b {e4}", "(unset)"] {
            foster.expect(&format!("value {value}"));
        }
        foster.expect("end");
    }
    let mut other = foster_with(&variables, ["--app-host", "::", "--wrap", &line]);
    other.expect("value 3000");
    other.expect("value ::");
    let mut other = foster_with(&variables, ["--app-port", "none", "--wrap", &line]);
    other.expect("value 1");
    other.expect("value elsewhere");
    // The first one stays, so that foster does.
    let (first, second) = (helping("tree 2"), helping("env PORT"));
    let mut foster = foster(["--restart", "never", "--wrap", &first, "--wrap", &second]);
    let mut lines = [foster.line(), foster.line(), foster.line(), foster.line()];
    lines.sort();
    assert_eq!(lines, ["end", "up", "up", "value 3001"]);
}

#[test]
fn variables_may_have_any_names() {
    // Those that begin with `=` keep the current folder of each drive.
    for (name, value, told) in [("ÄÖÜ", "é", "{e9}"), ("=Q:", "Q:\\x", "Q:\\x")] {
        let line = helping(&format!("env {name} PORT Path"));
        let mut foster = foster_in(name, value, ["--wrap", &line]);
        foster.expect(&format!("value {told}"));
        foster.expect("value 3000");
        assert!(foster.line().starts_with("value C:\\windows"));
    }
}

#[test]
fn a_line_in_the_environment_is_a_wrap() {
    let mut foster = foster_with(&[("WRAP_CMD", &helping("env PORT"))], Vec::<&str>::new());
    foster.expect("value 3000");
}

#[test]
fn a_command_has_the_environment_and_stdin_as_foster_got_them() {
    let mut foster = foster_with(&[("PORT", "1")], [&helper(), "env", "PORT", "HOST"]);
    foster.expect("value 1");
    foster.expect("value (unset)");
    assert_eq!(foster.end().code, 0);

    let mut foster = foster_with(&[], [&helper(), "cat"]);
    foster.write("through stdin\n");
    foster.expect("through stdin");
    assert_eq!(foster.end().code, 0);
}
