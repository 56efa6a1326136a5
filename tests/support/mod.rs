//! Runs an init and watches it from outside: the harness of `tests/compat` and `tests/system`.
//!
//! ```text
//! let mut run = Launch::new(&init).args(["--", probe(), "trap"]).place(Place::Pid1).start();
//! run.expect("trapping");
//! run.signal("TERM");
//! run.expect("got TERM");
//! ```
//!
//! [`Launch`] says what is started and where ([`Place`]): as PID 1 of a PID namespace, as an
//! ordinary process, or on a terminal. [`Running`] is the process while it runs: its output line by
//! line, its state in /proc, its end. [`Output`] is what is left of it. Everything waits for an
//! event with a deadline ([`patience`]), and everything that was started is killed on drop.
//!
//! The inits run the probe, `probe.rs` beside this file, whose arguments are a script.

pub mod board;
pub mod cgroup;
pub mod dice;
pub mod launch;
pub mod patience;
pub mod procfs;
pub mod reachable;
pub mod running;
pub mod signals;
pub mod skip;
pub mod stream;
pub mod terminal;

pub use launch::{Launch, Place, probe};
pub use running::{Output, Running, Status};
