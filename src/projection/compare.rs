//! Two instants of a run, or two runs, side by side: which steps differ, in state, in time and in what they yield.

use crate::{RunView, StepView};
use cuelight_base::{Digest, Span, StepIx, Timestamp, canonical_json, sha256};
use cuelight_engine::{Corrected, InputChange, RunState, StepState, plan_differences, value_differences};
use std::collections::BTreeMap;

/// Below this a difference in time says nothing.
const LEAST: Span = Span(1_000);

/// What is known of a step at one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Its state.
    pub state: StepState,
    /// How long it took, or has taken.
    pub took: Option<Span>,
    /// Hash of its outputs; nothing when it has none.
    pub outputs: Option<Digest>,
    /// Of a frame: steps in it that came to rest, and all of them.
    pub inside: Option<(u32, u32)>,
}

/// One step at both sides; nothing where there is no such step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepDiff {
    /// Its id.
    pub id: String,
    /// Its place in the left run, else in the right one.
    pub step: StepIx,
    /// Whether it holds others, or stands in one that does.
    pub depth: usize,
    /// At the left.
    pub left: Option<Side>,
    /// At the right.
    pub right: Option<Side>,
}

impl StepDiff {
    /// Whether it is in another state, or known at one side only.
    pub fn other_state(&self) -> bool {
        let state = |side: &Option<Side>| side.map(|it| (it.state, it.inside));
        state(&self.left) != state(&self.right)
    }

    /// Whether it yields something else.
    pub fn other_outputs(&self) -> bool {
        let outputs = |side: &Option<Side>| side.and_then(|it| it.outputs);
        outputs(&self.left) != outputs(&self.right)
    }

    /// Whether it took a tenth longer or less, and that is more than a second.
    pub fn other_time(&self) -> bool {
        let took = |side: &Option<Side>| side.and_then(|it| it.took).unwrap_or_default().0;
        let (left, right) = (took(&self.left), took(&self.right));
        let apart = left.abs_diff(right);
        apart >= LEAST.0 && apart * 10 > left.max(right)
    }

    /// Whether anything differs.
    pub fn differs(&self) -> bool {
        self.other_state() || self.other_outputs() || self.other_time()
    }
}

/// Two runs as wholes: what they were to do, with what, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunsDiff {
    /// Whether both are runs of workflows of one name.
    pub same_workflow: bool,
    /// Inputs, steps and rules that the right one has otherwise.
    pub plan: Corrected,
    /// Their states.
    pub states: (RunState, RunState),
    /// Outputs of the runs that differ.
    pub outputs: Vec<InputChange>,
    /// Every step of both.
    pub steps: Vec<StepDiff>,
}

impl RunsDiff {
    /// Whether they differ in anything but the time they took.
    pub fn differs(&self) -> bool {
        let Corrected { inputs, steps, rules, .. } = &self.plan;
        let same_text = inputs.is_empty() && steps.is_empty() && rules.is_empty() && self.outputs.is_empty();
        !(self.same_workflow && same_text)
            || self.states.0 != self.states.1
            || self.steps.iter().any(|it| it.other_state() || it.other_outputs())
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
    only_right.sort_by_key(|it| it.0);
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
    let outputs = view.outputs().map(|it| {
        let text = canonical_json(&serde_json::Value::Object(it.clone()));
        sha256("cuelight-outputs-v1", &[text.as_bytes()])
    });
    let inside = view.inside.as_ref().map(|it| (it.rested(), it.total()));
    Side { state: view.state, took: view.elapsed(now), outputs, inside }
}
