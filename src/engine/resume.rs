//! What a crash means: an engine has taken up the log again, and what was in flight is judged, as events.

use crate::{
    base::{RunId, Span, StepIx},
    engine::{
        AttemptEvent, Fact, GateEvent, GateState, Purpose, StepEvent, StepState, UndoEvent, ask, handle::Turn,
    },
    plan::{EffectClass, OnTimeout},
};

const EVIDENCE: &str = "the process that ran it died before its end was recorded";

impl Turn<'_> {
    pub(super) fn recover(&mut self, away: Span) {
        self.emit(Fact::Recovered { away });
        let runs: Vec<RunId> = self.world.open_runs().collect();
        for run in runs {
            let steps = self.run(run).steps.len();
            for step in (0..steps).map(StepIx::from_index) {
                self.recover_step(run, step);
            }
            self.world.dirty.insert(run);
        }
        self.restart_timers();
    }

    fn recover_step(&mut self, id: RunId, step: StepIx) {
        let run = self.run(id);
        let it = run.step(step);
        if let Some(purpose) = it.in_flight {
            let number = it.attempts;
            let lost = AttemptEvent::Lost { evidence: EVIDENCE.to_owned() };
            self.emit(Fact::Attempt(id, step, number, lost));
            match purpose {
                Purpose::Undo => self.undo_call(id, step),
                Purpose::Check => match self.run(id).step(step).ending.clone() {
                    Some(why) => self.ended_as(id, step, why),
                    None => self.call_check(id, step, EVIDENCE),
                },
                Purpose::Step | Purpose::Fallback(_) => self.judge_lost(id, step),
            }
        } else if it.state() == StepState::Waiting
            && let Some(asked) = it.asked.clone()
        {
            let (files, patterns, programs) = *asked;
            self.emit_step(id, step, StepEvent::FactsAsked { files, patterns, programs });
        } else if it.state() == StepState::Waiting
            && let Some(gate) = it.gate
            && let Some(by) = self.world.gates.get(&gate).and_then(|it| it.agreed.clone())
        {
            self.looks_again(gate, &by);
        } else if it.state() == StepState::Undoing && !it.undo_stuck && it.due.is_none() {
            self.emit(Fact::Undo(id, step, UndoEvent::Again { by: crate::engine::Actor::engine() }));
            self.undo_call(id, step);
        }
    }

    /// The class of its effect says what to do with work whose end nobody knows.
    fn judge_lost(&mut self, id: RunId, step: StepIx) {
        let run = self.run(id);
        let class = run.plan_step(step).effect;
        let ends = run.cancelling || run.timed_out;
        if let Some(why) = run.step(step).ending.clone() {
            return self.ended_as(id, step, why);
        }
        match class {
            EffectClass::Pure | EffectClass::Idempotent | EffectClass::Keyed if ends => {
                let why = self.run(id).why_ending();
                self.emit_step(id, step, StepEvent::Cancelled { why });
            }
            EffectClass::Pure | EffectClass::Idempotent | EffectClass::Keyed => self.call_again(id, step),
            EffectClass::Queryable => self.call_check(id, step, EVIDENCE),
            EffectClass::Once => {
                self.emit_step(id, step, StepEvent::InDoubt { evidence: EVIDENCE.to_owned() });
            }
        }
    }

    /// No gate is approved because time passed while nobody looked: such timers start again.
    fn restart_timers(&mut self) {
        let waiting: Vec<_> = self
            .world
            .gates
            .iter()
            .filter(|(_, gate)| gate.state == GateState::Open && !gate.anew && gate.ask.expires_at.is_some())
            .filter(|(_, gate)| self.world.rule(gate).on_timeout == OnTimeout::Approve)
            .map(|(id, gate)| (*id, self.world.rule(gate).timeout))
            .collect();
        for (gate, timeout) in waiting {
            if let Ok((mut ask, _)) = self.ask_again(gate, None) {
                ask.expires_at = timeout.map(|it| self.now + it);
                let hash = ask::hash(&ask);
                let why = Some("nobody was looking; its timer starts again".to_owned());
                self.emit_gate(gate, GateEvent::Asked { ask: Box::new(ask), hash, why });
            }
        }
    }
}
