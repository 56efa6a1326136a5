//! The sources that foster waits for, and which of them may have more to give.
//!
//! mio reports a source when something is new about it, and only then (epoll(7), edge-triggered). So a
//! source that used up what one turn takes of it has to be remembered: it gets its next turn even if
//! nothing is new. In a turn each ready source is visited once, in the order of its key, so that none
//! waits for another to run dry.
//!
//! This knows nothing of what a source gives, and reads nothing.

use std::mem;

use mio::{Events, Token};

/// The name of a source: what it gives, and which one of that kind it is. It is a number, so that it
/// is mio's token too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(usize);

/// What a source gives. A turn visits the kinds in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Signals,
    Timer,
    /// The end of foster's own parent.
    Parent,
}

impl Key {
    pub const SIGNALS: Key = Key::new(Kind::Signals, 0);
    pub const TIMER: Key = Key::new(Kind::Timer, 0);
    pub const PARENT: Key = Key::new(Kind::Parent, 0);

    /// The key of a source. Its index has 24 bits.
    pub const fn new(kind: Kind, index: u32) -> Key {
        Key((kind as usize) << INDEX_BITS | index as usize)
    }

    pub fn kind(self) -> Kind {
        match self.0 >> INDEX_BITS {
            0 => Kind::Signals,
            1 => Kind::Timer,
            _ => Kind::Parent,
        }
    }

    pub fn token(self) -> Token {
        Token(self.0)
    }
}

/// A token has only 32 bits on some machines.
const INDEX_BITS: u32 = 24;

/// All sources, in order of key.
pub struct Sources(Vec<Source>);

struct Source {
    key: Key,
    /// Whether it may have something to give.
    is_ready: bool,
}

impl Sources {
    /// Signals and the timer, and room for so many more.
    pub fn new(room: usize) -> Sources {
        let mut sources = Vec::with_capacity(2 + room);
        for key in [Key::SIGNALS, Key::TIMER] {
            sources.push(Source { key, is_ready: false });
        }
        Sources(sources)
    }

    /// Adds a source, which is ready once mio reports it. Returns whether there was room for it. A
    /// source that is already known stays as it is.
    pub fn add(&mut self, key: Key) -> bool {
        let Err(place) = self.place(key) else { return true };
        let has_room = self.0.len() < self.0.capacity();
        if has_room {
            self.0.insert(place, Source { key, is_ready: false });
        }
        has_room
    }

    /// Removes a source. Whatever mio still reports of it is ignored.
    pub fn remove(&mut self, key: Key) {
        if let Ok(place) = self.place(key) {
            self.0.remove(place);
        }
    }

    /// Marks the sources that mio reports as ready.
    pub fn take_in(&mut self, events: &Events) {
        for event in events {
            self.keep(Key(event.token().0));
        }
    }

    /// Marks a source as ready again: it had its turn, and may have more.
    pub fn keep(&mut self, key: Key) {
        self.set(key, true);
    }

    /// Clears the mark of a source. Returns whether it was ready.
    pub fn take(&mut self, key: Key) -> bool {
        self.set(key, false)
    }

    /// The first ready source behind `last` in the order of keys. Clears its mark.
    pub fn next(&mut self, last: Option<Key>) -> Option<Key> {
        let is_next = |source: &&mut Source| source.is_ready && Some(source.key) > last;
        let next = self.0.iter_mut().find(is_next)?;
        next.is_ready = false;
        Some(next.key)
    }

    /// Whether any source is ready.
    pub fn any_ready(&self) -> bool {
        self.0.iter().any(|source| source.is_ready)
    }

    /// Returns whether the source was ready before.
    fn set(&mut self, key: Key, is_ready: bool) -> bool {
        let place = self.place(key);
        place.is_ok_and(|place| mem::replace(&mut self.0[place].is_ready, is_ready))
    }

    fn place(&self, key: Key) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |source| source.key)
    }
}
