//! Agents that come by themselves, with a token: the present ones, the last heartbeat of each, and the lost
//! ones. The fold is shared with `projection`, which shows them.
//!
//! The door has checked an agent's name, its type and its permissions.

use crate::{
    Actor, AgentEvent, Event, Fact, Proof, Refusal,
    handle::{Turn, checked_reason},
};
use cuelight_base::{
    AGENT_BEATS_LOST, AGENT_CAPABILITIES_MAX, AGENT_METADATA_BYTES_MAX, AGENTS_MAX, AGENTS_OF_PROJECT_MAX,
    AttemptId, FailureMode, Span, Timestamp, ValueMap, json_bytes,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// An agent by its name, which is its own in its project.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgentKey {
    /// The project it works for, where that is not the workspace's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The subject of its token, or a session of it: `coder-1/s2`.
    pub name: String,
}

impl fmt::Display for AgentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

/// The description that an agent gives of itself when it registers; untrusted text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// Its name: the subject of its token, or a session of it.
    pub name: String,
    /// The type of the agent, by its token.
    pub agent_type: String,
    /// Its capabilities, in words that steps ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// The number of calls that it takes at once.
    pub max_concurrent: u32,
    /// The interval between its heartbeats.
    pub heartbeat: Span,
    /// More details about the agent.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub metadata: ValueMap,
}

/// The requests of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentAsk {
    /// Registers the agent with its description.
    Register(Registration),
    /// I am still here.
    Beat(String),
    /// I go, or this one is to go.
    Leave {
        /// The name of the agent.
        agent: String,
        /// The reason why it leaves.
        reason: String,
    },
    /// Is there work for me?
    Claim {
        /// The name of the agent.
        agent: String,
        /// The agent's id for this claim: the same claim again gets the same work.
        claim: String,
        /// The lease time that it wants: the time that it holds the work without a heartbeat.
        lasts: Option<Span>,
    },
    /// I still work on it.
    Renew {
        /// The call it works on.
        work: AttemptId,
        /// The agent's note on its progress.
        note: Option<String>,
    },
    /// Here it is, or it has failed.
    HandBack {
        /// The call that is handed back.
        work: AttemptId,
        /// The outputs of the call.
        outputs: ValueMap,
        /// The mode and the message of the failure; none when it succeeded.
        failed: Option<(FailureMode, String)>,
        /// True if it failed and may have had its effect.
        may_have_happened: bool,
    },
}

/// Why an agent may not; each has an answer of its own over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentFault {
    /// An agent of this name is not registered.
    Unknown,
    /// The work belongs to another agent.
    NotYours,
    /// The agent's description of itself cannot be kept.
    Words,
    /// The agent contradicts an earlier request, too many agents are registered, or it has all the work that
    /// it takes.
    Conflict,
    /// A call of this id is not known.
    NoWork,
    /// The work is its no more.
    Gone,
}

/// The presence of an agent that came by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Presence {
    Live,
    Late,
    Lost,
}

impl Presence {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Late => "late",
            Self::Lost => "lost",
        }
    }
}

/// An agent that came by itself, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Registered {
    /// The agent's description of itself.
    pub about: Registration,
    /// The instant at which it came.
    pub since: Timestamp,
    /// The instant of its last heartbeat.
    pub seen: Timestamp,
    /// Since when it is lost, if it is.
    pub lost: Option<Timestamp>,
}

impl Registered {
    /// The presence of the agent: late after one interval without a heartbeat, lost after three.
    pub fn presence(&self, now: Timestamp) -> Presence {
        match self.lost {
            Some(_) => Presence::Lost,
            None if now.since(self.seen) > self.about.heartbeat => Presence::Late,
            None => Presence::Live,
        }
    }

    fn is_lost_at(&self) -> Option<Timestamp> {
        self.lost.is_none().then(|| self.seen + Span(self.about.heartbeat.0.saturating_mul(AGENT_BEATS_LOST)))
    }
}

/// All agents that came by themselves and did not go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agents {
    known: BTreeMap<AgentKey, Arc<Registered>>,
    due: BTreeSet<(Timestamp, AgentKey)>,
}

impl Agents {
    /// Applies an event to the state.
    pub fn apply(&mut self, event: &Event) {
        match &event.fact {
            Fact::Agent(AgentEvent::Registered { agent, by }) => {
                let key = AgentKey { project: by.project().map(str::to_owned), name: agent.name.clone() };
                let since = self
                    .known
                    .get(&key)
                    .filter(|registered| registered.lost.is_none())
                    .map_or(event.at, |registered| registered.since);
                self.make_room();
                let about = (**agent).clone();
                self.put(key, Some(Registered { about, since, seen: event.at, lost: None }));
            }
            Fact::Agent(AgentEvent::Seen { agent }) => {
                self.change(agent, |registered| (registered.seen, registered.lost) = (event.at, None));
            }
            Fact::Agent(AgentEvent::Lost { agent }) => {
                self.change(agent, |registered| registered.lost = Some(event.at))
            }
            Fact::Agent(AgentEvent::Left { agent, .. }) => self.put(agent.clone(), None),
            // While there was no engine nobody could tell it anything.
            Fact::Recovered { .. } => {
                let all: Vec<AgentKey> = self.due.iter().map(|pair| pair.1.clone()).collect();
                for key in all {
                    self.change(&key, |registered| registered.seen = event.at);
                }
            }
            _ => {}
        }
    }

    /// All of one project, by name.
    pub fn of_project(&self, project: Option<&str>) -> impl Iterator<Item = (&AgentKey, &Registered)> {
        self.iter().filter(move |pair| pair.0.project.as_deref() == project)
    }

    /// All agents with their keys, lost ones included.
    pub fn iter(&self) -> impl Iterator<Item = (&AgentKey, &Registered)> {
        self.known.iter().map(|(key, registered)| (key, &**registered))
    }

    /// The agent of this key.
    pub fn get(&self, key: &AgentKey) -> Option<&Registered> {
        self.known.get(key).map(|registered| &**registered)
    }

    /// The number of agents that are not lost.
    pub fn present(&self) -> usize {
        self.due.len()
    }

    /// When one of them is lost if nothing is heard of it.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|pair| pair.0)
    }

    pub(super) fn next_due(&self, now: Timestamp) -> Option<AgentKey> {
        self.due.first().filter(|pair| pair.0 <= now).map(|pair| pair.1.clone())
    }

    fn change(&mut self, key: &AgentKey, change: impl FnOnce(&mut Registered)) {
        let Some(before) = self.known.get(key) else { return };
        let mut registered = (**before).clone();
        change(&mut registered);
        self.put(key.clone(), Some(registered));
    }

    fn put(&mut self, key: AgentKey, agent: Option<Registered>) {
        if let Some(at) = self.known.get(&key).and_then(|registered| registered.is_lost_at()) {
            self.due.remove(&(at, key.clone()));
        }
        match agent {
            Some(agent) => {
                if let Some(at) = agent.is_lost_at() {
                    self.due.insert((at, key.clone()));
                }
                self.known.insert(key, Arc::new(agent));
            }
            None => drop(self.known.remove(&key)),
        }
    }

    /// Forgets the agent that was lost first when there are too many.
    fn make_room(&mut self) {
        if self.known.len() < AGENTS_MAX {
            return;
        }
        let lost = self.known.iter().filter_map(|(key, registered)| Some((registered.lost?, key))).min();
        if let Some(key) = lost.map(|pair| pair.1.clone()) {
            self.known.remove(&key);
        }
    }
}

pub(super) fn refused(fault: AgentFault, why: impl Into<String>) -> Refusal {
    Refusal::Agent { fault, why: why.into() }
}

/// The agent that asks, by the name it goes by: that of its token, or a session of it.
pub(super) fn own(by: &Actor, name: &str) -> Result<AgentKey, Refusal> {
    let Proof::Token(token) = &by.proof else {
        return Err(refused(
            AgentFault::NotYours,
            "only an agent with a token is one; `cuelight token` makes it",
        ));
    };
    let session = name.strip_prefix(token.subject.as_str()).and_then(|rest| rest.strip_prefix('/'));
    let is_own = name == token.subject || session.is_some_and(cuelight_base::is_name);
    if token.person.is_some() || !is_own {
        let why = "its name is not that of the token; go by your own, as `name` or `name/session`";
        return Err(refused(AgentFault::NotYours, why));
    }
    Ok(AgentKey { project: token.project.clone(), name: name.to_owned() })
}

impl Turn<'_> {
    pub(super) fn agent_asks(&mut self, ask: AgentAsk, by: Actor) -> Result<(), Refusal> {
        match ask {
            AgentAsk::Register(agent) => self.register(agent, by),
            AgentAsk::Beat(agent) => {
                let key = self.registered(&by, &agent)?;
                self.sees(&key);
                Ok(())
            }
            AgentAsk::Leave { agent, reason } => {
                let key = AgentKey { project: by.project().map(str::to_owned), name: agent };
                if self.world.agents.get(&key).is_none() {
                    return Err(unknown());
                }
                let reason = checked_reason(reason)?;
                self.emit(Fact::Agent(AgentEvent::Left { agent: key.clone(), reason, by }));
                self.agent_went(&key, &format!("{key} left"));
                Ok(())
            }
            AgentAsk::Claim { agent, claim, lasts } => self.claim(&agent, claim, lasts, &by),
            AgentAsk::Renew { work, note } => self.renew(work, note, &by),
            AgentAsk::HandBack { work, outputs, failed, may_have_happened } => {
                self.hand_back(work, outputs, failed, may_have_happened, &by)
            }
        }
    }

    fn register(&mut self, agent: Registration, by: Actor) -> Result<(), Refusal> {
        let key = own(&by, &agent.name)?;
        let too_much = agent.capabilities.len() > AGENT_CAPABILITIES_MAX
            || agent.capabilities.iter().any(|capability| !cuelight_base::is_name(capability))
            || json_bytes(&agent.metadata) > AGENT_METADATA_BYTES_MAX
            || agent.max_concurrent == 0
            || agent.heartbeat.0 == 0
            || !cuelight_base::is_agent_type(&agent.agent_type);
        if too_much {
            let why = format!(
                "what it says of itself cannot be kept: a type, {AGENT_CAPABILITIES_MAX} capabilities of letters, digits and `_.:-`, and \
                 {AGENT_METADATA_BYTES_MAX} bytes of metadata at most; say less"
            );
            return Err(refused(AgentFault::Words, why));
        }
        if let Some(before) = self.world.agents.get(&key).filter(|registered| registered.lost.is_none()) {
            if before.about != agent {
                let why = format!("{key} is there already and says something else of itself; leave first");
                return Err(refused(AgentFault::Conflict, why));
            }
            // The same once more: it has begun anew.
            self.sees(&key);
            return Ok(());
        }
        let of_project =
            self.world.agents.of_project(by.project()).filter(|pair| pair.1.lost.is_none()).count();
        if self.world.agents.present() >= AGENTS_MAX || of_project >= AGENTS_OF_PROJECT_MAX {
            return Err(refused(AgentFault::Conflict, "too many agents are there already; have some leave"));
        }
        self.emit(Fact::Agent(AgentEvent::Registered { agent: Box::new(agent), by }));
        self.agent_came(&key);
        Ok(())
    }

    /// The agent that asks, which is there or was lost.
    pub(super) fn registered(&self, by: &Actor, name: &str) -> Result<AgentKey, Refusal> {
        let key = own(by, name)?;
        if self.world.agents.get(&key).is_some() { Ok(key) } else { Err(unknown()) }
    }

    /// Records a heartbeat. A lost agent is present again; the work that it had is not its own any more.
    pub(super) fn sees(&mut self, key: &AgentKey) {
        let Some(registered) = self.world.agents.get(key) else { return };
        let is_news = registered.lost.is_some()
            || self.now.since(registered.seen).0 >= registered.about.heartbeat.0 / 3;
        let was_lost = registered.lost.is_some();
        if is_news {
            self.emit(Fact::Agent(AgentEvent::Seen { agent: key.clone() }));
        }
        if was_lost {
            self.agent_came(key);
        }
    }

    /// Nothing was heard of it for too long.
    pub(super) fn agent_due(&mut self, key: AgentKey) {
        self.emit(Fact::Agent(AgentEvent::Lost { agent: key.clone() }));
        self.agent_went(&key, &format!("{key} gave no sign of life for three intervals"));
    }
}

fn unknown() -> Refusal {
    refused(AgentFault::Unknown, "there is no such agent here; register first, with POST /api/agents")
}
