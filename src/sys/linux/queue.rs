//! What foster waits in while a deadline runs: a mio queue for its signals and its timer, made when
//! there is a deadline for the first time, and there from then on. Most of its life there is none,
//! and the kernel hands signals over ([`Signals::wait_for_one`]); where it does not, foster waits in
//! the queue for them alone.

use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::errno::Errno;

use foster::time::Instant;

use super::signals::Signals;
use super::timer::{self, Timer};

/// The queue, and what it gave last.
pub struct Queue {
    state: State,
    timer: Timer,
    ready: Events,
}

enum State {
    /// Nobody has needed one yet.
    Unused,
    Open(Poll),
    /// The kernel gave none when it was asked: the timeout of a wait for signals serves.
    Unavailable,
}

impl Queue {
    /// A queue that is not made yet. Room is made now: later nothing is allocated.
    pub fn new() -> Queue {
        Queue { state: State::Unused, timer: Timer::Unused, ready: Events::with_capacity(2) }
    }

    /// Waits for a signal or the deadline, and not at all where that has passed; says whether there
    /// may be signals to read.
    pub fn wait(&mut self, deadline: Option<Instant>, signals: &Signals) -> Result<bool, Errno> {
        let left = deadline.map(|deadline| deadline.since(timer::now()));
        if left == Some(Duration::ZERO) {
            return Ok(true);
        }
        if let State::Unused = self.state {
            self.state = open(signals).map_or(State::Unavailable, State::Open);
        }
        let State::Open(poll) = &mut self.state else { return signals.wait_alone(left) };
        let timeout = if self.timer.set(deadline, poll.registry(), TIMER) { None } else { left };
        if let Err(error) = signals.wait(poll, &mut self.ready, timeout) {
            if matches!(error, Errno::EPERM | Errno::ENOSYS) {
                // A filter denies it. The next wait does without.
                self.state = State::Unavailable;
            }
            return Err(error);
        }
        if self.ready.iter().any(|event| event.token() == TIMER) {
            self.timer.went_off();
        }
        let told = self.ready.iter().any(|event| event.token() == SIGNALS);
        Ok(told || (self.ready.is_empty() && signals.come_untold()))
    }

    /// The descriptors that it has; below zero for those that it has not.
    pub fn descriptors(&self) -> [RawFd; 2] {
        let queue = if let State::Open(poll) = &self.state { poll.as_raw_fd() } else { -1 };
        [queue, self.timer.descriptor().unwrap_or(-1)]
    }
}

fn open(signals: &Signals) -> Option<Poll> {
    let poll = Poll::new().ok()?;
    let mut source = SourceFd(&signals.descriptor());
    poll.registry().register(&mut source, SIGNALS, Interest::READABLE).ok()?;
    Some(poll)
}

const SIGNALS: Token = Token(0);
const TIMER: Token = Token(1);
