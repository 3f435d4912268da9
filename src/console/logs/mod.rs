//! Logs: what steps wrote, read in pieces, searched and followed.

pub(super) mod draw;
pub(super) mod layout;
mod level;
mod lines;
pub(super) mod needle;
mod places;
pub(super) mod read;
mod rows;
pub(super) mod state;
mod told;
pub(super) mod update;
mod visible;
mod whole;
