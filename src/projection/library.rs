//! Entries that agents have left, as JSON. The content of a result may be large, so the code that read it
//! adds it.

use cuelight_base::Value;
use cuelight_engine::Event;
use cuelight_exchange::{AgentResult, Knowledge};
use serde_json::json;

/// A result, without what it says.
pub fn result_json(event: &Event, result: &AgentResult, project: &str) -> Value {
    let mut told = json!({
        "id": result.id,
        "project_id": project,
        "issue_id": result.issue,
        "agent_id": result.agent,
        "agent_type": result.agent_type,
        "status": result.status.word(),
        "stored_at": event.at,
        "timestamp": result.said_at.unwrap_or(event.at),
        "size_bytes": result.bytes,
        "digest": result.digest,
    });
    if let Some(trace) = &result.trace {
        told["traceparent"] = trace.as_str().into();
    }
    told
}

/// Something that is known.
pub fn knowledge_json(event: &Event, knowledge: &Knowledge, project: &str) -> Value {
    json!({
        "id": knowledge.id,
        "project_id": project,
        "type": knowledge.kind.word(),
        "text": knowledge.text,
        "issue_id": knowledge.issue,
        "agent_id": knowledge.agent,
        "agent_type": knowledge.agent_type,
        "metadata": knowledge.metadata,
        "stored_at": event.at,
    })
}
