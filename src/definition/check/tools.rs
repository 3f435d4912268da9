//! Tools and agents: whether there is one of that name, and whether it can take what it is given.

use crate::{
    Data, Placed, Registry, Step, Tool, ToolBody, Uses, Workflow,
    check::secrets::secret_texts,
    diagnostic::Findings,
    read::{is_fixed, is_tool},
    spelling::suggest,
    tool::{Shelf, properties},
};
use cuelight_base::{ROUTE_CANDIDATES_MAX, RoutePolicy, Schema, Value, safe_text};
use std::sync::Arc;

pub(super) fn check(workflow: &Workflow, findings: &mut Findings<'_>) {
    for step in &workflow.steps {
        for uses in step.tools() {
            if let Some(tool) = &uses.definition {
                given(uses, tool, findings);
            }
        }
        let comes = step.tools().find(|tool| {
            tool.definition.as_ref().is_some_and(|definition| definition.body == ToolBody::Claim)
        });
        if let Some(agent) = comes {
            not_handed_over(workflow, step, agent, findings);
        }
    }
}

/// An agent that comes by itself works elsewhere: nothing of this machine reaches it, and it leaves nothing here.
fn not_handed_over(workflow: &Workflow, step: &Step, agent: &Uses, findings: &mut Findings<'_>) {
    let name =
        agent.definition.as_ref().map_or_else(String::new, |definition| safe_text(&definition.called()));
    for text in secret_texts(&step.env).chain(secret_texts(&workflow.env)) {
        let message = format!("{name} comes by itself and is handed no secrets");
        findings
            .warning("agent", text.place, message)
            .help("take it out of `env` for this step, and give it to the agent where it runs");
    }
    if let Some(artifact) = step.artifacts.first() {
        let message = format!("{name} comes by itself and leaves no files here");
        findings
            .warning("agent", artifact.place, message)
            .help("take `artifacts` out, and have its result say where they are");
    }
}

/// Reports an unknown tool, with its other versions or at most three similar names.
pub(crate) fn unknown(registry: &Registry, wanted: &Placed<String>, findings: &mut Findings<'_>) {
    let name = wanted.value.split('@').next().unwrap_or_default();
    let (shelf, rule) = (registry.shelf(), registry.shelf().word());
    let versions: Vec<String> =
        registry.all().filter(|tool| tool.name == name).map(|tool| tool.version.to_string()).collect();
    if !versions.is_empty() {
        let message = format!("`{}` is there in another version only", safe_text(shelf.called(name)));
        findings.error(rule, wanted.place, message).help(format!("there is {}", versions.join(", ")));
        return;
    }
    let is_mcp = wanted.value.starts_with("mcp:");
    let near = registry.near(&wanted.value);
    let called = safe_text(shelf.called(&wanted.value));
    let found = findings.error(rule, wanted.place, format!("there is no {rule} `{called}`"));
    match near.as_slice() {
        [] if shelf == Shelf::Agents => {
            found.help("describe it in .cuelight/agents/NAME.yaml, or start a command as an agent: agent: {command: …}")
        }
        near if shelf == Shelf::Agents => {
            let names: Vec<String> = near.iter().map(|tool| shelf.called(&tool.name).to_owned()).collect();
            found.help(format!("there are {}; `cuelight agent` says what they do", names.join(", ")))
        }
        _ if is_mcp => {
            found.help("take it up first: cuelight tool add SERVER --tool TOOL -- COMMAND shows it, and with its pin writes it down")
        }
        [] => found
            .help("docs/TOOLS.md names those that are built in; describe one of your own in .cuelight/tools/NAME.yaml"),
        near => {
            let names: Vec<String> =
                near.iter().map(|tool| format!("{}@{}", tool.name, tool.version.0[0])).collect();
            found.help(format!("there are {}; docs/TOOLS.md names those that are built in", names.join(", ")))
        }
    };
}

/// The candidates of a step: each by its name, or every tool that can do what is asked for.
pub(crate) fn find_candidates(registry: &Registry, uses: &mut Uses, findings: &mut Findings<'_>) {
    let Some(route) = &mut uses.route else { return };
    if !route.is_named {
        let wants: Vec<&str> = route.wants.iter().map(|name| name.value.as_str()).collect();
        let able = registry.able(&wants);
        if able.is_empty() {
            let rule = registry.shelf().word();
            let known = registry.capabilities().into_iter().collect::<Vec<_>>().join(", ");
            let help = if known.is_empty() {
                format!("no {rule} says what it can do; add `capabilities:` to its file in .cuelight/{rule}s")
            } else {
                format!("{rule}s here can do: {}", safe_text(&known))
            };
            let near = wants.iter().find_map(|text| suggest(text, registry.capabilities()));
            let message = format!("no {rule} can do {}", safe_text(&wants.join(" and ")));
            let named = route.wants.first().filter(|_| registry.shelf() == Shelf::Agents);
            let found =
                findings.error(rule, named.map_or(route.place, |name| name.place), message).help(help);
            if let (Some(near), Some(_)) = (near, named) {
                found.label(format!("did you mean `{}`?", safe_text(near)));
            }
        }
        let of = |tool: &Arc<Tool>| Uses {
            tool: Placed { value: tool.id(), place: route.place },
            with: uses.with.clone(),
            definition: Some(Arc::clone(tool)),
            route: None,
        };
        route.candidates = able.into_iter().take(ROUTE_CANDIDATES_MAX).map(of).collect();
    }
    let rule = registry.shelf().word();
    for at in 0..route.candidates.len() {
        let found = registry.find(&route.candidates[at].tool.value).cloned();
        let wanted = &route.candidates[at].tool;
        match &found {
            None if registry.shelf() == Shelf::Agents || is_tool(&wanted.value) => {
                unknown(registry, wanted, findings);
            }
            Some(tool) => {
                let before =
                    route.candidates[..at].iter().filter_map(|candidate| candidate.definition.as_ref());
                if before.into_iter().any(|definition| definition.id() == tool.id()) {
                    let message = format!("{} stands twice among the candidates", tool.called());
                    findings.error(rule, wanted.place, message).help(format!("name each {rule} once"));
                }
            }
            None => {}
        }
        let lacks = |tool: &&Arc<Tool>| {
            let lacked = route.wants.iter().find(|name| !tool.capabilities.contains(&name.value));
            lacked.filter(|_| route.policy != RoutePolicy::Capability).map(|name| name.value.clone())
        };
        if let Some(lacked) = found.as_ref().as_ref().and_then(lacks) {
            let name = registry.shelf().called(&wanted.value);
            let message = format!("{} cannot do {}", safe_text(name), safe_text(&lacked));
            findings.error(rule, wanted.place, message).help(format!(
                "remove it, add the word to `capabilities:` of the {rule}, or write `route: capability`, which takes the best",
            ));
        }
        route.candidates[at].definition = found;
    }
    if let Some(first) = route.candidates.first() {
        uses.tool = first.tool.clone();
        uses.definition.clone_from(&first.definition);
    }
}

/// Checks the parameters of a tool against its schema. A value with `${{ }}` in it is checked when it is
/// known.
fn given(uses: &Uses, tool: &Tool, findings: &mut Findings<'_>) {
    let known: Vec<&str> = properties(&tool.input).map(|property| property.0).collect();
    let is_open = tool.input.get("additionalProperties") != Some(&Value::Bool(false));
    for (name, data) in &uses.with {
        let Some((_, about)) = properties(&tool.input).find(|property| property.0 == name) else {
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
                tool.called(),
                safe_text(&problem.message)
            );
            findings.error("tool-input", data.place, message).help(help(about));
        }
    }
    let required = tool.input.get("required").and_then(Value::as_array).into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        let has_default = properties(&tool.input)
            .any(|(property, about)| property == name && about.get("default").is_some());
        if !has_default && !uses.with.iter().any(|(given, _)| given == name) {
            let about = properties(&tool.input)
                .find(|property| property.0 == name)
                .map(|property| help(property.1))
                .unwrap_or_default();
            let message = format!("{} needs `{name}`", tool.called());
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
    let message = format!("{} has no input `{name}`", tool.called());
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

/// The description of a property in its schema; may be empty.
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
