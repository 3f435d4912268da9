//! Agents that come by themselves, as they do over HTTP: who they are, what the engine has told them, and what must hold of it. Told from
//! what they really asked and from the events, in another way than the engine tells it.
//!
//! Judged is what the engine decides, at the moment it does; what a crash takes away is told once more from the journal.

use crate::checks::{Broken, ensure};
use cuelight_base::{Actor, AttemptId, Channel, Proof, Span, StepIx, Timestamp, Token};
use cuelight_engine::{AttemptEvent, Event, Fact, Outcome, RunEvent, StepEvent};
use cuelight_exchange::{AgentAsk, AgentEvent, AgentKey, Lease, Registration};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Targets of agent steps, each with the capability that it needs.
pub(crate) const DONE_BY: [(&str, &str); 2] = [("agent:coder@1.0.0", "rust"), ("agent:tester@1.0.0", "look")];

/// Time in which work that is being ended can be returned, and number of losses before work is not simply put
/// back.
const ENDING: Span = Span::seconds(15);
const LOST_MAX: u32 = 3;

/// An agent: the claims of its token, and its registration.
struct Person {
    project: Option<&'static str>,
    name: &'static str,
    kind: &'static str,
    can: &'static [&'static str],
    at_once: u32,
    heartbeat: u64,
}

const CAST: [Person; 5] = [
    Person { project: None, name: "ada", kind: "coder", can: &["rust"], at_once: 1, heartbeat: 30 },
    Person { project: None, name: "bea", kind: "tester", can: &["rust"], at_once: 2, heartbeat: 600 },
    // Of the same name, in another project: nothing that is done here is for it.
    Person {
        project: Some("far"),
        name: "ada",
        kind: "coder",
        can: &["rust", "look"],
        at_once: 2,
        heartbeat: 30,
    },
    Person { project: None, name: "cyd", kind: "writer", can: &["look"], at_once: 1, heartbeat: 60 },
    // Comes when everybody else has stopped, and does what is left.
    Person {
        project: None,
        name: "zed",
        kind: "helper",
        can: &["rust", "look"],
        at_once: 64,
        heartbeat: 600,
    },
];
/// Index of the agent that comes last.
pub(crate) const HELPER: usize = CAST.len() - 1;

pub(crate) fn actor(who: usize) -> Actor {
    let person = &CAST[who];
    let project = person.project.map(str::to_owned);
    let (id, subject) = (format!("j{who}"), person.name.to_owned());
    let token = Token { id, subject, key: "k".to_owned(), person: None, maker: None, project };
    Actor {
        name: person.name.to_owned(),
        proof: Proof::Token(Box::new(token)),
        groups: Vec::new(),
        channel: Channel::Http,
    }
}

pub(crate) fn key(who: usize) -> AgentKey {
    AgentKey { project: CAST[who].project.map(str::to_owned), name: CAST[who].name.to_owned() }
}

/// Index of the agent that sent a command.
pub(crate) fn who_asks(by: &Actor) -> Option<usize> {
    who_is(&AgentKey { project: by.project().map(str::to_owned), name: by.name.clone() })
}

fn who_is(agent: &AgentKey) -> Option<usize> {
    (0..CAST.len()).find(|index| key(*index) == *agent)
}

pub(crate) fn about(who: usize) -> Registration {
    let person = &CAST[who];
    Registration {
        name: person.name.to_owned(),
        agent_type: person.kind.to_owned(),
        capabilities: person.can.iter().map(|text| (*text).to_owned()).collect(),
        max_concurrent: person.at_once,
        heartbeat: Span::seconds(person.heartbeat),
        metadata: cuelight_base::ValueMap::new(),
    }
}

/// True if the author meant this agent: by its type, or by its capabilities.
fn suits(target: &str, who: usize) -> bool {
    let person = &CAST[who];
    let meant = DONE_BY.iter().find(|pair| pair.0 == target);
    meant.is_some_and(|(name, can)| {
        *name == format!("agent:{}@1.0.0", person.kind) || person.can.contains(can)
    })
}

/// A piece of work, as its agent was told.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) lease: Lease,
    /// When its agent was last heard of it, as far as it was told so.
    heard: Timestamp,
}

/// An agent that is there.
#[derive(Clone)]
struct There {
    heard: Timestamp,
    is_lost: bool,
}

/// The answers that agents got, and the results that they really sent.
#[derive(Default)]
pub(crate) struct Agents {
    there: BTreeMap<AgentKey, There>,
    held: BTreeMap<AttemptId, Held>,
    /// Calls of theirs that were begun and not ended: what each goes to.
    open: BTreeMap<AttemptId, String>,
    /// Number of times that the work of a step was lost.
    losses: BTreeMap<(cuelight_base::RunId, StepIx), u32>,
    /// Results that were taken.
    taken: BTreeSet<u64>,
    /// Work of agents that left.
    left_behind: BTreeSet<AttemptId>,
    /// By its number, what was really handed in: of what, and by whom.
    said: BTreeMap<u64, (AttemptId, usize)>,
    /// All that was ever taken by somebody.
    pub(crate) ever: Vec<AttemptId>,
}

impl Agents {
    /// The same from the journal, when all else is gone; what was said outside was said all the same.
    pub(crate) fn again(&mut self, journal: &[Arc<Event>]) {
        let (said, ever) = (std::mem::take(&mut self.said), std::mem::take(&mut self.ever));
        *self = Self { said, ..Self::default() };
        journal.iter().for_each(|event| self.note(event));
        self.ever = ever;
    }

    /// The number of a result that somebody hands in.
    pub(crate) fn says(&mut self, who: usize, work: AttemptId) -> u64 {
        let number = self.said.len() as u64;
        self.said.insert(number, (work, who));
        number
    }

    pub(crate) fn holder(&self, work: AttemptId) -> Option<usize> {
        who_is(&self.held.get(&work)?.lease.agent)
    }

    /// True if the agent has registered and did not leave.
    pub(crate) fn knows(&self, who: usize) -> bool {
        self.there.contains_key(&key(who))
    }

    /// The lease that an agent got for this claim.
    pub(crate) fn given_for(&self, who: usize, claim: &str) -> Option<Lease> {
        let mut mine = self.held.values().map(|held| &held.lease);
        mine.find(|lease| lease.agent == key(who) && lease.claim == claim).cloned()
    }

    pub(crate) fn is_open(&self, work: AttemptId) -> bool {
        self.open.contains_key(&work)
    }

    /// True if this request of an agent must be accepted.
    pub(crate) fn wanted(&self, who: usize, ask: &AgentAsk) -> bool {
        let (me, is_there) = (key(who), self.there.contains_key(&key(who)));
        let mine = || self.held.values().filter(|held| held.lease.agent == me);
        match ask {
            AgentAsk::Register(_) => true,
            AgentAsk::Beat(_) | AgentAsk::Leave { .. } => is_there,
            AgentAsk::Claim { claim, .. } => {
                let again = mine().any(|held| held.lease.claim == *claim);
                is_there && (again || mine().count() < CAST[who].at_once as usize)
            }
            AgentAsk::Renew { work, .. } => self.holder(*work) == Some(who) && !self.held[work].lease.ending,
            AgentAsk::HandBack { work, .. } => self.holder(*work) == Some(who),
        }
    }

    /// It asked and was told yes: so it was heard.
    pub(crate) fn heard(&mut self, who: usize, ask: &AgentAsk, now: Timestamp) {
        if let Some(there) = self.there.get_mut(&key(who)) {
            there.heard = now;
        }
        if let AgentAsk::Renew { work, .. } = ask
            && let Some(held) = self.held.get_mut(work)
        {
            held.heard = now;
        }
    }

    /// I30 and I31: what an agent asked for, and what it was told. `events` are what came of it.
    pub(crate) fn answered(&self, who: usize, ask: &AgentAsk, events: &[Event]) -> Result<(), Broken> {
        let leased = events.iter().filter_map(|event| match &event.fact {
            Fact::Agent(AgentEvent::Leased { lease }) => Some(lease),
            _ => None,
        });
        let leased: Vec<_> = leased.collect();
        let AgentAsk::Claim { claim, .. } = ask else {
            return ensure(leased.is_empty(), || format!("I30 {} is given work unasked", CAST[who].name));
        };
        ensure(leased.len() <= 1, || format!("I30 {} is given {} at once", CAST[who].name, leased.len()))?;
        leased.first().map_or(Ok(()), |lease| {
            ensure(lease.agent == key(who) && lease.claim == *claim, || {
                format!("I30 {:?} asked, and {} is given to {:?}", key(who), lease.attempt, lease.agent)
            })
        })
    }

    /// I30 to I32: one event, before it counts.
    pub(crate) fn see(&mut self, event: &Event) -> Result<(), Broken> {
        match &event.fact {
            Fact::Agent(AgentEvent::Leased { lease }) => self.may_have(lease)?,
            Fact::Agent(AgentEvent::Lost { agent }) => self.is_silent(agent, event.at)?,
            Fact::Agent(AgentEvent::Renewed { attempt, .. }) => {
                ensure(self.held.contains_key(attempt), || {
                    format!("I31 {attempt} is renewed, and is nobody's")
                })?;
            }
            Fact::Attempt(run, step, number, attempt_event) => {
                let id = AttemptId { run: *run, step: *step, number: *number };
                match attempt_event {
                    AttemptEvent::Ended { outcome, .. } => self.may_end(id, outcome, event.at)?,
                    AttemptEvent::Lost { .. } => self.may_be_lost(id, event.at)?,
                    AttemptEvent::Started { .. } | AttemptEvent::Adopted { .. } => {}
                }
            }
            _ => {}
        }
        self.note(event);
        Ok(())
    }

    /// I30: work is given to one who is there, whom it is meant for and who has room for it, and to nobody else as long as it is theirs.
    fn may_have(&self, lease: &Lease) -> Result<(), Broken> {
        let (id, agent) = (lease.attempt, &lease.agent);
        let who =
            who_is(agent).ok_or_else(|| format!("I30 {id} is given to {agent:?}, whom nobody knows"))?;
        let is_there = self.there.get(agent).is_some_and(|there| !there.is_lost);
        ensure(is_there, || format!("I30 {id} is given to {agent}, who is not there"))?;
        ensure(agent.project.is_none(), || format!("I30 {id} is given to {agent:?}, of another project"))?;
        let target = self.open.get(&id).ok_or_else(|| format!("I30 {id} is given and was not begun"))?;
        ensure(suits(target, who), || format!("I30 {id}, for {target}, is given to {agent}"))?;
        let same = |held: &&Held| (held.lease.attempt.run, held.lease.attempt.step) == (id.run, id.step);
        let other = self.held.values().find(same).map(|held| &held.lease.agent);
        ensure(other.is_none(), || format!("I30 {id} is given to {agent} while {other:?} has it"))?;
        let mine: Vec<&Lease> =
            self.held.values().map(|held| &held.lease).filter(|lease| lease.agent == *agent).collect();
        ensure(mine.iter().all(|other| other.claim != lease.claim), || {
            format!("I30 {id} is the second that {agent} is given for asking once")
        })?;
        ensure(mine.len() < CAST[who].at_once as usize, || format!("I30 {id} is one too many for {agent}"))
    }

    /// I31: it ends by what its holder handed in, once; or because its time was up, or it was lost too often.
    fn may_end(&mut self, id: AttemptId, outcome: &Outcome, now: Timestamp) -> Result<(), Broken> {
        if !self.open.contains_key(&id) {
            return Ok(());
        }
        let held = self.held.get(&id).ok_or_else(|| format!("I31 {id} ended, and nobody had it"))?;
        let who = self.holder(id);
        let Some(number) = outcome.outputs.get("said").and_then(cuelight_base::Value::as_u64) else {
            let is_over = held.lease.deadline.is_some_and(|deadline| deadline <= now);
            let losses = self.losses.get(&(id.run, id.step)).copied().unwrap_or(0);
            let is_lost = losses + 1 >= LOST_MAX && self.may_be_lost(id, now).is_ok();
            return ensure(is_over || is_lost, || format!("I31 {id} ended, and nobody handed it in"));
        };
        ensure(self.said.get(&number).map(|pair| (pair.0, Some(pair.1))) == Some((id, who)), || {
            format!("I31 {id} ended by {:?}, and was {who:?}'s", self.said.get(&number))
        })?;
        ensure(self.taken.insert(number), || format!("I31 what was handed in for {id} counts twice"))
    }

    /// I32: an agent that gives signs of life keeps what it has.
    fn may_be_lost(&self, id: AttemptId, now: Timestamp) -> Result<(), Broken> {
        let Some(Held { lease, heard }) = self.held.get(&id) else {
            return ensure(!self.open.contains_key(&id), || format!("I32 {id} is lost, and nobody had it"));
        };
        let went = self.there.get(&lease.agent).is_none_or(|there| there.is_lost);
        let silent = lease.until <= now && (lease.ending || now.since(*heard).0 >= lease.lasts.0 / 4 * 3);
        ensure(went || silent, || {
            format!("I32 {id} is taken from {} at {now}, who has it until {}", lease.agent, lease.until)
        })
    }

    /// I32: no agent is lost that gives signs of life; some of those that come fast are not written down.
    fn is_silent(&self, agent: &AgentKey, now: Timestamp) -> Result<(), Broken> {
        let there =
            self.there.get(agent).filter(|there| !there.is_lost).ok_or("I32 one is lost who is not there")?;
        let beat = who_is(agent).map_or(0, |number| CAST[number].heartbeat);
        ensure(now.since(there.heard) >= Span::seconds(beat * 2), || {
            format!("I32 {agent} is lost at {now}, and was heard at {}", there.heard)
        })
    }

    /// I32, after each command: whoever went has nothing any more, and each call of theirs is somebody's.
    pub(crate) fn nothing_is_left_behind(&mut self) -> Result<(), Broken> {
        let left = std::mem::take(&mut self.left_behind);
        ensure(left.is_empty(), || format!("I32 {left:?} stayed with an agent that is not there"))?;
        let stray = self.open.keys().find(|attempt| !self.held.contains_key(attempt));
        ensure(stray.is_none(), || format!("I30 {stray:?} is begun and nobody's"))
    }

    /// I32, after time has passed: nothing is anybody's for longer than it is given.
    pub(crate) fn nothing_is_overdue(&self, now: Timestamp) -> Result<(), Broken> {
        let due = |lease: &Lease| lease.deadline.map_or(lease.until, |end| end.min(lease.until));
        let late = self.held.values().map(|held| &held.lease).find(|lease| due(lease) <= now);
        ensure(late.is_none(), || format!("I32 {late:?} is still somebody's at {now}"))
    }

    /// Applies an event to the state.
    fn note(&mut self, event: &Event) {
        let at = event.at;
        match &event.fact {
            Fact::Agent(AgentEvent::Registered { agent, by }) => {
                let key = AgentKey { project: by.project().map(str::to_owned), name: agent.name.clone() };
                self.there.insert(key, There { heard: at, is_lost: false });
            }
            Fact::Agent(AgentEvent::Seen { agent }) => {
                self.there.insert(agent.clone(), There { heard: at, is_lost: false });
            }
            Fact::Agent(AgentEvent::Lost { agent }) => {
                self.there.entry(agent.clone()).and_modify(|there| there.is_lost = true);
                self.goes(agent);
            }
            Fact::Agent(AgentEvent::Left { agent, .. }) => {
                self.there.remove(agent);
                self.goes(agent);
            }
            Fact::Agent(AgentEvent::Leased { lease }) => {
                self.ever.push(lease.attempt);
                self.held.insert(lease.attempt, Held { lease: (**lease).clone(), heard: at });
            }
            Fact::Agent(AgentEvent::Renewed { attempt, until, .. }) => {
                self.held.entry(*attempt).and_modify(|held| held.lease.until = *until);
            }
            Fact::Attempt(run, step, number, event) => {
                let id = AttemptId { run: *run, step: *step, number: *number };
                match event {
                    AttemptEvent::Started { launch, .. } if launch.is_claimed() => {
                        self.open.insert(id, launch.target().unwrap_or_default());
                    }
                    AttemptEvent::Started { .. } | AttemptEvent::Adopted { .. } => {}
                    AttemptEvent::Ended { outcome, .. } => {
                        self.taken.extend(outcome.outputs.get("said").and_then(cuelight_base::Value::as_u64));
                        self.ends(id);
                    }
                    AttemptEvent::Lost { .. } => {
                        *self.losses.entry((*run, *step)).or_default() += 1;
                        self.ends(id);
                    }
                }
            }
            Fact::Step(run, step, StepEvent::Ending { .. }) => {
                self.are_ending(at, |attempt| (attempt.run, attempt.step) == (*run, *step));
            }
            Fact::Run(run, RunEvent::Cancelling { .. } | RunEvent::TimedOut { .. }) => {
                self.are_ending(at, |attempt| attempt.run == *run);
            }
            // Nobody could be heard while there was no engine.
            Fact::Recovered { .. } => {
                self.there.values_mut().filter(|there| !there.is_lost).for_each(|there| there.heard = at);
                for Held { lease, heard } in self.held.values_mut() {
                    let until = at + if lease.ending { ENDING } else { lease.lasts };
                    lease.until = lease.until.max(until);
                    lease.deadline = lease.deadline.map(|deadline| deadline.max(until));
                    *heard = at;
                }
            }
            _ => {}
        }
    }

    fn goes(&mut self, agent: &AgentKey) {
        let all = self.held.values().map(|held| &held.lease).filter(|lease| lease.agent == *agent);
        self.left_behind.extend(all.map(|lease| lease.attempt));
    }

    fn ends(&mut self, id: AttemptId) {
        self.open.remove(&id);
        self.held.remove(&id);
        self.left_behind.remove(&id);
    }

    fn are_ending(&mut self, at: Timestamp, which: impl Fn(AttemptId) -> bool) {
        for held in self.held.values_mut().filter(|held| which(held.lease.attempt)) {
            held.lease.ending = true;
            held.lease.until = held.lease.until.min(at + ENDING);
        }
    }
}
