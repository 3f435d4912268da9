//! Runs: the list of runs, the panes below it, the run under the cursor, and marks for many at once.

pub(super) mod bulk;
pub(super) mod draw;
pub(super) mod layout;
mod lower;
mod panels;
pub(super) mod panels_keys;
mod preview;
pub(super) mod state;
pub(super) mod update;
