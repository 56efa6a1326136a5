//! foster.exe under Wine: `make test-windows` builds it and runs this.
//!
//! A test waits for what foster and its services say, never for time. That all processes are
//! gone is seen by the end of the pipe that they have for stdout.

mod harness;

mod commands;
mod console;
mod restart;
mod stop;
mod usage;
