//! A call that an approval releases, as JSON.

use crate::spelled::{command_line, text, to_value};
use cuelight_base::{TextPart, Value, ValueMap};
use cuelight_engine::{WillFallBack, WillRun};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A call that an approval releases.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Call")]
pub(super) struct CallAnswer {
    step: String,
    command_line: String,
    argv: Vec<String>,
    launch_hash: String,
    /// Files that are executed or read, each with its hash.
    files: Value,
    effect: Value,
    /// `yes`, `no` where the workflow declares it impossible, `unset` where it says nothing.
    undo: String,
    /// Variables by name; a secret by its name alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    choice: String,
    /// True if a cached result may be used in place of the call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    may_be_cached: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<HttpAnswer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fallback: Vec<FallbackAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<ToolAnswer>,
}

/// The request of a call.
#[derive(Serialize, JsonSchema)]
struct HttpAnswer {
    method: String,
    url: String,
    target: String,
    body_sha256: Option<String>,
    body_bytes: usize,
    /// The fields that are sent, a line each.
    sends: Vec<String>,
}

/// A call that takes the place of another one that failed.
#[derive(Serialize, JsonSchema)]
struct FallbackAnswer {
    number: u64,
    command_line: String,
    argv: Vec<String>,
    launch_hash: String,
    files: Value,
}

/// The model of a call.
#[derive(Serialize, JsonSchema)]
struct ModelAnswer {
    name: String,
    provider: Value,
    model: String,
    url: String,
    /// The hash of its definition.
    definition: String,
    /// The question, a line each.
    asks: Vec<String>,
}

/// The tool of a call.
#[derive(Serialize, JsonSchema)]
struct ToolAnswer {
    name: String,
    version: String,
    /// The hash of its definition.
    definition: String,
    input: ValueMap,
}

impl CallAnswer {
    pub(super) fn of(will_run: &WillRun) -> Self {
        let launch = &will_run.launch;
        let environment = || launch.env.iter().map(|(name, parts)| (name.clone(), shown(parts))).collect();
        Self {
            step: will_run.step.clone(),
            command_line: command_line(launch),
            argv: launch.argv.clone(),
            launch_hash: will_run.launch_hash.to_string(),
            files: to_value(&will_run.files),
            effect: to_value(&will_run.effect),
            undo: will_run.undo.clone(),
            environment: (!launch.env.is_empty()).then(environment),
            choice: will_run.choice.clone(),
            may_be_cached: will_run.may_be_cached,
            http: launch.http.as_ref().map(|http| HttpAnswer {
                method: http.method.clone(),
                url: http.shown_url(),
                target: http.target(),
                body_sha256: text(http.body_digest()),
                body_bytes: http.body.as_ref().map_or(0, String::len),
                sends: http.lines(),
            }),
            fallback: will_run.fallback.iter().map(FallbackAnswer::of).collect(),
            model: launch.model.as_ref().map(|model| ModelAnswer {
                name: model.name.clone(),
                provider: to_value(&model.provider),
                model: model.model.clone(),
                url: model.url.clone(),
                definition: model.definition.to_string(),
                asks: model.lines(),
            }),
            tool: launch.tool.as_ref().map(|tool| ToolAnswer {
                name: tool.name.clone(),
                version: tool.version.clone(),
                definition: tool.definition.to_string(),
                input: tool.input.clone(),
            }),
        }
    }
}

impl FallbackAnswer {
    fn of(call: &WillFallBack) -> Self {
        Self {
            number: call.number.into(),
            command_line: command_line(&call.launch),
            argv: call.launch.argv.clone(),
            launch_hash: call.launch_hash.to_string(),
            files: to_value(&call.files),
        }
    }
}

fn shown(parts: &[TextPart]) -> String {
    let part = |part: &TextPart| match part {
        TextPart::Text(text) => text.clone(),
        TextPart::Secret(name) => format!("<secret {name}>"),
    };
    parts.iter().map(part).collect()
}
