//! The commands about a run as a whole: launch, pause, resume, cancel, and undo.

use super::{Turn, checked_reason, required_reason};
use crate::{Fact, Launching, Refusal, RunEvent, RunState, UndoEvent, Why, requesters};
use cuelight_base::{Actor, EVENT_CONTENT_BYTES_MAX, OPEN_RUNS_MAX, RunId, STEPS_MAX, StepIx, json_bytes};
use cuelight_plan::Plan;
use std::{collections::BTreeMap, sync::Arc};

impl Turn<'_> {
    pub(super) fn launch(&mut self, launching: Launching) -> Result<(), Refusal> {
        // The same again, perhaps of an engine that has begun anew meanwhile: its run is there.
        if self.world.made_for(&launching, self.now).is_some() {
            return Ok(());
        }
        self.has_room_for(&launching.plan)?;
        self.may_be_due(&launching.plan.name, &launching.cause)?;
        let Launching { plan, by, seed, cause, trace, request } = launching;
        let plan_hash = plan.hash();
        let run = self.world.next_run_id();
        let seed = seed.to_string();
        let plan = Arc::new(plan);
        let requesters = requesters::of_others(self.world, &by, None, self.now);
        self.emit_run(
            run,
            RunEvent::Created {
                plan,
                plan_hash,
                by,
                seed,
                cause,
                trace,
                request,
                asked: BTreeMap::new(),
                escalates: Box::default(),
                editors: Box::default(),
                requesters,
                displaced: Box::default(),
                displaced_behind: Box::default(),
            },
        );
        Ok(())
    }

    /// Checks that a run of this plan can be made.
    pub(crate) fn has_room_for(&self, plan: &Plan) -> Result<(), Refusal> {
        if self.world.open_runs >= OPEN_RUNS_MAX {
            return Err(Refusal::TooManyRuns(self.world.open_runs));
        }
        if plan.steps.len() > STEPS_MAX {
            return Err(Refusal::TooManySteps(plan.steps.len()));
        }
        if plan.steps.is_empty() {
            return Err(Refusal::Other(
                "could not start: the plan has no steps; write at least one".to_owned(),
            ));
        }
        let bytes = json_bytes(plan);
        if bytes > EVENT_CONTENT_BYTES_MAX {
            return Err(Refusal::Other(format!(
                "could not start: the plan and its inputs have {bytes} bytes, at most {EVENT_CONTENT_BYTES_MAX} can be kept; put scripts or values into files"
            )));
        }
        Ok(())
    }

    pub(super) fn pause(&mut self, run: RunId, by: Actor) -> Result<(), Refusal> {
        let this_run = self.find(run)?;
        match this_run.state {
            RunState::Running if this_run.ending.compensating => Err(undoes(run, "pause")),
            RunState::Running => {
                self.emit_run(run, RunEvent::Paused { by });
                Ok(())
            }
            RunState::Paused => Ok(()),
            state => Err(wrong_state(run, state, "pause", "only a running run can be paused")),
        }
    }

    pub(super) fn resume(&mut self, run: RunId, by: Actor) -> Result<(), Refusal> {
        match self.find(run)?.state {
            RunState::Paused => {
                self.emit_run(run, RunEvent::Resumed { by });
                Ok(())
            }
            RunState::Running => Ok(()),
            state => Err(wrong_state(run, state, "resume", "only a paused run can be resumed")),
        }
    }

    pub(super) fn cancel(
        &mut self,
        run: RunId,
        by: Actor,
        reason: String,
        undo: bool,
    ) -> Result<(), Refusal> {
        let this_run = self.find(run)?;
        if this_run.state.rests() {
            return Err(wrong_state(run, this_run.state, "cancel", "it has ended"));
        }
        if this_run.ending.compensating {
            return Err(undoes(run, "cancel"));
        }
        if this_run.ending.cancelling {
            return Ok(());
        }
        if undo {
            self.nothing_stands_on(run, "cancel")?;
        }
        let reason = checked_reason(reason)?;
        self.end_early(run, by, reason, undo);
        Ok(())
    }

    /// Refuses to undo what an open retry stands on: its kept approvals would let steps start whose results before them are
    /// gone. Asking again there would not mend that, as the results stay gone; the retry has taken them over, and undoes
    /// them itself. A fork stands beside the other run, and its gates ask anew.
    fn nothing_stands_on(&self, run: RunId, verb: &str) -> Result<(), Refusal> {
        let Some(retry) = self.world.retry_that_stands_on(run) else { return Ok(()) };
        let why = format!(
            "{retry} is a retry that stands on the same results; end {retry} first (`cuelight cancel {retry}`)"
        );
        Err(Refusal::Again { run, verb: verb.to_owned(), why })
    }

    /// Cancels a run. In one that has not begun nothing is left to run, not even what asks for failures by
    /// name.
    pub(crate) fn end_early(&mut self, run: RunId, by: Actor, reason: String, undo: bool) {
        let never_began = self.run(run).state == RunState::Created;
        self.emit_run(run, RunEvent::Cancelling { by, reason, undo });
        self.close_open(run, None, &Why::Cancelled, never_began);
    }

    pub(super) fn undo(&mut self, run: RunId, reason: String, by: Actor) -> Result<(), Refusal> {
        let this_run = self.find(run)?;
        if !this_run.state.rests() {
            return Err(wrong_state(
                run,
                this_run.state,
                "undo",
                &format!(
                    "it has not ended; end it with `cuelight cancel {run} --undo`, or answer what waits (`cuelight gates`)"
                ),
            ));
        }
        if !this_run.undo.completed.iter().any(|step| this_run.is_to_undo(*step)) {
            return Err(Refusal::Other(format!("could not undo {run}: no step of it can be undone")));
        }
        self.nothing_stands_on(run, "undo")?;
        let reason = required_reason(reason, &format!("undo {run}"))?;
        self.emit_run(run, RunEvent::Cancelling { by, reason, undo: true });
        self.emit_run(run, RunEvent::Compensating);
        Ok(())
    }

    pub(super) fn settle_undo(
        &mut self,
        run: RunId,
        step: StepIx,
        again: bool,
        reason: &str,
        by: Actor,
    ) -> Result<(), Refusal> {
        let this_step = self.find_step(run, step)?;
        let (stuck, state) = (this_step.step(step).undo.stuck, this_step.step(step).state());
        let id = this_step.plan_step(step).id.clone();
        if !stuck {
            return Err(Refusal::StepState { run, step: id, state, verb: "settle the undo of".to_owned() });
        }
        required_reason(reason.to_owned(), &format!("settle the undo of {id} of {run}"))?;
        if again {
            self.emit(Fact::Undo(run, step, UndoEvent::Again { by }));
            self.undo_call(run, step);
        } else {
            self.emit(Fact::Undo(run, step, UndoEvent::Done { by: Some(by) }));
        }
        Ok(())
    }
}

/// The refusal of a command for a run that undoes its steps.
pub(super) fn undoes(run: RunId, verb: &str) -> Refusal {
    Refusal::Other(format!("could not {verb} {run}: it undoes its steps; wait until that has ended"))
}

fn wrong_state(run: RunId, state: RunState, verb: &str, valid: &str) -> Refusal {
    Refusal::RunState { run, state, verb: verb.to_owned(), valid: Some(valid.to_owned()) }
}
