//! The command line of `--wrap`: whether it needs a shell, and its words if it does not.
//!
//! Without a shell, the service's pid is the app's, an image needs no shell, and a missing program
//! is a failed start. So a line is run directly if a shell would only split it.

use std::ffi::OsStr;

use shlex::Shlex;

use crate::config::{Argv, Program};

use super::{Platform, Surroundings};

/// Makes a service from a line. The error says what is wrong with a line that is empty or cannot be
/// split.
pub(super) fn program(
    line: &str,
    surroundings: &impl Surroundings,
) -> Result<Program, &'static str> {
    if line.trim_ascii().is_empty() {
        return Err("is empty: give the command line to run");
    }
    match surroundings.platform() {
        Platform::Linux => posix(line, surroundings),
        Platform::Windows => Ok(windows(line)),
    }
}

/// Splits off the first command line of a variable. Each line is one, but a backslash at the end or
/// an open quote joins it with the next line, as in sh(1).
pub(super) fn split_line(text: &str, platform: Platform) -> (&str, &str) {
    let (mut inside, mut end) = (None, text.len());
    let mut bytes = text.bytes().enumerate();
    let mut before = b'\n';
    while let Some((at, byte)) = bytes.next() {
        match (inside, byte) {
            (None | Some(b'#'), b'\n') => {
                end = at;
                break;
            }
            _ if platform == Platform::Windows || inside == Some(b'#') => {}
            (Some(open), _) if open == byte => inside = None,
            (None | Some(b'"'), b'\\') => drop(bytes.next()),
            (None, b'\'' | b'"') => inside = Some(byte),
            // A comment, up to the end of the line, whatever quotes are in it.
            (None, b'#') if before.is_ascii_whitespace() => inside = Some(byte),
            (Some(_) | None, _) => {}
        }
        before = byte;
    }
    let line = &text[..end];
    (line.strip_suffix('\r').unwrap_or(line), text.get(end + 1..).unwrap_or_default())
}

/// Whether such a line contains a command.
pub(super) fn is_command(line: &str, platform: Platform) -> bool {
    let line = line.trim_ascii();
    let is_comment = platform == Platform::Linux && line.starts_with('#');
    !line.is_empty() && !is_comment
}

fn posix(line: &str, surroundings: &impl Surroundings) -> Result<Program, &'static str> {
    if !needs_posix_shell(line) {
        let mut words = Shlex::new(line);
        let argv = Argv::new(&mut words);
        if words.had_error {
            return Err("has an unclosed quote or ends with a backslash: complete it");
        }
        let first = str::from_utf8(argv.program()).unwrap_or_default();
        if first.is_empty() {
            return Err("begins with an empty word: put a program there");
        }
        // Some builtins are programs as well, and those take precedence.
        let is_builtin = SHELL_WORDS.split(' ').any(|word| word == first);
        if !is_builtin || surroundings.is_program(OsStr::new(first)) {
            return Ok(Program::new(argv));
        }
    }
    Ok(Program { in_shell: true, ..Program::new(Argv::new(["sh", "-c", line])) })
}

fn windows(line: &str) -> Program {
    if needs_cmd(line) {
        Program { in_shell: true, ..Program::new(Argv::new([line])) }
    } else {
        let words = line.split_ascii_whitespace();
        Program::new(Argv::new(words))
    }
}

/// Whether sh(1) would do more with this line than split it into words.
fn needs_posix_shell(line: &str) -> bool {
    let mut quote = None;
    let mut bytes = line.bytes();
    while let Some(byte) = bytes.next() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(b'\''), _) => {}
            (_, b'\\') => {
                // A backslash at the end of a line joins it with the next; the shell can do that.
                if bytes.next() == Some(b'\n') {
                    return true;
                }
            }
            (_, b'$' | b'`') => return true,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, byte) if SYNTAX.contains(&byte) => return true,
            (None, _) => {}
        }
    }
    starts_with_assignment(line)
}

/// Whether the line begins with an assignment, `NAME=`.
fn starts_with_assignment(line: &str) -> bool {
    let Some((name, _)) = line.trim_ascii_start().split_once('=') else { return false };
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether cmd.exe would do more with this line than run a program.
fn needs_cmd(line: &str) -> bool {
    if line.bytes().any(|byte| CMD_SYNTAX.contains(&byte)) {
        return true;
    }
    line.split_ascii_whitespace().next().is_some_and(is_cmd_builtin)
}

/// Whether the first word of a command is a builtin of cmd.exe.
pub(super) fn is_cmd_builtin(first: &str) -> bool {
    // `cd..` and `echo.` are builtins too.
    let word = first.split(['.', '\\', '/', ':']).next().unwrap_or_default();
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    let is_path = first.bytes().skip(word.len()).any(in_name);
    !is_path && CMD_BUILTINS.iter().any(|builtin| builtin.eq_ignore_ascii_case(word))
}

/// Syntax outside of quotes, besides `$` and backquotes. Some of it only counts in certain places,
/// but an unnecessary shell does no harm.
const SYNTAX: &[u8] = b"|&;<>()*?[#~{}!\n";

const CMD_SYNTAX: &[u8] = b"&|<>^%\"()@\n";

/// Builtins and keywords of shells: POSIX, dash, bash and busybox.
const SHELL_WORDS: &str = ". : alias bg bind break builtin caller case cd chdir command compgen complete \
    compopt continue coproc declare dirs disown do done echo elif else enable esac eval exec exit export \
    false fc fg fi for function getopts hash help history if in jobs kill let local logout mapfile \
    newgrp popd printf pushd pwd read readarray readonly return select set shift shopt source suspend \
    test then time times trap true type typeset ulimit umask unalias unset until wait while";

/// The builtins of cmd.exe (`help` lists them).
const CMD_BUILTINS: [&str; 45] = [
    "assoc", "break", "call", "cd", "chdir", "cls", "color", "copy", "date", "del", "dir", "dpath",
    "echo", "endlocal", "erase", "exit", "for", "ftype", "goto", "if", "keys", "md", "mkdir",
    "mklink", "move", "path", "pause", "popd", "prompt", "pushd", "rd", "rem", "ren", "rename",
    "rmdir", "set", "setlocal", "shift", "start", "time", "title", "type", "ver", "verify", "vol",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mut text: &str, platform: Platform) -> Vec<&str> {
        let mut lines = Vec::new();
        while !text.is_empty() {
            let line;
            (line, text) = split_line(text, platform);
            lines.extend(Some(line).filter(|line| is_command(line, platform)));
        }
        lines
    }

    #[test]
    fn a_variable_gives_a_command_in_each_line() {
        for (text, expected) in [
            ("a b", &["a b"][..]),
            ("a\nb", &["a", "b"]),
            ("\n a \r\n\n \t\nb\n", &[" a ", "b"]),
            ("a \\\n  b\nc", &["a \\\n  b", "c"]),
            ("a \\\\\nb", &["a \\\\", "b"]),
            ("a 'b\nc' \"d\ne \\\" f\" g\nh", &["a 'b\nc' \"d\ne \\\" f\" g", "h"]),
            ("a \"it's\"\nb it\\'s\nc", &["a \"it's\"", "b it\\'s", "c"]),
            ("# it's # one\na # isn't\nb#'\nc'\n  # d", &["a # isn't", "b#'\nc'"]),
            ("", &[]),
            (" \n", &[]),
        ] {
            assert_eq!(lines(text, Platform::Linux), expected, "{text:?}");
        }
        let windows = lines("C:\\a\\\r\nb 'c\n\n#d", Platform::Windows);
        assert_eq!(windows, ["C:\\a\\", "b 'c", "#d"]);
    }

    #[test]
    fn a_line_needs_a_shell_when_a_shell_would_do_more_than_split_it() {
        for line in [
            "a | b",
            "a & b",
            "a; b",
            "a < b",
            "a > b",
            "(a)",
            "a $B",
            "a `b`",
            "a *",
            "a ?",
            "a [b]",
            "a # b",
            "a ~",
            "a {b,c}",
            "! a",
            "a\nb",
            "A=b c",
            " A=b c",
            "_1=",
            "a \"$B\"",
            "a \"`b`\"",
            "a \\\nb",
            "a 'b' $C",
            "a \"'$B'\"",
            "a '\\' $B",
        ] {
            assert!(needs_posix_shell(line), "{line:?}");
        }
    }

    #[test]
    fn a_line_needs_no_shell_when_its_syntax_is_quoted_or_it_has_none() {
        for line in [
            "a",
            "a b=c",
            "a --b=c",
            "a '$B | c'",
            "a \"b | c; d\"",
            "a \\$B \\* \\;",
            "a \"\\$B\"",
            "a 'b\nc'",
            "/a/b -c",
            "a @b %c ^d",
            "=a",
            "a-b=c d",
            "'A'=b",
        ] {
            assert!(!needs_posix_shell(line), "{line:?}");
        }
    }

    #[test]
    fn cmd_is_needed_for_its_syntax_and_its_builtins() {
        for line in [
            "a & b",
            "a | b",
            "a > b",
            "a %B%",
            "a ^b",
            "\"a b\" c",
            "echo hi",
            "ECHO hi",
            "echo.",
            "cd..",
            "cd \\",
            "if exist a b",
            "@a",
        ] {
            assert!(needs_cmd(line), "{line:?}");
        }
        for line in ["app.exe", "echo.exe hi", "C:\\a\\b.exe -c", "start.bat", "a 'b'", "cd\\a.exe"]
        {
            assert!(!needs_cmd(line), "{line:?}");
        }
    }
}
