//! A slow stop: foster reports who it waits for after a second, and then each time half of the rest
//! has passed.

use std::time::Duration;

use crate::config::{Config, JobControl, ServiceConfig, Session};
use crate::process::{Comm, Pid, ServiceId};
use crate::signal::Signal;
use crate::time::Instant;

use super::service::Service;
use super::{Facts, Outbox, Report};

/// When to report a stop that takes long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slow {
    /// When the stop began.
    began: Instant,
    /// When to report next; none if nobody is waited for.
    tell_at: Option<Instant>,
}

/// Who is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The service's first process.
    Leader(Pid),
    /// A process that outlives it.
    Member(Pid, Comm),
    /// Somebody that no survey could name.
    Unknown,
}

/// What foster waits for, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// For its stop.
    Stop {
        /// The time until SIGKILL; none for ever.
        left: Option<Duration>,
        /// What sends SIGKILL at once, if anything does.
        hurry: Option<Hurry>,
    },
    /// For its death by the SIGKILL that it got.
    Death {
        /// The time until foster gives up, if known.
        left: Option<Duration>,
    },
}

/// How to kill services at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hurry {
    /// How many more SIGINTs that takes.
    pub interrupts: u32,
    /// Whether Ctrl-C surely is one: a child that has the terminal gets it instead of foster.
    pub by_key: bool,
}

/// A service that is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Awaited {
    pub(super) who: Who,
    /// Until when; none for ever.
    pub(super) until: Option<Instant>,
    /// Whether it got SIGKILL.
    pub(super) killed: bool,
}

impl Slow {
    /// Notes that a stop begins.
    pub(super) fn begin(&mut self, config: &Config, now: Instant) {
        // A service that is killed by then is not reported just before.
        let killed = config.stop_timeout.filter(|timeout| *timeout <= FIRST).unwrap_or_default();
        *self = Slow { began: now, tell_at: Some(now + killed + FIRST) };
    }

    /// Notes what a service does outside of a stop of foster: its leftovers may be waited for as in
    /// a stop.
    pub(super) fn waits(&mut self, any: bool, service: &Service, config: &Config, now: Instant) {
        if !any {
            self.tell_at = None;
        } else if self.tell_at.is_none() && service.awaited().is_some_and(|it| !it.killed) {
            self.begin(config, now);
        }
    }

    /// When to report next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.tell_at
    }

    /// Notes that a report was made; `until` is the latest deadline of those waited for, if all
    /// have one.
    fn told(&mut self, until: Option<Instant>, now: Instant) {
        let next = match until {
            // At doubling intervals: 1 s, 3 s, 7 s, and so on up to a day.
            None => now + (now.since(self.began) + FIRST).min(LONGEST),
            Some(until) => match until.since(now) / 2 {
                half if half >= LEAST => now + half,
                // By then it is over, or takes longer than SIGKILL should.
                _ => until.max(now) + FIRST,
            },
        };
        self.tell_at = Some(next);
    }

    /// Reports who is waited for.
    pub(super) fn tell(
        &mut self,
        services: &[Service],
        hurry: Option<Hurry>,
        outbox: &mut Outbox,
        now: Instant,
    ) {
        // Those that got SIGKILL count only if there are no others.
        let (mut count, mut latest, mut last) = (0, None, now);
        for (index, service) in services.iter().enumerate() {
            let Some(awaited) = service.awaited() else { continue };
            match (awaited.killed, latest) {
                (true, _) => last = last.max(awaited.until.unwrap_or(now)),
                (false, None) => latest = Some(awaited.until),
                (false, Some(one)) => {
                    latest = Some(one.zip(awaited.until).map(|(one, other)| one.max(other)));
                }
            }
            count += 1;
            if count > MOST {
                continue;
            }
            let left = awaited.until.map(|until| until.since(now));
            let wait = match awaited.killed {
                true => Wait::Death { left },
                false => Wait::Stop { left, hurry },
            };
            let service = ServiceId(index as u32);
            outbox.report(Report::StillWaiting { service, who: awaited.who, wait });
        }
        if let Some(count @ 1..) = count.checked_sub(MOST) {
            outbox.report(Report::StillWaitingForMore { count });
        }
        self.told(latest.unwrap_or(Some(last)), now);
    }
}

/// What kills all services at once; `interrupts` is how many SIGINTs that takes.
pub(super) fn hurry(config: &Config, facts: Facts, interrupts: u32) -> Option<Hurry> {
    // A SIGINT that is dropped does not count.
    config.signals.rewrites.get(Signal::INT)?;
    let shares = |service: &ServiceConfig| service.policy.session == Session::Group;
    let child_may_have_it = facts.terminal
        && config.services.iter().any(shares)
        && config.signals.job_control == JobControl::FollowChild;
    Some(Hurry { interrupts, by_key: !child_may_have_it })
}

/// A stop this long needs no report.
const FIRST: Duration = Duration::from_secs(1);

/// The shortest time between two reports, and the least time that must be left.
const LEAST: Duration = Duration::from_secs(1);

/// The longest time between two reports.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How many services are reported by name.
const MOST: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_told_when_half_of_what_was_left_is_gone_and_at_double_distances_without_an_end() {
        let at = |millis| Instant::ZERO + Duration::from_millis(millis);
        let told = |until: Option<Instant>, count| {
            let mut slow = Slow { began: Instant::ZERO, tell_at: Some(at(1000)) };
            let mut all = Vec::new();
            for _ in 0..count {
                let now = slow.deadline().expect("it goes on");
                all.push(now.since(Instant::ZERO).as_millis());
                slow.told(until, now);
            }
            all
        };
        assert_eq!(told(Some(at(10_000)), 5), [1000, 5500, 7750, 8875, 11_000]);
        assert_eq!(told(None, 5), [1000, 3000, 7000, 15_000, 31_000]);
    }
}
