//! Command lines of Windows: words as one text, quoted so that it splits into the same words again.
//!
//! Windows passes a program one text, not a list of words, and each program splits its own. Nearly
//! all do it like `CommandLineToArgvW` and the C runtime. `cmd.exe`, which runs batch files, does
//! not. The syntax is ASCII, so this works on bytes: the rest may be UTF-8, or the WTF-8 of an
//! `OsStr`.

use std::fmt;

/// The command line of a program, by the rules of `CommandLineToArgvW`.
pub fn program<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut line = Vec::new();
    for (index, word) in words.into_iter().enumerate() {
        if index == 0 {
            // The program's name has its own rules: a quote ends at the next one, whatever stands
            // before that. No file name contains a quote.
            quoted(&mut line, word);
        } else {
            line.push(b' ');
            argument(&mut line, word);
        }
    }
    line
}

/// The command line by which `cmd.exe` runs a line as if it had been typed.
#[must_use]
pub fn shell(cmd: &[u8], line: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    quoted(&mut out, cmd);
    // /D: run no commands from the registry first. /S: remove exactly the outermost quotes.
    out.extend_from_slice(b" /D /S /C \"");
    out.extend_from_slice(line);
    out.push(b'"');
    out
}

/// The command line by which `cmd.exe` runs a batch file with these arguments; an error if one of
/// them would not reach the file unchanged.
pub fn batch<'a>(
    cmd: &[u8],
    file: &'a [u8],
    arguments: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, UnsafeArgument> {
    let mut out = Vec::new();
    quoted(&mut out, cmd);
    // /V:OFF: an exclamation mark has no meaning.
    out.extend_from_slice(b" /D /E:ON /V:OFF /S /C \"");
    batch_word(&mut out, file, true)?;
    for argument in arguments {
        out.push(b' ');
        batch_word(&mut out, argument, false)?;
    }
    out.push(b'"');
    Ok(out)
}

/// Whether `cmd.exe` has to run a file of this name.
#[must_use]
pub fn is_batch(file: &[u8]) -> bool {
    // Windows removes dots and spaces from the end of a name before it opens the file.
    let end = file.iter().rposition(|byte| !matches!(byte, b' ' | b'.')).map_or(0, |last| last + 1);
    let extension = &file[end.saturating_sub(4)..end];
    extension.eq_ignore_ascii_case(b".bat") || extension.eq_ignore_ascii_case(b".cmd")
}

/// An argument that `cmd.exe` would not pass to a batch file unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsafeArgument {
    argument: String,
    byte: u8,
}

impl fmt::Display for UnsafeArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.byte {
            b'"' => "a quote",
            b'%' => "a percent sign",
            _ => "a line break",
        };
        write!(
            f,
            "cannot hand the argument {:?} to a batch file: cmd.exe would take {what} in it for \
             syntax; run a program, or give the line to --wrap",
            self.argument
        )
    }
}

/// Adds an argument, in quotes where it needs them.
fn argument(line: &mut Vec<u8>, word: &[u8]) {
    let is_plain = !word.iter().any(|byte| matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | b'"'));
    if is_plain && !word.is_empty() {
        line.extend_from_slice(word);
        return;
    }
    line.push(b'"');
    let mut backslashes = 0;
    for byte in word {
        if *byte == b'"' {
            // Backslashes matter only before a quote: each is doubled there, and one more escapes
            // the quote.
            line.extend(std::iter::repeat_n(b'\\', backslashes + 1));
        }
        backslashes = if *byte == b'\\' { backslashes + 1 } else { 0 };
        line.push(*byte);
    }
    line.extend(std::iter::repeat_n(b'\\', backslashes));
    line.push(b'"');
}

/// Adds a word for a batch file.
fn batch_word(line: &mut Vec<u8>, word: &[u8], quote: bool) -> Result<(), UnsafeArgument> {
    let is_syntax = |byte: &u8| matches!(byte, b'"' | b'%' | b'\r' | b'\n');
    if let Some(byte) = word.iter().copied().find(is_syntax) {
        let argument = String::from_utf8_lossy(word).into_owned();
        return Err(UnsafeArgument { argument, byte });
    }
    let is_plain = word.iter().all(|byte| byte.is_ascii_alphanumeric() || PLAIN.contains(byte));
    if is_plain && !word.is_empty() && !quote {
        line.extend_from_slice(word);
        return Ok(());
    }
    line.push(b'"');
    line.extend_from_slice(word);
    // The batch file may pass it to a program, where a backslash would escape the quote. To
    // `cmd.exe`, and in a path, two are as good as one.
    let backslashes = word.iter().rev().take_while(|byte| **byte == b'\\').count();
    line.extend(std::iter::repeat_n(b'\\', backslashes));
    line.push(b'"');
    Ok(())
}

fn quoted(line: &mut Vec<u8>, word: &[u8]) {
    line.push(b'"');
    line.extend_from_slice(word);
    line.push(b'"');
}

/// Characters without a meaning to `cmd.exe` outside of quotes, besides letters and digits.
const PLAIN: &[u8] = b"#$+-./:?@\\_";

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("the words are UTF-8, and what is added is ASCII")
    }

    /// Splits a command line as `CommandLineToArgvW` is documented to do.
    fn split(line: &str) -> Vec<String> {
        let (name, mut rest) = line[1..].split_once('"').expect("the name is in quotes");
        let mut words = vec![name.to_owned()];
        loop {
            rest = rest.trim_start_matches([' ', '\t']);
            if rest.is_empty() {
                return words;
            }
            let (mut word, mut in_quotes) = (String::new(), false);
            loop {
                let backslashes = rest.bytes().take_while(|byte| *byte == b'\\').count();
                let behind = &rest[backslashes..];
                if let Some(unquoted) = behind.strip_prefix('"') {
                    word.push_str(&rest[..backslashes / 2]);
                    if backslashes % 2 == 1 {
                        word.push('"');
                    } else {
                        in_quotes = !in_quotes;
                    }
                    rest = unquoted;
                    continue;
                }
                word.push_str(&rest[..backslashes]);
                match behind.chars().next() {
                    Some(' ' | '\t') if !in_quotes => break rest = behind,
                    Some(c) => {
                        word.push(c);
                        rest = &behind[c.len_utf8()..];
                    }
                    None => break rest = behind,
                }
            }
            words.push(word);
        }
    }

    #[test]
    fn an_argument_is_quoted_only_where_it_has_to_be() {
        for (word, expected) in [
            ("a", "a"),
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("a\tb", "\"a\tb\""),
            (r"a\b", r"a\b"),
            (r"a\", r"a\"),
            (r"a b\", r#""a b\\""#),
            (r#"a"b"#, r#""a\"b""#),
            (r#"a\"b"#, r#""a\\\"b""#),
            (r#"""#, r#""\"""#),
            ("ä€😀", "ä€😀"),
        ] {
            let line = text(program([&b"x"[..], word.as_bytes()]));
            assert_eq!(line, format!("\"x\" {expected}"), "{word:?}");
        }
    }

    #[test]
    fn words_come_back_from_a_command_line_as_they_went_in() {
        // All texts of up to five of the characters that matter.
        let alphabet = ["a", " ", "\"", "\\", "\t", "é"];
        for length in 0..=5_u32 {
            for number in 0..alphabet.len().pow(length) {
                let mut rest = number;
                let mut word = String::new();
                for _ in 0..length {
                    word.push_str(alphabet[rest % alphabet.len()]);
                    rest /= alphabet.len();
                }
                let words = ["C:\\Program Files\\x.exe", &word, "end"];
                let line = text(program(words.map(str::as_bytes)));
                assert_eq!(split(&line), words, "{line}");
            }
        }
    }

    #[test]
    fn a_line_for_the_shell_stays_as_it_was_typed() {
        let line = text(shell(br"C:\a b\cmd.exe", br#""a b.exe" "x" > %TEMP%\y"#));
        assert_eq!(line, r#""C:\a b\cmd.exe" /D /S /C ""a b.exe" "x" > %TEMP%\y""#);
    }

    #[test]
    fn a_batch_file_gets_its_arguments_in_quotes_that_keep_syntax_out() {
        let words = ["plain-1.0", "", "a b", "a&b|c", "x^y", "!v!", r"C:\dir\", r"C:\my dir\"];
        let line = batch(b"cmd.exe", br"C:\b.cmd", words.map(str::as_bytes)).map(text);
        let expected = r#""cmd.exe" /D /E:ON /V:OFF /S /C ""C:\b.cmd" plain-1.0 "" "a b" "a&b|c" "x^y" "!v!" C:\dir\ "C:\my dir\\"""#;
        assert_eq!(line.as_deref(), Ok(expected));
    }

    #[test]
    fn an_argument_that_would_be_syntax_in_quotes_is_refused() {
        for (word, what) in
            [("a\"b", "a quote"), ("%PATH%", "a percent sign"), ("a\nb", "break"), ("\r", "break")]
        {
            let error = batch(b"cmd.exe", b"b.cmd", [word.as_bytes()]).expect_err(word);
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    #[test]
    fn a_batch_file_is_known_by_its_name() {
        for name in ["a.bat", "A.CMD", r"C:\x\a.Bat", "a.bat. .", ".cmd"] {
            assert!(is_batch(name.as_bytes()), "{name:?}");
        }
        for name in ["a.exe", "bat", "cmd", "a.bat.exe", "", "...", "a.batch"] {
            assert!(!is_batch(name.as_bytes()), "{name:?}");
        }
    }
}
