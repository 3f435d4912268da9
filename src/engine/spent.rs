//! Approvals that a retry cannot use again: one approval lets a step that must not be repeated, or whose key is another one
//! in another run, run once, and holds until somebody stops the run.

use crate::{StepState, World, run::Run};
use cuelight_base::{RunId, StepIx};
use cuelight_plan::{EffectClass, Work};
use std::collections::{BTreeMap, BTreeSet};

/// The gates that ask again in a run that does another one again, of those behind which something is still to
/// be done.
pub(super) enum AskAgain {
    /// Every gate, whatever was done with its approval.
    All,
    /// Gates whose approval was used up, by the run in which it was given.
    Spent(BTreeMap<RunId, Since>),
}

/// The events since approvals were given: in the run of the approval, and in all runs that did that one again.
#[derive(Default)]
pub(super) struct Since {
    /// True if the approvals let nothing else go: one of the runs was cancelled or undone, may use them because it goes on, or
    /// is not known any longer.
    pub(super) is_void: bool,
    /// The gates that were refused.
    pub(super) refused: BTreeSet<String>,
    /// The steps that an approval covers once, and that began or completed.
    pub(super) begun: BTreeSet<String>,
}

/// The run in which a gate, or the gates in a frame, were approved.
pub(super) fn approved_in(run: &Run, gate: StepIx) -> RunId {
    run.step(gate).origin.as_ref().map_or(run.id, |origin| origin.run)
}

/// The gates whose approval cannot be used again. A run that is no longer known may have done anything.
pub(super) fn spent(world: &World, run: &Run) -> AskAgain {
    let done =
        (0..run.plan.steps.len()).map(StepIx::from_index).filter(|step| run.step(*step).state().is_done());
    let runs: BTreeSet<RunId> = done.map(|step| approved_in(run, step)).collect();
    AskAgain::Spent(runs.into_iter().map(|id| (id, since(world, id))).collect())
}

fn since(world: &World, first: RunId) -> Since {
    if !world.runs.contains_key(&first) {
        return Since { is_void: true, ..Since::default() };
    }
    let mut out = Since::default();
    for run in world.family_of(first) {
        let ending = &run.ending;
        out.is_void |= ending.cancelling || ending.compensating || !run.state.rests();
        for step in (0..run.steps.len()).map(StepIx::from_index) {
            let plan = run.plan_step(step);
            if matches!(plan.work, Work::Gate(_)) && run.step(step).state() == StepState::Rejected {
                out.refused.insert(planned(run, step));
            } else if is_covered_once(plan.effect) && has_begun(run, step) {
                out.begun.insert(planned(run, step));
            }
        }
    }
    out
}

/// True if one approval lets a step of this class begin in one run only. The other side of a `keyed` step drops a repeated
/// call by its key, and the key holds the run: inside its run such a step may be repeated, and in another run the same call
/// is a new one. The key does not go on from run to run, because a retry is to do again what failed or was done wrong, with
/// corrected inputs too, and the other side would answer an old key with its old answer.
const fn is_covered_once(effect: EffectClass) -> bool {
    effect.must_not_repeat() || matches!(effect, EffectClass::Keyed)
}

/// True if a step may have had its effect, here or where its result comes from.
fn has_begun(run: &Run, step: StepIx) -> bool {
    let step = run.step(step);
    step.state().is_done() || step.tries.attempts > 0
}

/// The id of a step in the plan: of a copy that was made during the run, that of what made it.
fn planned(run: &Run, step: StepIx) -> String {
    let mut around = std::iter::successors(Some(step), |step| run.plan_step(*step).frame);
    let planned = around.find(|step| step.index() < run.plan.steps.len());
    run.plan_step(planned.unwrap_or(step)).id.clone()
}
