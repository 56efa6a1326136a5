//! An unknown option, and which one may be meant.

use std::ffi::OsStr;

use super::super::options::OPTIONS;
use super::super::{Platform, Refusal, kind::shown, near::nearest, refusal};
use super::peers;

/// The line for a word behind these dashes that is not an option.
#[cold]
pub(super) fn option(dashes: &str, word: &str, platform: Platform) -> Refusal {
    let hint = hint(dashes, word, platform);
    let shown = shown(OsStr::new(word));
    refusal(format_args!("unknown option {dashes}{shown}: {hint}"))
}

fn hint(dashes: &str, word: &str, platform: Platform) -> String {
    // Neither the other inits nor what foster has in place of these options exist on Windows.
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
    let mut letters = OPTIONS.iter().filter_map(|row| row.short);
    match letters.find(|short| word.len() == 1 && short.eq_ignore_ascii_case(&letter)) {
        Some(short) => format!("did you mean -{short}?"),
        None => "foster -h lists the options".to_owned(),
    }
}
