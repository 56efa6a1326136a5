//! foster: a PID 1 that adopts your orphans.
#![forbid(unsafe_code)]
