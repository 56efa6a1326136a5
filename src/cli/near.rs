//! Which word was meant by one that is not known.

use strsim::levenshtein;

/// The known word that is closest to what was written, if it is close enough to be a slip.
pub(super) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Nobody slips so often as to need more, and the distance takes time by the product of both.
    if written.len() > LONGEST {
        return None;
    }
    let mut best = None;
    let mut best_distance = usize::MAX;
    for word in known {
        let distance = levenshtein(written, word);
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
        let known = ["never", "on-failure", "always"];
        assert_eq!(nearest("alway", known), Some("always"));
        assert_eq!(nearest("onfailure", known), Some("on-failure"));
        assert_eq!(nearest("nevre", known), Some("never"));
        assert_eq!(nearest("sometimes", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("v", ["q"]), None);
        assert_eq!(nearest(&"a".repeat(100_000), known), None);
    }
}
