//! The heap: memory for one thread, in as few pages as can be.
//!
//! foster allocates while it reads its command line and then never again, or so its tests say; what
//! counts is how many pages it touches. A C library's allocator touches dozens. This one hands out
//! memory front to back from a piece that is part of the program, and from larger ones of the
//! kernel's when that is used up, and keeps what is given back in lists by size.
//!
//! Where the kernel has none, foster waits until it has, once it runs: an init that ends takes all
//! else with it. The piece in the program lets it see to a thousand processes without any.

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

/// How often memory was asked for, in a build that is tested: tests/system reads it by its name.
#[cfg(debug_assertions)]
#[unsafe(no_mangle)]
static FOSTER_ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The allocator: what is used of it stands in front.
#[repr(C)]
struct Heap {
    state: UnsafeCell<State>,
    /// The first piece that memory is taken from, apart from what is borrowed to take it.
    first: UnsafeCell<First>,
}

// SAFETY: foster has one thread, and its signal handler does not allocate. A child shares this
// memory until it executes its command, and does not allocate either.
unsafe impl Sync for Heap {}

struct State {
    /// Where the piece that memory is taken from goes on, and how much of it is left.
    next: *mut u8,
    left: usize,
    /// Pieces that were given back, by class: each begins with the address of the next.
    free: [*mut u8; CLASSES],
    /// Whether to wait where the kernel has no memory.
    waits: bool,
}

/// Memory that begins where the smallest piece may: so all pieces do.
#[repr(align(16))]
struct First(#[expect(dead_code, reason = "it is only pointed into")] [u8; FIRST]);

// SAFETY: what is handed out is aligned, of the size asked for, and nobody else's until it is
// given back: each piece is either behind `next` and not handed out, or handed out, or in the
// list of its class.
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
        // SAFETY: as in `alloc`; the piece was handed out by it for this layout.
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
        // SAFETY: the caller says that alignment and size make a layout; the piece is copied as
        // far as both sizes go.
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
    /// Takes memory off the front of the current piece, or of a new one.
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

    /// Memory from the kernel, or null where it has none and nobody waits for it.
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

/// Makes the page in which the heap begins foster's own: whoever reads it first and then writes has
/// two page faults for one.
pub fn begin() {
    // SAFETY: there is one thread, and it is not in the heap; it waits for nothing yet.
    unsafe { (&raw mut (*HEAP.state.get()).waits).write_volatile(false) };
}

/// From here on there is always memory, though it may take a while; before, the start fails
/// without it.
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

/// Puts something at the end of a list, if there is memory for that and for one more, for which nobody
/// waits; says whether there was.
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

/// Which list a layout belongs to; none for what the kernel gives directly.
fn class_of(layout: Layout) -> Option<usize> {
    if layout.align() > SMALLEST {
        return None;
    }
    // How many of the smallest pieces it takes besides one.
    let more = layout.size().saturating_sub(1) / SMALLEST;
    let class = match more.checked_ilog2() {
        Some(log @ 1..) => 2 * log as usize + (more >> (log - 1) & 1),
        _ => more,
    };
    (class < CLASSES).then_some(class)
}

/// How large the pieces of a class are: 1, 2, 3, 4, 6, 8, 12, 16... of the smallest. So less than
/// a third is wasted of any but the smallest.
const fn size_of_class(class: usize) -> usize {
    let double = if class.is_multiple_of(2) { 3 } else { 4 };
    SMALLEST * ((double << (class / 2)) / 2)
}

/// Memory from the kernel, or null.
fn map(layout: Layout) -> *mut u8 {
    // What begins at a page is aligned to a page; for more, there has to be room to choose from.
    let slack = layout.align().saturating_sub(PAGE);
    let Some(size) = layout.size().checked_add(slack) else { return null_mut() };
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: it asks for new memory.
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
    // SAFETY: both are what was just mapped and nobody uses.
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

/// The least that a page of memory is large, on any architecture.
const PAGE: usize = 4096;

/// The smallest piece, and the alignment of all.
const SMALLEST: usize = 16;

/// How many classes there are: up to 64 kB.
const CLASSES: usize = 24;

/// The first piece; what is not used of it costs nothing.
const FIRST: usize = 256 * 1024;

/// Each further piece, of the largest class.
const PIECE: usize = size_of_class(CLASSES - 1);

const PIECE_LAYOUT: Layout = Layout::new::<[u8; PIECE]>();

/// How long to wait before the kernel is asked for memory again.
const PAUSE: Duration = Duration::from_millis(10);
