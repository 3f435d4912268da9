//! Agents: who can be given work, who works now, and how well each did.

pub(super) mod draw;
pub(super) mod state;
pub(super) mod update;
