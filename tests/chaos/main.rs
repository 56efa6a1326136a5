//! Chaos on the real binary: worlds in which much is missing, services that run wild, signals of
//! all kinds, and at the end nothing but what was promised.
//!
//! `storm` is made of situations, each of which is all in its seed: `CHAOS_SEED=7 cargo test --test
//! chaos storm` brings one back. `CHAOS_SECONDS` says how long they take together (8, or 60 in
//! `make prove`). `restarts` kills a service's process a thousand times.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
// Other tests use what is not used here.
#[allow(dead_code, unused_imports)]
mod support;

mod judge;
mod look;
mod restarts;
mod situation;
mod storm;
