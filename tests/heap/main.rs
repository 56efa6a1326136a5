//! foster's heap (src/sys/linux/heap.rs), as the allocator of this program: pieces of all sizes
//! come and go in any order, and each is aligned, and has what was written into it and nothing of
//! another's.
//!
//! It has no harness, because that has threads and the heap is for one.

#[cfg(target_os = "linux")]
mod pieces;

fn main() {
    #[cfg(target_os = "linux")]
    pieces::come_and_go_twice();
}
