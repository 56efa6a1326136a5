//! What is measured, one file each. A measure takes the bed and gives tables.

mod growth;
mod idle;
mod memory;
mod reap;
mod restart;
mod signal;
mod size;
mod start;
mod stop;

use std::io;

use crate::{bed::Bed, table::Table};

pub struct Measure {
    pub name: &'static str,
    pub run: fn(&Bed) -> io::Result<Vec<Table>>,
}

pub const ALL: [Measure; 9] = [
    Measure { name: "size", run: size::run },
    Measure { name: "memory", run: memory::run },
    Measure { name: "start", run: start::run },
    Measure { name: "signal", run: signal::run },
    Measure { name: "reap", run: reap::run },
    Measure { name: "restart", run: restart::run },
    Measure { name: "stop", run: stop::run },
    Measure { name: "idle", run: idle::run },
    Measure { name: "growth", run: growth::run },
];

const MICROSECOND: f64 = 1e3;
const MILLISECOND: f64 = 1e6;

/// For every measure in which somebody may have something to say.
const VERBOSITY: &str = "Each subject logs at its default level, to /dev/null.";
