//! The words of agents: what their names begin with, what a step reads of their answers, and how their silence counts.
//!
//! How an agent is described is for `definition`; how its answer is read, for `tool`.

use crate::Span;
use serde::{Deserialize, Serialize};

/// What the names of targets that are agents begin with.
pub const AGENT_PREFIX: &str = "agent:";

/// The input that is its task, and the variable that holds it.
pub const AGENT_TASK: &str = "task";
/// See [`AGENT_TASK`].
pub const AGENT_TASK_VARIABLE: &str = "CUELIGHT_TASK";
/// The variable that holds the name of the agent.
pub const AGENT_VARIABLE: &str = "CUELIGHT_AGENT";

/// What a step can read of every answer of an agent; the other parts of an answer are outputs as well.
pub const AGENT_OUTPUTS: &[&str] = &["result", "confidence", "status", "quality", "tokens", "cost-usd"];

/// The secret that is the token of an agent which was started for somebody: made when its process begins, for that call alone. No file and
/// no variable is ever called so.
pub const AGENT_TOKEN: &str = "agent.token";
/// The variable that holds it.
pub const AGENT_TOKEN_VARIABLE: &str = "JWT_TOKEN";
/// The variable that holds where its engine answers, as that is when its process begins.
pub const AGENT_ADDRESS_VARIABLE: &str = "SIDECAR_URL";

/// So many intervals without a sign of life: late …
pub const AGENT_LATE_AFTER: u64 = 1;
/// … and lost.
pub const AGENT_LOST_AFTER: u64 = 3;

/// What a call of an agent has beside that of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCall {
    /// How often it gives a sign of life; nothing when it may be silent to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Span>,
    /// Whether an agent comes for it by itself; then no program is started here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claim: bool,
    /// Whom it was started for, where somebody asked for it over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawned: Option<Box<SpawnedAgent>>,
}

/// An agent that was started because somebody asked for it: who it is to its engine, and what its token lets it ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnedAgent {
    /// Its own name, `coder-1f0c2a9b3d4e`.
    pub name: String,
    /// Which agent that is: `coder`.
    pub agent_type: String,
    /// The piece of work.
    pub issue: String,
    /// The project that it is for, and that its token is good for.
    pub project: String,
    /// The words of what its token lets it ask.
    pub permissions: Vec<String>,
    /// How long its token is good, though never longer than its call.
    pub token_life: Span,
}

impl SpawnedAgent {
    /// What it finds in its environment about itself.
    pub fn variables(&self) -> [(&'static str, &str); 4] {
        [
            ("AGENT_ID", &self.name),
            ("AGENT_TYPE", &self.agent_type),
            ("ISSUE_ID", &self.issue),
            ("PROJECT_ID", &self.project),
        ]
    }
}

/// The name of an agent without what marks it as one, and without its version: `reviewer` of `agent:reviewer@1.0.0`; nothing of
/// another target.
pub fn agent_name(target: &str) -> Option<&str> {
    target.strip_prefix(AGENT_PREFIX).map(|it| it.split('@').next().unwrap_or(it))
}
