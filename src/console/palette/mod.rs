//! The palette: everything that can be done, found by typing.

pub(super) mod draw;
pub(super) mod update;
