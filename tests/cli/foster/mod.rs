//! foster's own command line.

mod bad;
mod options;
mod unused;
mod wording;
mod wrap;
