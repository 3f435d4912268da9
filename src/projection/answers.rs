//! Boards as JSON, for scripts (see `docs/EVENTS.md`): stable names, times RFC 3339 UTC, durations in milliseconds, shares decimals
//! from 0 to 1. Foreign text is carried as it came.
//!
//! Each answer is one type, from which both the JSON and its schema are made: a field that is sent is a field of the schema.

mod call;
mod difference;
mod error;
mod gate;
mod left;
mod run;
mod value;

pub use difference::{DifferenceAnswer, ask_diff_json, diff_json};
pub use error::{ErrorAnswer, error_json, errors_json};
pub use gate::{GateAnswer, InDoubtAnswer, ReviewAnswer, gate_json, gates_json};
pub use left::{AgentAnswer, KnowledgeAnswer, ResultAnswer};
pub use run::{RunAnswer, ShowAnswer, run_json, runs_json, show_json};
pub use value::ValueAnswer;

use crate::WhyLine;
use crate::spelled::{text, to_value};
use cuelight_base::Value;
use schemars::JsonSchema;
use serde::Serialize;

/// One line of the chain of causes.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Cause")]
pub struct WhyAnswer {
    /// The number of causes above it.
    depth: u32,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
}

/// `why --json`: the chain of causes.
pub fn why_json(lines: &[WhyLine], run: &crate::RunView) -> Value {
    let line = |line: &WhyLine| WhyAnswer {
        depth: line.depth,
        text: line.text.clone(),
        step: line.step.map(|step| run.step_id(step)),
        gate: text(line.gate),
        run: text(line.run),
    };
    to_value(&lines.iter().map(line).collect::<Vec<_>>())
}
