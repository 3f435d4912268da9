//! The consequences of the answer to a gate. An approval is for the shown files and calls only. The files are
//! looked at and the ask is made once more; if it differs, the same people are asked again.
//! `people` decides who may answer; `quorum` decides when answers are enough.

use crate::{
    Facts, GateEvent, GateState, StepEvent, StepState,
    ask::{self, Asking},
    call::{self, Unresolved},
    facts,
    gate::Gate,
    handle::Turn,
    outcome,
};
use cuelight_base::{FailureMode, RunId, StepIx, ValueMap};
use cuelight_plan::OnFailure;
use std::sync::Arc;

impl Turn<'_> {
    /// Closes a gate that somebody, a policy or time has decided. An approval is for the shown ask only: it
    /// is made up and looked at once more before the approval counts.
    pub(super) fn resolve(&mut self, id: cuelight_base::GateId, state: GateState, by: &str) {
        if state == GateState::Approved && (self.asks_again(id) || self.looks_again(id, by)) {
            return;
        }
        self.close(id, state, by);
    }

    /// True if files have to be looked at first.
    pub(super) fn looks_again(&mut self, id: cuelight_base::GateId, by: &str) -> bool {
        let gate = &self.world.gates[&id];
        let facts = self.run(gate.run).step(gate.step).facts.as_ref();
        let Some(facts) =
            facts.filter(|facts| !gate.for_budget && facts.shows_files() && facts.tree().is_none())
        else {
            return false;
        };
        let files = facts.files.iter().map(|file| file.path.clone()).collect();
        let patterns = facts.hashes.iter().map(|hash| hash.0.clone()).collect();
        self.emit_gate(id, GateEvent::Agreed { by: by.to_owned(), files, patterns });
        true
    }

    /// Goes on after the files were looked at: the approval counts, or people are asked again because of the
    /// changes.
    pub(super) fn looked_again(&mut self, run: RunId, step: StepIx, now: &Facts) {
        let this_step = self.run(run).step(step);
        let Some(id) = this_step.gate else { return };
        let (Some(by), Some(seen)) = (self.world.gates[&id].agreed.clone(), &this_step.facts) else { return };
        if !seen.is_of_the_same(now) {
            return;
        }
        let changed = seen.changed_in(now);
        if !changed.is_empty() {
            let why = facts::sentence(&changed);
            self.emit_step(run, step, StepEvent::Reopened { why, gates: Vec::new() });
        } else if !self.asks_again(id) {
            self.close(id, GateState::Approved, &by);
        }
    }

    pub(super) fn close(&mut self, id: cuelight_base::GateId, state: GateState, by: &str) {
        let gate = &self.world.gates[&id];
        let (run, step, for_budget) = (gate.run, gate.step, gate.for_budget);
        let form = gate.form();
        let approvers: Vec<cuelight_base::Actor> = gate.votes.iter().map(|vote| vote.by.clone()).collect();
        let approved_for = gate.approved_for();
        let ask::Covered { calls, fallbacks, .. } =
            ask::covered(self.world, self.run(run), step, gate, self.now);
        self.emit_gate(id, GateEvent::Resolved { state, by: by.to_owned(), form: form.clone() });
        if for_budget && self.run(run).is_to_be_chosen(step) {
            return self.choice_resolved(run, step, id, state, form, &approvers);
        }
        if for_budget {
            return self.by_the_way_resolved(run, step, (id, state), &form, approvers);
        }
        if state == GateState::Approved {
            let this_run = self.run(run);
            let released_later =
                this_run.step(step).facts.as_ref().and_then(|facts| this_run.bound_later(step, facts));
            let outputs = ask::result("approved", &form, &approved_for.iter().collect::<Vec<_>>());
            let done = StepEvent::Completed {
                outputs,
                confidence: None,
                partial: false,
                fallback: 0,
                kept: false,
                released: calls,
                released_fallbacks: fallbacks,
                released_later,
                origin: None,
                bound: None,
                cached: None,
                given: None,
            };
            self.emit_step(run, step, done);
        } else {
            let rule = self.run(run).plan_step(step).work.gate();
            let on_reject = rule.map_or(OnFailure::Stop, |rule| rule.on_reject);
            self.emit_step(run, step, StepEvent::Rejected { expired: state == GateState::Expired });
            self.consequences(run, step, true, on_reject);
        }
    }

    /// True if the calls that would run differ from the shown ones; then people are asked again, and nothing
    /// is approved.
    fn asks_again(&mut self, id: cuelight_base::GateId) -> bool {
        let gate = &self.world.gates[&id];
        let this_step = self.run(gate.run).step(gate.step);
        if this_step.state() != StepState::Waiting || this_step.asked.is_some() {
            // Another ask is being made.
            return true;
        }
        let asking = Asking {
            gate: id,
            epoch: gate.epoch,
            opened_at: gate.ask.opened_at,
            expires_at: gate.ask.expires_at,
            form: Some(gate.form()),
            touch: gate.people.wants_touch(),
            raises: gate.ask.raises,
        };
        let made = self.try_ask(gate, &asking);
        if let Err(Unresolved::Needs(_) | Unresolved::Programs(_)) = made {
            // A step that other gates held back as well is called first by now.
            let (run, step) = (gate.run, gate.step);
            let why = "what would run has changed since it was shown".to_owned();
            self.emit_step(run, step, StepEvent::Reopened { why, gates: Vec::new() });
            return true;
        }
        let same = made.is_ok_and(|ask| {
            ask.will_run == gate.ask.will_run
                && ask.writes == gate.ask.writes
                && ask.all == gate.ask.all
                && ask.binds == gate.ask.binds
                && ask.evidence == gate.ask.evidence
        });
        if same {
            return false;
        }
        let (run, step, timeout) = (gate.run, gate.step, gate.rule.timeout);
        match self.ask_again(id, None) {
            Ok((mut ask, _)) => {
                // Nobody has seen the new one: who has time to answer has all of it.
                if ask.expires_at.is_some_and(|expires_at| expires_at <= self.now) {
                    ask.expires_at = timeout.map(|timeout| self.now + timeout);
                }
                let hash = ask::hash(&ask);
                let why = Some("what would run has changed since it was shown".to_owned());
                self.emit_gate(id, GateEvent::Asked { ask: Arc::new(ask), hash, why });
            }
            Err(problem) => {
                self.close_gate(run, step, "run");
                let message = format!("what it asks can no longer be made up: {problem}");
                self.fail_step(run, step, &outcome::failure(FailureMode::UserInvalidInput, message));
            }
        }
        true
    }

    /// People have chosen which tool a step calls, or would not.
    fn choice_resolved(
        &mut self,
        run: RunId,
        step: StepIx,
        gate: cuelight_base::GateId,
        state: GateState,
        form: ValueMap,
        approvers: &[cuelight_base::Actor],
    ) {
        if state != GateState::Approved {
            let message = format!("none of its candidates was chosen: {}", self.no_words(gate, state));
            return self.fail_step(run, step, &outcome::failure(FailureMode::UserCancelled, message));
        }
        let asked = Asking {
            gate,
            epoch: cuelight_base::Epoch(1),
            opened_at: self.now,
            expires_at: None,
            form: Some(form),
            touch: false,
            raises: None,
        };
        let by = approvers.last().map_or_else(|| "the engine".to_owned(), |approver| approver.name.clone());
        self.chosen_by_hand(run, step, &asked, &by);
    }

    fn by_the_way_resolved(
        &mut self,
        run: RunId,
        step: StepIx,
        (gate, state): (cuelight_base::GateId, GateState),
        form: &ValueMap,
        mut approvers: Vec<cuelight_base::Actor>,
    ) {
        let held = self.run(run).step(step).asking.held.clone();
        let plan = self.run(run).plan_step(step).clone();
        match (held, state == GateState::Approved) {
            (Some(outputs), true) => match outcome::judge(
                &plan,
                call::tool_at(self.run(run), step, self.run(run).step(step).tries.work),
                &outputs,
            ) {
                Ok(result) => self.complete(run, step, result.outputs.clone(), Some(result)),
                Err(failure) => self.fail_step(run, step, &failure),
            },
            (Some(_), false) => {
                let message = format!("its result was not accepted: {}", self.no_words(gate, state));
                self.fail_step(run, step, &outcome::failure(FailureMode::AgentValidation, message));
            }
            (None, true) => {
                let by = approvers.pop().unwrap_or_else(cuelight_base::Actor::engine);
                let asked = self.world.gates[&gate].ask.raises;
                self.raise_budget(run, step, asked, form, &by);
                self.call_when_free(run, step);
            }
            (None, false) => {
                let message = format!("the budget was not raised: {}", self.no_words(gate, state));
                self.fail_step(run, step, &outcome::failure(FailureMode::PolicyBudget, message));
            }
        }
    }

    /// The person who rejected, and the reason: `mira rejected it: wrong image`.
    fn no_words(&self, gate: cuelight_base::GateId, state: GateState) -> String {
        self.world.gates[&gate].rejection_words(state)
    }

    /// A gate whose step ends for another reason.
    pub(super) fn close_gate(&mut self, run: RunId, step: StepIx, by: &str) {
        let gate = self.run(run).step(step).gate;
        if let Some(gate) = gate.filter(|gate| self.world.gates.get(gate).is_some_and(Gate::is_open)) {
            let form = ValueMap::new();
            self.emit_gate(
                gate,
                GateEvent::Resolved { state: GateState::Cancelled, by: by.to_owned(), form },
            );
        }
    }
}
