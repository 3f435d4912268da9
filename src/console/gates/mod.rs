//! Gates: what waits for people, the ask of each read to its end, and the answers to it.

pub(super) mod answers;
pub(super) mod ask_text;
mod batch;
pub(super) mod deciding;
mod doubt_text;
pub(super) mod draw;
mod evidence;
pub(super) mod layout;
mod prose;
mod side;
pub(super) mod state;
pub(super) mod update;
