//! Whether a service that ended is started again, and when.

use std::time::Duration;

use crate::config::{Backoff, Policy, Restart};

/// The restarts of one service in a row, without a healthy run since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Restarts(u32);

/// What follows the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stays down.
    Done,
    /// It is restarted, this long after its end.
    Again(Duration),
    /// It was restarted as often as it may be.
    GiveUp,
}

impl Restarts {
    /// The number of restarts.
    pub(super) fn count(self) -> u32 {
        self.0
    }

    /// Judges a run that lasted `ran` and ended unasked with `code`.
    pub(super) fn judge(&mut self, code: u32, ran: Duration, policy: &Policy) -> Verdict {
        match policy.restart {
            Restart::Never => return Verdict::Done,
            Restart::OnFailure if policy.success.contains(code) => return Verdict::Done,
            Restart::OnFailure | Restart::Always => {}
        }
        if ran >= policy.backoff.healthy_after {
            self.0 = 0;
        }
        if policy.backoff.max_restarts.is_some_and(|max| self.0 >= max) {
            return Verdict::GiveUp;
        }
        let mut delay = delay(&policy.backoff, self.0);
        if ran < HASTY {
            delay = delay.max(BREATH);
        }
        self.0 = self.0.saturating_add(1);
        Verdict::Again(delay)
    }
}

/// Whether a run that ended unasked with this code failed, if failures are followed by restarts.
/// The code of a command that runs once is for its parent to judge.
pub(super) fn is_crash(code: u32, policy: &Policy) -> bool {
    policy.restart != Restart::Never && !policy.success.contains(code)
}

/// The delay before the restart after `earlier` others in a row: it doubles each time.
fn delay(backoff: &Backoff, earlier: u32) -> Duration {
    let factor = 1_u32.checked_shl(earlier).unwrap_or(u32::MAX);
    backoff.first.saturating_mul(factor).min(backoff.max)
}

/// A shorter run is followed by a delay whatever the backoff: otherwise a service that fails at
/// once would use a whole processor and fill the log.
const HASTY: Duration = Duration::from_millis(100);

/// The least such delay.
const BREATH: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(backoff: Backoff, count: u32) -> Vec<u128> {
        (0..count).map(|earlier| delay(&backoff, earlier).as_millis()).collect()
    }

    #[test]
    fn the_delay_doubles_up_to_the_cap() {
        assert_eq!(delays(Backoff::default(), 7), [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        assert_eq!(delay(&Backoff::default(), 5_000_000).as_secs(), 10);
    }

    #[test]
    fn a_run_that_hardly_was_one_is_followed_by_some_delay_in_any_case() {
        let mut policy = Policy::kept_up();
        let mut judge = |first, ran| {
            policy.backoff.first = Duration::from_millis(first);
            policy.backoff.max = policy.backoff.first;
            match Restarts::default().judge(1, Duration::from_micros(ran), &policy) {
                Verdict::Again(delay) => delay.as_millis(),
                Verdict::Done | Verdict::GiveUp => panic!("it is to be started again"),
            }
        };
        assert_eq!([judge(0, 0), judge(0, 99_999), judge(0, 100_000)], [10, 10, 0]);
        assert_eq!([judge(3, 0), judge(3, 100_000), judge(11, 0)], [10, 3, 11]);
    }

    #[test]
    fn no_delay_stays_none_and_the_largest_does_not_overflow() {
        let none = Backoff { first: Duration::ZERO, ..Backoff::default() };
        assert_eq!(delays(none, 3), [0, 0, 0]);
        let huge = Backoff { first: Duration::MAX, max: Duration::MAX, ..Backoff::default() };
        assert_eq!(delay(&huge, 40), Duration::MAX);
    }
}
