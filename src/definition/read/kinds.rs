//! Readers for the kinds of steps, one for each kind.

mod agent;
mod http;
mod llm;
mod message;

use super::defaults::Defaults;
use super::fields::{Object, Reader, first_line, one_or_many};
use super::gate;
use super::script::{script, shell_words};
use super::tool::tool_id;
use crate::document::{ROUTE, ROUTES, SCOPES, SET};
use crate::yaml::{Node, Shape};
use crate::{Call, Data, Placed, Route, Run, Scope, Script, Set, StepKind, Text, Uses, shell};
use agent::agent;
use cuelight_base::{ROUTE_CANDIDATES_MAX, RoutePolicy};
pub(super) use http::{http, server_address};
use llm::llm;
use message::{emit, wait};

pub(super) fn kind(
    reader: &mut Reader<'_, '_>,
    step: &Object<'_>,
    word: &str,
    defaults: &Defaults,
) -> Option<StepKind> {
    let node = step.get(word)?;
    match word {
        "run" => run(reader, step, node, defaults).map(StepKind::Run),
        "uses" => {
            let with = with(reader, step);
            uses(reader, node, with).map(StepKind::Uses)
        }
        "http" => http(reader, node).map(|http| StepKind::Http(Box::new(http))),
        "llm" => llm(reader, node).map(|llm| StepKind::Llm(Box::new(llm))),
        "agent" => {
            let with = with(reader, step);
            agent(reader, step, node, with).map(StepKind::Agent)
        }
        "gate" => gate::gate(reader, step, node).map(|gate| StepKind::Gate(Box::new(gate))),
        "workflow" => {
            let inputs = with(reader, step);
            path(reader, node).map(|path| StepKind::Workflow(Call { path, inputs, body: None }))
        }
        "wait" => wait(reader, node).map(StepKind::Wait),
        "emit" => emit(reader, node).map(StepKind::Emit),
        _ => set(reader, node).map(StepKind::Set),
    }
}

/// One tool, or several of which one is chosen.
fn uses(reader: &mut Reader<'_, '_>, node: &Node, with: Vec<(String, Data)>) -> Option<Uses> {
    let one = |tool, with| Uses { tool, with, definition: None, route: None };
    if !matches!(node.shape, Shape::Map(_)) {
        return tool_id(reader, node).map(|tool| one(tool, with));
    }
    let place = first_line(reader.findings.source, node.place);
    let found = reader.object(node, &ROUTE)?;
    let wants = found
        .get("capabilities")
        .map(|capabilities| reader.names(capabilities, "a capability"))
        .unwrap_or_default();
    let named = found.get("any").map(one_or_many).unwrap_or_default();
    let candidates: Vec<Uses> =
        named.iter().filter_map(|node| tool_id(reader, node)).map(|tool| one(tool, with.clone())).collect();
    let policy =
        found.get("route").and_then(|route| reader.one_of(route, "`route`", ROUTES, &RoutePolicy::ALL));
    if named.is_empty() && wants.is_empty() {
        reader
            .findings
            .error("missing-key", place, "`uses` names no tool and no capability")
            .help("write {any: [ship-a@1, ship-b@1]}, or {capabilities: [image]} for every tool that has it");
        return None;
    }
    if candidates.len() > ROUTE_CANDIDATES_MAX {
        let message = format!("`any` names more than {ROUTE_CANDIDATES_MAX} tools");
        reader.findings.error("value", place, message).help("name fewer of them");
        return None;
    }
    let first = candidates.first().map(|candidate| candidate.tool.clone());
    let tool = first.unwrap_or_else(|| Placed { value: String::new(), place });
    let is_named = !named.is_empty();
    let route = Route { policy: policy.unwrap_or_default(), wants, is_named, candidates, place };
    Some(Uses { route: Some(Box::new(route)), ..one(tool, with) })
}

fn with(reader: &mut Reader<'_, '_>, step: &Object<'_>) -> Vec<(String, Data)> {
    step.get("with")
        .map(|node| reader.values(node, "`with` is a mapping of names to values"))
        .unwrap_or_default()
}

/// The shell in which undo, fallback and check of a step run.
pub(super) fn shell_of(kind: Option<&StepKind>, defaults: &Defaults) -> Vec<String> {
    match kind {
        Some(StepKind::Run(run)) if !run.is_words => run.shell.clone(),
        _ => defaults.shell.clone().unwrap_or_else(|| shell::words("")),
    }
}

fn run(reader: &mut Reader<'_, '_>, step: &Object<'_>, node: &Node, defaults: &Defaults) -> Option<Run> {
    let directory = step
        .get("working-directory")
        .and_then(|working_directory| reader.text(working_directory, "a directory"));
    let working_directory = directory.or_else(|| defaults.working_directory.clone());
    if let Shape::List(words) = &node.shape {
        let (shell, script) = command(reader, node, words)?;
        return Some(Run { script, shell, is_words: true, working_directory });
    }
    let own = step.get("shell").and_then(|shell| shell_words(reader, shell));
    let shell = own.or_else(|| defaults.shell.clone()).unwrap_or_else(|| shell::words(""));
    let script = script(reader, node, "`run`", &shell)?;
    Some(Run { script, shell, is_words: false, working_directory })
}

/// A command as words, run as they are. No expression stands in one: what reads it may be a shell of its own.
fn command(reader: &mut Reader<'_, '_>, node: &Node, words: &[Node]) -> Option<(Vec<String>, Script)> {
    let mut texts: Vec<Text> = words.iter().filter_map(|word| reader.text(word, "a word of `run`")).collect();
    for word in texts.iter().filter(|text| text.value.contains("${{")) {
        let message = "an expression may not stand in a word of a command";
        reader
            .findings
            .error("shell-language", word.place, message)
            .help("set a variable under `env:` to the expression and read that variable in the program");
    }
    let last = texts.pop().filter(|_| texts.len() + 1 == words.len());
    let Some(last) = last else {
        if words.is_empty() {
            reader.findings.error("missing-key", node.place, "`run` is empty").help("write a command");
        }
        return None;
    };
    let script = Script { script: last.value.clone(), source: last, bindings: Vec::new() };
    Some((texts.into_iter().map(|text| text.value).collect(), script))
}

fn path(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Placed<String>> {
    let path = reader.word(node, "a workflow file")?;
    let odd = path.value.is_empty() || path.value.starts_with('/') || path.value.contains('\\');
    if odd {
        reader
            .findings
            .error("subworkflow", node.place, "a workflow file is named by its path beside this file")
            .help("write ./lib/part.yaml or ../shared/part.yaml");
        return None;
    }
    Some(path)
}

fn set(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Set> {
    let found = reader.object(node, &SET)?;
    let scope = found
        .get("scope")
        .and_then(|scope| {
            reader.one_of(scope, "`scope`", SCOPES, &[Scope::Run, Scope::Session, Scope::Global])
        })
        .unwrap_or_default();
    let ttl = found.get("ttl").and_then(|ttl| reader.positive_duration(ttl, "`ttl`"));
    if let Some(place) = found.key_place("ttl").filter(|_| scope == Scope::Run) {
        reader
            .findings
            .warning("value", place, "`ttl` means little here: state of a run ends with it")
            .help("use `scope: session` or `scope: global`");
    }
    let values =
        found.get("values").map(|values| reader.values(values, "`values` is a mapping")).unwrap_or_default();
    let expect =
        found.get("if-etag").map(|node| reader.values(node, "`if-etag` is a mapping")).unwrap_or_default();
    if let Some(place) = found.key_place("if-etag") {
        if scope == Scope::Run {
            reader
                .findings
                .error("value", place, "state of a run has no etag: nobody else changes it")
                .help("remove `if-etag`, or use `scope: session` or `scope: global`");
        }
        let is_set = |key: &String| values.iter().any(|value| value.0 == *key);
        if let Some((key, _)) = expect.iter().find(|value| !is_set(&value.0)) {
            reader
                .findings
                .error("value", place, format!("`{key}` is not among the values that are set"))
                .help("name a key of `values`");
        }
    }
    Some(Set { scope, values, ttl, expect })
}
