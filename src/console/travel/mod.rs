//! Travel: any view as it was at an instant of the past, and two instants held against each other.

pub(super) mod compare;
pub(super) mod draw;
pub(super) mod layout;
pub(super) mod state;
pub(super) mod update;
