//! The machine in a world of its own: virtual kernel, virtual clock, the real loop.
//!
//! `scenarios` reads like the promises; `exhaustive` tries every order of events in small worlds,
//! `random` tries long ones; both are judged by `judge`, and what breaks a promise is saved as a
//! trace that is replayed for ever.

use std::fmt::Arguments;
use std::io::{self, Write};

mod chance;
mod digest;
mod exhaustive;
mod frozen;
mod judge;
mod kernel;
mod mutants;
mod op;
mod policies;
mod random;
mod scenarios;
mod states;
mod trace;
mod world;

/// Tells how much was tried, of a test that passes too: libtest keeps what goes out by `println!`.
fn tell(line: Arguments) {
    let _ = writeln!(io::stderr(), "{line}");
}
