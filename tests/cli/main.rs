//! Command lines and environments, and what they come to.

mod catatonit;
mod choice;
mod dumb_init;
mod foster;
mod frozen;
mod security;
mod tini;
mod world;
