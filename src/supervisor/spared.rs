//! The orphans that are left alone: each is reported once, and not too many at a time.

use std::time::Duration;

use crate::process::Pid;
use crate::time::Instant;

/// Who was reported, and when.
#[derive(Clone, Debug)]
pub(super) struct Spared {
    /// The last ones, in no order.
    told: [Option<Pid>; MOST],
    /// Which of them the next one replaces.
    next: usize,
    /// No line before this.
    quiet_until: Instant,
}

impl Spared {
    pub(super) fn new() -> Self {
        Spared { told: [None; MOST], next: 0, quiet_until: Instant::ZERO }
    }

    /// Whether to report this one now. Otherwise it may be reported when it is found again.
    pub(super) fn tells(&mut self, pid: Pid, now: Instant) -> bool {
        if now < self.quiet_until || self.told.contains(&Some(pid)) {
            return false;
        }
        self.told[self.next] = Some(pid);
        self.next = (self.next + 1) % MOST;
        self.quiet_until = now + PAUSE;
        true
    }

    /// Forgets one that ended: its id may be another's from now on.
    pub(super) fn forget(&mut self, pid: Pid) {
        for told in self.told.iter_mut().filter(|told| **told == Some(pid)) {
            *told = None;
        }
    }
}

/// How many are remembered. If there are more, some are reported again.
const MOST: usize = 16;

/// The least time between two lines.
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_of_once_and_one_in_a_second() {
        let mut spared = Spared::new();
        let at = |millis| Instant::ZERO + Duration::from_millis(millis);
        assert!(spared.tells(Pid(7), at(0)));
        assert!(!spared.tells(Pid(8), at(999)));
        assert!(spared.tells(Pid(8), at(1000)));
        assert!(!spared.tells(Pid(7), at(5000)) && !spared.tells(Pid(8), at(5000)));
        spared.forget(Pid(7));
        assert!(spared.tells(Pid(7), at(5000)));
    }
}
