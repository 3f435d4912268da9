//! The guard: one small process beside an engine, under which all programs of steps run, so that the engine's death loses
//! no exit status and leaves nobody behind. `docs/reliability.md` 3.5 says what it promises, decision 15 why it is so.
//!
//! `serve` is the guard, `client` the engine's end of its lifeline, `record` what it writes down, `ledger` which guards an
//! owner had, `kin` whose each process is, `hands` the threads that start programs, `stage` what happens between fork and exec of a step that ends with its console or
//! is held to something, `spare` the one such child that is started before it is needed, `sandbox` what one of those can reach.
//! The meaning of a step and of its end is for others.

mod client;
mod examine;
mod frame;
mod hands;
mod kin;
mod ledger;
mod record;
mod sandbox;
mod serve;
mod spare;
mod stage;

pub use client::{FoundCall, GuardNews, GuardSetup, Guarded, Guards, Past, Spawn};
pub use examine::{LivingGuard, guard_weaknesses, living_guards};
pub use frame::lifeline_frames;
pub(super) use kin::{Kin, process};
pub use kin::{STRAYS_TOLD_MAX, Stray, Strays};
pub use sandbox::sandbox_weaknesses;
pub(super) use sandbox::{Reach, VARIABLES};
pub use serve::{GuardProcess, serve_guard};
pub(super) use spare::Spare;
pub use stage::launch_stage;
pub(super) use stage::{Becoming, Conditions, Staged};

/// Version of the protocol that both ends of a lifeline must share, and of the record files.
const PROTOCOL: u32 = 3;
/// The version of the program: an older guard might not know a part of a launch.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// The word by which this program knows that it is a guard: `guard-serve ROOT NAME EPOCH`, on a descriptor 0 that is the lifeline.
pub const GUARD_WORD: &str = "guard-serve";

/// Names this start of the machine: what was not synced is believed within it alone.
fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}
