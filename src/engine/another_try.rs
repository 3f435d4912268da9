//! The retry of a workflow that a step calls: completed steps stand, and steps that failed, or never ran
//! because of them, begin again.
//! The `retry` of the calling step decides if and when. After its last try its `fallback` is done in its
//! place.

use crate::{
    Alternative, Choice, Failure, Purpose, StepEvent, StepState, WaitReason, attempt::held_above, call,
    consequence::holds_unanswered_gate, frame::descendants, handle::Turn, retry, run::Run, talk,
};
use cuelight_base::{FailureMode, RunId, Score, StepIx, shorten};
use cuelight_plan::{FrameKind, OnError, OnFailure, Work};
use std::collections::BTreeSet;

impl Turn<'_> {
    /// Has a workflow that has failed tried again, if its step says so; says whether it is.
    pub(super) fn is_tried_again(&mut self, id: RunId, frame: StepIx) -> bool {
        let run = self.run(id);
        let (this_step, plan) = (run.step(frame), run.plan_step(frame));
        let is_workflow =
            plan.work.frame().is_some_and(|frame| matches!(frame.kind, FrameKind::Workflow { .. }));
        let Some(policy) = plan.retry.clone().filter(|_| is_workflow && !run.is_ending()) else {
            return false;
        };
        let (calls, seed) = (this_step.tries.calls, run.seed);
        if run.why_over(frame).is_some()
            || !retry::may_try_again(Some(&policy), calls, first_failure(run, frame))
        {
            return false;
        }
        let anew = begins_anew(run, frame);
        // Nobody calls again unasked what may have happened and must not happen twice.
        let is_in_doubt =
            |at: &StepIx| run.plan_step(*at).effect.must_not_repeat() && run.step(*at).tries.unknown;
        // What a model was told it was told.
        let has_talked =
            |at: &StepIx| talk::of(run.plan_step(*at)).is_some() && !run.children(*at).is_empty();
        if anew.iter().any(|step| is_in_doubt(step) || has_talked(step)) {
            return false;
        }
        let until = self.now + retry::delay(&policy, calls, seed, frame);
        self.emit_step(
            id,
            frame,
            StepEvent::Waiting { reason: WaitReason::BackOff { until, next: calls + 1 } },
        );
        for step in anew {
            if self.run(id).step(step).state() != StepState::Pending {
                self.emit_step(id, step, StepEvent::SentBack);
            }
        }
        true
    }

    /// Has its fallback done in place of a workflow that has failed for good, if its step names one; says
    /// whether it is.
    pub(super) fn is_done_otherwise(&mut self, id: RunId, frame: StepIx, failure: &Failure) -> bool {
        let run = self.run(id);
        let plan = run.plan_step(frame);
        let is_asked = || held_above(run, frame).is_some();
        let Some(first) = plan.fallback.first().filter(|_| !run.is_ending() && !is_asked()) else {
            return false;
        };
        let around = plan.frame.and_then(|frame| run.why_over(frame));
        if around.is_some() || failure.mode == FailureMode::UserCancelled || holds_unanswered_gate(run, frame)
        {
            return false;
        }
        let why = shorten(&format!("{} failed: {}", plan.local, failure.message), 200);
        let passed = Alternative { name: plan.local.clone(), score: Score(0), why: why.clone() };
        let choice = Choice {
            policy: FALLBACK.to_owned(),
            chosen: call::kind(first).to_owned(),
            reason: why,
            alternatives: vec![passed],
            confidence: Score::ONE,
        };
        self.emit_step(id, frame, StepEvent::Routed { choice: Box::new(choice) });
        self.call(id, frame, Purpose::Fallback(1));
        true
    }
}

/// By which rule something else is done in place of a workflow.
pub(super) const FALLBACK: &str = "fallback";

/// True if a fallback is done in place of the workflow that a step calls.
pub(super) fn is_replaced(run: &Run, step: StepIx) -> bool {
    let this_step = run.step(step);
    matches!(run.plan_step(step).work, Work::Frame(_))
        && (this_step.tries.exhausted || this_step.tries.work > 0)
}

/// True if it stands in a workflow whose fallback has succeeded: a failure in it counts no more than a failed
/// call before a fallback.
pub(super) fn is_made_good(run: &Run, step: StepIx) -> bool {
    let mut around = run.plan_step(step).frame;
    while let Some(frame) = around {
        if is_replaced(run, frame) && run.step(frame).succeeded() {
            return true;
        }
        around = run.plan_step(frame).frame;
    }
    false
}

/// The first failure in the frame, however deep.
fn first_failure(run: &Run, frame: StepIx) -> FailureMode {
    let mut at = frame;
    while let Some(child) = run.step(at).inside.failed {
        at = child;
    }
    run.step(at).error.as_ref().map_or(FailureMode::PartialStepFailures, |error| error.mode)
}

/// The steps in a workflow that are done at its next try: those that failed or were ended for it, those that
/// never ran because of them, and all later ones.
fn begins_anew(run: &Run, frame: StepIx) -> BTreeSet<StepIx> {
    let inside = descendants(run, frame);
    let mut anew = BTreeSet::new();
    // A frame stands before what is in it.
    for step in inside {
        let around = run.plan_step(step).frame.unwrap_or(frame);
        if around != frame && !anew.contains(&around) || !went_wrong(run, step) {
            continue;
        }
        let mut open = vec![(step, run.step(step).state() == StepState::Skipped)];
        while let Some((at, whole)) = open.pop() {
            anew.insert(at);
            let next = run.dependents(at).iter().chain(if whole { run.children(at) } else { &[] });
            open.extend(
                next.filter(|dependent| !anew.contains(dependent)).map(|dependent| (*dependent, true)),
            );
        }
    }
    anew
}

/// True if the workflow failed because of this step, or this step was ended with it.
fn went_wrong(run: &Run, step: StepIx) -> bool {
    let (step, plan) = (run.step(step), run.plan_step(step));
    match step.state() {
        StepState::Failed => plan.on_error == OnError::Abort,
        StepState::Rejected => match &plan.work {
            Work::Gate(rule) => rule.on_reject != OnFailure::Continue,
            _ => true,
        },
        StepState::Cancelled => true,
        StepState::Skipped => !step.harmless,
        StepState::Pending
        | StepState::Ready
        | StepState::Waiting
        | StepState::Running
        | StepState::InDoubt
        | StepState::Completed
        | StepState::Partial
        | StepState::Undoing
        | StepState::Undone => false,
    }
}
