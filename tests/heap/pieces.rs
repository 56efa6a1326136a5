//! Pieces of memory, and what happens to them.

#[path = "../../src/sys/linux/heap.rs"]
mod heap;
#[path = "../../src/sys/linux/malloc.rs"]
#[allow(dead_code, reason = "nothing is to be prepared here")]
mod malloc;

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::{ptr, slice};

/// A piece that was handed out, filled with a byte.
struct Piece {
    start: *mut u8,
    layout: Layout,
    filler: u8,
}

/// All of it: with and without waiting for memory, of which there is enough.
pub fn come_and_go_twice() {
    heap::begin();
    // Miri, which looks at every access, takes a thousand times as long.
    let rounds = if cfg!(miri) { 1_000 } else { 500_000 };
    come_and_go(rounds);
    heap::wait_for_memory();
    heap::without_waiting(|| come_and_go(rounds));
    println!("{rounds} pieces came and went, twice");
    come_and_go_as_in_c(rounds);
    println!("{rounds} pieces came and went as in C");
}

/// The same by malloc(3) and related functions, which are not told a piece's layout.
fn come_and_go_as_in_c(rounds: u32) {
    let mut numbers = Numbers(11);
    let mut pieces: Vec<Piece> = Vec::new();
    for round in 0..rounds {
        let layout = numbers.layout();
        let which = numbers.below(200) as usize;
        if which >= pieces.len() {
            let start = malloc::allocate(layout.align(), layout.size());
            let mut piece = Piece { start, layout, filler: round as u8 };
            piece.fill();
            pieces.push(piece);
        } else if numbers.below(2) == 0 {
            let piece = &mut pieces[which];
            // SAFETY: the piece was handed out by `allocate` or `resize`.
            piece.start = unsafe { malloc::resize(piece.start, layout.size()) };
            let kept = piece.layout.size().min(layout.size());
            piece.layout = Layout::from_size_align(layout.size(), 16).expect("it is small");
            piece.check_front(kept);
            piece.fill();
        } else {
            let piece = pieces.swap_remove(which);
            piece.check();
            // SAFETY: as above, and it is gone from the list.
            unsafe { malloc::release(piece.start) };
        }
    }
    for piece in pieces {
        piece.check();
        // SAFETY: as above.
        unsafe { malloc::release(piece.start) };
    }
    for size in [usize::MAX, isize::MAX as usize] {
        assert!(malloc::allocate(1, size).is_null());
    }
    // SAFETY: null is nobody's, and a piece of no size may be given back like any other.
    unsafe {
        malloc::release(ptr::null_mut());
        malloc::release(malloc::resize(ptr::null_mut(), 0));
    }
}

fn come_and_go(rounds: u32) {
    let mut numbers = Numbers(7);
    let mut pieces: Vec<Piece> = Vec::new();
    for round in 0..rounds {
        let which = numbers.below(200) as usize;
        match numbers.below(3) {
            _ if which >= pieces.len() => {
                assert!(heap::push(&mut pieces, Piece::new(numbers.layout(), round as u8)));
            }
            0 => pieces.swap_remove(which).give_back(),
            1 => pieces[which].resize(numbers.layout().size()),
            _ => pieces[which].check(),
        }
    }
    pieces.into_iter().for_each(Piece::give_back);
}

impl Piece {
    fn new(layout: Layout, filler: u8) -> Piece {
        // SAFETY: no layout here is empty.
        let start = unsafe { alloc(layout) };
        let mut piece = Piece { start, layout, filler };
        piece.fill();
        piece
    }

    fn fill(&mut self) {
        assert!(!self.start.is_null() && self.start.addr().is_multiple_of(self.layout.align()));
        // SAFETY: the piece is as large as its layout.
        unsafe { self.start.write_bytes(self.filler, self.layout.size()) };
    }

    fn check(&self) {
        self.check_front(self.layout.size());
    }

    fn check_front(&self, size: usize) {
        // SAFETY: the piece is at least as large, and was filled.
        let bytes = unsafe { slice::from_raw_parts(self.start, size) };
        assert!(bytes == vec![self.filler; size], "{:?}", self.layout);
    }

    fn resize(&mut self, size: usize) {
        let kept = size.min(self.layout.size());
        // SAFETY: the piece was handed out for this layout, and the new size is not 0.
        self.start = unsafe { realloc(self.start, self.layout, size) };
        self.layout = Layout::from_size_align(size, self.layout.align()).expect("it is small");
        self.check_front(kept);
        self.fill();
    }

    fn give_back(self) {
        self.check();
        // SAFETY: the piece was handed out for this layout.
        unsafe { dealloc(self.start, self.layout) };
    }
}

/// Numbers that are random enough (xorshift), and the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// A size from 1 byte to 64 kB, small ones more often, and an alignment up to eight pages'.
    fn layout(&mut self) -> Layout {
        let most = 1 << self.below(17);
        let size = 1 + self.below(most) as usize;
        // Miri cannot give back a part of what was mapped, as an alignment over a page's takes.
        let most = if cfg!(miri) { 13 } else { 16 };
        let align = 1 << (self.below(most) * self.below(2));
        Layout::from_size_align(size, align).expect("it is small")
    }
}
