//! From a tree of YAML to the checked form: every key known, every value of its type, everything said at once.
//!
//! Looks at one value at a time; what several of them mean together is for `check`.

mod declared;
mod defaults;
mod fields;
mod figure;
mod gate;
mod kinds;
mod matrix;
mod model;
mod schedule;
mod script;
mod step;
mod tool;
mod top;

pub(super) use fields::{Reader, locate};
pub(super) use model::model;
pub(super) use tool::{agent, is_fixed, is_tool, tool};
pub(super) use top::workflow;
