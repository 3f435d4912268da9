//! One side of a correction: a plan, and the steps that a gate in it holds back.

use crate::links::{Links, always_runs_after_a_rejection, runs_after_a_rejection, runs_without_success};
use cuelight_base::StepIx;
use cuelight_plan::{Plan, PlanStep};

/// A plan with what is asked of it again and again: by place, the steps whose condition may hold without success.
pub(super) struct Side<'a> {
    pub(super) plan: &'a Plan,
    /// The steps and needs that a walk over the plan meets at most.
    pub(super) size: usize,
    links: Links,
    /// Steps that run after a rejection, without any failure.
    pub(super) after_a_rejection: Vec<bool>,
    /// The same, and steps that run after a failure or a cancel.
    pub(super) without_success: Vec<bool>,
    /// Steps that run after a rejection whatever else their condition reads.
    pub(super) after_any_rejection: Vec<bool>,
}

impl<'a> Side<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let each = |test: fn(&PlanStep) -> bool| plan.steps.iter().map(test).collect();
        Self {
            plan,
            size: plan.steps.len() + plan.steps.iter().map(|step| step.needs.len()).sum::<usize>(),
            links: Links::of(&plan.steps),
            after_a_rejection: each(runs_after_a_rejection),
            without_success: each(runs_without_success),
            after_any_rejection: each(always_runs_after_a_rejection),
        }
    }

    pub(super) fn step(&self, at: StepIx) -> &'a PlanStep {
        &self.plan.steps[at.index()]
    }

    pub(super) fn behind(&self, gate: StepIx) -> Vec<bool> {
        self.links.behind(|step| self.step(step), gate)
    }

    /// The steps that cannot start without an approval of this gate, whatever failed.
    pub(super) fn guarded(&self, gate: StepIx) -> Vec<bool> {
        self.links.held_back(|step| self.step(step), gate, |step| self.without_success[step.index()])
    }

    /// The steps that cannot start after a rejection of it, as long as nothing failed.
    pub(super) fn guarded_by_a_rejection(&self, gate: StepIx) -> Vec<bool> {
        self.links.held_back(|step| self.step(step), gate, |step| self.after_a_rejection[step.index()])
    }

    /// The steps that a rejection of it keeps from starting in some case: not those that start in any case.
    pub(super) fn held_by_a_rejection(&self, gate: StepIx) -> Vec<bool> {
        self.links.held_back(|step| self.step(step), gate, |step| self.after_any_rejection[step.index()])
    }

    pub(super) fn above(&self, step: StepIx) -> Vec<bool> {
        self.links.above(|step| self.step(step), step)
    }
}

/// The steps that a gate holds before a correction and after it, each by place.
pub(super) struct Held {
    pub(super) behind: Vec<bool>,
    pub(super) behind_now: Vec<bool>,
    pub(super) guarded: Vec<bool>,
    pub(super) guarded_now: Vec<bool>,
}

impl Held {
    pub(super) fn of((was, gate): (&Side<'_>, StepIx), (is, place): (&Side<'_>, StepIx)) -> Self {
        Self {
            behind: was.behind(gate),
            behind_now: is.behind(place),
            guarded: was.guarded(gate),
            guarded_now: is.guarded(place),
        }
    }
}

/// The places of all steps.
pub(super) fn places(plan: &Plan) -> impl DoubleEndedIterator<Item = StepIx> + use<> {
    (0..plan.steps.len()).map(StepIx::from_index)
}
