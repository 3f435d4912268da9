//! Calls that agents claim: the offer of a step, the beginning and the end of its call, and the fate of the work
//! when an agent falls silent.
//!
//! A step that waits for such an agent holds no slot. Its call begins when an agent claims it, and the lease
//! shows that it goes on.

mod fold;

pub use fold::fold_leases;

use crate::{
    Alternative, Choice, Fact, Failure, Outcome, Purpose, Refusal, StepEvent, WaitReason, call, handle::Turn,
    outcome, run::Run, settle::may_start,
};
use cuelight_base::{
    Actor, AttemptId, FailureMode, LEASE_DEFAULT, LEASES_LOST_MAX, Launch, OUTPUT_BYTES_MAX, RunId, Score,
    Span, StepIx, Timestamp, ValueMap, json_bytes, shorten,
};
use cuelight_exchange::{AgentEvent, AgentFault, AgentKey, AgentRefusal, Lease, Offer, Presence};
use cuelight_plan::PlanToolBody;

/// A step of a run.
type At = (RunId, StepIx);

fn refused(fault: AgentFault, why: impl Into<String>) -> Refusal {
    AgentRefusal::new(fault, why).into()
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
        let stands =
            |at: &Timestamp| *at > self.now || this_step.target.offered.as_ref() == Some(&offer.agent);
        let fails_at =
            this_step.target.fails_at.filter(stands).or(plan.timeout.map(|timeout| self.now + timeout));
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
        if self.world.exchange.leases.offer_of((id, step)) != Some(&offer) {
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
        let all = self.world.exchange.agents.of_project(self.world.project_of(run));
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
        let key = self.world.exchange.agents.key_of(by, agent)?;
        let Some(registered) = self.world.exchange.agents.get(&key) else { return Ok(()) };
        let about = registered.about.clone();
        let mine = self.world.exchange.leases.held().filter(|lease| lease.agent == key);
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
        let all: Vec<At> = self.world.exchange.leases.offers().filter(suits).map(|offer| offer.0).collect();
        for (run, step) in all {
            let waits = self.world.exchange.leases.offer_of((run, step)).is_some();
            if !waits || !may_start(self.run(run), step) {
                continue;
            }
            self.claiming = Some((run, step, about.clone()));
            self.call_again(run, step);
            self.claiming = None;
            let Some(attempt) = self.claimed.take() else { continue };
            let (since, lasts) = (self.now, lasts.unwrap_or(LEASE_DEFAULT));
            let timeout = self.world.exchange.leases.given(attempt).and_then(|beside| beside.launch.timeout);
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

    /// Renews the lease of an agent.
    pub(super) fn renew(&mut self, work: AttemptId, note: Option<String>, by: &Actor) -> Result<(), Refusal> {
        let lease = self.world.exchange.leases.own(by, work)?.clone();
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
        let lease = self.world.exchange.leases.own(by, work)?.clone();
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
        let Some(lease) = self.world.exchange.leases.get(work).cloned() else { return };
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
        if self.run(run).step(step).tries.losses + 1 >= LEASES_LOST_MAX {
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
        let Some(about) = self.world.exchange.agents.get(key).map(|registered| registered.about.clone())
        else {
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
            self.world.exchange.leases.held().filter(|lease| lease.agent == *key).cloned().collect();
        mine.iter().for_each(|lease| self.lose_lease(lease, why));
        let alone = |offer: &(At, &Offer)| {
            let (run, step) = offer.0;
            self.run(run).plan_step(step).work.route().is_some() && !self.somebody_suits(run, offer.1)
        };
        let all: Vec<At> = self.world.exchange.leases.offers().filter(alone).map(|offer| offer.0).collect();
        for (run, step) in all {
            self.call_when_free(run, step);
        }
    }
}
