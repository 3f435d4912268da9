//! cuelight: a terminal control console for workflows.
//!
//! The map. Rooms stand in reading order; each may look only into rooms above it, and only
//! into those that `docs/ARCHITECTURE.md` names. The walls are tests (`tests/it/architecture.rs`).

// The quiet half: pure functions over data. No clock, no disk, no threads; builds alone.
pub mod base;
pub mod definition;
pub mod engine;
pub mod expression;
pub mod plan;
pub mod projection;

// The loud half: touches the world.
#[cfg(feature = "host")]
pub mod app;
#[cfg(feature = "host")]
pub mod console;
#[cfg(feature = "host")]
pub mod gateway;
#[cfg(feature = "host")]
pub mod runtime;
#[cfg(feature = "host")]
pub mod store;
#[cfg(feature = "host")]
pub mod tool;
