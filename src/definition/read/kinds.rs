//! Readers for the kinds of steps, one for each kind.

use super::{
    fields::{Object, Reader, first_line, one_or_many},
    gate,
    model::hints,
    step::{Defaults, script, shell_words},
    tool::agent_in_place,
    top::{names, small},
};
use crate::{
    Body, Call, Data, Emit, Gate, Http, Length, Llm, Offered, Placed, Route, Run, Scope, Script, Set,
    StepKind, Text, Uses, Wait,
    document::{
        AGENT, CALL_GATES, EMIT, EXPECT, HTTP, LLM, MESSAGE_KINDS, METHODS, ROUTE, ROUTES, SCOPES, SET,
        TOOL_GATES, WAIT,
    },
    shell,
    yaml::{Node, Shape},
};
use cuelight_base::{
    AGENT_PREFIX, AGENT_TASK, HTTP_REDIRECTS_MAX, MESSAGES_AT_ONCE_MAX, MODEL_ROUNDS_MAX, MODEL_TOOLS_MAX,
    MessageKind, ROUTE_CANDIDATES_MAX, RoutePolicy, Schema, Value, is_topic, shorten,
};
use std::sync::Arc;

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
        "agent" => agent(reader, step, node).map(StepKind::Agent),
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
        return tool(reader, node).map(|tool| one(tool, with));
    }
    let place = first_line(reader.findings.source, node.place);
    let found = reader.object(node, &ROUTE)?;
    let wants = found
        .get("capabilities")
        .map(|capabilities| names(reader, capabilities, "a capability"))
        .unwrap_or_default();
    let named = found.get("any").map(one_or_many).unwrap_or_default();
    let candidates: Vec<Uses> =
        named.iter().filter_map(|node| tool(reader, node)).map(|tool| one(tool, with.clone())).collect();
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

/// `name@version` or `mcp:server/tool`.
pub(crate) fn is_tool(text: &str) -> bool {
    let name = |server: &str| {
        server.starts_with(|c: char| c.is_ascii_alphanumeric())
            && server.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/'))
    };
    if let Some(rest) = text.strip_prefix("mcp:") {
        return rest.split_once('/').is_some_and(|(server, tool)| name(server) && name(tool));
    }
    let Some((tool, version)) = text.split_once('@') else { return false };
    let numbers = version.strip_prefix('v').unwrap_or(version);
    name(tool)
        && !numbers.is_empty()
        && numbers.split('.').all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

pub(super) fn tool(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Placed<String>> {
    let tool = reader.word(node, "a tool")?;
    if !is_tool(&tool.value) {
        let message = format!("`{}` cannot be a tool", shorten(&tool.value, 60));
        reader
            .findings
            .error("tool", node.place, message)
            .help("write name@version such as deploy@1, or mcp:server/tool");
    }
    Some(tool)
}

/// Header fields that follow from the request itself, or from the connection.
const OWN_FIELDS: &[&str] = &[
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-authorization",
    "proxy-connection",
];

/// One request, of a step or of a tool.
pub(super) fn http(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Http> {
    let found = reader.object(node, &HTTP)?;
    let method = found.get("method").and_then(|method| reader.one_of(method, "`method`", METHODS, METHODS));
    let (url, headers) = address(reader, &found);
    let body = body(reader, &found, method.unwrap_or("GET"));
    let (mut expect_status, mut expect_json) = (Vec::new(), Vec::new());
    if let Some(expect) = found.get("expect").and_then(|node| reader.object(node, &EXPECT)) {
        for item in expect.get("status").map(one_or_many).unwrap_or_default() {
            let code = reader.whole(item, "a status", 100, 599).and_then(|number| u16::try_from(number).ok());
            expect_status.extend(code);
        }
        if let Some(node) = expect.get("json") {
            expect_json = reader.values(node, "`json` is a mapping of paths to values");
        }
    }
    let redirects = found
        .get("redirects")
        .and_then(|redirects| small(reader, redirects, "`redirects`", 0, HTTP_REDIRECTS_MAX));
    let bytes_max = found.get("max-bytes").and_then(|max_bytes| reader.size(max_bytes, "`max-bytes`"));
    let method = method.unwrap_or("GET").to_owned();
    let redirects = redirects.and_then(|redirects| u8::try_from(redirects).ok()).unwrap_or_default();
    Some(Http { method, url: url?, headers, body, expect_status, expect_json, redirects, bytes_max })
}

/// The address of an MCP server: only a URL and header fields.
pub(super) fn server_address(reader: &mut Reader<'_, '_>, found: &Object<'_>) -> Option<Http> {
    let (url, headers) = address(reader, found);
    Some(Http {
        method: "POST".to_owned(),
        url: url?,
        headers,
        body: None,
        expect_status: Vec::new(),
        expect_json: Vec::new(),
        redirects: 0,
        bytes_max: None,
    })
}

/// The URL of a request and its header fields.
fn address(reader: &mut Reader<'_, '_>, found: &Object<'_>) -> (Option<Text>, Vec<(String, Text)>) {
    let url = found.get("url").and_then(|url| reader.text(url, "a url"));
    if let Some(url) = &url {
        check_url(reader, url);
    }
    let mut headers = Vec::new();
    if let Some(node) = found.get("headers") {
        for entry in reader.entries(node, "`headers` is a mapping of names to texts") {
            let fits = !entry.key.is_empty()
                && entry.key.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
            if !fits {
                let message = format!("`{}` is no name of a header field", shorten(&entry.key, 60));
                reader.findings.error("id", entry.place, message);
            }
            if OWN_FIELDS.iter().any(|field| entry.key.eq_ignore_ascii_case(field)) {
                let message = format!("`{}` is written by the request itself", shorten(&entry.key, 60));
                reader.findings.error("value", entry.place, message).help("remove it");
            }
            headers.extend(reader.text(&entry.value, "a header field").map(|text| (entry.key.clone(), text)));
        }
    }
    (url, headers)
}

fn check_url(reader: &mut Reader<'_, '_>, url: &Text) {
    let known = url.value.starts_with("https://") || url.value.starts_with("http://");
    if !known && !url.value.trim_start().starts_with("${{") {
        reader.findings.error("value", url.place, "a url begins with https:// or http://");
    } else if url.value.starts_with("http://")
        && !url.value[7..].starts_with("localhost")
        && !url.value[7..].starts_with("127.")
    {
        reader
            .findings
            .warning("value", url.place, "this request is not encrypted")
            .help("use https:// unless the other side is on this machine");
    }
}

fn body(reader: &mut Reader<'_, '_>, found: &Object<'_>, method: &str) -> Option<Body> {
    let (text, json) = (found.get("body"), found.get("json"));
    let place = found.key_place("json").or_else(|| found.key_place("body"))?;
    if text.is_some() && json.is_some() {
        reader
            .findings
            .error("kind", place, "a request has `body` or `json`, not both")
            .help("remove one of the two");
    } else if matches!(method, "GET" | "HEAD") {
        let message = format!("a {method} request has no body");
        reader.findings.error("value", place, message).help("set `method: POST`, or remove it");
    }
    match (text, json) {
        (Some(node), _) => reader.text(node, "a body").map(Body::Text),
        (None, Some(node)) => Some(Body::Json(reader.data(node))),
        (None, None) => None,
    }
}

fn llm(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Llm> {
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
            .and_then(|max_tokens| small(reader, max_tokens, "`max-tokens`", 1, 10_000_000)),
        tools: found.get("tools").map(|tools| offered(reader, tools)).unwrap_or_default(),
        rounds: found.get("rounds").and_then(|rounds| small(reader, rounds, "`rounds`", 1, MODEL_ROUNDS_MAX)),
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

/// Work for an agent: one by its name, one of several, any with a capability, or a command of the step's own.
fn agent(reader: &mut Reader<'_, '_>, step: &Object<'_>, node: &Node) -> Option<Uses> {
    let mut given = with(reader, step);
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
        .map(|capability| names(reader, capability, "a capability"))
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

fn wait(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Wait> {
    if let Shape::Scalar(_) = node.shape {
        return length(reader, node).map(Wait::For);
    }
    let found = reader.object(node, &WAIT)?;
    let given = ["for", "until", "event"].iter().filter(|key| found.get(key).is_some()).count();
    if given != 1 {
        let place = first_line(reader.findings.source, node.place);
        reader
            .findings
            .error("kind", place, "`wait` has exactly one of `for`, `until` and `event`")
            .help("a bare duration is enough: wait: 30s");
        return None;
    }
    if let Some(node) = found.get("for") {
        return length(reader, node).map(Wait::For);
    }
    if let Some(node) = found.get("until") {
        let text = reader.text(node, "an instant")?;
        if !text.value.contains("${{") && chrono::DateTime::parse_from_rfc3339(&text.value).is_err() {
            reader
                .findings
                .error("value", node.place, "could not read the instant")
                .help("write RFC 3339 with its zone: 2027-01-31T06:00:00+01:00");
        }
        return Some(Wait::Until(text));
    }
    let filter =
        found.get("filter").map(|filter| reader.values(filter, "`filter` is a mapping")).unwrap_or_default();
    let topic = found.get("event").and_then(|event| reader.text(event, "an event"))?;
    let count = found
        .get("count")
        .and_then(|count| small(reader, count, "`count`", 1, MESSAGES_AT_ONCE_MAX))
        .unwrap_or(1);
    topic_is_fit(reader, &topic);
    Some(Wait::Event { topic, filter, count })
}

fn length(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Length> {
    match &node.shape {
        Shape::Scalar(scalar) if scalar.text.contains("${{") => {
            reader.text(node, "a duration").map(Length::Computed)
        }
        _ => reader.duration(node, "a wait").map(Length::Fixed),
    }
}

fn topic_is_fit(reader: &mut Reader<'_, '_>, topic: &Text) {
    if !topic.value.contains("${{") && !is_topic(&topic.value) {
        reader
            .findings
            .error("value", topic.place, format!("`{}` cannot be a topic", shorten(&topic.value, 60)))
            .help("letters, digits, `.`, `-`, `_` and `/`, such as deploy/done");
    }
}

fn emit(reader: &mut Reader<'_, '_>, node: &Node) -> Option<Emit> {
    let found = reader.object(node, &EMIT)?;
    let mut word = |key: &str| found.get(key).and_then(|node| reader.text(node, &format!("`{key}`")));
    let (id, to, correlation) = (word("id"), word("to"), word("correlation"));
    let kinds: Vec<MessageKind> = MessageKind::ALL.iter().map(|kind| kind.1).collect();
    let kind = found.get("type").and_then(|node| reader.one_of(node, "`type`", MESSAGE_KINDS, &kinds));
    let topic = found.get("event").and_then(|event| reader.text(event, "an event"))?;
    topic_is_fit(reader, &topic);
    Some(Emit {
        topic,
        kind: kind.unwrap_or_default(),
        id,
        to,
        correlation,
        data: found.get("data").map(|data| reader.data(data)),
        ttl: found.get("ttl").and_then(|ttl| reader.duration(ttl, "`ttl`")),
    })
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
