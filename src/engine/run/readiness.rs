//! Counts, for each step, the needs that have not ended, and the slots and places that are taken.
//!
//! One completion costs its out-degree; nothing scans all steps.

use super::{Room, Run};
use crate::{RunState, StepState, talk};
use cuelight_base::StepIx;
use cuelight_plan::{OnError, OnFailure, Work};
use std::cmp::Reverse;

impl Run {
    pub(super) fn touch(&mut self, step: StepIx) {
        self.queue.touched.insert(self.rank(step));
    }

    /// The steps that need a step, and the steps that it holds beside them.
    pub(super) fn waiting_for(&self, index: StepIx) -> Vec<StepIx> {
        let held = self.holds.get(&index).into_iter().flatten();
        let held = held.filter(|step| !self.plan_step(**step).needs.contains(&index));
        held.chain(self.dependents(index)).copied().collect()
    }

    /// Counts again the needs that a step waits for: its needs and the frame around it, as they are now.
    pub(super) fn count_again(&mut self, index: StepIx) {
        let plan = self.plan_step(index);
        let open_frame = |frame: StepIx| self.step(frame).state() == StepState::Running;
        let mut open = u32::from(plan.frame.is_some_and(|frame| !open_frame(frame)));
        let (mut blocked, mut failed) = (None, false);
        let held_by = self.step(index).needs.held_by.iter().filter(|step| !plan.needs.contains(step));
        for need in plan.needs.iter().chain(held_by) {
            let step = self.step(*need);
            if !step.rests() || step.waits_for_its_needs() {
                open += 1;
                continue;
            }
            failed |= step.state() == StepState::Failed || step.needs.failed_above;
            if !step.succeeded() && blocked.is_none() {
                blocked = Some(*need);
            }
        }
        let children = self.children(index).iter().filter(|child| !self.step(**child).rests()).count();
        let step = &mut self.steps[index.index()];
        step.inside.open = u32::try_from(children).unwrap_or(u32::MAX);
        let is_pending = step.state() == StepState::Pending;
        if !is_pending && !step.waits_for_its_needs() {
            return;
        }
        (step.needs.open, step.needs.blocked, step.needs.failed_above) = (open, blocked, failed);
        if !is_pending {
            return;
        }
        if open == 0 {
            self.touch(index);
        } else {
            self.queue.touched.remove(&self.rank(index));
        }
    }

    /// Gives back the room of a state that is left: a slot, a place, an entry in the list of ready steps.
    pub(super) fn leave(&mut self, index: StepIx, before: StepState, after: StepState) {
        let plan = self.plan_step(index);
        let (frame, priority, is_frame) = (plan.frame, plan.priority, matches!(plan.work, Work::Frame(_)));
        let room = Room::of(&plan.work);
        let takes_place = room != Room::Nothing;
        if before == StepState::Ready
            && let Some(ready) = self.queue.ready.get_mut(&(frame, room))
        {
            ready.remove(&(Reverse(priority), index));
            if ready.is_empty() {
                self.queue.ready.remove(&(frame, room));
            }
        }
        if before == StepState::Running && after != StepState::Running {
            if !is_frame {
                self.queue.running -= 1;
            }
            if takes_place {
                self.move_place(frame, false);
            }
        }
        if after == StepState::Running && before != StepState::Running {
            if !is_frame {
                self.queue.running += 1;
            }
            if takes_place {
                self.move_place(frame, true);
            }
        }
    }

    fn move_place(&mut self, frame: Option<StepIx>, taken: bool) {
        if let Some(frame) = frame {
            let count = &mut self.steps[frame.index()].inside.running;
            *count = if taken { *count + 1 } else { *count - 1 };
        }
    }

    /// A step has one thing less to wait for. True: it was skipped before, and those that need it can go on
    /// now.
    pub(super) fn satisfy(&mut self, step: StepIx) -> bool {
        let this_step = &mut self.steps[step.index()];
        if this_step.needs.open == 0 {
            return false;
        }
        this_step.needs.open -= 1;
        if this_step.needs.open > 0 {
            return false;
        }
        let state = this_step.state();
        if state == StepState::Pending && self.state != RunState::Created {
            self.touch(step);
        }
        state == StepState::Skipped
    }

    /// Tells the steps that need a step that it has ended.
    /// A step that was skipped while one of its needs still ran tells them only when its needs have ended:
    /// they wait for those as they would have done.
    pub(super) fn pass_on(&mut self, index: StepIx) {
        let mut resting = vec![index];
        while let Some(index) = resting.pop() {
            let step = &self.steps[index.index()];
            if step.waits_for_its_needs() {
                continue;
            }
            let failed = step.state() == StepState::Failed || step.needs.failed_above;
            let succeeded = step.succeeded();
            for dependent in self.waiting_for(index) {
                let step = &mut self.steps[dependent.index()];
                step.needs.failed_above |= failed;
                if !succeeded && step.needs.blocked.is_none() {
                    step.needs.blocked = Some(index);
                }
                if self.satisfy(dependent) {
                    resting.push(dependent);
                }
            }
        }
    }

    /// Tells the steps that need a step, and the frame around it, once, that it has ended.
    pub(super) fn come_to_rest(&mut self, index: StepIx) {
        self.queue.open -= 1;
        self.steps[index.index()].tries.in_flight = None;
        // What a model asked for and was refused holds up nothing but that call.
        if self.step(index).succeeded() || talk::around(self, index).is_some() {
            self.asked_anew.remove(&index);
        }
        self.pass_on(index);
        if let Some(frame) = self.plan_step(index).frame {
            let plan = self.plan_step(index);
            let goes_on = match (self.step(index).state(), &plan.work) {
                (StepState::Failed, _) => false,
                (StepState::Rejected, Work::Gate(rule)) => rule.on_reject == OnFailure::Continue,
                (StepState::Rejected, _) => false,
                _ => true,
            };
            let aborts = !goes_on && plan.on_error == OnError::Abort;
            let step = &mut self.steps[frame.index()];
            step.inside.open -= 1;
            if aborts && step.inside.failed.is_none() {
                step.inside.failed = Some(index);
            }
            if step.inside.open == 0 && step.state() == StepState::Running {
                self.touch(frame);
            }
        }
    }

    pub(super) fn forget_due(&mut self, index: StepIx) {
        if let Some(due) = self.steps[index.index()].due.take() {
            self.queue.due.remove(&(due, Some(index)));
        }
    }
}
