//! Counts the approvals of a gate against its quorum.

use super::WHOLE_QUORUM;
use crate::{Gate, GateAct, GateState, Verdict, Vote, quorum};
use cuelight_base::{Actor, Timestamp};
use cuelight_plan::Quorum;
use std::sync::Arc;

impl Gate {
    /// The places that nobody has filled. One person fills one.
    pub fn missing(&self) -> Vec<Quorum> {
        let voters: Vec<Actor> = self.approvals().map(|approval| self.counted_as(approval)).collect();
        let missing = quorum::missing(&self.ask.require, &voters.iter().collect::<Vec<_>>());
        missing.into_iter().map(|(group, count)| Quorum { group, count }).collect()
    }

    /// The places that nobody has filled once this person has approved as well, and how many people have
    /// approved then.
    pub fn missing_after(&self, actor: &Actor, now: Timestamp) -> (usize, Vec<Quorum>) {
        let one = self.counted_as(&self.vote_by(actor, Verdict::Approve, now));
        let voters: Vec<Actor> =
            self.approvals().map(|approval| self.counted_as(approval)).chain([one]).collect();
        let missing = quorum::missing(&self.ask.require, &voters.iter().collect::<Vec<_>>());
        (voters.len(), missing.into_iter().map(|(group, count)| Quorum { group, count }).collect())
    }

    /// True if it waits for an answer of this person: they may answer, and a group of theirs is missing.
    pub fn waits_for(&self, actor: &Actor, now: Timestamp) -> bool {
        let missing = self.missing();
        let is_missing = |actor: &Actor| {
            quorum::could_fill(&missing, None, &self.counted(actor))
                || self.escalated.as_ref().is_some_and(|to| self.is_called(to, actor))
        };
        self.state == GateState::Open
            && self.may(actor, GateAct::Reject, now).is_ok()
            && (is_missing(actor) || self.handed_to(actor, now).any(is_missing))
    }

    fn approvals(&self) -> impl Iterator<Item = &Arc<Vote>> {
        self.votes.iter().filter(|vote| vote.verdict == Verdict::Approve)
    }

    /// Everybody whose answer an approval is: those who gave one, then those for whom they answered.
    pub(crate) fn approved_for(&self) -> Vec<Actor> {
        let mut all: Vec<Actor> = Vec::new();
        let by = self.votes.iter().map(|vote| &vote.by);
        for actor in by.chain(self.votes.iter().flat_map(|vote| &vote.acting_for)) {
            if all.iter().all(|known| known.name != actor.name) {
                all.push(actor.clone());
            }
        }
        all
    }

    /// The person of a vote, with the groups of which they can fill a place. Somebody to whom the gate was escalated fills
    /// one place of any group, as its members do: no place is filled by nobody.
    fn counted_as(&self, vote: &Vote) -> Actor {
        let mut voter = vote.voter();
        let is_called =
            |to: &String| vote.acting_for.iter().chain([&vote.by]).any(|actor| self.is_called(to, actor));
        if self.escalated.as_ref().is_some_and(is_called) {
            voter.groups.extend(self.ask.require.iter().filter_map(|quorum| quorum.group.clone()));
        }
        voter
    }

    /// True when the people who agreed fill every place.
    pub(crate) fn is_satisfied(&self) -> bool {
        self.would_satisfy(None)
    }

    /// The same, with one more approval.
    pub(super) fn would_satisfy(&self, more: Option<&Vote>) -> bool {
        let votes = self.approvals().map(|approval| &**approval).chain(more);
        let voters: Vec<Actor> = votes.map(|vote| self.counted_as(vote)).collect();
        quorum::is_reached(&self.ask.require, &voters.iter().collect::<Vec<_>>())
    }

    /// Why this person alone cannot close it by hand, if they cannot: it would be a way around the quorum.
    pub(crate) fn needs_more_than(&self, by: &Actor, now: Timestamp) -> Option<String> {
        if let Some(why) = self.excludes(by, now) {
            return Some(why);
        }
        let more = Some(self.vote_by(by, Verdict::Approve, now)).filter(|_| !self.holds(by));
        (!self.would_satisfy(more.as_ref())).then(|| WHOLE_QUORUM.to_owned())
    }
}
