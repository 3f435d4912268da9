//! The steps that a plan and its correction have in common, and how each of them reads now.

use crate::side::places;
use cuelight_base::StepIx;
use cuelight_plan::{Frame, FrameKind, GateRule, Plan, PlanStep, Work};
use std::{collections::BTreeMap, sync::Arc};

/// A plan and its correction, with the steps of both compared once.
pub(super) struct Compared<'a> {
    pub(super) old: &'a Plan,
    pub(super) new: &'a Plan,
    /// By the place of a step before, its place now.
    pub(super) pairs: &'a BTreeMap<StepIx, StepIx>,
    pub(super) steps: Vec<Pair>,
}

/// A step of both plans.
pub(super) struct Pair {
    /// Its place in the plan before.
    pub(super) was: StepIx,
    /// Its place in the correction.
    pub(super) is: StepIx,
    /// True if it reads as before, whatever it needs.
    pub(super) same_step: bool,
    pub(super) same_needs: bool,
}

impl<'a> Compared<'a> {
    pub(super) fn of(old: &'a Plan, new: &'a Plan, pairs: &'a BTreeMap<StepIx, StepIx>) -> Self {
        let compare = |(was, is): (&StepIx, &StepIx)| Pair {
            was: *was,
            is: *is,
            same_step: alone(old, *was) == alone(new, *is),
            same_needs: needs(old, *was).eq(needs(new, *is)),
        };
        Self { old, new, pairs, steps: pairs.iter().map(compare).collect() }
    }
}

impl Pair {
    pub(super) fn is_rewritten(&self) -> bool {
        !self.same_step || !self.same_needs
    }
}

/// Steps of one plan by their place in the other: the same id is the same step.
pub(super) fn same_steps(old: &Plan, new: &Plan) -> BTreeMap<StepIx, StepIx> {
    let ids: BTreeMap<&str, StepIx> = places(new).map(|at| (new.steps[at.index()].id.as_str(), at)).collect();
    let pair = |at: StepIx| Some((at, *ids.get(old.steps[at.index()].id.as_str())?));
    places(old).filter_map(pair).collect()
}

/// True if everything that a result depends on is as it was: the call, its environment, its place, and its outputs.
pub(super) fn is_written_as_before(old: &Plan, before: StepIx, new: &Plan, now: StepIx) -> bool {
    let (was, is) = (&old.steps[before.index()], &new.steps[now.index()]);
    work_of(was, before) == work_of(is, now)
        && (&was.env, &was.dir, &was.outputs, &was.matrix) == (&is.env, &is.dir, &is.outputs, &is.matrix)
}

/// The work of a step, without the parts that say only how much of it is done at once or that it has asked before,
/// and wherever the step stands.
fn work_of(step: &PlanStep, place: StepIx) -> Work {
    let frame = match &step.work {
        Work::Frame(frame) => frame,
        Work::Gate(rule) if rule.asks => {
            return Work::Gate(Arc::new(GateRule { asks: false, ..(**rule).clone() }));
        }
        work => return work.clone(),
    };
    let kind = match &frame.kind {
        FrameKind::Computed { matrix, body } => {
            let near = |scope: StepIx| StepIx(scope.0.wrapping_sub(place.0));
            let moved = body.iter().map(|plan| PlanStep {
                scope: plan.scope.map(near),
                frame: plan.frame.map(near),
                needs: plan.needs.iter().copied().map(near).collect(),
                ..plan.clone()
            });
            FrameKind::Computed { matrix: matrix.clone(), body: moved.collect() }
        }
        FrameKind::Matrix | FrameKind::Workflow { .. } | FrameKind::Talk(_) => frame.kind.clone(),
    };
    Work::Frame(Box::new(Frame { kind, max_parallel: 0, fail_fast: false, asked: Vec::new() }))
}

/// All that is written of a step but its needs, wherever it stands.
fn alone(plan: &Plan, at: StepIx) -> PlanStep {
    let step = &plan.steps[at.index()];
    PlanStep { work: work_of(step, at), needs: Vec::new(), scope: None, frame: None, ..step.clone() }
}

/// The ids of the steps that a step needs.
fn needs(plan: &Plan, at: StepIx) -> impl Iterator<Item = &str> {
    plan.steps[at.index()].needs.iter().map(|step| plan.steps[step.index()].id.as_str())
}
