//! The form in which a workflow is started.

pub(super) mod draw;
pub(super) mod update;
