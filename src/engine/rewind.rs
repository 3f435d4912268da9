//! Sending back: a gate is neither approved nor rejected, and its work is done again from an earlier step on.
//! Then the gate asks again.

use crate::{GateEvent, GateState, StepEvent, StepState, handle::Turn, run::Run, spent::approved_in, talk};
use cuelight_base::{GateId, StepIx};
use cuelight_plan::{FrameKind, Work};
use std::collections::BTreeSet;

impl Turn<'_> {
    /// The steps that begin again when this gate is sent back, or the reason why it cannot be sent back.
    pub(super) fn anew_from(&self, id: GateId) -> Result<Vec<StepIx>, String> {
        let gate = &self.world.gates[&id];
        let Some(name) = gate.rule.send_back.clone() else {
            return Err(
                "its workflow names no step for that (`send-back: STEP`); reject it instead".to_owned()
            );
        };
        let run = self.run(gate.run);
        let Some(first) = run.named(run.plan_step(gate.step).scope, &name) else {
            return Err(format!("there is no step {name}"));
        };
        let mut steps = run.after(first);
        if !steps.contains(&gate.step) {
            return Err(format!("{name} does not come before it"));
        }
        if run.is_ending() {
            return Err("the run is ending".to_owned());
        }
        steps.insert(first);
        for step in steps.iter().filter(|step| **step != gate.step) {
            may_begin_anew(run, *step)?;
        }
        match approved_before(run, &steps) {
            Some(why) => Err(why),
            None => Ok(steps.into_iter().collect()),
        }
    }

    /// Closes the gate, and puts these steps back to their beginning.
    pub(super) fn send_back(&mut self, id: GateId, steps: Vec<StepIx>) {
        let gate = &self.world.gates[&id];
        let (run, form) = (gate.run, gate.form());
        let closed = GateEvent::Resolved { state: GateState::Rejected, by: "send-back".to_owned(), form };
        self.emit_gate(id, closed);
        for step in steps {
            if self.run(run).step(step).state() != StepState::Pending {
                self.emit_step(run, step, StepEvent::SentBack);
            }
        }
    }
}

/// The reason why one of these steps cannot begin anew: a gate that does not ask again has let its call go.
fn approved_before(run: &Run, steps: &BTreeSet<StepIx>) -> Option<String> {
    let calls = || steps.iter().copied().filter(|step| run.plan_step(*step).work.is_call());
    // A gate is compared with one step: that whose result is of the oldest run.
    let mut kept: Vec<StepIx> = calls().filter(|step| run.step(*step).origin.is_some()).collect();
    kept.sort_by_key(|step| run.step(*step).origin.as_ref().map(|origin| origin.run));
    let done = calls().filter(|step| run.step(*step).state().is_done());
    let asks_no_more = |pair: &(StepIx, StepIx)| !steps.contains(&pair.0);
    let elsewhere = gates_above(run, kept).into_iter().filter(asks_no_more);
    let once = gates_above(run, done).into_iter().filter(asks_no_more);
    elsewhere
        .filter_map(|(gate, step)| Some((gate, approved_elsewhere(run, step, gate)?)))
        .chain(once.filter_map(|(gate, step)| Some((gate, approved_once(run, step, gate)?))))
        .min_by_key(|(gate, _)| *gate)
        .map(|(_, why)| why)
}

/// The gates that let one of these steps go (`Run::beyond`), each with the first such step. Every step and need is met once.
fn gates_above(run: &Run, steps: impl IntoIterator<Item = StepIx>) -> Vec<(StepIx, StepIx)> {
    let is_gate = |step: &StepIx| matches!(run.plan_step(*step).work, Work::Gate(_));
    let (mut above, mut inside) = (BTreeSet::new(), BTreeSet::new());
    let mut found = Vec::new();
    for step in steps {
        let mut open = vec![step];
        while let Some(at) = open.pop() {
            let plan = run.plan_step(at);
            let next = plan.needs.iter().copied().chain(plan.frame);
            open.extend(next.filter(|before| above.insert(*before)));
            // The gates in a frame come before all that needs the frame; a model goes on without what it was refused.
            let mut within = plan.needs.clone();
            while let Some(inner) = within.pop() {
                if inside.insert(inner) {
                    found.extend(is_gate(&inner).then_some((inner, step)));
                    let children = run.children(inner).iter().copied();
                    within.extend(children.filter(|_| talk::of(run.plan_step(inner)).is_none()));
                }
            }
        }
    }
    found
}

/// The reason why a step that was kept from another run cannot begin anew: the approval that it ran with was given there, and
/// a gate that was asked since has not shown its call. After a correction its inputs may be others.
fn approved_elsewhere(run: &Run, step: StepIx, gate: StepIx) -> Option<String> {
    let origin = run.step(step).origin.as_ref().filter(|origin| origin.run != run.id)?;
    (run.before.is_corrected || approved_in(run, gate) > origin.run).then(|| {
        format!(
            "{} was approved in {}, and would not be asked about again here; reject it instead",
            run.plan_step(step).id,
            origin.run
        )
    })
}

/// The reason why a completed call cannot be made again: a gate before it let it go once, and does not ask again.
fn approved_once(run: &Run, step: StepIx, gate: StepIx) -> Option<String> {
    let stands = run.step(step).state().is_done() && run.step(gate).state() == StepState::Completed;
    stands.then(|| {
        format!(
            "{} was approved at the gate {}, which would not ask again; let `send-back` name a step before that gate, or \
             reject it instead",
            run.plan_step(step).id,
            run.plan_step(gate).id
        )
    })
}

/// Only what rests, or has not begun, can begin anew: nobody takes back what is under way.
fn may_begin_anew(run: &Run, step: StepIx) -> Result<(), String> {
    let (this_step, plan) = (run.step(step), run.plan_step(step));
    let under_way = match this_step.state() {
        StepState::Pending | StepState::Ready => false,
        StepState::Waiting
        | StepState::Running
        | StepState::InDoubt
        | StepState::Undoing
        | StepState::Undone => true,
        StepState::Completed
        | StepState::Partial
        | StepState::Failed
        | StepState::Rejected
        | StepState::Skipped
        | StepState::Cancelled => false,
    };
    if under_way {
        return Err(format!("{} is {}; wait for it", plan.id, this_step.state()));
    }
    if this_step.tries.unknown && plan.effect.must_not_repeat() {
        return Err(format!("{} may have happened, and must not happen twice; reject it instead", plan.id));
    }
    if talk::of(plan).is_some() && !run.children(step).is_empty() {
        return Err(format!("{} has asked its model already, and tools were called for it", plan.id));
    }
    let computed =
        matches!(&plan.work, Work::Frame(frame) if matches!(frame.kind, FrameKind::Computed { .. }));
    if computed && !run.children(step).is_empty() {
        return Err(format!("{} has made copies for this run, and would make others", plan.id));
    }
    Ok(())
}
