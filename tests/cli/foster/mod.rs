//! foster's own command line.

mod bad;
mod options;
mod wording;
mod wrap;
