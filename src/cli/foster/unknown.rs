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
    let mut hint = None;
    if let (1, Some(letter)) = (dashes.len(), word.chars().next()) {
        let other_case =
            |(short, _): &&(char, _)| word.len() == 1 && short.eq_ignore_ascii_case(&letter);
        hint = peer(letter.encode_utf8(&mut [0; 4])).or_else(|| {
            let (short, _) = SHORT.iter().find(other_case)?;
            Some(format!("did you mean -{short}?"))
        });
    }
    hint.unwrap_or_else(|| "foster -h lists them".to_owned())
}
