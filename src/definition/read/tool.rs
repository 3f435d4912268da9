//! A file that describes a tool or an agent: its keys, its schemas, and what its command may read of what it is given. And the agent
//! that a step describes itself.

mod body;
mod mcp;
mod name;
mod pace;
mod schema;
mod text_reads;

use super::fields::{Object, Reader, first_line};
use super::gate::risk;
use crate::document::{AGENT_FILE, EFFECTS, RELIABILITIES, TOOL};
use crate::tool::properties;
use crate::yaml::Node;
use crate::{AgentTraits, Data, EffectClass, Reliability, Risk, Tool, ToolBody, ToolUndo, Version};
use body::{body, claim, does_nothing, undo};
use cuelight_base::{AGENT_PREFIX, AGENT_TASK, BreakerRule, Value, shorten};
pub(crate) use name::is_tool;
pub(super) use name::tool_id;
pub(super) use pace::{breaker, rate};
pub(crate) use schema::is_fixed;
use schema::{anything, given_by_server, schema};
use serde_json::json;
use text_reads::reads;

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
        effect: EffectClass::Once,
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
        let found = top.get(key).map(|node| reader.names(node, what)).unwrap_or_default();
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
        effect: effect.unwrap_or(EffectClass::Once),
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

/// The meaning of a crash in the middle of a call.
pub(super) fn effect(reader: &mut Reader<'_, '_>, node: &Node) -> Option<EffectClass> {
    let values = [
        EffectClass::Pure,
        EffectClass::Idempotent,
        EffectClass::Keyed,
        EffectClass::Queryable,
        EffectClass::Once,
    ];
    reader.one_of(node, "`effect`", EFFECTS, &values)
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
