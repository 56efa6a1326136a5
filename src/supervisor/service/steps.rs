//! What the states have in common: how a stop begins, how a group is killed, what follows the end of
//! a leader and of a run.

use std::time::Duration;

use crate::config::{After, Leftovers, Policy, STOPPING, StopTo};
use crate::exit::ExitStatus;
use crate::process::{Pid, Target};
use crate::signal::{Signal, SignalSet};

use super::super::action::Action;
use super::super::report::{EndCause, KillCause, Report};
use super::super::restart::Verdict;
use super::super::terminal::Claim;
use super::{Background, Context, KILL_PATIENCE, Leader, Next, Rest, Service, State};

impl Service {
    /// Sends the stop signal. A leader that has the terminal may be an interactive shell, which
    /// ignores TERM, so it gets HUP too.
    pub(super) fn stop(&mut self, pid: Pid, cx: &mut Context<'_>) -> State {
        let leader = Leader::Alive;
        if let Some(target) = cx.stop_target(pid, leader) {
            cx.ask(target);
        }
        if self.tie.claim == Claim::Has && cx.shutdown.signal(&cx.policy.stop) == Signal::TERM {
            self.tie.got_hup = true;
            cx.send(Target::Process(pid), Signal::HUP);
        }
        let timeout = cx.policy.stop.timeout;
        let rest = match cx.policy.stop.to {
            StopTo::LeaderFirst if cx.policy.leads_group() => {
                Rest::Spared { until: timeout.map(|timeout| cx.now + timeout / 2) }
            }
            StopTo::LeaderFirst | StopTo::Group | StopTo::Leader => Rest::Waited,
        };
        let kill_at = cx.stop_deadline();
        State::Stopping { pid, leader, rest, kill_at, look_at: None, next: Next::Down }
    }

    /// Handles a stop after the end of a run: no run follows. What ended the run may have been sent
    /// to foster's whole cgroup, and the stop be the same. So it counts as one.
    pub(super) fn stopped(&mut self, next: Next, cx: &Context<'_>) -> Next {
        match next {
            Next::Retry { .. } => {
                self.stopped_waiting(cx);
                Next::Down
            }
            Next::Down | Next::Failed => next,
        }
    }

    /// The same for a service that only waits for its restart.
    pub(super) fn stopped_waiting(&mut self, cx: &Context<'_>) -> State {
        let status = ExitStatus::Code(self.code);
        self.code = self.code_after_stop(status, cx.policy);
        State::Down
    }

    /// Sends SIGKILL to the whole group.
    pub(super) fn kill(
        &mut self,
        pid: Pid,
        leader: Leader,
        why: KillCause,
        next: Next,
        cx: &mut Context<'_>,
    ) -> State {
        cx.report(Report::Killing { service: self.id, run: self.number });
        let target = cx.policy.reach(pid);
        if matches!(target, Target::Group(_)) || leader == Leader::Alive {
            cx.send(target, Signal::KILL);
        }
        // A command that runs once returns how its leader ended, if it ended; and so does a service
        // that was not asked to stop.
        let own_end = !cx.policy.kept || !cx.shutdown.is_requested();
        if leader == Leader::Alive || !own_end {
            self.code = ExitStatus::Signal(Signal::KILL).code();
        }
        cx.outbox.survey_due |= leader != Leader::Alive;
        let give_up_at = cx.now + KILL_PATIENCE;
        State::Killing { pid, leader, why, give_up_at, look_at: None, next }
    }

    /// Handles the end of a leader during a stop. Returns whether the service goes on until its
    /// group is gone.
    pub(super) fn outlives_leader(
        &mut self,
        pid: Pid,
        status: ExitStatus,
        cause: EndCause,
        cx: &mut Context<'_>,
    ) -> bool {
        cx.report(Report::Ended { service: self.id, run: self.number, pid, status, cause });
        let after = cx.policy.after_leader_in_stop();
        self.part(pid, after, cx);
        after == After::Wait
    }

    /// Does what follows the end of a leader. It holds the leader until its group is gone, or else
    /// ends the group first, because the id is taken while the leader is a zombie.
    pub(super) fn part(&mut self, pid: Pid, after: After, cx: &mut Context<'_>) {
        let signal = match after {
            After::Wait => {
                cx.outbox.push(Action::Hold { pid });
                cx.outbox.survey_due = true;
                return;
            }
            After::Leave => None,
            After::Signal(signal) => Some(signal),
            After::Clean => Some(Signal::KILL),
        };
        let target = cx.policy.reach(pid);
        if let (Some(signal), Target::Group(_)) = (signal, target) {
            cx.send(target, signal);
        }
        cx.reap(pid);
    }

    /// Continues when the group is gone: what escaped may still have to be killed.
    pub(super) fn clean(&mut self, next: Next, killed: bool, cx: &mut Context<'_>) -> State {
        if cx.policy.kills_orphans(killed) {
            cx.outbox.survey_due = true;
            State::Cleaning { give_up_at: None, next }
        } else {
            self.proceed(next)
        }
    }

    /// Asks whether a run that may have gone to the background left other processes, before foster
    /// ends them.
    pub(super) fn look_behind(
        &mut self,
        pid: Pid,
        status: ExitStatus,
        ran: Duration,
        cx: &mut Context<'_>,
    ) {
        let follows = matches!(cx.policy.leftovers, Leftovers::Kill { .. });
        let succeeded = cx.policy.success.contains(status.code()) && !status.is_death_by(STOPPING);
        if !follows || ran >= AT_ONCE || !succeeded {
            self.background = Background::No;
            return;
        }
        self.background = Background::Suspected { told: self.background == Background::Told };
        let group = match cx.policy.reach(pid) {
            // What escaped the group is found by its mark, or is a child of foster's.
            Target::Group(group) if cx.policy.kept => Some(group),
            Target::Group(_) | Target::Rest(_) | Target::Process(_) | Target::Marked(..) => None,
        };
        if group.is_some() || !cx.policy.kept {
            cx.outbox.push(Action::Look { service: self.id, group });
        }
    }

    /// Judges a run that ended unasked, or a start that failed.
    pub(super) fn after_run(&mut self, code: u32, ran: Duration, cx: &mut Context<'_>) -> Next {
        self.code = cx.policy.success.fold(code);
        if cx.shutdown.is_requested() {
            return Next::Down;
        }
        match self.restarts.judge(code, ran, cx.policy) {
            Verdict::Done => Next::Down,
            Verdict::GiveUp => {
                let restarts = self.restarts.count();
                cx.report(Report::GaveUp { service: self.id, restarts });
                Next::Failed
            }
            Verdict::Again(delay) => {
                let restarts = self.restarts.count();
                cx.report(Report::RestartDue { service: self.id, delay, restarts });
                Next::Retry { at: cx.now + delay }
            }
        }
    }

    /// Whether it died of one of its stop signals.
    pub(super) fn ended_as_asked(&self, status: ExitStatus) -> bool {
        let hup = if self.tie.got_hup { SignalSet::of(&[Signal::HUP]) } else { SignalSet::EMPTY };
        status.is_death_by(self.asked_by.union(hup))
    }

    /// Its exit code after a stop.
    pub(super) fn code_after_stop(&self, status: ExitStatus, policy: &Policy) -> u32 {
        if policy.kept && self.ended_as_asked(status) {
            return 0;
        }
        policy.success.fold(status.code())
    }

    /// Why it ended in a stop: a signal that foster did not send is somebody else's doing.
    pub(super) fn cause_in_stop(&self, status: ExitStatus) -> EndCause {
        match status {
            ExitStatus::Signal(_) if !self.ended_as_asked(status) => {
                EndCause::Unasked { crash: false }
            }
            ExitStatus::Signal(_) | ExitStatus::Code(_) => EndCause::Asked,
        }
    }

    /// The state of a service of which nothing is left.
    pub(super) fn proceed(&mut self, next: Next) -> State {
        self.round = 0;
        match next {
            Next::Retry { at } => State::Backoff { retry_at: at },
            Next::Down => State::Down,
            Next::Failed => State::Failed,
        }
    }
}

/// A program that goes to the background does so as soon as it has read its configuration and bound its
/// ports.
const AT_ONCE: Duration = Duration::from_secs(3);
