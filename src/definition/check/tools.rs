//! Tools: whether there is one of that name, and whether it can take what it is given.

use crate::{
    base::{Schema, Value, safe_text},
    definition::{
        Data, Placed, Registry, Tool, Uses, Workflow, diagnostic::Findings, read::is_fixed,
        spelling::suggest, tool::properties,
    },
};

pub(super) fn check(workflow: &Workflow, findings: &mut Findings<'_>) {
    for step in &workflow.steps {
        for uses in step.tools() {
            if let Some(tool) = &uses.definition {
                given(uses, tool, findings);
            }
        }
    }
}

/// There is no such tool: at most three others that may have been meant.
pub(in crate::definition) fn unknown(
    registry: &Registry,
    wanted: &Placed<String>,
    findings: &mut Findings<'_>,
) {
    let name = wanted.value.split('@').next().unwrap_or_default();
    let versions: Vec<String> =
        registry.all().filter(|it| it.name == name).map(|it| it.version.to_string()).collect();
    if !versions.is_empty() {
        let message = format!("`{}` is there in another version only", safe_text(name));
        findings.error("tool", wanted.place, message).help(format!("there is {}", versions.join(", ")));
        return;
    }
    let is_mcp = wanted.value.starts_with("mcp:");
    let near = registry.near(&wanted.value);
    let found =
        findings.error("tool", wanted.place, format!("there is no tool `{}`", safe_text(&wanted.value)));
    match near.as_slice() {
        _ if is_mcp => {
            found.help("tools of MCP servers cannot be called in this release; do it in a `run` step")
        }
        [] => found
            .help("docs/TOOLS.md names those that are built in; describe one of your own in .cuelight/tools/NAME.yaml"),
        near => {
            let names: Vec<String> =
                near.iter().map(|it| format!("{}@{}", it.name, it.version.0[0])).collect();
            found.help(format!("there are {}; docs/TOOLS.md names those that are built in", names.join(", ")))
        }
    };
}

/// What a tool is given, against its schema. A value with `${{ }}` in it is checked when it is known.
fn given(uses: &Uses, tool: &Tool, findings: &mut Findings<'_>) {
    let known: Vec<&str> = properties(&tool.input).map(|it| it.0).collect();
    let is_open = tool.input.get("additionalProperties") != Some(&Value::Bool(false));
    for (name, data) in &uses.with {
        let Some((_, about)) = properties(&tool.input).find(|it| it.0 == name) else {
            if !is_open || !known.is_empty() && suggest(name, known.iter().copied()).is_some() {
                unknown_input(name, data, tool, &known, is_open, findings);
            }
            continue;
        };
        let is_computed = data.value.to_string().contains("${{");
        if is_computed && is_fixed(about) {
            findings
                .error(
                    "tool-input",
                    data.place,
                    format!("`{name}` is written as it is; no expression may stand in it"),
                )
                .help("it is a program of its own; give it values through the other inputs of the tool");
        }
        if is_computed {
            continue;
        }
        let Ok(schema) = Schema::read(&self_contained(about, &tool.input)) else { continue };
        for problem in schema.problems(&data.value) {
            let separator = if problem.path.is_empty() || problem.path.starts_with('[') { "" } else { "." };
            let message = format!(
                "`{name}{separator}{}` of {}: {}",
                problem.path,
                tool.id(),
                safe_text(&problem.message)
            );
            findings.error("tool-input", data.place, message).help(help(about));
        }
    }
    let required = tool.input.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        let has_default =
            properties(&tool.input).any(|(it, about)| it == name && about.get("default").is_some());
        if !has_default && !uses.with.iter().any(|(given, _)| given == name) {
            let about =
                properties(&tool.input).find(|it| it.0 == name).map(|it| help(it.1)).unwrap_or_default();
            let message = format!("{} needs `{name}`", tool.id());
            let about = if about.is_empty() { String::new() } else { format!(": {about}") };
            findings
                .error("missing-key", uses.tool.place, message)
                .help(format!("add `with: {{{name}: …}}`{about}"));
        }
    }
}

fn unknown_input(
    name: &str,
    data: &Data,
    tool: &Tool,
    known: &[&str],
    is_open: bool,
    findings: &mut Findings<'_>,
) {
    let message = format!("{} has no input `{name}`", tool.id());
    let near = suggest(name, known.iter().copied());
    let found = if is_open {
        findings.warning("tool-input", data.place, message)
    } else {
        findings.error("tool-input", data.place, message)
    };
    match near {
        Some(near) => found.label(format!("did you mean `{near}`?")),
        None => found.help(format!("its inputs are {}", known.join(", "))),
    };
}

/// What the schema says a property is for.
fn help(about: &Value) -> String {
    about.get("description").and_then(Value::as_str).map(safe_text).unwrap_or_default()
}

/// The schema of one property, with what it may refer to.
fn self_contained(about: &Value, whole: &Value) -> Value {
    let mut about = about.clone();
    if let (Some(map), Some(shared)) = (about.as_object_mut(), whole.get("$defs")) {
        map.insert("$defs".to_owned(), shared.clone());
    }
    about
}
