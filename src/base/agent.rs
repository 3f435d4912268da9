//! The words of agents: what their names begin with, what a step reads of their answers, and how their silence counts.
//!
//! How an agent is described is for `definition`; how its answer is read, for `tool`.

use crate::base::Span;
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
}

/// The name of an agent without what marks it as one, and without its version: `reviewer` of `agent:reviewer@1.0.0`; nothing of
/// another target.
pub fn agent_name(target: &str) -> Option<&str> {
    target.strip_prefix(AGENT_PREFIX).map(|it| it.split('@').next().unwrap_or(it))
}
