//! Points in time, as plain numbers that the caller brings along.
//!
//! `std::time::Instant` cannot be written as a literal, so a trace made with it could not be
//! printed, saved and replayed. This one can.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A point in time: nanoseconds since some start that the platform chose (monotonic, never
/// stepped by the wall clock). Arithmetic saturates instead of wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The start of time.
    pub const ZERO: Instant = Instant(0);

    /// The point `nanos` nanoseconds after the start.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Instant(nanos)
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was, or zero where it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// When to do again what is a burden to others, where it was begun at `began` and is done now:
    /// after a rest of eight times as long as it took, `longest` at the most. So it takes no more than
    /// a ninth of the time that passes, but for what takes longest.
    #[must_use]
    pub fn rested(self, began: Instant, longest: Duration) -> Instant {
        self + (self.since(began) * REST).min(longest)
    }
}

/// For how many times as long as something took there is a rest from it.
const REST: u32 = 8;

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, delay: Duration) -> Instant {
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        Instant(self.0.saturating_add(nanos))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let late = Instant::from_nanos(u64::MAX - 1);
        assert_eq!(late + Duration::from_secs(1), Instant::from_nanos(u64::MAX));
        assert_eq!(Instant::ZERO + Duration::MAX, Instant::from_nanos(u64::MAX));
        assert_eq!(Instant::ZERO.since(late), Duration::ZERO);
    }

    #[test]
    fn a_rest_is_eight_times_as_long_and_has_an_end() {
        let (began, longest) = (Instant::from_nanos(1_000), Duration::from_nanos(10_000));
        let rested_at = |done| Instant::from_nanos(done).rested(began, longest).as_nanos();
        assert_eq!(rested_at(1_000), 1_000);
        assert_eq!(rested_at(1_100), 1_100 + 800);
        assert_eq!(rested_at(2_250), 2_250 + 10_000);
        assert_eq!(rested_at(9_000), 9_000 + 10_000);
        // The clock that is read may be a little behind.
        assert_eq!(rested_at(900), 900);
    }

    #[test]
    fn it_prints_seconds_with_nanoseconds() {
        assert_eq!(Instant::from_nanos(1_500_000_007).to_string(), "1.500000007s");
    }
}
