//! Lets the program begin at `foster_entry` (src/sys/linux/entry.rs), which blocks all signals
//! before the C library has run a single instruction.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The static build leaves out what it names (.ci/static).
    println!("cargo:rerun-if-changed=.ci/static.ld");
    println!("cargo:rustc-check-cfg=cfg(early_entry)");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let written_for = ["x86_64", "aarch64", "arm", "riscv64"];
    if variable("CARGO_CFG_TARGET_OS") == "linux"
        && written_for.contains(&variable("CARGO_CFG_TARGET_ARCH").as_str())
    {
        println!("cargo:rustc-cfg=early_entry");
        println!("cargo:rustc-link-arg-bins=-Wl,-e,foster_entry");
    }
}
