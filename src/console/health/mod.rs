//! Health: the number that sums up the workspace, and the reasons that take from it.

pub(super) mod draw;
pub(super) mod state;
pub(super) mod update;
