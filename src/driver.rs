//! The loop around the machine, and the platform as the loop sees it.

use crate::supervisor::{Action, Event, Supervisor};
use crate::time::Instant;

/// All that a platform does. Nothing in it decides anything: what fails is told as an event, or
/// logged and tried again, so that the loop itself cannot fail.
pub trait Backend {
    /// The time now.
    fn now(&mut self) -> Instant;

    /// Waits until something happens or `deadline` comes, and tells what happened. It may come
    /// back early with nothing to tell; with a deadline that has passed it does not wait at all.
    fn wait(&mut self, deadline: Option<Instant>, events: &mut Vec<Event>);

    /// Does something, and tells what came of it.
    fn perform(&mut self, action: Action, events: &mut Vec<Event>);
}

/// Runs until all is done; gives the code to end with.
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
    /// For how many turns in a row there has been news.
    busy: usize,
    /// How many answers the last survey had.
    survivors: usize,
}

impl Driver {
    /// A loop that has not begun.
    #[must_use]
    pub fn new() -> Driver {
        Driver {
            news: Vec::with_capacity(NEWS),
            answers: Vec::with_capacity(ANSWERS),
            busy: 0,
            survivors: 0,
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
        // more: a thousand deaths at once cost one survey instead of a thousand.
        let survey = supervisor.wants_survey();
        let deadline = if survey { Some(Instant::ZERO) } else { supervisor.poll_timeout() };
        let mut news = std::mem::take(&mut self.news);
        backend.wait(deadline, &mut news);
        self.busy = if news.is_empty() { 0 } else { self.busy + 1 };
        for event in news.drain(..) {
            supervisor.handle_event(event, backend.now());
            if let Some(code) = self.act(supervisor, backend) {
                return Some(code);
            }
        }
        self.news = news;
        // What has happened comes before what time has brought: after a long sleep, a death that
        // is still to be told must not be taken for a process that does not die. A flood of news
        // puts that off for a while, not for ever; a survey for as many turns as the last one
        // had answers, so that all surveys together cost no more than all else.
        if self.busy > 0 && self.busy < self.survivors.max(PATIENCE) {
            return None;
        }
        self.busy = 0;
        if survey && let Some(action) = supervisor.poll_survey() {
            self.survivors = self.perform(action, supervisor, backend);
        }
        if let Some(deadline) = supervisor.poll_timeout() {
            let now = backend.now();
            if deadline <= now {
                supervisor.handle_timeout(now);
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

    /// Does one thing and tells what came of it; says how much that was.
    fn perform<B: Backend>(
        &mut self,
        action: Action,
        supervisor: &mut Supervisor,
        backend: &mut B,
    ) -> usize {
        backend.perform(action, &mut self.answers);
        if self.answers.is_empty() {
            return 0;
        }
        let (now, count) = (backend.now(), self.answers.len());
        for event in self.answers.drain(..) {
            supervisor.handle_event(event, now);
        }
        count
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

/// How many turns with news there may be at least before time is looked at: some milliseconds.
const PATIENCE: usize = 256;
