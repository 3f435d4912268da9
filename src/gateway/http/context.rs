//! Contexts over HTTP: what an agent should know before it begins, of the project whose files are here.

use super::{
    answer::{json, text_of},
    asked::Asked,
    door::Door,
    problem::Problem,
    shapes::Forgotten,
};
use axum::{http::StatusCode, response::Response};
use cuelight_base::{CONTEXT_BYTES_MAX, is_agent_type, is_name};
use cuelight_runtime::{ContextQuery, NoContext};

pub(super) async fn inject(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let issue = issue(asked)?;
    let agent_type = asked.param("agent_type");
    if !is_agent_type(agent_type) {
        return Err(Problem::bad(
            "could not read the type of agent: a lower-case letter, then letters, digits and `-`, 64 at most",
        ));
    }
    let of_token = asked.bearer.as_ref().and_then(|bearer| bearer.agent_type.as_ref());
    if of_token.is_some_and(|of_token| of_token.as_str() != agent_type) {
        let why = "could not tell that: the path names another type of agent than the token; say the same";
        return Err(Problem::new(StatusCode::FORBIDDEN, "AUTH_003", why));
    }
    let bytes_max = asked.number("max_bytes").and_then(|max_bytes| u32::try_from(max_bytes).ok());
    let query = ContextQuery {
        project: asked.project().map(str::to_owned),
        issue,
        agent_type: agent_type.to_owned(),
        bytes_max: bytes_max.unwrap_or(CONTEXT_BYTES_MAX),
    };
    match door.desk.context(query).await {
        Ok(text) => Ok(text_of(StatusCode::OK, "application/json", text)),
        Err(NoContext::NotHere) => Err(Problem::missing("CTX_003", "the files of that project")),
        Err(NoContext::TooLarge) => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "CTX_002",
            "could not make the context: not even the least of it fits; allow more with max_bytes",
        )),
        Err(NoContext::Failed(why)) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "CTX_001", why)),
    }
}

pub(super) fn clear(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let issue = issue(asked)?;
    if asked.project().is_some() {
        return Err(Problem::missing("CTX_003", "the files of that project"));
    }
    let (entries_removed, bytes_freed) = door.desk.forget_contexts(&issue);
    let timestamp = asked.now.to_string();
    Ok(json(StatusCode::OK, &Forgotten { cleared: true, entries_removed, bytes_freed, timestamp }))
}

fn issue(asked: &Asked) -> Result<String, Problem> {
    let issue = asked.param("issue");
    if !is_name(issue) {
        return Err(Problem::bad(
            "could not read the issue: it has letters, digits and `_.:-`, 128 at most, and begins with one of the first two",
        ));
    }
    Ok(issue.to_owned())
}
