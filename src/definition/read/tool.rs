//! A file that describes a tool or an agent: its keys, its schemas, and what its command may read of what it is given. And the agent
//! that a step describes itself.

use super::{
    fields::{Object, Reader, first_line, locate},
    gate::risk,
    kinds::{http, is_tool, server_address},
    step::{effect, script, shell_words},
    top::{names, timezone},
};
use crate::{
    AgentTraits, Body, Data, Effect, Mcp, McpServer, Place, Reliability, Risk, Text, Tool, ToolBody,
    ToolUndo, Version,
    document::{AGENT_FILE, BREAKER, MCP, RATE, RELIABILITIES, TOOL, WHEN_OPEN},
    shell,
    spelling::suggest,
    tool::properties,
    yaml::{Node, Shape},
};
use cuelight_base::{
    AGENT_PREFIX, AGENT_TASK, BreakerRule, MCP_SAYS_BYTES_MAX, RateRule, Schema, Span, Value, WhenOpen,
    mcp_held, shorten, type_name,
};
use cuelight_expression::{Expr, Function, Template};
use serde_json::json;

/// One description of a tool. Where something was wrong, there is a finding.
pub(crate) fn tool(reader: &mut Reader<'_, '_>, root: &Node) -> Option<Tool> {
    let top = reader.object(root, &TOOL)?;
    described(reader, &top, "tool")
}

/// One description of an agent: a tool whose answer is read from what it says, and that has a task.
pub(crate) fn agent(reader: &mut Reader<'_, '_>, root: &Node) -> Option<Tool> {
    let top = reader.object(root, &AGENT_FILE)?;
    let tool = described(reader, &top, "agent");
    let env = top.get("env").map(|env| reader.env(env)).unwrap_or_default();
    for (_, text) in &env {
        reads(reader, tool.as_ref().map(|tool| &tool.input), text);
    }
    let heartbeat =
        top.get("heartbeat").and_then(|heartbeat| reader.positive_duration(heartbeat, "`heartbeat`"));
    let tool = tool?;
    Some(Tool {
        name: format!("{AGENT_PREFIX}{}", tool.name),
        category: AGENT_CATEGORY.to_owned(),
        agent: Some(AgentTraits { heartbeat, env }),
        ..tool
    })
}

/// The agent that a step describes itself: a command, which reads what the step gives it.
pub(super) fn agent_in_place(
    reader: &mut Reader<'_, '_>,
    found: &Object<'_>,
    step: &str,
    with: &[(String, Data)],
) -> Option<Tool> {
    let names = with.iter().map(|(name, _)| (name.clone(), json!({})));
    let given: Value = json!({"type": "object", "properties": names.collect::<Value>()});
    let body = body(reader, found, Some(&given))?;
    let heartbeat =
        found.get("heartbeat").and_then(|heartbeat| reader.positive_duration(heartbeat, "`heartbeat`"));
    let tool = Tool {
        name: format!("{AGENT_PREFIX}{step}"),
        version: Version::default(),
        description: format!("The command of step {step}"),
        category: AGENT_CATEGORY.to_owned(),
        reliability: Reliability::default(),
        duration: None,
        cost_micro_usd: 0,
        effect: Effect::Once,
        risk: Risk::ExternallyReversible,
        preconditions: Vec::new(),
        postconditions: Vec::new(),
        input: anything(),
        output: anything(),
        breaker: BreakerRule::default(),
        rate: None,
        capabilities: Vec::new(),
        priority: 0,
        agent: Some(AgentTraits { heartbeat, env: Vec::new() }),
        body,
        undo: ToolUndo::Unset,
        origin: reader.findings.file.to_owned(),
    };
    // Steps of other files may be called the same; what is not the same command is another agent.
    let mark: String = tool.hash().to_string().chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    Some(Tool { name: format!("{}.{mark}", tool.name), ..tool })
}

/// The category of all agents.
const AGENT_CATEGORY: &str = "agent";

/// With the task among what may be given, whatever else the schema names.
fn with_task(mut input: Value) -> Value {
    let is_named = properties(&input).any(|property| property.0 == AGENT_TASK);
    if let (Some(map), false) = (input.as_object_mut(), is_named) {
        let properties = map.entry("properties").or_insert_with(|| json!({}));
        properties[AGENT_TASK] = json!({"type": "string", "description": "What it is to do"});
    }
    input
}

/// The part of a description that tools and agents share.
fn described(reader: &mut Reader<'_, '_>, top: &Object<'_>, what: &'static str) -> Option<Tool> {
    let name = top.get("name").and_then(|node| name(reader, node, what));
    let version = top.get("version").and_then(|node| version(reader, node, what));
    let line = |reader: &mut Reader<'_, '_>, key: &str, what: &str| {
        top.get(key).and_then(|node| reader.word(node, what)).map(|word| word.value)
    };
    let description = line(reader, "description", "a description");
    let category = line(reader, "category", "a category");
    let reliability = top.get("reliability").and_then(|reliability| {
        let values: Vec<Reliability> = Reliability::ALL.iter().map(|entry| entry.1).collect();
        reader.one_of(reliability, "`reliability`", RELIABILITIES, &values)
    });
    let duration = top.get("duration").and_then(|duration| reader.duration(duration, "`duration`"));
    let cost = top.get("cost-usd").and_then(|cost_usd| reader.millionths(cost_usd, "`cost-usd`"));
    let effect = top.get("effect").and_then(|node| effect(reader, node));
    let risk = top.get("risk").and_then(|node| risk(reader, node));
    let words = |reader: &mut Reader<'_, '_>, key: &str, what: &str| -> Vec<String> {
        let found = top.get(key).map(|node| names(reader, node, what)).unwrap_or_default();
        found.into_iter().map(|name| name.value).collect()
    };
    let preconditions = words(reader, "preconditions", "a condition");
    let postconditions = words(reader, "postconditions", "a condition");
    let capabilities = words(reader, "capabilities", "a capability");
    let priority = top.get("priority").and_then(|priority| reader.whole(priority, "`priority`", 0, 1000));
    let input = top.get("input").map(|input| schema(reader, input, "`input`"));
    let of_server = if top.get("mcp").is_some() { body(reader, top, None) } else { None };
    let said = match &of_server {
        Some(ToolBody::Mcp(mcp)) => Some(mcp.says["inputSchema"].clone()),
        _ => None,
    };
    let input = input.unwrap_or_else(|| Some(said.unwrap_or_else(anything)));
    let input = if what == "agent" { input.map(with_task) } else { input };
    let output = top.get("output").map(|output| schema(reader, output, "`output`"));
    let output =
        output.unwrap_or_else(|| Some(if of_server.is_some() { given_by_server() } else { anything() }));
    let breaker = top.get("breaker").and_then(|node| breaker(reader, node)).unwrap_or_default();
    let rate = top.get("rate").and_then(|node| rate(reader, node));
    // What a server said was read for its schema.
    let body = match top.get("claim") {
        Some(node) => claim(reader, top, node),
        None if what == "agent" && top.get("command").is_none() => {
            does_nothing(reader, first_line(reader.findings.source, top.place));
            None
        }
        None if top.get("mcp").is_none() => body(reader, top, input.as_ref()),
        None => of_server,
    };
    let undo = top.get("undo").map(|node| undo(reader, top, node, input.as_ref()));
    let name = name?;
    Some(Tool {
        undo: undo.unwrap_or(Some(ToolUndo::Unset))?,
        version: version?,
        description: description?,
        category: category.unwrap_or_else(|| name.split(['.', '/']).next().unwrap_or(&name).to_owned()),
        reliability: reliability.unwrap_or_default(),
        duration,
        cost_micro_usd: cost.unwrap_or_default(),
        effect: effect.unwrap_or(Effect::Once),
        risk: risk.unwrap_or(Risk::ExternallyReversible),
        preconditions,
        postconditions,
        input: input?,
        output: output?,
        breaker,
        rate,
        capabilities,
        priority: priority.and_then(|priority| i32::try_from(priority).ok()).unwrap_or_default(),
        agent: None,
        body: body?,
        origin: reader.findings.file.to_owned(),
        name,
    })
}

pub(super) fn breaker(reader: &mut Reader<'_, '_>, node: &Node) -> Option<BreakerRule> {
    let found = reader.object(node, &BREAKER)?;
    let count = |reader: &mut Reader<'_, '_>, key: &str, absent: u32| {
        let count = found.get(key).and_then(|node| reader.whole(node, &format!("`{key}`"), 1, 1000));
        count.and_then(|count| u32::try_from(count).ok()).unwrap_or(absent)
    };
    let usual = BreakerRule::default();
    Some(BreakerRule {
        failures: count(reader, "failures", usual.failures),
        open_for: found
            .get("open-for")
            .and_then(|open_for| reader.duration(open_for, "`open-for`"))
            .unwrap_or(usual.open_for),
        successes: count(reader, "successes", usual.successes),
        when_open: found
            .get("when-open")
            .and_then(|when_open| {
                reader.one_of(when_open, "`when-open`", WHEN_OPEN, &[WhenOpen::Wait, WhenOpen::Fail])
            })
            .unwrap_or_default(),
    })
}

pub(super) fn rate(reader: &mut Reader<'_, '_>, node: &Node) -> Option<RateRule> {
    let found = reader.object(node, &RATE)?;
    let most = u64::from(u32::MAX);
    let mut count = |key: &str, most: u64| {
        found.get(key).and_then(|node| reader.whole(node, &format!("`{key}`"), 1, most))
    };
    let (calls, burst, per_day) = (count("calls", most), count("burst", most), count("per-day", u64::MAX));
    if calls.is_none() && per_day.is_none() {
        reader
            .findings
            .error("missing-key", first_line(reader.findings.source, node.place), "`rate` says no figure")
            .help("write {calls: 10, per: 1m}, {per-day: 1000}, or both");
        return None;
    }
    let number = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
    let calls = number(calls).unwrap_or(0);
    let per = found.get("per").and_then(|per| reader.duration(per, "`per`")).unwrap_or(Span::seconds(1));
    Some(RateRule {
        calls,
        per,
        burst: number(burst).unwrap_or(calls.max(1)),
        per_day,
        timezone: found.get("timezone").and_then(|node| timezone(reader, node)).unwrap_or_default(),
    })
}

fn anything() -> Value {
    json!({"type": "object"})
}

fn name(reader: &mut Reader<'_, '_>, node: &Node, what: &'static str) -> Option<String> {
    let name = reader.word(node, &format!("the name of the {what}"))?;
    if name.value.contains('@') || !is_tool(&format!("{}@1", name.value)) {
        let one = if what == "agent" { "an agent" } else { "a tool" };
        let message = format!("`{}` cannot be the name of {one}", shorten(&name.value, 60));
        let such = if what == "agent" { "reviewer" } else { "deploy.image" };
        reader
            .findings
            .error(what, node.place, message)
            .help(format!("letters, digits, `.`, `-`, `_`, such as {such}"));
        return None;
    }
    Some(name.value)
}

fn version(reader: &mut Reader<'_, '_>, node: &Node, what: &'static str) -> Option<Version> {
    let version = reader.word(node, "a version")?;
    let parsed = Version::parse(&version.value);
    if parsed.is_none() {
        let message = format!("`{}` is no version", shorten(&version.value, 60));
        reader.findings.error(what, node.place, message).help("write one to three numbers, such as 1.2.0");
    }
    parsed
}

/// A JSON Schema of an object.
fn schema(reader: &mut Reader<'_, '_>, node: &Node, what: &str) -> Option<Value> {
    let schema = reader.constant(node, &format!("{what}, a JSON Schema,"))?;
    let place = first_line(reader.findings.source, node.place);
    schema_of(reader, &schema, place, what)?;
    Some(schema)
}

fn schema_of(reader: &mut Reader<'_, '_>, schema: &Value, place: Place, what: &str) -> Option<()> {
    if !schema.is_object() {
        let message = format!("{what} is a JSON Schema; this is {}", type_name(schema));
        reader
            .findings
            .error("schema", place, message)
            .help("write a mapping with `type: object` and `properties:`");
        return None;
    }
    if let Err(why) = Schema::read(schema) {
        let message = format!("could not read {what} as JSON Schema: {why}");
        reader
            .findings
            .error("schema", place, message)
            .help("JSON Schema 2020-12; a `$ref` names a place in this schema");
        return None;
    }
    if schema.get("type") != Some(&json!("object")) {
        let message = format!("{what} describes an object: names with values");
        reader.findings.error("schema", place, message).help("add `type: object`");
        return None;
    }
    Some(())
}

fn body(reader: &mut Reader<'_, '_>, top: &Object<'_>, input: Option<&Value>) -> Option<ToolBody> {
    let shell_key = top.get("shell").and_then(|shell| shell_words(reader, shell));
    if let Some(node) = top.get("http") {
        return request(reader, top, node, input);
    }
    if let Some(node) = top.get("mcp") {
        return mcp(reader, top, node);
    }
    match (top.get("command"), top.get("built-in")) {
        (Some(command), None) => match &command.shape {
            Shape::List(_) => {
                if let Some(place) = top.key_place("shell") {
                    reader
                        .findings
                        .error("kind", place, "`shell` means nothing beside a list of words")
                        .help("no shell reads them; remove it, or write the command as one text");
                }
                command_of(reader, command, "`command`", &[], input, &["input"])
            }
            _ => {
                let shell = shell_key.unwrap_or_else(|| shell::words(""));
                command_of(reader, command, "`command`", &shell, input, &["input"])
            }
        },
        (None, Some(node)) if !reader.findings.file.contains('/') => {
            reader.boolean(node, "`built-in`").map(|_| ToolBody::BuiltIn)
        }
        (None, Some(node)) => {
            reader
                .findings
                .error("kind", node.place, "a tool in a file of yours cannot be built in")
                .help("give it a `command:`");
            None
        }
        _ => {
            reader
                .findings
                .error("missing-key", first_line(reader.findings.source, top.place), "this tool does nothing")
                .help("give it a `command:`, a list of words or a script, a request, `http:`, or a tool of an MCP server, `mcp:`");
            None
        }
    }
}

/// Words that are run as they are, or a script for this shell; what stands under these names may be read in them.
fn command_of(
    reader: &mut Reader<'_, '_>,
    command: &Node,
    what: &str,
    shell: &[String],
    input: Option<&Value>,
    roots: &[&str],
) -> Option<ToolBody> {
    let Shape::List(items) = &command.shape else {
        let script = script(reader, command, what, shell)?;
        reads_of(reader, input, &script.source, roots);
        return Some(ToolBody::Script {
            shell: shell.to_vec(),
            script: script.script,
            bindings: script.bindings,
        });
    };
    let texts: Vec<Text> =
        items.iter().filter_map(|item| reader.text_or_empty(item, "a word of a command")).collect();
    if texts.first().is_none_or(|text| text.value.trim().is_empty() || text.value.contains("${{")) {
        let place = first_line(reader.findings.source, command.place);
        reader
            .findings
            .error("tool", place, "a command begins with a program")
            .help("write [./deploy.sh, \"${{ input.image }}\"]");
        return None;
    }
    for (at, text) in texts.iter().enumerate() {
        reads_of(reader, input, text, roots);
        no_script(reader, input, &texts[..at], text);
    }
    Some(ToolBody::Words(texts.into_iter().map(|text| text.value).collect()))
}

/// The undo of a call, whose templates read the input and the output of the call.
fn undo(
    reader: &mut Reader<'_, '_>,
    top: &Object<'_>,
    node: &Node,
    input: Option<&Value>,
) -> Option<ToolUndo> {
    if matches!(&node.shape, Shape::Scalar(scalar) if scalar.text.trim() == "none") {
        return Some(ToolUndo::Impossible);
    }
    let is_script = matches!(&node.shape, Shape::Scalar(_));
    let shell = top.get("shell").filter(|_| is_script).and_then(|shell| shell_words(reader, shell));
    let shell = shell.unwrap_or_else(|| shell::words(""));
    let by = command_of(reader, node, "`undo`", &shell, input, &["input", "output"])?;
    Some(ToolUndo::By(Box::new(by)))
}

/// An agent that comes for its work by itself: there is nothing to start here, and no environment to start it in.
fn claim(reader: &mut Reader<'_, '_>, top: &Object<'_>, node: &Node) -> Option<ToolBody> {
    for key in ["command", "shell", "env", "heartbeat"] {
        if let Some(place) = top.key_place(key) {
            let message = format!("`{key}` means nothing beside `claim`");
            reader.findings.error("kind", place, message).help(
                "an agent that comes by itself is started elsewhere, and says when it registers how often it gives a sign of life; remove one of them",
            );
        }
    }
    match reader.boolean(node, "`claim`") {
        Some(true) => Some(ToolBody::Claim),
        Some(false) => {
            does_nothing(reader, node.place);
            None
        }
        None => None,
    }
}

fn does_nothing(reader: &mut Reader<'_, '_>, place: Place) {
    let help = "give it a `command:`, a list of words or a script, or `claim: true` when it comes for its work by itself";
    reader.findings.error("missing-key", place, "this agent does nothing").help(help);
}

/// A request. Its address and header fields may read `env`, which is how secrets reach a tool.
fn request(
    reader: &mut Reader<'_, '_>,
    top: &Object<'_>,
    node: &Node,
    input: Option<&Value>,
) -> Option<ToolBody> {
    stands_alone(reader, top, "http", &["command", "shell", "built-in", "mcp"]);
    let http = http(reader, node)?;
    for text in http.headers.iter().map(|header| &header.1).chain([&http.url]) {
        reads_of(reader, input, text, &["input", "env"]);
    }
    let values = http.expect_json.iter().map(|pair| &pair.1);
    let body: Vec<&Data> = match &http.body {
        Some(Body::Text(text)) => {
            reads(reader, input, text);
            values.collect()
        }
        Some(Body::Json(data)) => values.chain([data]).collect(),
        None => values.collect(),
    };
    for data in body {
        texts_in(&data.value).into_iter().for_each(|value| {
            reads(reader, input, &Text { value: value.to_owned(), place: data.place });
        });
    }
    Some(ToolBody::Http(Box::new(http)))
}

/// A tool is one thing.
fn stands_alone(reader: &mut Reader<'_, '_>, top: &Object<'_>, word: &str, others: &[&str]) {
    if let Some((other, place)) = others.iter().find_map(|name| Some((name, top.key_place(name)?))) {
        reader
            .findings
            .error("kind", place, format!("`{other}` means nothing beside `{word}`"))
            .help("a tool is a command, a request or a tool of an MCP server; remove one of them");
    }
}

/// A tool of an MCP server. What the server said of it stands there as it came, and is never read as a template.
fn mcp(reader: &mut Reader<'_, '_>, top: &Object<'_>, node: &Node) -> Option<ToolBody> {
    stands_alone(reader, top, "mcp", &["command", "shell", "built-in"]);
    let found = reader.object(node, &MCP)?;
    let place = first_line(reader.findings.source, node.place);
    let tool = found.get("tool").and_then(|tool| reader.word(tool, "the name of a tool"));
    let says =
        found.get("says").and_then(|node| said(reader, node, tool.as_ref().map(|tool| tool.value.as_str())));
    let server = match (found.get("command"), found.get("url")) {
        (Some(command), None) => {
            if let Some(place) = found.key_place("headers") {
                let help = "a program is given what it needs under `env:` of the step";
                reader.findings.error("kind", place, "`headers` means nothing beside `command`").help(help);
            }
            let nodes = reader.list(command, "`command` is a list of words");
            let words: Vec<String> = nodes
                .iter()
                .filter_map(|node| reader.text_or_empty(node, "a word of a command"))
                .map(|text| text.value)
                .collect();
            if words.first().is_none_or(|word| word.trim().is_empty())
                || words.iter().any(|word| word.contains("${{"))
            {
                let message = "the command of a server is a program and its words, without expressions";
                reader.findings.error("tool", place, message).help("write [npx, -y, some-server]");
                return None;
            }
            McpServer::Command(words)
        }
        (None, Some(_)) => {
            let http = server_address(reader, &found)?;
            for text in http.headers.iter().map(|header| &header.1).chain([&http.url]) {
                reads_of(reader, None, text, &["env"]);
            }
            McpServer::Url(Box::new(http))
        }
        (Some(_), Some(_)) | (None, None) => {
            let message = "a server is a `command:` or has a `url:`";
            reader.findings.error("kind", place, message).help("write one of them");
            return None;
        }
    };
    let says_place = found.get("says").map(|node| node.place)?;
    Some(ToolBody::Mcp(Box::new(Mcp { server, tool: tool?.value, says: says?, says_place })))
}

/// The description of a tool by its server: JSON as it came, with a schema of the tool's input.
fn said(reader: &mut Reader<'_, '_>, node: &Node, tool: Option<&str>) -> Option<Value> {
    let says = node.to_value();
    let place = first_line(reader.findings.source, node.place);
    let mut wrong = |message: String| {
        reader.findings.error("tool", place, message).help("`cuelight tool accept` writes it anew");
        None
    };
    if says.to_string().len() > MCP_SAYS_BYTES_MAX {
        return wrong(format!("`says` has more than {MCP_SAYS_BYTES_MAX} bytes"));
    }
    if says.get("name").and_then(Value::as_str) != tool || says != mcp_held(&says) {
        return wrong("`says` is not what a server says of this tool".to_owned());
    }
    schema_of(reader, &says["inputSchema"], place, "`says.inputSchema`")?;
    if let Some(output) = says.get("outputSchema") {
        schema_of(reader, output, place, "`says.outputSchema`")?;
    }
    Some(says)
}

/// The default output schema of an MCP tool, unless its file declares more.
fn given_by_server() -> Value {
    json!({"type": "object", "properties": {
        "text": {"type": "string", "description": "All text of the result"},
        "structured": {"x-json": true, "description": "The result as data, where the tool gives data"},
        "content": {"type": "array", "description": "The parts of the result, as the server gave them"},
    }})
}

/// Every text in a value.
fn texts_in(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts_in).collect(),
        Value::Object(map) => map.values().flat_map(texts_in).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// Every expression in it reads `input` alone, and only what the schema names.
fn reads(reader: &mut Reader<'_, '_>, input: Option<&Value>, text: &Text) {
    reads_of(reader, input, text, &["input"]);
}

fn reads_of(reader: &mut Reader<'_, '_>, input: Option<&Value>, text: &Text, roots: &[&str]) {
    let Ok(template) = Template::parse(&text.value) else { return };
    let known: Vec<String> = input
        .map(|input| properties(input).map(|property| property.0.to_owned()).collect())
        .unwrap_or_default();
    for hole in template.holes() {
        let mut wrong: Vec<(std::ops::Range<usize>, String, String)> = Vec::new();
        for reference in hole.expr.references() {
            let name = reference.path.first();
            if !roots.iter().any(|root| reference.root.eq_ignore_ascii_case(root)) {
                let message = format!("a tool does not see `{}`", reference.root);
                let help = if roots.contains(&"output") {
                    "it reads `input`, which the call was given, and `output`, which it gave"
                } else {
                    "it reads `input`, which the step gives it"
                };
                wrong.push((reference.span, message, help.to_owned()));
            } else if let Some(name) = name
                .filter(|_| reference.root.eq_ignore_ascii_case("input"))
                .filter(|name| !known.is_empty() && !known.contains(name))
            {
                let near = suggest(name, known.iter().map(String::as_str));
                let help = near.map_or_else(
                    || {
                        "name it under `input:` of its file, or under `with:` of the step that describes it"
                            .to_owned()
                    },
                    |near| format!("did you mean `{near}`?"),
                );
                wrong.push((reference.span, format!("`input` has no property `{name}`"), help));
            }
        }
        for (function, span) in asks_the_world(&hole.expr) {
            let message = format!("`{}()` cannot be asked in a tool", function.name());
            wrong.push((span, message, "give the tool what it needs as input".to_owned()));
        }
        for (span, message, help) in wrong {
            let place = at(reader, text, hole.inner.start + span.start..hole.inner.start + span.end);
            reader.findings.error("expression", place, message).help(help);
        }
    }
}

fn asks_the_world(expr: &Expr) -> Vec<(Function, std::ops::Range<usize>)> {
    let asks = |function: Function| {
        cuelight_expression::StatusFunction::of(function).is_some() || function.name() == "hashFiles"
    };
    expr.functions().into_iter().filter(|(function, _)| asks(*function)).collect()
}

/// After `bash -c` a value would be a script. It may be one only where the schema says that it is written in the workflow.
fn no_script(reader: &mut Reader<'_, '_>, input: Option<&Value>, before: &[Text], text: &Text) {
    let words: Vec<String> = before.iter().map(|text| text.value.clone()).collect();
    let Some(last) = words.last().filter(|_| text.value.contains("${{") && shell::is_known(&words)) else {
        return;
    };
    let tells = last.starts_with('-') && !last.starts_with("--") && last.ends_with('c');
    let Ok(template) = Template::parse(&text.value) else { return };
    let holes: Vec<_> = template.holes().collect();
    let fixed = |name: &str| {
        input.is_some_and(|input| properties(input).any(|(key, about)| key == name && is_fixed(about)))
    };
    let is_fixed = holes.iter().all(|hole| {
        let references = hole.expr.references();
        matches!(references.as_slice(), [one] if one.path.first().is_some_and(|text| fixed(text)))
    });
    if tells && !is_fixed {
        reader
            .findings
            .error("shell-quoting", text.place, "a value would be read as a script here")
            .help("write the script under `command:` as one text; an expression in it becomes a variable");
    }
}

/// True if a property must be written in the workflow and cannot be computed.
pub(crate) fn is_fixed(about: &Value) -> bool {
    about.get("x-fixed") == Some(&Value::Bool(true))
}

fn at(reader: &Reader<'_, '_>, text: &Text, range: std::ops::Range<usize>) -> Place {
    locate(reader.findings, text.place, &text.value, range)
}
