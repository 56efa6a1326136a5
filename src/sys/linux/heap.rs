//! The heap: an allocator for one thread that touches as few pages as possible.
//!
//! foster allocates while it reads its command line and hardly ever again, as its tests check; what
//! counts is the number of pages touched. A C library's allocator touches dozens. This one takes
//! memory front to back from a piece that is part of the program, then from larger ones of the
//! kernel's, and keeps freed memory in lists by size.
//!
//! Once running, foster waits for memory instead of dying: the end of an init takes everything else
//! with it. The piece in the program lets it handle a thousand processes without more.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::{self, null_mut};
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::libc;

#[cfg_attr(own_heap, global_allocator)]
static HEAP: Heap = Heap {
    state: UnsafeCell::new(State {
        next: null_mut(),
        left: 0,
        free: [null_mut(); CLASSES],
        waits: false,
    }),
    first: UnsafeCell::new(First([0; FIRST])),
};

/// The number of allocations, in a build for tests: tests/system reads it by its name.
#[cfg(debug_assertions)]
#[unsafe(no_mangle)]
static FOSTER_ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The allocator, with the fields in use first.
#[repr(C)]
struct Heap {
    state: UnsafeCell<State>,
    /// The first piece of memory, separate from the fields that are borrowed to use it.
    first: UnsafeCell<First>,
}

// SAFETY: foster has one thread, and its signal handler does not allocate. A child shares this
// memory until its exec, and does not allocate either.
unsafe impl Sync for Heap {}

struct State {
    /// Where the free part of the current piece begins, and its size.
    next: *mut u8,
    left: usize,
    /// Freed pieces by class: each begins with the address of the next.
    free: [*mut u8; CLASSES],
    /// Whether to wait if the kernel has no memory.
    waits: bool,
}

/// Memory aligned like the smallest piece, and so like all of them.
#[repr(align(16))]
struct First(#[expect(dead_code, reason = "it is only pointed into")] [u8; FIRST]);

// SAFETY: allocated memory is aligned, of the requested size, and nobody else's until it is freed:
// each piece is either behind `next` and not yet allocated, or allocated, or in the list of its
// class.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        #[cfg(debug_assertions)]
        FOSTER_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: there is one thread, and nothing in here calls anything that allocates.
        let state = unsafe { &mut *self.state.get() };
        let Some(class) = class_of(layout) else { return state.map(layout) };
        let piece = state.free[class];
        if piece.is_null() {
            return state.take(size_of_class(class), self.first.get().cast());
        }
        // SAFETY: a piece in a list begins with the address of the next.
        state.free[class] = unsafe { piece.cast::<*mut u8>().read() };
        piece
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`; it allocated the piece for this layout.
        unsafe {
            let state = &mut *self.state.get();
            match class_of(layout) {
                Some(class) => {
                    piece.cast::<*mut u8>().write(state.free[class]);
                    state.free[class] = piece;
                }
                None => {
                    libc::munmap(piece.cast(), layout.size());
                }
            }
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller guarantees that alignment and size make a layout; no more is copied
        // than fits in both pieces.
        unsafe {
            let new = Layout::from_size_align_unchecked(size, layout.align());
            if class_of(layout).is_some() && class_of(layout) == class_of(new) {
                return piece;
            }
            let moved = self.alloc(new);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(piece, moved, layout.size().min(size));
                self.dealloc(piece, layout);
            }
            moved
        }
    }
}

impl State {
    /// Takes memory from the front of the current piece, or of a new one.
    fn take(&mut self, size: usize, first: *mut u8) -> *mut u8 {
        if self.next.is_null() {
            (self.next, self.left) = (first, FIRST);
        }
        if self.left < size {
            let piece = self.map(PIECE_LAYOUT);
            if piece.is_null() {
                return piece;
            }
            (self.next, self.left) = (piece, PIECE);
        }
        let taken = self.next;
        self.left -= size;
        // It is at most the end of the piece.
        self.next = taken.wrapping_add(size);
        taken
    }

    /// Memory from the kernel, or null if it has none and foster does not wait for it.
    fn map(&self, layout: Layout) -> *mut u8 {
        loop {
            let memory = map(layout);
            if !memory.is_null() || !self.waits {
                return memory;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Writes to the first page of the heap: reading it first and writing later would cost two page
/// faults instead of one.
pub fn begin() {
    // SAFETY: there is one thread, and it is not in the heap; nothing is waited for yet.
    unsafe { (&raw mut (*HEAP.state.get()).waits).write_volatile(false) };
}

/// From here on, allocations always succeed, though they may have to wait. Before, the start fails
/// without memory.
pub fn wait_for_memory() {
    wait_for_memory_if(true);
}

/// Does something that can do without memory.
pub fn without_waiting<T>(action: impl FnOnce() -> T) -> T {
    let before = wait_for_memory_if(false);
    let result = action();
    wait_for_memory_if(before);
    result
}

/// Adds something to the end of a list, if there is memory for that and for one more without
/// waiting; says whether there was.
pub fn push<T>(list: &mut Vec<T>, item: T) -> bool {
    let has_room =
        list.capacity() - list.len() > 1 || without_waiting(|| list.try_reserve(2)).is_ok();
    if has_room {
        list.push(item);
    }
    has_room
}

fn wait_for_memory_if(waits: bool) -> bool {
    // SAFETY: there is one thread, and it is not in the heap.
    unsafe { std::mem::replace(&mut (*HEAP.state.get()).waits, waits) }
}

/// The class of a layout. None for layouts that the kernel serves directly.
fn class_of(layout: Layout) -> Option<usize> {
    if layout.align() > SMALLEST {
        return None;
    }
    // The number of smallest pieces in it, minus one.
    let more = layout.size().saturating_sub(1) / SMALLEST;
    let class = match more.checked_ilog2() {
        Some(log @ 1..) => 2 * log as usize + (more >> (log - 1) & 1),
        _ => more,
    };
    (class < CLASSES).then_some(class)
}

/// The size of a class's pieces: 1, 2, 3, 4, 6, 8, 12, 16... of the smallest. So less than a third
/// of a piece is wasted, except in the smallest class.
const fn size_of_class(class: usize) -> usize {
    let double = if class.is_multiple_of(2) { 3 } else { 4 };
    SMALLEST * ((double << (class / 2)) / 2)
}

/// Memory from the kernel, or null.
fn map(layout: Layout) -> *mut u8 {
    // Mappings are aligned to pages; for more, there has to be room to choose from.
    let slack = layout.align().saturating_sub(PAGE);
    let Some(size) = layout.size().checked_add(slack) else { return null_mut() };
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: it requests new memory.
    let memory = unsafe { libc::mmap(null_mut(), size, protection, flags, -1, 0) };
    if memory == libc::MAP_FAILED {
        return null_mut();
    }
    let memory: *mut u8 = memory.cast();
    if slack == 0 {
        return memory;
    }
    let before = memory.align_offset(layout.align());
    let piece = memory.wrapping_add(before);
    let used = before + layout.size().next_multiple_of(PAGE);
    // SAFETY: both parts were just mapped, and nobody uses them.
    unsafe {
        if before > 0 {
            libc::munmap(memory.cast(), before);
        }
        if used < size {
            libc::munmap(memory.wrapping_add(used).cast(), size - used);
        }
    }
    piece
}

/// The smallest page size of any architecture.
const PAGE: usize = 4096;

/// The smallest piece, and the alignment of all.
const SMALLEST: usize = 16;

/// The number of classes: up to 64 kB.
const CLASSES: usize = 24;

/// The size of the first piece; unused pages of it cost nothing.
const FIRST: usize = 256 * 1024;

/// The size of further pieces, that of the largest class.
const PIECE: usize = size_of_class(CLASSES - 1);

const PIECE_LAYOUT: Layout = Layout::new::<[u8; PIECE]>();

/// How long to wait before the kernel is asked for memory again.
const PAUSE: Duration = Duration::from_millis(10);
