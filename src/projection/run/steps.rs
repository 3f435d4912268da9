//! Folds the events of steps into their run: states, waits, routes and steps that came later.

use super::{RunView, expected};
use crate::{Counts, StepView};
use cuelight_base::{StepIx, Timestamp};
use cuelight_engine::{Choice, StepEvent, StepState, WaitReason, Why};
use cuelight_plan::{Ceilings, PlanStep};
use std::{collections::BTreeSet, sync::Arc};

impl RunView {
    /// Views of the steps from this one on, all pending, counted in the frames that hold them.
    pub(super) fn add_steps(&mut self, at: Timestamp, from: usize) {
        let all = self.plan.steps.len() + self.added.len();
        let new = (from..all).map(StepIx::from_index);
        let frame_of = |step: StepIx| self.plan_step(step).and_then(|plan_step| plan_step.frame);
        let holders: BTreeSet<StepIx> = new.clone().filter_map(frame_of).collect();
        for step in new.clone() {
            let mut view = StepView::new(at);
            view.inside = holders.contains(&step).then(Arc::default);
            self.steps.push(view);
            let Some(plan) = self.plan_step(step) else { continue };
            let (needs, own) = (expected(plan), plan.budget.as_deref().map(Ceilings::from));
            self.summary.expected = self.summary.expected.plus(needs);
            self.step_ceilings.extend(own.map(|ceilings| (step, ceilings)));
        }
        for step in new.filter(|step| !holders.contains(step)) {
            self.count(step, |counts| counts.add(StepState::Pending));
        }
    }

    /// Changes the counts of the run and of every frame around a step.
    fn count(&mut self, step: StepIx, change: impl Fn(&mut Counts)) {
        change(&mut self.summary.counts);
        let frames: Vec<StepIx> = self.frames_of(step).collect();
        for frame in frames {
            if let Some(counts) = self.steps.get_mut(frame.index()).and_then(|step| step.inside.as_mut()) {
                change(Arc::make_mut(counts));
            }
        }
    }

    pub(super) fn turn(&mut self, at: Timestamp, step: StepIx, state: StepState, wait: Option<WaitReason>) {
        let Some(view) = self.steps.get_mut(step.index()) else { return };
        let (before, was_due) = (view.state, view.is_retrying());
        let comes_back = view.left_out && state != StepState::Skipped;
        view.left_out &= !comes_back;
        let never_called = view.calls == 0 && state.rests() && !before.rests();
        view.turn(at, state, wait);
        let (is_due, counts) = (view.is_retrying(), view.inside.is_none());
        if never_called {
            self.no_longer_expected(step);
        }
        if comes_back && counts {
            self.count(step, Counts::take_back_in);
        }
        if counts {
            self.summary.retrying = self.summary.retrying + u32::from(is_due) - u32::from(was_due);
            if before != state {
                self.count(step, |counts| {
                    counts.remove(before);
                    counts.add(state);
                });
            }
        }
    }

    /// A step is called, or never will be.
    pub(super) fn no_longer_expected(&mut self, step: StepIx) {
        let needs = self.plan_step(step).map(expected).unwrap_or_default();
        self.summary.expected = self.summary.expected.minus(needs);
    }

    pub(crate) fn apply_step(&mut self, at: Timestamp, step: StepIx, event: &StepEvent) {
        let Some(before) = self.step(step).map(|step| step.state) else { return };
        let (state, wait) = match event {
            StepEvent::Ready => (StepState::Ready, None),
            StepEvent::Waiting { reason } => (StepState::Waiting, Some(reason.clone())),
            StepEvent::FactsAsked { .. } => (StepState::Waiting, Some(WaitReason::Facts)),
            StepEvent::FactsKnown { .. } | StepEvent::SentBack | StepEvent::Reopened { .. } => {
                (StepState::Pending, None)
            }
            StepEvent::Opened { .. } | StepEvent::Grown { .. } => (StepState::Running, None),
            StepEvent::Completed { partial: false, .. } | StepEvent::DoneByHand { .. } => {
                (StepState::Completed, None)
            }
            StepEvent::Completed { partial: true, .. } => (StepState::Partial, None),
            StepEvent::Failed { .. } => (StepState::Failed, None),
            StepEvent::Rejected { .. } => (StepState::Rejected, None),
            StepEvent::Skipped { .. } => (StepState::Skipped, None),
            StepEvent::Cancelled { .. } => (StepState::Cancelled, None),
            StepEvent::InDoubt { .. } => (StepState::InDoubt, None),
            StepEvent::DoubtAnswered { .. } | StepEvent::Ending { .. } => (before, None),
            // What it waits for, if it does, is told right after.
            StepEvent::Routed { choice } => return self.route(step, choice),
        };
        self.turn(at, step, state, wait);
        self.keep(at, step, event);
        if let StepEvent::Skipped { why } = event {
            self.leave_out(step, why);
        }
    }

    /// A step that did not run because nobody wanted it to; one that a failure kept from running is no such step.
    fn leave_out(&mut self, step: StepIx, why: &Why) {
        let is_left_out = match why {
            Why::Condition | Why::Person { .. } | Why::Kept => true,
            Why::Need(other) | Why::Frame(other) => self.step(*other).is_some_and(|other| other.left_out),
            Why::Stopped(_) | Why::Cancelled | Why::RunTimedOut | Why::FailFast(_) | Why::Failed(_) => false,
        };
        let Some(view) = self.steps.get_mut(step.index()).filter(|view| is_left_out && !view.left_out) else {
            return;
        };
        view.left_out = true;
        if view.inside.is_none() {
            self.count(step, Counts::leave_out);
        }
    }

    /// Keeps what the gate of a rejected step knows of the rejection.
    pub(crate) fn set_rejection(&mut self, step: StepIx, words: String) {
        if let Some(step) = self.steps.get_mut(step.index()) {
            step.set_rejection(words);
        }
    }

    fn route(&mut self, step: StepIx, choice: &Choice) {
        if let Some(step) = self.steps.get_mut(step.index()) {
            step.set_choice(choice);
        }
    }

    /// Keeps the data of a step event, besides the new state.
    fn keep(&mut self, at: Timestamp, index: StepIx, event: &StepEvent) {
        let Some(step) = self.steps.get_mut(index.index()) else { return };
        let counts = step.inside.is_none();
        let state = step.state;
        match event {
            StepEvent::Waiting { reason: WaitReason::Person(gate) } => step.set_gate(*gate),
            StepEvent::Ready
            | StepEvent::Routed { .. }
            | StepEvent::FactsAsked { .. }
            | StepEvent::FactsKnown { .. }
            | StepEvent::Waiting {
                reason:
                    WaitReason::Time(_)
                    | WaitReason::BackOff { .. }
                    | WaitReason::Facts
                    | WaitReason::Candidates { .. }
                    | WaitReason::Target { .. }
                    | WaitReason::Agent { .. }
                    | WaitReason::Message { .. },
            } => {}
            StepEvent::Opened { copies, .. } | StepEvent::Grown { copies, .. } => {
                self.open(at, index, copies)
            }
            StepEvent::Completed { outputs, confidence, fallback, kept, origin, cached, .. } => {
                step.set_result(outputs, *confidence, *fallback, *kept, origin.as_deref());
                if let Some(cached) = cached {
                    step.set_cached(cached);
                }
                if counts {
                    if let Some(confidence) = confidence {
                        self.summary.confidences.0 += u64::from(confidence.0);
                        self.summary.confidences.1 += 1;
                    }
                    if !kept {
                        self.summary.results.push(state);
                    }
                }
            }
            StepEvent::DoneByHand { by, outputs, reason } => {
                step.set_result(outputs, None, 0, false, None);
                step.set_by_hand(by, reason);
            }
            StepEvent::Failed { record } => {
                step.set_error(record);
                if counts {
                    self.summary.results.push(state);
                }
            }
            StepEvent::SentBack | StepEvent::Reopened { .. } => {
                // Opened once more it has the gate that it had; sent back it has none.
                let keeps = matches!(event, StepEvent::Reopened { gates, .. } if gates.is_empty());
                let gate = step.gate().filter(|_| keeps);
                let (confidence, failed_softly) = step.begin_anew();
                gate.into_iter().for_each(|gate| step.set_gate(gate));
                if counts {
                    self.summary.confidences.0 -= confidence.map_or(0, |confidence| u64::from(confidence.0));
                    self.summary.confidences.1 -= u32::from(confidence.is_some());
                    self.summary.failed_softly -= u32::from(failed_softly);
                }
            }
            StepEvent::Rejected { expired } => step.set_expired(*expired),
            StepEvent::Skipped { why } | StepEvent::Cancelled { why } => {
                step.set_why(why);
                if counts && matches!(why, Why::Failed(_)) {
                    self.summary.failed_softly += 1;
                    self.summary.results.push(StepState::Failed);
                }
            }
            StepEvent::Ending { why } => step.set_why(why),
            StepEvent::InDoubt { evidence } => step.set_doubt(evidence),
            StepEvent::DoubtAnswered { by, reason, .. } => step.set_by_hand(by, reason),
        }
    }

    /// A frame without steps is counted itself, until it opens with copies.
    fn open(&mut self, at: Timestamp, frame: StepIx, copies: &[PlanStep]) {
        if copies.is_empty() {
            return;
        }
        let Some(view) = self.steps.get_mut(frame.index()) else { return };
        let state = view.state;
        if view.inside.is_none() {
            view.inside = Some(Arc::default());
            self.count(frame, |counts| counts.remove(state));
        }
        let from = self.steps.len();
        for copy in copies {
            self.added.push(Arc::new(copy.clone()));
        }
        self.add_steps(at, from);
    }
}
