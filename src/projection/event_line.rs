//! An event as one line of JSON, and the JSON Schema of all such lines (see `docs/EVENTS.md`). What is told of runs as a whole is for `json`.

use super::spelled::{decimal, to_value};
use crate::{RunView, event_words};
use cuelight_base::{Score, Seq, Value, ValueMap};
use cuelight_engine::{Event, Fact, GateEvent, RunEvent};
use serde_json::json;

/// The JSON Schema (2020-12) of a line; a test writes it from the source that declares the events.
///
/// # Panics
/// Never: what is compiled in is JSON, which the same test reads.
pub fn events_schema() -> Value {
    serde_json::from_str(include_str!("events.schema.json")).expect("a schema")
}

/// The type of each event that a log can hold: `gate.voted`. The end of a run is spelled as the trail spells it, and not as
/// a line of JSON does.
///
/// # Panics
/// Never: see [`events_schema`].
pub fn event_types() -> Vec<String> {
    let schema = events_schema();
    let shapes = schema["oneOf"].as_array().expect("a shape for each type");
    let types = shapes.iter().filter_map(|shape| shape["properties"]["type"]["const"].as_str());
    types.filter(|word| *word != FOLLOWED).map(|word| event_type(word).to_owned()).collect()
}

/// The type as the trail spells it; `run_finished` is the spelling of lines of JSON.
pub fn event_type(word: &str) -> &str {
    if word == RUN_FINISHED { "run.finished" } else { word }
}

/// The type of the last line of a run: the only one without a dot. Readers of 0.1.0 wait for it.
const RUN_FINISHED: &str = "run_finished";
/// The type of a line that is no event: its run was found, and lines of the past follow.
const FOLLOWED: &str = "run.followed";

/// One line of `run --json`: `{seq, time, run, type, step?, attempt?, data}`. The run, when it is known, gives names
/// to steps; it may have seen the event already.
pub fn event_line(seq: Seq, event: &Event, run: Option<&RunView>) -> Value {
    let mut out = ValueMap::new();
    let mut put = |key: &str, value: Value| drop(out.insert(key.to_owned(), value));
    put("seq", seq.0.into());
    put("time", event.at.to_string().into());
    if let Some(run) = event.fact.run() {
        put("run", run.to_string().into());
    }
    let kind = match &event.fact {
        Fact::Run(_, RunEvent::Ended { .. }) => RUN_FINISHED,
        Fact::Run(..)
        | Fact::Step(..)
        | Fact::Attempt(..)
        | Fact::Gate(..)
        | Fact::Undo(..)
        | Fact::Scope(..)
        | Fact::Failure(..)
        | Fact::Schedule(..)
        | Fact::Target(..)
        | Fact::Cache(..)
        | Fact::Bus(..)
        | Fact::Token(..)
        | Fact::Library(..)
        | Fact::People(..)
        | Fact::Agent(..)
        | Fact::Recovered { .. } => event_words(event, run).kind,
    };
    put("type", kind.into());
    if let Some(stage) = super::trail::stage(&event.fact) {
        put("stage", stage.word().into());
    }
    if let Some(step) = event.fact.step() {
        put("step", run.map_or_else(|| step.0.to_string(), |run| run.step_id(step)).into());
    }
    if let Fact::Attempt(_, _, number, _) = &event.fact {
        put("attempt", (*number).into());
    }
    let mut data = data(&event.fact);
    match &event.fact {
        Fact::Gate(_, _, gate, event) => {
            data.insert("gate".to_owned(), gate.to_string().into());
            if let GateEvent::Asked { ask, .. } = event {
                data.insert("prompt".to_owned(), ask.prompt.clone().into());
            }
        }
        Fact::Run(_, RunEvent::Ended { state, .. }) => put("state", state.word().into()),
        Fact::Schedule(workflow, _) => put("workflow", workflow.clone().into()),
        Fact::Run(..)
        | Fact::Step(..)
        | Fact::Attempt(..)
        | Fact::Undo(..)
        | Fact::Scope(..)
        | Fact::Failure(..)
        | Fact::Cache(..)
        | Fact::Bus(..)
        | Fact::Token(..)
        | Fact::Library(..)
        | Fact::People(..)
        | Fact::Agent(..)
        | Fact::Recovered { .. } => {}
        Fact::Target(name, _) => put("target", name.clone().into()),
    }
    put("data", Value::Object(data));
    Value::Object(out)
}

/// The data of an event under its own field names; for a plan only its name, file, hashes, inputs and size.
fn data(fact: &Fact) -> ValueMap {
    let value = match fact {
        Fact::Run(_, RunEvent::Created { plan, plan_hash, by, cause, trace, .. }) => {
            let data = json!({
                "workflow": plan.name,
                "file": plan.file,
                "definition": plan.definition.to_string(),
                "plan": plan_hash.to_string(),
                "by": to_value(by),
                "cause": to_value(cause),
                "trace": trace,
                "inputs": plan.inputs,
                "steps": plan.steps.len(),
            });
            return match data {
                Value::Object(fields) => fields,
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                    ValueMap::new()
                }
            };
        }
        Fact::Run(_, event) => with_shares(to_value(event)),
        Fact::Step(_, _, event) => with_shares(to_value(event)),
        Fact::Attempt(_, _, _, event) => to_value(event),
        Fact::Gate(_, _, _, event) => to_value(event),
        Fact::Undo(_, _, event) => to_value(event),
        Fact::Scope(_, event) => to_value(event),
        Fact::Failure(_, event) => to_value(event),
        Fact::Schedule(_, event) => to_value(event),
        Fact::Target(_, event) => to_value(event),
        Fact::Cache(event) => to_value(event),
        Fact::Bus(event) => to_value(event),
        Fact::Token(event) => to_value(event),
        Fact::Library(event) => to_value(event),
        Fact::People(event) => to_value(event),
        Fact::Agent(event) => to_value(event),
        Fact::Recovered { away, taken: None } => json!({ "Recovered": { "away": away } }),
        Fact::Recovered { away, taken } => json!({ "Recovered": { "away": away, "taken": to_value(taken) } }),
    };
    // A variant is stored as `{"Name": {fields}}`, or as its bare name when it has none.
    match value {
        Value::Object(variant) => match variant.into_iter().next() {
            Some((_, Value::Object(fields))) => fields,
            Some(_) | None => ValueMap::new(),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            ValueMap::new()
        }
    }
}

/// The paths of shares in an event of a run or step. Shares are stored in ten-thousandths and printed as
/// decimals.
const SHARES: [&str; 2] = ["/Completed/confidence", "/Ended/partial/completion_ratio"];

/// The same in each of the copies that a computed matrix made.
const SHARES_OF_COPIES: [&str; 2] = ["/retry/jitter", "/confidence/min"];

fn with_shares(mut event: Value) -> Value {
    let told = |holder: &mut Value, path: &str| {
        if let Some(share) = holder.pointer_mut(path)
            && let Some(points) = share.as_u64().and_then(|share| u16::try_from(share).ok())
        {
            *share = decimal(Score(points));
        }
    };
    SHARES.iter().for_each(|path| told(&mut event, path));
    for made in ["/Opened/copies", "/Grown/copies"] {
        if let Some(Value::Array(copies)) = event.pointer_mut(made) {
            for copy in copies {
                SHARES_OF_COPIES.iter().for_each(|path| told(copy, path));
            }
        }
    }
    event
}
