//! What one survey may spend on what others make long or slow.

use foster::supervisor::Event;

use super::heap;

/// What is left to spend, and whether it was enough so far.
pub struct Budget {
    /// How much of all environments may still be read.
    pub bytes: usize,
    /// How often a process that is executing a program may still be looked at again.
    pub looks: u32,
    /// Whether there was memory for all that was to be told.
    told_all: bool,
    /// The same of what concerns held groups.
    told_held: bool,
}

impl Budget {
    pub fn new() -> Budget {
        Budget { bytes: MOST_OF_ALL, looks: MOST_LOOKS, told_all: true, told_held: true }
    }

    /// Whether it was too little.
    pub fn is_spent(&self) -> bool {
        self.bytes == 0 || !self.told_all
    }

    /// Tells of something, if there is memory for it: of one that is in a held group, or not.
    pub fn tell(&mut self, events: &mut Vec<Event>, event: Event, is_held: bool) {
        let told = heap::push(events, event);
        self.told_all &= told;
        self.told_held &= told || !is_held;
    }

    /// Whether there was memory for all in held groups.
    pub fn has_told_held(&self) -> bool {
        self.told_held
    }
}

/// The most that is read of all environments in one survey.
const MOST_OF_ALL: usize = 1 << 23;

/// How often one survey looks again at processes that are executing a program.
const MOST_LOOKS: u32 = 1000;
