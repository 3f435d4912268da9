//! Agents that come by themselves, with a token: the present ones, the last heartbeat of each, and the lost
//! ones. The fold is shared with `projection`, which shows them.
//!
//! The door has checked an agent's name, its type and its permissions.

use crate::AgentEvent;
use cuelight_base::{
    AGENT_BEATS_LOST, AGENT_CAPABILITIES_MAX, AGENT_METADATA_BYTES_MAX, AGENTS_MAX, AGENTS_OF_PROJECT_MAX,
    Actor, AttemptId, FailureMode, Proof, Span, Timestamp, ValueMap, is_agent_type, is_name, json_bytes,
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

/// The refusal of an agent's request.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentRefusal {
    /// The kind of the refusal.
    pub fault: AgentFault,
    /// The reason, to finish a sentence.
    pub why: String,
}

impl AgentRefusal {
    /// Creates a refusal with its reason.
    pub fn new(fault: AgentFault, why: impl Into<String>) -> Self {
        Self { fault, why: why.into() }
    }

    /// The refusal to an agent that has not registered.
    pub fn unknown() -> Self {
        Self::new(AgentFault::Unknown, "there is no such agent here; register first, with POST /api/agents")
    }
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
    pub fn apply(&mut self, at: Timestamp, event: &AgentEvent) {
        match event {
            AgentEvent::Registered { agent, by } => {
                let key = AgentKey { project: by.project().map(str::to_owned), name: agent.name.clone() };
                let since = self.present_agent(&key).map_or(at, |registered| registered.since);
                self.make_room();
                let about = (**agent).clone();
                self.put(key, Some(Registered { about, since, seen: at, lost: None }));
            }
            AgentEvent::Seen { agent } => {
                self.change(agent, |registered| (registered.seen, registered.lost) = (at, None));
            }
            AgentEvent::Lost { agent } => self.change(agent, |registered| registered.lost = Some(at)),
            AgentEvent::Left { agent, .. } => self.put(agent.clone(), None),
            AgentEvent::Leased { .. } | AgentEvent::Renewed { .. } => {}
        }
    }

    /// Counts all as seen now: while there was no engine nobody could tell it anything.
    pub fn recovered(&mut self, at: Timestamp) {
        let all: Vec<AgentKey> = self.due.iter().map(|pair| pair.1.clone()).collect();
        for key in all {
            self.change(&key, |registered| registered.seen = at);
        }
    }

    /// Checks a registration; true when the agent is present already and says the same of itself.
    pub fn is_again(&self, key: &AgentKey, agent: &Registration) -> Result<bool, AgentRefusal> {
        let too_much = agent.capabilities.len() > AGENT_CAPABILITIES_MAX
            || agent.capabilities.iter().any(|capability| !is_name(capability))
            || json_bytes(&agent.metadata) > AGENT_METADATA_BYTES_MAX
            || agent.max_concurrent == 0
            || agent.heartbeat.0 == 0
            || !is_agent_type(&agent.agent_type);
        if too_much {
            let why = format!(
                "what it says of itself cannot be kept: a type, {AGENT_CAPABILITIES_MAX} capabilities of letters, digits and `_.:-`, and \
                 {AGENT_METADATA_BYTES_MAX} bytes of metadata at most; say less"
            );
            return Err(AgentRefusal::new(AgentFault::Words, why));
        }
        if let Some(before) = self.present_agent(key) {
            if before.about != *agent {
                let why = format!("{key} is there already and says something else of itself; leave first");
                return Err(AgentRefusal::new(AgentFault::Conflict, why));
            }
            return Ok(true);
        }
        let of_project = self.of_project(key.project.as_deref()).filter(|pair| pair.1.lost.is_none()).count();
        if self.present() >= AGENTS_MAX || of_project >= AGENTS_OF_PROJECT_MAX {
            let why = "too many agents are there already; have some leave";
            return Err(AgentRefusal::new(AgentFault::Conflict, why));
        }
        Ok(false)
    }

    /// The key of the agent that asks, if it is present or lost.
    pub fn key_of(&self, by: &Actor, name: &str) -> Result<AgentKey, AgentRefusal> {
        let key = own_key(by, name)?;
        if self.known.contains_key(&key) { Ok(key) } else { Err(AgentRefusal::unknown()) }
    }

    fn present_agent(&self, key: &AgentKey) -> Option<&Registered> {
        self.get(key).filter(|registered| registered.lost.is_none())
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
    pub fn deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|pair| pair.0)
    }

    /// The first agent whose time is up at this instant.
    pub fn next_due(&self, now: Timestamp) -> Option<AgentKey> {
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

/// The agent that asks, by the name it goes by: that of its token, or a session of it.
pub fn own_key(by: &Actor, name: &str) -> Result<AgentKey, AgentRefusal> {
    let Proof::Token(token) = &by.proof else {
        let why = "only an agent with a token is one; `cuelight token` makes it";
        return Err(AgentRefusal::new(AgentFault::NotYours, why));
    };
    let session = name.strip_prefix(token.subject.as_str()).and_then(|rest| rest.strip_prefix('/'));
    let is_own = name == token.subject || session.is_some_and(is_name);
    if token.person.is_some() || !is_own {
        let why = "its name is not that of the token; go by your own, as `name` or `name/session`";
        return Err(AgentRefusal::new(AgentFault::NotYours, why));
    }
    Ok(AgentKey { project: token.project.clone(), name: name.to_owned() })
}
