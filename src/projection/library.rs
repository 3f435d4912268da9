//! What agents have left, as JSON: without what it says, which may be large and is put beside it by whoever has read that.

use crate::{
    base::Value,
    engine::{AgentResult, Event},
};
use serde_json::json;

/// A result, without what it says.
pub fn result_json(event: &Event, result: &AgentResult, project: &str) -> Value {
    json!({
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
    })
}
