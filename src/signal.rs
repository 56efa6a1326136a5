//! Signals by name and by their number on Linux, without libc.
//!
//! The numbers are those of signal(7) for x86, Arm, RISC-V and most others. MIPS, SPARC and PA-RISC
//! number some signals differently and are not supported.

use std::fmt;
use std::str::FromStr;

/// A signal number, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

impl Signal {
    /// The terminal hung up, or "reload your configuration".
    pub const HUP: Signal = Signal(1);
    /// Ctrl-C.
    pub const INT: Signal = Signal(2);
    /// Ctrl-\.
    pub const QUIT: Signal = Signal(3);
    /// Kills; cannot be caught.
    pub const KILL: Signal = Signal(9);
    /// The first of two that programs use as they like.
    pub const USR1: Signal = Signal(10);
    /// The second of two that programs use as they like.
    pub const USR2: Signal = Signal(12);
    /// A write to a pipe that nobody reads.
    pub const PIPE: Signal = Signal(13);
    /// A request to end.
    pub const TERM: Signal = Signal(15);
    /// A child ended or stopped.
    pub const CHLD: Signal = Signal(17);
    /// Continue after a stop.
    pub const CONT: Signal = Signal(18);
    /// Stops; cannot be caught.
    pub const STOP: Signal = Signal(19);
    /// Ctrl-Z.
    pub const TSTP: Signal = Signal(20);
    /// A background job read from the terminal.
    pub const TTIN: Signal = Signal(21);
    /// A background job wrote to the terminal.
    pub const TTOU: Signal = Signal(22);
    /// The window size changed.
    pub const WINCH: Signal = Signal(28);
    /// Power failure.
    pub const PWR: Signal = Signal(30);
    /// The first real-time signal that programs may use: glibc reserves 32 and 33, and `kill -l`
    /// counts from here.
    pub const RTMIN: Signal = Signal(34);
    /// The last signal.
    pub const RTMAX: Signal = Signal(64);

    /// The signal with this number, if it exists.
    #[must_use]
    pub fn new(number: i32) -> Option<Signal> {
        u8::try_from(number).ok().filter(|n| (1..=64).contains(n)).map(Signal)
    }

    /// Its number, 1 to 64.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Whether it is queued with a value, instead of being a bit that is set or not.
    #[must_use]
    pub const fn is_real_time(self) -> bool {
        self.0 >= 32
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match names().nth(usize::from(self.0) - 1) {
            Some(name) => write!(f, "SIG{name}"),
            None if *self == Signal::RTMIN => f.write_str("SIGRTMIN"),
            None if *self == Signal::RTMAX => f.write_str("SIGRTMAX"),
            None if *self > Signal::RTMIN => write!(f, "SIGRTMIN+{}", self.0 - Signal::RTMIN.0),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error for a word that is not the name of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSignal;

impl FromStr for Signal {
    type Err = UnknownSignal;

    /// Reads `TERM`, `SIGTERM`, `15`, `RTMIN+3` or `RTMAX-1`, in upper or lower case.
    fn from_str(text: &str) -> Result<Signal, UnknownSignal> {
        if let Some(number) = decimal(text) {
            return i32::try_from(number).ok().and_then(Signal::new).ok_or(UnknownSignal);
        }
        let name = strip_sig(text);
        if let Some(index) = names().position(|known| known.eq_ignore_ascii_case(name)) {
            return Ok(Signal(index as u8 + 1));
        }
        if let Some((_, signal)) =
            ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name))
        {
            return Ok(*signal);
        }
        let (base, offset) = name.split_at_checked("RTMIN".len()).ok_or(UnknownSignal)?;
        let base = match base {
            _ if base.eq_ignore_ascii_case("RTMIN") => Signal::RTMIN,
            _ if base.eq_ignore_ascii_case("RTMAX") => Signal::RTMAX,
            _ => return Err(UnknownSignal),
        };
        let (plus, minus) = (offset.strip_prefix('+'), offset.strip_prefix('-'));
        let offset = match plus.or(minus) {
            None if offset.is_empty() => 0,
            None => return Err(UnknownSignal),
            Some(digits) => {
                decimal(digits).filter(|offset| *offset < 64).ok_or(UnknownSignal)? as i32
            }
        };
        let number = i32::from(base.0) + if minus.is_some() { -offset } else { offset };
        Signal::new(number).filter(|signal| *signal >= Signal::RTMIN).ok_or(UnknownSignal)
    }
}

/// A signal's name without `SIG`, in upper or lower case.
pub(crate) fn strip_sig(name: &str) -> &str {
    match name.split_at_checked(3) {
        Some((sig, rest)) if sig.eq_ignore_ascii_case("SIG") => rest,
        Some(_) | None => name,
    }
}

/// A number that consists of digits only: `parse` would accept a plus sign.
pub(crate) fn decimal(text: &str) -> Option<u32> {
    let add = |number: u32, digit: u32| number.checked_mul(10)?.checked_add(digit);
    let mut digits = text.chars().map(|letter| letter.to_digit(10)).peekable();
    digits.peek()?;
    digits.try_fold(0, |number, digit| add(number, digit?))
}

/// A set of signals as in the kernel: one bit per number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(u64);

impl SignalSet {
    /// No signal.
    pub const EMPTY: SignalSet = SignalSet(0);

    /// The set of these signals.
    #[must_use]
    pub const fn of(signals: &[Signal]) -> SignalSet {
        let mut bits = 0;
        let mut index = 0;
        while index < signals.len() {
            bits |= 1 << (signals[index].0 - 1);
            index += 1;
        }
        SignalSet(bits)
    }

    /// Whether the signal is in the set.
    #[must_use]
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & (1 << (signal.0 - 1)) != 0
    }

    /// The signals that are in either of two sets.
    #[must_use]
    pub const fn union(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 | other.0)
    }

    /// The signals of this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: SignalSet) -> SignalSet {
        SignalSet(self.0 & !other.0)
    }

    /// Adds a signal.
    pub const fn insert(&mut self, signal: Signal) {
        self.0 |= 1 << (signal.0 - 1);
    }

    /// Removes a signal, and says whether it was there.
    pub const fn remove(&mut self, signal: Signal) -> bool {
        let was_in = self.contains(signal);
        self.0 &= !(1 << (signal.0 - 1));
        was_in
    }
}

/// The names of 1 to 31, without `SIG`.
fn names() -> impl Iterator<Item = &'static str> {
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP \
     TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
        .split(' ')
}

/// Other names of some of them.
const ALIASES: [(&str, Signal); 3] =
    [("IOT", Signal(6)), ("CLD", Signal::CHLD), ("POLL", Signal(29))];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_read_by_name_prefix_number_and_real_time_offset() {
        for (text, number) in [
            ("TERM", 15),
            ("SIGTERM", 15),
            ("sigterm", 15),
            ("15", 15),
            ("RTMIN", 34),
            ("RTMIN+3", 37),
            ("SIGRTMAX-1", 63),
            ("IOT", 6),
            ("SYS", 31),
            ("64", 64),
        ] {
            assert_eq!(text.parse::<Signal>().map(Signal::number), Ok(number), "{text}");
        }
    }

    #[test]
    fn what_names_no_signal_is_refused() {
        for text in [
            "",
            "0",
            "65",
            "-1",
            "+15",
            "TERMS",
            "SIG",
            "RTMIN+",
            "RTMIN+31",
            "RTMAX+1",
            "RTMIN-1",
            "RTMIN+-1",
            "RTMIN3",
            "SIGSIGTERM",
            "99999999999",
            "RTMIN+0x1",
            "TERM ",
        ] {
            assert_eq!(text.parse::<Signal>(), Err(UnknownSignal), "{text:?}");
        }
    }

    #[test]
    fn every_signal_is_read_back_from_how_it_prints() {
        for number in (1..=64).filter(|n| !(32..34).contains(n)) {
            let signal = Signal::new(number).expect("1 to 64 are signals");
            assert_eq!(signal.to_string().parse(), Ok(signal));
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let mut set = SignalSet::of(&[Signal::HUP, Signal::RTMAX]);
        assert!(set.contains(Signal::HUP) && set.contains(Signal::RTMAX));
        assert!(!set.contains(Signal::INT));
        assert!(set.remove(Signal::HUP) && !set.remove(Signal::HUP));
        set.insert(Signal::INT);
        assert_eq!(set, SignalSet::of(&[Signal::INT, Signal::RTMAX]));
    }
}
