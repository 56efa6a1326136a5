//! foster as the init of a machine: a real kernel, in QEMU.
//!
//! `make test-boot` runs these: it installs QEMU and a static busybox. The kernel is Debian's,
//! fetched once by `.ci/kernel`. The tests read everything from the console, line by line.
#![cfg(target_os = "linux")]

#[allow(dead_code, unused_imports, reason = "the harness serves other tests too")]
#[path = "../support/mod.rs"]
mod support;

#[path = "../scratch/mod.rs"]
mod scratch;

mod disks;
mod ends;
mod machine;
mod marks;
mod namespace;
mod starts;
