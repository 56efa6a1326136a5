//! Which arguments of a system's init were meant for it.
//!
//! The kernel passes its first process every word of its own command line that no driver took and
//! that contains no `=`, followed by the words after ` -- ` (kernel-parameters, init/main.c). A
//! boot loader's `splash`, `single` or `auto` is not a command: only the words after the two dashes
//! count.

use std::ffi::OsString;

/// The number of an init's arguments, without its name, that are leftover words of the kernel's.
/// They come before the others. None if the arguments do not match this kernel command line: then
/// somebody else wrote them (a script that became foster).
pub(super) fn count_strays(args: &[OsString], line: &[u8]) -> usize {
    let given = args.get(1..).unwrap_or_default();
    let (mut before, mut behind) = (line, line);
    while next_word(&mut behind).is_some() {}
    let mut counted = behind;
    let mut count = given.len();
    while next_word(&mut counted).is_some() {
        let Some(fewer) = count.checked_sub(1) else { return 0 };
        count = fewer;
    }
    let (left_over, ours) = given.split_at(count);
    let are_ours = ours.iter().all(|arg| next_word(&mut behind).is_some_and(|it| is_same(arg, it)));
    // Drivers took the missing words.
    let is_stray = |arg: &OsString| {
        while let Some(word) = next_word(&mut before) {
            if is_same(arg, word) {
                return true;
            }
        }
        false
    };
    if are_ours && left_over.iter().all(is_stray) { count } else { 0 }
}

/// Takes a word from the kernel's command line, quotes included: only double quotes keep words
/// together. None at the end, and for two dashes, which are removed too.
fn next_word<'a>(line: &mut &'a [u8]) -> Option<&'a [u8]> {
    let rest = line.trim_ascii_start();
    let mut in_quotes = false;
    let is_end = |byte: &u8| {
        in_quotes ^= *byte == b'"';
        byte.is_ascii_whitespace() && !in_quotes
    };
    let (word, rest) = rest.split_at(rest.iter().position(is_end).unwrap_or(rest.len()));
    *line = rest;
    Some(word).filter(|word| !word.is_empty() && *word != b"--")
}

/// Whether an argument is this word. The kernel keeps quotes inside a word, so quotes are ignored
/// in both.
fn is_same(arg: &OsString, word: &[u8]) -> bool {
    let is_no_quote = |byte: &&u8| **byte != b'"';
    arg.as_encoded_bytes().iter().filter(is_no_quote).eq(word.iter().filter(is_no_quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leftover words, and the remaining arguments.
    fn split(line: &str, args: &[&str]) -> (Vec<OsString>, Vec<OsString>) {
        let mut args: Vec<OsString> = ["/init"].iter().chain(args).map(OsString::from).collect();
        let count = count_strays(&args, line.as_bytes());
        assert_eq!(args.remove(0), "/init");
        let stays = args.split_off(count);
        (args, stays)
    }

    #[test]
    fn only_words_after_the_dashes_count() {
        for (line, args, stray, stays) in [
            (
                "quiet splash -- app -x\n",
                &["splash", "app", "-x"][..],
                &["splash"][..],
                &["app", "-x"][..],
            ),
            ("root=/dev/vda single auto", &["single", "auto"], &["single", "auto"], &[]),
            ("auto init=/sbin/foster single", &["single"], &["single"], &[]),
            (
                "a -- --wrap \"getty ttyS0\"",
                &["a", "--wrap", "getty ttyS0"],
                &["a"],
                &["--wrap", "getty ttyS0"],
            ),
            ("a -- --wrap=\"b c\"", &["a", "--wrap=b c"], &["a"], &["--wrap=b c"]),
            // The kernel drops a second pair of dashes and everything after it.
            ("a -- b -- c", &["a", "b"], &["a"], &["b"]),
            ("a -- a", &["a", "a"], &["a"], &["a"]),
            ("quiet -- app", &["app"], &[], &["app"]),
            ("quiet", &[], &[], &[]),
            ("", &[], &[], &[]),
        ] {
            let as_words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
            assert_eq!(split(line, args), (as_words(stray), as_words(stays)), "{line}");
        }
    }

    #[test]
    fn without_so_much_as_a_name_there_is_nothing_to_take() {
        assert_eq!(count_strays(&[], b"splash -- app"), 0);
        assert_eq!(count_strays(&[], b""), 0);
    }

    #[test]
    fn arguments_of_a_script_that_became_foster_all_stay() {
        for (line, args) in [
            ("quiet splash", &["app", "splash"][..]),
            ("quiet splash", &["--", "/app"]),
            ("single -- b", &["single", "a", "b"]),
            ("a -- b c", &["b"]),
            ("a b", &["b", "a"]),
            ("", &["app"]),
        ] {
            let (stray, stays) = split(line, args);
            assert_eq!((stray.len(), stays.len()), (0, args.len()), "{line} {args:?}");
        }
    }
}
