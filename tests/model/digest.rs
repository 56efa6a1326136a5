//! What stands for all that foster did.

use std::fmt::{self, Display, Write};

use foster::supervisor::Action;
use foster::time::Instant;

/// Two numbers that stand for all that foster did and all that it reported, and when: FNV-1a over
/// their texts, which, as opposed to the numbers of variants, stays when others join. They are apart
/// because only the order among actions and that among reports matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    actions: Number,
    reports: Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number(u64);

impl Default for Number {
    fn default() -> Number {
        Number(0xcbf2_9ce4_8422_2325)
    }
}

impl Write for Number {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

impl Digest {
    pub fn take_in(&mut self, at: Instant, action: &Action) {
        let number = match action {
            Action::Report(_) => &mut self.reports,
            _ => &mut self.actions,
        };
        let _ = writeln!(number, "{} {action:?}", at.as_nanos());
    }

    /// Takes in what became of a whole world.
    pub fn add(&mut self, other: Digest, ended: Option<u32>) {
        let _ = write!(self.actions, "{} {ended:?}", other.actions.0);
        let _ = write!(self.reports, "{}", other.reports.0);
    }
}

impl Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}", self.actions.0, self.reports.0)
    }
}
