//! A test that cannot be run here says so, and is counted by `make test` (.ci/test): the harness of
//! Rust would show it as one that passed.

use std::fs::OpenOptions;
use std::io::Write;

use nix::libc;

/// Whether tests may change users, mounts, namespaces and cgroups.
pub fn is_root() -> bool {
    // SAFETY: geteuid cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Whether the calling test may continue, which takes root to do `what`; otherwise it is skipped.
pub fn has_root_to(what: &str) -> bool {
    if !is_root() {
        skip(&format!("it takes root to {what}"));
    }
    is_root()
}

/// Has the test that calls it, and returns then, be counted as skipped.
pub fn skip(why: &str) {
    // Each test is a thread that has its name.
    let thread = std::thread::current();
    let line = format!("skipped: {}: {why}\n", thread.name().unwrap_or("a test"));
    let Some(list) = std::env::var_os("SKIPPED_TESTS") else {
        // Past the harness, which keeps to itself what a test that passes prints.
        let _ = std::io::stderr().write_all(line.as_bytes());
        return;
    };
    // In one piece, as others write to it too.
    let file = OpenOptions::new().append(true).create(true).open(&list);
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    written.unwrap_or_else(|error| panic!("cannot write to {list:?}: {error}"));
}
