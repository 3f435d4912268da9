//! The work of a step: a call, a request, a gate, a wait or a frame of other steps.

use super::{
    call::{ModelWork, Route, ToolUse},
    gate_rule::GateRule,
    step::PlanStep,
};
use crate::HttpWork;
use cuelight_base::{MessageKind, Span, Value, ValueMap};
use cuelight_definition::Scope;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The work of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Runs a script: a shell gets it as its last argument. Values reach it as environment variables only.
    Run {
        /// Program and options: `bash -euo pipefail -c`.
        shell: Vec<String>,
        /// The script; expressions in it have become references to the variables below.
        script: String,
        /// Bindings of the script: variable, bare expression.
        bindings: Vec<(String, String)>,
    },
    /// Calls a tool of the registry.
    Tool(ToolUse),
    /// Sends an HTTP request.
    Http(Box<HttpWork>),
    /// Asks a language model.
    Model(Box<ModelWork>),
    /// Waits for people at a gate.
    Gate(Arc<GateRule>),
    /// Waits for time to pass.
    Wait(WaitFor),
    /// Writes values into a scope.
    Set {
        /// The scope that is written.
        scope: Scope,
        /// Key, value; every text in it is a template.
        values: Vec<(String, Value)>,
        /// The lifetime of the values; none sets no limit.
        ttl: Option<Span>,
        /// The etag that each key must have, a template; null, empty or `none` where the key must not exist.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        expect: Vec<(String, Value)>,
    },
    /// Sends a message to the steps that wait for it.
    Emit(Box<Emission>),
    /// Holds other steps: the copies of a matrix, or another workflow.
    Frame(Box<Frame>),
    /// Work that this release can show and not run. Only an outline holds it; a plan that is to run never
    /// does.
    Later(Later),
}

impl Work {
    /// The tool that it uses, as `name@version`.
    pub fn tool(&self) -> Option<&str> {
        match self {
            Self::Tool(tool_use) => Some(&tool_use.tool),
            Self::Run { .. }
            | Self::Http(_)
            | Self::Model(_)
            | Self::Gate(_)
            | Self::Wait(_)
            | Self::Set { .. }
            | Self::Emit(_)
            | Self::Frame(_)
            | Self::Later(_) => None,
        }
    }

    /// The model that it asks.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Model(work) => Some(&work.model),
            Self::Run { .. }
            | Self::Tool(_)
            | Self::Http(_)
            | Self::Gate(_)
            | Self::Wait(_)
            | Self::Set { .. }
            | Self::Emit(_)
            | Self::Frame(_)
            | Self::Later(_) => None,
        }
    }

    /// The tools of which one is chosen, when it is such a choice.
    pub fn route(&self) -> Option<&Route> {
        match self {
            Self::Tool(tool_use) => tool_use.route.as_deref(),
            Self::Run { .. }
            | Self::Http(_)
            | Self::Model(_)
            | Self::Gate(_)
            | Self::Wait(_)
            | Self::Set { .. }
            | Self::Emit(_)
            | Self::Frame(_)
            | Self::Later(_) => None,
        }
    }

    /// The rules of the gate that it is.
    pub fn gate(&self) -> Option<&Arc<GateRule>> {
        match self {
            Self::Gate(rule) => Some(rule),
            Self::Run { .. }
            | Self::Tool(_)
            | Self::Http(_)
            | Self::Model(_)
            | Self::Wait(_)
            | Self::Set { .. }
            | Self::Emit(_)
            | Self::Frame(_)
            | Self::Later(_) => None,
        }
    }

    /// The frame that it is.
    pub fn frame(&self) -> Option<&Frame> {
        match self {
            Self::Frame(frame) => Some(frame),
            Self::Run { .. }
            | Self::Tool(_)
            | Self::Http(_)
            | Self::Model(_)
            | Self::Gate(_)
            | Self::Wait(_)
            | Self::Set { .. }
            | Self::Emit(_)
            | Self::Later(_) => None,
        }
    }

    /// True if it calls something outside: only that has attempts, and can be retried.
    pub const fn is_call(&self) -> bool {
        match self {
            Self::Run { .. } | Self::Tool(_) | Self::Http(_) | Self::Model(_) => true,
            Self::Gate(_)
            | Self::Wait(_)
            | Self::Set { .. }
            | Self::Emit(_)
            | Self::Frame(_)
            | Self::Later(_) => false,
        }
    }
}

/// Work that this version could show and not run; none is made any more, and the log keeps the old ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Later {
    /// The word of the file: `uses`, `llm` …
    pub kind: String,
    /// The tool, the model, the address: what tells one from another.
    pub target: String,
}

/// A step that holds others. It opens when its needs and `if` allow it, and ends with its last child; without
/// children it ends at once.
/// A child's failure aborts the frame, and the frame's `on-error` decides the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The kind of the frame.
    pub kind: FrameKind,
    /// Children running at once; 0 means no limit of its own.
    #[serde(default)]
    pub max_parallel: u32,
    /// True if the first failed child cancels the others.
    #[serde(default)]
    pub fail_fast: bool,
    /// Gates in it that have asked in an earlier run that this one does again: without them it does not complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
}

/// The kind of a frame, with the steps that it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameKind {
    /// Copies made before the run. The outputs of the frame are lists, one item a copy, in order.
    Matrix,
    /// Copies made when it opens, from the value of an expression: a list of objects, or an object of lists.
    Computed {
        /// The matrix; every text in it is a template.
        matrix: Value,
        /// The steps that every copy is made from, for `expand`: the step itself, then the steps that stand
        /// in it when it calls a workflow.
        /// Indices count as if they stood right after the frame.
        body: Vec<PlanStep>,
    },
    /// The steps of another workflow. Its rules for a run as a whole (`concurrency`, `budget`, `on-failure`)
    /// hold when it runs by itself; here the rules of this run hold.
    Workflow {
        /// The file of the workflow.
        file: String,
        /// Input, value; every text in it is a template in the outer scope.
        inputs: Vec<(String, Value)>,
        /// Values of inputs that are not given.
        defaults: ValueMap,
        /// Output, template in the inner scope.
        outputs: Vec<(String, String)>,
        /// Environment of its steps: name, template.
        env: Vec<(String, String)>,
    },
    /// A model that may ask for tools. Its calls are made step by step, and it is asked again with their
    /// results, until it answers without asking for a tool. The frame grows with every round.
    Talk(Box<Talk>),
}

/// A model and the tools that it may ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Talk {
    /// The step that asks the model, each time: it has no needs and no place, and the steps of the run are
    /// made from it.
    pub ask: PlanStep,
    /// The tools that the model may ask for.
    pub tools: Vec<TalkTool>,
    /// The largest number of rounds in which its calls are made.
    pub rounds: u32,
    /// The rules of its gates in addition to those of the tools: who and how many must approve, the timeout,
    /// and the least risk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Box<GateRule>>,
}

/// A tool that a model may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkTool {
    /// The name by which the model calls it: letters, digits and `_`.
    pub name: String,
    /// `name@1.2.3`: one of the tools of the plan.
    pub tool: String,
    /// True if each call of it waits at a gate.
    pub gated: bool,
}

/// The message that an `emit` step sends. Every text is a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Emission {
    /// The topic of the message.
    pub topic: String,
    /// The kind of the message.
    #[serde(default)]
    pub kind: MessageKind,
    /// The same id again is the same message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// To whom, when it is not for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The id of the conversation or message that it belongs to or answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// The content of the message.
    pub data: Value,
    /// The time in which the message can be received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
}

/// The event that ends a `wait` step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitFor {
    /// A length of time: a template that yields a duration.
    Duration(String),
    /// An instant: a template that yields RFC 3339.
    Until(String),
    /// Messages that somebody says.
    Message {
        /// The topic; a template.
        topic: String,
        /// The fields that the messages must have; every text in it is a template.
        filter: Vec<(String, Value)>,
        /// The number of messages.
        count: u32,
    },
}
