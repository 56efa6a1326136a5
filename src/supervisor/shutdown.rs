//! The stop of foster as a whole: who asked for it, how hard, and the code it ends with.

use crate::config::Stop;
use crate::signal::Signal;

/// How far the stop of foster has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shutdown {
    phase: Phase,
    /// How many SIGINTs asked for it; the second one kills.
    interrupts: u32,
    /// The code of the first service that failed.
    code: Option<u32>,
    /// Whether that code is of a service that gave up, which nothing replaces.
    gave_up: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nobody asked.
    #[default]
    Running,
    /// Services get this signal, unless they have a stop signal of their own, and then some time.
    Stopping(Signal),
    /// Services get SIGKILL.
    Killing(Signal),
}

/// What a request to stop leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// The stop begins.
    Begin,
    /// It continues; the signal is forwarded again.
    Repeat,
    /// Somebody pressed Ctrl-C twice, so services are killed.
    Kill,
}

impl Shutdown {
    /// Handles a request to stop, made by `signal`, which is forwarded as `sent`.
    pub(super) fn request(&mut self, signal: Option<Signal>, sent: Signal) -> Request {
        self.interrupts += u32::from(signal == Some(Signal::INT));
        match self.phase {
            Phase::Running => {
                self.phase = Phase::Stopping(sent);
                Request::Begin
            }
            Phase::Stopping(sent) if signal == Some(Signal::INT) && self.interrupts >= 2 => {
                self.phase = Phase::Killing(sent);
                Request::Kill
            }
            Phase::Stopping(_) | Phase::Killing(_) => Request::Repeat,
        }
    }

    /// Whether a stop was asked for.
    pub(super) fn is_requested(&self) -> bool {
        self.phase != Phase::Running
    }

    /// Whether services get no more time.
    pub(super) fn is_killing(&self) -> bool {
        matches!(self.phase, Phase::Killing(_))
    }

    /// How many more SIGINTs kill all services; none if they are being killed.
    pub(super) fn interrupts_to_kill(&self) -> Option<u32> {
        match self.phase {
            Phase::Running | Phase::Stopping(_) => {
                Some(2_u32.saturating_sub(self.interrupts).max(1))
            }
            Phase::Killing(_) => None,
        }
    }

    /// The stop signal of a service with these settings.
    pub(super) fn signal(&self, stop: &Stop) -> Signal {
        match self.phase {
            Phase::Running => stop.unasked(),
            Phase::Stopping(signal) | Phase::Killing(signal) => stop.signal.unwrap_or(signal),
        }
    }

    /// Records the code of a service that is down for good.
    pub(super) fn conclude(&mut self, code: u32) {
        if code != 0 {
            self.code.get_or_insert(code);
        }
    }

    /// Records the code of a service that gave up: foster ends with it.
    pub(super) fn give_up(&mut self, code: u32) {
        if !self.gave_up {
            self.gave_up = true;
            self.code = Some(code);
        }
    }

    /// The code that foster ends with.
    pub(super) fn code(&self) -> u32 {
        self.code.unwrap_or(0)
    }
}
