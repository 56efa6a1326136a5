//! foster: a PID 1 that adopts your orphans.
//!
//! This library is the part of foster that decides. It reads a command line into a
//! [`config::Config`], and runs a [`supervisor::Supervisor`] on it: a state machine that is given
//! events ([`supervisor::Event`]) with their time ([`time::Instant`]), and answers with actions
//! ([`supervisor::Action`]) and the time at which it wants to be woken. It has no clock, makes no
//! system call, starts no thread and contains no `unsafe`. So a year of restarts is a millisecond
//! of simulation, and every bug is a list of events that can be replayed.
//!
//! ```
//! use foster::config::{Argv, Config, Program};
//! use foster::process::{Pid, RunId, ServiceId};
//! use foster::exit::ExitStatus;
//! use foster::supervisor::{Action, Event, Facts, Supervisor};
//! use foster::time::Instant;
//!
//! let app = Program::new(Argv::new(["app"]));
//! let mut machine = Supervisor::new(Config::init(app), Facts::default());
//! let service = ServiceId(0);
//! assert_eq!(machine.poll_action(), Some(Action::Spawn { service, terminal: false }));
//!
//! let now = Instant::ZERO;
//! machine.handle_event(Event::Spawned { service, pid: Pid(7), run: RunId::default() }, now);
//! machine.handle_event(Event::Exited { pid: Pid(7), status: ExitStatus::Code(3) }, now);
//! let last = std::iter::from_fn(|| machine.poll_action()).last();
//! assert_eq!(last, Some(Action::Exit { code: 3 }));
//! ```
//!
//! The binary of the same package is the program around it, with the system calls: its `sys`
//! implements [`driver::Backend`] for Linux and for Windows.
#![forbid(unsafe_code)]
#![deny(missing_docs, missing_debug_implementations)]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod cli;
pub mod config;
pub mod driver;
pub mod exit;
pub mod process;
pub mod quote;
pub mod signal;
pub mod supervisor;
pub mod time;
