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

pub use call::{command_line, words_line};
pub use difference::{DifferenceAnswer, ask_diff_json, diff_json};
pub use error::{ErrorAnswer, error_json, errors_json};
pub use gate::{GateAnswer, InDoubtAnswer, ReviewAnswer, gate_json, gates_json};
pub use left::{AgentAnswer, KnowledgeAnswer, ResultAnswer};
pub(super) use run::BudgetAnswer;
pub use run::{RunAnswer, ShowAnswer, run_json, runs_json, show_json};
pub use value::ValueAnswer;

use crate::WhyLine;
use cuelight_base::{Score, Value};
use cuelight_plan::Risk;
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

/// The word for a risk: `low`, `normal`, `high`.
pub const fn risk_word(risk: Risk) -> &'static str {
    match risk {
        Risk::ReadOnly | Risk::Reversible => "low",
        Risk::ExternallyReversible => "normal",
        Risk::Irreversible => "high",
    }
}

/// Three decimals, as written.
pub(super) fn decimal(score: Score) -> Value {
    let thousandths = (u32::from(score.0) + 5) / 10;
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    serde_json::from_str(&text).expect("a number in decimals is JSON")
}

pub(super) fn to_value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("what is stored as JSON can be written as JSON")
}

/// The text of what may not be there: an id, an instant.
fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}
