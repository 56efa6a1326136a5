//! The loop around the machine, and the platform as the loop sees it.

use std::time::Duration;

use crate::supervisor::{Action, Event, Supervisor, Way};
use crate::time::Instant;

/// All that a platform does. Nothing in it decides anything: what fails is told as an event, or
/// logged and tried again, so that the loop itself cannot fail.
pub trait Backend {
    /// The time now.
    fn now(&mut self) -> Instant;

    /// Waits until something happens or `deadline` comes, and tells what happened. It may come
    /// back early with nothing to tell; with a deadline that has passed it does not wait at all.
    /// Signals that come before all else may go their way before they are told, or untold
    /// ([`Supervisor::way`]).
    fn wait(&mut self, deadline: Option<Instant>, way: Option<Way>, events: &mut Vec<Event>);

    /// Does something, and tells what came of it.
    fn perform(&mut self, action: Action, events: &mut Vec<Event>);
}

/// Runs until all is done; gives the code to end with.
// Its room on the stack is for its own time only.
#[inline(never)]
pub fn run<B: Backend>(supervisor: &mut Supervisor, backend: &mut B) -> u32 {
    let mut driver = Driver::new();
    loop {
        if let Some(code) = driver.turn(supervisor, backend) {
            return code;
        }
    }
}

/// The loop, one turn at a time, for those who look on between turns.
#[derive(Clone, Debug)]
pub struct Driver {
    /// What one wait brought.
    news: Vec<Event>,
    /// What came of one action.
    answers: Vec<Event>,
    /// What a survey has found.
    found: Vec<Event>,
    /// For how many turns in a row there has been news.
    busy: usize,
    /// The time as it was asked for last.
    now: Instant,
    /// When the next survey may be made: the last one took its time.
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

    /// Does what there is to do, waits once, and does what follows from what happened. Gives the
    /// code to end with, once all is done.
    pub fn turn<B: Backend>(
        &mut self,
        supervisor: &mut Supervisor,
        backend: &mut B,
    ) -> Option<u32> {
        if let Some(code) = self.act(supervisor, backend) {
            return Some(code);
        }
        // A survey looks at every process there is. So it comes when nothing else is known any
        // more, and after a rest: a thousand deaths at once cost one survey instead of a thousand,
        // and all surveys together only so much of the time that passes.
        let survey_at = supervisor.wants_survey().then_some(self.rested_at);
        let deadline = supervisor.poll_timeout();
        let deadline = survey_at.map_or(deadline, |at| Some(deadline.map_or(at, |it| it.min(at))));
        let mut news = std::mem::take(&mut self.news);
        backend.wait(deadline, supervisor.way(), &mut news);
        self.busy = if news.is_empty() { 0 } else { self.busy + 1 };
        for event in &news {
            // To ask for the time can take as long as all the rest of a signal's way.
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
        // What has happened comes before what time has brought: after a long sleep, a death that
        // is still to be told must not be taken for a process that does not die. A flood of news
        // puts that off for a while, not for ever.
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

    /// Does all that the machine wants done. What comes of it is told at once, before anything
    /// else is done; gives the code to end with, once all is done.
    fn act<B: Backend>(&mut self, supervisor: &mut Supervisor, backend: &mut B) -> Option<u32> {
        while let Some(action) = supervisor.poll_action() {
            if let Action::Exit { code } = action {
                return Some(code);
            }
            self.perform(action, supervisor, backend);
        }
        None
    }

    /// Makes a survey, if the machine still wants one, and rests from it. What is to be done about
    /// one that it found is done before the next one is told, so that thousands take no memory for
    /// it. Gives the code to end with, once all is done.
    fn survey<B: Backend>(&mut self, supervisor: &mut Supervisor, backend: &mut B) -> Option<u32> {
        let action = supervisor.poll_survey()?;
        let begin = self.now;
        let mut found = std::mem::take(&mut self.found);
        backend.perform(action, &mut found);
        // Foster may have been stopped in the midst of it.
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

    /// Does one thing and tells what came of it.
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

/// Room for what one action brings; a survey may bring more.
const ANSWERS: usize = 4;

/// How many signals a wait brings at the most: more would take memory that nothing else needs.
pub const SIGNALS_AT_ONCE: usize = 8;

/// Room for what one wait brings: a full read of signals, and some deaths and stops.
const NEWS: usize = SIGNALS_AT_ONCE + 4;

/// How many turns with news there may be before time is looked at: some milliseconds.
const PATIENCE: usize = 256;

/// For how long no survey is made at the most. Where little lives, one takes a few microseconds.
const LONGEST_REST: Duration = Duration::from_millis(100);
