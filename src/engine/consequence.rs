//! The consequences for other steps when a step completes, fails, is rejected or is skipped.
//! Steps that have not begun and steps that only wait are ended with it, as its `on-error`, the gate or the
//! run tells. `winding_up` decides when the run itself is over.

use crate::{
    Failure, RunEvent, StepEvent, StepState, Why, by_hand::holds_gate, frame::descendants, gate::Gate,
    handle::Turn, outcome, run::Run, talk,
};
use cuelight_base::{ErrorKind, FailureMode, RunId, Severity, StepIx, ValueMap};
use cuelight_plan::{ConfidenceBelow, FrameKind, OnError, OnFailure, Work};

impl Turn<'_> {
    /// A step is done.
    pub(super) fn complete(
        &mut self,
        id: RunId,
        step: StepIx,
        outputs: ValueMap,
        result: Option<outcome::Result>,
    ) {
        let fallback = self.run(id).step(step).tries.work;
        let (confidence, partial) =
            result.map_or((None, false), |result| (Some(result.confidence), result.partial));
        let done = StepEvent::Completed {
            outputs,
            confidence,
            partial,
            fallback,
            kept: false,
            released: Vec::new(),
            released_fallbacks: Vec::new(),
            released_later: None,
            origin: None,
            bound: None,
            cached: None,
            given: None,
        };
        self.emit_step(id, step, done);
    }

    /// A step has failed for good; what that does stands in its `on-error`.
    pub(super) fn fail_step(&mut self, id: RunId, step: StepIx, failure: &Failure) {
        let plan = self.run(id).plan_step(step);
        // A gate in it was not answered: what needs it does not go on as if it had been.
        let on_error = match plan.on_error {
            OnError::Skip if holds_unanswered_gate(self.run(id), step) => OnError::Continue,
            written => written,
        };
        let severity = if on_error == OnError::Abort { Severity::High } else { Severity::Medium };
        let mut record = outcome::record(plan, failure, severity);
        if self.run(id).step(step).state() == StepState::InDoubt {
            // Given up by a person who could not say what became of it either.
            record.error_type = ErrorKind::Unknown;
        }
        record.message.push_str(&talk::leaves(self.run(id), step));
        self.skip_children(id, step);
        match on_error {
            OnError::Skip => self.emit_step(id, step, StepEvent::Skipped { why: Why::Failed(record) }),
            OnError::Continue => self.emit_step(id, step, StepEvent::Failed { record }),
            OnError::Abort => {
                self.emit_step(id, step, StepEvent::Failed { record });
                let on = run_policy(self.run(id));
                self.consequences(id, step, false, on);
            }
        }
    }

    /// Applies the consequences of an aborting failure, or of a rejection, to all other steps.
    pub(super) fn consequences(&mut self, id: RunId, step: StepIx, rejected: bool, on: OnFailure) {
        let run = self.run(id);
        if rejected && on == OnFailure::Continue {
            return;
        }
        if let Some(frame) = run.plan_step(step).frame {
            let Work::Frame(around) = &run.plan_step(frame).work else { return };
            match around.kind {
                FrameKind::Workflow { .. } => self.close_open(id, Some(frame), &Why::Stopped(step), false),
                FrameKind::Matrix | FrameKind::Computed { .. } if around.fail_fast => {
                    self.close_open(id, Some(frame), &Why::FailFast(step), true);
                }
                FrameKind::Matrix | FrameKind::Computed { .. } | FrameKind::Talk(_) => {}
            }
            return;
        }
        if on == OnFailure::Continue || run.ending.stopping.is_some() || run.ending.cancelling {
            return;
        }
        let compensate = on == OnFailure::Compensate;
        self.emit_run(id, RunEvent::Stopping { because: step, rejected, compensate });
        self.close_open(id, None, &Why::Stopped(step), false);
    }

    /// Ends the steps that have not begun, and those that only wait: everywhere, or inside one frame. Running
    /// steps go on, unless `all`.
    pub(super) fn close_open(&mut self, id: RunId, within: Option<StepIx>, why: &Why, all: bool) {
        let run = self.run(id);
        let members: Vec<StepIx> = match within {
            None => (0..run.steps.len()).map(StepIx::from_index).collect(),
            Some(frame) => descendants(run, frame),
        };
        for step in members {
            let run = self.run(id);
            let this_step = run.step(step);
            let spared = (this_step.explicit || run.in_explicit_frame(step)) && !all && !run.ending.timed_out;
            let asks =
                this_step.gate.is_some_and(|gate| self.world.gates.get(&gate).is_some_and(Gate::is_open));
            match this_step.state() {
                StepState::Pending | StepState::Ready if !spared => self.skip_tree(id, step, why.clone()),
                StepState::Waiting if !spared || asks => {
                    self.skip_children(id, step);
                    self.close_gate(id, step, "run");
                    self.emit_step(id, step, StepEvent::Cancelled { why: why.clone() });
                }
                StepState::Running
                    if all && this_step.tries.in_flight.is_some() && this_step.ending.is_none() =>
                {
                    self.emit_step(id, step, StepEvent::Ending { why: why.clone() });
                }
                StepState::Pending
                | StepState::Ready
                | StepState::Waiting
                | StepState::Running
                | StepState::Completed
                | StepState::Partial
                | StepState::Failed
                | StepState::Rejected
                | StepState::Skipped
                | StepState::Cancelled
                | StepState::Undoing
                | StepState::Undone
                | StepState::InDoubt => {}
            }
        }
    }

    /// Skips a step, and what can then never run inside it.
    pub(super) fn skip_tree(&mut self, id: RunId, step: StepIx, why: Why) {
        self.skip_children(id, step);
        self.close_gate(id, step, "run");
        self.emit_step(id, step, StepEvent::Skipped { why });
    }

    /// Records that a step that was being ended has ended.
    pub(super) fn ended_as(&mut self, id: RunId, step: StepIx, why: Why) {
        let by_hand = matches!(why, Why::Person { .. });
        let event = if by_hand { StepEvent::Skipped { why } } else { StepEvent::Cancelled { why } };
        self.emit_step(id, step, event);
    }

    fn skip_children(&mut self, id: RunId, frame: StepIx) {
        for step in descendants(self.run(id), frame) {
            if self.run(id).step(step).state() == StepState::Pending {
                self.emit_step(id, step, StepEvent::Skipped { why: Why::Frame(frame) });
            }
        }
    }

    /// Treats a success below its least confidence; true when the step is not done yet.
    pub(super) fn is_held(&mut self, id: RunId, step: StepIx, result: &outcome::Result) -> bool {
        match result.below {
            None | Some(ConfidenceBelow::Warn) => false,
            Some(ConfidenceBelow::Gate) => {
                self.ask_by_the_way(id, step);
                true
            }
            Some(ConfidenceBelow::Fail) => {
                let min = self
                    .run(id)
                    .plan_step(step)
                    .confidence
                    .as_ref()
                    .map_or(String::new(), |confidence| confidence.min.to_string());
                let message = format!("its confidence of {} is below {min}", result.confidence);
                self.fail_step(id, step, &outcome::failure(FailureMode::AgentValidation, message));
                true
            }
        }
    }
}

/// True for a gate, and for a frame in which a gate was neither approved nor left out by an `if`. No fallback
/// of it, and no step that goes on without it, may pass that gate.
pub(super) fn holds_unanswered_gate(run: &Run, step: StepIx) -> bool {
    matches!(run.plan_step(step).work, Work::Gate(_)) || unanswered_gate(run, step).is_some()
}

/// The gate in a frame that lets no step behind the frame start: a rejected one first. A frame that never
/// opened stands for the gates in it. Gates of a completed talk do not count: the model has gone on without
/// the rejected calls.
pub(super) fn unanswered_gate(run: &Run, frame: StepIx) -> Option<StepIx> {
    let (mut found, mut open) = (None, vec![frame]);
    while let Some(at) = open.pop() {
        let is_skipped = at != frame && run.step(at).state() == StepState::Skipped;
        if is_skipped || run.children(at).is_empty() {
            found = found.or_else(|| holds_gate(run, at).then_some(at));
            continue;
        }
        for child in run.children(at).iter().copied().filter(|child| !run.step(*child).succeeded()) {
            match run.plan_step(child).work {
                Work::Gate(_) if run.step(child).state() == StepState::Rejected => return Some(child),
                Work::Gate(_) => found = found.or(Some(child)),
                Work::Frame(_) => open.push(child),
                Work::Run { .. }
                | Work::Tool(_)
                | Work::Http(_)
                | Work::Model(_)
                | Work::Wait(_)
                | Work::Set { .. }
                | Work::Emit(_)
                | Work::Later(_) => {}
            }
        }
    }
    found
}

fn run_policy(run: &Run) -> OnFailure {
    run.plan.on_failure
}

/// The rule of the gate that rejected, however deep it stands.
pub(super) fn reject_policy(run: &Run, mut step: StepIx) -> OnFailure {
    loop {
        match &run.plan_step(step).work {
            Work::Gate(rule) => return rule.on_reject,
            Work::Frame(_) => {
                let unanswered =
                    || unanswered_gate(run, step).filter(|unanswered_gate| *unanswered_gate != step);
                match run.step(step).inside.failed.or_else(unanswered) {
                    Some(child) => step = child,
                    None => return run_policy(run),
                }
            }
            Work::Run { .. }
            | Work::Tool(_)
            | Work::Http(_)
            | Work::Model(_)
            | Work::Wait(_)
            | Work::Set { .. }
            | Work::Emit(_)
            | Work::Later(_) => {
                return run_policy(run);
            }
        }
    }
}
