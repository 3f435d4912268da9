//! From a tree of YAML to the checked form: every key known, every value of its type, everything said at once.
//!
//! Looks at one value at a time; what several of them mean together is for `check`.

mod fields;
mod gate;
mod kinds;
mod matrix;
mod model;
mod step;
mod tool;
mod top;

pub(super) use fields::{Reader, locate};
pub(super) use kinds::is_tool;
pub(super) use model::model;
pub(super) use tool::{agent, is_fixed, tool};
pub(super) use top::workflow;
