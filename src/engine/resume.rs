//! The meaning of a crash: an engine has taken up the log again, and calls in flight are judged, as events.

use crate::{
    Adoption, AttemptEvent, Fact, Failure, Found, GateState, Outcome, Purpose, StepEvent, StepState,
    TakeOver, UndoEvent, gate::Gate, handle::Turn, outcome,
};
use cuelight_base::{AttemptId, FailureMode, GateId, RunId, Span, StepIx};
use cuelight_plan::EffectClass;
use std::collections::BTreeMap;

const EVIDENCE: &str = "the process that ran it died before its end was recorded";
const NEVER_RAN: &str =
    "could not start: its console died before it began; there is no start record, so it never ran";

impl Turn<'_> {
    pub(super) fn recover(
        &mut self,
        away: Span,
        found: Vec<(AttemptId, Found)>,
        taken: Option<Box<TakeOver>>,
    ) {
        self.emit(Fact::Recovered { away, taken });
        let mut found: BTreeMap<AttemptId, Found> = found.into_iter().collect();
        let runs: Vec<RunId> = self.world.open_runs().collect();
        for run in runs {
            let steps = self.run(run).steps.len();
            for step in (0..steps).map(StepIx::from_index) {
                self.recover_step(run, step, &mut found);
            }
            self.world.dirty.insert(run);
        }
        self.restart_timers();
    }

    fn recover_step(&mut self, id: RunId, step: StepIx, found: &mut BTreeMap<AttemptId, Found>) {
        let run = self.run(id);
        let this_step = run.step(step);
        if let Some(purpose) = this_step.tries.in_flight {
            let attempt = AttemptId { run: id, step, number: this_step.tries.attempts };
            // An agent that came by itself has it, here or not: what it hands back is heard as before.
            if self.world.exchange.leases.get(attempt).is_some() {
                return;
            }
            let unknown = || Found::Unknown(EVIDENCE.to_owned());
            self.recover_call(attempt, purpose, found.remove(&attempt).unwrap_or_else(unknown));
        } else if this_step.state() == StepState::Waiting
            && let Some(asked) = this_step.asked.clone()
        {
            let (files, patterns, programs) = *asked;
            self.emit_step(id, step, StepEvent::FactsAsked { files, patterns, programs });
        } else if this_step.state() == StepState::Waiting
            && let Some(gate) = this_step.gate
            && let Some(by) = self.world.gates.get(&gate).and_then(|gate| gate.agreed.clone())
        {
            self.looks_again(gate, &by);
        } else if this_step.state() == StepState::Undoing && !this_step.undo.stuck && this_step.due.is_none()
        {
            self.emit(Fact::Undo(id, step, UndoEvent::Again { by: cuelight_base::Actor::engine() }));
            self.undo_call(id, step);
        }
    }

    fn recover_call(&mut self, attempt: AttemptId, purpose: Purpose, found: Found) {
        let AttemptId { run: id, step, number } = attempt;
        let adopted =
            |how, ends| Fact::Attempt(id, step, number, AttemptEvent::Adopted { purpose, how, ends });
        let is_work = matches!(purpose, Purpose::Step | Purpose::Fallback(_));
        match found {
            Found::Running => {
                let run = self.run(id);
                let over = run.step(step).ending.is_some() || run.ending.cancelling || run.ending.timed_out;
                self.emit(adopted(Adoption::Attached, over && purpose != Purpose::Undo));
            }
            Found::Ended(outcome) => {
                self.emit(adopted(Adoption::Recorded, false));
                self.attempt_ended(attempt, *outcome);
            }
            Found::NotStarted if is_work => {
                let failure = outcome::failure(FailureMode::SystemCrash, NEVER_RAN);
                let failure = Some(Failure { not_started: true, ..failure });
                self.attempt_ended(attempt, Outcome { failure, ..Outcome::default() });
            }
            Found::NotStarted => self.lose(attempt, NEVER_RAN),
            Found::Unknown(evidence) => self.lose(attempt, &evidence),
        }
    }

    /// A call in flight of which nobody will ever know how it ended.
    pub(super) fn lose(&mut self, attempt: AttemptId, evidence: &str) {
        let AttemptId { run: id, step, number } = attempt;
        let Some(purpose) = self.purpose(id, step) else { return };
        // Done elsewhere, its next call would wait for somebody to come, in a run that waits for it to end.
        let waits = self.world.exchange.leases.get(attempt).is_some();
        self.emit(Fact::Attempt(id, step, number, AttemptEvent::Lost { evidence: evidence.to_owned() }));
        match purpose {
            Purpose::Undo => self.undo_call(id, step),
            Purpose::Check => match self.run(id).step(step).ending.clone() {
                Some(why) => self.ended_as(id, step, why),
                None => self.call_check(id, step, evidence),
            },
            Purpose::Step | Purpose::Fallback(_) => self.judge_lost(id, step, evidence, waits),
        }
    }

    /// Decides by effect class about work whose end is unknown, and by the state of the run if another call
    /// would wait.
    fn judge_lost(&mut self, id: RunId, step: StepIx, evidence: &str, waits: bool) {
        let run = self.run(id);
        let class = run.plan_step(step).effect;
        let spared = run.step(step).explicit || run.in_explicit_frame(step);
        let over = if run.ending.cancelling || run.ending.timed_out {
            Some(run.why_ending())
        } else {
            run.why_over(step).filter(|_| waits && !spared)
        };
        if let Some(why) = run.step(step).ending.clone() {
            return self.ended_as(id, step, why);
        }
        match class {
            EffectClass::Pure | EffectClass::Idempotent | EffectClass::Keyed => match over {
                Some(why) => self.emit_step(id, step, StepEvent::Cancelled { why }),
                None => self.call_again(id, step),
            },
            EffectClass::Queryable => self.call_check(id, step, evidence),
            EffectClass::Once => {
                self.emit_step(id, step, StepEvent::InDoubt { evidence: evidence.to_owned() });
            }
        }
    }

    /// No gate is approved because time passed while nobody looked: such timers start again.
    pub(super) fn restart_timers(&mut self) {
        let is_running =
            |gate: &Gate| gate.state == GateState::Open && gate.due().is_some() && gate.approves_by_time();
        let waiting: Vec<GateId> =
            self.world.gates.iter().filter(|entry| is_running(entry.1)).map(|entry| *entry.0).collect();
        for id in waiting {
            let timeout = self.world.gates[&id].rule.timeout;
            self.ask_until(
                id,
                timeout.map(|timeout| self.now + timeout),
                "nobody was looking; its timer starts again",
            );
        }
    }
}
