//! Two instants of a run, or two runs, side by side: which steps differ, in state, in time and in what they yield.

use crate::{RunView, StepView};
use cuelight_base::{Digest, Span, StepIx, Timestamp, canonical_json, sha256};
use cuelight_engine::{Corrected, InputChange, RunState, StepState, plan_differences, value_differences};
use std::collections::BTreeMap;

/// Below this a difference in time says nothing.
const LEAST: Span = Span(1_000);

/// The state of a step in one of two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// The state of the step.
    pub state: StepState,
    /// The duration so far.
    pub took: Option<Span>,
    /// Hash of its outputs; nothing when it has none.
    pub outputs: Option<Digest>,
    /// The steps inside a frame: those at rest, and all of them. None for a step that is no frame.
    pub inside: Option<(u32, u32)>,
}

/// One step at both sides; nothing where there is no such step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepDiff {
    /// The id of the step.
    pub id: String,
    /// Its place in the left run, else in the right one.
    pub step: StepIx,
    /// The number of frames around the step.
    pub depth: usize,
    /// The step in the left run; none if it is missing there.
    pub left: Option<Side>,
    /// The step in the right run; none if it is missing there.
    pub right: Option<Side>,
}

impl StepDiff {
    /// True if the states differ, or the step is missing in one run.
    pub fn other_state(&self) -> bool {
        let state = |side: &Option<Side>| side.map(|side| (side.state, side.inside));
        state(&self.left) != state(&self.right)
    }

    /// True if the outputs differ.
    pub fn other_outputs(&self) -> bool {
        let outputs = |side: &Option<Side>| side.and_then(|side| side.outputs);
        outputs(&self.left) != outputs(&self.right)
    }

    /// True if the durations differ by at least a tenth, and by at least a second.
    pub fn other_time(&self) -> bool {
        let took = |side: &Option<Side>| side.and_then(|side| side.took).unwrap_or_default().0;
        let (left, right) = (took(&self.left), took(&self.right));
        let apart = left.abs_diff(right);
        apart >= LEAST.0 && apart * 10 > left.max(right)
    }

    /// True if state, outputs or duration differ.
    pub fn differs(&self) -> bool {
        self.other_state() || self.other_outputs() || self.other_time()
    }
}

/// Two runs as wholes: what they were to do, with what, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunsDiff {
    /// True if both workflows have the same name.
    pub same_workflow: bool,
    /// Inputs, steps and rules that the right one has otherwise.
    pub plan: Corrected,
    /// The states of the two runs.
    pub states: (RunState, RunState),
    /// Outputs of the runs that differ.
    pub outputs: Vec<InputChange>,
    /// Every step of both.
    pub steps: Vec<StepDiff>,
}

impl RunsDiff {
    /// True if anything but the durations differs.
    pub fn differs(&self) -> bool {
        let Corrected { inputs, steps, rules, .. } = &self.plan;
        let same_text = inputs.is_empty() && steps.is_empty() && rules.is_empty() && self.outputs.is_empty();
        !(self.same_workflow && same_text)
            || self.states.0 != self.states.1
            || self.steps.iter().any(|step| step.other_state() || step.other_outputs())
    }
}

/// Two runs, each as it is at its instant.
pub fn runs_diff(left: (&RunView, Timestamp), right: (&RunView, Timestamp)) -> RunsDiff {
    RunsDiff {
        same_workflow: left.0.plan.name == right.0.plan.name,
        plan: plan_differences(&left.0.plan, &right.0.plan),
        states: (left.0.summary.state, right.0.summary.state),
        outputs: value_differences(&left.0.outputs, &right.0.outputs),
        steps: run_diff(left, right),
    }
}

/// Every step of both, in the order of the left one; what only the right one has follows.
pub fn run_diff(left: (&RunView, Timestamp), right: (&RunView, Timestamp)) -> Vec<StepDiff> {
    let mut rest: BTreeMap<&str, (StepIx, &StepView)> = BTreeMap::new();
    for (step, plan, view) in right.0.steps() {
        rest.insert(&plan.id, (step, view));
    }
    let mut out: Vec<StepDiff> = left
        .0
        .steps()
        .map(|(step, plan, view)| {
            let other = rest.remove(plan.id.as_str());
            StepDiff {
                id: plan.id.clone(),
                step,
                depth: left.0.frames_of(step).count(),
                left: Some(side(view, left.1)),
                right: other.map(|(_, view)| side(view, right.1)),
            }
        })
        .collect();
    let mut only_right: Vec<(StepIx, &str, &StepView)> =
        rest.into_iter().map(|(id, (step, view))| (step, id, view)).collect();
    only_right.sort_by_key(|row| row.0);
    out.extend(only_right.into_iter().map(|(step, id, view)| StepDiff {
        id: id.to_owned(),
        step,
        depth: right.0.frames_of(step).count(),
        left: None,
        right: Some(side(view, right.1)),
    }));
    out
}

fn side(view: &StepView, now: Timestamp) -> Side {
    let outputs = view.outputs().map(|outputs| {
        let text = canonical_json(&serde_json::Value::Object(outputs.clone()));
        sha256("cuelight-outputs-v1", &[text.as_bytes()])
    });
    let inside =
        view.inside.as_ref().map(|counts| counts.progress()).map(|progress| (progress.done, progress.all));
    Side { state: view.state, took: view.elapsed(now), outputs, inside }
}
