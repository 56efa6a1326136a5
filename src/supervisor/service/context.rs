//! What a service is given with each input, and what it asks of it.

use std::time::Duration;

use crate::config::{Config, Policy, StopTo};
use crate::process::{Pid, Target};
use crate::signal::Signal;
use crate::time::Instant;

use super::super::action::Action;
use super::super::report::Report;
use super::super::{Children, Facts, Outbox, Shutdown};
use super::{Leader, Remains, Rest};

/// Everything that a service needs to handle an input.
pub(in super::super) struct Context<'a> {
    pub(in super::super) now: Instant,
    pub(in super::super) config: &'a Config,
    /// How this service is kept.
    pub(in super::super) policy: &'a Policy,
    pub(in super::super) facts: Facts,
    pub(in super::super) shutdown: &'a Shutdown,
    pub(in super::super) children: &'a mut Children,
    pub(in super::super) outbox: &'a mut Outbox,
}

impl Context<'_> {
    pub(super) fn report(&mut self, report: Report) {
        self.outbox.report(report);
    }

    pub(super) fn send(&mut self, target: Target, signal: Signal) {
        self.outbox.push(Action::Kill { target, signal, value: None });
    }

    /// Sends the stop signal.
    pub(super) fn ask(&mut self, target: Target) {
        self.outbox.ask(target, self.shutdown.signal(&self.policy.stop));
    }

    /// Who gets a stop signal, if anybody.
    pub(super) fn stop_target(&self, pid: Pid, leader: Leader) -> Option<Target> {
        let target = match (self.policy.stop.to, leader) {
            (StopTo::LeaderFirst | StopTo::Leader, Leader::Alive) => Target::Process(pid),
            (StopTo::LeaderFirst, Leader::Dead(_)) | (StopTo::Group, _) => self.policy.reach(pid),
            (StopTo::Leader, Leader::Dead(_)) => return None,
        };
        let alone = matches!(target, Target::Process(_)) && leader != Leader::Alive;
        (!alone).then_some(target)
    }

    /// The deadline of a stop that begins now.
    pub(super) fn stop_deadline(&self) -> Option<Instant> {
        self.policy.stop.timeout.map(|timeout| self.now + timeout)
    }

    /// Whether half of a stop's time has passed and the rest of the group was not asked yet.
    pub(super) fn is_due(&self, rest: Rest) -> bool {
        match rest {
            Rest::Spared { until } => until.is_some_and(|at| at <= self.now),
            Rest::Waited | Rest::Left { .. } => false,
        }
    }

    pub(super) fn reap(&mut self, pid: Pid) {
        self.children.forget(pid);
        self.outbox.push(Action::Reap { pid });
    }

    /// When to look again at what is left of a group. No event reports the end of a process that is
    /// not foster's child, nor that a process left the group.
    pub(super) fn look_at(&self, remains: Remains) -> Option<Instant> {
        match remains {
            Remains::Others => Some(self.now + LOOK_AGAIN),
            Remains::Adopted => Some(self.now + LOOK_AFTER_ALL),
            Remains::None => None,
        }
    }
}

/// The least time from the stop signal to SIGKILL for the leftovers of a run that another one
/// follows. By then whoever signals a whole cgroup has signalled foster, and nobody notices a start
/// that waits this long.
pub(super) const LEAST_TIME: Duration = Duration::from_millis(100);

/// How long foster waits after SIGKILL: only a process that hangs in the kernel takes more than
/// moments. systemd's default for a stop is about as long.
pub(in super::super) const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// How often foster looks at members of a group whose ends are not reported.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How often foster looks at members of a group whose ends are reported, because they may also
/// leave it.
const LOOK_AFTER_ALL: Duration = Duration::from_secs(1);
