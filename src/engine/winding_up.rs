//! The end of a run without open steps: completed steps are undone if that is wanted. Then the run ends, in a
//! state that its steps give.

use crate::{
    Fact, RunEvent, RunState, StepState, another_try::is_made_good, condition::View, handle::Turn, run::Run,
    talk,
};
use cuelight_base::{EVENT_CONTENT_BYTES_MAX, RunId, StepIx, Value, ValueMap, json_bytes};
use cuelight_plan::OnFailure;

impl Turn<'_> {
    /// Nothing is open any more: undo, or end.
    pub(super) fn wind_up(&mut self, id: RunId) {
        let run = self.run(id);
        let wants_undo = run.ending.stopping.is_some_and(|stopping| stopping.compensate)
            || run.ending.cancel_undo
            || run.ending.timed_out && run.plan.on_failure == OnFailure::Compensate;
        if !run.ending.compensating
            && wants_undo
            && run.undo.completed.iter().any(|step| run.is_to_undo(*step))
        {
            self.emit_run(id, RunEvent::Compensating);
        }
        if self.run(id).ending.compensating {
            while let Some(step) = self.run(id).next_to_undo() {
                self.emit(Fact::Undo(id, step, crate::UndoEvent::Asked));
                self.undo_call(id, step);
            }
            let run = self.run(id);
            if !run.undo.undoing.is_empty() || !run.undo.stuck.is_empty() {
                return;
            }
        }
        self.end_run(id);
    }

    fn end_run(&mut self, id: RunId) {
        let run = self.run(id);
        let state = final_state(run);
        let outputs = if matches!(state, RunState::Completed | RunState::PartiallyCompleted) {
            let view = View { scope: None, ..View::of(self.world, run, StepIx(0), self.now) };
            let mut left = EVENT_CONTENT_BYTES_MAX;
            let mut value = |template: &String| {
                let value = view.value(template).unwrap_or(Value::Null);
                let rest = left.checked_sub(json_bytes(&value));
                left = rest.unwrap_or(left);
                if rest.is_some() { value } else { Value::Null }
            };
            run.plan.outputs.iter().map(|(name, text)| (name.clone(), value(text))).collect()
        } else {
            ValueMap::new()
        };
        let partial = (state != RunState::Completed).then(|| Box::new(super::recovery::partial_result(run)));
        self.emit_run(id, RunEvent::Ended { state, outputs, partial });
    }
}

/// The final state of a run without open steps.
fn final_state(run: &Run) -> RunState {
    if run.undo.done > 0 && run.ending.compensating {
        return RunState::Undone;
    }
    if run.ending.timed_out {
        return RunState::Failed;
    }
    if run.ending.cancelling {
        return RunState::Cancelled;
    }
    match run.ending.stopping {
        Some(stopping) if stopping.rejected => return RunState::Rejected,
        Some(_) => return RunState::Failed,
        None => {}
    }
    // What came of a call that a model asked for was told to the model; its talk says how that ended.
    let counts = |(at, _): &(usize, _)| {
        let step = StepIx::from_index(*at);
        talk::around(run, step).is_none() && !is_made_good(run, step)
    };
    let spoiled = run.steps.iter().enumerate().filter(counts).any(|(_, step)| {
        matches!(
            step.state(),
            StepState::Failed | StepState::Rejected | StepState::Cancelled | StepState::Partial
        ) || step.state() == StepState::Skipped && (step.error.is_some() || !step.harmless)
    });
    if run.ending.aborted.is_some() {
        RunState::Failed
    } else if spoiled {
        RunState::PartiallyCompleted
    } else {
        RunState::Completed
    }
}
