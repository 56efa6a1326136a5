//! The real binary: as PID 1 of a PID namespace, as a subreaper, on terminals, and under filters
//! that make system calls fail.
//!
//! Each test's name is a sentence of the promise that foster makes. `FOSTER_UNDER_TEST=/path`
//! puts another build through the same tests, a static one say. They need root (or a user
//! namespace), `unshare` and `strace`; they wait for events, and what they start ends with them.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
// tests/compat uses what is not used here.
#[allow(dead_code)]
mod support;

mod subject;

mod asked;
mod bad_input;
mod bomb;
mod calls;
mod completions;
mod demo;
mod denied;
mod early;
mod environment;
mod fallback;
mod idle;
mod inheritance;
mod install;
mod leftovers;
mod log;
mod log_lines;
mod marks;
mod memory;
mod no_proc;
mod options;
mod orphans;
mod own_doing;
mod parent;
mod real_time;
mod refused;
mod settling;
mod shell;
mod signals;
mod start_errors;
mod status;
mod stop_to;
mod stopping;
mod storms;
mod terminal;
mod terminal_bash;
mod two_ways;
mod valgrind;
