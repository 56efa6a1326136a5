//! foster's own command line.

mod bad;
mod json;
mod options;
mod unused;
mod wording;
mod wrap;
