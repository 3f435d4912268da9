//! Work that agents claim when they come by themselves: the offers, the leases and their ends, and the fate
//! of the work when an agent falls silent. The fold is shared with `projection`.
//!
//! A step that waits for such an agent holds no slot. Its call begins when an agent claims it, and the lease
//! shows that it goes on.

use crate::{
    Actor, AgentEvent, AgentFault, AgentKey, Alternative, AttemptEvent, Choice, Event, Fact, Failure,
    Outcome, Presence, Purpose, Refusal, Registration, RunEvent, StepEvent, WaitReason, agents::refused,
    call, handle::Turn, outcome, run::Run, settle::may_start,
};
use cuelight_base::{
    AttemptId, Digest, FailureMode, LEASE_DEFAULT, LEASE_ENDING, LEASES_ENDED_KEPT, LEASES_LOST_MAX, Launch,
    OUTPUT_BYTES_MAX, RunId, Score, Span, StepIx, Timestamp, ValueMap, agent_name, json_bytes, shorten,
};
use cuelight_plan::PlanToolBody;
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
    /// True if an event changes anything here.
    pub fn concerns(&self, event: &Event) -> bool {
        match &event.fact {
            Fact::Agent(event) => event.run().is_some(),
            Fact::Step(_, _, StepEvent::Waiting { reason: WaitReason::Agent { .. } }) => true,
            Fact::Step(_, _, StepEvent::Routed { .. }) => false,
            Fact::Step(run, step, StepEvent::Ending { .. }) => self.of_step(*run, *step).is_some(),
            Fact::Step(run, step, _) => self.waits.contains_key(&(*run, *step)),
            Fact::Attempt(run, step, _, AttemptEvent::Started { launch, .. }) => {
                launch.is_claimed() || self.waits.contains_key(&(*run, *step))
            }
            Fact::Attempt(run, step, number, _) => {
                self.given.contains_key(&AttemptId { run: *run, step: *step, number: *number })
            }
            Fact::Run(run, RunEvent::Cancelling { .. } | RunEvent::TimedOut { .. }) => {
                self.of_run(*run).next().is_some()
            }
            Fact::Recovered { .. } => !self.held.is_empty(),
            _ => false,
        }
    }

    /// Applies an event to the state.
    pub fn apply(&mut self, event: &Event) {
        let at = event.at;
        match &event.fact {
            Fact::Agent(AgentEvent::Leased { lease }) => self.hold((**lease).clone()),
            Fact::Agent(AgentEvent::Renewed { attempt, until, note }) => self.change(*attempt, |lease| {
                lease.until = *until;
                if let Some(note) = note {
                    lease.note.clone_from(note);
                }
            }),
            Fact::Step(
                run,
                step,
                StepEvent::Waiting { reason: WaitReason::Agent { name, capabilities, .. } },
            ) => {
                let since = *self.waits.entry((*run, *step)).or_insert(at);
                let offer = Offer { agent: name.clone(), capabilities: capabilities.clone() };
                self.offers.insert((since, (*run, *step)), Arc::new(offer));
            }
            Fact::Step(_, _, StepEvent::Routed { .. }) => {}
            Fact::Step(run, step, StepEvent::Ending { .. }) => {
                if let Some(attempt) = self.of_step(*run, *step).map(|step| step.attempt) {
                    self.change(attempt, |lease| lease.end_soon(at));
                }
            }
            Fact::Step(run, step, _) => self.withdraw((*run, *step)),
            Fact::Attempt(run, step, number, event) => {
                let attempt = AttemptId { run: *run, step: *step, number: *number };
                match event {
                    AttemptEvent::Started { launch, effect_key, .. } => {
                        // Also where something else is done in its place.
                        self.withdraw((*run, *step));
                        if launch.is_claimed() {
                            let given = Given { launch: launch.clone(), effect_key: *effect_key };
                            self.given.insert(attempt, Arc::new(given));
                        }
                    }
                    AttemptEvent::Ended { .. } => self.release(attempt, false),
                    AttemptEvent::Lost { .. } => self.release(attempt, true),
                    AttemptEvent::Adopted { .. } => {}
                }
            }
            Fact::Run(run, RunEvent::Cancelling { .. } | RunEvent::TimedOut { .. }) => {
                let all: Vec<AttemptId> = self.of_run(*run).map(|lease| lease.attempt).collect();
                all.into_iter().for_each(|attempt| self.change(attempt, |lease| lease.end_soon(at)));
            }
            // While there was no engine nobody could hand anything back.
            Fact::Recovered { .. } => {
                let all: Vec<AttemptId> = self.held.keys().copied().collect();
                for attempt in all {
                    self.change(attempt, |lease| {
                        let until = at + if lease.ending { LEASE_ENDING } else { lease.lasts };
                        lease.until = lease.until.max(until);
                        lease.deadline = lease.deadline.map(|deadline| deadline.max(until));
                    });
                }
            }
            _ => {}
        }
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

    pub(super) fn offer_of(&self, at: At) -> Option<&Offer> {
        self.offers.get(&(*self.waits.get(&at)?, at)).map(|offer| &**offer)
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|pair| pair.0)
    }

    pub(super) fn next_due(&self, now: Timestamp) -> Option<AttemptId> {
        self.due.first().filter(|pair| pair.0 <= now).map(|pair| pair.1)
    }

    /// As far as it concerns these runs.
    pub(super) fn only(&self, runs: &BTreeSet<RunId>) -> Self {
        let mut only = self.clone();
        only.waits.retain(|at, _| runs.contains(&at.0));
        only.offers.retain(|key, _| runs.contains(&key.1.0));
        only.held.retain(|attempt, _| runs.contains(&attempt.run));
        only.due.retain(|pair| runs.contains(&pair.1.run));
        only
    }

    fn of_step(&self, run: RunId, step: StepIx) -> Option<&Lease> {
        let first = AttemptId { run, step, number: 0 };
        self.held.range(first..=AttemptId { number: u32::MAX, ..first }).next().map(|entry| &**entry.1)
    }

    fn of_run(&self, run: RunId) -> impl Iterator<Item = &Lease> {
        let first = AttemptId { run, step: StepIx(0), number: 0 };
        let last = AttemptId { run, step: StepIx(u32::MAX), number: u32::MAX };
        self.held.range(first..=last).map(|entry| &**entry.1)
    }

    fn hold(&mut self, lease: Lease) {
        self.due.insert((lease.due(), lease.attempt));
        self.held.insert(lease.attempt, Arc::new(lease));
    }

    fn change(&mut self, attempt: AttemptId, change: impl FnOnce(&mut Lease)) {
        let Some(before) = self.held.remove(&attempt) else { return };
        self.due.remove(&(before.due(), attempt));
        let mut lease = (*before).clone();
        change(&mut lease);
        self.hold(lease);
    }

    fn release(&mut self, attempt: AttemptId, lost: bool) {
        self.given.remove(&attempt);
        let Some(lease) = self.held.remove(&attempt) else { return };
        self.due.remove(&(lease.due(), attempt));
        self.ended.push_back((attempt, lease.agent.clone(), lost));
        if self.ended.len() > LEASES_ENDED_KEPT {
            self.ended.pop_front();
        }
    }

    fn withdraw(&mut self, at: At) {
        if let Some(since) = self.waits.remove(&at) {
            self.offers.remove(&(since, at));
        }
    }
}

impl Lease {
    fn end_soon(&mut self, at: Timestamp) {
        self.ending = true;
        self.until = self.until.min(at + LEASE_ENDING);
    }
}

impl Run {
    /// The offer of a step whose work an agent claims.
    fn offer(&self, step: StepIx, which: u32, launch: &Launch) -> Offer {
        let tool = call::tool_at(self, step, which);
        Offer {
            agent: launch.target().unwrap_or_default(),
            capabilities: tool.map(|tool| tool.capabilities.clone()).unwrap_or_default(),
        }
    }
}

impl Turn<'_> {
    /// A call that an agent makes which comes for it: until one does, the step waits; for its timeout at
    /// most.
    pub(super) fn waits_for_agent(&mut self, id: RunId, step: StepIx, which: u32, launch: &Launch) {
        let run = self.run(id);
        let plan = run.plan_step(step);
        let offer = run.offer(step, which, launch);
        let this_step = run.step(step);
        // Nobody came too late for what was not offered until now.
        let stands = |at: &Timestamp| *at > self.now || this_step.offered.as_ref() == Some(&offer.agent);
        let fails_at = this_step.fails_at.filter(stands).or(plan.timeout.map(|timeout| self.now + timeout));
        if fails_at.is_some_and(|fails_at| fails_at <= self.now) {
            let message =
                format!("no agent came for it in time: {} has to register, and to claim it", offer.agent);
            let next = call::work_at(plan, which + 1).filter(|_| !run.is_ending());
            let Some(next) = next.map(|work| work.tool().or(work.model()).map(str::to_owned)) else {
                return self.fail_step(id, step, &outcome::failure(FailureMode::ResourceTool, message));
            };
            if self.lacks_place(id, step) {
                return self.emit_step(id, step, StepEvent::Ready);
            }
            let passed = Alternative { name: offer.agent, score: Score(0), why: message.clone() };
            let choice = Choice {
                policy: "fallback".to_owned(),
                chosen: next.unwrap_or_else(|| format!("fallback {}", which + 1)),
                reason: shorten(&message, 200),
                alternatives: vec![passed],
                confidence: Score::ONE,
            };
            self.emit_step(id, step, StepEvent::Routed { choice: Box::new(choice) });
            return self.call(id, step, Purpose::Fallback(which + 1));
        }
        if self.world.leases.offer_of((id, step)) != Some(&offer) {
            let Offer { agent: name, capabilities } = offer;
            let reason = WaitReason::Agent { name, capabilities, fails_at };
            self.emit_step(id, step, StepEvent::Waiting { reason });
        }
    }

    /// True if an agent comes at this moment whose type or capabilities suit this call.
    /// The call may suit another agent by now: a circuit has opened, and another candidate was chosen.
    pub(super) fn is_come_for(&self, id: RunId, step: StepIx, which: u32, launch: &Launch) -> bool {
        let comes = self.claiming.as_ref().filter(|claiming| (claiming.0, claiming.1) == (id, step));
        comes.is_some_and(|claiming| self.run(id).offer(step, which, launch).suits(&claiming.2))
    }

    /// Why a candidate of a choice cannot be called now, because nobody is there who would come for it.
    pub(super) fn nobody_comes(&self, run: &Run, name: &str, launch: &Launch) -> Option<String> {
        let tool = run.plan.tool(name)?;
        let offer = Offer { agent: launch.target()?, capabilities: tool.capabilities.clone() };
        (launch.is_claimed() && !self.somebody_suits(run.id, &offer))
            .then(|| format!("no agent has registered that is {}, or can do what it can", tool.id()))
    }

    fn somebody_suits(&self, run: RunId, offer: &Offer) -> bool {
        let all = self.world.agents.of_project(self.world.project_of(run));
        all.into_iter().any(|pair| pair.1.presence(self.now) != Presence::Lost && offer.suits(&pair.1.about))
    }

    /// An agent asks for work: the first that waits for it, and that there is room for.
    pub(super) fn claim(
        &mut self,
        agent: &str,
        claim: String,
        lasts: Option<Span>,
        by: &Actor,
    ) -> Result<(), Refusal> {
        let key = self.registered(by, agent)?;
        let Some(registered) = self.world.agents.get(&key) else { return Ok(()) };
        let about = registered.about.clone();
        let mine = self.world.leases.held().filter(|lease| lease.agent == key);
        let (mut count, mut again) = (0, false);
        mine.for_each(|lease| {
            count += 1;
            again |= lease.claim == claim;
        });
        if again {
            // Who asks once more is there, too.
            self.sees(&key);
            return Ok(());
        }
        if count >= about.max_concurrent {
            let why = format!(
                "{key} has {count} pieces of work, which is what it takes at once; hand one back first"
            );
            return Err(refused(AgentFault::Conflict, why));
        }
        self.sees(&key);
        let suits = |offer: &(At, &Offer)| {
            offer.1.suits(&about) && self.world.project_of(offer.0.0) == key.project.as_deref()
        };
        let all: Vec<At> = self.world.leases.offers().filter(suits).map(|offer| offer.0).collect();
        for (run, step) in all {
            let waits = self.world.leases.offer_of((run, step)).is_some();
            if !waits || !may_start(self.run(run), step) {
                continue;
            }
            self.claiming = Some((run, step, about.clone()));
            self.call_again(run, step);
            self.claiming = None;
            let Some(attempt) = self.claimed.take() else { continue };
            let (since, lasts) = (self.now, lasts.unwrap_or(LEASE_DEFAULT));
            let timeout = self.world.leases.given(attempt).and_then(|beside| beside.launch.timeout);
            let lease = Lease {
                attempt,
                agent: key,
                claim,
                lasts,
                since,
                until: since + lasts,
                deadline: timeout.map(|timeout| since + timeout),
                note: String::new(),
                ending: false,
            };
            self.emit(Fact::Agent(AgentEvent::Leased { lease: Box::new(lease) }));
            return Ok(());
        }
        Ok(())
    }

    /// A lease of the agent that asks.
    fn own_lease(&self, by: &Actor, work: AttemptId) -> Result<Lease, Refusal> {
        let unknown = || refused(AgentFault::NoWork, "there is no such work; claim some");
        let Some(lease) = self.world.leases.get(work) else {
            let Some((agent, lost)) = self.world.leases.ended(work) else { return Err(unknown()) };
            if agent.project.as_deref() != by.project() {
                return Err(unknown());
            }
            super::agents::own(by, &agent.name)?;
            let why = if lost {
                "its lease ran out or its agent was lost, and it is another's by now, or is asked about; nothing was taken"
            } else {
                "it has ended already: it was handed back, or its time was up; nothing was taken"
            };
            return Err(refused(AgentFault::Gone, why));
        };
        if lease.agent.project.as_deref() != by.project() {
            return Err(unknown());
        }
        super::agents::own(by, &lease.agent.name)?;
        Ok(lease.clone())
    }

    /// Renews the lease of an agent.
    pub(super) fn renew(&mut self, work: AttemptId, note: Option<String>, by: &Actor) -> Result<(), Refusal> {
        let lease = self.own_lease(by, work)?;
        if lease.ending {
            let why = "the work is being ended; stop, and hand back what you have, or say that it failed";
            return Err(refused(AgentFault::Gone, why));
        }
        let note = note.map(|note| shorten(&note, 200));
        self.sees(&lease.agent);
        let until = self.now + lease.lasts;
        let is_news = note.as_ref().is_some_and(|note| *note != lease.note);
        if is_news || until.since(lease.until).0 >= lease.lasts.0 / 4 {
            self.emit(Fact::Agent(AgentEvent::Renewed { attempt: work, until, note }));
        }
        Ok(())
    }

    /// Ends a lease by its agent: the work is done, or has failed.
    pub(super) fn hand_back(
        &mut self,
        work: AttemptId,
        outputs: ValueMap,
        failed: Option<(FailureMode, String)>,
        may_have_happened: bool,
        by: &Actor,
    ) -> Result<(), Refusal> {
        let lease = self.own_lease(by, work)?;
        let bytes = json_bytes(&outputs);
        if bytes > OUTPUT_BYTES_MAX {
            let why = format!(
                "its result has {bytes} bytes, at most {OUTPUT_BYTES_MAX} are kept; say where the rest is"
            );
            return Err(refused(AgentFault::Words, why));
        }
        self.sees(&lease.agent);
        let failure = failed.map(|(mode, message)| Failure {
            mode,
            message: format!("says that it failed: {}", shorten(&message, 300)),
            tail: String::new(),
            not_started: false,
        });
        let ran_for = self.now.since(lease.since);
        let may_have_happened = may_have_happened && failure.is_some();
        self.attempt_ended(
            work,
            Outcome { failure, outputs, ran_for, may_have_happened, ..Outcome::default() },
        );
        Ok(())
    }

    /// Its time is up, or nothing was heard of it for too long.
    pub(super) fn lease_due(&mut self, work: AttemptId) {
        let Some(lease) = self.world.leases.get(work).cloned() else { return };
        if let Some(at) = lease.deadline.filter(|deadline| *deadline <= self.now) {
            let after = at.since(lease.since);
            let message = format!("{} did not hand it back within its timeout of {after}", lease.agent);
            return self.ends_unknown(&lease, FailureMode::SystemTimeout, message);
        }
        self.lose_lease(&lease, &format!("{} gave no sign of life for {}", lease.agent, lease.lasts));
    }

    /// The agent that had it is gone. It is put back, as often as that may help; or a person is asked, by the
    /// class of its effect.
    fn lose_lease(&mut self, lease: &Lease, why: &str) {
        let AttemptId { run, step, .. } = lease.attempt;
        if self.run(run).step(step).losses + 1 >= LEASES_LOST_MAX {
            let message = format!("it was lost with {LEASES_LOST_MAX} agents, the last time because {why}");
            return self.ends_unknown(lease, FailureMode::AgentTimeout, message);
        }
        self.lose(lease.attempt, why);
    }

    fn ends_unknown(&mut self, lease: &Lease, mode: FailureMode, message: String) {
        let failure = Some(outcome::failure(mode, message));
        let ran_for = self.now.since(lease.since);
        let ended = Outcome { failure, ran_for, may_have_happened: true, ..Outcome::default() };
        self.attempt_ended(lease.attempt, ended);
    }

    /// An agent is there that was not: what waited for one like it can be chosen for it.
    pub(super) fn agent_came(&mut self, key: &AgentKey) {
        let Some(about) = self.world.agents.get(key).map(|registered| registered.about.clone()) else {
            return;
        };
        let all: Vec<At> = self.world.targets.wanting().collect();
        for (run, step) in all {
            let this_run = self.run(run);
            let route = this_run.plan_step(step).work.route();
            let tools =
                route.iter().flat_map(|route| &route.candidates).filter_map(|name| this_run.plan.tool(name));
            let suits = tools.filter(|tool| tool.body == PlanToolBody::Claim).any(|tool| {
                Offer { agent: tool.id(), capabilities: tool.capabilities.clone() }.suits(&about)
            });
            if suits && self.world.project_of(run) == key.project.as_deref() {
                self.call_when_free(run, step);
            }
        }
    }

    /// Ends the leases of an agent that is gone. Steps with other candidates choose again if no present agent
    /// suits them.
    pub(super) fn agent_went(&mut self, key: &AgentKey, why: &str) {
        let mine: Vec<Lease> =
            self.world.leases.held().filter(|lease| lease.agent == *key).cloned().collect();
        mine.iter().for_each(|lease| self.lose_lease(lease, why));
        let alone = |offer: &(At, &Offer)| {
            let (run, step) = offer.0;
            self.run(run).plan_step(step).work.route().is_some() && !self.somebody_suits(run, offer.1)
        };
        let all: Vec<At> = self.world.leases.offers().filter(alone).map(|offer| offer.0).collect();
        for (run, step) in all {
            self.call_when_free(run, step);
        }
    }
}
