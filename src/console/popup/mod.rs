//! Menus and texts over the view.

pub(super) mod draw;
pub(super) mod update;
