//! Answers of `--json` at the door: each command has a schema, its real answer is valid under it, and an answer with
//! another name for a field is not.

use crate::{json_on_terminals::with_json, program::Place};
use cuelight_base::Schema;
use serde_json::{Value, json};
use std::fs;

const WORKFLOW: &str = "\
name: w
budget: {calls: 9}
inputs: {ask: {type: boolean, default: false}}
defaults: {timeout: 1m}
steps:
  - id: one
    cache: {key: one}
    effect: pure
    run: echo hello; echo x=1 >> \"$CUELIGHT_OUTPUT\"
    outputs: {x: string}
  - {id: keep, needs: one, set: {scope: global, values: {region: eu}}}
  - {id: tell, needs: one, emit: {event: told, data: {x: 1}}}
  - {id: bad, needs: one, run: exit 3, on-error: continue}
  - {id: ok, needs: one, if: inputs.ask, gate: {prompt: 'Ship it?'}}
  - {id: ship, needs: ok, if: inputs.ask, run: echo shipped}
";
const NIGHTLY: &str = "\
name: nightly
on: {schedule: {cron: '0 3 * * *', timezone: UTC}}
steps: [{id: a, run: 'true', timeout: 1m}]
";
const AGENT: &str = "\
name: reviewer
version: 1.0.0
description: Reads the last commit
capabilities: [review]
command: [cat]
";

/// Commands as the schema names them, each with arguments that make it answer something.
const CALLS: &[(&str, &[&str])] = &[
    ("agent context", &["SHOP-1", "qa"]),
    ("agent knowledge", &[]),
    ("agent list", &[]),
    ("agent results", &[]),
    ("agent show", &["reviewer"]),
    ("agent suggest", &["review"]),
    ("audit verify", &[]),
    ("cache", &[]),
    ("cache inspect", &["one"]),
    ("check", &["bad.yaml"]),
    ("dev drill", &["--kills", "1"]),
    ("doctor", &[]),
    ("engine health", &[]),
    ("error", &["--all"]),
    ("event messages", &[]),
    ("event topics", &[]),
    ("gate", &["--title", "Now?", "--timeout", "100ms"]),
    ("gates", &[]),
    ("gates --show", &["g-1"]),
    ("logs", &["r-1"]),
    ("model list", &[]),
    ("model show", &["stand-in"]),
    ("plan", &["w.yaml"]),
    ("run diff", &["r-1", "r-2"]),
    ("run history", &[]),
    ("run replay --at", &["8", "r-1"]),
    ("run timeline", &["r-1"]),
    ("runs", &[]),
    ("schedule", &[]),
    ("show", &["r-1"]),
    ("show", &["r-2"]),
    ("state", &[]),
    ("state get", &["region"]),
    ("token", &["--agent", "qa", "--type", "qa"]),
    ("token keys list", &[]),
    ("tool list", &[]),
    ("tool show", &["file.read"]),
    ("tool suggest", &["read"]),
    ("trust", &[]),
];
/// Commands whose answer holds fields that no type lists: a record of a failure, a description, a message.
const OPEN: [&str; 9] = [
    "agent list",
    "agent show",
    "error",
    "error show",
    "event messages",
    "model list",
    "model show",
    "tool list",
    "tool show",
];
/// Commands that print events, and one that prints an `OpenAPI` document: they have schemas of their own.
const OTHERS: [&str; 5] = ["api", "audit", "run", "run events", "run replay"];

/// A workspace with something of everything: a run that has ended, and one that waits at a gate.
fn place() -> (Place, crate::program::Running) {
    let place = Place::new();
    for folder in ["workflows", "agents"] {
        fs::create_dir_all(place.file(".cuelight").join(folder)).expect("a directory of the test");
    }
    place.write("w.yaml", WORKFLOW);
    place.write("bad.yaml", "name: bad\nsteps: [{id: a, run: x, nead: b}]\n");
    place.write(".cuelight/workflows/nightly.yaml", NIGHTLY);
    place.write(".cuelight/agents/reviewer.yaml", AGENT);
    place.write(".cuelight/config.toml", "[topics.told]\nabout = 'told'\n");
    place.cue(&["run", "w.yaml", "--headless"]);
    let mut waiting = place.start(&["run", "w.yaml", "--headless", "-i", "ask=true"]);
    waiting.until("gate.asked");
    place.cue(&["agent", "knowledge", "add", "The tests take long"]).ok();
    place.write("r.json", r#"{"status": "success", "a": 1}"#);
    place.cue(&["agent", "results", "hand-in", "SHOP-1", "r.json", "--type", "qa"]).ok();
    (place, waiting)
}

/// Forbids names that the schema does not have, wherever it lists names and takes no others.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") {
                map.entry("additionalProperties").or_insert(json!(false));
            }
            map.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        _ => {}
    }
}

/// The schema of the answer of one command.
fn schema_of(all: &Value, name: &str) -> Schema {
    let mut schema = all["properties"][format!("{name} --json")].clone();
    assert!(schema.is_object(), "{name} has no schema");
    schema["$defs"] = all["$defs"].clone();
    schema["$defs"].as_object_mut().expect("definitions").values_mut().for_each(close);
    Schema::read(&schema).unwrap_or_else(|why| panic!("{name}: {why}"))
}

/// Values that a command printed: one, or one a line.
fn answers(name: &str, out: &str) -> Vec<Value> {
    let read = |text: &str| serde_json::from_str(text).unwrap_or_else(|why| panic!("{name}: {why}: {out}"));
    if name == "logs" { out.lines().map(read).collect() } else { vec![read(out)] }
}

/// The answer itself, or the first one of a list.
fn object(answer: &mut Value) -> Option<&mut serde_json::Map<String, Value>> {
    match answer {
        Value::Object(map) => Some(map),
        Value::Array(list) => list.first_mut().and_then(Value::as_object_mut),
        _ => None,
    }
}

/// Names of the fields of an answer that could be renamed without harm.
fn free(schema: &Schema, answer: &Value) -> Vec<String> {
    let renamed = |name: &String| {
        let mut answer = answer.clone();
        let fields = object(&mut answer).expect("it has fields");
        let value = fields.remove(name).expect("it is there");
        fields.insert(format!("{name}_renamed"), value);
        schema.problems(&answer).is_empty()
    };
    let names: Vec<String> = object(&mut answer.clone()).expect("it has fields").keys().cloned().collect();
    names.into_iter().filter(renamed).collect()
}

#[test]
fn each_json_answer_is_valid_under_its_schema_and_with_a_renamed_field_is_not() {
    let (place, _waiting) = place();
    let all = place.cue(&["dev", "schema", "answers"]).ok().json();
    let failure = place.cue(&["error", "--all", "--json"]).ok().json()[0]["id"].clone();
    let of_failure: &[&str] = &[failure.as_str().expect("a failure")];
    let result = place.cue(&["agent", "results", "--json"]).ok().json()[0]["id"].clone();
    let of_result: &[&str] = &[result.as_str().expect("a result")];
    let more = [("error show", of_failure), ("agent results show", of_result)];
    for (name, more) in CALLS.iter().copied().chain(more) {
        let args: Vec<&str> = name.split(' ').chain(more.iter().copied()).chain(["--json"]).collect();
        let said = place.cue(&args);
        let schema = schema_of(&all, name);
        let told = answers(name, &said.out);
        assert!(told.iter().cloned().any(|mut answer| object(&mut answer).is_some()), "{name}: {said:?}");
        for answer in told {
            assert_eq!(schema.problems(&answer), [], "{name}: {answer}");
            let free = free(&schema, &answer);
            let fields = object(&mut answer.clone()).map_or(0, |fields| fields.len());
            assert!(
                free.is_empty() || OPEN.contains(&name) && free.len() < fields,
                "{name}: {free:?} can be renamed"
            );
        }
    }
}

/// A field that is renamed, added or moved shows here.
#[test]
fn the_schema_of_the_answers_is_as_it_was() {
    insta::assert_snapshot!("answers_schema", Place::new().cue(&["dev", "schema", "answers"]).ok().out);
}

#[test]
fn each_command_that_prints_json_has_a_schema() {
    let place = Place::new();
    let all = place.cue(&["dev", "schema", "answers"]).ok().json();
    let known = with_json(&place);
    assert!(known.len() > 40, "{known:?}");
    for name in known.iter().filter(|name| !OTHERS.contains(&name.as_str())) {
        schema_of(&all, name);
    }
}
