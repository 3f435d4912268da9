//! Agents that came by themselves, their results and their knowledge, as JSON. The content of a result may be large, so
//! the code that read it adds it.

use crate::spelled::to_value;
use cuelight_base::{Timestamp, Value};
use cuelight_engine::Event;
use cuelight_exchange::{AgentKey, AgentResult, Knowledge, Registered};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// An agent that has registered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Agent")]
pub struct AgentAnswer {
    id: String,
    project_id: String,
    agent_type: String,
    /// `live`, `late`, `lost`, or `left`.
    state: &'static str,
    capabilities: Vec<String>,
    limits: AgentLimits,
    heartbeat_seconds: u64,
    #[schemars(with = "BTreeMap<String, Value>")]
    metadata: Value,
    registered_at: String,
    last_seen: String,
}

/// Limits of an agent.
#[derive(Serialize, JsonSchema)]
struct AgentLimits {
    max_concurrent: u64,
}

/// A result of an agent, without its content.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AgentResult")]
pub struct ResultAnswer {
    id: String,
    project_id: String,
    issue_id: String,
    agent_id: String,
    agent_type: String,
    status: &'static str,
    stored_at: String,
    timestamp: String,
    size_bytes: u64,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    /// The content of the result; left out in pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
}

/// A knowledge entry of an agent or a person.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Knowledge")]
pub struct KnowledgeAnswer {
    id: String,
    project_id: String,
    r#type: &'static str,
    text: String,
    issue_id: Option<String>,
    agent_id: String,
    agent_type: Option<String>,
    #[schemars(with = "BTreeMap<String, Value>")]
    metadata: Value,
    stored_at: String,
}

impl AgentAnswer {
    /// An agent that came by itself.
    pub fn of(key: &AgentKey, registered: &Registered, project: &str, now: Timestamp) -> Self {
        let about = &registered.about;
        Self {
            id: key.name.clone(),
            project_id: project.to_owned(),
            agent_type: about.agent_type.clone(),
            state: registered.presence(now).word(),
            capabilities: about.capabilities.clone(),
            limits: AgentLimits { max_concurrent: about.max_concurrent.into() },
            heartbeat_seconds: about.heartbeat.0 / 1000,
            metadata: to_value(&about.metadata),
            registered_at: registered.since.to_string(),
            last_seen: registered.seen.to_string(),
        }
    }
}

impl AgentAnswer {
    /// The same, once the agent has left.
    #[must_use]
    pub fn that_left(self) -> Self {
        Self { state: "left", ..self }
    }
}

impl ResultAnswer {
    /// A result, without its content.
    pub fn of(event: &Event, result: &AgentResult, project: &str) -> Self {
        Self {
            id: result.id.clone(),
            project_id: project.to_owned(),
            issue_id: result.issue.clone(),
            agent_id: result.agent.clone(),
            agent_type: result.agent_type.clone(),
            status: result.status.word(),
            stored_at: event.at.to_string(),
            timestamp: result.said_at.unwrap_or(event.at).to_string(),
            size_bytes: result.bytes,
            digest: result.digest.to_string(),
            traceparent: result.trace.clone(),
            result: None,
        }
    }

    /// The same with its content.
    #[must_use]
    pub fn with_content(self, content: Value) -> Self {
        Self { result: Some(content), ..self }
    }
}

impl KnowledgeAnswer {
    /// A knowledge entry of an agent or a person.
    pub fn of(event: &Event, knowledge: &Knowledge, project: &str) -> Self {
        Self {
            id: knowledge.id.clone(),
            project_id: project.to_owned(),
            r#type: knowledge.kind.word(),
            text: knowledge.text.clone(),
            issue_id: knowledge.issue.clone(),
            agent_id: knowledge.agent.clone(),
            agent_type: knowledge.agent_type.clone(),
            metadata: to_value(&knowledge.metadata),
            stored_at: event.at.to_string(),
        }
    }
}
