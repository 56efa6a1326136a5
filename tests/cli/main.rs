//! Command lines and environments, and what they come to.

mod foster;
mod world;
