//! The commands of people about one step: the outcome of a step in doubt, a skip, and a result given by hand.

use super::{Turn, required_reason, runs::undoes};
use crate::{
    DoubtAnswer, Refusal, StepEvent, StepState, Why, by_hand::is_or_makes_gate, call, frame, gate::Gate,
    outcome,
};
use cuelight_base::{Actor, GateId, RunId, StepIx, ValueMap};
use cuelight_plan::Work;

impl Turn<'_> {
    pub(super) fn answer_doubt(
        &mut self,
        run: RunId,
        step: StepIx,
        answer: DoubtAnswer,
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        let this_step = self.find_step(run, step)?;
        let state = this_step.step(step).state();
        let id = this_step.plan_step(step).id.clone();
        if state != StepState::InDoubt {
            return Err(Refusal::StepState { run, step: id, state, verb: "answer for".to_owned() });
        }
        self.may_vouch(run, step, &by)?;
        let reason = required_reason(reason, &format!("answer for {id} of {run}"))?;
        let plan = this_step.plan_step(step).clone();
        let outputs = match &answer {
            DoubtAnswer::Happened(outputs) => {
                let judged = outcome::judge(&plan, call::tool_at(this_step, step, 0), outputs);
                judged
                    .map_err(|error| {
                        Refusal::Other(format!("could not answer for {id} of {run}: it {}", error.message))
                    })?
                    .outputs
            }
            DoubtAnswer::NotHappened | DoubtAnswer::Abort => ValueMap::new(),
        };
        self.emit_step(run, step, StepEvent::DoubtAnswered { by, answer: answer.clone(), reason });
        match answer {
            DoubtAnswer::Happened(_) => self.complete(run, step, outputs, None),
            DoubtAnswer::NotHappened => match self.run(run).why_over(step) {
                Some(why) => self.emit_step(run, step, StepEvent::Cancelled { why }),
                None => self.call_when_free(run, step),
            },
            DoubtAnswer::Abort => {
                let failure = outcome::failure(
                    cuelight_base::FailureMode::SystemCrash,
                    "a crash interrupted it, and its outcome stayed unknown",
                );
                self.fail_step(run, step, &failure);
            }
        }
        Ok(())
    }

    pub(super) fn skip(
        &mut self,
        run: RunId,
        step: StepIx,
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        let this_step = self.find_step(run, step)?;
        let (state, id) = (this_step.step(step).state(), this_step.plan_step(step).id.clone());
        if state.rests() || state == StepState::Undoing || this_step.state.rests() {
            return Err(Refusal::StepState { run, step: id, state, verb: "skip".to_owned() });
        }
        if matches!(this_step.plan_step(step).work, Work::Frame(_)) && state == StepState::Running {
            return Err(Refusal::Other(format!(
                "could not skip {id} of {run}: its steps have started; skip the steps in it"
            )));
        }
        self.has_asked(run, step, "skip")?;
        self.may_close_by_hand(run, step, "skip", &by)?;
        if state == StepState::InDoubt {
            self.may_vouch(run, step, &by)?;
        }
        let (is_called, is_ending) =
            (this_step.step(step).tries.in_flight.is_some(), this_step.step(step).ending.is_some());
        let reason = required_reason(reason, &format!("skip {id} of {run}"))?;
        if is_called {
            // What needs it begins when its call has ended, not beside it.
            if !is_ending {
                self.emit_step(run, step, StepEvent::Ending { why: Why::Person { by, reason } });
            }
            return Ok(());
        }
        self.close_gate(run, step, "by-hand");
        self.skip_tree(run, step, Why::Person { by, reason });
        Ok(())
    }

    pub(super) fn done(
        &mut self,
        run: RunId,
        step: StepIx,
        outputs: ValueMap,
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        let this_step = self.find_step(run, step)?;
        let (state, plan) = (this_step.step(step).state(), this_step.plan_step(step).clone());
        let open = matches!(state, StepState::Ready | StepState::Waiting | StepState::InDoubt);
        // A gate is completed by an answer; one that failed never had one.
        let failed = state == StepState::Failed && !matches!(plan.work, Work::Gate(_));
        let may = failed || open && !this_step.state.rests();
        if !may || matches!(plan.work, Work::Frame(_)) {
            let verb = "complete by hand".to_owned();
            return Err(Refusal::StepState { run, step: plan.id, state, verb });
        }
        if open {
            self.has_asked(run, step, "complete by hand")?;
        }
        if this_step.undo.unwinding.is_some() {
            return Err(undoes(run, &format!("complete {} by hand in", plan.id)));
        }
        self.may_close_by_hand(run, step, "complete by hand", &by)?;
        self.may_vouch(run, step, &by)?;
        let reason = required_reason(reason, &format!("complete {} of {run} by hand", plan.id))?;
        let judged = outcome::judge(&plan, call::tool_at(this_step, step, 0), &outputs);
        let outputs = judged
            .map_err(|error| {
                Refusal::Other(format!(
                    "could not complete {} of {run} by hand: it {}",
                    plan.id, error.message
                ))
            })?
            .outputs;
        self.close_gate(run, step, "by-hand");
        self.emit_step(run, step, StepEvent::DoneByHand { by, outputs, reason });
        Ok(())
    }

    /// Refuses to pass a gate before it has asked: the ask decides who may answer, and the question.
    fn has_asked(&self, run: RunId, step: StepIx, verb: &str) -> Result<(), Refusal> {
        let this_run = self.run(run);
        let within = std::iter::once(step).chain(frame::descendants(this_run, step));
        let asks = |gate: GateId| self.world.gates.get(&gate).is_some_and(Gate::is_open);
        let silent =
            |step: &StepIx| !this_run.step(*step).rests() && !this_run.step(*step).gate.is_some_and(asks);
        let holds_gate = |step: &StepIx| is_or_makes_gate(this_run.plan_step(*step));
        let Some(gate) = within.filter(silent).find(holds_gate) else { return Ok(()) };
        let name = |step: StepIx| this_run.plan_step(step).id.clone();
        Err(Refusal::NotAsked { run, step: name(step), gate: name(gate), verb: verb.to_owned() })
    }

    /// Checks that this person may skip or complete a step by hand that a gate asks about. The gate itself is
    /// closed by an answer only; an override is one.
    fn may_close_by_hand(&self, run: RunId, step: StepIx, verb: &str, by: &Actor) -> Result<(), Refusal> {
        let this_run = self.run(run);
        let gate = this_run.step(step).gate;
        let Some(id) = gate.filter(|gate| self.world.gates[gate].is_open()) else { return Ok(()) };
        let gate = &self.world.gates[&id];
        if !gate.for_budget {
            let (step, verb) = (this_run.plan_step(step).id.clone(), verb.to_owned());
            return Err(Refusal::IsGate { run, step, gate: id, verb });
        }
        match gate.needs_more_than(by, self.now) {
            Some(why) => Err(Refusal::NotAllowed { gate: id, why }),
            None => Ok(()),
        }
    }

    /// Checks that this person may tell the outcome of a step.
    /// If a gate before the step excludes the person who asked for the run or edited it, so does this: it
    /// would be a way around.
    fn may_vouch(&self, run: RunId, step: StepIx, by: &Actor) -> Result<(), Refusal> {
        let this_run = self.run(run);
        let kept = this_run.kept_answers(&self.world.people);
        for gate in this_run.above(step, |_| true) {
            let (seen, plan) = (this_run.step(gate), this_run.plan_step(gate));
            let is_gate = plan.work.gate().is_some();
            let why = match seen.gate.filter(|_| is_gate).and_then(|gate| self.world.gates.get(&gate)) {
                Some(gate) => gate.forbids(by),
                // Its approval is kept from another run, which had its own requesters, editors and excluded people.
                None if seen.origin.is_some() || is_gate && seen.succeeded() => kept.forbid(plan, by),
                None => None,
            };
            if let Some(why) = why {
                let name = |step: StepIx| self.run(run).plan_step(step).id.clone();
                return Err(Refusal::Vouch { run, step: name(step), gate: name(gate), why });
            }
        }
        Ok(())
    }
}
