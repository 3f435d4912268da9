//! The differences of two runs as JSON.

use super::RunAnswer;
use crate::spelled::to_value;
use crate::{RunView, RunsDiff, Side, StepView};
use cuelight_base::{Value, ValueMap};
use schemars::JsonSchema;
use serde::Serialize;

/// The differences of two runs; steps that are the same are counted.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Difference")]
pub struct DifferenceAnswer {
    same: bool,
    left: RunAnswer,
    right: RunAnswer,
    inputs: Value,
    plan: Value,
    rules: Vec<String>,
    outputs: Value,
    steps: Vec<StepDifference>,
    same_steps: usize,
}

/// A step that differs.
#[derive(Serialize, JsonSchema)]
struct StepDifference {
    id: String,
    /// `state`, `outputs`, `time`.
    differs: Vec<&'static str>,
    left: Option<SideAnswer>,
    right: Option<SideAnswer>,
}

/// A step in one of the runs.
#[derive(Serialize, JsonSchema)]
struct SideAnswer {
    state: &'static str,
    took_ms: Option<u64>,
    outputs: Option<ValueMap>,
}

/// `diff --json`: what differs between two runs.
pub fn diff_json(diff: &RunsDiff, (left, right): (&RunView, &RunView)) -> Value {
    let steps = diff.steps.iter().filter(|step| step.differs()).map(|step| {
        let kinds =
            [("state", step.other_state()), ("outputs", step.other_outputs()), ("time", step.other_time())];
        StepDifference {
            id: step.id.clone(),
            differs: kinds.into_iter().filter(|(_, differs)| *differs).map(|(word, _)| word).collect(),
            left: step.left.map(|side| SideAnswer::of(left, &step.id, side)),
            right: step.right.map(|side| SideAnswer::of(right, &step.id, side)),
        }
    });
    to_value(&DifferenceAnswer {
        same: !diff.differs(),
        left: RunAnswer::of(&left.summary),
        right: RunAnswer::of(&right.summary),
        inputs: to_value(&diff.plan.inputs),
        plan: to_value(&diff.plan.steps),
        rules: diff.plan.rules.clone(),
        outputs: to_value(&diff.outputs),
        steps: steps.collect(),
        same_steps: diff.steps.iter().filter(|step| !step.differs()).count(),
    })
}

impl SideAnswer {
    fn of(run: &RunView, id: &str, side: Side) -> Self {
        let outputs = run.find(id).and_then(|step| run.step(step)).and_then(StepView::outputs);
        Self { state: side.state.word(), took_ms: side.took.map(|span| span.0), outputs: outputs.cloned() }
    }
}
