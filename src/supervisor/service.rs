//! One service: the state machine.
//!
//! ```text
//!            Spawned                Stop                  deadline
//! Starting ───────────► Up ────────────────► Stopping ───────────────► Killing
//!    ▲  │                │ Exited               │ group gone              │ group gone
//!    │  │ SpawnFailed    ▼                      ▼                         ▼
//!    │  │            Cleaning ◄─────────────────┴─────────────────────────┘
//!    │  │                │ nothing left
//!    │  └──────────┐     ├──────────────► Down, Failed
//!    │             ▼     ▼
//!    └────────────  Backoff
//! ```
//!
//! A service is *up* while its first process, the leader, lives. A stop is for the leader first: a
//! server looks after its own workers. The rest of its group gets the stop signal when the leader
//! has ended, or after half of the time. The service is *down* only when its whole group is gone: a
//! shell that dies of the stop signal at once must not cut off an app that is still writing its
//! data. Until then the dead leader is held as a zombie. That keeps its id, and so the group's,
//! from being given to a stranger, whom no signal can hit then. In *Cleaning*, whatever escaped the
//! group is killed, again and again, until nothing is left.
//!
//! If a leader ends unasked, the rest of its group is killed at once. If it is asked to stop first
//! (`Rest::Left`), that is *Stopping* too: `next` says what follows.
//!
//! A survey of all processes (`Action::Survey`) finds who is left of a group. One survey serves all
//! services that wait for one.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::config::{After, Config, Leftovers, Policy, STOPPING, StopTo};
use crate::exit::ExitStatus;
use crate::process::{Comm, Pid, RunId, RunNumber, ServiceId, SpawnError, SpawnErrorKind, Target};
use crate::signal::{Signal, SignalSet};
use crate::time::Instant;

use super::action::Action;
use super::deadline::earlier;
use super::report::{EndCause, KillCause, Report};
use super::restart::{self, Restarts, Verdict};
use super::slow::{Awaited, Who};
use super::terminal::{self, Claim, Tie};
use super::{Children, Facts, Outbox, Shutdown};

/// The state of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not wanted, and nothing of it runs.
    Down,
    /// It is being started.
    Starting,
    /// It runs.
    Up {
        /// Its leader.
        pid: Pid,
        /// When it was started.
        since: Instant,
    },
    /// It got the stop signal, in a stop or because its leader ended.
    Stopping {
        /// Its leader.
        pid: Pid,
        /// Whether that lives.
        leader: Leader,
        /// What the rest of its group got.
        rest: Rest,
        /// When it gets SIGKILL; none for never.
        kill_at: Option<Instant>,
        /// When to look again who is left of the group, if no event reports that.
        look_at: Option<Instant>,
        /// What follows when everything is gone.
        next: Next,
    },
    /// It got SIGKILL.
    Killing {
        /// Its leader.
        pid: Pid,
        /// Whether that lives.
        leader: Leader,
        /// Why.
        why: KillCause,
        /// When foster gives up.
        give_up_at: Instant,
        /// When to look again who is left of the group, if no event reports that.
        look_at: Option<Instant>,
        /// What follows when everything is gone.
        next: Next,
    },
    /// Its group is gone; what escaped the group is being killed.
    Cleaning {
        /// When foster gives up; none while nothing was found and killed.
        give_up_at: Option<Instant>,
        /// What follows then.
        next: Next,
    },
    /// It waits to be started again.
    Backoff {
        /// Until when.
        retry_at: Instant,
    },
    /// It was restarted as often as it may be.
    Failed,
}

/// Whether a service's first process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leader {
    /// It does.
    Alive,
    /// It ended, and is held as a zombie.
    Dead(ExitStatus),
}

/// The stop of a group, apart from its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It is left to its leader. It gets the stop signal when the leader has ended, or at this
    /// time; only then, if there is none.
    Spared {
        /// When half of the time has passed.
        until: Option<Instant>,
    },
    /// It got the stop signal, or gets none, and is waited for.
    Waited,
    /// It got the stop signal because its leader ended unasked, and there was no stop since. It is
    /// waited for, and so is whatever escaped the group.
    Left {
        /// Whether what escaped got it too: everything that the first survey finds gets it.
        asked: bool,
    },
}

/// What follows the cleaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is restarted.
    Retry {
        /// When.
        at: Instant,
    },
    /// It stays down.
    Down,
    /// It stays down, because it was restarted as often as it may be.
    Failed,
}

/// What a survey found of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remains {
    /// Nothing.
    #[default]
    None,
    /// Processes that are not foster's children: their ends are not reported.
    Others,
    /// Processes that foster adopted: their ends are reported.
    Adopted,
}

/// Whether a service goes to the background, where foster cannot follow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Background {
    /// Its last run did not look like that.
    #[default]
    No,
    /// Its last run ended at once and with success. It went to the background if it left other
    /// processes.
    Suspected {
        /// Whether earlier runs did, and that was reported.
        told: bool,
    },
    /// It did, and that was reported.
    Told,
}

/// The inputs of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Stop, by this signal.
    Stop(Signal),
    /// Die at once.
    Kill,
    Spawned(Pid, RunId),
    SpawnFailed(SpawnError),
    Exited(ExitStatus),
    Surveyed(Remains),
    /// foster may not kill its leader.
    Refused,
    /// Its deadline has come.
    Timeout,
}

/// Everything that a service needs to handle an input.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    pub(super) config: &'a Config,
    /// How this service is kept.
    pub(super) policy: &'a Policy,
    pub(super) facts: Facts,
    pub(super) shutdown: &'a Shutdown,
    pub(super) children: &'a mut Children,
    pub(super) outbox: &'a mut Outbox,
}

/// A service, and everything that is known about it.
#[derive(Clone, Debug)]
pub(super) struct Service {
    id: ServiceId,
    kept: Kept,
    state: State,
    run: RunId,
    /// Which run this is, or was.
    number: RunNumber,
    restarts: Restarts,
    /// The code of its last run, as foster would end with it.
    code: u32,
    /// What the current survey has found so far, if there is one.
    pub(super) survey: Option<Remains>,
    /// The first process that it, or the last one, found.
    pub(super) found: Option<(Pid, Comm)>,
    /// The signal that stopped it, unless that was Ctrl-Z, which foster undoes.
    pub(super) halted: Option<Signal>,
    /// Its group and the terminal.
    pub(super) tie: Tie,
    /// The key on the terminal that its last run died of unasked.
    pub(super) died_of: Option<Signal>,
    background: Background,
    /// The stop signals that it got.
    asked_by: SignalSet,
    /// Whether it was reported in this stop that a signal was refused.
    refused: bool,
    /// How many processes that escaped its group the current survey, or the last one, found.
    pub(super) crowd: u32,
    /// The number of surveys since they were many.
    round: u8,
}

/// How a service is kept. It does not change, and so is no part of the state that is shown.
#[derive(Clone)]
struct Kept(Rc<Policy>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl Service {
    /// A service that is being started.
    pub(super) fn starting(id: ServiceId, policy: Rc<Policy>) -> Self {
        Service {
            id,
            kept: Kept(policy),
            state: State::Starting,
            run: RunId::default(),
            number: RunNumber(1),
            restarts: Restarts::default(),
            code: 0,
            survey: None,
            found: None,
            halted: None,
            tie: Tie::default(),
            died_of: None,
            background: Background::No,
            asked_by: SignalSet::EMPTY,
            refused: false,
            crowd: 0,
            round: 0,
        }
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.kept.0
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn code(&self) -> u32 {
        self.code
    }

    pub(super) fn run(&self) -> RunId {
        self.run
    }

    pub(super) fn run_number(&self) -> RunNumber {
        self.number
    }

    /// Whether it is down for good.
    pub(super) fn is_down(&self) -> bool {
        matches!(self.state, State::Down | State::Failed)
    }

    /// Whether what escaped its group is looked for.
    pub(super) fn is_cleaning(&self) -> bool {
        let left = matches!(self.state, State::Stopping { rest: Rest::Left { .. }, .. });
        left && self.policy().kills_orphans(false) || matches!(self.state, State::Cleaning { .. })
    }

    /// Whether an orphan of this group gets the stop signal now, rather than SIGKILL; none if it
    /// got that already.
    pub(super) fn asks_orphan(&self, group: Pid) -> Option<bool> {
        match self.state {
            State::Stopping { pid, rest: Rest::Left { asked }, .. } => {
                (!asked && pid != group).then_some(true)
            }
            State::Stopping { .. }
            | State::Killing { .. }
            | State::Cleaning { .. }
            | State::Down
            | State::Starting
            | State::Up { .. }
            | State::Backoff { .. }
            | State::Failed => Some(false),
        }
    }

    /// Whether it waits for a survey.
    pub(super) fn awaits_survey(&self) -> bool {
        match self.state {
            State::Stopping { leader, .. } | State::Killing { leader, .. } => {
                leader != Leader::Alive
            }
            State::Cleaning { .. } => true,
            State::Down
            | State::Starting
            | State::Up { .. }
            | State::Backoff { .. }
            | State::Failed => false,
        }
    }

    /// Its deadline.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Stopping { rest: Rest::Spared { until }, kill_at, look_at, .. } => {
                earlier(until, earlier(kill_at, look_at))
            }
            State::Stopping {
                rest: Rest::Waited | Rest::Left { .. }, kill_at, look_at, ..
            } => earlier(kill_at, look_at),
            State::Killing { give_up_at, look_at, .. } => earlier(Some(give_up_at), look_at),
            State::Cleaning { give_up_at, .. } => give_up_at,
            State::Backoff { retry_at } => Some(retry_at),
            State::Down | State::Starting | State::Up { .. } | State::Failed => None,
        }
    }

    /// Who is waited for in a stop.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        let member = || self.found.map_or(Who::Unknown, |(pid, name)| Who::Member(pid, name));
        let who = |pid, leader| match leader {
            Leader::Alive => Who::Leader(pid),
            Leader::Dead(_) => member(),
        };
        match self.state {
            State::Stopping { pid, leader, kill_at, .. } => {
                Some(Awaited { who: who(pid, leader), until: kill_at, killed: false })
            }
            State::Killing { pid, leader, give_up_at, .. } => {
                Some(Awaited { who: who(pid, leader), until: Some(give_up_at), killed: true })
            }
            State::Cleaning { give_up_at, .. } => {
                Some(Awaited { who: member(), until: give_up_at, killed: true })
            }
            State::Down
            | State::Starting
            | State::Up { .. }
            | State::Backoff { .. }
            | State::Failed => None,
        }
    }

    /// The leader of its group, if the group may have members, and whether the leader lives.
    pub(super) fn group(&self) -> Option<(Pid, bool)> {
        match self.state {
            State::Up { pid, .. } => Some((pid, true)),
            State::Stopping { pid, leader, .. } | State::Killing { pid, leader, .. } => {
                Some((pid, leader == Leader::Alive))
            }
            State::Down
            | State::Starting
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Failed => None,
        }
    }

    /// Notes that its last run left other processes. Returns whether that is news to the user.
    pub(super) fn left_behind(&mut self) -> bool {
        match self.background {
            Background::Suspected { told } => {
                self.background = Background::Told;
                !told
            }
            Background::No | Background::Told => false,
        }
    }

    /// The signal for a process that escaped the group. If there are many, all are stopped first:
    /// at a limit of processes, each one that is killed makes room for one that was not found yet.
    pub(super) fn cleans_by(&mut self) -> Signal {
        self.crowd += 1;
        match self.round {
            0 if self.crowd <= MANY => Signal::KILL,
            0..LAST => Signal::STOP,
            _ => Signal::KILL,
        }
    }

    /// Notes that a signal to it was refused. Returns whether that is news to the user.
    pub(super) fn is_news(&mut self) -> bool {
        let stops = matches!(self.state, State::Stopping { .. } | State::Killing { .. });
        !(stops && std::mem::replace(&mut self.refused, true))
    }

    /// Handles an input.
    // Kept out of line: inlined, each state would get a copy of what its caller does next.
    #[inline(never)]
    pub(super) fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
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

    /// Sends the stop signal. A leader that has the terminal may be an interactive shell, which
    /// ignores TERM, so it gets HUP too.
    fn stop(&mut self, pid: Pid, cx: &mut Context<'_>) -> State {
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
    fn stopped(&mut self, next: Next, cx: &Context<'_>) -> Next {
        match next {
            Next::Retry { .. } => {
                self.stopped_waiting(cx);
                Next::Down
            }
            Next::Down | Next::Failed => next,
        }
    }

    /// The same for a service that only waits for its restart.
    fn stopped_waiting(&mut self, cx: &Context<'_>) -> State {
        let status = ExitStatus::Code(self.code);
        self.code = self.code_after_stop(status, cx.policy);
        State::Down
    }

    /// Sends SIGKILL to the whole group.
    fn kill(
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
    fn outlives_leader(
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
    fn part(&mut self, pid: Pid, after: After, cx: &mut Context<'_>) {
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
    fn clean(&mut self, next: Next, killed: bool, cx: &mut Context<'_>) -> State {
        if cx.policy.kills_orphans(killed) {
            cx.outbox.survey_due = true;
            State::Cleaning { give_up_at: None, next }
        } else {
            self.proceed(next)
        }
    }

    /// Asks whether a run that may have gone to the background left other processes, before foster
    /// ends them.
    fn look_behind(&mut self, pid: Pid, status: ExitStatus, ran: Duration, cx: &mut Context<'_>) {
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
    fn after_run(&mut self, code: u32, ran: Duration, cx: &mut Context<'_>) -> Next {
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
    fn ended_as_asked(&self, status: ExitStatus) -> bool {
        let hup = if self.tie.got_hup { SignalSet::of(&[Signal::HUP]) } else { SignalSet::EMPTY };
        status.is_death_by(self.asked_by.union(hup))
    }

    /// Its exit code after a stop.
    fn code_after_stop(&self, status: ExitStatus, policy: &Policy) -> u32 {
        if policy.kept && self.ended_as_asked(status) {
            return 0;
        }
        policy.success.fold(status.code())
    }

    /// Why it ended in a stop: a signal that foster did not send is somebody else's doing.
    fn cause_in_stop(&self, status: ExitStatus) -> EndCause {
        match status {
            ExitStatus::Signal(_) if !self.ended_as_asked(status) => {
                EndCause::Unasked { crash: false }
            }
            ExitStatus::Signal(_) | ExitStatus::Code(_) => EndCause::Asked,
        }
    }

    /// The state of a service of which nothing is left.
    fn proceed(&mut self, next: Next) -> State {
        self.round = 0;
        match next {
            Next::Retry { at } => State::Backoff { retry_at: at },
            Next::Down => State::Down,
            Next::Failed => State::Failed,
        }
    }
}

impl Context<'_> {
    fn report(&mut self, report: Report) {
        self.outbox.report(report);
    }

    fn send(&mut self, target: Target, signal: Signal) {
        self.outbox.push(Action::Kill { target, signal, value: None });
    }

    /// Sends the stop signal.
    fn ask(&mut self, target: Target) {
        self.outbox.ask(target, self.shutdown.signal(&self.policy.stop));
    }

    /// Who gets a stop signal, if anybody.
    fn stop_target(&self, pid: Pid, leader: Leader) -> Option<Target> {
        let target = match (self.policy.stop.to, leader) {
            (StopTo::LeaderFirst | StopTo::Leader, Leader::Alive) => Target::Process(pid),
            (StopTo::LeaderFirst, Leader::Dead(_)) | (StopTo::Group, _) => self.policy.reach(pid),
            (StopTo::Leader, Leader::Dead(_)) => return None,
        };
        let alone = matches!(target, Target::Process(_)) && leader != Leader::Alive;
        (!alone).then_some(target)
    }

    /// The deadline of a stop that begins now.
    fn stop_deadline(&self) -> Option<Instant> {
        self.policy.stop.timeout.map(|timeout| self.now + timeout)
    }

    /// Whether half of a stop's time has passed and the rest of the group was not asked yet.
    fn is_due(&self, rest: Rest) -> bool {
        match rest {
            Rest::Spared { until } => until.is_some_and(|at| at <= self.now),
            Rest::Waited | Rest::Left { .. } => false,
        }
    }

    fn reap(&mut self, pid: Pid) {
        self.children.forget(pid);
        self.outbox.push(Action::Reap { pid });
    }

    /// When to look again at what is left of a group. No event reports the end of a process that is
    /// not foster's child, nor that a process left the group.
    fn look_at(&self, remains: Remains) -> Option<Instant> {
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
const LEAST_TIME: Duration = Duration::from_millis(100);

/// A program that goes to the background does so as soon as it has read its configuration and bound
/// its ports.
const AT_ONCE: Duration = Duration::from_secs(3);

/// How long foster waits after SIGKILL: only a process that hangs in the kernel takes more than
/// moments. systemd's default for a stop is about as long.
pub(super) const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// How many escaped processes are killed without being stopped first.
const MANY: u32 = 16;

/// The round in which stopped processes are killed.
const LAST: u8 = 3;

/// How often foster looks at members of a group whose ends are not reported.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How often foster looks at members of a group whose ends are reported, because they may also
/// leave it.
const LOOK_AFTER_ALL: Duration = Duration::from_secs(1);
