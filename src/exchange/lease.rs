//! Work that agents claim when they come by themselves: the offers, the leases and their ends, and the fate
//! of the work when an agent falls silent. The fold is shared with `projection`.
//!
//! A step that waits for such an agent holds no slot. Its call begins when an agent claims it, and the lease
//! shows that it goes on.

use crate::{AgentFault, AgentKey, AgentRefusal, Registration, own_key};
use cuelight_base::{
    Actor, AttemptId, Digest, LEASE_ENDING, LEASES_ENDED_KEPT, Launch, RunId, Span, StepIx, Timestamp,
    agent_name,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// A step of a run.
type At = (RunId, StepIx);

/// A piece of work that an agent has taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// The call that it is.
    pub attempt: AttemptId,
    /// The agent that has the lease.
    pub agent: AgentKey,
    /// The agent's id for its claim: the same claim again gets the same work.
    pub claim: String,
    /// The time for which the agent holds it without a heartbeat.
    pub lasts: Span,
    /// When it was taken.
    pub since: Timestamp,
    /// Until when it is its, if nothing more is heard.
    pub until: Timestamp,
    /// When the time of the call is up, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The agent's last note on its progress; untrusted text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// True if it is being ended, and is not renewed any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ending: bool,
}

impl Lease {
    fn due(&self) -> Timestamp {
        self.deadline.map_or(self.until, |deadline| deadline.min(self.until))
    }
}

/// A step that waits for an agent to take it.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// `agent:coder@1.0.0`
    pub agent: String,
    /// The capabilities of that agent: any agent that has all of them may claim the work as well.
    pub capabilities: Vec<String>,
}

impl Offer {
    /// True if an agent may claim it: by its type, or by its capabilities.
    pub fn suits(&self, agent: &Registration) -> bool {
        let has = |capability: &String| agent.capabilities.contains(capability);
        agent_name(&self.agent) == Some(agent.agent_type.as_str())
            || !self.capabilities.is_empty() && self.capabilities.iter().all(has)
    }
}

/// A call that an agent makes elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// The call that is made.
    pub launch: Box<Launch>,
    /// The same for all attempts of one effect.
    pub effect_key: Digest,
}

/// All that is offered, and all that was taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Leases {
    waits: BTreeMap<At, Timestamp>,
    offers: BTreeMap<(Timestamp, At), Arc<Offer>>,
    given: BTreeMap<AttemptId, Arc<Given>>,
    held: BTreeMap<AttemptId, Arc<Lease>>,
    due: BTreeSet<(Timestamp, AttemptId)>,
    /// The leases that ended last; true for a lost one.
    ended: VecDeque<(AttemptId, AgentKey, bool)>,
}

impl Leases {
    /// True if the step waits for an agent.
    pub fn is_offered(&self, at: At) -> bool {
        self.waits.contains_key(&at)
    }

    /// Offers the work of a step. Its place among the offers is that of its first offer.
    pub fn offer(&mut self, step: At, at: Timestamp, offer: Offer) {
        let since = *self.waits.entry(step).or_insert(at);
        self.offers.insert((since, step), Arc::new(offer));
    }

    /// Ends the offer of a step.
    pub fn withdraw(&mut self, step: At) {
        if let Some(since) = self.waits.remove(&step) {
            self.offers.remove(&(since, step));
        }
    }

    /// Keeps the work of a call that an agent makes.
    pub fn give(&mut self, attempt: AttemptId, given: Given) {
        self.given.insert(attempt, Arc::new(given));
    }

    /// Starts a lease, or replaces it.
    pub fn hold(&mut self, lease: Lease) {
        self.due.insert((lease.due(), lease.attempt));
        self.held.insert(lease.attempt, Arc::new(lease));
    }

    /// Makes a lease longer, and keeps the agent's note.
    pub fn renew(&mut self, attempt: AttemptId, until: Timestamp, note: Option<&String>) {
        self.change(attempt, |lease| {
            lease.until = until;
            if let Some(note) = note {
                lease.note.clone_from(note);
            }
        });
    }

    /// Leaves the agent of a lease a short time to stop its work.
    pub fn end_soon(&mut self, attempt: AttemptId, at: Timestamp) {
        self.change(attempt, |lease| {
            lease.ending = true;
            lease.until = lease.until.min(at + LEASE_ENDING);
        });
    }

    /// Ends a lease with its work; true in `lost` if its agent was lost.
    pub fn release(&mut self, attempt: AttemptId, lost: bool) {
        self.given.remove(&attempt);
        let Some(lease) = self.held.remove(&attempt) else { return };
        self.due.remove(&(lease.due(), attempt));
        self.ended.push_back((attempt, lease.agent.clone(), lost));
        if self.ended.len() > LEASES_ENDED_KEPT {
            self.ended.pop_front();
        }
    }

    /// Gives every lease its time again: while there was no engine nobody could hand anything back.
    pub fn recovered(&mut self, at: Timestamp) {
        let all: Vec<AttemptId> = self.held.keys().copied().collect();
        for attempt in all {
            self.change(attempt, |lease| {
                let until = at + if lease.ending { LEASE_ENDING } else { lease.lasts };
                lease.until = lease.until.max(until);
                lease.deadline = lease.deadline.map(|deadline| deadline.max(until));
            });
        }
    }

    /// The lease of the agent that asks.
    ///
    /// # Errors
    /// The reason why the work is not its own.
    pub fn own(&self, by: &Actor, work: AttemptId) -> Result<&Lease, AgentRefusal> {
        let unknown = || AgentRefusal::new(AgentFault::NoWork, "there is no such work; claim some");
        let is_elsewhere = |agent: &AgentKey| agent.project.as_deref() != by.project();
        let Some(lease) = self.get(work) else {
            let Some((agent, lost)) = self.ended(work) else { return Err(unknown()) };
            if is_elsewhere(agent) {
                return Err(unknown());
            }
            own_key(by, &agent.name)?;
            let why = if lost {
                "its lease ran out or its agent was lost, and it is another's by now, or is asked about; nothing was taken"
            } else {
                "it has ended already: it was handed back, or its time was up; nothing was taken"
            };
            return Err(AgentRefusal::new(AgentFault::Gone, why));
        };
        if is_elsewhere(&lease.agent) {
            return Err(unknown());
        }
        own_key(by, &lease.agent.name)?;
        Ok(lease)
    }

    /// All that was taken.
    pub fn held(&self) -> impl Iterator<Item = &Lease> {
        self.held.values().map(|lease| &**lease)
    }

    /// The lease of this call.
    pub fn get(&self, attempt: AttemptId) -> Option<&Lease> {
        self.held.get(&attempt).map(|lease| &**lease)
    }

    /// The work of this call, as its agent is given it.
    pub fn given(&self, attempt: AttemptId) -> Option<&Given> {
        self.given.get(&attempt).map(|beside| &**beside)
    }

    /// The steps that wait for an agent, the longest wait first.
    pub fn offers(&self) -> impl Iterator<Item = (At, &Offer)> {
        self.offers.iter().map(|(key, offer)| (key.1, &**offer))
    }

    /// The agent of a lease that ended not long ago, and true if the lease was lost.
    pub fn ended(&self, attempt: AttemptId) -> Option<(&AgentKey, bool)> {
        self.ended.iter().rfind(|row| row.0 == attempt).map(|row| (&row.1, row.2))
    }

    /// The offer of a step that waits for an agent.
    pub fn offer_of(&self, at: At) -> Option<&Offer> {
        self.offers.get(&(*self.waits.get(&at)?, at)).map(|offer| &**offer)
    }

    /// The instant at which the next lease ends if nothing is heard.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|pair| pair.0)
    }

    /// The first lease that has ended at this instant.
    pub fn next_due(&self, now: Timestamp) -> Option<AttemptId> {
        self.due.first().filter(|pair| pair.0 <= now).map(|pair| pair.1)
    }

    /// As far as it concerns these runs.
    #[must_use]
    pub fn only(&self, runs: &BTreeSet<RunId>) -> Self {
        let mut only = self.clone();
        only.waits.retain(|at, _| runs.contains(&at.0));
        only.offers.retain(|key, _| runs.contains(&key.1.0));
        only.held.retain(|attempt, _| runs.contains(&attempt.run));
        only.due.retain(|pair| runs.contains(&pair.1.run));
        only
    }

    /// The lease of the call of a step.
    pub fn of_step(&self, run: RunId, step: StepIx) -> Option<&Lease> {
        let first = AttemptId { run, step, number: 0 };
        self.held.range(first..=AttemptId { number: u32::MAX, ..first }).next().map(|entry| &**entry.1)
    }

    /// The leases of a run.
    pub fn of_run(&self, run: RunId) -> impl Iterator<Item = &Lease> {
        let first = AttemptId { run, step: StepIx(0), number: 0 };
        let last = AttemptId { run, step: StepIx(u32::MAX), number: u32::MAX };
        self.held.range(first..=last).map(|entry| &**entry.1)
    }

    fn change(&mut self, attempt: AttemptId, change: impl FnOnce(&mut Lease)) {
        let Some(before) = self.held.remove(&attempt) else { return };
        self.due.remove(&(before.due(), attempt));
        let mut lease = (*before).clone();
        change(&mut lease);
        self.hold(lease);
    }
}
