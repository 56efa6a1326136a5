//! foster in real containers: runc, Docker and gVisor.
//!
//! `make test-containers` runs these, as root: it installs the runtimes and a static busybox.
//! The images hold foster and a static app, and nothing else; those with a shell hold busybox
//! too. Docker's daemon is the test's own, with its data in a folder that goes with it.
#![cfg(target_os = "linux")]

#[allow(dead_code, unused_imports, reason = "the harness serves other tests too")]
#[path = "../support/mod.rs"]
mod support;

#[path = "../scratch/mod.rs"]
mod scratch;

#[allow(dead_code, reason = "the documents are read by other tests too")]
#[path = "../docs/page.rs"]
mod page;

mod container;
mod contract;
mod daemon;
mod docker;
mod docker_init;
mod documents;
mod entrypoint;
mod oci;
mod shell;
