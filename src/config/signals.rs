//! Signals for foster itself: which ask it to stop, what the others are rewritten to before they
//! are forwarded, and which stop foster with its child.

use crate::signal::{Signal, SignalSet};

/// What foster does with the signals that it gets.
#[derive(Clone, Debug)]
pub struct Signals {
    /// Those that ask foster to stop.
    pub requests: SignalSet,
    /// What they are rewritten to before they are forwarded.
    pub rewrites: Rewrites,
    /// What foster does when its child stops, or when it is told to stop itself.
    pub job_control: JobControl,
    /// Whether foster dies of the key on its terminal (INT, QUIT) that its only child died of,
    /// rather than end with 128+n: a shell goes on with its loop unless what it ran was killed.
    pub dies_with_child: bool,
}

/// What is forwarded for each signal.
#[derive(Clone, PartialEq, Eq)]
pub struct Rewrites([u8; 65]);

impl Default for Rewrites {
    fn default() -> Self {
        Rewrites(std::array::from_fn(|number| number as u8))
    }
}

impl std::fmt::Debug for Rewrites {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let changed = (1..=64).filter_map(Signal::new).filter(|s| self.get(*s) != Some(*s));
        f.debug_map().entries(changed.map(|from| (from, self.get(from)))).finish()
    }
}

impl Rewrites {
    /// Forwards `to` instead of `from` from now on, or nothing.
    pub fn set(&mut self, from: Signal, to: Option<Signal>) {
        self.0[usize::from(from.number())] = to.map_or(0, Signal::number);
    }

    /// What is forwarded for this signal; none if it is dropped.
    #[must_use]
    pub fn get(&self, from: Signal) -> Option<Signal> {
        Signal::new(i32::from(self.0[usize::from(from.number())]))
    }
}

/// What foster does about stops of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobControl {
    /// It stops when its child stops, and resumes with it.
    FollowChild,
    /// It stops itself after forwarding one of these (dumb-init).
    OnSignals(SignalSet),
}

/// What stops foster if it just runs a command: INT and QUIT are forwarded, because a REPL needs
/// them.
pub const INIT_STOP_REQUESTS: SignalSet = SignalSet::of(&[Signal::TERM]);

/// What stops foster if it keeps services up; an init gets PWR when the power fails.
pub const SUPERVISOR_STOP_REQUESTS: SignalSet =
    SignalSet::of(&[Signal::TERM, Signal::INT, Signal::QUIT, Signal::PWR]);

/// What also stops foster as the init of a system: Ctrl-Alt-Del comes as INT, a power failure as
/// PWR.
pub const MACHINE_STOP_REQUESTS: SignalSet =
    SignalSet::of(&[Signal::INT, Signal::TERM, Signal::PWR, Signal::USR1, Signal::USR2]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_goes_on_as_itself_until_it_is_rewritten_or_dropped() {
        let mut rewrites = Rewrites::default();
        assert_eq!(rewrites.get(Signal::RTMAX), Some(Signal::RTMAX));
        rewrites.set(Signal::TERM, Some(Signal::QUIT));
        rewrites.set(Signal::HUP, None);
        assert_eq!(rewrites.get(Signal::TERM), Some(Signal::QUIT));
        assert_eq!(rewrites.get(Signal::HUP), None);
        assert_eq!(format!("{rewrites:?}"), "{SIGHUP: None, SIGTERM: Some(SIGQUIT)}");
    }
}
