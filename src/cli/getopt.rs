//! Command lines read like getopt_long(3), with its messages word for word, and numbers read like
//! in C.
//!
//! Parsing stops at the first operand, as getopt does on musl, or on glibc with a `+` or with
//! POSIXLY_CORRECT: a later `--` or option belongs to the command.

use std::ffi::OsString;
use std::fmt;

/// A long option: its name, whether it takes a value, and its letter.
pub(super) type Long = (&'static str, bool, u8);

/// A reader of options.
pub(super) struct Getopt<'a> {
    /// `argv[0]` as it is, for messages.
    path: &'a [u8],
    arguments: &'a [OsString],
    /// The letters. A colon follows each that takes a value.
    letters: &'static [u8],
    longs: &'static [Long],
    /// The letters of the current argument that are still to be read.
    cluster: &'a [u8],
    /// The error of the last option, if any, as a line with its newline.
    pub(super) error: String,
}

impl<'a> Getopt<'a> {
    /// A reader of `args`, `argv[0]` first.
    pub(super) fn new(
        args: &'a [OsString],
        letters: &'static [u8],
        longs: &'static [Long],
    ) -> Getopt<'a> {
        let (path, arguments) = match args {
            [path, arguments @ ..] => (path.as_encoded_bytes(), arguments),
            [] => (&b""[..], args),
        };
        Getopt { path, arguments, letters, longs, cluster: b"", error: String::new() }
    }

    /// The next option's letter and value, which is empty if it takes none. For a wrong one the
    /// letter is a question mark, and `error` has getopt's line.
    pub(super) fn next(&mut self) -> Option<(u8, &'a [u8])> {
        if self.cluster.is_empty() {
            match self.arguments.first()?.as_encoded_bytes() {
                b"--" => {
                    self.advance();
                    return None;
                }
                [b'-', b'-', written @ ..] if !self.longs.is_empty() => {
                    self.advance();
                    return Some(self.long(written));
                }
                [b'-', letters @ ..] if !letters.is_empty() => {
                    self.advance();
                    self.cluster = letters;
                }
                _ => return None,
            }
        }
        let (letter, rest) = self.cluster.split_first()?;
        self.cluster = rest;
        Some(self.short(*letter))
    }

    /// The words after the options.
    pub(super) fn operands(&self) -> &'a [OsString] {
        self.arguments
    }

    fn advance(&mut self) -> Option<&'a [u8]> {
        let (first, rest) = self.arguments.split_first()?;
        self.arguments = rest;
        Some(first.as_encoded_bytes())
    }

    fn short(&mut self, letter: u8) -> (u8, &'a [u8]) {
        let known = self.letters.iter().position(|known| *known == letter && letter != b':');
        let Some(place) = known else {
            return self.about_letter("invalid option", letter);
        };
        if self.letters.get(place + 1) != Some(&b':') {
            return (letter, b"");
        }
        // The value is the rest of this argument, or the next argument.
        let rest = std::mem::take(&mut self.cluster);
        let value = if rest.is_empty() { self.advance() } else { Some(rest) };
        match value {
            Some(value) => (letter, value),
            None => self.about_letter("option requires an argument", letter),
        }
    }

    /// Reads a long option: a name or an abbreviation, `=`, a value.
    fn long(&mut self, written: &'a [u8]) -> (u8, &'a [u8]) {
        let equals = written.iter().position(|byte| *byte == b'=');
        let name = &written[..equals.unwrap_or(written.len())];
        let begins = |long: &&Long| long.0.as_bytes().starts_with(name);
        let exact = self.longs.iter().find(|long| long.0.as_bytes() == name);
        let mut candidates = self.longs.iter().filter(begins);
        let found = match (exact, candidates.next(), candidates.next()) {
            (Some(long), _, _) | (None, Some(long), None) => long,
            (None, Some(_), Some(_)) => {
                let mut list = String::new();
                for (name, _, _) in self.longs.iter().filter(begins) {
                    list.extend([" '--", name, "'"]);
                }
                let written = String::from_utf8_lossy(written);
                return self.wrong(format_args!(
                    "option '--{written}' is ambiguous; possibilities:{list}"
                ));
            }
            (None, None, _) => {
                let written = String::from_utf8_lossy(written);
                return self.wrong(format_args!("unrecognized option '--{written}'"));
            }
        };
        let (name, takes_value, letter) = *found;
        match (takes_value, equals) {
            (false, None) => (letter, b""),
            (true, Some(equals)) => (letter, &written[equals + 1..]),
            (true, None) => match self.advance() {
                Some(value) => (letter, value),
                None => self.about(name, "requires"),
            },
            (false, Some(_)) => self.about(name, "doesn't allow"),
        }
    }

    fn about(&mut self, name: &str, what: &str) -> (u8, &'a [u8]) {
        self.wrong(format_args!("option '--{name}' {what} an argument"))
    }

    fn about_letter(&mut self, what: &str, letter: u8) -> (u8, &'a [u8]) {
        let letter = [letter];
        self.wrong(format_args!("{what} -- '{}'", String::from_utf8_lossy(&letter)))
    }

    /// Stores an error line.
    #[cold]
    fn wrong(&mut self, text: fmt::Arguments<'_>) -> (u8, &'a [u8]) {
        self.error = format!("{}: {text}\n", String::from_utf8_lossy(self.path));
        (b'?', b"")
    }
}

/// Reads a decimal number like strtol(3): after white space and a sign, up to the first other byte,
/// saturating. Returns the number and the rest; nothing if there is no digit.
pub(super) fn strtol(text: &[u8]) -> Option<(i64, &[u8])> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_space(byte))?;
    let (negative, digits) = match &text[start..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() {
        return None;
    }
    let number = digits.iter().fold(0_i64, |number, digit| {
        let digit = i64::from(digit - b'0');
        // Counting down from 0 reaches the lowest number as well.
        number.saturating_mul(10).saturating_add(if negative { -digit } else { digit })
    });
    Some((number, rest))
}

/// Reads a number like atoi(3) and the `%d` of sscanf(3) on 64 bits: like `strtol`, cut to 32 bits.
pub(super) fn to_int((number, rest): (i64, &[u8])) -> (i32, &[u8]) {
    (number as i32, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGS: &[Long] = &[
        ("help", false, b'h'),
        ("rewrite", true, b'r'),
        ("verbose", false, b'v'),
        ("version", false, b'V'),
    ];

    /// Reads all options; returns them, an error as its line, and the operands.
    fn read(args: &[&str], longs: &'static [Long]) -> (Vec<String>, Vec<String>) {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let mut getopt = Getopt::new(&args, b"hvVr:", longs);
        let mut seen = Vec::new();
        while let Some((letter, value)) = getopt.next() {
            if letter == b'?' {
                seen.push(getopt.error);
                getopt.error = String::new();
                break;
            }
            seen.push(format!("{}{}", char::from(letter), String::from_utf8_lossy(value)));
        }
        let rest = getopt.operands().iter().map(|word| word.to_string_lossy().into_owned());
        (seen, rest.collect())
    }

    #[test]
    fn options_end_at_the_first_operand_or_after_two_dashes() {
        for (args, seen, rest) in [
            (&["p", "-v", "a", "-h", "--"][..], &["v"][..], &["a", "-h", "--"][..]),
            (&["p", "-vr1", "-r", "2", "--", "-h"], &["v", "r1", "r2"], &["-h"]),
            (&["p", "-vr", "--", "a"], &["v", "r--"], &["a"]),
            (&["p", "-", "-h"], &[], &["-", "-h"]),
            (&["p", "", "-h"], &[], &["", "-h"]),
            (&["p"], &[], &[]),
            (&[], &[], &[]),
        ] {
            let (got_seen, got_rest) = read(args, LONGS);
            assert_eq!(got_seen, seen, "{args:?}");
            assert_eq!(got_rest, rest, "{args:?}");
        }
    }

    #[test]
    fn long_options_may_be_abbreviated_as_long_as_it_is_clear_which_is_meant() {
        for (args, seen) in [
            (
                &["p", "--help", "--hel", "--vers", "--rew=1", "--rewrite", "2"][..],
                &["h", "h", "V", "r1", "r2"][..],
            ),
            (&["p", "--r="], &["r"]),
            (
                &["p", "--ver"],
                &["p: option '--ver' is ambiguous; possibilities: '--verbose' '--version'\n"],
            ),
            (
                &["p", "--=3"],
                &[
                    "p: option '--=3' is ambiguous; possibilities: '--help' '--rewrite' '--verbose' \
                   '--version'\n",
                ],
            ),
            (&["p", "--yolo=3"], &["p: unrecognized option '--yolo=3'\n"]),
            (&["p", "--vers=3"], &["p: option '--version' doesn't allow an argument\n"]),
            (&["p", "--rew"], &["p: option '--rewrite' requires an argument\n"]),
        ] {
            assert_eq!(read(args, LONGS).0, seen, "{args:?}");
        }
    }

    #[test]
    fn a_wrong_letter_gets_getopts_message() {
        for (args, line) in [
            (&["/a/p", "-x"][..], "/a/p: invalid option -- 'x'\n"),
            (&["p", "-:"], "p: invalid option -- ':'\n"),
            (&["p", "-r"], "p: option requires an argument -- 'r'\n"),
        ] {
            assert_eq!(read(args, LONGS).0, [line]);
        }
        // Without long options, two dashes are a dash and the letter `-`.
        assert_eq!(read(&["p", "--help"], &[]).0, ["p: invalid option -- '-'\n"]);
        assert_eq!(read(&["p", "--", "--help"], &[]).1, ["--help"]);
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        assert_eq!(strtol(b" \t\n+5x"), Some((5, &b"x"[..])));
        assert_eq!(strtol(b"-12"), Some((-12, &b""[..])));
        assert_eq!(strtol(b"99999999999999999999"), Some((i64::MAX, &b""[..])));
        assert_eq!(strtol(b"-9223372036854775809"), Some((i64::MIN, &b""[..])));
        for none in [&b""[..], b" ", b"+", b"+-1", b"x"] {
            assert_eq!(strtol(none), None);
        }
        assert_eq!(strtol(b"4294967297").map(to_int), Some((1, &b""[..])));
        assert_eq!(strtol(b"99999999999999999999").map(to_int), Some((-1, &b""[..])));
    }
}
