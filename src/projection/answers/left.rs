//! What agents have left at the engine, as JSON: themselves, their results, their knowledge. The content of a result may be large, so
//! the code that read it adds it.

use super::to_value;
use cuelight_base::{Timestamp, Value};
use cuelight_engine::{AgentKey, AgentResult, Event, Knowledge, Registered};
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

/// A knowledge entry.
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

/// An agent that came by itself.
pub fn registered_json(key: &AgentKey, registered: &Registered, project: &str, now: Timestamp) -> Value {
    let about = &registered.about;
    to_value(&AgentAnswer {
        id: key.name.clone(),
        project_id: project.to_owned(),
        agent_type: about.agent_type.to_string(),
        state: registered.presence(now).word(),
        capabilities: about.capabilities.clone(),
        limits: AgentLimits { max_concurrent: about.max_concurrent.into() },
        heartbeat_seconds: about.heartbeat.0 / 1000,
        metadata: to_value(&about.metadata),
        registered_at: registered.since.to_string(),
        last_seen: registered.seen.to_string(),
    })
}

/// A result, without its content.
pub fn result_json(event: &Event, result: &AgentResult, project: &str) -> Value {
    to_value(&ResultAnswer {
        id: result.id.to_string(),
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
    })
}

/// A knowledge entry.
pub fn knowledge_json(event: &Event, knowledge: &Knowledge, project: &str) -> Value {
    to_value(&KnowledgeAnswer {
        id: knowledge.id.to_string(),
        project_id: project.to_owned(),
        r#type: knowledge.kind.word(),
        text: knowledge.text.clone(),
        issue_id: knowledge.issue.clone(),
        agent_id: knowledge.agent.clone(),
        agent_type: knowledge.agent_type.clone(),
        metadata: to_value(&knowledge.metadata),
        stored_at: event.at.to_string(),
    })
}
