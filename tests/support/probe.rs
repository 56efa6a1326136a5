//! The program that the inits under test run: it shows what it inherited, untouched.
//!
//! It has no Rust runtime in front of it, because that ignores SIGPIPE and reopens the closed
//! ones of descriptors 0 to 2. Its arguments are a script, see `probe/script.rs`.
#![cfg_attr(target_os = "linux", no_main)]

#[cfg(target_os = "linux")]
mod board;
#[cfg(target_os = "linux")]
#[path = "probe/chaos.rs"]
mod chaos;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "the harness rolls them in more ways")]
mod dice;
#[cfg(target_os = "linux")]
#[path = "probe/more.rs"]
mod more;
#[cfg(target_os = "linux")]
#[path = "probe/parent.rs"]
mod parent;
#[cfg(target_os = "linux")]
#[path = "probe/script.rs"]
mod script;
#[cfg(target_os = "linux")]
#[path = "probe/seccomp.rs"]
mod seccomp;
#[cfg(target_os = "linux")]
mod signals;

/// There is nothing to probe elsewhere, but the target has to build.
#[cfg(not(target_os = "linux"))]
fn main() {}
