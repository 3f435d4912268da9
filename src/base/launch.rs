//! The call that a step is about to make, wholly resolved. The engine puts it into the event that asks for
//! the call; `tool` carries it out.
//! Secrets stand in it by name only; their values never reach an event, a hash or a screen.

use crate::{
    AgentCall, Digest, HttpCall, McpCall, ModelCall, ProcessLimits, SPOOL_BYTES_MAX, Span, SpawnedAgent,
    ValueMap, canonical_json, sha256,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The file in an attempt's directory that holds the first bytes of its output. Later stretches that do not
/// fit lie beside it as `log.<offset of the first byte>`. Between them may be gaps, where output was dropped.
pub const LOG_FILE: &str = "log";

/// The index of arrival times beside each of those files (see [`crate::Arrivals`]), with the same
/// ending: `times`, `times.<offset>`. A file without an index is read as well, and shown without times.
pub const TIMES_FILE: &str = "times";

/// Between an agent and the project that has it to itself, in the name of a target.
const OF_PROJECT: &str = " of project ";

/// One call: of a local program, of a tool that is built in, of an agent, a request, or a question to a
/// model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The program and its arguments; a script is the last argument of its shell.
    pub argv: Vec<String>,
    /// Variables added to the environment, in order; the last one of a name wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, Vec<TextPart>)>,
    /// The working directory: absolute, or below the workspace; none means the workspace itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// Files to keep when it has succeeded: glob patterns below the working directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// The timeout of this attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Bytes of output that are kept: beyond it, the head and the tail.
    #[serde(default = "output_limit_default")]
    pub output_limit: u64,
    /// True if its process ends when the engine that started it dies; otherwise it goes on under its guard.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ends_with_console: bool,
    /// The limits of each of its processes.
    #[serde(default, skip_serializing_if = "ProcessLimits::is_none")]
    pub limits: ProcessLimits,
    /// True if it reaches no more than it was given (`sandbox: strict`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sandboxed: bool,
    /// The tool of the registry and its input; none for a script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<Box<ToolCall>>,
    /// The request that is sent; then no program is started, and `argv` says it for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Box<HttpCall>>,
    /// The model that is asked; then no program is started, and `argv` names it for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Box<ModelCall>>,
}

/// A tool of the registry with its input: part of the call that a gate shows and an approval is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Its name: `json.query`.
    pub name: String,
    /// All three numbers: `1.0.0`.
    pub version: String,
    /// Hash of its definition: another command, schema or effect is another hash.
    pub definition: Digest,
    /// The input, checked and with defaults filled in. A program gets it as JSON on standard input.
    pub input: ValueMap,
    /// True if the tool runs in this process, without a program; then `argv` is its name for people.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub built_in: bool,
    /// The agent part, for a call of an agent: the answer is read from the agent's output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentCall>,
    /// The MCP part, for a call of a tool of an MCP server: the description that the server must give before
    /// the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcp: Option<Box<McpCall>>,
}

impl ToolCall {
    /// The tool with its version: `json.query@1.0.0`.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

/// A stretch of a value in the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextPart {
    /// A stretch of plain text.
    Text(String),
    /// The secret of this name, put in at launch.
    Secret(String),
}

impl Launch {
    /// A call with nothing but its words: the workspace as directory, no time limit, the whole output limit.
    pub fn of<I: IntoIterator<Item = S>, S: Into<String>>(argv: I) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            dir: None,
            artifacts: Vec::new(),
            timeout: None,
            output_limit: SPOOL_BYTES_MAX,
            ends_with_console: false,
            limits: ProcessLimits::default(),
            sandboxed: false,
            tool: None,
            http: None,
            model: None,
        }
    }

    /// The hash that an approval and an intent are bound to: the same words have the same hash, in every file
    /// and format.
    pub fn hash(&self) -> Digest {
        sha256("cuelight-launch-v1", &[canonical_json(self).as_bytes()])
    }

    /// The target of this call by its name: a tool with its version, the host of a request, a model, or a
    /// tool with the host of its request. A script is nobody's target.
    pub fn target(&self) -> Option<String> {
        if let Some(model) = &self.model {
            return Some(model.target());
        }
        match (&self.tool, &self.http) {
            (Some(tool), None) => Some(tool.id()),
            (None, Some(http)) => Some(http.target()),
            (Some(tool), Some(http)) => Some(format!("{} at {}", tool.id(), http.target())),
            (None, None) => None,
        }
    }

    /// The same in a project, where that has agents of its own: what one of them does to its circuit is no
    /// matter of another project's.
    pub fn target_in(&self, project: Option<&str>) -> Option<String> {
        let target = self.target()?;
        let is_own = self.is_claimed() || self.spawned().is_some();
        Some(match project.filter(|_| is_own) {
            Some(project) => format!("{target}{OF_PROJECT}{project}"),
            None => target,
        })
    }

    /// True if a program is started for it.
    pub fn is_process(&self) -> bool {
        self.http.is_none()
            && self.model.is_none()
            && !self.is_claimed()
            && !self.tool.as_ref().is_some_and(|tool| tool.built_in)
    }

    /// True if an agent claims this call by itself, and runs it elsewhere.
    pub fn is_claimed(&self) -> bool {
        self.tool.as_ref().and_then(|tool| tool.agent.as_ref()).is_some_and(|agent| agent.claim)
    }

    /// The agent that it starts for somebody who asked for one.
    pub fn spawned(&self) -> Option<&SpawnedAgent> {
        self.tool.as_ref()?.agent.as_ref()?.spawned.as_deref()
    }

    /// The limits of its processes and of its kept output, for people; none when they are the defaults.
    pub fn bounds(&self) -> Option<String> {
        let is_usual = self.output_limit == SPOOL_BYTES_MAX || !self.is_process();
        self.limits.words((!is_usual).then_some(self.output_limit), self.sandboxed)
    }

    /// The names of the secrets it needs.
    pub fn secret_names(&self) -> BTreeSet<&str> {
        let sent = self
            .http
            .iter()
            .flat_map(|http| http.headers.iter().flat_map(|header| &header.1).chain(&http.url));
        let parts = self.env.iter().flat_map(|(_, parts)| parts).chain(sent);
        let named = parts.filter_map(|part| match part {
            TextPart::Secret(name) => Some(name.as_str()),
            TextPart::Text(_) => None,
        });
        named.chain(self.model.iter().filter_map(|model| model.key.as_deref())).collect()
    }
}

/// The tool of a target: without the host that its requests go to, and without its project.
pub fn tool_of_target(target: &str) -> &str {
    let target = target.split_once(OF_PROJECT).map_or(target, |halves| halves.0);
    target.split_once(" at ").map_or(target, |halves| halves.0)
}

fn output_limit_default() -> u64 {
    SPOOL_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch() -> Launch {
        let parts = vec![TextPart::Text("Bearer ".to_owned()), TextPart::Secret("TOKEN".to_owned())];
        Launch { env: vec![("AUTH".to_owned(), parts)], ..Launch::of(["bash", "-c", "true"]) }
    }

    #[test]
    fn the_hash_survives_being_stored_and_changes_with_every_word() {
        let stored = serde_json::to_string(&launch()).expect("JSON");
        let read: Launch = serde_json::from_str(&stored).expect("our own JSON");
        assert_eq!(read, launch());
        assert_eq!(read.hash(), launch().hash());
        assert_ne!(Launch { timeout: Some(Span::seconds(1)), ..launch() }.hash(), launch().hash());
        assert_ne!(Launch::of(["bash", "-c true"]).hash(), Launch::of(["bash", "-c", "true"]).hash());
    }

    #[test]
    fn secrets_are_named_and_never_held() {
        assert_eq!(launch().secret_names(), BTreeSet::from(["TOKEN"]));
    }
}
