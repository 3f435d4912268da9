//! Agents that come by themselves, over HTTP: they register, give signs of life, and leave. Each project has its own.

use super::{
    answer::json,
    asked::Asked,
    door::Door,
    problem::{Problem, of_reply},
};
use crate::Permission;
use axum::{http::StatusCode, response::Response};
use cuelight_base::{AGENT_BEAT_DEFAULT, Span, Value, is_agent};
use cuelight_engine::Command;
use cuelight_exchange::{AgentAsk, AgentKey, Registration};
use cuelight_projection::AgentAnswer;
use cuelight_runtime::{Reply, RequestId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The address below that of all agents which is no agent's.
const STARTS: &str = "spawn";

/// Registration of an agent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterAgent {
    /// The subject of the token, or a session of it, as in `coder-1/s2`; the subject when not given.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}(/[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127})?$"))]
    agent_id: Option<String>,
    /// Capabilities of the agent, in words that steps ask for.
    #[serde(default)]
    #[schemars(length(max = 32), inner(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}$")))]
    capabilities: Vec<String>,
    #[serde(default)]
    limits: AgentLimits,
    /// Interval between signs of life; 30 when not given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 3600))]
    heartbeat_seconds: Option<u64>,
    /// More about it, 4 KiB at most.
    #[serde(default)]
    #[schemars(length(max = 32))]
    metadata: BTreeMap<String, Value>,
}

/// Limits that an agent sets for its own work.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AgentLimits {
    /// Pieces of work at once.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    max_concurrent: u32,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self { max_concurrent: one() }
    }
}

const fn one() -> u32 {
    1
}

/// A list of all agents of a project.
#[derive(Serialize, JsonSchema)]
pub(super) struct AgentList {
    agents: Vec<AgentAnswer>,
}

fn missing() -> Problem {
    Problem::missing("AGT_003", "that agent")
}

pub(super) fn key(asked: &Asked, name: &str) -> AgentKey {
    AgentKey { project: asked.project().map(str::to_owned), name: name.to_owned() }
}

/// The agent that the path names, as it is now.
pub(super) fn find(door: &Door, asked: &Asked, name: &str) -> Result<AgentAnswer, Problem> {
    let board = door.desk.board();
    let key = key(asked, name);
    let registered = board.present().get(&key).ok_or_else(missing)?;
    Ok(AgentAnswer::of(&key, registered, &asked.project_id(), door.now()))
}

/// The agent named in the path, if that is a valid name.
pub(super) fn named(asked: &Asked) -> Result<&str, Problem> {
    let name = asked.param("id");
    if is_agent(name) { Ok(name) } else { Err(missing()) }
}

pub(super) async fn ask(door: &Door, asked: &Asked, ask: AgentAsk) -> Result<(), Problem> {
    ask_as(door, asked, asked.request(), ask).await
}

/// The same under a name of its own.
pub(super) async fn ask_as(door: &Door, asked: &Asked, id: RequestId, ask: AgentAsk) -> Result<(), Problem> {
    let command = Command::Agent { ask: Box::new(ask), by: asked.actor(door) };
    match asked.command(door, id, command).await {
        Reply::Recorded(_) => Ok(()),
        other => Err(of_reply(other)),
    }
}

pub(super) async fn register(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let given: RegisterAgent = asked.body()?;
    let Some(bearer) = &asked.bearer else { return Err(missing()) };
    let Some(agent_type) = &bearer.agent_type else {
        let why = "could not register: the token is a person's; `cuelight token --agent NAME --type TYPE` makes that of an agent";
        return Err(Problem::new(StatusCode::FORBIDDEN, "AUTH_003", why));
    };
    let name = given.agent_id.unwrap_or_else(|| bearer.claims.sub.clone());
    if name == STARTS {
        let why = format!(
            "could not register an agent that is called {STARTS}: at that address agents are started; take another name, or a session of it"
        );
        return Err(Problem::bad(why));
    }
    let agent = Registration {
        name: name.clone(),
        agent_type: agent_type.as_str().to_owned(),
        capabilities: given.capabilities,
        max_concurrent: given.limits.max_concurrent,
        heartbeat: given.heartbeat_seconds.map_or(AGENT_BEAT_DEFAULT, Span::seconds),
        metadata: given.metadata.into_iter().collect(),
    };
    ask(door, asked, AgentAsk::Register(agent)).await?;
    // A key of a request that was answered before is answered again, and the agent may have left since.
    let left = |_| {
        let why = format!(
            "could not register {name}: it has left since the request with this Idempotency-Key; register with another key"
        );
        Problem::new(StatusCode::CONFLICT, "AGT_004", why)
    };
    Ok(json(StatusCode::CREATED, &find(door, asked, &name).map_err(left)?))
}

pub(super) async fn beat(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let name = named(asked)?;
    find(door, asked, name)?;
    ask(door, asked, AgentAsk::Beat(name.to_owned())).await?;
    Ok(json(StatusCode::OK, &find(door, asked, name)?))
}

pub(super) fn list(door: &Door, asked: &Asked) -> Response {
    let board = door.desk.board();
    let (now, project) = (door.now(), asked.project_id());
    let mine = board.present().of_project(asked.project());
    let agents = mine.map(|(key, registered)| AgentAnswer::of(key, registered, &project, now)).collect();
    json(StatusCode::OK, &AgentList { agents })
}

pub(super) fn show(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &find(door, asked, named(asked)?)?))
}

pub(super) async fn leave(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let name = named(asked)?;
    let told = find(door, asked, name)?.that_left();
    let bearer = asked.bearer.as_ref().ok_or_else(missing)?;
    let is_own = bearer.goes_by(name) && bearer.may(Permission::WriteResults);
    if !is_own && !bearer.may(Permission::ManageAgents) {
        let why = "could not send that agent away: it is not the one of the token; ask with one that has `manage_agents`";
        return Err(Problem::new(StatusCode::FORBIDDEN, "AUTH_003", why));
    }
    let reason = if is_own { "it has done its work" } else { "it was sent away" };
    ask(door, asked, AgentAsk::Leave { agent: name.to_owned(), reason: reason.to_owned() }).await?;
    Ok(json(StatusCode::OK, &told))
}
