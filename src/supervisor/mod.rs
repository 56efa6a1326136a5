//! The state machine of an init and supervisor. It is given what happened and when, and answers
//! what to do.
//!
//! It has three kinds of method: `handle_*` takes input, `poll_*` gives output, getters look. After
//! every `handle_*`, drain [`Supervisor::poll_action`] to `None`. It knows no clock, no system call
//! and no platform.

#![deny(clippy::wildcard_enum_match_arm)]

mod action;
mod children;
mod deadline;
mod event;
mod forward;
mod outbox;
mod poweroff;
mod report;
mod restart;
mod service;
mod shutdown;
mod slow;
mod spared;
mod survey;
mod terminal;

use std::fmt;
use std::rc::Rc;

use crate::config::Config;
use crate::process::{OsError, Pid, ServiceId, Target};
use crate::signal::{Signal, SignalSet};
use crate::time::Instant;

pub use action::Action;
pub use event::{Event, Foreground, Signalled, Survivor};
pub use forward::Way;
pub use report::{EndCause, KillCause, Report};
pub use service::{Leader, Next, Remains, Rest, State};
pub use slow::{Hurry, Wait, Who};

use children::Children;
use deadline::{Deadlines, earlier};
use outbox::Outbox;
use poweroff::PowerOff;
use service::{Context, Input, Service};
use shutdown::{Request, Shutdown};
use slow::Slow;
use survey::Survey;

/// What foster finds at its start and cannot change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether it has a terminal, from which it and its child may be stopped.
    pub terminal: bool,
    /// Whether its input and output are both that terminal.
    pub interactive: bool,
    /// Whether it leads the terminal's session, or is PID 1: nobody could resume it.
    pub leads: bool,
    /// Whether it is PID 1, which no signal of its own ends.
    pub init: bool,
    /// Which of HUP, INT, QUIT and TSTP, which a terminal may send, foster found ignored. Empty
    /// without a terminal.
    pub ignored: SignalSet,
}

/// The machine. A clone is independent from then on, as a search needs it.
#[derive(Clone)]
pub struct Supervisor {
    config: Rc<Config>,
    facts: Facts,
    services: Vec<Service>,
    deadlines: Deadlines,
    shutdown: Shutdown,
    slow: Slow,
    poweroff: PowerOff,
    children: Children,
    outbox: Outbox,
    /// The number of services that are not down for good.
    live: usize,
    /// The number of services that wait for a survey.
    waiting: usize,
    survey: Survey,
    /// Signals to ignore once.
    overlook: SignalSet,
    /// Signals that are forwarded unchanged, with no other effect.
    passing: SignalSet,
}

impl fmt::Debug for Supervisor {
    /// Shows everything that changes, so not the configuration and the facts; and not the spared
    /// orphans, who matter only to the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("services", &self.services)
            .field("deadlines", &self.deadlines)
            .field("shutdown", &self.shutdown)
            .field("slow", &self.slow)
            .field("poweroff", &self.poweroff)
            .field("children", &self.children)
            .field("outbox", &self.outbox)
            .field("live", &self.live)
            .field("waiting", &self.waiting)
            .field("overlook", &self.overlook)
            .finish_non_exhaustive()
    }
}

impl Supervisor {
    /// A machine that starts every service of `config` right away.
    #[must_use]
    // Kept out of line so that its stack frame is gone when it returns.
    #[inline(never)]
    pub fn new(config: impl Into<Rc<Config>>, facts: Facts) -> Self {
        let config = config.into();
        let passing = forward::passing(&config, facts);
        let terminal = terminal::gives_at_once(&config, facts);
        let count = config.services.len();
        let ids = (0..count).map(|index| ServiceId(index as u32));
        let mut outbox = Outbox::new(count);
        ids.clone().for_each(|service| outbox.push(Action::Spawn { service, terminal }));
        let policies = config.services.iter().map(|service| Rc::clone(&service.policy));
        let services =
            ids.zip(policies).map(|(id, policy)| Service::starting(id, policy)).collect();
        Supervisor {
            config,
            facts,
            services,
            deadlines: Deadlines::new(count),
            shutdown: Shutdown::default(),
            slow: Slow::default(),
            poweroff: PowerOff::default(),
            children: Children::new(count),
            outbox,
            live: count,
            waiting: 0,
            survey: Survey::new(),
            overlook: SignalSet::EMPTY,
            passing,
        }
    }

    /// Whether [`Supervisor::handle_event`] needs the time of this event. It does not for a signal
    /// that is only forwarded, nor for the end of an orphan: neither sets a deadline.
    #[must_use]
    pub fn needs_time(&self, event: &Event) -> bool {
        if self.live == 0 {
            return true;
        }
        if let Event::Signal(signalled) = event {
            self.is_request(signalled.signal) || self.is_end_of_terminal(*signalled)
        } else if let Event::Exited { pid, .. } = event {
            self.children.service_of(*pid).is_some()
        } else {
            true
        }
    }

    /// Handles an event.
    pub fn handle_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Signal(signalled) => self.signalled(signalled, now),
            Event::Spawned { service, pid, run } => {
                self.children.add(pid, service);
                self.step(service, Input::Spawned(pid, run), now);
            }
            Event::SpawnFailed { service, error } => {
                self.step(service, Input::SpawnFailed(error), now);
            }
            Event::Exited { pid, status } => match self.children.service_of(pid) {
                Some(id) => self.step(id, Input::Exited(status), now),
                None => {
                    self.survey.forget(pid);
                    self.report(Report::Reaped { pid, status });
                    let freely = !self.shutdown.is_requested();
                    self.outbox.push(Action::ReapOrphan { pid, freely });
                    self.outbox.survey_due |= self.awaits_survey();
                }
            },
            Event::Stopped { pid, signal, foreground } => {
                self.child_stopped(pid, signal, foreground);
            }
            Event::NotSuspended { group } => self.not_suspended(group),
            Event::TerminalGiven { group } => self.terminal_given(group),
            Event::TerminalKept { group } => self.terminal_kept(group),
            Event::KillFailed { target, signal, os } => self.kill_failed(target, signal, os, now),
            Event::Hidden => self.outbox.survey_due |= self.awaits_survey(),
            Event::Survivor(survivor) => {
                self.poweroff.takes_in(survivor.adopted);
                let mut cx = survey::Context {
                    now,
                    config: &self.config,
                    services: &mut self.services,
                    children: &self.children,
                    shutdown: &self.shutdown,
                    outbox: &mut self.outbox,
                };
                self.survey.survivor(survivor, &mut cx);
            }
            Event::Surveyed { whole, groups } => self.surveyed(whole, groups, now),
            Event::LeftBehind { service } => self.left_behind(service),
            Event::TerminalDetached => {
                self.report(Report::TerminalDetached);
                self.overlook = SignalSet::of(&[Signal::HUP, Signal::CONT]);
            }
        }
        self.end_if_done(now);
    }

    /// Handles the passing of time. Call it when [`Supervisor::poll_timeout`] is due; it is
    /// harmless at any other time.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.deadlines.due(now) {
            self.step(id, Input::Timeout, now);
        }
        if self.poweroff.deadline().is_some_and(|at| at <= now) {
            self.power_off(poweroff::Input::Timeout, now);
        }
        if self.tells_at().is_some_and(|at| at <= now) {
            let interrupts = self.shutdown.interrupts_to_kill();
            let hurry = interrupts.and_then(|it| slow::hurry(&self.config, self.facts, it));
            self.slow.tell(&self.services, hurry, &mut self.outbox, now);
        }
        self.end_if_done(now);
    }

    /// The next action, or none.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.outbox.poll()
    }

    /// Whether the machine wants a survey.
    #[must_use]
    pub fn wants_survey(&self) -> bool {
        self.outbox.survey_due && self.awaits_survey() && !self.outbox.ended
    }

    /// The survey that the machine wants, if any. Ask when there is nothing else to do: one survey
    /// then serves for everything that happened until now.
    pub fn poll_survey(&mut self) -> Option<Action> {
        self.wants_survey().then(|| {
            self.outbox.survey_due = false;
            self.survey.start(&mut self.services)
        })
    }

    /// When to call [`Supervisor::handle_timeout`] if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let earliest = earlier(self.deadlines.earliest(), self.poweroff.deadline());
        earlier(earliest, self.tells_at())
    }

    /// When to report a stop that takes long, while anybody is waited for.
    fn tells_at(&self) -> Option<Instant> {
        self.slow.deadline().filter(|_| self.live > 0)
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The state of each service, in the order of the configuration.
    pub fn states(&self) -> impl Iterator<Item = State> {
        self.services.iter().map(Service::state)
    }

    /// Whether a stop of foster is under way.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shutdown.is_requested()
    }

    /// Gives a service an input and records what became of it.
    fn step(&mut self, id: ServiceId, input: Input, now: Instant) {
        let service = &mut self.services[id.index()];
        if service.is_down() {
            return;
        }
        let policy = &self.config.services[id.index()].policy;
        let waited = service.awaits_survey();
        service.handle(
            input,
            &mut Context {
                now,
                config: &self.config,
                policy,
                facts: self.facts,
                shutdown: &self.shutdown,
                children: &mut self.children,
                outbox: &mut self.outbox,
            },
        );
        self.deadlines.set(id, service.deadline());
        let waits = service.awaits_survey();
        self.waiting = self.waiting + usize::from(waits) - usize::from(waited);
        if !self.shutdown.is_requested() {
            self.slow.waits(self.waiting > 0, service, &self.config, now);
        }
        if service.is_down() {
            let (code, failed) = (service.code(), service.state() == State::Failed);
            self.live -= 1;
            if failed {
                self.shutdown.give_up(code);
                self.stop(None, Signal::TERM, now);
            } else {
                self.shutdown.conclude(code);
            }
        }
    }

    /// Handles a request to stop, made by `signal`, which is forwarded as `sent`.
    // Kept out of line so that the path of a forwarded signal fits into few cache lines.
    #[inline(never)]
    fn stop(&mut self, signal: Option<Signal>, sent: Signal, now: Instant) {
        // At first each service gets its own stop signal.
        let input = match self.shutdown.request(signal, sent) {
            Request::Begin => {
                self.slow.begin(&self.config, now);
                self.report(Report::StopRequested { signal });
                None
            }
            // A stop is under way already; one more service that gave up changes nothing.
            Request::Repeat if signal.is_none() => return,
            Request::Repeat => Some(Input::Stop(sent)),
            Request::Kill => {
                self.power_off(poweroff::Input::Hurry, now);
                Some(Input::Kill)
            }
        };
        for index in 0..self.services.len() {
            let own = self.shutdown.signal(&self.services[index].policy().stop);
            self.step(ServiceId(index as u32), input.unwrap_or(Input::Stop(own)), now);
        }
    }

    /// Handles a signal that could not be sent. What foster may not kill is not waited for, and
    /// reported once.
    fn kill_failed(&mut self, target: Target, signal: Signal, os: i32, now: Instant) {
        let refused = OsError(os) == OsError::NOT_PERMITTED;
        match self.children.service_of(target.pid()).filter(|_| refused) {
            Some(id) => {
                if self.services[id.index()].is_news() {
                    self.report(Report::KillFailed { target, signal, os });
                }
                if signal == Signal::KILL {
                    self.step(id, Input::Refused, now);
                }
            }
            // The next survey finds who is left.
            None if refused && signal == Signal::KILL => {
                self.outbox.survey_due |= self.awaits_survey();
            }
            None => self.report(Report::KillFailed { target, signal, os }),
        }
    }

    /// Reports that a service seems to run in the background, before whatever else was decided
    /// about that.
    fn left_behind(&mut self, service: ServiceId) {
        let (left, run) = match self.services.get_mut(service.index()) {
            Some(service) => (service.left_behind(), service.run_number()),
            None => return,
        };
        if left {
            self.outbox.report_first(Report::InBackground { service, run });
        }
    }

    /// Gives each service that waited the result of the survey. A survey that is not whole may have
    /// missed somebody, so another one follows.
    fn surveyed(&mut self, whole: bool, groups: bool, now: Instant) {
        for index in 0..self.services.len() {
            let service = &mut self.services[index];
            if let Some(found) = service.survey.take() {
                let all = if service.is_cleaning() { whole } else { groups };
                let remains = if all { found } else { found.max(Remains::Others) };
                self.step(ServiceId(index as u32), Input::Surveyed(remains), now);
            }
        }
        let looks_for_all = self.services.iter().any(Service::is_cleaning);
        self.outbox.survey_due |= !whole && (looks_for_all || self.poweroff.awaits_survey());
        if whole || self.poweroff.has_found() {
            self.power_off(poweroff::Input::Surveyed, now);
        }
    }

    /// Whether anybody waits for a survey.
    fn awaits_survey(&self) -> bool {
        self.waiting > 0 || self.poweroff.awaits_survey()
    }

    /// Ends foster when nothing is left to run.
    fn end_if_done(&mut self, now: Instant) {
        let pauses = self.config.services.is_empty() && !self.shutdown.is_requested();
        if self.live > 0 || pauses || self.outbox.ended {
            return;
        }
        if self.config.setup.boot {
            self.power_off(poweroff::Input::ServicesDown, now);
        } else {
            self.end();
        }
    }

    /// Takes the power-off one step further, and then ends foster if nothing is left to do.
    fn power_off(&mut self, input: poweroff::Input, now: Instant) {
        let mut cx = poweroff::Context {
            now,
            timeout: self.config.stop_timeout,
            is_killing: self.shutdown.is_killing(),
            outbox: &mut self.outbox,
        };
        if self.poweroff.step(input, &mut cx) {
            self.end();
        }
    }

    fn end(&mut self) {
        self.outbox.ended = true;
        if let Some((signal, job)) = self.dies_of() {
            self.outbox.push(Action::DieOf { signal, job });
        }
        self.outbox.push(Action::Exit { code: self.shutdown.code() });
    }

    fn report(&mut self, report: Report) {
        self.outbox.report(report);
    }
}
