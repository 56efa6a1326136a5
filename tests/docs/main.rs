//! What the documents for users say, held against the program: each fenced block of theirs is run.
//!
//! A block's kind is the word after its language, which readers do not see:
//!
//! | block | what is done with it |
//! | --- | --- |
//! | `console` | each line behind `$ ` is run by sh, and what it prints is compared; `…` is anything |
//! | `sh` | is run by sh; programs that need not be installed are stand-ins |
//! | `dockerfile` | its ENTRYPOINT and CMD are run; `tests/containers` builds and runs the image |
//! | `yaml compose`, `yaml kubernetes` | read by a YAML parser, and their command lines are run |
//! | `json docker` | read by the same parser |
//! | `ini supervisord` | run by supervisord itself, see `peers.rs` |
//!
//! `peers.rs` needs the peers (`make test-theirs`), and tries what README.md says of them.
#![cfg(target_os = "linux")]

#[allow(dead_code, unused_imports, reason = "the harness serves other tests too")]
#[path = "../support/mod.rs"]
mod support;

mod arrows;
mod benchmarks;
mod deployments;
mod examples;
mod links;
mod moving;
mod options;

mod page;
mod peers;
mod reference;
mod stage;
