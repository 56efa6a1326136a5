//! Which arguments of a machine's init were written for it.
//!
//! The kernel gives its first process every word of its own command line that no driver took and that
//! has no `=` in it, and behind these what stands behind ` -- ` (kernel-parameters, init/main.c). A
//! boot loader's `splash`, `single` or `auto` is no command: what counts is behind the two dashes.

use std::ffi::OsString;

/// Takes out of an init's arguments, its name first, the words that the kernel only had left over;
/// gives them. Where the arguments are not those that this kernel command line makes, somebody else
/// wrote them (a script that became foster), and all of them stay.
pub(super) fn take_stray(args: &mut Vec<OsString>, line: &[u8]) -> Vec<OsString> {
    let words: Vec<&[u8]> = words(line).collect();
    let mut parts = words.split(|word| *word == b"--");
    let before = parts.next().unwrap_or_default();
    let behind = parts.next().unwrap_or_default();
    let Some(given) = args.get(1..) else { return Vec::new() };
    let Some(count) = given.len().checked_sub(behind.len()) else { return Vec::new() };
    let (left_over, ours) = given.split_at(count);
    let mut from_before = before.iter();
    let all_are = ours.iter().zip(behind).all(|(arg, word)| is_same(arg, word))
        && left_over.iter().all(|arg| from_before.any(|word| is_same(arg, word)));
    if all_are { args.drain(1..=count).collect() } else { Vec::new() }
}

/// The words of the kernel's command line, with their quotes: double quotes keep words together, and
/// nothing else does.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut in_quotes = false;
    let words = line.split(move |byte| {
        in_quotes ^= *byte == b'"';
        byte.is_ascii_whitespace() && !in_quotes
    });
    words.filter(|word| !word.is_empty())
}

/// Whether an argument is this word. The kernel leaves quotes in the midst of a word; to compare the
/// two it is enough to leave them out of both.
fn is_same(arg: &OsString, word: &[u8]) -> bool {
    let is_no_quote = |byte: &&u8| **byte != b'"';
    arg.as_encoded_bytes().iter().filter(is_no_quote).eq(word.iter().filter(is_no_quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left over of these arguments, and what stays.
    fn split(line: &str, args: &[&str]) -> (Vec<OsString>, Vec<OsString>) {
        let mut args: Vec<OsString> = ["/init"].iter().chain(args).map(OsString::from).collect();
        let stray = take_stray(&mut args, line.as_bytes());
        assert_eq!(args.remove(0), "/init");
        (stray, args)
    }

    #[test]
    fn only_what_stands_behind_the_dashes_counts() {
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
            // The kernel drops a second pair of dashes and what follows.
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
        assert_eq!(take_stray(&mut Vec::new(), b"splash -- app"), Vec::<OsString>::new());
        assert_eq!(take_stray(&mut Vec::new(), b""), Vec::<OsString>::new());
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
