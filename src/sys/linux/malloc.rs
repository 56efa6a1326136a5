//! malloc(3): the C library uses foster's heap, if the C library is part of the program.
//!
//! Destructors of thread-locals are kept in a list on the C library's heap, by std or by glibc,
//! whatever the program's own heap is. Both end the program if there is no memory for it.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::{self, null_mut};

use nix::libc;

/// Makes a heap that is not foster's get enough memory from the kernel for the few small pieces
/// that will be needed. glibc gets 128 kB at a time, and touches none of it before it is used.
pub fn prepare() {
    if cfg!(target_env = "gnu") {
        // SAFETY: the piece was just allocated, or is null.
        unsafe { libc::free(std::hint::black_box(libc::malloc(1))) };
    }
}

/// The head of each piece, which makes it possible to free it by its address alone.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Head {
    /// Where the memory around the piece begins, and its size.
    base: *mut u8,
    total: usize,
}

/// Memory of this size and alignment, a power of two; null if there is none.
pub fn allocate(align: usize, size: usize) -> *mut u8 {
    let slack = align.saturating_sub(HEAD);
    let Some(total) = size.checked_add(HEAD + slack) else { return null_mut() };
    let Ok(layout) = Layout::from_size_align(total, HEAD) else { return null_mut() };
    // SAFETY: the layout is not empty. The piece begins at most `slack` bytes after the head, and
    // both are aligned as a head needs.
    unsafe {
        let base = alloc(layout);
        if base.is_null() {
            return base;
        }
        let piece = base.add(HEAD);
        let piece = piece.add(piece.align_offset(align.max(HEAD)));
        piece.cast::<Head>().sub(1).write(Head { base, total });
        piece
    }
}

/// Frees what `allocate` returned.
///
/// # Safety
///
/// `piece` is null, or was returned by `allocate` or `resize`, and nobody uses it any more.
pub unsafe fn release(piece: *mut u8) {
    if piece.is_null() {
        return;
    }
    // SAFETY: the head has the layout that the memory was allocated for.
    unsafe {
        let head = piece.cast::<Head>().sub(1).read();
        dealloc(head.base, Layout::from_size_align_unchecked(head.total, HEAD));
    }
}

/// Gives a piece another size and place. Returns null, and leaves the piece unchanged, if there is
/// no memory.
///
/// # Safety
///
/// `piece` is null, or was returned by `allocate` or `resize`, and nobody uses it any more unless
/// this returns null.
pub unsafe fn resize(piece: *mut u8, size: usize) -> *mut u8 {
    let moved = allocate(HEAD, size);
    if !piece.is_null() && !moved.is_null() {
        // SAFETY: the piece extends from its head to the end of its memory; both pieces are as
        // large as what is copied.
        unsafe {
            let head = piece.cast::<Head>().sub(1).read();
            let old_size = head.total - (piece.addr() - head.base.addr());
            ptr::copy_nonoverlapping(piece, moved, old_size.min(size));
            release(piece);
        }
    }
    moved
}

/// The size of a head, and the alignment of all pieces.
const HEAD: usize = size_of::<Head>();

/// The names that C uses.
#[cfg(all(own_heap, target_env = "musl"))]
mod c {
    use nix::errno::Errno;
    use nix::libc::{c_int, c_void, size_t};

    use super::{HEAD, allocate, libc, null_mut, release, resize};

    #[unsafe(no_mangle)]
    extern "C" fn malloc(size: size_t) -> *mut c_void {
        told(allocate(HEAD, size))
    }

    #[unsafe(no_mangle)]
    extern "C" fn calloc(count: size_t, size: size_t) -> *mut c_void {
        let Some(total) = count.checked_mul(size) else { return told(null_mut()) };
        let piece = allocate(HEAD, total);
        if !piece.is_null() {
            // SAFETY: the piece is that large.
            unsafe { piece.write_bytes(0, total) };
        }
        told(piece)
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn realloc(piece: *mut c_void, size: size_t) -> *mut c_void {
        // SAFETY: as the caller says (realloc(3)).
        told(unsafe { resize(piece.cast(), size) })
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn free(piece: *mut c_void) {
        // SAFETY: as the caller says (free(3)).
        unsafe { release(piece.cast()) };
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn posix_memalign(
        place: *mut *mut c_void,
        align: size_t,
        size: size_t,
    ) -> c_int {
        let piece = allocate(align, size);
        if piece.is_null() {
            return libc::ENOMEM;
        }
        // SAFETY: the caller has room for an address (posix_memalign(3)).
        unsafe { place.write(piece.cast()) };
        0
    }

    /// Sets errno to the reason.
    fn told(piece: *mut u8) -> *mut c_void {
        if piece.is_null() {
            Errno::ENOMEM.set();
        }
        piece.cast()
    }
}
