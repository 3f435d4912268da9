//! Opens the frames of a run, and adds the steps that are known only while it runs.

use super::Run;
use crate::{TalkCall, talk};
use cuelight_base::{STEPS_MAX, StepIx};
use cuelight_plan::{FrameKind, PlanStep, Work, model_copy};
use std::{collections::BTreeSet, sync::Arc};

impl Run {
    /// The same run with one copy, called `[…]`, of each matrix among these steps that is computed when it opens, and has not
    /// opened: an ask shows what its copies will call. Nothing where there is none.
    pub(crate) fn with_models(&self, among: &BTreeSet<StepIx>) -> Option<Self> {
        let body_of = |run: &Self, step: StepIx| match &run.plan_step(step).work {
            Work::Frame(frame) if run.children(step).is_empty() => match &frame.kind {
                FrameKind::Computed { body, .. } => Some(body.clone()),
                FrameKind::Matrix | FrameKind::Workflow { .. } | FrameKind::Talk(_) => None,
            },
            _ => None,
        };
        let mut open: Vec<StepIx> =
            among.iter().copied().filter(|step| body_of(self, *step).is_some()).collect();
        if open.is_empty() {
            return None;
        }
        let mut run = self.clone();
        // In the order of the file, so that the same run shows the same ask each time.
        open.reverse();
        while let Some(frame) = open.pop() {
            let Some(body) = body_of(&run, frame) else { continue };
            let first = run.steps.len();
            // A run with more steps than that fails when the frame opens, and calls nothing.
            if first + body.len() > STEPS_MAX {
                continue;
            }
            run.add_copies(&model_copy(&body, StepIx::from_index(first), frame));
            open.extend((first..run.steps.len()).rev().map(StepIx::from_index));
        }
        Some(run)
    }

    fn add_copies(&mut self, copies: &[PlanStep]) {
        let links = Arc::make_mut(&mut self.links);
        for (offset, copy) in copies.iter().enumerate() {
            links.add(StepIx::from_index(self.steps.len() + offset), copy);
        }
        for copy in copies {
            self.added.push(copy.clone());
            self.add_step(copy);
        }
    }

    /// Adds steps to an open frame. Needs that have ended already hold them up no more.
    pub(super) fn grow_frame(&mut self, index: StepIx, calls: &[TalkCall], copies: &[PlanStep]) {
        let first = self.steps.len();
        self.add_copies(copies);
        self.note_talk(index, calls, first);
        let more = u32::try_from(copies.len()).unwrap_or(u32::MAX);
        self.steps[index.index()].inside.open += more;
        for child in (first..self.steps.len()).map(StepIx::from_index) {
            let needs = &self.plan_step(child).needs;
            let open = needs.iter().filter(|step| !self.step(**step).rests()).count();
            self.steps[child.index()].needs.open = u32::try_from(open).unwrap_or(u32::MAX);
            if open == 0 {
                self.touch(child);
            }
        }
    }

    /// Notes the question to a model and the calls that it has asked for, when this frame is a talk.
    fn note_talk(&mut self, index: StepIx, calls: &[TalkCall], first: usize) {
        if talk::of(self.plan_step(index)).is_none() {
            return;
        }
        let new = (first..self.steps.len()).map(StepIx::from_index);
        let asks: Vec<StepIx> =
            new.filter(|step| matches!(self.plan_step(*step).work, Work::Model(_))).collect();
        let talking = self.steps[index.index()].talk.get_or_insert_default();
        talking.asks.extend(asks);
        if !calls.is_empty() {
            talking.rounds.push(calls.to_vec());
        }
    }

    pub(super) fn open_frame(&mut self, index: StepIx, copies: &[PlanStep]) {
        if !copies.is_empty() {
            let first = self.steps.len();
            self.add_copies(copies);
            self.note_talk(index, &[], first);
            self.bind_copies(index, first);
            let children = self.children(index).len();
            self.steps[index.index()].inside.open = u32::try_from(children).unwrap_or(u32::MAX);
        }
        for child in self.children(index).to_vec() {
            if self.satisfy(child) {
                self.pass_on(child);
            }
        }
        if self.step(index).inside.open == 0 {
            self.touch(index);
        }
    }
}
