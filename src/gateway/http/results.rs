//! Results of agents over HTTP: handed in, read again, and looked for. Each project has its own.

use super::{
    answer::json,
    asked::Asked,
    door::Door,
    problem::{Problem, of_reply},
    shapes::{AgentResults, HandIn, HandedIn},
};
use axum::{http::StatusCode, response::Response};
use cuelight_base::{Digest, Seq, Timestamp, Value, is_agent_type, is_name};
use cuelight_engine::{Command, Event, Fact};
use cuelight_exchange::{AgentResult, LibraryEvent, ResultStatus, completed};
use cuelight_projection::ResultAnswer;
use cuelight_runtime::{Desk, LibraryQuery, Page, Reply, Want, result_of_bytes};

/// Results of one page.
const PAGE_DEFAULT: u64 = 100;

fn missing() -> Problem {
    Problem::missing("STR_006", "that result")
}

fn unknown_cursor() -> Problem {
    let what =
        "the result of that cursor: it is found no longer, or never was; begin again without `cursor`, and";
    Problem::missing("STR_006", what)
}

fn unreadable() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "STR_002", "could not read the results; try again")
}

pub(super) async fn hand_in(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let given: HandIn = asked.body()?;
    check_who(asked, &given)?;
    let next_agents = next_agents(door, &given);
    let said_at: Option<Timestamp> = match &given.timestamp {
        None => None,
        Some(text) => Some(text.parse().map_err(|why: String| Problem::bad(why))?),
    };
    let status = given.result["status"].as_str().and_then(ResultStatus::of);
    let status =
        status.ok_or_else(|| Problem::bad("could not read the status of the result; see /openapi.json"))?;
    let key = asked.key();
    let id = asked.library_id("res-");
    let (project, timestamp) = (given.project_id.clone(), asked.now);
    let sent = AgentResult {
        id: id.clone(),
        issue: given.issue_id,
        agent: given.agent_id,
        agent_type: given.agent_type,
        status,
        said_at,
        body: None,
        blob: None,
        digest: Digest::default(),
        bytes: 0,
        named_by_engine: key.is_none(),
        trace: asked.place.map(|place| place.to_string()),
    };
    let result = AgentResult { body: Some(given.result), ..sent.clone() };
    // Of what was sent only the digest is kept: it may be large.
    let digest = match key {
        Some(_) => door.desk.digest_of(result.clone()).await,
        None => None,
    };
    let command = Command::HandIn {
        result: Box::new(result),
        kept_for: door.setup.results.kept_for,
        by: asked.actor(door),
    };
    match asked.command(door, asked.request(), command).await {
        Reply::Recorded(_) => {}
        other => return Err(of_reply(other)),
    }
    // The key may have been used before: then this is the answer to that request, or to none.
    let timestamp = if key.is_some() { same(door, asked, &sent, digest).await? } else { timestamp };
    let told = HandedIn {
        stored: true,
        storage_path: format!("results/{project}/{}/{}/{id}", sent.issue, sent.agent_type),
        next_agents,
        event_published: true,
        event_id: completed(&id),
        timestamp: timestamp.to_string(),
        id,
    };
    Ok(json(StatusCode::CREATED, &told))
}

/// Checks that agents submit only their own results: with their own name and type, in their own project.
fn check_who(asked: &Asked, given: &HandIn) -> Result<(), Problem> {
    let Some(bearer) = &asked.bearer else { return Err(missing()) };
    if given.project_id != bearer.project() {
        return Err(Problem::missing("STR_006", "that project"));
    }
    let refused = |why: &str| Err(Problem::new(StatusCode::FORBIDDEN, "AUTH_003", why));
    if !bearer.goes_by(&given.agent_id) {
        return refused(
            "could not take that result: its agent is not the one of the token; hand in your own, as `agent_id` or `agent_id/session`",
        );
    }
    if bearer.agent_type.as_ref().is_some_and(|agent_type| agent_type.as_str() != given.agent_type) {
        return refused(
            "could not take that result: its `agent_type` is not that of the token; say the same",
        );
    }
    Ok(())
}

/// When the result that was submitted with this key was recorded, if it is this one.
async fn same(
    door: &Door,
    asked: &Asked,
    sent: &AgentResult,
    digest: Option<Digest>,
) -> Result<Timestamp, Problem> {
    let other = || {
        let why =
            "could not take that result: its Idempotency-Key was used for something else; choose another one";
        Problem::new(StatusCode::CONFLICT, "REQ_002", why)
    };
    let (_, event, kept) = find(door, asked, &sent.id).await?.ok_or_else(other)?;
    let is_same = kept.issue == sent.issue
        && kept.agent == sent.agent
        && kept.agent_type == sent.agent_type
        && kept.status == sent.status
        && kept.said_at == sent.said_at
        && digest == Some(kept.digest);
    if is_same { Ok(event.at) } else { Err(other()) }
}

/// The agents that follow: those that the result names, and those that the workspace sets for its type.
fn next_agents(door: &Door, given: &HandIn) -> Vec<Value> {
    let named = given.result["next_agents"].as_array().into_iter().flatten();
    let is_agent = |agent: &&Value| {
        let name = agent.as_str().or_else(|| agent["agent_type"].as_str());
        name.is_some_and(is_agent_type)
    };
    let mut all: Vec<Value> = named.filter(is_agent).cloned().collect();
    for next in door.setup.results.next_agents.get(&given.agent_type).into_iter().flatten() {
        let is_named = all.iter().any(|value| value == next || value["agent_type"] == *next);
        if !is_named {
            all.push(next.clone().into());
        }
    }
    all
}

async fn find(door: &Door, asked: &Asked, id: &str) -> Result<Option<(Seq, Event, AgentResult)>, Problem> {
    if !is_name(id) {
        return Ok(None);
    }
    let query = LibraryQuery {
        project: asked.project().map(str::to_owned),
        id: Some(id.to_owned()),
        limit: 1,
        ..LibraryQuery::default()
    };
    let Page::Events { events, .. } = door.desk.read(Want::Library(Box::new(query))).await else {
        return Err(unreadable());
    };
    Ok(events.into_iter().find_map(|(seq, event)| {
        let result = result_in(&event)?.clone();
        Some((seq, event, result))
    }))
}

fn result_in(event: &Event) -> Option<&AgentResult> {
    match &event.fact {
        Fact::Library(LibraryEvent::HandedIn { result, .. }) => Some(result),
        _ => None,
    }
}

pub(super) async fn show(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let (_, event, result) = find(door, asked, asked.param("id")).await?.ok_or_else(missing)?;
    let body = match (&result.body, result.blob) {
        (Some(body), _) => body.clone(),
        (None, Some(blob)) => {
            let bytes = door.desk.blob(blob).await.map_err(|_| unreadable())?;
            result_of_bytes(&bytes).map_err(|_| unreadable())?
        }
        (None, None) => Value::Null,
    };
    let told = ResultAnswer::of(&event, &result, &asked.project_id()).with_content(body);
    Ok(json(StatusCode::OK, &told))
}

pub(super) async fn list(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    if asked.query("project").is_some_and(|project| project != asked.project_id()) {
        return Err(Problem::missing("STR_006", "that project"));
    }
    let text = |name: &str| asked.query(name).map(str::to_owned);
    let instant =
        |name: &str| -> Option<Timestamp> { asked.query(name).and_then(|query| query.parse().ok()) };
    let status = asked.query("status").and_then(ResultStatus::of);
    // The id of a result: a place in the log would tell how much others do.
    let before = match asked.query("cursor") {
        None => None,
        Some(id) => Some(find(door, asked, id).await?.ok_or_else(unknown_cursor)?.0),
    };
    let query = LibraryQuery {
        project: asked.project().map(str::to_owned),
        issue: text("issue"),
        agent: text("agent_id"),
        agent_type: text("agent_type"),
        status,
        since: instant("since"),
        until: instant("until"),
        before,
        limit: u32::try_from(asked.number("limit").unwrap_or(PAGE_DEFAULT)).unwrap_or(1),
        ..LibraryQuery::default()
    };
    let Page::Events { events, more } = door.desk.read(Want::Library(Box::new(query))).await else {
        return Err(unreadable());
    };
    let last = events.last().filter(|_| more).and_then(|event| result_in(&event.1));
    let next_cursor = last.map(|result| result.id.clone());
    let project = asked.project_id();
    let results =
        events.iter().filter_map(|(_, event)| Some(ResultAnswer::of(event, result_in(event)?, &project)));
    Ok(json(StatusCode::OK, &AgentResults { results: results.collect(), more, next_cursor }))
}
