//! What stands for all that foster did.

use std::fmt::{self, Display, Write};

use foster::supervisor::Action;
use foster::time::Instant;

/// A number that stands for all that foster did and said, and when: FNV-1a over its text, which, as
/// opposed to the numbers of variants, stays when others join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Digest {
        Digest(0xcbf2_9ce4_8422_2325)
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

impl Digest {
    pub fn take_in(&mut self, at: Instant, action: &Action) {
        let _ = writeln!(self, "{} {action:?}", at.as_nanos());
    }
}

impl Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
