//! Audit: who decided what and when, as a window of the log that moves with the cursor.

pub(super) mod draw;
pub(super) mod layout;
pub(super) mod state;
pub(super) mod update;
