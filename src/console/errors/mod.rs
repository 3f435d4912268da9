//! Errors: the failures of all runs, what each caused, and what can be done about it.

pub(super) mod draw;
pub(super) mod layout;
mod side;
pub(super) mod state;
pub(super) mod update;
