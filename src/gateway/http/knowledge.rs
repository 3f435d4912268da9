//! Knowledge of agents and people over HTTP: stored for others, and searched. Each project has its own.

use super::{
    answer::json,
    asked::Asked,
    door::Door,
    problem::{Problem, of_reply},
    shapes::{KnowledgeFound, Learn, Learned},
};
use axum::{http::StatusCode, response::Response};
use cuelight_base::Timestamp;
use cuelight_engine::{Command, Event, Fact};
use cuelight_exchange::{Knowledge, KnowledgeKind, LibraryEvent};
use cuelight_projection::KnowledgeAnswer;
use cuelight_runtime::{Desk as _, LibraryQuery, Page, Reply, Shelf, Want};

/// Default number of entries found at once.
const FOUND_DEFAULT: u64 = 10;

fn other_project() -> Problem {
    Problem::missing("STR_006", "that project")
}

fn unreadable() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "STR_002", "could not search; try again")
}

pub(super) async fn learn(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let given: Learn = asked.body()?;
    let Some(bearer) = &asked.bearer else { return Err(other_project()) };
    if given.project_id.as_ref().is_some_and(|project_id| project_id != bearer.project()) {
        return Err(other_project());
    }
    let agent = given.agent_id.clone().unwrap_or_else(|| bearer.claims.sub.clone());
    if !bearer.goes_by(&agent) {
        let why = "could not keep that: its agent is not the one of the token; leave `agent_id` out";
        return Err(Problem::new(StatusCode::FORBIDDEN, "AUTH_003", why));
    }
    let id = asked.library_id("k-");
    let knowledge = Knowledge {
        id: id.clone(),
        kind: given.kind,
        text: given.text,
        issue: given.issue_id,
        agent,
        agent_type: bearer.agent_type.as_ref().map(|agent_type| agent_type.as_str().to_owned()),
        metadata: given.metadata.into_iter().collect(),
        named_by_engine: asked.key().is_none(),
    };
    if let Some(why) = door.desk.gives_away(knowledge.clone()).await {
        return Err(Problem::new(StatusCode::FORBIDDEN, "STR_007", format!("could not keep that: {why}")));
    }
    let sent = knowledge.clone();
    let command = Command::Learn { knowledge: Box::new(knowledge), by: asked.actor(door) };
    match asked.command(door, asked.request(), command).await {
        Reply::Recorded(_) => {}
        other => return Err(of_reply(other)),
    }
    let timestamp = if asked.key().is_some() { same(door, asked, &sent).await? } else { asked.now };
    Ok(json(StatusCode::CREATED, &Learned { id, stored: true, timestamp: timestamp.to_string() }))
}

/// When what was left with this key was recorded, if it is this.
async fn same(door: &Door, asked: &Asked, sent: &Knowledge) -> Result<Timestamp, Problem> {
    let query = LibraryQuery { id: Some(sent.id.clone()), limit: 1, ..of_project(asked) };
    let (events, _) = found(door, query).await?;
    let kept = events.into_iter().find(|event| known_in(event) == Some(sent));
    kept.map(|event| event.at).ok_or_else(|| {
        let why = "could not keep that: its Idempotency-Key was used for something else; choose another one";
        Problem::new(StatusCode::CONFLICT, "REQ_002", why)
    })
}

fn of_project(asked: &Asked) -> LibraryQuery {
    let project = asked.project().map(str::to_owned);
    LibraryQuery { shelf: Shelf::Knowledge, project, ..LibraryQuery::default() }
}

async fn found(door: &Door, query: LibraryQuery) -> Result<(Vec<Event>, bool), Problem> {
    match door.desk.read(Want::Library(Box::new(query))).await {
        Page::Events { events, more } => Ok((events.into_iter().map(|event| event.1).collect(), more)),
        _ => Err(unreadable()),
    }
}

fn known_in(event: &Event) -> Option<&Knowledge> {
    match &event.fact {
        Fact::Library(LibraryEvent::Learned { knowledge, .. }) => Some(knowledge),
        _ => None,
    }
}

pub(super) async fn search(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    if asked.query("project").is_some_and(|project| project != asked.project_id()) {
        return Err(other_project());
    }
    let kind = asked.query("type").and_then(KnowledgeKind::of);
    let query = LibraryQuery {
        agent: asked.query("agent").map(str::to_owned),
        kind,
        words: asked.query("q").map(str::to_owned),
        limit: u32::try_from(asked.number("limit").unwrap_or(FOUND_DEFAULT)).unwrap_or(1),
        ..of_project(asked)
    };
    let (events, more) = found(door, query).await?;
    let project = asked.project_id();
    let entry = |event| Some(KnowledgeAnswer::of(event, known_in(event)?, &project));
    let knowledge = events.iter().filter_map(entry).collect();
    Ok(json(StatusCode::OK, &KnowledgeFound { knowledge, more }))
}
