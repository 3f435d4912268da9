//! The calls of steps: a tool with its input, one of several tools, and a question to a model.

use cuelight_base::{RoutePolicy, Value, ValueMap, agent_name};
use serde::{Deserialize, Serialize};

/// A step's use of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolUse {
    /// `name@1.2.3`: one of the tools of the plan.
    pub tool: String,
    /// Input, value; every text in it is a template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<(String, Value)>,
    /// The tools of which one is chosen when the step begins; then the tool above is the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Box<Route>>,
    /// The input of a call that a model asked for: data as it stands. No text in it is ever read as a
    /// template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Box<ValueMap>>,
    /// True if this is the undo of a call, as the tool's file says, and no call of the tool.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undoes: bool,
}

/// Several tools, of which one is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Route {
    /// The rule of the choice.
    pub policy: RoutePolicy,
    /// `name@1.2.3`: tools of the plan, in the order of the file.
    pub candidates: Vec<String>,
    /// The capabilities that the tool must have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<String>,
}

impl ToolUse {
    /// True if it is an agent that is given work.
    pub fn is_agent(&self) -> bool {
        agent_name(&self.tool).is_some()
    }
}

/// The question of a step to one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelWork {
    /// One of the models of the plan.
    pub model: String,
    /// Why this one, where there are others.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The system prompt; a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The prompt that it is asked; a template.
    pub prompt: String,
    /// JSON Schema that its answer must fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// As written, between 0 and 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<String>,
    /// Tokens of the answer; none means the model's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
}
