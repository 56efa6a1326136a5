//! Command lines and environments, and the configurations that they give.

mod catatonit;
mod choice;
mod dumb_init;
mod foster;
mod frozen;
mod security;
mod tini;
mod world;
