//! The question on the way out of the console.

pub(super) mod draw;
pub(super) mod update;
