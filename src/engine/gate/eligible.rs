//! The people whose answer counts at a gate, also through a delegation, and those who are excluded.

use crate::{BREAK_GLASS, Delegation, Gate, GateAct, Verdict, Vote, membership::groups_of, quorum};
use cuelight_base::{Actor, Timestamp};
use cuelight_plan::Risk;
use std::sync::Arc;

impl Gate {
    /// True if this person's groups allow an emergency approval.
    pub fn is_for_emergencies(&self, actor: &Actor) -> bool {
        self.counted(actor).groups.iter().any(|group| group == BREAK_GLASS)
    }

    /// Why what proves an answer is too little here, and what to do: only an approval has to be touched.
    pub(super) fn proves_too_little(&self, by: &Actor, act: GateAct) -> Option<String> {
        let wants_touch = self.wants_touch() && act.verdict() == Some(Verdict::Approve);
        (wants_touch && by.touch().is_none())
            .then(|| self.ask.needs_touch_words())
            .or_else(|| self.key_is_new(by))
    }

    /// True if an approval here needs the proof of a touched security key.
    pub(super) fn wants_touch(&self) -> bool {
        self.ask.touch || self.rule.touch || self.people.wants_touch() && self.ask.risk >= Risk::Irreversible
    }

    /// Why this person's answer does not count here, if it does not.
    pub(super) fn excludes(&self, actor: &Actor, now: Timestamp) -> Option<String> {
        let own = || self.may_not(actor);
        let acts = || self.handed_to(actor, now).any(|actor| self.may_not(actor).is_none());
        let why = self.forbids(actor).or_else(|| self.is_handed_on(actor, now));
        why.or_else(|| own().filter(|_| !acts()))
    }

    /// The people who have delegated their answer to this person. A person who does not count cannot
    /// delegate.
    pub fn handed_to<'a>(&'a self, actor: &'a Actor, now: Timestamp) -> impl Iterator<Item = &'a Actor> {
        let live = self
            .delegations
            .iter()
            .filter(move |delegation| delegation.until > now && self.is_called(&delegation.to, actor));
        // One from before the touch was asked for proves too little by now.
        let is_proven = |delegation: &&Delegation| delegation.by.touch().is_some() || !self.wants_touch();
        let other = live.filter(|delegation| delegation.by.principal() != actor.principal());
        let other = other.filter(is_proven);
        other
            .map(|delegation| &delegation.by)
            .filter(|actor| self.forbids(actor).is_none() && !self.has_answered(actor))
    }

    /// True if an answer of this person stands, given by themselves or by somebody for them.
    pub(super) fn has_answered(&self, actor: &Actor) -> bool {
        let principal = actor.principal();
        let is_by = |actor: &Actor| actor.principal() == principal;
        self.votes.iter().any(|vote| is_by(&vote.by) || vote.acting_for.iter().any(is_by))
    }

    /// The answer that somebody else has given for this person.
    pub(super) fn given_for(&self, actor: &Actor) -> Option<&Arc<Vote>> {
        let principal = actor.principal();
        self.votes.iter().find(|vote| vote.acting_for.iter().any(|of| of.principal() == principal))
    }

    /// True for the answer that approved it alone in an emergency, or overrode it.
    pub(super) fn is_alone(&self, vote: &Vote) -> bool {
        self.broken_by.as_ref().is_some_and(|principal| vote.by.principal() == *principal)
    }

    /// Why this person cannot answer any more, if somebody else has it in hand.
    pub(super) fn is_handed_on(&self, actor: &Actor, now: Timestamp) -> Option<String> {
        let principal = actor.principal();
        if let Some(vote) = self.given_for(actor) {
            return Some(format!("{} has answered for {}", vote.by.name, actor.name));
        }
        let mine =
            |delegation: &&Delegation| delegation.until > now && delegation.by.principal() == principal;
        let delegation = self.delegations.iter().find(mine)?;
        Some(format!(
            "{} delegated their answer to {} until {}; revoke that with `cuelight gate withdraw {}`",
            actor.name,
            delegation.to,
            delegation.until.clock(),
            self.id
        ))
    }

    /// Why this person cannot hand their answer to that one, if they cannot.
    pub(crate) fn keeps(&self, by: &Actor, to: &str) -> Option<String> {
        if by.name == to || to.is_empty() {
            return Some("you cannot delegate to yourself".to_owned());
        }
        let asked_for = format!("{to} asked for ");
        let is_named = self.editors.values().any(|editor| editor == to)
            || self.ask.excluded.iter().any(|pair| pair.0 == to || pair.1.starts_with(&asked_for));
        (is_named && !self.ask.is_choice || self.people_named(to).any(|actor| self.forbids(&actor).is_some()))
            .then(|| {
                format!("{to} is excluded at this gate, so their answer does not count; name somebody else")
            })
    }

    /// True if this person has an answer or a delegation here that can be withdrawn.
    pub fn holds(&self, actor: &Actor) -> bool {
        let principal = actor.principal();
        self.votes.iter().any(|vote| vote.by.principal() == principal)
            || self.delegations.iter().any(|delegation| delegation.by.principal() == principal)
    }

    /// Why no answer of this person counts, whatever groups they are in.
    pub fn forbids(&self, actor: &Actor) -> Option<String> {
        if self.editors.contains_key(&actor.principal()) && !self.ask.is_choice {
            return Some(format!("{} edited the form; another person must answer", actor.name));
        }
        let by_rule = |(excluded, why): &(String, String)| {
            self.is_or_was_excluded(excluded, actor).then(|| why.clone())
        };
        self.ask.excluded.iter().find_map(by_rule)
    }

    /// Why this person is none of those who are asked.
    pub(super) fn may_not(&self, actor: &Actor) -> Option<String> {
        let counted = self.counted(actor);
        if quorum::could_fill(&self.ask.require, None, &counted)
            || self.escalated.as_ref().is_some_and(|escalated| self.is_called(escalated, actor))
        {
            return None;
        }
        let not_in =
            || format!("{} is not in the group {} of people.toml", actor.name, groups_of(&self.ask.require));
        Some(self.counts_not(actor).unwrap_or_else(not_in))
    }
}
