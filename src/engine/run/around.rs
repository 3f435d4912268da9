//! The steps that come before and after a step, and the frames around it.

use super::Run;
use crate::{links::runs_after_a_rejection, talk};
use cuelight_base::StepIx;
use cuelight_plan::{FrameKind, Work};
use std::collections::BTreeSet;

impl Run {
    pub(crate) fn dependents(&self, step: StepIx) -> &[StepIx] {
        self.links.dependents(step)
    }

    /// Every step that comes after this one, by needs and by frames.
    pub(crate) fn after(&self, step: StepIx) -> BTreeSet<StepIx> {
        let (mut found, mut open) = (BTreeSet::new(), vec![step]);
        while let Some(at) = open.pop() {
            let next = self.dependents(at).iter().chain(self.children(at));
            open.extend(next.filter(|dependent| found.insert(**dependent)));
        }
        found
    }

    /// Every step that an approval of this gate lets go, also what needs a frame around the gate.
    pub(crate) fn beyond(&self, gate: StepIx) -> BTreeSet<StepIx> {
        let mut found = self.after(gate);
        for need in self.frames_of(gate) {
            for dependent in self.dependents(need).to_vec() {
                if found.insert(dependent) {
                    found.extend(self.after(dependent));
                }
            }
        }
        found
    }

    /// By place, the steps that cannot start after a rejection of this gate, as long as nothing fails.
    pub(crate) fn held_back_after_a_rejection(&self, gate: StepIx) -> Vec<bool> {
        let plan = |step: StepIx| self.plan_step(step);
        self.links
            .held_back(plan, gate, |step| self.step(step).explicit && runs_after_a_rejection(plan(step)))
    }

    /// The matrices and called workflows around a step, from the inside out, up to a talk: a model goes on without what it
    /// was refused.
    pub(crate) fn frames_of(&self, step: StepIx) -> Vec<StepIx> {
        let around = std::iter::successors(self.plan_step(step).frame, |step| self.plan_step(*step).frame);
        around.take_while(|frame| talk::of(self.plan_step(*frame)).is_none()).collect()
    }

    /// The frames that can close as soon as this step is done: it is a copy of a matrix, or nothing in the
    /// workflow needs it.
    pub(crate) fn frames_ended_by(&self, step: StepIx) -> Vec<StepIx> {
        let (mut ended, mut at) = (Vec::new(), step);
        for frame in self.frames_of(step) {
            if !self.is_matrix(frame) && !self.dependents(at).is_empty() {
                break;
            }
            ended.push(frame);
            at = frame;
        }
        ended
    }

    pub(crate) fn is_matrix(&self, step: StepIx) -> bool {
        let Work::Frame(frame) = &self.plan_step(step).work else { return false };
        match frame.kind {
            FrameKind::Matrix | FrameKind::Computed { .. } => true,
            FrameKind::Workflow { .. } | FrameKind::Talk(_) => false,
        }
    }

    pub(crate) fn children(&self, step: StepIx) -> &[StepIx] {
        self.links.children(step)
    }

    /// Every step that came before one, by needs and by frames, as far up as steps let through.
    pub(crate) fn above(&self, step: StepIx, through: impl Fn(StepIx) -> bool) -> BTreeSet<StepIx> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![step]);
        while let Some(at) = open.pop() {
            if at != step && !through(at) {
                continue;
            }
            let children = self.children(at).iter().filter(|_| at != step);
            open.extend(self.plan_step(at).needs.iter().chain(children).filter(|step| seen.insert(**step)));
            let mut frame = self.plan_step(at).frame;
            // A frame around it came before it as a whole; what stands beside it there did not.
            while let Some(around) = frame {
                let plan = self.plan_step(around);
                open.extend(plan.needs.iter().filter(|step| seen.insert(**step)));
                frame = plan.frame;
            }
        }
        seen
    }

    /// The step that siblings in this scope call by this name.
    pub(crate) fn named(&self, scope: Option<StepIx>, name: &str) -> Option<StepIx> {
        self.links.named(scope, name)
    }

    /// Every step of a scope, with its name there.
    pub(crate) fn names_in(&self, scope: Option<StepIx>) -> impl Iterator<Item = (&str, StepIx)> {
        self.links.in_scope(scope).map(|step| (self.plan_step(step).local.as_str(), step))
    }
}
