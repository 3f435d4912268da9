//! Tools of a plan: the exact definition each step was planned with, the input of a step, and the resolved
//! call.
//!
//! Both ends are checked here: the input before anything starts, the output before anybody reads it.

use crate::{Answers, EffectClass, HttpWork, Risk};
use cuelight_base::{
    AGENT_TASK, AGENT_TASK_VARIABLE, AGENT_TASK_VARIABLE_BYTES_MAX, AGENT_TOKEN, AGENT_TOKEN_VARIABLE,
    AGENT_VARIABLE, AgentCall, BreakerRule, Digest, HttpCall, Launch, MCP_CALL_WORD, McpCall, RateRule,
    SPOOL_BYTES_MAX, Schema, SchemaProblem, Score, Span, SpawnedAgent, TextPart, ToolCall, Value, ValueMap,
    agent_name, json_if_any, safe_text, type_name,
};
use cuelight_definition as file;
use cuelight_expression::{Expr, Hole, MapLookup, Template, evaluate_text, parse, to_text};
use serde::{Deserialize, Serialize};

/// Problems of one value that a message names.
const PROBLEMS_SHOWN: usize = 3;

/// One tool, as the registry described it when the plan was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanTool {
    /// Its name in the registry: `json.query`.
    pub name: String,
    /// All three numbers of its version: `1.0.0`.
    pub version: String,
    /// Hash of its whole definition.
    pub definition: Digest,
    /// The description that people and models read.
    #[serde(default)]
    pub description: String,
    /// The category that it belongs to.
    #[serde(default)]
    pub category: String,
    /// The confidence of a result that reports none.
    pub reliability: Score,
    /// The usual duration of a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    /// The cost of a call, in millionths of a dollar.
    #[serde(default)]
    pub cost_micro_usd: u64,
    /// The meaning of a crash in the middle of a call.
    pub effect: EffectClass,
    /// The risk of a wrong call.
    pub risk: Risk,
    /// JSON Schema of its input.
    pub input: Value,
    /// JSON Schema of its output.
    pub output: Value,
    /// When calls to it are held back because it fails.
    #[serde(default, skip_serializing_if = "is_default")]
    pub breaker: BreakerRule,
    /// The rate limit of its calls; none when it has no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateRule>,
    /// Its capabilities, in words that steps ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// The priority when one of several tools is chosen: the higher, the sooner.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i32,
    /// The agent part, for a tool that is an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<PlanAgent>,
    /// The way in which a call is made.
    pub body: PlanToolBody,
    /// The undo of a call; none when its file has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<PlanToolUndo>,
}

/// The part of an agent that other tools do not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanAgent {
    /// The interval between the agent's heartbeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Span>,
    /// Variables of its environment, each a template over `input`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The way in which a tool is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanToolBody {
    /// In the process of the engine.
    BuiltIn,
    /// An agent claims the call by itself.
    Claim,
    /// A program and its arguments, each a template over `input`.
    Words(Vec<String>),
    /// A script that a shell gets as its last argument.
    Script {
        /// Program and options: `bash -euo pipefail -c`.
        shell: Vec<String>,
        /// The script; expressions in it have become references to the variables below.
        script: String,
        /// Variable, bare expression over `input`.
        bindings: Vec<(String, String)>,
    },
    /// An HTTP request that is sent.
    Http(Box<HttpWork>),
    /// A tool of an MCP server.
    Mcp(Box<McpWork>),
}

/// A tool of an MCP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct McpWork {
    /// The program that is started and spoken to; empty where the server has an address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The address of the server, when it is no program of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Box<HttpWork>>,
    /// The description that the server must give of the tool.
    pub held: McpCall,
}

/// The undo of a call of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanToolUndo {
    /// The call cannot be undone.
    Impossible,
    /// By a program or a script, whose templates read `input` and `output` of the call.
    By(Box<PlanToolBody>),
}

/// The body of a tool, as the plan keeps it.
fn body_of(body: &file::ToolBody) -> PlanToolBody {
    match body {
        file::ToolBody::BuiltIn => PlanToolBody::BuiltIn,
        file::ToolBody::Claim => PlanToolBody::Claim,
        file::ToolBody::Words(words) => PlanToolBody::Words(words.clone()),
        file::ToolBody::Http(http) => PlanToolBody::Http(Box::new(super::work::http(http))),
        file::ToolBody::Mcp(mcp) => {
            let held = McpCall::of(&mcp.tool, &mcp.says);
            let (command, http) = match &mcp.server {
                file::McpServer::Command(words) => (words.clone(), None),
                file::McpServer::Url(http) => (Vec::new(), Some(Box::new(super::work::http(http)))),
            };
            PlanToolBody::Mcp(Box::new(McpWork { command, http, held }))
        }
        file::ToolBody::Script { shell, script, bindings } => PlanToolBody::Script {
            shell: shell.clone(),
            script: script.clone(),
            bindings: bindings
                .iter()
                .map(|binding| (binding.variable.clone(), binding.expression.value.clone()))
                .collect(),
        },
    }
}

/// The variables of a call.
pub(super) type Variables = Vec<(String, Vec<TextPart>)>;

impl PlanToolBody {
    /// The words of a program and the variables of a script, with their expressions filled in. Empty for any
    /// other body.
    pub(super) fn words(&self, lookup: &MapLookup) -> Result<(Vec<String>, Variables), String> {
        let (mut argv, mut env) = (Vec::new(), Vec::new());
        match self {
            Self::Words(words) => {
                for word in words {
                    let template = Template::parse(word).map_err(|error| error.to_string())?;
                    match template.evaluate(lookup).map_err(|error| error.to_string())? {
                        Value::Array(items) => argv.extend(items.iter().map(to_text)),
                        other => argv.push(to_text(&other)),
                    }
                }
            }
            Self::Script { shell, script, bindings } => {
                argv.extend(shell.iter().chain([script]).cloned());
                for (name, expression) in bindings {
                    let expr = parse(expression).map_err(|error| error.to_string())?;
                    let text = evaluate_text(&expr, lookup).map_err(|error| error.to_string())?;
                    env.push((name.clone(), vec![TextPart::Text(text)]));
                }
            }
            Self::BuiltIn | Self::Claim | Self::Http(_) | Self::Mcp(_) => {}
        }
        Ok((argv, env))
    }
}

/// No program can be given a NUL byte.
pub(super) fn no_nul(argv: &[String], env: &Variables) -> Result<(), String> {
    let texts = env.iter().flat_map(|pair| &pair.1).filter_map(|part| match part {
        TextPart::Text(text) => Some(text),
        TextPart::Secret(_) => None,
    });
    if argv.iter().chain(texts).any(|text| text.contains('\0')) {
        return Err("its input holds a NUL byte, which no program can be given".to_owned());
    }
    Ok(())
}

/// The words of a call, and its variables as they are written.
pub(crate) type KnownWords = (Vec<String>, Vec<(String, String)>);

impl PlanTool {
    /// The tool as the plan keeps it.
    pub fn of(tool: &file::Tool) -> Self {
        Self {
            name: tool.name.clone(),
            version: tool.version.to_string(),
            definition: tool.hash(),
            description: tool.description.clone(),
            category: tool.category.clone(),
            reliability: tool.reliability.score(),
            duration: tool.duration,
            cost_micro_usd: tool.cost_micro_usd,
            effect: tool.effect,
            risk: tool.risk,
            input: tool.input.clone(),
            output: tool.output.clone(),
            breaker: tool.breaker,
            rate: tool.rate.clone(),
            capabilities: tool.capabilities.clone(),
            priority: tool.priority,
            agent: tool.agent.as_ref().map(|agent| PlanAgent {
                heartbeat: agent.heartbeat,
                env: agent.env.iter().map(|pair| (pair.0.clone(), pair.1.value.clone())).collect(),
            }),
            body: body_of(&tool.body),
            undo: match &tool.undo {
                file::ToolUndo::Unset => None,
                file::ToolUndo::Impossible => Some(PlanToolUndo::Impossible),
                file::ToolUndo::By(by) => Some(PlanToolUndo::By(Box::new(body_of(by)))),
            },
        }
    }

    /// `json.query@1.0.0`
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// The call that it makes of this input: nothing but its words, as [`Launch::of`], and the variables of
    /// its script.
    ///
    /// # Errors
    /// The mistake in the input, with its path; or the value that cannot become a word of a command.
    pub fn call(&self, given: ValueMap, beside: &Given<'_>) -> Result<Launch, String> {
        let input = self.input_of(given)?;
        let contexts = ValueMap::from_iter([("input".to_owned(), Value::Object(input.clone()))]);
        let lookup = MapLookup::new(contexts);
        let wrong = |why: String| format!("{} could not be called: {why}", self.id());
        let (mut argv, mut env, mut http, mut mcp) = (Vec::new(), Vec::new(), None, None);
        match &self.body {
            PlanToolBody::BuiltIn => argv.push(self.id()),
            PlanToolBody::Claim => {
                let name = agent_name(&self.name).unwrap_or_default();
                argv.extend(["claim".to_owned(), name.to_owned()]);
            }
            PlanToolBody::Http(work) => {
                let answers = OfInput { lookup: &lookup, given: beside };
                let call = work.call(&answers).map_err(wrong)?;
                argv = vec![call.method.clone(), call.shown_url()];
                let keyed = self.effect == EffectClass::Keyed;
                http = Some(Box::new(HttpCall { keyed, ..call }));
            }
            PlanToolBody::Mcp(mcp_work) => {
                match &mcp_work.http {
                    None => {
                        // No word of the server's among ours: which tool it is stands in the errand.
                        let own = ["cuelight", MCP_CALL_WORD, "--"].map(str::to_owned);
                        argv.extend(own.into_iter().chain(mcp_work.command.iter().cloned()));
                    }
                    Some(work) => {
                        let answers = OfInput { lookup: &lookup, given: beside };
                        let call = work.call(&answers).map_err(wrong)?;
                        argv = vec![call.method.clone(), call.shown_url(), mcp_work.held.tool.clone()];
                        http = Some(Box::new(call));
                    }
                }
                mcp = Some(Box::new(mcp_work.held.clone()));
            }
            PlanToolBody::Words(_) | PlanToolBody::Script { .. } => {
                (argv, env) = self.body.words(&lookup).map_err(wrong)?;
            }
        }
        if let Some(agent) = &self.agent {
            env.extend(self.environment(agent, &input, &lookup, beside).map_err(wrong)?);
        }
        no_nul(&argv, &env).map_err(wrong)?;
        let tool = ToolCall {
            name: self.name.clone(),
            version: self.version.clone(),
            definition: self.definition,
            input,
            built_in: self.body == PlanToolBody::BuiltIn,
            agent: self.agent.as_ref().map(|agent| AgentCall {
                heartbeat: agent.heartbeat,
                claim: self.body == PlanToolBody::Claim,
                spawned: beside.spawned.cloned().map(Box::new),
            }),
            mcp,
        };
        Ok(Launch {
            env,
            tool: Some(Box::new(tool)),
            http,
            output_limit: SPOOL_BYTES_MAX,
            ..Launch::of(argv)
        })
    }

    /// The words of its program, or of its undo, and its variables as they are written, before the input is
    /// known.
    /// An empty word stands for one that is not known yet. Nothing if no program is started.
    pub fn known_words(&self, undoes: bool) -> Option<KnownWords> {
        let body = match &self.undo {
            Some(PlanToolUndo::By(by)) if undoes => by,
            _ if undoes => return None,
            _ => &self.body,
        };
        let (words, bindings): (Vec<String>, &[_]) = match body {
            PlanToolBody::Words(words) => {
                let known = |word: &String| if word.contains("${{") { String::new() } else { word.clone() };
                (words.iter().map(known).collect(), &[][..])
            }
            PlanToolBody::Script { shell, script, bindings } => {
                (shell.iter().chain([script]).cloned().collect(), bindings.as_slice())
            }
            PlanToolBody::Mcp(work) if work.http.is_none() => (work.command.clone(), &[][..]),
            PlanToolBody::BuiltIn | PlanToolBody::Claim | PlanToolBody::Http(_) | PlanToolBody::Mcp(_) => {
                return None;
            }
        };
        let bound =
            bindings.iter().map(|(name, expression)| (name.clone(), format!("${{{{ {expression} }}}}")));
        let of_agent = self.agent.iter().filter(|_| !undoes).flat_map(|agent| agent.env.iter().cloned());
        Some((words, of_agent.chain(bound).collect()))
    }

    /// The environment of an agent: the variables of its file that its step does not set, its name, and its
    /// task.
    fn environment(
        &self,
        agent: &PlanAgent,
        input: &ValueMap,
        lookup: &MapLookup,
        beside: &Given<'_>,
    ) -> Result<Vec<(String, Vec<TextPart>)>, String> {
        let mut env = Vec::new();
        for (name, text) in agent.env.iter().filter(|pair| !beside.env.iter().any(|given| given.0 == pair.0))
        {
            let template = Template::parse(text).map_err(|error| error.to_string())?;
            env.push((name.clone(), template.evaluate_text(lookup).map_err(|error| error.to_string())?));
        }
        env.push((AGENT_VARIABLE.to_owned(), agent_name(&self.name).unwrap_or_default().to_owned()));
        let task = input.get(AGENT_TASK).map(to_text);
        if let Some(task) = task.filter(|task| task.len() <= AGENT_TASK_VARIABLE_BYTES_MAX) {
            env.push((AGENT_TASK_VARIABLE.to_owned(), task));
        }
        let spawned = beside.spawned.iter().flat_map(|spawned| spawned.variables());
        env.extend(spawned.map(|(name, text)| (name.to_owned(), text.to_owned())));
        let texts = env.into_iter().map(|(name, text)| (name, vec![TextPart::Text(text)]));
        let token = (AGENT_TOKEN_VARIABLE.to_owned(), vec![TextPart::Secret(AGENT_TOKEN.to_owned())]);
        Ok(texts.chain(beside.spawned.map(|_| token)).collect())
    }

    /// Checks that it could be called with this input, before anything begins.
    ///
    /// # Errors
    /// The problems of the input, with their paths.
    pub fn takes(&self, given: &ValueMap) -> Result<(), String> {
        self.input_of(given.clone()).map(drop)
    }

    /// The input with defaults filled in, when it fits.
    pub(super) fn input_of(&self, mut given: ValueMap) -> Result<ValueMap, String> {
        for (name, about) in properties(&self.input) {
            if let Some(default) = about.get("default").filter(|_| !given.contains_key(name)) {
                given.insert(name.clone(), default.clone());
            }
        }
        let value = Value::Object(given);
        let problems = problems(&self.input, &value)?;
        match value {
            Value::Object(input) if problems.is_empty() => Ok(input),
            _ => Err(format!("{} cannot take its input: {}", self.id(), listed(&problems))),
        }
    }

    /// Its results, each as the type the schema names. A value written to `$CUELIGHT_OUTPUT` is text at
    /// first.
    ///
    /// # Errors
    /// The values that do not fit, with their paths.
    pub fn output_of(&self, written: &ValueMap) -> Result<ValueMap, String> {
        let mut outputs = written.clone();
        for (name, about) in properties(&self.output) {
            let Some(Value::String(text)) = outputs.get(name) else { continue };
            if let Some(value) = from_text(text, about)
                .map_err(|why| format!("{} gave {name} as JSON that cannot be read: {why}", self.id()))?
            {
                outputs.insert(name.clone(), value);
            }
        }
        let value = Value::Object(outputs);
        let problems = problems(&self.output, &value)?;
        match value {
            Value::Object(outputs) if problems.is_empty() => Ok(outputs),
            _ => Err(format!("{} gave what it does not promise: {}", self.id(), listed(&problems))),
        }
    }
}

/// The context of a call beside its input: the environment of the step, and the inputs that another step
/// gave.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// Names and values, secrets by name; the last one of a name counts.
    pub env: &'a [(String, Vec<TextPart>)],
    /// True if the value of an input comes from another step.
    pub is_foreign: &'a dyn Fn(&str) -> bool,
    /// The agent's identity, if somebody asked for one.
    pub spawned: Option<&'a SpawnedAgent>,
}

impl Default for Given<'_> {
    fn default() -> Self {
        Self { env: &[], is_foreign: &|_| false, spawned: None }
    }
}

/// Fills the holes of a request of a tool.
struct OfInput<'a> {
    lookup: &'a MapLookup,
    given: &'a Given<'a>,
}

impl Answers for OfInput<'_> {
    type Error = String;

    fn text(&self, hole: &Hole) -> Result<String, String> {
        evaluate_text(&hole.expr, self.lookup).map_err(|error| error.to_string())
    }

    fn deep(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) if text.contains("${{") => {
                let template = Template::parse(text).map_err(|error| error.to_string())?;
                template.evaluate(self.lookup).map_err(|error| error.to_string())?
            }
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.deep(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let entries = map.iter().map(|(key, value)| Ok((key.clone(), self.deep(value)?)));
                Value::Object(entries.collect::<Result<_, String>>()?)
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    /// `env.NAME`: as the step has it, secrets by name; nothing at all where the step has none.
    fn secret(&self, hole: &Hole) -> Option<Vec<TextPart>> {
        let (root, name) = hole.source.split_once('.')?;
        let found = || self.given.env.iter().rfind(|pair| pair.0 == name).map(|pair| pair.1.clone());
        (root == "env").then(|| found().unwrap_or_default())
    }

    fn is_foreign(&self, expr: &Expr) -> bool {
        let is_foreign = |name: &str| (self.given.is_foreign)(name);
        expr.references().iter().any(|reference| reference.path.first().is_none_or(|name| is_foreign(name)))
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn problems(schema: &Value, value: &Value) -> Result<Vec<SchemaProblem>, String> {
    let schema = Schema::read(schema).map_err(|why| format!("its schema could not be read: {why}"))?;
    Ok(schema.problems(value))
}

fn listed(problems: &[SchemaProblem]) -> String {
    let shown: Vec<String> =
        problems.iter().take(PROBLEMS_SHOWN).map(|problem| safe_text(&problem.to_string())).collect();
    let more = problems.len().saturating_sub(PROBLEMS_SHOWN);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join("; "))
}

/// A text as what its schema wants, when it is one of the plain types and can be read so.
fn from_text(text: &str, about: &Value) -> Result<Option<Value>, String> {
    if about.get("x-json") == Some(&Value::Bool(true)) {
        return json_if_any(text);
    }
    let Some(wanted) = about.get("type").and_then(Value::as_str).filter(|text| *text != "string") else {
        return Ok(None);
    };
    let read = json_if_any(text.trim())?;
    Ok(read.filter(|json| {
        let is = type_name(json);
        is == wanted || wanted == "integer" && is == "number"
    }))
}
