//! Durations as people write them: `500ms`, `10s`, `1m 30s`.

use std::time::Duration;

use super::kind::Fault;

/// Reads `500ms`, `10s`, `1m 30s`, `1.5h`, and 0, which needs no unit.
pub(super) fn duration(text: &str) -> Result<Duration, Fault<'static>> {
    nanoseconds(text).map(Duration::from_nanos)
}

fn nanoseconds(text: &str) -> Result<u64, Fault<'static>> {
    const NO_FIT: Fault<'_> = Fault::Because("too large or too fine");
    if text == "0" {
        return Ok(0);
    }
    if text.is_empty() {
        return Err(Fault::Value);
    }
    let mut rest = text.as_bytes();
    let mut sum = 0_u64;
    while !rest.is_empty() {
        // All digits as one whole number, and the power of ten by which it is too large.
        let (mut number, mut scale, mut behind_point) = (0_u64, 1_u64, false);
        let mut is_number = false;
        while let [byte @ (b'0'..=b'9' | b'.'), behind @ ..] = rest {
            is_number = *byte != b'.';
            if is_number {
                let digit = u64::from(byte - b'0');
                number =
                    number.checked_mul(10).and_then(|it| it.checked_add(digit)).ok_or(NO_FIT)?;
                scale = if behind_point { scale.checked_mul(10).ok_or(NO_FIT)? } else { 1 };
            } else if behind_point {
                break;
            }
            behind_point |= !is_number;
            rest = behind;
        }
        rest = rest.trim_ascii_start();
        let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
        let end = rest.iter().position(|byte| !is_letter(byte)).unwrap_or(rest.len());
        let (unit, behind) = rest.split_at(end);
        if !is_number || unit.is_empty() && !behind.is_empty() {
            return Err(Fault::Value);
        }
        if unit.is_empty() {
            return Err(Fault::NoUnit);
        }
        let is_named = |names: &str| names.split(' ').any(|name| name.as_bytes() == unit);
        let (_, nanos) = UNITS
            .iter()
            .find(|(names, _)| is_named(names))
            .ok_or(Fault::Because("unknown unit"))?;
        let product = number.checked_mul(*nanos).filter(|it| it % scale == 0).ok_or(NO_FIT)?;
        sum = sum.checked_add(product / scale).ok_or(NO_FIT)?;
        rest = behind.trim_ascii_start();
    }
    Ok(sum)
}

/// The names of each unit, and its nanoseconds. A year has 365.25 days, a month is a twelfth of it.
const UNITS: [(&str, u64); 10] = [
    ("ns nsec nanos", 1),
    ("us usec \u{b5}s", 1_000),
    ("ms msec millis", 1_000_000),
    ("s sec secs second seconds", SECOND),
    ("m min mins minute minutes", 60 * SECOND),
    ("h hr hrs hour hours", 3600 * SECOND),
    ("d day days", 86_400 * SECOND),
    ("w wk wks week weeks", 7 * 86_400 * SECOND),
    ("M month months", 2_630_016 * SECOND),
    ("y yr yrs year years", 31_557_600 * SECOND),
];

const SECOND: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// All texts that consist of at most `longest` of the pieces.
    fn texts(pieces: &[&str], longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..longest {
            let longer =
                |text: &String| pieces.iter().map(|it| text.clone() + it).collect::<Vec<_>>();
            last = last.iter().flat_map(longer).collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    #[test]
    fn durations_mean_what_they_mean_to_humantime() {
        let pieces = ["0", "1", "90", ".", " ", "ns", "ms", "s", "min", "h", "d", "y", "-"];
        let mut read = 0;
        for text in texts(&pieces, 4).iter().map(|text| text.trim()).filter(|text| *text != "0") {
            match (nanoseconds(text), humantime::parse_duration(text)) {
                (Ok(nanos), Ok(other)) => {
                    assert_eq!(u128::from(nanos), other.as_nanos(), "{text}");
                    read += 1;
                }
                (Err(_), Err(_)) => {}
                // humantime wants whole seconds in hours, and a digit first.
                (Ok(_), Err(error)) => {
                    let is_finer = error == humantime::DurationError::NumberOverflow;
                    assert!(is_finer || text.contains('.'), "{text}");
                }
                (Err(why), Ok(other)) => {
                    // A number with a fraction is counted in units of it, and overflows sooner.
                    let is_longer = other.as_nanos() * 100 > u128::from(u64::MAX);
                    assert!(is_longer || text.contains(' '), "{text}: {why:?}");
                }
            }
        }
        assert!(read > 1000, "{read}");
    }

    #[test]
    fn every_unit_is_one_of_humantimes() {
        for unit in UNITS.iter().flat_map(|(names, _)| names.split(' ')) {
            let text = format!("3{unit}");
            let other = humantime::parse_duration(&text).expect(unit);
            assert_eq!(nanoseconds(&text).map(u128::from), Ok(other.as_nanos()), "{unit}");
        }
    }
}
