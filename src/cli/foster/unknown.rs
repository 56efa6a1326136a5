//! An option that there is not, and what may be meant by it.

use std::ffi::OsStr;

use super::super::near::nearest;
use super::super::value::shown;
use super::super::{Platform, Refusal, refusal};
use super::{OPTIONS, SHORT, peers};

/// The line for a word behind these dashes that is no option.
#[cold]
pub(super) fn option(dashes: &str, word: &str, platform: Platform) -> Refusal {
    let hint = hint(dashes, word, platform);
    let shown = shown(OsStr::new(word));
    refusal(format_args!("{dashes}{shown}: there is no such option: {hint}"))
}

fn hint(dashes: &str, word: &str, platform: Platform) -> String {
    // Windows knows none of those that foster stands in for, nor what foster has in their stead.
    let peer = |name: &str| if platform == Platform::Linux { peers::hint(name) } else { None };
    if let Some(hint) = peer(word) {
        return hint;
    }
    let mut names = OPTIONS.iter().map(|row| row.word());
    if word.len() > 2 {
        let meant = nearest(word, &mut names.clone());
        if let Some(meant) = meant.or_else(|| names.find(|name| name.starts_with(word))) {
            return format!("did you mean --{meant}?");
        }
    }
    let letter = word.chars().next().filter(|_| dashes.len() == 1).unwrap_or_default();
    if let Some(hint) = word.get(..letter.len_utf8()).and_then(peer) {
        return hint;
    }
    let is_other_case =
        |(short, _): &&(char, _)| word.len() == 1 && short.eq_ignore_ascii_case(&letter);
    match SHORT.iter().find(is_other_case) {
        Some((short, _)) => format!("did you mean -{short}?"),
        None => "foster -h lists them".to_owned(),
    }
}
