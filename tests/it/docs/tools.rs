//! `docs/TOOLS.md`: every tool that is built in, from the registry that workflows use.

use cuelight_base::Value;
use cuelight_definition::{Registry, Tool};
use std::fmt::Write as _;

const TOP: &str = "\
# Tools

The tools that are built in, from their own descriptions (`src/definition/tool/built_in/`). This page is written by a test; do not edit it. How a step calls one, and how
one of your own is described, stands in [workflow](workflow.md#tools).

| tool | does | effect | risk | reliability |
|---|---|---|---|---|
";

/// Text of the whole page.
pub(super) fn page() -> String {
    let registry = Registry::new(&[]);
    let mut out = TOP.to_owned();
    for tool in registry.all() {
        let (effect, risk, reliability) = (tool.effect.word(), tool.risk.word(), tool.reliability.word());
        writeln!(out, "| `{}` | {} | {effect} | {risk} | {reliability} |", tool.id(), tool.description)
            .expect("text");
    }
    for tool in registry.all() {
        about(&mut out, tool);
    }
    out
}

fn about(out: &mut String, tool: &Tool) {
    write!(out, "\n## {}\n\n{}. Version {}.", tool.name, tool.description, tool.version).expect("text");
    for (word, list) in [("Before", &tool.preconditions), ("Afterwards", &tool.postconditions)] {
        if !list.is_empty() {
            write!(out, " {word}: {}.", list.join("; ")).expect("text");
        }
    }
    out.push_str("\n\n");
    for (word, schema) in [("input", &tool.input), ("output", &tool.output)] {
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let mut notes = vec![kind(property)];
            if word == "input" && required.contains(&name.as_str()) {
                notes.push("required".to_owned());
            }
            if let Some(default) = property.get("default") {
                notes.push(format!("`{default}` when absent"));
            }
            if property["x-fixed"] == Value::Bool(true) {
                notes.push("written as it is, no expression".to_owned());
            }
            let text = property["description"].as_str().unwrap_or_default();
            writeln!(out, "- {word} `{name}` ({}): {text}", notes.join(", ")).expect("text");
        }
    }
}

fn kind(schema: &Value) -> String {
    if let Some(choices) = schema["enum"].as_array() {
        return choices
            .iter()
            .map(|choice| choice.as_str().unwrap_or("null"))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    match &schema["type"] {
        Value::String(one) => one.clone(),
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    }
}
