//! A gate: a question to people.
//!
//! ```text
//! open ─▶ armed ─▶ approved    enough have agreed, and none of them is excluded; armed can be taken back
//!   │  ◀───┘ (withdrawn, or asked anew: another epoch, all votes void)
//!   ├────▶ rejected            one has refused
//!   ├────▶ expired             nobody came in time
//!   └────▶ cancelled           its run ended first, or it was done by hand
//! ```
//!
//! What a verdict *causes* is not decided here; see `settle`.

use crate::{
    base::{Digest, Epoch, RunId, Span, StepIx, Timestamp, ValueMap},
    engine::{Actor, Ask, Channel, Decision, GateEvent, GateState, Refusal, Verdict, Vote, quorum},
    plan::{GateRule, Risk},
};
use std::collections::BTreeMap;

/// What is known of one gate.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) run: RunId,
    pub(super) step: StepIx,
    pub(super) state: GateState,
    pub(super) epoch: Epoch,
    pub(super) ask: Box<Ask>,
    pub(super) hash: Digest,
    pub(super) votes: Vec<Vote>,
    /// Principals that changed the parameters, and their names: they do not vote.
    pub(super) editors: BTreeMap<String, String>,
    pub(super) opened_at: Timestamp,
    pub(super) armed_until: Option<Timestamp>,
    pub(super) reminded: u32,
    pub(super) escalated: Option<String>,
    pub(super) resolved_by: String,
    /// Asks for a higher ceiling, not for the step's own sake.
    pub(super) for_budget: bool,
}

/// What time does to a gate, in the order it is asked for when several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GateDue {
    Armed,
    Expires,
    Escalates,
    Reminds,
}

impl Gate {
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, GateState::Open | GateState::Armed)
    }

    /// Moves to the state an event leads to; a pair not named here is a fault.
    pub(super) fn apply(&mut self, event: &GateEvent) {
        match (self.state, event) {
            (GateState::Open | GateState::Armed, GateEvent::Asked { ask, hash, .. }) => {
                self.state = GateState::Open;
                self.epoch = ask.epoch;
                self.ask.clone_from(ask);
                self.hash = *hash;
                self.votes.clear();
                self.armed_until = None;
            }
            (GateState::Open | GateState::Armed, GateEvent::Voted(vote)) => self.votes.push((**vote).clone()),
            (GateState::Open | GateState::Armed, GateEvent::Withdrawn { by }) => {
                let principal = by.principal();
                self.votes.retain(|it| it.by.principal() != principal);
                self.state = GateState::Open;
                self.armed_until = None;
            }
            (GateState::Open | GateState::Armed, GateEvent::Edited { by, .. }) => {
                self.editors.insert(by.principal(), by.name.clone());
            }
            (GateState::Open, GateEvent::Armed { until }) => {
                self.state = GateState::Armed;
                self.armed_until = Some(*until);
            }
            (GateState::Open | GateState::Armed, GateEvent::Reminded { count }) => self.reminded = *count,
            (GateState::Open | GateState::Armed, GateEvent::Escalated { group }) => {
                self.escalated = Some(group.clone())
            }
            (GateState::Open | GateState::Armed, GateEvent::Resolved { state, by, .. }) => {
                self.state = *state;
                self.resolved_by.clone_from(by);
                self.armed_until = None;
            }
            (_, GateEvent::Refused { .. } | GateEvent::Commented { .. }) => {}
            (state, event) => panic!("fault: a gate that is {state} cannot take {event:?}"),
        }
    }

    /// What an answer means now; changes nothing. `None`: it was given before, and counts once.
    pub(super) fn answer(
        &self,
        rule: &GateRule,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<Option<Vote>, Refusal> {
        let gate = decision.gate;
        if !self.is_open() {
            return Err(Refusal::GateClosed { gate, state: self.state, by: self.resolved_by.clone() });
        }
        if self.ask.expires_at.is_some_and(|it| it <= now) && self.state == GateState::Open {
            return Err(Refusal::GateExpired(gate));
        }
        if self.epoch != decision.epoch || self.hash != decision.ask {
            return Err(Refusal::AskChanged { gate, now: self.hash, epoch: self.epoch });
        }
        if let Some(why) = self.excludes(&decision.by, rule) {
            return Err(Refusal::NotAllowed { gate, why });
        }
        let principal = decision.by.principal();
        if let Some(vote) = self.votes.iter().find(|it| it.by.principal() == principal) {
            let same = vote.verdict == decision.verdict;
            return if same { Ok(None) } else { Err(Refusal::Voted(gate)) };
        }
        let reason = decision.reason.trim();
        match decision.verdict {
            Verdict::Reject if reason.is_empty() => {
                return Err(Refusal::ReasonMissing(format!("reject {gate}")));
            }
            Verdict::Approve if reason.is_empty() && self.ask.reason_required => {
                return Err(Refusal::ReasonMissing(format!("approve {gate}")));
            }
            Verdict::Approve => {
                if let Some(field) = self.ask.form.iter().find(|it| it.required && it.value.is_null()) {
                    let problem = format!("`{}` is not filled in; edit the parameters first", field.name);
                    return Err(Refusal::Form { gate, problem });
                }
            }
            Verdict::Reject => {}
        }
        Ok(Some(Vote {
            decision: decision.id.clone(),
            by: decision.by.clone(),
            verdict: decision.verdict,
            reason: reason.to_owned(),
            ask: decision.ask,
            shown_for: decision.shown_for,
        }))
    }

    /// Why this person's answer does not count here, if it does not.
    pub(super) fn excludes(&self, actor: &Actor, rule: &GateRule) -> Option<String> {
        if self.editors.contains_key(&actor.principal()) {
            return Some(format!("{} edited the parameters; somebody else has to answer", actor.name));
        }
        let by_rule = |(excluded, why): &(String, String)| {
            (*excluded == actor.principal() || quorum::is_addressed(excluded, actor)).then(|| why.clone())
        };
        if let Some(why) = self.ask.excluded.iter().find_map(by_rule) {
            return Some(why);
        }
        if quorum::could_fill(&rule.require, self.escalated.as_deref(), actor) {
            return None;
        }
        let groups: Vec<&str> = rule.require.iter().filter_map(|it| it.group.as_deref()).collect();
        Some(format!("{} is not in {}", actor.name, groups.join(" or ")))
    }

    /// Whether those who agreed are enough. Where it was escalated, one of that group is.
    pub(super) fn is_satisfied(&self, rule: &GateRule) -> bool {
        let voters: Vec<&Actor> =
            self.votes.iter().filter(|it| it.verdict == Verdict::Approve).map(|it| &it.by).collect();
        let escalated =
            self.escalated.as_ref().is_some_and(|to| voters.iter().any(|it| quorum::is_addressed(to, it)));
        escalated || quorum::is_reached(&rule.require, &voters)
    }

    /// How long the approval that has just been completed can be taken back. Nothing for scripts, and nothing where a
    /// code was typed: both have had their second look.
    pub(super) fn window(&self, rule: &GateRule) -> Span {
        let last = self.votes.last();
        let from_script = last.is_some_and(|it| it.by.channel != Channel::Console);
        match rule.undo_window {
            Some(window) => window,
            None if from_script || rule.risk == Risk::Irreversible => Span(0),
            None => self.ask.undo_window,
        }
    }

    /// What time does to it next.
    pub(super) fn due(&self, rule: &GateRule) -> Option<(Timestamp, GateDue)> {
        match self.state {
            GateState::Armed => self.armed_until.map(|it| (it, GateDue::Armed)),
            GateState::Open => {
                let expires = self.ask.expires_at.map(|it| (it, GateDue::Expires));
                let escalates = rule
                    .escalate
                    .as_ref()
                    .filter(|_| self.escalated.is_none())
                    .map(|(after, _)| (self.opened_at + *after, GateDue::Escalates));
                let reminds = rule
                    .remind
                    .get(self.reminded as usize)
                    .map(|after| (self.opened_at + *after, GateDue::Reminds));
                [expires, escalates, reminds].into_iter().flatten().min()
            }
            GateState::Approved | GateState::Rejected | GateState::Expired | GateState::Cancelled => None,
        }
    }

    /// The parameters as they are now.
    pub(super) fn form(&self) -> ValueMap {
        self.ask.form.iter().map(|it| (it.name.clone(), it.value.clone())).collect()
    }
}
