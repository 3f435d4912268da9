//! The order of undoing. Every step that came after a step, by needs and by frames, is undone before it;
//! independent steps meanwhile, the newest first.
//!
//! The order is computed when undoing begins, and counted down from there: a step that is undone costs the
//! steps it needed.

mod order;

pub(super) use order::Unwinding;

use crate::{StepState, run::Run, talk};
use cuelight_base::StepIx;
use cuelight_plan::Work;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// One of the two ends of a step. A frame opens before its children and closes after them; any other step has
/// one end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    First(StepIx),
    Last(StepIx),
}

impl End {
    fn first(step: StepIx) -> Self {
        Self::First(step)
    }

    fn last(run: &Run, step: StepIx) -> Self {
        if is_frame(run, step) { Self::Last(step) } else { Self::First(step) }
    }

    fn index(self) -> usize {
        match self {
            Self::First(step) => step.index() * 2,
            Self::Last(step) => step.index() * 2 + 1,
        }
    }
}

fn is_frame(run: &Run, step: StepIx) -> bool {
    matches!(run.plan_step(step).work, Work::Frame(_))
}

impl Unwinding {
    /// All that was done and can be undone, in a run that goes on to nothing else.
    pub(super) fn of(run: &Run) -> Self {
        let order = run.undo.completed.iter().enumerate();
        let left = order.filter(|(_, step)| run.is_to_undo(**step)).map(|(at, step)| (*step, at)).collect();
        let mut unwinding =
            Self { after: vec![0; run.steps.len() * 2], left, begun: BTreeSet::new(), free: BTreeMap::new() };
        let all = || (0..run.steps.len()).map(StepIx::from_index);
        for step in all() {
            for end in both(run, step) {
                for before in before(run, end) {
                    unwinding.after[before.index()] += 1;
                }
            }
        }
        let last: Vec<End> = all().flat_map(|step| both(run, step)).collect();
        let last = last.into_iter().filter(|end| unwinding.after[end.index()] == 0).collect();
        unwinding.come_to(run, last);
        unwinding
    }

    /// The next step to undo, if there is room for it beside the undos that run.
    pub(super) fn next(&self, run: &Run) -> Option<StepIx> {
        if run.undo.undoing.len() >= run.running_max() as usize {
            return None;
        }
        let newest = self.free.values().filter_map(BTreeSet::first);
        newest.filter(|(_, step)| has_place(run, *step)).min().map(|(_, step)| *step)
    }

    /// The undo of this step has been asked for.
    pub(super) fn begin(&mut self, run: &Run, step: StepIx) {
        let Some(at) = self.left.remove(&step) else { return };
        self.begun.insert(step);
        let key = limited(run, step);
        if let Some(free) = self.free.get_mut(&key) {
            free.remove(&(Reverse(at), step));
            if free.is_empty() {
                self.free.remove(&key);
            }
        }
    }

    /// Records that a step was undone: its needs can be undone when no other step that came after them is
    /// left.
    pub(super) fn end(&mut self, run: &Run, step: StepIx) {
        let first = End::first(step);
        if self.begun.remove(&step) && self.after[first.index()] == 0 {
            let before = self.pass(run, first);
            self.come_to(run, before);
        }
    }

    /// Nothing that came after these ends is left: a step that is to be undone can be, any other lets go what
    /// came before.
    fn come_to(&mut self, run: &Run, mut ends: Vec<End>) {
        while let Some(end) = ends.pop() {
            match end {
                End::First(step) if self.begun.contains(&step) => {}
                End::First(step) if self.left.contains_key(&step) => {
                    let at = self.left[&step];
                    self.free.entry(limited(run, step)).or_default().insert((Reverse(at), step));
                }
                End::First(_) | End::Last(_) => ends.extend(self.pass(run, end)),
            }
        }
    }

    /// Counts this end down where it stood in the way; those that are free of it by that.
    fn pass(&mut self, run: &Run, end: End) -> Vec<End> {
        let mut free = Vec::new();
        for before in before(run, end) {
            let count = &mut self.after[before.index()];
            *count -= 1;
            if *count == 0 {
                free.push(before);
            }
        }
        free
    }
}

fn both(run: &Run, step: StepIx) -> impl Iterator<Item = End> {
    let last = is_frame(run, step).then_some(End::Last(step));
    std::iter::once(End::First(step)).chain(last)
}

/// The ends right before this one.
fn before(run: &Run, end: End) -> Vec<End> {
    match end {
        End::First(step) => {
            let plan = run.plan_step(step);
            let needs = plan.needs.iter().copied().chain(talk::before(run, step));
            needs.map(|step| End::last(run, step)).chain(plan.frame.map(End::First)).collect()
        }
        End::Last(frame) => {
            let children = run.children(frame).iter().map(|child| End::last(run, *child));
            children.chain([End::First(frame)]).collect()
        }
    }
}

/// The number of children of this frame that may run at once; none when it is not limited.
fn limit(run: &Run, frame: StepIx) -> Option<usize> {
    let Work::Frame(frame) = &run.plan_step(frame).work else { return None };
    (frame.max_parallel > 0).then_some(frame.max_parallel as usize)
}

/// Every frame around a step, each with the child of it that the step is or stands in.
fn around(run: &Run, step: StepIx) -> impl Iterator<Item = (StepIx, StepIx)> {
    let mut at = step;
    std::iter::from_fn(move || {
        let frame = run.plan_step(at).frame?;
        let child = std::mem::replace(&mut at, frame);
        Some((frame, child))
    })
}

fn limited(run: &Run, step: StepIx) -> Option<StepIx> {
    around(run, step).map(|pair| pair.0).find(|step| limit(run, *step).is_some())
}

/// True if every frame around it has room for one more child in which something is undone.
fn has_place(run: &Run, step: StepIx) -> bool {
    around(run, step).all(|(frame, child)| {
        let Some(most) = limit(run, frame) else { return true };
        let inside = |step: &StepIx| around(run, *step).find(|pair| pair.0 == frame).map(|pair| pair.1);
        let going: BTreeSet<StepIx> = run.undo.undoing.iter().filter_map(inside).collect();
        going.contains(&child) || going.len() < most
    })
}

impl Run {
    /// True if it was done and can be undone, and its undo has not begun.
    pub(super) fn is_to_undo(&self, step: StepIx) -> bool {
        self.is_undoable(step) && !matches!(self.step(step).state(), StepState::Undoing | StepState::Undone)
    }

    /// The next step to undo, in a run that is being undone.
    pub(super) fn next_to_undo(&self) -> Option<StepIx> {
        self.undo.unwinding.as_ref()?.next(self)
    }
}
