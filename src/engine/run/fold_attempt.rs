//! Folds the events of calls and of undos into their run.

use super::Run;
use crate::{
    AttemptEvent, Purpose, StepEvent, StepState, UndoEvent, WaitReason, call,
    step::{Called, Did},
    unwind::Unwinding,
};
use cuelight_base::{StepIx, Timestamp, ValueMap};
use cuelight_plan::{Amounts, Currency, Work};

impl Run {
    pub(crate) fn apply_attempt(&mut self, at: Timestamp, index: StepIx, number: u32, event: &AttemptEvent) {
        match event {
            AttemptEvent::Started { purpose, charge, cache_key, launch, bound, .. } => {
                self.attempt_started(index, number, *purpose, *charge);
                if let (Purpose::Step, Some(tool)) = (purpose, &launch.tool) {
                    self.note_given(index, &tool.input);
                }
                let files = cache_key.as_ref().and_then(|_| self.made_with(index, launch, bound.as_deref()));
                let step = &mut self.steps[index.index()];
                step.target.cache_key.clone_from(cache_key);
                step.target.cache_files = files;
                if let Some(tree) = bound.as_ref().and_then(|bound| bound.only_tree()) {
                    step.undo.ran_in = Some(tree);
                }
            }
            AttemptEvent::Ended { outcome, retry_at } => {
                self.correct(index, outcome.usage);
                let has_least = self.plan_step(index).confidence.is_some();
                let step = &mut self.steps[index.index()];
                let purpose = step.tries.in_flight.take();
                let is_work = matches!(purpose, Some(Purpose::Step | Purpose::Fallback(_)));
                // What ends well before it could be ended has happened, whatever it then rests as.
                let is_done = is_work && step.ending.is_some() && outcome.failure.is_none();
                step.tries.unknown |= is_done;
                match &outcome.failure {
                    Some(failure) if is_work => {
                        if failure.not_started {
                            step.tries.not_started += 1;
                            step.tries.calls = step.tries.calls.saturating_sub(1);
                        }
                        step.tries.exhausted = retry_at.is_none() && !failure.not_started;
                    }
                    None if is_work && has_least => {
                        step.asking.held = Some(Box::new(outcome.outputs.clone()))
                    }
                    Some(_) | None => {}
                }
                if let Some(called) =
                    step.undo.called.as_mut().filter(|_| is_work && outcome.failure.is_none())
                {
                    called.gave = Some(outcome.outputs.clone());
                }
                if is_done && step.undo.did.is_some() {
                    let (outputs, called) = (outcome.outputs.clone(), step.undo.called.clone());
                    step.undo.did = Some(Box::new(Did { outputs, called }));
                }
                if purpose == Some(Purpose::Check) && outcome.exit_code == Some(1) {
                    step.tries.calls = step.tries.calls.saturating_sub(1);
                    step.forget_doubt();
                }
                if purpose == Some(Purpose::Undo) {
                    step.due = *retry_at;
                    if let Some(until) = *retry_at {
                        self.queue.due.insert((until, Some(index)));
                    }
                } else if let Some(until) = *retry_at {
                    let next = number + 1;
                    self.apply_step(
                        at,
                        index,
                        &StepEvent::Waiting { reason: WaitReason::BackOff { until, next } },
                    );
                }
            }
            // It is in flight as before.
            AttemptEvent::Adopted { .. } => {}
            AttemptEvent::Lost { .. } => {
                let step = &mut self.steps[index.index()];
                let purpose = step.tries.in_flight.take();
                let is_work = matches!(purpose, Some(Purpose::Step | Purpose::Fallback(_)));
                step.tries.unknown |= is_work;
                if let Some(called) = step.undo.called.as_mut().filter(|_| is_work)
                    && !called.in_doubt.contains(&called.input)
                {
                    called.in_doubt.push(called.input.clone());
                }
                step.tries.losses += u32::from(is_work);
                self.charged.remove(&index);
            }
        }
    }

    /// Notes the input of a call whose tool has an undo, for that undo: the values that its words had then.
    pub(super) fn note_given(&mut self, index: StepIx, input: &ValueMap) {
        let undo = call::undo_work(self.plan_step(index));
        if !matches!(undo, Some(Work::Tool(tool_use)) if tool_use.undoes) {
            return;
        }
        let called = &mut self.steps[index.index()].undo.called;
        let in_doubt = called.take().map(|called| called.in_doubt).unwrap_or_default();
        *called = Some(Box::new(Called { input: input.clone(), gave: None, in_doubt }));
    }

    fn attempt_started(&mut self, index: StepIx, number: u32, purpose: Purpose, charge: Amounts) {
        self.forget_due(index);
        self.queue.touched.remove(&self.rank(index));
        let before = self.step(index).state();
        let step = &mut self.steps[index.index()];
        step.tries.attempts = number;
        step.tries.in_flight = Some(purpose);
        step.tries.exhausted = false;
        (step.target.fails_at, step.target.offered) = (None, None);
        if matches!(purpose, Purpose::Step | Purpose::Fallback(_)) {
            step.undo.bound = None;
        }
        match purpose {
            Purpose::Undo => {
                step.undo.calls += 1;
                return;
            }
            Purpose::Step => step.tries.calls += 1,
            Purpose::Fallback(which) => {
                if step.tries.work != which {
                    (step.tries.work, step.tries.calls, step.tries.losses) = (which, 0, 0);
                }
                step.tries.calls += 1;
            }
            Purpose::Check => {}
        }
        if purpose != Purpose::Check {
            self.charge(index, charge.with(Currency::Calls, 1));
        }
        self.leave(index, before, StepState::Running);
        self.steps[index.index()].state = Some(StepState::Running);
    }

    pub(crate) fn apply_undo(&mut self, index: StepIx, event: &UndoEvent) {
        self.forget_due(index);
        let step = &mut self.steps[index.index()];
        match event {
            UndoEvent::Asked => {
                step.state = Some(StepState::Undoing);
                self.undo.undoing.insert(index);
                self.unwind(|unwinding, run| unwinding.begin(run, index));
            }
            UndoEvent::Done { .. } => {
                step.state = Some(StepState::Undone);
                step.undo.stuck = false;
                self.undo.undoing.remove(&index);
                self.undo.stuck.remove(&index);
                self.undo.done += 1;
                self.unwind(|unwinding, run| unwinding.end(run, index));
            }
            UndoEvent::Stuck { record } => {
                step.undo.stuck = true;
                step.error = Some(record.clone());
                self.undo.undoing.remove(&index);
                self.undo.stuck.insert(index);
            }
            UndoEvent::Again { .. } => {
                self.noted.remove(&(Some(index), true));
                step.undo.stuck = false;
                step.undo.calls = 0;
                self.undo.stuck.remove(&index);
                self.undo.undoing.insert(index);
            }
        }
    }

    fn unwind(&mut self, change: impl FnOnce(&mut Unwinding, &Self)) {
        if let Some(mut unwinding) = self.undo.unwinding.take() {
            change(&mut unwinding, self);
            self.undo.unwinding = Some(unwinding);
        }
    }
}
