//! The commands of people at a gate: answers, form values, comments, delegations and reviews.

use super::{Turn, checked_reason, required_reason};
use crate::{
    Decision, GateEvent, GateState, Refusal, Verdict,
    ask::{self, Asking},
    call::Unresolved,
    form,
    gate::{BREAK_GLASS, Gate, GateAct, OVERRIDE},
};
use cuelight_base::{
    Actor, DELEGATION_DEFAULT, DELEGATION_MAX, Epoch, GATE_COMMENTS_MAX, GATE_COMMENTS_OF_PROGRAMS_MAX,
    GATE_REFUSALS_OF_PROGRAMS_MAX, GateId, RunId, Span, ValueMap,
};
use std::sync::Arc;

impl Turn<'_> {
    /// Records a refused answer to a gate. Those of steps and agents are recorded up to a limit, so that none of them
    /// can fill the log.
    pub(super) fn note_refusal(&mut self, gate: GateId, by: Actor, why: String) -> Result<(), Refusal> {
        let recorded = self.find_gate(gate)?.of_programs.1 + 1;
        let is_program = by.decides_nothing().is_some();
        if is_program && recorded > GATE_REFUSALS_OF_PROGRAMS_MAX {
            return Ok(());
        }
        let is_last = is_program && recorded == GATE_REFUSALS_OF_PROGRAMS_MAX;
        let more =
            if is_last { "; more refused answers of steps and agents are not recorded here" } else { "" };
        self.emit_gate(gate, GateEvent::Refused { by, why: why + more });
        Ok(())
    }

    pub(super) fn decide(&mut self, decision: Decision) -> Result<(), Refusal> {
        let id = decision.gate;
        let principal = decision.by.principal();
        if let Some((gate, verdict, by)) = self.world.decisions.get(&decision.id) {
            let same = *gate == id && *verdict == decision.verdict && *by == principal;
            let gate = self.find_gate(*gate)?;
            // What was taken back, or given to an ask that is no more, is not given by saying it again.
            let stands = gate.votes.iter().any(|vote| vote.decision == decision.id);
            return match () {
                () if !same => Err(Refusal::DecisionUsed(decision.id.0)),
                () if stands || !gate.is_open() || decision.verdict == Verdict::SendBack => Ok(()),
                () if gate.epoch != decision.epoch || gate.hash != decision.ask => {
                    Err(Refusal::AskChanged { gate: id, now: gate.hash, epoch: gate.epoch })
                }
                () => Err(Refusal::TakenBack(id)),
            };
        }
        let gate = self.find_gate(id)?;
        if let Some(vote) = gate.votes.iter().find(|vote| vote.by.principal() == principal)
            && !gate.is_open()
            && vote.verdict == decision.verdict
            && (!decision.break_glass || gate.resolved_by == BREAK_GLASS)
            && (!decision.overrides || gate.resolved_by == OVERRIDE)
        {
            return Ok(());
        }
        let mut decision = decision;
        decision.reason = checked_reason(decision.reason)?;
        let Some((vote, form)) = gate.answer(&decision, self.now)? else { return Ok(()) };
        if decision.verdict == Verdict::SendBack {
            let anew = self.anew_from(id).map_err(|why| Refusal::SendBack { gate: id, why })?;
            self.emit_gate(id, GateEvent::Voted(Box::new(vote)));
            self.send_back(id, anew);
            return Ok(());
        }
        self.fill_in(id, form, &decision.by)?;
        if decision.break_glass {
            self.emit_gate(id, GateEvent::GlassBroken(Box::new(vote)));
            self.resolve(id, GateState::Approved, BREAK_GLASS);
            return Ok(());
        }
        if decision.overrides {
            self.emit_gate(id, GateEvent::Overridden(Box::new(vote)));
            self.resolve(id, GateState::Approved, OVERRIDE);
            return Ok(());
        }
        self.emit_gate(id, GateEvent::Voted(Box::new(vote)));
        match decision.verdict {
            Verdict::SendBack => {}
            Verdict::Reject => self.resolve(id, GateState::Rejected, "people"),
            Verdict::Approve if self.world.gates[&id].state == GateState::Armed => {}
            Verdict::Approve => {
                self.count(id);
            }
        }
        Ok(())
    }

    /// Puts the values of an approval into the ask that it approves, so that the released steps are bound to
    /// them, and others see them.
    fn fill_in(&mut self, id: GateId, form: ValueMap, by: &Actor) -> Result<(), Refusal> {
        let before = self.world.gates[&id].form();
        if form == before {
            return Ok(());
        }
        let why = format!("{} filled in {}", by.name, form::changes(&before, &form));
        let (ask, hash) =
            self.ask_again(id, Some(form)).map_err(|problem| Refusal::Form { gate: id, problem })?;
        self.emit_gate(id, GateEvent::Asked { ask: Arc::new(ask), hash, why: Some(why) });
        Ok(())
    }

    /// Arms a gate at which enough people have agreed; without an undo window it is approved at once.
    pub(crate) fn count(&mut self, id: GateId) {
        let gate = &self.world.gates[&id];
        if gate.state != GateState::Open || gate.agreed.is_some() || !gate.is_satisfied() {
            return;
        }
        let window = gate.window();
        if window.0 == 0 {
            self.resolve(id, GateState::Approved, gate.closer());
        } else {
            self.emit_gate(id, GateEvent::Armed { until: self.now + window });
        }
    }

    pub(super) fn withdraw(&mut self, gate: GateId, by: Actor) -> Result<(), Refusal> {
        self.find_gate(gate)?.may(&by, GateAct::Withdraw, self.now)?;
        self.emit_gate(gate, GateEvent::Withdrawn { by });
        // Others may have agreed as well, while it was armed.
        self.count(gate);
        Ok(())
    }

    pub(super) fn edit_form(
        &mut self,
        id: GateId,
        epoch: Epoch,
        values: ValueMap,
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        let gate = self.find_gate(id)?;
        gate.is_asking(self.now)?;
        if gate.epoch != epoch {
            return Err(Refusal::AskChanged { gate: id, now: gate.hash, epoch: gate.epoch });
        }
        gate.may(&by, GateAct::Edit, self.now)?;
        let reason = checked_reason(reason)?;
        let before = gate.form();
        let values = form::check_form(&gate.ask.form, &values)
            .map_err(|problem| Refusal::Form { gate: id, problem })?;
        if values == before {
            return Err(Refusal::Form { gate: id, problem: "nothing was changed".to_owned() });
        }
        let why = format!("{} changed {}", by.name, form::changes(&before, &values));
        let (ask, hash) = self
            .ask_again(id, Some(values.clone()))
            .map_err(|problem| Refusal::Form { gate: id, problem })?;
        self.emit_gate(id, GateEvent::Edited { by, values, reason });
        self.emit_gate(id, GateEvent::Asked { ask: Arc::new(ask), hash, why: Some(why) });
        Ok(())
    }

    /// The ask as it would be now, in the next epoch.
    pub(crate) fn ask_again(
        &self,
        id: GateId,
        values: Option<ValueMap>,
    ) -> Result<(crate::Ask, cuelight_base::Digest), String> {
        let gate = &self.world.gates[&id];
        // Where time alone approves, nobody is left less of it to look at the new ask.
        let anew = gate.rule.timeout.filter(|_| gate.approves_by_time());
        let asking = Asking {
            gate: id,
            epoch: Epoch(gate.epoch.0 + 1),
            opened_at: gate.ask.opened_at,
            expires_at: anew.map_or(gate.ask.expires_at, |timeout| Some(self.now + timeout)),
            form: Some(values.unwrap_or_else(|| gate.form())),
            touch: gate.people.wants_touch(),
            raises: gate.ask.raises,
        };
        let ask = self.make_ask(gate, &asking)?;
        let hash = ask::hash(&ask);
        Ok((ask, hash))
    }

    /// The ask of a gate, whatever it is for.
    pub(crate) fn try_ask(&self, gate: &Gate, asking: &Asking) -> Result<crate::Ask, Unresolved> {
        let run = self.run(gate.run);
        if gate.for_budget {
            return Ok(self.by_the_way(run, gate.step, asking));
        }
        ask::make(self.world, run, gate.step, &gate.rule, asking, self.now)
    }

    fn make_ask(&self, gate: &Gate, asking: &Asking) -> Result<crate::Ask, String> {
        self.try_ask(gate, asking).map_err(|error| match error {
            Unresolved::Needs(_) | Unresolved::Programs(_) => "files have to be looked at again".to_owned(),
            Unresolved::Failed(message) => message,
        })
    }

    pub(super) fn delegate(
        &mut self,
        gate: GateId,
        to: &str,
        lasts: Option<Span>,
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        let this_gate = self.find_gate(gate)?;
        this_gate.may(&by, GateAct::Delegate, self.now)?;
        let lasts = lasts.unwrap_or(DELEGATION_DEFAULT);
        let to = to.trim();
        let why = if lasts.0 == 0 || lasts > DELEGATION_MAX {
            Some(format!("it can be with somebody for more than 0s and at most {DELEGATION_MAX}"))
        } else {
            this_gate.keeps(&by, to)
        };
        if let Some(why) = why {
            return Err(Refusal::Delegation { gate, why });
        }
        let reason = checked_reason(reason)?;
        let until = self.now + lasts;
        self.emit_gate(gate, GateEvent::Delegated { by, to: to.to_owned(), until, reason });
        Ok(())
    }

    pub(super) fn comment(&mut self, gate: GateId, text: String, by: Actor) -> Result<(), Refusal> {
        let this_gate = self.find_gate(gate)?;
        if !this_gate.is_open() {
            return Err(Refusal::GateClosed {
                gate,
                state: this_gate.state,
                by: this_gate.resolved_by.clone(),
            });
        }
        let text = checked_reason(text)?;
        if text.is_empty() {
            return Err(Refusal::Other(format!(
                "could not comment on {gate}: the comment is empty; write a text"
            )));
        }
        let (many, most, whose) = match by.decides_nothing() {
            Some(_) => (this_gate.of_programs.0, GATE_COMMENTS_OF_PROGRAMS_MAX, "of steps and agents"),
            None => (this_gate.comments, GATE_COMMENTS_MAX, "of people"),
        };
        if many >= most {
            return Err(Refusal::Other(format!(
                "could not comment on {gate}: it has {many} comments {whose}, and takes no more of them"
            )));
        }
        self.emit_gate(gate, GateEvent::Commented { by, text });
        Ok(())
    }

    pub(super) fn review_glass(
        &mut self,
        run: RunId,
        (gate, epoch): (GateId, Epoch),
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        self.find(run)?;
        let this_gate = self.find_gate(gate)?;
        if this_gate.run != run {
            return Err(Refusal::NoGate(gate));
        }
        let is_news = this_gate.review(epoch, &by).map_err(|why| Refusal::Review { gate, why })?;
        let reason = required_reason(reason, &format!("review {gate}"))?;
        if is_news {
            self.emit_gate(gate, GateEvent::GlassReviewed { by, reason, epoch: Some(epoch) });
        }
        Ok(())
    }
}
