//! Makes `foster_entry` (src/sys/linux/entry.rs) the entry point, which blocks all signals before
//! the C library runs a single instruction, and uses foster's own heap (src/sys/linux/heap.rs),
//! unless AddressSanitizer has to check each piece of memory.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The static build links with this script (.ci/static). If the file is missing, naming it would
    // make cargo rebuild everything each time.
    if Path::new(".ci/static.ld").exists() {
        println!("cargo:rerun-if-changed=.ci/static.ld");
    }
    println!("cargo:rustc-check-cfg=cfg(early_entry, own_heap)");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let written_for = ["x86_64", "aarch64", "arm", "riscv64"];
    if variable("CARGO_CFG_TARGET_OS") == "linux"
        && written_for.contains(&variable("CARGO_CFG_TARGET_ARCH").as_str())
    {
        println!("cargo:rustc-cfg=early_entry");
        println!("cargo:rustc-link-arg-bins=-Wl,-e,foster_entry");
    }
    // Only an unstable compiler reports sanitizers, and only that has them.
    if !variable("CARGO_CFG_SANITIZE").split(',').any(|sanitizer| sanitizer == "address") {
        println!("cargo:rustc-cfg=own_heap");
    }
}
