//! foster's sources (src/sys/linux/source.rs) on real pipes: none starves another, and none that has
//! more to give is forgotten, even though mio reports it only once.
#![cfg(target_os = "linux")]

#[path = "../support/dice.rs"]
#[allow(dead_code, reason = "the harness has use for all of it")]
mod dice;
#[path = "../../src/sys/linux/source.rs"]
#[allow(dead_code, reason = "as above")]
mod source;

use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll};
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use dice::Dice;
use source::{Key, Kind, Sources};

/// A loop over pipes, of which one turn reads so much and no more.
struct Turns {
    poll: Poll,
    events: Events,
    sources: Sources,
    pipes: Vec<Option<(PipeReader, PipeWriter)>>,
}

/// What one turn reads of one pipe.
const BUDGET: usize = 64;

/// How many events one poll gives.
const AT_ONCE: usize = 8;

impl Turns {
    fn new(pipes: usize) -> Turns {
        let mut turns = Turns {
            poll: Poll::new().expect("a queue"),
            events: Events::with_capacity(AT_ONCE),
            sources: Sources::new(pipes),
            pipes: (0..pipes).map(|_| Some(pipe().expect("a pipe"))).collect(),
        };
        for index in 0..pipes {
            let descriptor = turns.descriptor(index);
            let reader = &turns.pipes[index].as_ref().expect("it is open").0;
            fcntl(reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a flag");
            let (mut source, token) = (SourceFd(&descriptor), key(index).token());
            let registry = turns.poll.registry();
            registry.register(&mut source, token, Interest::READABLE).expect("a place");
            assert!(turns.sources.add(key(index)));
        }
        turns
    }

    fn descriptor(&self, index: usize) -> RawFd {
        self.pipes[index].as_ref().expect("it is open").0.as_raw_fd()
    }

    fn write(&mut self, index: usize, length: usize) {
        let (_, writer) = self.pipes[index].as_mut().expect("it is open");
        writer.write_all(&vec![0; length]).expect("there is room");
    }

    /// Takes in what is new; says how many events that were.
    fn poll(&mut self) -> usize {
        self.poll.poll(&mut self.events, Some(Duration::ZERO)).expect("it polls");
        self.sources.take_in(&self.events);
        self.events.iter().count()
    }

    fn close(&mut self, index: usize) {
        let descriptor = self.descriptor(index);
        self.poll.registry().deregister(&mut SourceFd(&descriptor)).expect("it was there");
        self.sources.remove(key(index));
        self.pipes[index] = None;
    }

    /// Reads what one turn may of one pipe; says how much that was.
    fn read(&mut self, index: usize) -> usize {
        let (reader, _) = self.pipes[index].as_mut().expect("nobody touches one that is closed");
        match reader.read(&mut [0; BUDGET]) {
            Ok(length) => {
                if length == BUDGET {
                    self.sources.keep(key(index));
                }
                length
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                0
            }
        }
    }

    /// One turn: what was read, of which.
    fn turn(&mut self) -> Vec<(usize, usize)> {
        self.poll();
        let (mut last, mut read) = (None, Vec::new());
        while let Some(key) = self.sources.next(last) {
            last = Some(key);
            read.push((index(key), self.read(index(key))));
        }
        read
    }
}

fn key(index: usize) -> Key {
    Key::new(Kind::Parent, index as u32)
}

fn index(key: Key) -> usize {
    assert_eq!(key.kind(), Kind::Parent);
    key.token().0 - self::key(0).token().0
}

#[test]
fn a_turn_takes_what_it_may_of_a_source_and_the_next_goes_on_though_nothing_is_new() {
    let mut turns = Turns::new(2);
    turns.write(0, 3 * BUDGET);
    assert_eq!(turns.turn(), [(0, BUDGET)]);
    for _ in 0..2 {
        assert!(turns.sources.any_ready());
        assert_eq!(turns.poll(), 0, "this would be no test of what is remembered");
        assert_eq!(turns.turn(), [(0, BUDGET)]);
    }
    // Nobody could know that this was all.
    assert_eq!(turns.turn(), [(0, 0)]);
    assert!(!turns.sources.any_ready());
    assert_eq!(turns.turn(), []);
}

#[test]
fn one_that_never_ends_keeps_no_other_waiting() {
    let mut turns = Turns::new(3);
    turns.write(0, 8 * BUDGET);
    turns.write(1, 8 * BUDGET);
    for _ in 0..100 {
        turns.write(0, BUDGET);
        turns.write(2, 1);
        let read = turns.turn();
        assert_eq!(read.first(), Some(&(0, BUDGET)));
        assert_eq!(read.last(), Some(&(2, 1)));
    }
}

#[test]
fn of_a_hundred_in_any_order_none_waits_longer_than_the_events_of_all_take() {
    let (count, mut dice) = (100, Dice::new(15));
    let mut turns = Turns::new(count);
    let mut unread = vec![0_usize; count];
    let mut waits = vec![0_usize; count];
    for round in 0..2000 {
        for _ in 0..dice.between(0, 60) {
            let index = dice.between(0, count as u64 - 1) as usize;
            let length = dice.pick(&[1, BUDGET - 1, BUDGET, 5 * BUDGET]);
            if unread[index] < 100 * BUDGET {
                turns.write(index, length);
                unread[index] += length;
            }
        }
        let read = turns.turn();
        assert!(read.is_sorted_by(|one, other| one.0 < other.0), "each once: {read:?}");
        for (index, length) in &read {
            assert!(*length <= BUDGET);
            unread[*index] -= length;
        }
        for index in 0..count {
            let had_turn = read.iter().any(|(other, _)| *other == index);
            waits[index] = if had_turn || unread[index] == 0 { 0 } else { waits[index] + 1 };
            assert!(waits[index] <= count / AT_ONCE + 1, "{index} starves in round {round}");
        }
    }
    // Whatever is left is read, and nothing more.
    while unread.iter().any(|left| *left > 0) {
        let read = turns.turn();
        assert!(!read.is_empty(), "forgotten: {unread:?}");
        read.iter().for_each(|(index, length)| unread[*index] -= length);
    }
}

#[test]
fn one_that_is_closed_in_the_midst_of_a_turn_is_not_touched_in_it() {
    let mut turns = Turns::new(4);
    (0..4).for_each(|index| turns.write(index, 2 * BUDGET));
    turns.poll();
    assert_eq!(turns.sources.next(None), Some(key(0)));
    turns.close(1);
    // The one at hand, too, may be the one that is closed.
    assert_eq!(turns.sources.next(Some(key(0))), Some(key(2)));
    turns.close(2);
    turns.sources.keep(key(2));
    assert_eq!(turns.sources.next(Some(key(2))), Some(key(3)));
    assert_eq!(turns.sources.next(Some(key(3))), None);
    assert_eq!(turns.turn(), []);
}

#[test]
fn what_mio_still_tells_of_one_that_is_gone_is_nobodys() {
    let mut turns = Turns::new(2);
    turns.write(0, 1);
    turns.write(1, 1);
    turns.poll.poll(&mut turns.events, Some(Duration::ZERO)).expect("it polls");
    assert_eq!(turns.events.iter().count(), 2);
    turns.close(0);
    turns.sources.take_in(&turns.events);
    assert_eq!(turns.turn(), [(1, 1)]);
}

#[test]
fn a_key_is_a_token_and_kinds_come_in_their_order() {
    let keys = [Key::SIGNALS, Key::TIMER, key(0), key(1), key((1 << 24) - 1)];
    assert!(keys.is_sorted_by(|one, other| one < other && one.token() < other.token()));
    let kinds = [Kind::Signals, Kind::Timer, Kind::Parent, Kind::Parent, Kind::Parent];
    assert_eq!(keys.map(Key::kind), kinds);
    let mut sources = Sources::new(2);
    assert!(sources.add(key(7)) && sources.add(key(3)) && sources.add(key(7)));
    assert!(!sources.add(key(5)), "there is no room for more");
    for key in [key(7), key(3), Key::TIMER, Key::SIGNALS] {
        sources.keep(key);
    }
    assert!(sources.take(Key::TIMER) && !sources.take(Key::TIMER));
    let mut order = Vec::new();
    while let Some(key) = sources.next(order.last().copied()) {
        order.push(key);
    }
    assert_eq!(order, [Key::SIGNALS, key(3), key(7)]);
}
