//! Boards as JSON, for scripts (see `docs/EVENTS.md`): stable names, times RFC 3339 UTC, durations in milliseconds, shares decimals
//! from 0 to 1. Foreign text is carried as it came.
//!
//! Each answer is one type, from which both the JSON and its schema are made: a field that is sent is a field of the schema.

mod call;
mod difference;
mod error;
mod gate;
mod health;
mod left;
mod run;
mod value;

pub use difference::{DifferenceAnswer, diff_json};
pub use error::ErrorAnswer;
pub use gate::{GateAnswer, GatesAnswer, gate_json, gates_json};
pub use health::HealthAnswer;
pub use left::{AgentAnswer, KnowledgeAnswer, ResultAnswer};
pub use run::{RunAnswer, ShowAnswer, run_json, runs_json, show_json, show_json_to};
pub use value::ValueAnswer;
