//! The help: every key of this view or of all views, with search.

pub(super) mod draw;
mod rows;
pub(super) mod update;
