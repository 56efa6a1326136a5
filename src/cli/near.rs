//! Near misses: which known word may be meant by an unknown one.

use strsim::levenshtein;

/// The known word that is closest to what was written, in any case, if it is close enough to be a
/// slip.
#[cold]
pub(super) fn nearest(
    written: &str,
    known: &mut dyn Iterator<Item = &'static str>,
) -> Option<&'static str> {
    // No slip is longer, and the time grows with the product of both lengths.
    if written.len() > LONGEST {
        return None;
    }
    let written = written.to_ascii_lowercase();
    let mut best = None;
    let mut best_distance = usize::MAX;
    for word in known {
        let distance = levenshtein(&written, &word.to_ascii_lowercase());
        let slips = 1 + word.len() / 4;
        if distance < best_distance && distance <= slips && distance < word.len() {
            best = Some(word);
            best_distance = distance;
        }
    }
    best
}

const LONGEST: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word_meant_and_another_word_finds_none() {
        let known = ["never", "on-failure", "ALWAYS"];
        for (written, meant) in [
            ("alway", Some("ALWAYS")),
            ("onfailure", Some("on-failure")),
            ("Nevre", Some("never")),
            ("sometimes", None),
            ("", None),
            (&"a".repeat(100_000), None),
        ] {
            assert_eq!(nearest(written, &mut known.into_iter()), meant);
        }
        assert_eq!(nearest("v", &mut ["q"].into_iter()), None);
    }
}
