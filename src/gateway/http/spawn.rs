//! An agent that is started because somebody asks for it: a run of a workflow that has its one step, behind a gate unless the workspace
//! says otherwise. So it is recorded, guarded, shown and ended as every step is, and people see what would start before it does.
//!
//! The body becomes inputs of that workflow, never a part of its text. The token of the agent is made when its process begins.

mod rule;

pub use rule::SpawnRule;

use super::{
    answer::json,
    asked::Asked,
    door::Door,
    problem::{Problem, of_reply},
    shapes::{Spawned, StartAgent},
};
use axum::{http::StatusCode, response::Response};
use cuelight_base::{RunId, SpawnedAgent, Value, ValueMap, agent_name, json_bytes, safe_text, sha256};
use cuelight_projection::{Board, RunView, StepView};
use cuelight_runtime::{Boards, Desk as _, Draft, Entropy, Page, Receipt, Reply, Source, Want};
use serde_json::{Map, json as value};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::timeout;

/// The step that asks people, and the one that starts the agent.
const ASKS: &str = "ask";
const STARTS: &str = "agent";
/// Timeout for the gate to open, or the agent to begin, once its run is on disk.
const BEGUN_MAX: Duration = Duration::from_secs(10);
/// Time in which a failed start is reported.
const FAILED_MAX: Duration = Duration::from_millis(300);
/// First words of the message of a failed start.
const NOT_STARTED: &str = "could not start";
/// Bytes of what an agent is given beside its task.
const WITH_BYTES_MAX: usize = 64 * 1024;

pub(super) async fn spawn(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let given: StartAgent = asked.body()?;
    let rule = door.setup.spawn.get(&given.agent_type).cloned().unwrap_or_default();
    startable(door, &given.agent_type).await?;
    if let Some((name, why)) =
        given.environment.keys().find_map(|key| Some((key, rule.refusal(&given.agent_type, key)?)))
    {
        let why = format!("could not set {}: {why}", safe_text(name));
        return Err(Problem::new(StatusCode::FORBIDDEN, "AGT_007", why));
    }
    let bytes = json_bytes(&given.with);
    if bytes > WITH_BYTES_MAX {
        let why = format!(
            "could not give it `with`: that has {bytes} bytes, and {WITH_BYTES_MAX} are taken; put the rest into a file and name it"
        );
        return Err(Problem::bad(why));
    }
    let agent = SpawnedAgent {
        name: name(asked, &given.agent_type),
        agent_type: given.agent_type.clone(),
        issue: given.issue_id.clone(),
        project: asked.project_id(),
        permissions: rule.permissions.iter().map(|permission| permission.word().to_owned()).collect(),
        token_life: rule.token_life,
    };
    let task = [("task".to_owned(), Value::from(given.task.clone()))];
    let all: ValueMap = given.with.clone().into_iter().chain(task).collect();
    let (text, values) = workflow(given, &agent, &rule);
    let source = Source::Agent { text, agent: Box::new(agent.clone()), given: all };
    let run = {
        // One after the other, so that they are counted right.
        let _turn = door.spawning.lock().await;
        let board = door.desk.board();
        // An engine that was killed before it could answer has started it all the same, and the next one knows it by its name.
        let before = started(&board, asked, &agent);
        let open = open_ones(&board, asked, &agent);
        if before.is_none() && open >= rule.at_most {
            let why = format!(
                "could not start it: {open} agents of this type wait or run, and more may not; end one, or raise `at-most` of `[spawn.{}]`",
                agent.agent_type
            );
            return Err(Problem::new(StatusCode::CONFLICT, "AGT_001", why));
        }
        match before {
            Some(run) => run,
            None => launched(door, asked, source, values).await?,
        }
    };
    let view = begun(door.desk.boards(), run).await.ok_or_else(|| {
        let why = format!("could not tell what became of it: {run} is on record; look at it");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "STR_001", why)
    })?;
    told(door, asked, &view)
}

/// An agent that a file describes, and that is started here.
async fn startable(door: &Door, agent_type: &str) -> Result<(), Problem> {
    let unknown = |why: String| Problem::new(StatusCode::NOT_FOUND, "AGT_002", why);
    let Page::Agents(about) = door.desk.read(Want::Agents).await else {
        let why = "could not read which agents there are; try again";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "STR_002", why));
    };
    let mut named = about.agents.iter().filter(|agent| agent_name(&agent.id) == Some(agent_type)).peekable();
    if named.peek().is_none() {
        let why = format!(
            "could not start an agent of the type {agent_type}: no file describes one; `cuelight agent` lists those there are"
        );
        return Err(unknown(why));
    }
    if named.all(|agent| agent.claim) {
        let why = format!(
            "could not start an agent of the type {agent_type}: such agents come by themselves (`claim: true`); give it a `command:`"
        );
        return Err(unknown(why));
    }
    Ok(())
}

/// Name of the agent; a repeated request gets the same name.
fn name(asked: &Asked, agent_type: &str) -> String {
    let request = asked.keyed().unwrap_or_else(|| Entropy.request_id());
    let digest = sha256("cuelight-agent-name-v1", &[request.0.as_bytes()]).to_string();
    format!("{agent_type}-{}", digest.split_at(12).0)
}

/// The run that has started this very agent, as far as it is remembered: its name is made of the request, where that is told by a key.
fn started(board: &Board, asked: &Asked, agent: &SpawnedAgent) -> Option<RunId> {
    asked.key()?;
    let runs = board.summaries().filter_map(|summary| board.run(summary.id));
    let mut same =
        runs.filter(|run| run.plan.spawned.as_ref().is_some_and(|spawned| spawned.name == agent.name));
    same.next().map(|run| run.summary.id)
}

/// Number of open agents of the same type and project, without the agent itself.
fn open_ones(board: &Board, asked: &Asked, agent: &SpawnedAgent) -> usize {
    let others = board.open_runs().filter_map(|run| Some((run.summary.id, run.plan.spawned.as_ref()?)));
    let others =
        others.filter(|(_, spawned)| spawned.agent_type == agent.agent_type && spawned.name != agent.name);
    others.filter(|(run, _)| board.project_of(*run) == asked.project()).count()
}

async fn launched(door: &Door, asked: &Asked, source: Source, values: ValueMap) -> Result<RunId, Problem> {
    let launch = asked.launch(source, values);
    match asked.judged_desk(door).await.launch(launch).await {
        Reply::Recorded(Receipt { run: Some(run), .. }) => {
            let mut boards = door.desk.boards();
            drop(
                boards
                    .wait_for(|boards| boards.trouble.is_some() || boards.board.summary(run).is_some())
                    .await,
            );
            Ok(run)
        }
        other => Err(of_reply(other)),
    }
}

/// Its run, as soon as people are asked, or as soon as the agent has begun and it can be told whether it could.
async fn begun(mut boards: Boards, run: RunId) -> Option<Arc<RunView>> {
    let is_asked = |board: &Board| board.gates().any(|gate| gate.run == run);
    let rests = |board: &Board| board.summary(run).is_some_and(|summary| summary.state.rests());
    let calls = |board: &Board| board.run(run).and_then(|run| Some(step(run)?.attempts().len())).unwrap_or(0);
    let begins = |board: &Board| is_asked(board) || calls(board) > 0 || rests(board);
    drop(timeout(BEGUN_MAX, boards.wait_for(|boards| begins(&boards.board))).await);
    let is_called = calls(&boards.borrow().board) > 0;
    if is_called {
        drop(timeout(FAILED_MAX, boards.wait_for(|boards| rests(&boards.board))).await);
    }
    boards.borrow().board.run(run).cloned()
}

fn step(view: &RunView) -> Option<&StepView> {
    view.step(view.find(STARTS)?)
}

fn told(door: &Door, asked: &Asked, view: &RunView) -> Result<Response, Problem> {
    let (id, state) = (view.summary.id, view.summary.state);
    let agent = view.plan.spawned.as_deref().cloned().unwrap_or_default();
    let calls = step(view).map(StepView::attempts).unwrap_or_default();
    let failure = match calls.last() {
        Some(call) => call
            .failure
            .as_ref()
            .map(|failure| &failure.message)
            .filter(|message| message.starts_with(NOT_STARTED))
            .cloned(),
        // What it was to be called with could not be made up.
        None => step(view).and_then(StepView::error).map(|error| error.message.clone()),
    };
    let board = door.desk.board();
    let gate = board.gates().find(|gate| gate.run == id);
    let is_asked = gate.is_some_and(|gate| !gate.state.rests());
    if let Some(failure) = failure.filter(|_| state.rests()) {
        let why = format!("could not start {}: {}; see {id}", agent.name, safe_text(&failure));
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "AGT_001", why)
            .with(value!({"run": id.to_string(), "agent_id": agent.name})));
    }
    let spawned = Spawned {
        agent_id: agent.name,
        agent_type: agent.agent_type,
        issue_id: agent.issue,
        run: id.to_string(),
        gate: gate.map(|gate| gate.id.to_string()),
        state: if is_asked { "waiting" } else { state.word() }.to_owned(),
        timestamp: asked.now.to_string(),
    };
    Ok(json(StatusCode::CREATED, &spawned))
}

/// The workflow that starts it, and the values it is given. What was sent stands in no expression.
fn workflow(start: StartAgent, agent: &SpawnedAgent, rule: &SpawnRule) -> (String, ValueMap) {
    let mut draft = Draft::default();
    let agent_type = agent.agent_type.as_str();
    let may: Vec<&str> = agent.permissions.iter().map(String::as_str).collect();
    let token = format!(
        "{} may ask over HTTP for the project {}: {}; for {} at most, and no longer than it runs",
        agent.name,
        agent.project,
        may.join(", "),
        agent.token_life
    );
    let title = format!("Start the agent {} for {}?", agent.name, agent.issue);
    let mut env = BTreeMap::new();
    for (name, text) in start.environment {
        let reference = draft.given(&name, text);
        env.insert(name, reference);
    }
    let context = start.context_requirements.join("\n");
    if !context.is_empty() {
        env.insert("CONTEXT_REQUIREMENTS".to_owned(), draft.given("context", context));
    }
    if let Some(priority) = start.priority {
        let word = cuelight_base::Priority::from(priority).word().to_owned();
        env.insert("AGENT_PRIORITY".to_owned(), draft.given("priority", word));
    }
    let with: Map<String, Value> = start
        .with
        .into_iter()
        .map(|(name, value)| {
            let reference = draft.given(&format!("with_{name}"), value);
            (name, reference.into())
        })
        .collect();
    let task = draft.given("task", start.task);
    let mut does = value!({
        "id": STARTS,
        "name": format!("{agent_type} for {}", agent.issue),
        "agent": {"name": agent_type, "task": task},
        "with": with,
        "env": env,
    });
    let mut steps = Vec::new();
    if rule.gate {
        let evidence = vec![task, draft.given("token", token)];
        let require = rule.require.iter().map(|(group, count)| (group.clone(), *count));
        let gate = draft.gate(title, evidence, require, rule.four_eyes);
        steps.push(value!({"id": ASKS, "gate": gate}));
        does["needs"] = ASKS.into();
    }
    steps.push(does);
    draft.finish(&format!("spawn-{agent_type}"), &steps.into())
}
