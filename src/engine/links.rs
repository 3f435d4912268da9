//! The links between the steps of a plan: the dependents of a step, the children of a frame, and the steps that a gate
//! holds back.

use cuelight_base::StepIx;
use cuelight_expression::{Expr, StatusFunction};
use cuelight_plan::PlanStep;
use std::collections::BTreeMap;

/// The dependents, children and names of steps; more are added when a computed matrix opens.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    /// By place, in ascending order.
    dependents: Vec<Vec<StepIx>>,
    children: Vec<Vec<StepIx>>,
    names: BTreeMap<(Option<StepIx>, String), StepIx>,
}

impl Links {
    pub(super) fn of(steps: &[PlanStep]) -> Self {
        let mut links = Self::default();
        for (index, step) in steps.iter().enumerate() {
            links.add(StepIx::from_index(index), step);
        }
        links
    }

    pub(super) fn add(&mut self, index: StepIx, plan: &PlanStep) {
        let size = index.index() + 1;
        self.dependents.resize_with(size.max(self.dependents.len()), Vec::new);
        self.children.resize_with(size.max(self.children.len()), Vec::new);
        for need in &plan.needs {
            let at = need.index();
            self.dependents.resize_with((at + 1).max(self.dependents.len()), Vec::new);
            self.dependents[at].push(index);
        }
        if let Some(frame) = plan.frame {
            self.children.resize_with((frame.index() + 1).max(self.children.len()), Vec::new);
            self.children[frame.index()].push(index);
        }
        self.names.insert((plan.scope, plan.local.to_ascii_lowercase()), index);
    }

    pub(super) fn dependents(&self, step: StepIx) -> &[StepIx] {
        self.dependents.get(step.index()).map_or(&[], Vec::as_slice)
    }

    pub(super) fn children(&self, step: StepIx) -> &[StepIx] {
        self.children.get(step.index()).map_or(&[], Vec::as_slice)
    }

    /// The step that siblings in this scope call by this name.
    pub(super) fn named(&self, scope: Option<StepIx>, name: &str) -> Option<StepIx> {
        self.names.get(&(scope, name.to_ascii_lowercase())).copied()
    }

    /// Every step of a scope.
    pub(super) fn in_scope(&self, scope: Option<StepIx>) -> impl Iterator<Item = StepIx> {
        self.names.iter().filter(move |((within, _), _)| *within == scope).map(|entry| *entry.1)
    }

    /// By place, the steps that wait for this gate: by needs, in a frame that does, or after a frame that it stands in.
    pub(super) fn behind<'a>(&self, plan: impl Fn(StepIx) -> &'a PlanStep, gate: StepIx) -> Vec<bool> {
        self.held_back(plan, gate, |_| false)
    }

    /// The steps behind a gate that cannot start without its approval, while the steps for which `runs` is true run
    /// without it. A step that needs only such steps is not held back either.
    pub(super) fn held_back<'a>(
        &self,
        plan: impl Fn(StepIx) -> &'a PlanStep,
        gate: StepIx,
        runs: impl Fn(StepIx) -> bool,
    ) -> Vec<bool> {
        let mut found = vec![false; self.dependents.len()];
        let mut open: Vec<StepIx> = self.children(gate).to_vec();
        for at in std::iter::successors(Some(gate), |value| plan(*value).frame) {
            open.extend(self.dependents(at).iter().filter(|dependent| !runs(**dependent)));
        }
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut found[at.index()], true) {
                open.extend(self.dependents(at).iter().filter(|dependent| !runs(**dependent)));
                // Nothing starts in a frame that does not open.
                open.extend(self.children(at));
            }
        }
        found
    }

    /// By place, the steps that come before one, by needs and by frames.
    pub(super) fn above<'a>(&self, plan: impl Fn(StepIx) -> &'a PlanStep, step: StepIx) -> Vec<bool> {
        let mut found = vec![false; self.dependents.len()];
        let mut open = vec![step];
        while let Some(at) = open.pop() {
            let around = std::iter::successors(Some(at), |value| plan(*value).frame);
            let needs = around.flat_map(|step| plan(step).needs.iter().copied());
            let inner = self.children(at).iter().copied().filter(|_| at != step);
            for next in needs.chain(inner) {
                if !std::mem::replace(&mut found[next.index()], true) {
                    open.push(next);
                }
            }
        }
        found
    }
}

/// True when a step may start although what it needs was refused, while nothing before it failed.
pub(super) fn runs_after_a_rejection(step: &PlanStep) -> bool {
    condition(step).is_some_and(|expr| may_hold(&expr, &[StatusFunction::Always]))
}

/// True when a step starts after a rejection in any case, as far as its condition goes.
pub(super) fn always_runs_after_a_rejection(step: &PlanStep) -> bool {
    condition(step).is_some_and(|expr| expr.must_hold(|function| function == StatusFunction::Always))
}

/// True when a step may start although what it needs has not succeeded: after a rejection, a failure or a cancel.
pub(super) fn runs_without_success(step: &PlanStep) -> bool {
    use StatusFunction::{Always, Cancelled, Failure};
    let all: [&[StatusFunction]; 4] =
        [&[Always], &[Always, Failure], &[Always, Cancelled], &[Always, Failure, Cancelled]];
    condition(step).is_some_and(|expr| all.iter().any(|functions| may_hold(&expr, functions)))
}

/// The `if` of a step; none where it has none that can be read.
fn condition(step: &PlanStep) -> Option<Expr> {
    step.condition.as_ref().and_then(|condition| cuelight_expression::parse(condition).ok())
}

/// True when a condition may hold while these status functions are true.
fn may_hold(condition: &Expr, true_ones: &[StatusFunction]) -> bool {
    condition.may_hold(|function| true_ones.contains(&function))
}
