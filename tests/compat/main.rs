//! One contract, two subjects: what tini, dumb-init and catatonit do, and foster in their place.
//!
//! By default the subject is our binary under their names; `INIT_UNDER_TEST=theirs` runs Debian's
//! originals, and a path runs that foster binary. A case that an original fails is marked with the
//! bug that it shows ([`subject::bug`]); there it is an error if it passes. docs/COMPAT.md lists
//! the contract, each line with its test.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
// The harness is shared, and nobody uses all of it.
#[allow(dead_code)]
mod support;

mod subject;

mod bugs;
mod cli_catatonit;
mod cli_dumb_init;
mod cli_tini;
mod document;
mod exec;
mod output_tini;
mod random;
mod reaping;
mod signals;
mod start;
mod status;
mod terminal;
