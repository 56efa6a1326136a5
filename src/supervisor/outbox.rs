//! What the machine has decided and not yet handed to the driver.

use crate::process::{ServiceId, Target};
use crate::signal::Signal;

use super::{Action, Report};

/// Actions and reports, in the order in which they were decided.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    actions: Vec<Action>,
    /// How many of them were handed over.
    given: usize,
    /// Whether a survey is due.
    pub(super) survey_due: bool,
    /// Whether foster's exit was decided.
    pub(super) ended: bool,
}

impl Outbox {
    /// Room for the most actions that one event can cause with this many services, so that nothing is
    /// allocated later.
    pub(super) fn new(services: usize) -> Outbox {
        Outbox {
            actions: Vec::with_capacity(6 * services + 16),
            given: 0,
            survey_due: false,
            ended: false,
        }
    }

    /// The next action, or none.
    pub(super) fn poll(&mut self) -> Option<Action> {
        let action = self.actions.get(self.given).copied();
        self.given += 1;
        if action.is_none() {
            // The next action goes to the front of the memory again, so that no more memory is touched
            // than waits at once.
            self.actions.clear();
            self.given = 0;
        }
        action
    }

    pub(super) fn push(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn report(&mut self, report: Report) {
        self.push(Action::Report(report));
    }

    /// Reports this before everything else that waits.
    pub(super) fn report_first(&mut self, report: Report) {
        self.actions.insert(self.given, Action::Report(report));
    }

    /// Sends a stop signal, and then CONT, so that a stopped process can act on it.
    pub(super) fn ask(&mut self, target: Target, signal: Signal) {
        self.push(Action::Kill { target, signal, value: None });
        self.push(Action::Kill { target, signal: Signal::CONT, value: None });
    }

    /// Cancels the start of a service if it was not handed over yet. Returns whether it was
    /// cancelled.
    pub(super) fn recall(&mut self, service: ServiceId) -> bool {
        let is_start = |action: &Action| matches!(action, Action::Spawn { service: other, .. } if *other == service);
        let waiting = self.actions.get(self.given..).unwrap_or_default();
        let place = waiting.iter().position(is_start);
        place.map(|place| self.actions.remove(self.given + place)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(outbox: &mut Outbox) -> Vec<Action> {
        std::iter::from_fn(|| outbox.poll()).collect()
    }

    #[test]
    fn what_is_added_while_others_are_handed_over_keeps_its_order() {
        let mut outbox = Outbox::new(0);
        let [first, second, third] = [1, 2, 3].map(|code| Action::Exit { code });
        outbox.push(first);
        outbox.push(second);
        assert_eq!(outbox.poll(), Some(first));
        outbox.push(third);
        outbox.report_first(Report::Suspending);
        assert_eq!(drained(&mut outbox), [Action::Report(Report::Suspending), second, third]);
        assert_eq!(outbox.poll(), None);
    }

    #[test]
    fn a_start_is_cancelled_until_it_was_handed_over() {
        let mut outbox = Outbox::new(2);
        let start = |id| Action::Spawn { service: ServiceId(id), terminal: false };
        outbox.push(start(0));
        outbox.push(start(1));
        assert_eq!(outbox.poll(), Some(start(0)));
        assert!(!outbox.recall(ServiceId(0)));
        assert!(outbox.recall(ServiceId(1)) && !outbox.recall(ServiceId(1)));
        assert_eq!(drained(&mut outbox), []);
    }
}
