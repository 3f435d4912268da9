//! An agent: one that a file describes, or one that the step describes itself.

use crate::document::{AGENT, ROUTES};
use crate::read::fields::{Object, Reader, first_line, one_or_many};
use crate::read::tool::{agent_in_place, is_tool};
use crate::yaml::{Node, Shape};
use crate::{Data, Placed, Route, Uses};
use cuelight_base::{AGENT_PREFIX, AGENT_TASK, ROUTE_CANDIDATES_MAX, RoutePolicy, Value, shorten};
use std::sync::Arc;

/// Work for an agent: one by its name, one of several, any with a capability, or a command of the step's own.
pub(super) fn agent(
    reader: &mut Reader<'_, '_>,
    step: &Object<'_>,
    node: &Node,
    mut given: Vec<(String, Data)>,
) -> Option<Uses> {
    let place = first_line(reader.findings.source, node.place);
    let any = |wants: Vec<Placed<String>>, policy, with| {
        let route = Route { policy, wants, is_named: false, candidates: Vec::new(), place };
        let tool = Placed { value: String::new(), place };
        Uses { tool, with, definition: None, route: Some(Box::new(route)) }
    };
    if let Shape::Scalar(_) = node.shape {
        let capability = reader.word(node, "a capability")?;
        return Some(any(vec![capability], RoutePolicy::default(), given));
    }
    let found = reader.object(node, &AGENT)?;
    if let Some(task) = found.get("task").and_then(|task| reader.text(task, "a task")) {
        if let Some((_, other)) = given.iter().find(|pair| pair.0 == AGENT_TASK) {
            reader
                .findings
                .error("kind", other.place, "the task stands twice: here and in `agent`")
                .help("remove one of the two");
        } else {
            let task = Data { value: Value::String(task.value), place: task.place };
            given.insert(0, (AGENT_TASK.to_owned(), task));
        }
    }
    let policy =
        found.get("route").and_then(|route| reader.one_of(route, "`route`", ROUTES, &RoutePolicy::ALL));
    let wants = found
        .get("capability")
        .map(|capability| reader.names(capability, "a capability"))
        .unwrap_or_default();
    let named = found.get("name").map(one_or_many).unwrap_or_default();
    if found.get("command").is_some() {
        for word in ["name", "capability", "route"] {
            if let Some(place) = found.key_place(word) {
                let message = format!("`{word}` means nothing beside `command`");
                reader
                    .findings
                    .error("kind", place, message)
                    .help("a step names an agent, or starts a command as one; remove one of them");
            }
        }
        let id = step.get("id").and_then(|id| reader.word(id, "an id")).map(|word| word.value);
        let tool = agent_in_place(reader, &found, &id.unwrap_or_default(), &given)?;
        let name = Placed { value: tool.id(), place };
        return Some(Uses { tool: name, with: given, definition: Some(Arc::new(tool)), route: None });
    }
    for word in ["shell", "heartbeat"] {
        if let Some(place) = found.key_place(word) {
            reader
                .findings
                .error("kind", place, format!("`{word}` means nothing without `command`"))
                .help("an agent that is named says this in its own file");
        }
    }
    let candidates: Vec<Placed<String>> = named.iter().filter_map(|node| agent_id(reader, node)).collect();
    if candidates.len() > ROUTE_CANDIDATES_MAX {
        let message = format!("`name` names more than {ROUTE_CANDIDATES_MAX} agents");
        reader.findings.error("value", place, message).help("name fewer of them");
        return None;
    }
    if named.is_empty() && wants.is_empty() {
        reader
            .findings
            .error("missing-key", place, "`agent` needs `capability:`, `name:` or `command:`")
            .help("a capability picks an agent that has it, a name picks one; a command is started as one");
        return None;
    }
    let one = |tool: Placed<String>| Uses { tool, with: given.clone(), definition: None, route: None };
    match candidates.as_slice() {
        [] if !named.is_empty() => None,
        [] => Some(any(wants, policy.unwrap_or_default(), given)),
        [only] if wants.is_empty() => {
            if let Some(place) = found.key_place("route") {
                reader
                    .findings
                    .warning("value", place, "one agent is named, so there is nothing to choose")
                    .help("remove `route`, or name more of them");
            }
            Some(one(only.clone()))
        }
        [first, ..] => {
            let tool = first.clone();
            let candidates = candidates.iter().cloned().map(one).collect();
            let policy = policy.unwrap_or_default();
            let route = Route { policy, wants, is_named: true, candidates, place };
            Some(Uses { tool, with: given, definition: None, route: Some(Box::new(route)) })
        }
    }
}

/// `reviewer` or `reviewer@1`, as the registry calls it.
fn agent_id(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Placed<String>> {
    let name = reader.word(node, "the name of an agent")?;
    let versioned = if name.value.contains('@') { name.value.clone() } else { format!("{}@1", name.value) };
    if !is_tool(&versioned) || versioned.starts_with("mcp:") {
        let message = format!("`{}` cannot be an agent", shorten(&name.value, 60));
        reader
            .findings
            .error("agent", node.place, message)
            .help("write the `name` of its file in .cuelight/agents, such as reviewer or reviewer@1");
        return None;
    }
    Some(Placed { value: format!("{AGENT_PREFIX}{}", name.value), place: name.place })
}
