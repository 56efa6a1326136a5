//! The mio loop, for when there is more to wait for than signals. It is made when it is first needed:
//! at once under supervision and to watch foster's parent, and for a single command when there is a
//! deadline. Until then the kernel hands signals over ([`Signals::wait_for_one`]); if it does not,
//! foster waits for them in here.

use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll};
use nix::errno::Errno;

use foster::time::Instant;

use super::signals::Signals;
use super::source::{Key, Sources};
use super::timer::{self, Timer};

/// The queue, its sources, and what it reported last.
pub struct Queue {
    /// Whether foster always waits in here, not only for a deadline.
    pub is_loop: bool,
    state: State,
    timer: Timer,
    sources: Sources,
    events: Events,
}

enum State {
    /// Nobody has needed one yet.
    Unused,
    Open(Poll),
    /// The kernel refused: the timeout of a wait for signals serves.
    Unavailable,
}

impl Queue {
    /// A queue that is not open yet. It allocates now, and not later.
    pub fn new(is_loop: bool) -> Queue {
        Queue {
            is_loop,
            state: State::Unused,
            timer: Timer::Unused,
            sources: Sources::new(1),
            events: Events::with_capacity(AT_ONCE),
        }
    }

    /// Waits for a source or the deadline, but not if that has passed or there is work already
    /// (`overdue`). Returns whether there may be signals to read.
    pub fn wait(
        &mut self,
        deadline: Option<Instant>,
        overdue: bool,
        signals: &Signals,
    ) -> Result<bool, Errno> {
        let left = if overdue || self.sources.any_ready() {
            Some(Duration::ZERO)
        } else {
            deadline.map(|deadline| deadline.since(timer::now()))
        };
        let at_once = left == Some(Duration::ZERO);
        if at_once && !self.is_loop {
            return Ok(true);
        }
        let Some(poll) = open(&mut self.state, signals) else {
            // What was left unread announces itself no more.
            return signals.wait_alone(left).map(|came| came || overdue);
        };
        let waits_for_timer = !at_once && self.timer.set(deadline, poll.registry());
        let timeout = if waits_for_timer { None } else { left };
        if let Err(error) = signals.wait(poll, &mut self.events, timeout) {
            if matches!(error, Errno::EPERM | Errno::ENOSYS) {
                // A filter denies it. The next wait does without.
                self.state = State::Unavailable;
            }
            return Err(error);
        }
        self.sources.take_in(&self.events);
        if self.sources.take(Key::TIMER) {
            self.timer.went_off();
        }
        Ok(self.sources.take(Key::SIGNALS) || overdue || signals.come_untold())
    }

    /// The next ready source behind `last`, apart from signals and the timer.
    pub fn next(&mut self, last: Option<Key>) -> Option<Key> {
        self.sources.next(last)
    }

    /// Waits for this source too from now on. Returns whether it can.
    pub fn add(&mut self, key: Key, descriptor: RawFd, signals: &Signals) -> bool {
        let poll = open(&mut self.state, signals);
        let added =
            poll.is_some_and(|poll| register(poll, key, descriptor)) && self.sources.add(key);
        self.is_loop |= added;
        added
    }

    /// Stops waiting for a source. Closing its descriptor would not be enough if a child has it too.
    pub fn remove(&mut self, key: Key, descriptor: RawFd) {
        if let State::Open(poll) = &self.state {
            let _ = poll.registry().deregister(&mut SourceFd(&descriptor));
        }
        self.sources.remove(key);
    }

    /// The descriptors that it has; below zero for those that it has not.
    pub fn descriptors(&self) -> [RawFd; 2] {
        let queue = if let State::Open(poll) = &self.state { poll.as_raw_fd() } else { -1 };
        [queue, self.timer.descriptor().unwrap_or(-1)]
    }
}

/// Opens the queue if that was not tried before.
fn open<'a>(state: &'a mut State, signals: &Signals) -> Option<&'a mut Poll> {
    if let State::Unused = state {
        let made = Poll::new().ok();
        let made = made.filter(|poll| register(poll, Key::SIGNALS, signals.descriptor()));
        *state = made.map_or(State::Unavailable, State::Open);
    }
    if let State::Open(poll) = state { Some(poll) } else { None }
}

fn register(poll: &Poll, key: Key, descriptor: RawFd) -> bool {
    let source = &mut SourceFd(&descriptor);
    poll.registry().register(source, key.token(), Interest::READABLE).is_ok()
}

/// How many sources one wait reports. The next wait reports the next ones.
const AT_ONCE: usize = 8;
