//! A tool as it is described: by a file in `tools/`, or by one of the files that are built in. Both have one shape. An agent is a
//! tool that is described in `agents/`, or in the step that starts it, and that is asked with a task.
//!
//! Reading of a description is for `read`; finding a tool is in `registry`; what is called is for `plan`.

mod registry;

pub(super) use registry::Shelf;
pub use registry::{Registry, built_in_sources};

use crate::{Binding, Body, Data, EffectClass, Http, Place, Risk, Text};
use cuelight_base::{
    AGENT_PREFIX, BreakerRule, Digest, RateRule, Score, Span, Value, canonical_json, mcp_held, mcp_pin,
    sha256,
};
use serde_json::json;
use std::fmt;

/// One version of one tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// The name: `json.query`.
    pub name: String,
    /// The version of the tool.
    pub version: Version,
    /// The description, one sentence.
    pub description: String,
    /// The category; the first word of its name when not given.
    pub category: String,
    /// The reliability of its results.
    pub reliability: Reliability,
    /// The usual duration of a call.
    pub duration: Option<Span>,
    /// The cost of a call, in millionths of a dollar.
    pub cost_micro_usd: u64,
    /// The effect class: what a crash in the middle of a call means.
    pub effect: EffectClass,
    /// The damage that a wrong call could do.
    pub risk: Risk,
    /// The conditions that must hold before a call, for people.
    pub preconditions: Vec<String>,
    /// The conditions that hold after a success, for people.
    pub postconditions: Vec<String>,
    /// JSON Schema of what it is given: an object. Has been read once, so it is one.
    pub input: Value,
    /// JSON Schema of what it gives: an object.
    pub output: Value,
    /// When calls to it are held back because it fails.
    pub breaker: BreakerRule,
    /// The limit on the rate of calls.
    pub rate: Option<RateRule>,
    /// The capabilities, in the words that steps ask for.
    pub capabilities: Vec<String>,
    /// The priority, for routes that choose by it: the highest comes first.
    pub priority: i32,
    /// The properties of an agent; none for a tool.
    pub agent: Option<AgentTraits>,
    /// The implementation of the tool.
    pub body: ToolBody,
    /// The undo of a call.
    pub undo: ToolUndo,
    /// The file it stands in; `built in` for ours.
    pub origin: String,
}

/// The properties that only an agent has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentTraits {
    /// The interval of its heartbeats; none when it may stay silent to its end.
    pub heartbeat: Option<Span>,
    /// The environment of the agent, each value a template over `input`. A variable of the same name in the
    /// step takes precedence.
    pub env: Vec<(String, Text)>,
}

/// The undo of a tool call.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ToolUndo {
    /// Nothing is said of it.
    #[default]
    Unset,
    /// A call cannot be undone.
    Impossible,
    /// By a program or a script, whose templates read `input` and `output` of the call.
    By(Box<ToolBody>),
}

/// The implementation of a tool.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolBody {
    /// Code that runs in this process.
    BuiltIn,
    /// By an agent that comes for it by itself.
    Claim,
    /// A program and its arguments, each a template over `input`, handed over as it is.
    Words(Vec<String>),
    /// A script; its expressions have become variables.
    Script {
        /// The program that reads it.
        shell: Vec<String>,
        /// The text of the script.
        script: String,
        /// The variables that carry the values of its expressions.
        bindings: Vec<Binding>,
    },
    /// An HTTP request to a server.
    Http(Box<Http>),
    /// A tool of an MCP server.
    Mcp(Box<Mcp>),
}

/// A tool of an MCP server.
#[derive(Clone, Debug, PartialEq)]
pub struct Mcp {
    /// The address or the command of the server.
    pub server: McpServer,
    /// The name that the server uses for the tool.
    pub tool: String,
    /// The description by the server, as it was when it was accepted.
    pub says: Value,
    /// The place of that description in the file.
    pub says_place: Place,
}

/// The connection to an MCP server.
#[derive(Clone, Debug, PartialEq)]
pub enum McpServer {
    /// A program that is started for each call and spoken to on its standard input and output.
    Command(Vec<String>),
    /// An address; its header fields may read `env`.
    Url(Box<Http>),
}

/// The reliability of the results of a tool (O1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reliability {
    /// High reliability: confidence 0.95.
    High,
    /// Medium reliability: confidence 0.80.
    #[default]
    Medium,
    /// Low reliability: confidence 0.60.
    Low,
    /// Experimental: its results have a confidence of 0.40.
    Experimental,
}

/// A version of three numbers: major, minor, patch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub [u32; 3]);

impl ToolBody {
    /// All that is said of it, as JSON.
    fn json(&self) -> Value {
        match self {
            Self::BuiltIn => json!({"kind": "built-in"}),
            Self::Claim => json!({"kind": "claim"}),
            Self::Words(words) => json!({"kind": "command", "command": words}),
            Self::Http(http) => request(http),
            Self::Mcp(mcp) => json!({
                "kind": "mcp",
                "server": match &mcp.server {
                    McpServer::Command(words) => json!({"command": words}),
                    McpServer::Url(http) => {
                        let headers: Value = http.headers.iter().map(|(name, text)| json!([name, text.value])).collect();
                        json!({"url": http.url.value, "headers": headers})
                    }
                },
                "tool": mcp.tool,
                "pin": mcp_pin(&mcp_held(&mcp.says)),
                "says": mcp.says,
            }),
            Self::Script { shell, script, bindings } => json!({
                "kind": "command",
                "shell": shell,
                "script": script,
                "bindings": bindings.iter().map(|binding| json!([binding.variable, binding.expression.value])).collect::<Value>(),
            }),
        }
    }
}

impl Tool {
    /// `json.query@1.0.0`
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// The same as files and people write it: `reviewer@1.0.0` of an agent.
    pub fn called(&self) -> String {
        let id = self.id();
        id.strip_prefix(AGENT_PREFIX).map_or_else(|| id.clone(), str::to_owned)
    }

    /// True if a call that a model asks for waits at a gate before it is made. That is so for a call that
    /// changes something, and for a script that the model wrote. It is also so for a call to an address that
    /// the model chose, since that tells the other side something.
    pub fn needs_gate(&self) -> bool {
        let is_written = |property: &Value| property.get("x-fixed") == Some(&Value::Bool(true));
        let properties = self.input.get("properties").and_then(Value::as_object);
        self.effect != EffectClass::Pure
            || self.risk != Risk::ReadOnly
            || properties.is_some_and(|properties| properties.values().any(is_written))
            || match &self.body {
                ToolBody::Http(http) => http.url.value.contains("${{"),
                ToolBody::Mcp(mcp) => matches!(mcp.server, McpServer::Url(_)),
                ToolBody::Words(words) => words.first().is_none_or(|word| word.contains("${{")),
                ToolBody::BuiltIn | ToolBody::Claim | ToolBody::Script { .. } => false,
            }
    }

    /// All that is said of it, as JSON.
    pub fn json(&self) -> Value {
        let mut out = json!({
            "name": self.name,
            "version": self.version.to_string(),
            "description": self.description,
            "category": self.category,
            "reliability": self.reliability.word(),
            "confidence": self.reliability.score().to_string(),
            "duration_ms": self.duration.map(|duration| duration.0),
            "cost_micro_usd": self.cost_micro_usd,
            "effect": self.effect.word(),
            "risk": self.risk.word(),
            "preconditions": self.preconditions,
            "postconditions": self.postconditions,
            "input": self.input,
            "output": self.output,
            "body": self.body.json(),
        });
        match &self.undo {
            ToolUndo::Unset => {}
            ToolUndo::Impossible => out["undo"] = json!("none"),
            ToolUndo::By(by) => out["undo"] = by.json(),
        }
        if self.breaker != BreakerRule::default() {
            out["breaker"] = json!(self.breaker);
        }
        if let Some(rate) = &self.rate {
            out["rate"] = json!(rate);
        }
        if !self.capabilities.is_empty() {
            out["capabilities"] = json!(self.capabilities);
        }
        if self.priority != 0 {
            out["priority"] = json!(self.priority);
        }
        if let Some(agent) = &self.agent {
            let env: Vec<(&String, &String)> =
                agent.env.iter().map(|pair| (&pair.0, &pair.1.value)).collect();
            out["agent"] = json!({"heartbeat_ms": agent.heartbeat.map(|heartbeat| heartbeat.0), "env": env});
        }
        out
    }

    /// The hash of the whole description, to which plans and approvals are bound.
    pub fn hash(&self) -> Digest {
        sha256("cuelight-tool-v1", &[canonical_json(&self.json()).as_bytes()])
    }

    /// As models are told of it: a name they can take, what it does, what it is given.
    pub fn for_models(&self) -> Value {
        json!({
            "name": self.name.replace(['.', '/', ':'], "_"),
            "description": self.description,
            "input_schema": self.input,
        })
    }

    /// True if this tool matches a name and a version such as `1`, `1.0` or `1.0.0`.
    pub fn answers(&self, name: &str, version: &[u32]) -> bool {
        self.name == name && self.version.0.iter().zip(version).all(|(have, want)| have == want)
    }

    /// The names of what its results hold, as far as they are known.
    pub fn output_names(&self) -> impl Iterator<Item = &str> {
        properties(&self.output).map(|property| property.0)
    }
}

/// All that is said of a request, as JSON.
fn request(http: &Http) -> Value {
    let named = |values: &[(String, Data)]| -> Value {
        Value::Object(values.iter().map(|(name, data)| (name.clone(), data.value.clone())).collect())
    };
    json!({
        "kind": "http",
        "method": http.method,
        "url": http.url.value,
        "headers": http.headers.iter().map(|(name, text)| json!([name, text.value])).collect::<Value>(),
        "body": http.body.as_ref().map(|body| match body {
            Body::Text(text) => json!({"text": text.value}),
            Body::Json(data) => json!({"json": data.value}),
        }),
        "expect": {"status": http.expect_status, "json": named(&http.expect_json)},
        "redirects": http.redirects,
        "max_bytes": http.bytes_max,
    })
}

/// The properties of an object by its schema, each with its own.
pub(super) fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|entry| (entry.0.as_str(), entry.1))
}

impl Reliability {
    /// All of them with the word used in files.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("high", Self::High),
        ("medium", Self::Medium),
        ("low", Self::Low),
        ("experimental", Self::Experimental),
    ];

    /// The word used in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Experimental => "experimental",
        }
    }

    /// The confidence of a result that says nothing of it.
    pub const fn score(self) -> Score {
        match self {
            Self::High => Score(9500),
            Self::Medium => Score(8000),
            Self::Low => Score(6000),
            Self::Experimental => Score(4000),
        }
    }
}

impl Version {
    /// Reads `1`, `1.2` or `1.2.3`, with or without a `v`; what is not said is 0.
    pub fn parse(text: &str) -> Option<Self> {
        let parts = parts(text)?;
        let mut out = [0; 3];
        out[..parts.len()].copy_from_slice(&parts);
        Some(Self(out))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(out, "{major}.{minor}.{patch}")
    }
}

/// The one to three numbers of a version, as far as they are said.
fn parts(text: &str) -> Option<Vec<u32>> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
    parts.filter(|parts| parts.len() <= 3)
}
