//! A gate: a question to people.
//!
//! ```text
//! open ─▶ armed ─▶ approved    enough have agreed, and none of them is excluded; armed can be taken back
//!   │  ◀───┘ (withdrawn, or asked anew: another epoch, all votes void)
//!   │  ◀── approved, or done by hand: what it let go has changed before it ran; another epoch as well
//!   ├────▶ rejected            one has refused
//!   ├────▶ expired             nobody came in time
//!   └────▶ cancelled           its run ended first; in old logs also: it was done by hand
//! ```
//!
//! What a verdict *causes* is not decided here; see `verdict`.

use crate::{
    base::{
        BREAK_GLASS_REASON_CHARS_MIN, Digest, Epoch, GateId, RunId, Span, StepIx, Timestamp, Value, ValueMap,
    },
    engine::{
        Actor, Ask, Channel, Decision, GateEvent, GateState, Refusal, Verdict, Vote, check_form,
        membership::{GatePeople, groups_of},
        quorum, unanswered,
    },
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
    /// Answers that were handed to somebody else, the newest of each person.
    pub(super) delegations: Vec<Delegation>,
    pub(super) opened_at: Timestamp,
    pub(super) armed_until: Option<Timestamp>,
    pub(super) reminded: u32,
    pub(super) escalated: Option<String>,
    pub(super) resolved_by: String,
    /// Enough have agreed, and what they were shown is being looked at once more: who decided.
    pub(super) agreed: Option<String>,
    /// Who has approved alone, in an emergency, or closed it by an override.
    pub(super) broken_by: Option<String>,
    /// What it showed has changed: until it has asked anew, nobody answers it, and no time of its own runs off.
    pub(super) anew: bool,
    /// Who has looked afterwards at an approval that was given in an emergency: principal and name.
    pub(super) reviewed_by: Option<(String, String)>,
    /// What it was when somebody approved it alone, in an emergency, and it asked anew after that; the oldest first.
    /// Each of these is reviewed by itself, by those who were asked then.
    pub(super) overtaken: Vec<Self>,
    /// Asks for a higher ceiling, not for the step's own sake.
    pub(super) for_budget: bool,
    /// The people it goes by.
    pub(super) people: GatePeople,
}

/// An answer that somebody else may give, for a while.
#[derive(Clone, Debug)]
pub(super) struct Delegation {
    pub(super) by: Actor,
    pub(super) to: String,
    pub(super) until: Timestamp,
}

/// The group of `people.toml` whose members may override a quorum, and who decided when one of them did.
pub const BREAK_GLASS: &str = "break-glass";

/// What closed a gate that somebody overrode.
pub const OVERRIDE: &str = "override";

/// Whether a gate that was closed by this waits for a review.
pub fn wants_review(closed_by: &str) -> bool {
    [BREAK_GLASS, OVERRIDE].contains(&closed_by)
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

    /// Whether its time is up, though the engine has not been woken yet. What is armed is past that.
    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.state == GateState::Open && self.ask.expires_at.is_some_and(|it| it <= now)
    }

    /// Moves to the state an event leads to; a pair without one is a fault.
    pub(super) fn apply(&mut self, event: &GateEvent) {
        let Some(after) = next(self.state, event) else {
            panic!("fault: a gate that is {} cannot take {event:?}", self.state);
        };
        if matches!(event, GateEvent::Asked { .. }) && wants_review(&self.resolved_by) {
            self.keep_emergency();
        }
        self.state = after;
        if after != GateState::Armed {
            self.armed_until = None;
        }
        match event {
            GateEvent::Asked { ask, hash, .. } => {
                self.epoch = ask.epoch;
                self.ask.clone_from(ask);
                self.hash = *hash;
                self.votes.clear();
                (self.agreed, self.anew) = (None, false);
                (self.broken_by, self.reviewed_by) = (None, None);
                self.resolved_by.clear();
            }
            GateEvent::Voted(vote) => self.votes.push((**vote).clone()),
            GateEvent::GlassBroken(vote) | GateEvent::Overridden(vote) => {
                // It takes the place of the ordinary answer of the same person.
                self.votes.retain(|it| it.by.principal() != vote.by.principal());
                self.votes.push((**vote).clone());
                self.broken_by = Some(vote.by.principal());
            }
            GateEvent::Agreed { by, .. } => self.agreed = Some(by.clone()),
            GateEvent::Withdrawn { by } => {
                let principal = by.principal();
                self.broken_by = self.broken_by.take().filter(|it| *it != principal);
                // What somebody does alone in an emergency is for nobody else to take back.
                self.agreed = self.agreed.take().filter(|it| it == BREAK_GLASS && self.broken_by.is_some());
                self.votes.retain(|it| it.by.principal() != principal);
                self.delegations.retain(|it| it.by.principal() != principal);
            }
            GateEvent::Delegated { by, to, until, .. } => {
                self.delegations.retain(|it| it.by.principal() != by.principal());
                self.delegations.push(Delegation { by: by.clone(), to: to.clone(), until: *until });
            }
            GateEvent::Edited { by, .. } => {
                self.editors.insert(by.principal(), by.name.clone());
            }
            GateEvent::Armed { until } => self.armed_until = Some(*until),
            GateEvent::Reminded { count } => self.reminded = *count,
            GateEvent::Escalated { group } => self.escalated = Some(group.clone()),
            GateEvent::Resolved { by, .. } => {
                self.resolved_by.clone_from(by);
                (self.agreed, self.anew) = (None, false);
            }
            GateEvent::GlassReviewed { by, epoch, .. } => {
                let reviewed_by = Some((by.principal(), by.name.clone()));
                match self.overtaken.iter_mut().find(|it| Some(it.epoch) == *epoch) {
                    Some(it) => it.reviewed_by = reviewed_by,
                    None => self.reviewed_by = reviewed_by,
                }
            }
            GateEvent::Refused { .. } | GateEvent::Commented { .. } => {}
        }
    }

    /// Sets aside what was approved in an emergency, for whoever reviews it: from now on it asks something else.
    fn keep_emergency(&mut self) {
        let mut overtaken = std::mem::take(&mut self.overtaken);
        overtaken.push(self.clone());
        self.overtaken = overtaken;
    }

    /// Whether this person's look at what was approved in an emergency, in this epoch, is to be recorded: false when
    /// theirs is already. Else why it cannot be.
    pub(super) fn review(&self, epoch: Epoch, by: &Actor, rule: &GateRule) -> Result<bool, String> {
        let is_meant = |it: &&Self| it.epoch == epoch && wants_review(&it.resolved_by);
        let Some(it) = self.overtaken.iter().chain([self]).find(is_meant) else {
            let when = if epoch == self.epoch { String::new() } else { format!(" in epoch {epoch}") };
            return Err(format!("it has no emergency approval and no override{when}"));
        };
        let principal = by.principal();
        if let Some((other, name)) = &it.reviewed_by {
            return if *other == principal {
                Ok(false)
            } else {
                Err(format!("{name} has reviewed it already"))
            };
        }
        if it.broken_by.as_deref() == Some(&*principal) {
            return Err(format!("{} approved it; somebody else has to look", by.name));
        }
        it.forbids(by).or_else(|| it.may_not(by, rule)).map_or(Ok(true), Err)
    }

    /// Whether it still waits for people; else why nobody can do anything there any more, or not yet.
    pub(super) fn is_asking(&self, gate: GateId, now: Timestamp) -> Result<(), Refusal> {
        if self.anew {
            return Err(Refusal::AskedAnew(gate));
        }
        if !self.is_open() {
            return Err(Refusal::GateClosed { gate, state: self.state, by: self.resolved_by.clone() });
        }
        if self.has_expired(now) {
            return Err(Refusal::GateExpired(gate));
        }
        Ok(())
    }

    /// The vote that an answer is now, and the form with its values; changes nothing. `None`: it was given before, and
    /// counts once.
    pub(super) fn answer(
        &self,
        rule: &GateRule,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<Option<(Vote, ValueMap)>, Refusal> {
        let gate = decision.gate;
        self.is_asking(gate, now)?;
        if self.epoch != decision.epoch || self.hash != decision.ask {
            return Err(Refusal::AskChanged { gate, now: self.hash, epoch: self.epoch });
        }
        let why = if decision.break_glass {
            self.forbids(&decision.by).or_else(|| self.is_handed_on(&decision.by, now))
        } else {
            self.excludes(&decision.by, rule, now)
        };
        if let Some(why) = why.or_else(|| self.proves_too_little(decision, rule)) {
            return Err(Refusal::NotAllowed { gate, why });
        }
        let principal = decision.by.principal();
        // Who has agreed already and sees that nobody else comes can still do without them.
        let is_more = |it: &Vote| decision.break_glass && it.verdict == Verdict::Approve;
        let vote = self.votes.iter().find(|it| it.by.principal() == principal);
        if let Some(vote) = vote.filter(|it| !is_more(it)) {
            let same = vote.verdict == decision.verdict && !decision.overrides;
            return if same { Ok(None) } else { Err(Refusal::Voted(gate)) };
        }
        let reason = decision.reason.trim();
        match decision.verdict {
            Verdict::Reject if reason.is_empty() => {
                return Err(Refusal::ReasonMissing(format!("reject {gate}")));
            }
            Verdict::SendBack if reason.is_empty() => {
                return Err(Refusal::ReasonMissing(format!("send {gate} back")));
            }
            Verdict::Approve if decision.break_glass => {
                let by = self.counted(&decision.by);
                may_break_glass(&by, reason).map_err(|why| Refusal::BreakGlass { gate, why })?;
            }
            Verdict::Approve if reason.is_empty() && self.ask.reason_required => {
                return Err(Refusal::ReasonMissing(format!("approve {gate}")));
            }
            Verdict::Approve | Verdict::Reject | Verdict::SendBack => {}
        }
        if decision.break_glass && decision.verdict != Verdict::Approve {
            let why = "only an approval can be an emergency approval; leave `--break-glass` out".to_owned();
            return Err(Refusal::BreakGlass { gate, why });
        }
        let form = match decision.verdict {
            Verdict::Approve => {
                self.filled_in(&decision.form).map_err(|problem| Refusal::Form { gate, problem })?
            }
            Verdict::Reject | Verdict::SendBack if !decision.form.is_empty() => {
                let problem = "an approval fills in the form; leave its values out".to_owned();
                return Err(Refusal::Form { gate, problem });
            }
            Verdict::Reject | Verdict::SendBack => self.form(),
        };
        let is_given = |it: &(String, Value)| decision.form.contains_key(&it.0);
        let given = form.clone().into_iter().filter(is_given);
        let vote = Vote {
            decision: decision.id.clone(),
            by: self.counted(&decision.by),
            verdict: decision.verdict,
            reason: reason.to_owned(),
            ask: decision.ask,
            shown_for: decision.shown_for,
            acting_for: self.handed_to(&decision.by, now).map(|it| self.counted(it)).collect(),
            self_declared: false,
            form: given.collect(),
        };
        let vote = Vote { self_declared: self.is_self_declared(&vote.voter()), ..vote };
        if decision.overrides {
            self.may_override(decision, &vote, rule)?;
        }
        Ok(Some((vote, form)))
    }

    /// Why what proves an answer is too little here, and what to do: only an approval has to be touched.
    fn proves_too_little(&self, decision: &Decision, rule: &GateRule) -> Option<String> {
        let by = &decision.by;
        let wants_touch =
            self.ask.touch || rule.touch || self.people.wants_touch() && self.ask.risk >= Risk::Irreversible;
        let wants_touch = wants_touch && decision.verdict == Verdict::Approve;
        (wants_touch && by.touch().is_none())
            .then(|| self.ask.needs_touch_words())
            .or_else(|| self.key_is_new(by))
    }

    /// The form as an approval fills it in: every field fits, none is left empty unasked where the risk is high, and
    /// values that others have approved stay.
    fn filled_in(&self, given: &ValueMap) -> Result<ValueMap, String> {
        let form = check_form(&self.ask.form, given)?;
        if let Some(field) = unanswered(&self.ask, given).first() {
            return Err(format!(
                "`{0}` is empty and its risk is high; fill it in, or leave it empty on purpose (--leave {0})",
                field.name
            ));
        }
        let others = self.votes.iter().any(|it| it.verdict == Verdict::Approve);
        if others && form != self.form() {
            return Err(
                "somebody has approved other values; edit the parameters, and all are asked again".to_owned()
            );
        }
        Ok(form)
    }

    /// An override needs all that an approval needs, a reason, and enough people with this one: it is no way around them.
    fn may_override(&self, decision: &Decision, vote: &Vote, rule: &GateRule) -> Result<(), Refusal> {
        let gate = decision.gate;
        let refused = |why: &str| Err(Refusal::Override { gate, why: why.to_owned() });
        match () {
            () if decision.verdict != Verdict::Approve || decision.break_glass => {
                refused("an override is an approval of your own; leave the rest out")
            }
            () if self.for_budget => refused("it asks about a step that has begun; answer it"),
            () if self.state == GateState::Armed => refused("enough have agreed already"),
            () if vote.reason.is_empty() => Err(Refusal::ReasonMissing(format!("override {gate}"))),
            () if !self.would_satisfy(rule, Some(&vote.voter())) => {
                refused("more people have to agree; an override is no way around them")
            }
            () => Ok(()),
        }
    }

    /// Why this person's answer does not count here, if it does not.
    pub(super) fn excludes(&self, actor: &Actor, rule: &GateRule, now: Timestamp) -> Option<String> {
        let own = || self.may_not(actor, rule);
        let acts = || self.handed_to(actor, now).any(|it| self.may_not(it, rule).is_none());
        let why = self.forbids(actor).or_else(|| self.is_handed_on(actor, now));
        why.or_else(|| own().filter(|_| !acts()))
    }

    /// Those who have handed their answer to this person. Who does not count cannot hand on what they do not have.
    fn handed_to<'a>(&'a self, actor: &'a Actor, now: Timestamp) -> impl Iterator<Item = &'a Actor> {
        let live = self.delegations.iter().filter(move |it| it.until > now && self.is_called(&it.to, actor));
        let other = live.filter(|it| it.by.principal() != actor.principal());
        other.map(|it| &it.by).filter(|it| self.forbids(it).is_none() && !self.has_answered(it))
    }

    /// Whether an answer of this person stands, given by themselves or by somebody for them.
    fn has_answered(&self, actor: &Actor) -> bool {
        let principal = actor.principal();
        let is_by = |it: &Actor| it.principal() == principal;
        self.votes.iter().any(|it| is_by(&it.by) || it.acting_for.iter().any(is_by))
    }

    /// Why this person cannot answer any more, if somebody else has it in hand.
    fn is_handed_on(&self, actor: &Actor, now: Timestamp) -> Option<String> {
        let principal = actor.principal();
        let acts = |it: &&Vote| it.acting_for.iter().any(|of| of.principal() == principal);
        if let Some(vote) = self.votes.iter().find(acts) {
            return Some(format!("{} has answered for {}", vote.by.name, actor.name));
        }
        let mine = |it: &&Delegation| it.until > now && it.by.principal() == principal;
        let it = self.delegations.iter().find(mine)?;
        Some(format!(
            "{} handed their answer to {} until {}; take it back first",
            actor.name,
            it.to,
            it.until.clock()
        ))
    }

    /// Why this person cannot hand their answer to that one, if they cannot.
    pub(super) fn keeps(&self, by: &Actor, to: &str, rule: &GateRule) -> Option<String> {
        if let Some(why) = self.forbids(by).or_else(|| self.may_not(by, rule)) {
            return Some(why);
        }
        if self.has_answered(by) {
            return Some("it is given already; take it back first".to_owned());
        }
        if by.name == to || to.is_empty() {
            return Some("name somebody else".to_owned());
        }
        let is_editor = self.editors.values().any(|it| it == to);
        (is_editor || self.ask.requester == to && self.ask.excluded.iter().any(|it| it.1.starts_with(to)))
            .then(|| format!("the answer of {to} would not count here either"))
    }

    /// Whether something of this person stands here that can be taken back: an answer, or one that was handed on.
    pub(super) fn holds(&self, actor: &Actor) -> bool {
        let principal = actor.principal();
        self.votes.iter().any(|it| it.by.principal() == principal)
            || self.delegations.iter().any(|it| it.by.principal() == principal)
    }

    /// Why no answer of this person counts, whatever groups they are in.
    pub(super) fn forbids(&self, actor: &Actor) -> Option<String> {
        if self.editors.contains_key(&actor.principal()) && !self.ask.is_choice {
            return Some(format!("{} edited the parameters; somebody else has to answer", actor.name));
        }
        let by_rule = |(excluded, why): &(String, String)| {
            self.is_or_was_excluded(excluded, actor).then(|| why.clone())
        };
        self.ask.excluded.iter().find_map(by_rule)
    }

    /// Why this person is none of those who are asked.
    fn may_not(&self, actor: &Actor, rule: &GateRule) -> Option<String> {
        let counted = self.counted(actor);
        if quorum::could_fill(&rule.require, None, &counted)
            || self.escalated.as_ref().is_some_and(|it| self.is_called(it, actor))
        {
            return None;
        }
        let not_in = || format!("{} is not in {}", actor.name, groups_of(rule));
        Some(self.counts_not(actor, rule).unwrap_or_else(not_in))
    }

    /// Whether those who agreed are enough. Where it was escalated, one of that group is.
    pub(super) fn is_satisfied(&self, rule: &GateRule) -> bool {
        self.would_satisfy(rule, None)
    }

    /// Whether they are, with the approval of one more.
    pub(super) fn would_satisfy(&self, rule: &GateRule, more: Option<&Actor>) -> bool {
        let votes = || self.votes.iter().filter(|it| it.verdict == Verdict::Approve);
        let people = votes().flat_map(|it| it.acting_for.iter().chain([&it.by])).chain(more);
        let is_escalated = |to: &String| people.clone().any(|it| self.is_called(to, it));
        let voters: Vec<Actor> = votes().map(Vote::voter).chain(more.map(|it| self.counted(it))).collect();
        self.escalated.as_ref().is_some_and(is_escalated)
            || quorum::is_reached(&rule.require, &voters.iter().collect::<Vec<_>>())
    }

    /// Why this person alone cannot close it by hand, if they cannot: it would be a way around the quorum.
    pub(super) fn needs_more_than(&self, by: &Actor, rule: &GateRule, now: Timestamp) -> Option<String> {
        if let Some(why) = self.excludes(by, rule, now) {
            return Some(why);
        }
        let more = Some(by).filter(|_| !self.holds(by));
        (!self.would_satisfy(rule, more))
            .then(|| "more people have to agree; closing it by hand is no way around them".to_owned())
    }

    /// What closes it when enough have agreed.
    pub(super) fn closer(&self) -> &'static str {
        if self.broken_by.is_some() { OVERRIDE } else { "people" }
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
        // It was decided in time; what is left is not a matter of time.
        if self.agreed.is_some() || self.anew {
            return None;
        }
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

/// Who may override a quorum, and with what reason.
fn may_break_glass(by: &Actor, reason: &str) -> Result<(), String> {
    if by.groups.iter().all(|it| it != BREAK_GLASS) {
        return Err(format!("{} is not in the group {BREAK_GLASS} of people.toml", by.name));
    }
    let said = reason.chars().count();
    if said < BREAK_GLASS_REASON_CHARS_MIN {
        return Err(format!(
            "the reason has {said} characters; at least {BREAK_GLASS_REASON_CHARS_MIN} are wanted"
        ));
    }
    Ok(())
}

/// The state that an event leads to, or none when it may not happen in this one.
fn next(state: GateState, event: &GateEvent) -> Option<GateState> {
    use GateState as S;
    Some(match (state, event) {
        (S::Open | S::Armed, GateEvent::Asked { .. } | GateEvent::Withdrawn { .. }) => S::Open,
        // Approved, or in an old log closed by hand, before what it had let go changed.
        (S::Approved | S::Cancelled, GateEvent::Asked { .. }) => S::Open,
        (S::Open, GateEvent::Armed { .. }) => S::Armed,
        (S::Open | S::Armed, GateEvent::Resolved { state, .. }) if state.rests() => *state,
        (
            S::Open | S::Armed,
            GateEvent::Voted(_)
            | GateEvent::GlassBroken(_)
            | GateEvent::Overridden(_)
            | GateEvent::Delegated { .. }
            | GateEvent::Edited { .. }
            | GateEvent::Agreed { .. }
            | GateEvent::Reminded { .. }
            | GateEvent::Escalated { .. },
        )
        // What is looked at may be long over, and the gate ask something else.
        | (
            _,
            GateEvent::GlassReviewed { .. } | GateEvent::Refused { .. } | GateEvent::Commented { .. },
        ) => state,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{DecisionId, Digest, GateId, RunId};
    use crate::plan::OnTimeout;

    fn events() -> Vec<(&'static str, GateEvent)> {
        let by = Actor::engine;
        let vote = Vote {
            decision: DecisionId(String::new()),
            by: by(),
            verdict: Verdict::Approve,
            reason: String::new(),
            ask: Digest::default(),
            shown_for: None,
            acting_for: Vec::new(),
            self_declared: false,
            form: ValueMap::new(),
        };
        let overridden = Box::new(vote.clone());
        let broken = Box::new(vote.clone());
        let resolved = |state| GateEvent::Resolved { state, by: String::new(), form: ValueMap::new() };
        vec![
            ("asked", GateEvent::Asked { ask: Box::new(ask()), hash: Digest::default(), why: None }),
            ("voted", GateEvent::Voted(Box::new(vote))),
            ("glass-broken", GateEvent::GlassBroken(broken)),
            ("overridden", GateEvent::Overridden(overridden)),
            ("glass-reviewed", GateEvent::GlassReviewed { by: by(), reason: String::new(), epoch: None }),
            (
                "delegated",
                GateEvent::Delegated {
                    by: by(),
                    to: String::new(),
                    until: Timestamp(0),
                    reason: String::new(),
                },
            ),
            ("refused", GateEvent::Refused { by: by(), why: String::new() }),
            ("withdrawn", GateEvent::Withdrawn { by: by() }),
            ("edited", GateEvent::Edited { by: by(), values: ValueMap::new(), reason: String::new() }),
            ("commented", GateEvent::Commented { by: by(), text: String::new() }),
            ("agreed", GateEvent::Agreed { by: String::new(), files: Vec::new(), patterns: Vec::new() }),
            ("armed", GateEvent::Armed { until: Timestamp(0) }),
            ("reminded", GateEvent::Reminded { count: 1 }),
            ("escalated", GateEvent::Escalated { group: String::new() }),
            ("approved", resolved(GateState::Approved)),
            ("rejected", resolved(GateState::Rejected)),
            ("expired", resolved(GateState::Expired)),
            ("cancelled", resolved(GateState::Cancelled)),
        ]
    }

    fn ask() -> Ask {
        Ask {
            run: RunId(1),
            gate: GateId(1),
            epoch: Epoch(1),
            step: String::new(),
            workflow: String::new(),
            plan: Digest::default(),
            definition: Digest::default(),
            prompt: String::new(),
            claim: None,
            risk: Risk::default(),
            will_run: Vec::new(),
            all: None,
            later: Vec::new(),
            starts: Vec::new(),
            skips: Vec::new(),
            undoes: Vec::new(),
            cannot_undo: Vec::new(),
            binds: Vec::new(),
            evidence: Vec::new(),
            form: Vec::new(),
            require: Vec::new(),
            excluded: Vec::new(),
            requester: String::new(),
            opened_at: Timestamp(0),
            expires_at: None,
            on_timeout: OnTimeout::default(),
            reason_required: false,
            touch: false,
            undo_window: Span(0),
            send_back: None,
            snapshot: Vec::new(),
            is_choice: false,
            policy: None,
        }
    }

    #[test]
    fn every_pair_of_state_and_event_is_known() {
        let cell = |state: &GateState, event: &GateEvent| next(*state, event).map(GateState::word);
        let cells = events()
            .iter()
            .flat_map(|(name, event)| {
                GateState::ALL.iter().map(move |it| (it.word(), *name, cell(it, event)))
            })
            .collect::<Vec<_>>();
        insta::with_settings!({snapshot_path => "../../tests/it/snapshots"}, {
            insta::assert_snapshot!("gate_grid", crate::engine::state::grid(&cells));
        });
    }
}
