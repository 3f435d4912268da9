//! A call of a model: its tools, their gates, the models to choose from, and the schema of its answer.

use crate::document::{CALL_GATES, LLM, TOOL_GATES};
use crate::read::fields::{Object, Reader, first_line, one_or_many};
use crate::read::gate;
use crate::read::model::hints;
use crate::yaml::{Node, Shape};
use crate::{Gate, Llm, Offered, Placed};
use cuelight_base::{MODEL_ROUNDS_MAX, MODEL_TOOLS_MAX, Schema, Value, shorten};

pub(super) fn llm(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Llm> {
    let found = reader.object(node, &LLM)?;
    let models = found.get("model").map(|model| model_names(reader, model)).unwrap_or_default();
    let hints = found.get("hints").map(|node| hints(reader, node)).unwrap_or_default();
    let prompt = found.get("prompt").and_then(|prompt| reader.text(prompt, "a prompt"));
    let temperature = found.get("temperature").and_then(|temperature| {
        let value = reader.millionths(temperature, "`temperature`")?;
        if value > 2_000_000 {
            reader.findings.error("value", temperature.place, "`temperature` is a number from 0 to 2");
        }
        match &temperature.shape {
            Shape::Scalar(scalar) => Some(scalar.text.clone()),
            _ => None,
        }
    });
    let json_schema = found.get("json-schema").and_then(|json_schema| answer_schema(reader, json_schema));
    let (gates_all, gate) = call_gates(reader, &found);
    Some(Llm {
        models,
        hints,
        candidates: Vec::new(),
        system: found.get("system").and_then(|system| reader.text(system, "a system prompt")),
        prompt: prompt?,
        json_schema,
        temperature,
        max_tokens: found
            .get("max-tokens")
            .and_then(|max_tokens| reader.small(max_tokens, "`max-tokens`", 1, 10_000_000)),
        tools: found.get("tools").map(|tools| offered(reader, tools)).unwrap_or_default(),
        rounds: found.get("rounds").and_then(|rounds| reader.small(rounds, "`rounds`", 1, MODEL_ROUNDS_MAX)),
        gates_all,
        gate: gate.map(Box::new),
    })
}

/// The `gates` of a model step: true if every call waits at a gate, and the further conditions of these
/// gates.
fn call_gates(reader: &mut Reader<'_, '_>, llm: &Object<'_>) -> (bool, Option<Gate>) {
    let Some(node) = llm.get("gates") else { return (false, None) };
    let which = |reader: &mut Reader<'_, '_>, node: &Node, what: &str| {
        reader.one_of(node, what, TOOL_GATES, &[false, true]).unwrap_or(false)
    };
    if !matches!(node.shape, Shape::Map(_)) {
        return (which(reader, node, "`gates`"), None);
    }
    let place = llm.key_place("gates").unwrap_or(node.place);
    let Some(found) = reader.object(node, &CALL_GATES) else { return (false, None) };
    let all = found.get("calls").is_some_and(|calls| which(reader, calls, "`calls`"));
    (all, Some(gate::of_calls(reader, &found, place)))
}

/// The tools that a model may ask for, each once.
fn offered(reader: &mut Reader<'_, '_>, node: &Node) -> Vec<Offered> {
    let mut out: Vec<Offered> = Vec::new();
    for item in one_or_many(node) {
        let Some(tool) = reader.word(item, "the name of a tool") else { continue };
        if out.iter().any(|offered| offered.tool.value == tool.value) {
            let message = format!("`{}` is offered twice", shorten(&tool.value, 60));
            reader.findings.error("tool", item.place, message).help("name each tool once");
        } else {
            out.push(Offered { tool, definition: None });
        }
    }
    if out.len() > MODEL_TOOLS_MAX {
        let message =
            format!("{} tools are offered, and a model is offered at most {MODEL_TOOLS_MAX}", out.len());
        reader.findings.error("tool", node.place, message).help("offer what this step needs");
        out.truncate(MODEL_TOOLS_MAX);
    }
    out
}

/// Models as they are named, each once: a chain without circles. `auto` names none.
fn model_names(reader: &mut Reader<'_, '_>, node: &Node) -> Vec<Placed<String>> {
    let mut out: Vec<Placed<String>> = Vec::new();
    let items = one_or_many(node);
    for item in items {
        let Some(name) = reader.word(item, "the name of a model") else { continue };
        if name.value == "auto" {
            if items.len() > 1 {
                reader
                    .findings
                    .error(
                        "model",
                        item.place,
                        "`auto` stands alone: it is every model there is, the best first",
                    )
                    .help("name the models, or write `model: auto` and `hints:`");
            }
        } else if out.iter().any(|placed| placed.value == name.value) {
            let message = format!("`{}` stands twice in its chain", shorten(&name.value, 60));
            reader
                .findings
                .error("model", item.place, message)
                .help("a model that has failed is not asked again; remove one");
        } else {
            out.push(name);
        }
    }
    out
}

/// A JSON Schema of an answer, of whatever type.
fn answer_schema(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Value> {
    let schema = reader.constant(node, "`json-schema`")?;
    let place = first_line(reader.findings.source, node.place);
    if !schema.is_object() {
        reader.wrong_type(node, "`json-schema` is a mapping");
        return None;
    }
    if let Err(why) = Schema::read(&schema) {
        let message = format!("could not read `json-schema` as JSON Schema: {why}");
        reader
            .findings
            .error("schema", place, message)
            .help("JSON Schema 2020-12; a `$ref` names a place in this schema");
        return None;
    }
    Some(schema)
}
