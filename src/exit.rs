//! How a process or a system ended, and foster's own exit codes.

use std::fmt;

use crate::signal::{Signal, SignalSet};

/// foster itself failed, or was called wrongly (as in env(1) and timeout(1)).
pub const OWN_FAILURE: u32 = 125;
/// The command was found but cannot be run (POSIX shells: XCU 2.8.2).
pub const CANNOT_RUN: u32 = 126;
/// The command was not found (POSIX shells: XCU 2.8.2).
pub const NOT_FOUND: u32 = 127;

/// The code of a process on Windows that Ctrl-C or Ctrl-Break ended (`STATUS_CONTROL_C_EXIT`). No
/// process on Linux can end with it.
const CONTROL_C_EXIT: u32 = 0xC000_013A;

/// How a process ended. Code and signal stay apart until the program's last line, where
/// [`ExitStatus::code`] combines them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitStatus {
    /// It exited: 0 to 255 on Linux, any 32 bits on Windows.
    Code(u32),
    /// A signal killed it.
    Signal(Signal),
}

impl ExitStatus {
    /// The number that a shell would show: the code, or 128+n for signal n.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            ExitStatus::Code(code) => code,
            ExitStatus::Signal(signal) => 128 + u32::from(signal.number()),
        }
    }

    /// Whether one of these signals ended it. It may have died of it, or returned the 128+n by
    /// which a shell reports that; or a console event ended it, which is what any signal becomes on
    /// Windows.
    #[must_use]
    pub fn is_death_by(self, signals: SignalSet) -> bool {
        let number = self.code().checked_sub(128).and_then(|number| number.try_into().ok());
        number.and_then(Signal::new).is_some_and(|signal| signals.contains(signal))
            || self == ExitStatus::Code(CONTROL_C_EXIT)
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Windows reports crashes by codes that people know in hexadecimal.
            ExitStatus::Code(code @ 0x8000_0000..) => write!(f, "exited with status {code:#010X}"),
            ExitStatus::Code(code) => write!(f, "exited with status {code}"),
            ExitStatus::Signal(signal) => write!(f, "was killed by {signal}"),
        }
    }
}

/// How a whole system ends, where foster is its init (reboot(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MachineEnd {
    /// Power off.
    PowerOff,
    /// Reboot.
    Reboot,
    /// Halt, with power on and the last lines on the screen.
    Halt,
}

impl fmt::Display for MachineEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MachineEnd::PowerOff => "powering off",
            MachineEnd::Reboot => "rebooting",
            MachineEnd::Halt => "halting",
        })
    }
}

/// The codes that count as success. 0 always does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Success {
    more: Vec<u32>,
}

impl Success {
    /// Makes this code count as success. For a signal, give 128+n.
    pub fn insert(&mut self, code: u32) {
        if !self.contains(code) {
            self.more.push(code);
        }
    }

    /// Whether this code, from [`ExitStatus::code`], counts as success.
    #[must_use]
    pub fn contains(&self, code: u32) -> bool {
        code == 0 || self.more.contains(&code)
    }

    /// The code that foster ends with for it: 0 for a success.
    #[must_use]
    pub fn fold(&self, code: u32) -> u32 {
        if self.contains(code) { 0 } else { code }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_by_signal_is_128_and_its_number() {
        assert_eq!(ExitStatus::Signal(Signal::TERM).code(), 143);
        assert_eq!(ExitStatus::Code(3).code(), 3);
        let set = SignalSet::of(&[Signal::TERM, Signal::RTMAX]);
        for status in [ExitStatus::Code(143), ExitStatus::Signal(Signal::TERM)] {
            assert!(status.is_death_by(set));
            assert!(!status.is_death_by(SignalSet::of(&[Signal::KILL])));
        }
        assert!(ExitStatus::Code(192).is_death_by(set));
        for code in [0, 15, 127, 128, 137, 193, 255] {
            assert!(!ExitStatus::Code(code).is_death_by(set), "{code}");
        }
    }

    #[test]
    fn a_console_event_is_what_any_signal_becomes_on_windows() {
        let status = ExitStatus::Code(0xC000_013A);
        assert!(status.is_death_by(SignalSet::of(&[Signal::TERM])));
        assert_eq!(status.code(), 3_221_225_786);
        assert_eq!(status.to_string(), "exited with status 0xC000013A");
        assert_eq!(ExitStatus::Code(255).to_string(), "exited with status 255");
    }

    #[test]
    fn zero_is_always_success_and_others_only_when_added() {
        let mut success = Success::default();
        assert!(success.contains(0) && !success.contains(143));
        success.insert(143);
        assert_eq!((success.fold(143), success.fold(144)), (0, 144));
    }
}
