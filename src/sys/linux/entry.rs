//! The first instructions of the process, and `main`.
//!
//! A signal that arrives before it is blocked does what its disposition says: it kills foster, or
//! is dropped if foster is PID 1. So `foster_entry`, which the linker makes the program's entry
//! point (build.rs), blocks all signals by its own system call, keeps the inherited mask, and
//! continues with the C library's `_start`, with all registers that this needs unchanged.
//!
//! std's runtime is not used: it would ignore SIGPIPE and open closed descriptors before foster
//! could see how they were inherited, and it costs time.

use std::ffi::{CStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::World;
use super::{heap, signals};

/// What `foster_entry` kept: the inherited mask, and the system call's result plus one; 1 means
/// success.
#[unsafe(no_mangle)]
static FOSTER_INHERITED: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// The entry point of C.
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, args: *const *const c_char, env: *const *const c_char) -> c_int {
    heap::begin();
    let mask = match FOSTER_INHERITED[1].load(Ordering::Relaxed) {
        1 => Some(FOSTER_INHERITED[0].load(Ordering::Relaxed)),
        // `foster_entry` did not run, or its system call was refused.
        _ => signals::try_to_block_all(),
    };
    let mut words = Vec::with_capacity(count as usize);
    for index in 0..count as usize {
        // SAFETY: the C library hands over `count` pointers to strings that live as long as the
        // process.
        let word = unsafe { CStr::from_ptr(*args.add(index)) };
        words.push(OsString::from_vec(word.to_bytes().to_vec()));
    }
    // SAFETY: `env` is the environment that the C library hands over, a list of pointers to
    // strings ended by a null; nothing in foster ever changes it.
    let world = unsafe { World::new(mask, env) };
    crate::run(words, world) as c_int
}

#[cfg(all(early_entry, target_arch = "x86_64"))]
std::arch::global_asm!(
    // rdx holds a function that the loader wants called at the end; a system call leaves r8 alone.
    ".globl foster_entry",
    "foster_entry:",
    "mov r8, rdx",
    "mov eax, 14",
    "mov edi, 2",
    "lea rsi, [rip + 2f]",
    "lea rdx, [rip + {inherited}]",
    "mov r10d, 8",
    "syscall",
    "inc rax",
    "mov qword ptr [rip + {inherited} + 8], rax",
    "mov rdx, r8",
    "jmp _start",
    ".balign 8",
    "2: .quad -1",
    inherited = sym FOSTER_INHERITED,
);

#[cfg(all(early_entry, target_arch = "aarch64"))]
std::arch::global_asm!(
    // x0 holds a function that the loader wants called at the end.
    ".globl foster_entry",
    "foster_entry:",
    "mov x9, x0",
    "mov x8, #135",
    "mov x0, #2",
    "adr x1, 2f",
    "adrp x2, {inherited}",
    "add x2, x2, :lo12:{inherited}",
    "mov x3, #8",
    "svc #0",
    "add x3, x0, #1",
    "str x3, [x2, #8]",
    "mov x0, x9",
    "b _start",
    ".balign 8",
    "2: .quad -1",
    inherited = sym FOSTER_INHERITED,
);

#[cfg(all(early_entry, target_arch = "arm"))]
std::arch::global_asm!(
    // r0 holds a function that the loader wants called at the end.
    ".arm",
    ".globl foster_entry",
    ".type foster_entry, %function",
    "foster_entry:",
    "mov r8, r0",
    "mov r7, #175",
    "mov r0, #2",
    "adr r1, 2f",
    "ldr r2, 3f",
    "4: add r2, pc, r2",
    "mov r3, #8",
    "svc #0",
    "add r3, r0, #1",
    "str r3, [r2, #8]",
    "mov r0, r8",
    "b _start",
    ".balign 8",
    "2: .quad -1",
    "3: .word {inherited} - (4b + 8)",
    inherited = sym FOSTER_INHERITED,
);

#[cfg(all(early_entry, target_arch = "riscv64"))]
std::arch::global_asm!(
    // a0 holds a function that the loader wants called at the end. gp is not set before `_start`,
    // so no address may be relaxed to one relative to it.
    ".option push",
    ".option norelax",
    ".globl foster_entry",
    "foster_entry:",
    "mv t0, a0",
    "li a7, 135",
    "li a0, 2",
    "lla a1, 2f",
    "lla a2, {inherited}",
    "mv t1, a2",
    "li a3, 8",
    "ecall",
    "addi a3, a0, 1",
    "sd a3, 8(t1)",
    "mv a0, t0",
    "tail _start",
    ".balign 8",
    "2: .quad -1",
    ".option pop",
    inherited = sym FOSTER_INHERITED,
);
