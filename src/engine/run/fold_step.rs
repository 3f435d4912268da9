//! Folds the events of a step into its run.

use super::{Room, Run};
use crate::{
    DoubtAnswer, Origin, StepEvent, StepState, WaitReason, Why,
    another_try::FALLBACK,
    step::{self, Approval, Asking, Did, Step, Tries, UndoState},
    talk,
};
use cuelight_base::{Actor, RoutePolicy, StepIx, Timestamp, ValueMap};
use cuelight_plan::{OnError, Work};
use std::{cmp::Reverse, sync::Arc};

impl Run {
    pub(crate) fn apply_step(&mut self, at: Timestamp, index: StepIx, event: &StepEvent) {
        let before = self.step(index).state();
        let Some(after) = step::next(before, event) else {
            panic!(
                "fault: {} of {} is {before} and cannot take {event:?}",
                self.plan_step(index).id,
                self.id
            );
        };
        if let StepEvent::Routed { choice } = event {
            if RoutePolicy::ALL.iter().any(|policy| policy.word() == choice.policy) {
                self.steps[index.index()].target.chosen = Some(choice.chosen.clone());
            }
            if choice.policy == FALLBACK && matches!(self.plan_step(index).work, Work::Frame(_)) {
                // Nothing in it counts any more, and its time-out was of it.
                self.forget_due(index);
                let step = &mut self.steps[index.index()];
                (step.tries.exhausted, step.ending) = (true, None);
                (step.inside.failed, step.inside.cut) = (None, None);
            }
            return;
        }
        self.forget_due(index);
        self.queue.touched.remove(&self.rank(index));
        self.leave(index, before, after);
        let is_gate = matches!(self.plan_step(index).work, Work::Gate(_));
        let step = &mut self.steps[index.index()];
        step.state = Some(after);
        match event {
            StepEvent::Ready => {
                let plan = self.plan_step(index);
                let (key, priority) = ((plan.frame, Room::of(&plan.work)), plan.priority);
                self.queue.ready.entry(key).or_default().insert((Reverse(priority), index));
            }
            StepEvent::Waiting { reason } => self.wait_for(index, reason),
            StepEvent::FactsAsked { files, patterns, programs } => {
                step.looked |= !files.is_empty();
                step.looked_at.clone_from(programs);
                step.asked = Some(Box::new((files.clone(), patterns.clone(), programs.clone())));
            }
            StepEvent::FactsKnown { facts } => {
                if is_gate && facts.tree_digest().is_some() {
                    self.captured.insert(index);
                }
                step.facts = Some(Arc::new(facts.clone()));
                step.asked = None;
                self.touch(index);
            }
            StepEvent::Opened { inputs, copies } => {
                step.inside.inputs.clone_from(inputs);
                step.tries.calls += 1;
                self.limit_frame(at, index);
                self.open_frame(index, copies);
            }
            StepEvent::Grown { calls, copies } => self.grow_frame(index, calls, copies),
            StepEvent::Completed { .. } => self.take_result(index, event),
            StepEvent::DoneByHand { by, outputs, reason } => self.take_by_hand(index, by, outputs, reason),
            StepEvent::Failed { record } => {
                step.error = Some(record.clone());
                self.ending.failures += 1;
                let plan = self.plan_step(index);
                if plan.frame.is_none() && plan.on_error == OnError::Abort {
                    self.ending.aborted.get_or_insert(index);
                }
            }
            StepEvent::Rejected { expired } => step.asking.expired = *expired,
            StepEvent::Skipped { why } => {
                step.by_hand = matches!(why, Why::Person { .. });
                step.harmless = step::is_harmless(why);
                // In a frame that never opens there is nothing to wait for.
                if matches!(why, Why::Frame(_)) {
                    step.needs.open = 0;
                }
                if let Why::Failed(record) = why {
                    step.error = Some(record.clone());
                    self.ending.failures += 1;
                }
            }
            StepEvent::Cancelled { .. } | StepEvent::Routed { .. } => {}
            StepEvent::Ending { why } => step.ending = Some(why.clone()),
            StepEvent::SentBack => {
                // What was approved before it, by gates that do not ask again, binds it as before.
                let stands = |approval: &Approval| self.step(approval.gate).state() == StepState::Completed;
                let fresh = self.left_of(index, before, stands);
                self.holds.values_mut().for_each(|steps| steps.retain(|held| *held != index));
                self.asked_anew.remove(&index);
                return self.begin_anew(index, before, fresh);
            }
            StepEvent::Reopened { why, gates } => return self.reopen(index, before, why, gates),
            StepEvent::InDoubt { .. } => step.tries.in_flight = None,
            StepEvent::DoubtAnswered { answer, .. } => {
                step.by_hand = matches!(answer, DoubtAnswer::Happened(_));
                if matches!(answer, DoubtAnswer::NotHappened) {
                    step.tries.calls = step.tries.calls.saturating_sub(1);
                    step.tries.losses = 0;
                    step.forget_doubt();
                }
            }
        }
        if after.rests() && !before.rests() {
            self.note_unknown(index, after);
            self.note_cut(index, event);
            self.come_to_rest(index);
        }
    }

    /// A frame that opens takes no longer than its time-out, with all its tries together.
    fn limit_frame(&mut self, at: Timestamp, index: StepIx) {
        if let Some(timeout) = self.plan_step(index).timeout {
            let step = &mut self.steps[index.index()];
            let until = *step.inside.deadline.get_or_insert(at + timeout);
            step.due = Some(until);
            self.queue.due.insert((until, Some(index)));
        }
    }

    /// The state that a step keeps when it begins again: its effects, certain or possible, and the approvals
    /// that stand.
    pub(super) fn left_of(
        &self,
        index: StepIx,
        before: StepState,
        stands: impl Fn(&Approval) -> bool,
    ) -> Step {
        let step = self.step(index);
        let Tries { attempts, unknown, generation, .. } = step.tries;
        let approvals = step.asking.approvals.iter().filter(|approval| stands(approval)).cloned().collect();
        let did = self.did(index, before);
        // What is undone in any case is undone as it was done.
        let as_done = did.as_ref().map(|_| &step.undo);
        Step {
            explicit: step.explicit,
            tries: Tries { attempts, unknown, generation, ..Tries::default() },
            undo: UndoState {
                called: step.undo.called.clone(),
                did,
                ran_in: as_done.and_then(|undo| undo.ran_in.clone()),
                bound: as_done.and_then(|undo| undo.bound.clone()),
                ..UndoState::default()
            },
            asking: Asking { has_asked: step.asking.has_asked, approvals, ..Asking::default() },
            ..Step::default()
        }
    }

    /// The effects of a step that begins again, if they are for this run to undo.
    pub(super) fn did(&self, index: StepIx, before: StepState) -> Option<Box<Did>> {
        let step = self.step(index);
        if before.is_done() && self.undo.completed.contains(&index) {
            return Some(Box::new(Did { outputs: step.outputs.clone(), called: step.undo.called.clone() }));
        }
        step.undo.did.clone()
    }

    /// Takes the outputs of a step, and the calls that a gate released.
    fn take_result(&mut self, index: StepIx, event: &StepEvent) {
        let StepEvent::Completed {
            outputs,
            confidence,
            released,
            released_fallbacks,
            released_later,
            kept,
            origin,
            bound,
            cached,
            given,
            ..
        } = event
        else {
            return;
        };
        if let Some(given) = given {
            self.note_given(index, given);
            if let Some(called) = &mut self.steps[index.index()].undo.called {
                called.gave = Some(outputs.clone());
            }
        }
        let step = &mut self.steps[index.index()];
        step.outputs.clone_from(outputs);
        step.tries.unknown = false;
        let was_done = step.undo.did.take().is_some();
        step.confidence = *confidence;
        step.by_hand |= origin.as_ref().is_some_and(|origin| origin.by.is_some());
        step.origin.clone_from(origin);
        step.cached.clone_from(cached);
        let is_gate = matches!(self.plan_step(index).work, Work::Gate(_));
        let step = &mut self.steps[index.index()];
        if is_gate && bound.is_some() {
            step.facts = bound.as_deref().cloned().map(Arc::new);
        } else if let Some(bound) = bound {
            step.undo.ran_in = bound.only_tree();
            step.undo.bound = Some(bound.clone());
        }
        if is_gate {
            self.approve(index, released, released_fallbacks, released_later.as_deref());
        }
        // What this run has not done is not its to undo.
        if !(*kept && self.before.is_fork) && cached.is_none() {
            if was_done {
                self.undo.completed.retain(|step| *step != index);
            }
            self.undo.completed.push(index);
        }
    }

    /// A result that a person gives: the failure it replaces ends nothing any more.
    fn take_by_hand(&mut self, index: StepIx, by: &Actor, outputs: &ValueMap, reason: &str) {
        let origin = Origin { run: self.id, by: Some(by.clone()), reason: reason.to_owned() };
        let step = &mut self.steps[index.index()];
        step.outputs.clone_from(outputs);
        step.by_hand = true;
        (step.tries.unknown, step.undo.did) = (false, None);
        step.error = None;
        step.origin = Some(Box::new(origin));
        if self.ending.aborted == Some(index) {
            self.ending.aborted = None;
        }
        if let Some(frame) = self.plan_step(index).frame {
            let frame = &mut self.steps[frame.index()];
            frame.inside.failed = frame.inside.failed.filter(|failed_child| *failed_child != index);
        }
        self.undo.completed.retain(|step| *step != index);
        self.undo.completed.push(index);
    }

    fn wait_for(&mut self, index: StepIx, reason: &WaitReason) {
        let is_frame = matches!(self.plan_step(index).work, Work::Frame(_));
        let step = &mut self.steps[index.index()];
        if is_frame {
            // What its next try fails for is what goes wrong then.
            (step.inside.failed, step.inside.cut, step.ending) = (None, None, None);
        }
        step.due = match reason {
            WaitReason::Time(until) | WaitReason::BackOff { until, .. } => Some(*until),
            WaitReason::Candidates { until, fails_at, .. } => {
                (step.target.fails_at, step.target.offered) = (*fails_at, None);
                until.iter().chain(fails_at).min().copied()
            }
            WaitReason::Agent { name, fails_at, .. } => {
                (step.target.fails_at, step.target.offered) = (*fails_at, Some(name.clone()));
                *fails_at
            }
            WaitReason::Message { until, .. } => *until,
            WaitReason::Person(_) | WaitReason::Facts | WaitReason::Target { .. } => None,
        };
        step.listens = matches!(reason, WaitReason::Message { .. }).then(|| Box::new(reason.clone()));
        if let Some(until) = step.due {
            self.queue.due.insert((until, Some(index)));
        }
    }

    /// Resets a step that was sent back to its state before it began; only its calls are counted on, so that
    /// each has a number of its own.
    /// Its earlier effects are undone once, also when the step is not done again.
    pub(super) fn begin_anew(&mut self, index: StepIx, before: StepState, fresh: Step) {
        if fresh.undo.did.is_none() {
            self.undo.completed.retain(|step| *step != index);
        }
        self.steps[index.index()] = fresh;
        self.ending.aborted = self.ending.aborted.filter(|aborted| *aborted != index);
        if before.rests() {
            self.queue.open += 1;
        }
        let frame = self.plan_step(index).frame;
        if let Some(frame) = frame {
            let step = &mut self.steps[frame.index()];
            step.inside.failed = step.inside.failed.filter(|child| *child != index);
        }
        let children = self.children(index).to_vec();
        for step in self.waiting_for(index).into_iter().chain(children).chain(frame).chain([index]) {
            self.count_again(step);
        }
    }

    /// Notes a step whose effect may have happened: it is undone like a completed one. So is a talk that
    /// failed when some of its calls were done.
    fn note_unknown(&mut self, index: StepIx, after: StepState) {
        let failed = matches!(after, StepState::Failed | StepState::Cancelled | StepState::Skipped);
        if !failed || !self.is_undoable(index) {
            return;
        }
        let step = self.step(index);
        if step.undo.did.is_none() && (step.tries.unknown || !talk::done(self, index).is_empty()) {
            self.undo.completed.push(index);
        }
    }

    /// A frame one of whose children was ended from outside did not do what it should.
    fn note_cut(&mut self, index: StepIx, event: &StepEvent) {
        let (StepEvent::Cancelled { why } | StepEvent::Skipped { why }) = event else { return };
        let from_outside = match why {
            Why::Stopped(_) | Why::Cancelled | Why::RunTimedOut | Why::FailFast(_) | Why::Frame(_) => true,
            Why::Condition | Why::Need(_) | Why::Kept | Why::Person { .. } | Why::Failed(_) => false,
        };
        if from_outside && let Some(frame) = self.plan_step(index).frame {
            self.steps[frame.index()].inside.cut.get_or_insert_with(|| why.clone());
        }
    }
}
