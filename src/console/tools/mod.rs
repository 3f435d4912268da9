//! Tools: the kinds of steps that have run, and how each did.

pub(super) mod draw;
pub(super) mod layout;
pub(super) mod state;
pub(super) mod update;
