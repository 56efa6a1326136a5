//! The platform: the only place that chooses one.
//!
//! Each one provides
//! - `World`, what the process was started with, which answers `cli`'s questions,
//! - `Sys`, made from that by `Sys::new(config, world)`, which is the `driver::Backend`,
//!   with `Sys::facts()` for the machine,
//! - `say_last`, which writes a whole text to a stream, where foster runs nothing, and returns the
//!   exit code,
//! - `LogWriter`, which takes log lines and never blocks,
//! - an entry point that calls `crate::run`.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::{LogWriter, Sys, World, say_last};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{LogWriter, Sys, World, say_last};
