//! A step whose outcome is unknown: what may have happened, by the class of its effect, and what each answer
//! does.

use crate::{Board, RunView};
use cuelight_base::{Actor, RunId, StepIx, Timestamp};
use cuelight_engine::StepState;
use cuelight_plan::{EffectClass, OnError, Undo};
use std::collections::{BTreeMap, BTreeSet};

/// A step that is in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubtView {
    /// The run of the step.
    pub run: RunId,
    /// The step in doubt.
    pub step: StepIx,
    /// The id of the step.
    pub step_id: String,
    /// The effect class, which says what a second call would mean.
    pub class: EffectClass,
    /// Since when nobody knows.
    pub since: Timestamp,
    /// The evidence: why the outcome is unknown.
    pub evidence: String,
    /// The consequence of each answer, by the words of `cuelight run doubt`.
    pub answers: [(&'static str, String); 3],
}

impl DoubtView {
    /// The possible effects of the last call, in words.
    pub const fn may_have(&self) -> &'static str {
        may_have(self.class)
    }
}

/// The possible effects of a call of this class whose end is unknown, in words.
pub const fn may_have(class: EffectClass) -> &'static str {
    match class {
        EffectClass::Pure => "nothing happened outside; another call does no harm",
        EffectClass::Idempotent => "it may have happened; it is safe to repeat",
        EffectClass::Keyed => {
            "it may have happened; the other side drops a second call with the same key, so another one does no harm"
        }
        EffectClass::Queryable => {
            "it may have happened, and its check could not tell; another call could make it happen twice"
        }
        EffectClass::Once => "it may have happened; another call could make it happen twice",
    }
}

/// The question about a step in doubt; none when the step is not in doubt.
pub fn doubt(run: &RunView, step: StepIx) -> Option<DoubtView> {
    let (plan, view) = (run.plan_step(step)?, run.step(step)?);
    if view.state != StepState::InDoubt {
        return None;
    }
    let again = if plan.effect == EffectClass::Keyed { ", with the same key" } else { "" };
    let fails = match plan.on_error {
        OnError::Abort => "it counts as failed, with all that follows from that",
        OnError::Skip => "it counts as failed; the run goes on as if it had been skipped",
        OnError::Continue => "it counts as failed; the run goes on",
    };
    let undo = match plan.undo {
        Undo::By(_) => "it is undone when the run is, because it may have happened",
        Undo::Impossible | Undo::Unset => "it cannot be undone",
    };
    Some(DoubtView {
        run: run.id(),
        step,
        step_id: plan.id.clone(),
        class: plan.effect,
        since: view.since,
        evidence: view.doubt().unwrap_or_default().to_owned(),
        answers: [
            (
                "happened",
                "it counts as completed, with the outputs you give; what needs it goes on".to_owned(),
            ),
            (
                "not-happened",
                format!("the call is given back, and made again{again} unless the run is ending"),
            ),
            ("abort", format!("{fails}; {undo}")),
        ],
    })
}

impl Board {
    /// Steps that are in doubt.
    pub fn doubts(&self) -> impl Iterator<Item = DoubtView> {
        self.open.doubts.iter().filter_map(|(run, step)| doubt(self.run(*run)?, *step))
    }

    /// Why this person cannot settle an unknown outcome of a step, if they cannot: their answer does not count at a gate it stands behind.
    pub fn may_not_vouch(&self, run: RunId, step: StepIx, actor: &Actor) -> Option<String> {
        let view = self.run(run)?;
        let kept = view.kept_answers(&self.people);
        above(view, step).into_iter().find_map(|at| {
            let (seen, plan) = (view.step(at)?, view.plan_step(at)?);
            let is_gate = plan.work.gate().is_some();
            let succeeded = matches!(seen.state, StepState::Completed | StepState::Partial);
            match seen.gate().filter(|_| is_gate).and_then(|gate| self.gate(gate)) {
                Some(gate) => gate.excludes(actor),
                None if seen.origin().is_some() || is_gate && succeeded => kept.forbid(plan, actor),
                None => None,
            }
        })
    }
}

/// Every step that came before one, by needs and by frames.
fn above(run: &RunView, step: StepIx) -> BTreeSet<StepIx> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![step]);
    let mut inside: BTreeMap<StepIx, Vec<StepIx>> = BTreeMap::new();
    for (child, frame) in run.steps().filter_map(|(child, plan, _)| Some((child, plan.frame?))) {
        inside.entry(frame).or_default().push(child);
    }
    while let Some(at) = open.pop() {
        let Some(plan) = run.plan_step(at) else { continue };
        let children = inside.get(&at).filter(|_| at != step).into_iter().flatten().copied();
        let before = plan.needs.iter().copied().chain(children);
        open.extend(before.filter(|step| seen.insert(*step)));
        // A frame around it came before it as a whole; what stands beside it there did not.
        let around = run
            .frames_of(at)
            .filter_map(|frame| run.plan_step(frame).map(|plan_step| plan_step.needs.clone()));
        let around: Vec<StepIx> = around.flatten().filter(|step| seen.insert(*step)).collect();
        open.extend(around);
    }
    seen
}
