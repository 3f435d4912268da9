//! From a tree of YAML to the checked form: every key known, every value of its type, everything said at once.
//!
//! Looks at one value at a time; what several of them mean together is for `check`.

mod fields;
mod gate;
mod kinds;
mod matrix;
mod step;
mod top;

pub(super) use fields::{Reader, locate};
pub(super) use top::workflow;
