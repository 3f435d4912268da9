//! A step that holds others: a matrix, a workflow inside the workflow, the talk of a model. It opens with the
//! inputs of its steps, and closes with their outputs when they have ended.
//! The effect of its failure on the run is in `consequence`.

use crate::{
    StepEvent, StepState, again,
    by_hand::{is_or_makes_gate, left_out_by_hand, left_out_though_asked, templates_read_what_is_by_hand},
    call::Unresolved,
    condition::View,
    consequence::{reject_policy, unanswered_gate},
    handle::Turn,
    outcome,
    run::Run,
    talk,
};
use cuelight_base::{
    EVENT_CONTENT_BYTES_MAX, FailureMode, RunId, STEPS_MAX, StepIx, Value, ValueMap, counted, json_bytes,
};

use cuelight_expression::EvalError;

use cuelight_plan::{Frame, FrameKind, PlanStep, Work, expand};

use std::sync::Arc;

impl Turn<'_> {
    pub(super) fn open_frame(&mut self, id: RunId, step: StepIx, frame: &Frame) {
        let run = self.run(id);
        let view = View::of(self.world, run, step, self.now);
        let opened = match &frame.kind {
            FrameKind::Matrix => Ok((ValueMap::new(), Vec::new())),
            FrameKind::Workflow { inputs, defaults, .. } => {
                let mut all = defaults.clone();
                let given: Result<(), EvalError> = inputs.iter().try_for_each(|(name, value)| {
                    all.insert(name.clone(), view.deep(value)?);
                    Ok(())
                });
                given.and_then(|()| bounded(all)).map(|fields| (fields, Vec::new())).map_err(Unresolved::from)
            }
            // At another try of the workflow around it the copies that it made are done.
            FrameKind::Computed { .. } if !run.children(step).is_empty() => Ok((ValueMap::new(), Vec::new())),
            FrameKind::Computed { matrix, body } => {
                self.copies(id, step, matrix, body).map(|copies| (ValueMap::new(), copies))
            }
            FrameKind::Talk(talk) => talk::opening(view, talk)
                .and_then(|(said, first)| Ok((bounded(said)?, vec![first])))
                .map_err(Unresolved::from),
        };
        match opened {
            Ok((inputs, copies)) => self.emit_step(id, step, StepEvent::Opened { inputs, copies }),
            Err(why) => self.unresolved(id, step, Vec::new(), why),
        }
    }

    fn copies(
        &self,
        id: RunId,
        step: StepIx,
        matrix: &Value,
        body: &[PlanStep],
    ) -> Result<Vec<PlanStep>, Unresolved> {
        let run = self.run(id);
        let value = View::of(self.world, run, step, self.now).deep(matrix)?;
        let first = StepIx::from_index(run.steps.len());
        let mut copies =
            expand(&run.plan_step(step).id, body, first, step, &value).map_err(Unresolved::Failed)?;
        if copies.is_empty()
            && body.iter().any(is_or_makes_gate)
            && templates_read_what_is_by_hand(run, step, matrix)
        {
            return Err(Unresolved::Failed(left_out_by_hand("its empty matrix")));
        }
        let asked = run.plan_step(step).work.frame().map(|frame| frame.asked.as_slice()).unwrap_or_default();
        let is_made = |id: &&String| {
            copies.iter().any(|copy| {
                copy.id == **id || id.strip_prefix(&copy.id).is_some_and(|rest| rest.starts_with('/'))
            })
        };
        if let Some(gone) = asked.iter().find(|text| !is_made(text)) {
            return Err(Unresolved::Failed(left_out_though_asked(gone, "its matrix")));
        }
        for copy in &mut copies {
            match &mut copy.work {
                Work::Gate(rule) if asked.contains(&copy.id) => Arc::make_mut(rule).asks = true,
                Work::Frame(frame) => frame.asked = again::within(asked, &copy.id),
                _ => {}
            }
        }
        if run.steps.len() + copies.len() > STEPS_MAX {
            return Err(Unresolved::Failed(format!("its matrix makes more than {STEPS_MAX} steps")));
        }
        Ok(copies)
    }

    pub(super) fn close_frame(&mut self, id: RunId, step: StepIx) {
        let run = self.run(id);
        let this_step = run.step(step);
        if this_step.ending.is_some() {
            let after = run.plan_step(step).timeout.unwrap_or_default();
            let message = format!("took longer than its timeout of {after}");
            let failure = outcome::failure(FailureMode::SystemTimeout, message);
            if self.is_done_otherwise(id, step, &failure) {
                return;
            }
            return self.fail_step(id, step, &failure);
        }
        if let Some(child) = this_step.inside.failed {
            let (child_state, expired) = (run.step(child).state(), run.step(child).asking.expired);
            if child_state == StepState::Rejected {
                let on = reject_policy(run, child);
                self.emit_step(id, step, StepEvent::Rejected { expired });
                return self.consequences(id, step, true, on);
            }
            let asked = run.step(child).error.as_ref().filter(|_| talk::of(run.plan_step(step)).is_some());
            if let Some(record) = asked {
                let failure = outcome::failure(record.mode, record.message.clone());
                return self.fail_step(id, step, &failure);
            }
            if self.is_tried_again(id, step) {
                return;
            }
            let message = frame_message(self.run(id), step, child);
            let failure = outcome::failure(FailureMode::PartialStepFailures, message);
            if self.is_done_otherwise(id, step, &failure) {
                return;
            }
            return self.fail_step(id, step, &failure);
        }
        if let Some(why) = this_step.inside.cut.clone() {
            return self.emit_step(id, step, StepEvent::Cancelled { why });
        }
        if let Some(talk) = talk::of(run.plan_step(step)).cloned() {
            return self.talk_on(id, step, &talk);
        }
        // What needs this frame needs every gate in it.
        if let Some(gate) = unanswered_gate(run, step).filter(|unanswered_gate| *unanswered_gate != step) {
            let (on, this_step) = (reject_policy(run, step), run.step(gate));
            if this_step.state() == StepState::Rejected {
                let expired = this_step.asking.expired;
                self.emit_step(id, step, StepEvent::Rejected { expired });
                return self.consequences(id, step, true, on);
            }
            let message =
                format!("nobody answered its gate {}: see why it was skipped", run.plan_step(gate).id);
            return self.fail_step(id, step, &outcome::failure(FailureMode::PolicySecurity, message));
        }
        match self.frame_outputs(id, step) {
            Ok(outputs) => self.complete(id, step, outputs, None),
            Err(error) => {
                let message = format!("its outputs could not be gathered: {error}");
                self.fail_step(id, step, &outcome::failure(FailureMode::UserInvalidInput, message));
            }
        }
    }

    fn frame_outputs(&self, id: RunId, step: StepIx) -> Result<ValueMap, EvalError> {
        let run = self.run(id);
        let Work::Frame(frame) = &run.plan_step(step).work else { return Ok(ValueMap::new()) };
        match &frame.kind {
            FrameKind::Workflow { outputs, .. } => {
                let view = View { scope: Some(step), ..View::of(self.world, run, step, self.now) };
                let all = outputs.iter().map(|(name, output)| Ok((name.clone(), view.value(output)?)));
                bounded(all.collect::<Result<_, EvalError>>()?)
            }
            FrameKind::Talk(_) => Ok(ValueMap::new()),
            FrameKind::Matrix | FrameKind::Computed { .. } => {
                let mut left = EVENT_CONTENT_BYTES_MAX;
                for child in run.children(step) {
                    let bytes = json_bytes(&run.step(*child).outputs);
                    left = left.checked_sub(bytes).ok_or(EvalError::TooLarge(EVENT_CONTENT_BYTES_MAX))?;
                }
                let mut lists: Vec<(String, Vec<Value>)> = Vec::new();
                for (at, child) in run.children(step).iter().enumerate() {
                    for (key, value) in &run.step(*child).outputs {
                        let index = lists.iter().position(|list| list.0 == *key).unwrap_or_else(|| {
                            lists.push((key.clone(), Vec::new()));
                            lists.len() - 1
                        });
                        lists[index].1.resize(at, Value::Null);
                        lists[index].1.push(value.clone());
                    }
                }
                let copies = run.children(step).len();
                let whole = |mut list: Vec<Value>| {
                    list.resize(copies, Value::Null);
                    Value::Array(list)
                };
                Ok(lists.into_iter().map(|(key, list)| (key, whole(list))).collect())
            }
        }
    }
}

/// Values that one event can carry.
fn bounded(values: ValueMap) -> Result<ValueMap, EvalError> {
    let fits = json_bytes(&values) <= EVENT_CONTENT_BYTES_MAX;
    if fits { Ok(values) } else { Err(EvalError::TooLarge(EVENT_CONTENT_BYTES_MAX)) }
}

pub(super) fn descendants(run: &Run, frame: StepIx) -> Vec<StepIx> {
    let (mut found, mut open) = (Vec::new(), vec![frame]);
    while let Some(at) = open.pop() {
        for child in run.children(at) {
            found.push(*child);
            open.push(*child);
        }
    }
    found.sort();
    found
}

fn frame_message(run: &Run, frame: StepIx, child: StepIx) -> String {
    let all = run.children(frame);
    let failed = all.iter().filter(|child| run.step(**child).state() == StepState::Failed).count();
    let why = run.step(child).error.as_ref().map(|error| error.message.clone()).unwrap_or_default();
    format!(
        "{failed} of {} failed, first {}: {why}",
        counted(all.len(), "step", "steps"),
        run.plan_step(child).id
    )
}
