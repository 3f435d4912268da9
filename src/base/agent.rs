//! The words of agents: the prefix of their names, the outputs of their answers, and the limits on their
//! silence.
//!
//! `definition` describes agents; `tool` reads their answers.

use crate::Span;
use serde::{Deserialize, Serialize};

/// The prefix of target names that are agents.
pub const AGENT_PREFIX: &str = "agent:";

/// The input that is its task, and the variable that holds it.
pub const AGENT_TASK: &str = "task";
/// The environment variable that holds the value of [`AGENT_TASK`].
pub const AGENT_TASK_VARIABLE: &str = "CUELIGHT_TASK";
/// The variable that holds the name of the agent.
pub const AGENT_VARIABLE: &str = "CUELIGHT_AGENT";

/// The outputs that a step can read of every agent's answer; the other parts of an answer are outputs as
/// well.
pub const AGENT_OUTPUTS: &[&str] = &["result", "confidence", "status", "quality", "tokens", "cost-usd"];

/// The secret that is the token of an agent which was started for somebody: made when its process begins, for
/// that call alone. No file and no variable is ever called so.
pub const AGENT_TOKEN: &str = "agent.token";
/// The variable that holds it.
pub const AGENT_TOKEN_VARIABLE: &str = "JWT_TOKEN";
/// The variable that holds where its engine answers, as that is when its process begins.
pub const AGENT_ADDRESS_VARIABLE: &str = "SIDECAR_URL";

/// Missed heartbeat intervals after which an agent counts as late.
pub const AGENT_LATE_AFTER: u64 = 1;
/// Missed heartbeat intervals after which an agent counts as lost.
pub const AGENT_LOST_AFTER: u64 = 3;

/// The part of a call that an agent has in addition to a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCall {
    /// The interval between the agent's heartbeats; none when it may be silent until it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Span>,
    /// True if an agent claims this call by itself; then no program is started here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claim: bool,
    /// The agent that this call starts, if somebody asked for one over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawned: Option<Box<SpawnedAgent>>,
}

/// An agent that was started because somebody asked for it: who it is to its engine, and what its token lets
/// it ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnedAgent {
    /// Its own name, `coder-1f0c2a9b3d4e`.
    pub name: String,
    /// The type of the agent: `coder`.
    pub agent_type: String,
    /// The piece of work.
    pub issue: String,
    /// The project that it is for, and that its token is good for.
    pub project: String,
    /// The words of what its token lets it ask.
    pub permissions: Vec<String>,
    /// The lifetime of its token; the token never outlives its call.
    pub token_life: Span,
}

impl SpawnedAgent {
    /// The environment variables that tell the agent about itself.
    pub fn variables(&self) -> [(&'static str, &str); 4] {
        [
            ("AGENT_ID", &self.name),
            ("AGENT_TYPE", &self.agent_type),
            ("ISSUE_ID", &self.issue),
            ("PROJECT_ID", &self.project),
        ]
    }
}

/// The name of an agent without what marks it as one, and without its version: `reviewer` of
/// `agent:reviewer@1.0.0`; nothing of another target.
pub fn agent_name(target: &str) -> Option<&str> {
    target.strip_prefix(AGENT_PREFIX).map(|rest| rest.split('@').next().unwrap_or(rest))
}
