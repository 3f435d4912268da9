//! The events of agents that came by themselves, and of what agents leave for later ones.

use crate::{AgentKey, AgentResult, Knowledge, Lease, Registration};
use cuelight_base::{Actor, AttemptId, RunId, Timestamp};
use serde::{Deserialize, Serialize};

/// The events of results and knowledge that agents leave for later ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LibraryEvent {
    /// An agent stored the result of its work.
    HandedIn {
        /// The result: `id`, `issue`, `agent`, `agent_type`, `status`, `digest`, `bytes`, and the content as
        /// `body` if it is small, else the `blob` under which it is kept.
        result: Box<AgentResult>,
        /// The instant until which it can be found.
        until: Timestamp,
        /// The actor who stored it.
        by: Actor,
    },
    /// An actor stored a piece of knowledge.
    Learned {
        /// The knowledge: `id`, `kind`, `text`, `agent`, and `agent_type`, `issue`, `metadata` if they were
        /// given.
        knowledge: Box<Knowledge>,
        /// The actor who stored it.
        by: Actor,
    },
}

/// The events of an agent that came by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AgentEvent {
    /// The agent has registered.
    Registered {
        /// The agent's description of itself: `name`, `agent_type`, `capabilities`, `max_concurrent`,
        /// `heartbeat`, `metadata`.
        agent: Box<Registration>,
        /// The actor who registered it.
        by: Actor,
    },
    /// The agent sent a heartbeat; more than a few in one interval are not written down.
    Seen {
        /// The agent: `project`, absent for the workspace's own, and `name`.
        agent: AgentKey,
    },
    /// The agent sent no heartbeat for three intervals.
    Lost {
        /// The agent that is lost.
        agent: AgentKey,
    },
    /// The agent left, or was sent away.
    Left {
        /// The agent that left.
        agent: AgentKey,
        /// The reason that was given.
        reason: String,
        /// The actor who asked for it.
        by: Actor,
    },
    /// The agent has claimed a piece of work: the call of a step.
    Leased {
        /// The lease: `attempt`, `agent`, `claim`, `lasts`, `since`, `until`, `deadline`.
        lease: Box<Lease>,
    },
    /// The agent works on, and its lease is longer.
    Renewed {
        /// The call it works on.
        attempt: AttemptId,
        /// The instant until which the call is the agent's now.
        until: Timestamp,
        /// The agent's note on its progress.
        note: Option<String>,
    },
}

impl AgentEvent {
    /// The call that it is about.
    pub const fn attempt(&self) -> Option<AttemptId> {
        match self {
            Self::Leased { lease } => Some(lease.attempt),
            Self::Renewed { attempt, .. } => Some(*attempt),
            Self::Registered { .. } | Self::Seen { .. } | Self::Lost { .. } | Self::Left { .. } => None,
        }
    }

    /// The run that it is about.
    pub const fn run(&self) -> Option<RunId> {
        match self.attempt() {
            Some(attempt) => Some(attempt.run),
            None => None,
        }
    }
}
