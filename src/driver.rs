//! The loop around the machine, and the platform as the loop sees it.

use crate::supervisor::{Action, Event, Supervisor};
use crate::time::Instant;

/// All that a platform does. Nothing in it decides anything: what fails is told as an event, or
/// logged and tried again, so that the loop itself cannot fail.
pub trait Backend {
    /// The time now.
    fn now(&mut self) -> Instant;

    /// Waits until something happens or `deadline` comes, and tells what happened. It may come
    /// back early with nothing to tell.
    fn wait(&mut self, deadline: Option<Instant>, events: &mut Vec<Event>);

    /// Does something, and tells what came of it.
    fn perform(&mut self, action: Action, events: &mut Vec<Event>);
}

/// Runs until all is done; gives the code to end with.
pub fn run<B: Backend>(supervisor: &mut Supervisor, backend: &mut B) -> u32 {
    let mut events = Vec::with_capacity(EVENTS);
    loop {
        while let Some(action) = supervisor.poll_action() {
            if let Action::Exit { code } = action {
                return code;
            }
            backend.perform(action, &mut events);
            tell(supervisor, backend, &mut events);
        }
        backend.wait(supervisor.poll_timeout(), &mut events);
        tell(supervisor, backend, &mut events);
        if let Some(deadline) = supervisor.poll_timeout() {
            let now = backend.now();
            if deadline <= now {
                supervisor.handle_timeout(now);
            }
        }
    }
}

/// Hands events over to the machine.
fn tell<B: Backend>(supervisor: &mut Supervisor, backend: &mut B, events: &mut Vec<Event>) {
    if events.is_empty() {
        return;
    }
    let now = backend.now();
    for event in events.drain(..) {
        supervisor.handle_event(event, now);
    }
}

/// Room for what one wait brings: a full read of signals, and a death.
const EVENTS: usize = 72;
