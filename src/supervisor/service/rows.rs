//! What each state does with each input: a method per state, an arm per input.

use std::time::Duration;

use crate::config::After;
use crate::exit::ExitStatus;
use crate::process::{Pid, SpawnErrorKind, Target};
use crate::signal::Signal;
use crate::time::Instant;

use super::super::action::Action;
use super::super::report::{EndCause, KillCause, Report};
use super::super::restart;
use super::super::terminal::{self, Claim, Tie};
use super::context::LEAST_TIME;
use super::{
    Background, Context, Input, KILL_PATIENCE, LAST, Leader, MANY, Next, Remains, Rest, Service,
    State,
};

impl Service {
    /// Handles an input.
    // Kept out of line: inlined, each state would get a copy of what its caller does next.
    #[inline(never)]
    pub(in super::super) fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        if let Input::Stop(signal) = input {
            self.asked_by.insert(signal);
        }
        self.state = match self.state {
            State::Down => self.settled(State::Down, input),
            State::Failed => self.settled(State::Failed, input),
            State::Starting => self.starting_row(input, cx),
            State::Up { pid, since } => self.up(pid, since, input, cx),
            State::Stopping { pid, leader, rest, kill_at, look_at, next } => {
                self.stopping(pid, (leader, rest, next), (kill_at, look_at), input, cx)
            }
            State::Killing { pid, leader, why, give_up_at, look_at, next } => {
                self.killing(pid, (leader, why, next), (give_up_at, look_at), input, cx)
            }
            State::Cleaning { give_up_at, next } => self.cleaning(give_up_at, next, input, cx),
            State::Backoff { retry_at } => self.backing_off(retry_at, input, cx),
        };
    }

    /// A service that is down for good: nothing changes it.
    fn settled(&mut self, state: State, input: Input) -> State {
        match input {
            Input::Stop(_)
            | Input::Kill
            | Input::Spawned(..)
            | Input::SpawnFailed(_)
            | Input::Exited(_)
            | Input::Surveyed(_)
            | Input::Refused
            | Input::Timeout => state,
        }
    }

    /// A service that is being started.
    fn starting_row(&mut self, input: Input, cx: &mut Context<'_>) -> State {
        match input {
            Input::Spawned(pid, run) => {
                self.run = run;
                (self.halted, self.refused) = (None, false);
                self.tie = Tie::new(terminal::gives_at_once(cx.config, cx.facts));
                self.died_of = None;
                if let Background::Suspected { .. } = self.background {
                    self.background = Background::No;
                }
                cx.report(Report::Started { service: self.id, run: self.number, pid });
                // A stop may have been requested during the start.
                if cx.shutdown.is_killing() {
                    self.kill(pid, Leader::Alive, KillCause::Hurried, Next::Down, cx)
                } else if cx.shutdown.is_requested() {
                    self.stop(pid, cx)
                } else {
                    State::Up { pid, since: cx.now }
                }
            }
            Input::SpawnFailed(error) => {
                cx.report(Report::StartFailed { service: self.id, run: self.number, error });
                let code = cx.config.start_failure.code(error);
                let next = self.after_run(code, Duration::ZERO, cx);
                if error.kind == SpawnErrorKind::Resources && error.pid.is_none() {
                    // There was no process, so nothing that ran could have succeeded.
                    self.code = code;
                    // The leftovers of earlier runs may have used up all processes.
                    if let Next::Retry { .. } = next {
                        return self.clean(next, false, cx);
                    }
                }
                self.proceed(next)
            }
            // There is no process yet to send a signal to. Either none comes, or `Spawned` sees to
            // it.
            Input::Stop(_) | Input::Kill => match cx.outbox.recall(self.id) {
                true => self.stopped_waiting(cx),
                false => State::Starting,
            },
            Input::Exited(_) | Input::Surveyed(_) | Input::Refused | Input::Timeout => {
                State::Starting
            }
        }
    }

    /// A service that runs.
    fn up(&mut self, pid: Pid, since: Instant, input: Input, cx: &mut Context<'_>) -> State {
        match input {
            Input::Stop(_) => self.stop(pid, cx),
            Input::Kill => self.kill(pid, Leader::Alive, KillCause::Hurried, Next::Down, cx),
            Input::Exited(status) => {
                let crash = restart::is_crash(status.code(), cx.policy);
                let cause = EndCause::Unasked { crash };
                cx.report(Report::Ended { service: self.id, run: self.number, pid, status, cause });
                let ran = cx.now.since(since);
                self.look_behind(pid, status, ran, cx);
                self.died_of = match status {
                    ExitStatus::Signal(signal) if self.tie.explains(signal) => Some(signal),
                    ExitStatus::Signal(_) | ExitStatus::Code(_) => None,
                };
                let after = cx.policy.after_leader(status);
                self.part(pid, after, cx);
                if self.tie.claim == Claim::Has {
                    // From now on keys are for foster, or the next run.
                    cx.outbox.push(Action::TakeTerminal { resume: false });
                }
                let next = self.after_run(status.code(), ran, cx);
                match after {
                    After::Wait => {}
                    After::Leave | After::Signal(_) | After::Clean => {
                        return self.clean(next, false, cx);
                    }
                }
                cx.ask(cx.policy.reach(pid));
                let kill_at = match next {
                    Next::Retry { at } => Some(at.max(cx.now + LEAST_TIME)),
                    Next::Down | Next::Failed => cx.stop_deadline(),
                };
                let (leader, rest) = (Leader::Dead(status), Rest::Left { asked: false });
                State::Stopping { pid, leader, rest, kill_at, look_at: None, next }
            }
            // A process that runs has no deadline, and is not started again.
            Input::Spawned(..)
            | Input::SpawnFailed(_)
            | Input::Surveyed(_)
            | Input::Refused
            | Input::Timeout => State::Up { pid, since },
        }
    }

    /// A service that got the stop signal.
    fn stopping(
        &mut self,
        pid: Pid,
        (leader, rest, next): (Leader, Rest, Next),
        (kill_at, look_at): (Option<Instant>, Option<Instant>),
        input: Input,
        cx: &mut Context<'_>,
    ) -> State {
        match input {
            Input::Stop(signal) => {
                let is_left = matches!(rest, Rest::Left { .. });
                // The leftovers got it already, and a second one may mean more to them.
                let has_it = is_left && signal == cx.policy.stop.unasked();
                if let Some(target) = cx.stop_target(pid, leader).filter(|_| !has_it) {
                    cx.send(target, signal);
                }
                if !is_left {
                    return State::Stopping { pid, leader, rest, kill_at, look_at, next };
                }
                let (rest, next) = (Rest::Waited, self.stopped(next, cx));
                let kill_at = cx.stop_deadline();
                State::Stopping { pid, leader, rest, kill_at, look_at, next }
            }
            Input::Kill => {
                let next = self.stopped(next, cx);
                self.kill(pid, leader, KillCause::Hurried, next, cx)
            }
            Input::Timeout if kill_at.is_some_and(|at| at <= cx.now) => {
                self.kill(pid, leader, KillCause::Late, next, cx)
            }
            Input::Timeout => {
                let (half, look) = (cx.is_due(rest), look_at.is_some_and(|at| at <= cx.now));
                if half {
                    // The leader got it already, and a second one may mean more to it.
                    cx.ask(Target::Rest(pid));
                }
                cx.outbox.survey_due |= look;
                State::Stopping {
                    pid,
                    leader,
                    rest: if half { Rest::Waited } else { rest },
                    kill_at,
                    look_at: look_at.filter(|_| !look),
                    next,
                }
            }
            Input::Exited(status) => {
                self.code = self.code_after_stop(status, cx.policy);
                if !self.outlives_leader(pid, status, self.cause_in_stop(status), cx) {
                    return State::Down;
                }
                if let Rest::Spared { .. } = rest {
                    cx.ask(cx.policy.reach(pid));
                }
                let (leader, rest) = (Leader::Dead(status), Rest::Waited);
                State::Stopping { pid, leader, rest, kill_at, look_at, next }
            }
            Input::Surveyed(Remains::None) => {
                cx.reap(pid);
                self.clean(next, false, cx)
            }
            Input::Surveyed(remains) => {
                let rest = match rest {
                    Rest::Left { .. } => Rest::Left { asked: true },
                    Rest::Spared { .. } | Rest::Waited => rest,
                };
                State::Stopping { pid, leader, rest, kill_at, look_at: cx.look_at(remains), next }
            }
            Input::Spawned(..) | Input::SpawnFailed(_) | Input::Refused => {
                State::Stopping { pid, leader, rest, kill_at, look_at, next }
            }
        }
    }

    /// A service that got SIGKILL.
    fn killing(
        &mut self,
        pid: Pid,
        (leader, why, next): (Leader, KillCause, Next),
        (give_up_at, look_at): (Instant, Option<Instant>),
        input: Input,
        cx: &mut Context<'_>,
    ) -> State {
        match input {
            Input::Exited(status) => {
                if !cx.policy.kept {
                    self.code = cx.policy.success.fold(status.code());
                }
                let killed = status == ExitStatus::Signal(Signal::KILL);
                let cause = if killed { EndCause::Killed(why) } else { self.cause_in_stop(status) };
                if self.outlives_leader(pid, status, cause, cx) {
                    let leader = Leader::Dead(status);
                    State::Killing { pid, leader, why, give_up_at, look_at, next }
                } else {
                    State::Down
                }
            }
            Input::Surveyed(Remains::None) => {
                cx.reap(pid);
                self.clean(next, true, cx)
            }
            Input::Surveyed(remains) => {
                State::Killing { pid, leader, why, give_up_at, look_at: cx.look_at(remains), next }
            }
            Input::Timeout if give_up_at <= cx.now => {
                cx.report(Report::Unkillable { service: self.id, run: self.number });
                match leader {
                    Leader::Alive => cx.children.forget(pid),
                    Leader::Dead(_) => cx.reap(pid),
                }
                self.proceed(next)
            }
            // foster cannot make it end.
            Input::Refused if leader == Leader::Alive => {
                cx.children.forget(pid);
                self.clean(next, true, cx)
            }
            Input::Timeout => {
                cx.outbox.survey_due = true;
                State::Killing { pid, leader, why, give_up_at, look_at: None, next }
            }
            // There is nothing harder than SIGKILL.
            Input::Stop(_) | Input::Kill => {
                let next = self.stopped(next, cx);
                State::Killing { pid, leader, why, give_up_at, look_at, next }
            }
            Input::Spawned(..) | Input::SpawnFailed(_) | Input::Refused => {
                State::Killing { pid, leader, why, give_up_at, look_at, next }
            }
        }
    }

    /// A service whose group is gone: only what escaped it may be left.
    fn cleaning(
        &mut self,
        give_up_at: Option<Instant>,
        next: Next,
        input: Input,
        cx: &mut Context<'_>,
    ) -> State {
        match input {
            Input::Surveyed(Remains::None) => self.proceed(next),
            Input::Timeout => {
                cx.report(Report::Unkillable { service: self.id, run: self.number });
                self.proceed(next)
            }
            Input::Stop(_) | Input::Kill => {
                State::Cleaning { give_up_at, next: self.stopped(next, cx) }
            }
            // What was found was killed. The next death of an orphan starts a new survey.
            Input::Surveyed(Remains::Others | Remains::Adopted) => {
                let give_up_at = give_up_at.or(Some(cx.now + KILL_PATIENCE));
                self.round = match self.round {
                    0 if self.crowd <= MANY => 0,
                    round => (round + 1) % (LAST + 1),
                };
                // No event reports that a process was stopped.
                cx.outbox.survey_due |= self.round > 0;
                State::Cleaning { give_up_at, next }
            }
            Input::Spawned(..) | Input::SpawnFailed(_) | Input::Exited(_) | Input::Refused => {
                State::Cleaning { give_up_at, next }
            }
        }
    }

    /// A service that waits for its restart.
    fn backing_off(&mut self, retry_at: Instant, input: Input, cx: &mut Context<'_>) -> State {
        match input {
            Input::Timeout => {
                self.number.0 = self.number.0.saturating_add(1);
                let terminal = terminal::gives_at_once(cx.config, cx.facts);
                cx.outbox.push(Action::Spawn { service: self.id, terminal });
                State::Starting
            }
            Input::Stop(_) | Input::Kill => self.stopped_waiting(cx),
            Input::Spawned(..)
            | Input::SpawnFailed(_)
            | Input::Exited(_)
            | Input::Surveyed(_)
            | Input::Refused => State::Backoff { retry_at },
        }
    }
}
