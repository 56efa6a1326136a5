//! Points in time, as plain numbers from the caller.
//!
//! `std::time::Instant` cannot be constructed, so a trace with it could not be printed, saved and
//! replayed. This type can.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::Add;
use std::time::Duration;

/// A point in time: nanoseconds since a start that the platform chose (monotonic, not affected by
/// changes of the wall clock). Arithmetic saturates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(
    /// The nanoseconds plus one, so that an `Option<Instant>` is no larger.
    NonZeroU64,
);

impl Instant {
    /// The start of time.
    pub const ZERO: Instant = Instant(NonZeroU64::MIN);

    /// The point `nanos` nanoseconds after the start.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Instant(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// The time since `earlier`, or zero if that is later.
    #[must_use]
    // It is short, and called in many places.
    #[inline(never)]
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }

    /// When costly work that began at `began` and ends now may run again: after eight times its
    /// duration, at most `longest`. So it takes at most a ninth of all time, unless it takes very
    /// long.
    #[must_use]
    pub fn rested(self, began: Instant, longest: Duration) -> Instant {
        self + (self.since(began) * REST).min(longest)
    }
}

/// The rest after costly work, as a multiple of its duration.
const REST: u32 = 8;

impl Add<Duration> for Instant {
    type Output = Instant;

    // As `since`.
    #[inline(never)]
    fn add(self, delay: Duration) -> Instant {
        // More than 584 years count as for ever.
        let nanos = delay.as_secs().saturating_mul(1_000_000_000);
        let nanos = nanos.saturating_add(u64::from(delay.subsec_nanos()));
        Instant(self.0.saturating_add(nanos))
    }
}

impl Default for Instant {
    fn default() -> Self {
        Instant::ZERO
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({})", self.as_nanos())
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.as_nanos() / 1_000_000_000, self.as_nanos() % 1_000_000_000)
    }
}

/// A time of the wall clock, for people and logs only: the duration since 1970 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamp(pub Duration);

impl fmt::Display for Timestamp {
    /// In the format of RFC 3339, with milliseconds: `2026-11-23T05:06:07.089Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        // Years that begin in March have the leap day at their end. All spans of 400 years have
        // 146,097 days; 1970 began 719,468 days after March of the year 0.
        let day = days + 719_468;
        let (era, day) = (day / 146_097, day % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        // From March on, each five months have 153 days.
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (next, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
        let year = era * 400 + year + next;
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        write!(f, ".{:03}Z", self.0.subsec_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let (late, last) = (Instant::from_nanos(u64::MAX - 2), Instant::from_nanos(u64::MAX - 1));
        assert_eq!(late + Duration::from_secs(1), last);
        assert_eq!(Instant::ZERO + Duration::MAX, last);
        assert_eq!(Instant::from_nanos(u64::MAX), last);
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
        // The clock may have been read a little earlier.
        assert_eq!(rested_at(900), 900);
    }

    #[test]
    fn a_timestamp_is_that_of_the_calendar() {
        let text = |seconds, millis: u32| {
            Timestamp(Duration::new(seconds, millis * 1_000_000)).to_string()
        };
        assert_eq!(text(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(951_782_399, 999), "2000-02-28T23:59:59.999Z");
        assert_eq!(text(951_782_400, 7), "2000-02-29T00:00:00.007Z");
        assert_eq!(text(1_795_410_367, 89), "2026-11-23T05:06:07.089Z");
        assert_eq!(text(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
        // Each day of some centuries, compared with another implementation.
        for day in 0..if cfg!(miri) { 1_000 } else { 130_000 } {
            let since = Duration::from_secs(day * 86_400 + day % 86_400);
            let other = humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + since);
            assert_eq!(Timestamp(since).to_string(), other.to_string());
        }
    }

    #[test]
    fn it_prints_seconds_with_nanoseconds() {
        assert_eq!(Instant::from_nanos(1_500_000_007).to_string(), "1.500000007s");
    }
}
