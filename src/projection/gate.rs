//! One gate as it can be seen: the ask, who has answered, what is missing, what it looked like before.

use crate::{
    base::{Digest, Epoch, GateId, RunId, StepIx, Timestamp, ValueMap},
    engine::{
        Actor, Ask, BREAK_GLASS, GateEvent, GateState, OVERRIDE, Verdict, Vote, could_fill, is_addressed,
        is_excluded, missing_votes, wants_review,
    },
    plan::Quorum,
};
use std::sync::Arc;

/// Remarks and refusals that are kept of one gate.
const REMARKS_MAX: usize = 64;

/// One gate.
#[derive(Clone, Debug, PartialEq)]
pub struct GateView {
    /// Its id.
    pub id: GateId,
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepIx,
    /// What people are asked now. Prompt, evidence and form hold foreign text.
    pub ask: Arc<Ask>,
    /// Hash of it.
    pub hash: Digest,
    /// Why it was asked anew; nothing the first time.
    pub asked_anew: Option<String>,
    /// What was asked before that.
    pub previous: Option<Arc<Ask>>,
    /// Where it is now.
    pub state: GateState,
    /// Answers that count, oldest first.
    pub votes: Vec<VoteView>,
    /// Answers that did not count: what was said to whom.
    pub refused: Vec<Comment>,
    /// Remarks of people; foreign text.
    pub comments: Vec<Comment>,
    /// Who changed the parameters last, why, and when.
    pub edited: Option<Comment>,
    /// All who have changed them: they do not vote.
    pub editors: Vec<Actor>,
    /// The person (`NAME`) or group (`group:NAME`) that may decide as well by now.
    pub escalated: Option<String>,
    /// Answers that were handed to somebody else: by whom, to whom, until when. The newest of each person.
    pub delegations: Vec<DelegationView>,
    /// Who has approved in place of all that were wanted, in an emergency, or closed it by an override.
    pub broken_by: Option<Actor>,
    /// Who has looked at that afterwards, when, and what they found.
    pub review: Option<Comment>,
    /// What it was when it was approved so, and asked anew after that; the oldest first. See [`Self::emergencies`].
    pub overtaken: Vec<Arc<Self>>,
    /// How often it rang again.
    pub reminded: u32,
    /// Until when an approval can be taken back.
    pub armed_until: Option<Timestamp>,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
    /// `people`, `policy:auto`, `timeout`, `break-glass`, `override`, `run`; `by-hand` in old logs.
    pub closed_by: Option<String>,
    /// The parameters at that time.
    pub form: ValueMap,
    /// When the same question was last answered with yes, in an earlier run.
    pub last_approved: Option<Arc<Approved>>,
}

/// An answer, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct VoteView {
    /// When.
    pub at: Timestamp,
    /// The answer; its reason is foreign text.
    pub vote: Vote,
}

/// An answer that was handed to somebody else.
#[derive(Clone, Debug, PartialEq)]
pub struct DelegationView {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// The name of who may answer instead.
    pub to: String,
    /// Until when.
    pub until: Timestamp,
    /// Why; foreign text.
    pub reason: String,
}

/// Something somebody said, or was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
    /// What; foreign text.
    pub text: String,
}

/// A gate that was approved.
#[derive(Clone, Debug, PartialEq)]
pub struct Approved {
    /// The gate; its run stands in the ask.
    pub gate: GateId,
    /// What was asked.
    pub ask: Arc<Ask>,
    /// When it closed.
    pub at: Timestamp,
    /// Names of those who agreed, or the rule that did.
    pub by: Vec<String>,
}

impl GateView {
    pub(super) fn asked(run: RunId, step: StepIx, id: GateId, ask: &Ask, hash: Digest) -> Self {
        Self {
            id,
            run,
            step,
            ask: Arc::new(ask.clone()),
            hash,
            asked_anew: None,
            previous: None,
            state: GateState::Open,
            votes: Vec::new(),
            refused: Vec::new(),
            comments: Vec::new(),
            edited: None,
            editors: Vec::new(),
            escalated: None,
            delegations: Vec::new(),
            broken_by: None,
            review: None,
            overtaken: Vec::new(),
            reminded: 0,
            armed_until: None,
            closed_at: None,
            closed_by: None,
            form: ValueMap::new(),
            last_approved: None,
        }
    }

    /// Whether people can still answer, or take an answer back.
    pub const fn is_open(&self) -> bool {
        !self.state.rests()
    }

    /// How often it was asked.
    pub fn epoch(&self) -> Epoch {
        self.ask.epoch
    }

    /// The answers with yes.
    pub fn approvals(&self) -> impl Iterator<Item = &VoteView> {
        self.votes.iter().filter(|it| it.vote.verdict == Verdict::Approve)
    }

    /// How many people have to agree.
    pub fn needed(&self) -> u32 {
        if self.ask.require.is_empty() { 1 } else { self.ask.require.iter().map(|it| it.count).sum() }
    }

    /// Who is still missing, by group. One person fills one place.
    pub fn missing(&self) -> Vec<Quorum> {
        let voters: Vec<Actor> = self.approvals().map(|it| it.vote.voter()).collect();
        let missing = missing_votes(&self.ask.require, &voters.iter().collect::<Vec<_>>());
        missing.into_iter().map(|(group, count)| Quorum { group, count }).collect()
    }

    /// Why this person's answer would not count, if it would not.
    pub fn excludes(&self, actor: &Actor) -> Option<String> {
        let principal = actor.principal();
        if self.editors.iter().any(|it| it.principal() == principal) && !self.ask.is_choice {
            return Some(format!("{} edited the parameters; somebody else has to answer", actor.name));
        }
        self.ask.excluded.iter().find(|(entry, _)| is_excluded(entry, actor)).map(|(_, why)| why.clone())
    }

    fn groups_count(&self) -> bool {
        self.ask.policy.as_ref().is_none_or(|it| it.counts_at(self.ask.risk))
    }

    /// Somebody without groups where none counts.
    fn counted(&self, actor: &Actor) -> Actor {
        let groups = if self.groups_count() { actor.groups.clone() } else { Vec::new() };
        Actor { groups, ..actor.clone() }
    }

    /// Whether more people have to agree than those who have and these.
    pub fn wants_more_than<'a>(&self, more: impl Iterator<Item = &'a Actor>) -> bool {
        let more: Vec<&Actor> = more.collect();
        let escalated = |it: &&&Actor| self.escalated.as_deref().is_some_and(|to| is_addressed(to, it));
        let Some(first) = more.last() else { return true };
        let groups = more.iter().flat_map(|it| &it.groups).cloned().collect();
        let one = self.counted(&Actor { groups, ..(*first).clone() });
        let voters: Vec<Actor> = self.approvals().map(|it| it.vote.voter()).chain([one]).collect();
        !more.iter().any(|it| escalated(&it))
            && !missing_votes(&self.ask.require, &voters.iter().collect::<Vec<_>>()).is_empty()
    }

    /// Whether this person has answered.
    pub fn has_voted(&self, actor: &Actor) -> bool {
        let principal = actor.principal();
        self.votes.iter().any(|it| it.vote.by.principal() == principal)
    }

    /// Those who have handed their answer to this person, and whose answer would count.
    pub fn handed_to<'a>(&'a self, actor: &'a Actor, now: Timestamp) -> impl Iterator<Item = &'a Actor> {
        let live = self.delegations.iter().filter(move |it| it.until > now && it.to == actor.name);
        let other = live.filter(|it| it.by.principal() != actor.principal());
        other.map(|it| &it.by).filter(|it| self.excludes(it).is_none())
    }

    /// To whom this person has handed their answer.
    pub fn handed_on(&self, actor: &Actor, now: Timestamp) -> Option<&DelegationView> {
        let principal = actor.principal();
        self.delegations.iter().find(|it| it.until > now && it.by.principal() == principal)
    }

    /// Why this person is none of those who are asked, by themselves or for somebody else.
    pub fn is_not_asked(&self, actor: &Actor, now: Timestamp) -> Option<String> {
        let asked = |it: &Actor| could_fill(&self.ask.require, self.escalated.as_deref(), &self.counted(it));
        if asked(actor) || self.handed_to(actor, now).any(asked) {
            return None;
        }
        if let Some(why) = self.ask.self_declared().filter(|_| !self.groups_count()) {
            return Some(why);
        }
        let groups: Vec<&str> = self.ask.require.iter().filter_map(|it| it.group.as_deref()).collect();
        Some(format!("{} is not in {}", actor.name, groups.join(" or ")))
    }

    /// Whether it was closed by an approval alone in an emergency, or by an override: somebody else reviews it.
    pub fn is_emergency(&self) -> bool {
        self.closed_by.as_deref().is_some_and(wants_review)
    }

    /// `override`, or `emergency`: why it is reviewed.
    pub fn emergency_word(&self) -> &'static str {
        if self.closed_by.as_deref() == Some(OVERRIDE) { OVERRIDE } else { "emergency" }
    }

    /// The same, as the rest of a sentence.
    pub fn emergency_words(&self) -> &'static str {
        if self.closed_by.as_deref() == Some(OVERRIDE) {
            "closed by hand, by an override"
        } else {
            "closed by an emergency approval"
        }
    }

    /// What it was each time it was approved in an emergency, the oldest first: each is reviewed by itself, whatever the
    /// gate asks since.
    pub fn emergencies(self: &Arc<Self>) -> impl DoubleEndedIterator<Item = &Arc<Self>> {
        self.overtaken.iter().chain([self]).filter(|it| it.is_emergency())
    }

    /// The answer that approved it in an emergency, or overrode it.
    pub fn emergency_vote(&self) -> Option<&VoteView> {
        let principal = self.broken_by.as_ref()?.principal();
        self.votes.iter().find(|it| it.vote.by.principal() == principal)
    }

    /// Whether somebody has yet to look at what was approved in an emergency, as it is here.
    pub fn awaits_review(&self) -> bool {
        self.is_emergency() && self.review.is_none()
    }

    /// Why this person cannot be the one who looks, if they cannot.
    pub fn may_not_review(&self, actor: &Actor) -> Option<String> {
        if self.broken_by.as_ref().is_some_and(|it| it.principal() == actor.principal()) {
            return Some(format!("{} approved it; somebody else has to look", actor.name));
        }
        let is_asked = could_fill(&self.ask.require, self.escalated.as_deref(), actor);
        let groups: Vec<&str> = self.ask.require.iter().filter_map(|it| it.group.as_deref()).collect();
        let not_asked = || (!is_asked).then(|| format!("{} is not in {}", actor.name, groups.join(" or ")));
        self.excludes(actor).or_else(not_asked)
    }

    /// Whether it waits for this person: open, not answered, not excluded, of a group that is missing.
    pub fn waits_for(&self, actor: &Actor, now: Timestamp) -> bool {
        let missing = self.missing();
        let is_asked = |it: &Actor| could_fill(&missing, self.escalated.as_deref(), &self.counted(it));
        self.state == GateState::Open
            && !self.has_voted(actor)
            && self.excludes(actor).is_none()
            && self.handed_on(actor, now).is_none()
            && (is_asked(actor) || self.handed_to(actor, now).any(is_asked))
    }

    pub(super) fn apply(&mut self, at: Timestamp, event: &GateEvent) {
        match event {
            GateEvent::Asked { ask, hash, why } => {
                if self.is_emergency() {
                    let mut overtaken = std::mem::take(&mut self.overtaken);
                    overtaken.push(Arc::new(self.clone()));
                    self.overtaken = overtaken;
                }
                self.previous = Some(std::mem::replace(&mut self.ask, Arc::new((**ask).clone())));
                self.hash = *hash;
                self.asked_anew.clone_from(why);
                self.state = GateState::Open;
                self.votes.clear();
                (self.broken_by, self.review) = (None, None);
                (self.armed_until, self.closed_at, self.closed_by) = (None, None, None);
            }
            GateEvent::Agreed { .. } => {}
            GateEvent::Voted(vote) => self.votes.push(VoteView { at, vote: (**vote).clone() }),
            GateEvent::GlassBroken(vote) | GateEvent::Overridden(vote) => {
                self.votes.retain(|it| it.vote.by.principal() != vote.by.principal());
                self.votes.push(VoteView { at, vote: (**vote).clone() });
                self.broken_by = Some(vote.by.clone());
            }
            GateEvent::GlassReviewed { by, reason, epoch } => {
                let review = Some(Comment { at, by: by.clone(), text: reason.clone() });
                match self.overtaken.iter_mut().find(|it| Some(it.epoch()) == *epoch) {
                    Some(it) => Arc::make_mut(it).review = review,
                    None => self.review = review,
                }
            }
            GateEvent::Delegated { by, to, until, reason } => {
                self.delegations.retain(|it| it.by.principal() != by.principal());
                let (by, to, reason) = (by.clone(), to.clone(), reason.clone());
                self.delegations.push(DelegationView { at, by, to, until: *until, reason });
            }
            GateEvent::Refused { by, why } => remark(&mut self.refused, at, by, why),
            GateEvent::Withdrawn { by } => {
                let principal = by.principal();
                self.votes.retain(|it| it.vote.by.principal() != principal);
                self.broken_by = self.broken_by.take().filter(|it| it.principal() != principal);
                self.delegations.retain(|it| it.by.principal() != principal);
                self.state = GateState::Open;
                self.armed_until = None;
            }
            GateEvent::Edited { by, reason, .. } => {
                self.edited = Some(Comment { at, by: by.clone(), text: reason.clone() });
                self.editors.retain(|it| it.principal() != by.principal());
                self.editors.push(by.clone());
            }
            GateEvent::Commented { by, text } => remark(&mut self.comments, at, by, text),
            GateEvent::Armed { until } => {
                self.state = GateState::Armed;
                self.armed_until = Some(*until);
            }
            GateEvent::Reminded { count } => self.reminded = *count,
            GateEvent::Escalated { group } => self.escalated = Some(group.clone()),
            GateEvent::Resolved { state, by, form } => {
                self.state = *state;
                self.closed_at = Some(at);
                self.closed_by = Some(by.clone());
                self.form.clone_from(form);
                self.armed_until = None;
            }
        }
    }

    /// Names of those who closed it: people, or the rule.
    pub fn closers(&self) -> Vec<String> {
        let verdict = match self.closed_by.as_deref() {
            Some("send-back") => Verdict::SendBack,
            _ if self.state == GateState::Rejected => Verdict::Reject,
            _ => Verdict::Approve,
        };
        let people =
            self.votes.iter().filter(|it| it.vote.verdict == verdict).map(|it| it.vote.by.name.clone());
        match self.closed_by.as_deref() {
            Some("people" | "send-back" | BREAK_GLASS | OVERRIDE) => people.collect(),
            Some(rule) => vec![rule.to_owned()],
            None => Vec::new(),
        }
    }
}

fn remark(list: &mut Vec<Comment>, at: Timestamp, by: &Actor, text: &str) {
    if list.len() == REMARKS_MAX {
        list.remove(0);
    }
    list.push(Comment { at, by: by.clone(), text: text.to_owned() });
}
