//! Work of `agent` steps over HTTP: an agent that has registered takes some, says that it goes on, and hands it back. What that means for
//! the step is decided by the engine.

use super::{
    agents::{ask, ask_as, find, key, named},
    answer::json,
    asked::{Asked, still_good},
    door::Door,
    problem::Problem,
};
use axum::{http::StatusCode, response::Response};
use cuelight_base::{AGENT_TASK, AttemptId, FailureMode, Span, TextPart, Value, ValueMap};
use cuelight_exchange::{AgentAsk, Given, Lease};
use cuelight_projection::{Board, Offered, RunSpan};
use cuelight_runtime::{Desk as _, Entropy, RequestId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::sleep;

/// Default of the wait for work, in milliseconds.
const WAIT_MS_DEFAULT: u64 = 30_000;

/// Answer to a request for work.
#[derive(Serialize, JsonSchema)]
pub(super) struct Claimed {
    /// The work; null if the wait ended before there was any.
    work: Option<Work>,
}

/// A piece of work: the call of a step.
#[derive(Serialize, JsonSchema)]
struct Work {
    /// By which it is handed back: `r-7.3.1`.
    id: String,
    run: String,
    workflow: Option<String>,
    step: String,
    /// Counted from 1 over all calls of the step.
    attempt: u32,
    /// The agent that its step asks for: `coder`.
    agent: Option<String>,
    /// Task of the agent.
    task: Option<String>,
    /// All that the step gives, with the task; foreign text.
    #[schemars(with = "BTreeMap<String, Value>")]
    input: ValueMap,
    /// Variables from the step's `env`, without secrets.
    #[schemars(with = "BTreeMap<String, String>")]
    environment: ValueMap,
    /// The same for all attempts of one effect: for whatever else is asked to do it once.
    idempotency_key: Option<String>,
    lease_seconds: u64,
    /// End of the agent's lease if it does not renew it.
    lease_until: String,
    /// When the time of the call is up, where its step has a `timeout`.
    deadline: Option<String>,
    /// The call's place in a trace, as the W3C writes it; left out without traces, unless the run was started
    /// in one.
    traceparent: Option<String>,
}

/// Progress of the work.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    /// In a few words.
    #[serde(default)]
    #[schemars(length(max = 200))]
    note: Option<String>,
}

/// It is the agent's for longer.
#[derive(Serialize, JsonSchema)]
pub(super) struct Renewal {
    id: String,
    lease_until: String,
    deadline: Option<String>,
}

/// Result of the work.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WorkResult {
    /// Value that steps read as `result`.
    result: Value,
    #[serde(default)]
    status: DoneWord,
    /// Confidence of the agent, from 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    confidence: Option<f64>,
    /// Quality of the work by the agent's own account, from 0 to 1.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    quality: Option<f64>,
    /// Number of tokens used, for budgets.
    #[serde(default)]
    #[schemars(range(max = 4_294_967_295_u32))]
    tokens: Option<u32>,
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    cost_usd: Option<f64>,
    /// More outputs, by the names that steps read them by.
    #[serde(default)]
    #[schemars(length(max = 100))]
    outputs: BTreeMap<String, Value>,
}

/// Completeness of the work.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum DoneWord {
    #[default]
    Success,
    Partial,
}

/// Why it has failed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WorkFailure {
    /// Error message; foreign text.
    #[schemars(length(min = 1, max = 2000))]
    error: String,
    /// One of the failure modes, as in `retry.on`; `agent_logic` when not given.
    #[serde(default)]
    #[schemars(extend("enum" = modes()))]
    failure_mode: Option<String>,
    /// If true, the work may have had an effect. A step that is `once` is then asked about.
    #[serde(default)]
    may_have_happened: bool,
}

fn modes() -> Vec<Value> {
    FailureMode::ALL.iter().map(|mode| mode.word().into()).chain([Value::Null]).collect()
}

/// It is on record.
#[derive(Serialize, JsonSchema)]
pub(super) struct HandedBack {
    id: String,
    run: String,
    step: String,
    /// State of the step now: `completed`, `failed`, `waiting` if it is retried …
    state: String,
    /// Fault of the returned work, or reason of the failure.
    failure: Option<String>,
}

fn missing() -> Problem {
    Problem::missing("AGT_005", "that work")
}

/// The piece of work that the path names, if it is of a run that the caller may see.
fn work(door: &Door, asked: &Asked) -> Result<AttemptId, Problem> {
    let work: AttemptId = asked.id("AGT_005", "that work")?;
    let board = door.desk.board();
    if board.project_of(work.run) == asked.project() { Ok(work) } else { Err(missing()) }
}

pub(super) async fn claim(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let name = named(asked)?;
    find(door, asked, name)?;
    let key = key(asked, name);
    let wait = asked.number("timeout").unwrap_or(WAIT_MS_DEFAULT);
    let lasts = asked.number("lease").map(Span::seconds);
    let claim = asked.keyed().unwrap_or_else(|| Entropy.request_id()).0;
    let _place = asked.waiting_place(door, "for work")?;
    let mut over = std::pin::pin!(sleep(Duration::from_millis(wait)));
    let mut boards = door.desk.boards();
    let mut asked_for: Option<Offered> = None;
    loop {
        let board = boards.borrow_and_update().board.clone();
        // It may have been taken back since, or its time may be over.
        still_good(asked.bearer.as_deref(), &board)?;
        let me = board.present().get(&key).ok_or_else(missing)?;
        let offered = board.offered(&key);
        // What could not be begun when it was asked for last is asked for again when something has changed there, and not each time
        // that anything happens anywhere.
        let is_new = asked_for.as_ref().is_none_or(|asked_for| !offered.is_empty() && *asked_for != offered);
        // Whoever waits gives signs of life meanwhile.
        let is_due = door.now().since(me.seen).0 >= me.about.heartbeat.0 / 3;
        if is_new || is_due {
            asked_for = Some(offered);
            // Each time it is asked anew; that it is the same asking is said by `claim`.
            let (once, agent) = (RequestId::once(), name.to_owned());
            ask_as(door, asked, once, AgentAsk::Claim { agent, claim: claim.clone(), lasts }).await?;
            let board = door.desk.board();
            let taken = board.leases().held().find(|lease| lease.claim == claim && lease.agent == key);
            if let Some(lease) = taken {
                let work = Some(told(door, &board, lease));
                return Ok(json(StatusCode::OK, &Claimed { work }));
            }
        }
        tokio::select! {
            biased;
            () = &mut over => break,
            () = door.closing.cancelled() => break,
            changed = boards.changed() => if changed.is_err() { break },
            () = sleep(Duration::from_millis(me.about.heartbeat.0 / 2)) => {}
        }
    }
    Ok(json(StatusCode::OK, &Claimed { work: None }))
}

/// A piece of work, as the agent that has taken it is told of it.
fn told(door: &Door, board: &Board, lease: &Lease) -> Work {
    let AttemptId { run, step, number } = lease.attempt;
    let view = board.run(run);
    let is_traced = door.setup.traces.is_some();
    let place = |span: RunSpan| span.attempt(step, number).to_string();
    let given = board.leases().given(lease.attempt);
    let tool = given.and_then(|beside| beside.launch.tool.as_ref());
    let input = tool.map(|tool| tool.input.clone()).unwrap_or_default();
    Work {
        id: lease.attempt.to_string(),
        run: run.to_string(),
        workflow: view.map(|view| view.summary.workflow.to_string()),
        step: view.map_or_else(String::new, |view| view.step_id(step)),
        attempt: number,
        agent: tool.and_then(|tool| cuelight_base::agent_name(&tool.name)).map(str::to_owned),
        task: input
            .get(AGENT_TASK)
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
        input,
        environment: given.map(environment).unwrap_or_default(),
        idempotency_key: given.map(|beside| beside.effect_key.to_string()),
        lease_seconds: lease.lasts.0 / 1000,
        lease_until: lease.until.to_string(),
        deadline: lease.deadline.map(|deadline| deadline.to_string()),
        traceparent: view
            .map(|view| view.summary.span)
            .filter(|span| is_traced || span.parent.is_some())
            .map(place),
    }
}

/// Variables from the step's `env`, without secrets.
fn environment(given: &Given) -> ValueMap {
    let text = |parts: &Vec<TextPart>| -> String {
        let texts = parts.iter().map(|part| match part {
            TextPart::Text(text) => text.as_str(),
            TextPart::Secret(_) => "",
        });
        texts.collect()
    };
    given.launch.env.iter().map(|(name, parts)| (name.clone(), text(parts).into())).collect()
}

pub(super) async fn renew(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let work = work(door, asked)?;
    let Progress { note } = asked.body()?;
    ask(door, asked, AgentAsk::Renew { work, note }).await?;
    let board = door.desk.board();
    let lease = board.leases().get(work).ok_or_else(missing)?;
    let told = Renewal {
        id: work.to_string(),
        lease_until: lease.until.to_string(),
        deadline: lease.deadline.map(|deadline| deadline.to_string()),
    };
    Ok(json(StatusCode::OK, &told))
}

pub(super) async fn hand_back(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let given: WorkResult = asked.body()?;
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.len() <= 128
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let mut outputs: ValueMap = given.outputs.into_iter().filter(|entry| is_name(&entry.0)).collect();
    outputs.insert("result".to_owned(), given.result);
    let status = if given.status == DoneWord::Partial { "partial" } else { "success" };
    outputs.insert("status".to_owned(), status.into());
    let numbers =
        [("confidence", given.confidence), ("quality", given.quality), ("cost-usd", given.cost_usd)];
    for (name, number) in numbers.into_iter().filter_map(|number| Some((number.0, number.1?))) {
        outputs.insert(name.to_owned(), number.into());
    }
    if let Some(tokens) = given.tokens {
        outputs.insert("tokens".to_owned(), tokens.into());
    }
    answered(door, asked, outputs, None, false).await
}

pub(super) async fn fail(door: &Door, asked: &Asked) -> Result<Response, Problem> {
    let given: WorkFailure = asked.body()?;
    let mode = given.failure_mode.as_deref().and_then(|failure_mode| failure_mode.parse().ok());
    let failed = Some((mode.unwrap_or(FailureMode::AgentLogic), given.error));
    answered(door, asked, ValueMap::new(), failed, given.may_have_happened).await
}

async fn answered(
    door: &Door,
    asked: &Asked,
    outputs: ValueMap,
    failed: Option<(FailureMode, String)>,
    may_have_happened: bool,
) -> Result<Response, Problem> {
    let work = work(door, asked)?;
    ask(door, asked, AgentAsk::HandBack { work, outputs, failed, may_have_happened }).await?;
    let board = door.desk.board();
    let view = board.run(work.run).ok_or_else(missing)?;
    let step = view.step(work.step).ok_or_else(missing)?;
    let attempt = step.attempts().iter().find(|attempt| attempt.number == work.number);
    let failure = attempt.and_then(|attempt| attempt.failure.as_ref());
    let told = HandedBack {
        id: work.to_string(),
        run: work.run.to_string(),
        step: view.step_id(work.step),
        state: step.state.word().to_owned(),
        failure: failure
            .map(|failure| format!("{}: {}", failure.mode, failure.message))
            .or_else(|| step.error().map(|error| format!("{}: {}", error.mode, error.message))),
    };
    Ok(json(StatusCode::OK, &told))
}
