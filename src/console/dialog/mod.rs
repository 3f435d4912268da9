//! Dialogs: what is asked before something that cannot be taken back.

pub(super) mod asking;
pub(super) mod draw;
pub(super) mod state;
