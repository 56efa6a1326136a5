//! The loop around the machine, and the platform as the loop sees it.

use std::time::Duration;

use crate::supervisor::{Action, Event, Supervisor, Way};
use crate::time::Instant;

/// Everything that a platform does. It decides nothing. Failures become events, or are logged and
/// retried, so that the loop itself cannot fail.
pub trait Backend {
    /// The time now.
    fn now(&mut self) -> Instant;

    /// Waits until something happens or `deadline` comes, and reports what happened. It may return
    /// early with nothing to report; with a deadline that has passed it does not wait. If a signal
    /// arrives first, it may be forwarded before it is reported, or without being reported
    /// ([`Supervisor::way`]).
    fn wait(&mut self, deadline: Option<Instant>, way: Option<Way>, events: &mut Vec<Event>);

    /// Carries out an action, and reports its result.
    fn perform(&mut self, action: Action, events: &mut Vec<Event>);
}

/// Runs until everything is done; returns the exit code.
// Kept out of line so that its stack frame is gone when it returns.
#[inline(never)]
pub fn run<B: Backend>(supervisor: &mut Supervisor, backend: &mut B) -> u32 {
    let mut driver = Driver::new();
    loop {
        if let Some(code) = driver.turn(supervisor, backend) {
            return code;
        }
    }
}

/// The loop, one turn at a time, for tests that look between turns.
#[derive(Clone, Debug)]
pub struct Driver {
    /// The events of one wait.
    news: Vec<Event>,
    /// The results of one action.
    answers: Vec<Event>,
    /// The results of a survey.
    found: Vec<Event>,
    /// How many turns in a row had events.
    busy: usize,
    /// The time when it was last read.
    now: Instant,
    /// When the next survey may be made, after a rest from the last one.
    rested_at: Instant,
}

impl Driver {
    /// A loop that has not begun.
    #[must_use]
    pub fn new() -> Driver {
        Driver {
            news: Vec::with_capacity(NEWS),
            answers: Vec::with_capacity(ANSWERS),
            found: Vec::with_capacity(ANSWERS),
            busy: 0,
            now: Instant::ZERO,
            rested_at: Instant::ZERO,
        }
    }

    /// Acts, waits once, and handles what happened. Returns the exit code once everything is done.
    pub fn turn<B: Backend>(
        &mut self,
        supervisor: &mut Supervisor,
        backend: &mut B,
    ) -> Option<u32> {
        if let Some(code) = self.act(supervisor, backend) {
            return Some(code);
        }
        // A survey looks at every process. So it waits until nothing else is to be handled, and
        // rests after the last one: a thousand deaths at once cost one survey instead of a
        // thousand, and all surveys together take only a part of the time that passes.
        let survey_at = supervisor.wants_survey().then_some(self.rested_at);
        let deadline = supervisor.poll_timeout();
        let deadline = survey_at.map_or(deadline, |at| Some(deadline.map_or(at, |it| it.min(at))));
        let mut news = std::mem::take(&mut self.news);
        backend.wait(deadline, supervisor.way(), &mut news);
        self.busy = if news.is_empty() { 0 } else { self.busy + 1 };
        for event in &news {
            // Reading the time can take as long as all the rest of a signal's path.
            if supervisor.needs_time(event) {
                self.now = backend.now();
            }
            supervisor.handle_event(*event, self.now);
            if let Some(code) = self.act(supervisor, backend) {
                return Some(code);
            }
        }
        news.clear();
        self.news = news;
        // Events come before deadlines: after a long sleep, a death that was not reported yet must
        // not be taken for a process that does not die. A flood of events delays deadlines for a
        // while, not for ever.
        if self.busy > 0 && self.busy < PATIENCE {
            return None;
        }
        self.busy = 0;
        if survey_at.is_some() || supervisor.poll_timeout().is_some() {
            self.now = backend.now();
            if survey_at.is_some_and(|at| at <= self.now)
                && let Some(code) = self.survey(supervisor, backend)
            {
                return Some(code);
            }
            if supervisor.poll_timeout().is_some_and(|deadline| deadline <= self.now) {
                supervisor.handle_timeout(self.now);
            }
        }
        self.act(supervisor, backend)
    }

    /// Carries out everything that the machine wants. Results are handled at once, before the next
    /// action. Returns the exit code once everything is done.
    fn act<B: Backend>(&mut self, supervisor: &mut Supervisor, backend: &mut B) -> Option<u32> {
        while let Some(action) = supervisor.poll_action() {
            if let Action::Exit { code } = action {
                return Some(code);
            }
            self.perform(action, supervisor, backend);
        }
        None
    }

    /// Makes a survey, if the machine still wants one, and rests after it. What follows from one
    /// process is done before the next one is handled, so that thousands of them take no memory.
    /// Returns the exit code once everything is done.
    fn survey<B: Backend>(&mut self, supervisor: &mut Supervisor, backend: &mut B) -> Option<u32> {
        let action = supervisor.poll_survey()?;
        let begin = self.now;
        let mut found = std::mem::take(&mut self.found);
        backend.perform(action, &mut found);
        // foster may have been stopped meanwhile.
        self.now = backend.now();
        self.rested_at = self.now.rested(begin, LONGEST_REST);
        for event in &found {
            supervisor.handle_event(*event, self.now);
            if let Some(code) = self.act(supervisor, backend) {
                return Some(code);
            }
        }
        found.clear();
        self.found = found;
        None
    }

    /// Carries out one action and handles its results.
    fn perform<B: Backend>(
        &mut self,
        action: Action,
        supervisor: &mut Supervisor,
        backend: &mut B,
    ) {
        backend.perform(action, &mut self.answers);
        if self.answers.is_empty() {
            return;
        }
        self.now = backend.now();
        for event in &self.answers {
            supervisor.handle_event(*event, self.now);
        }
        self.answers.clear();
    }
}

impl Default for Driver {
    fn default() -> Self {
        Driver::new()
    }
}

/// Room for the results of one action; a survey may have more.
const ANSWERS: usize = 4;

/// The most signals that one wait reports: more would take memory that nothing else needs.
pub const SIGNALS_AT_ONCE: usize = 8;

/// Room for the events of one wait: a full read of signals, and some deaths and stops.
const NEWS: usize = SIGNALS_AT_ONCE + 4;

/// How many turns with events may pass before deadlines are looked at: some milliseconds.
const PATIENCE: usize = 256;

/// The longest rest after a survey. With few processes a survey takes some microseconds.
const LONGEST_REST: Duration = Duration::from_millis(100);
