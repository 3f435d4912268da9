//! The shapes of a plan. A stored contract: fields are only added, each with a default.
//!
//! A `Text` here is the source of a template (`${{ }}` inside text) or, if its comment tells, of one bare
//! expression. The engine evaluates it when its step starts, never before.

use crate::{Amounts, Ceilings, HttpWork, ModelWork, PlanModel, PlanTool, Requires, Route, ToolUse};
use cuelight_base::{
    Digest, FailureMode, MessageKind, ProcessLimits, Score, Span, SpawnedAgent, StepIx, Value, ValueMap,
    canonical_json, sha256,
};
use serde::{Deserialize, Deserializer, Serialize};
use std::sync::Arc;

/// All that one run will do, in file order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// The name of the workflow.
    pub name: String,
    /// The description of the workflow.
    pub description: String,
    /// The file it came from, as it was given.
    pub file: String,
    /// Hash of the text of the file and of every file it includes.
    pub definition: Digest,
    /// Inputs, checked and with defaults filled in.
    pub inputs: ValueMap,
    /// Environment of every step: name, template.
    pub env: Vec<(String, String)>,
    /// Names of secrets that steps may be given.
    pub secrets: Vec<String>,
    /// The steps. A step's needs may stand anywhere; children of a frame stand after it.
    #[serde(deserialize_with = "exactly")]
    pub steps: Vec<PlanStep>,
    /// Outputs of the run: name, template.
    pub outputs: Vec<(String, String)>,
    /// The effect of an aborting failure on the other steps.
    pub on_failure: OnFailure,
    /// The timeout of the run; waiting at a gate counts.
    pub timeout: Option<Span>,
    /// Steps running at once; 0 means the default.
    pub max_parallel: u32,
    /// The other runs that it may not run beside.
    pub concurrency: Option<Concurrency>,
    /// The budget of the run.
    pub budget: Option<Budget>,
    /// The tools its steps use, each as it was described when the plan was made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<PlanTool>,
    /// The models its steps ask, each as it was described when the plan was made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<PlanModel>,
    /// The agent that it starts, where somebody asked for one and for nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spawned: Option<Box<SpawnedAgent>>,
}

/// No more room than there are steps: a list that grows as it is read has up to twice as much.
fn exactly<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PlanStep>, D::Error> {
    let mut steps = Vec::deserialize(deserializer)?;
    steps.shrink_to_fit();
    Ok(steps)
}

impl Plan {
    /// The hash that the trail holds a run to: the same plan has the same hash, wherever it was made or
    /// stored.
    pub fn hash(&self) -> Digest {
        sha256("cuelight-plan-v1", &[canonical_json(self).as_bytes()])
    }

    /// The tool of this id, `name@1.2.3`.
    pub fn tool(&self, id: &str) -> Option<&PlanTool> {
        let (name, version) = id.split_once('@')?;
        self.tools.iter().find(|tool| tool.name == name && tool.version == version)
    }
}

/// When an earlier result may stand for a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheRule {
    /// Same key, same result; a template.
    pub key: String,
    /// The lifetime of a result; none means until it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
}

/// One step. A plan has many, and two copies of all while a run begins: fields that few steps use are boxed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanStep {
    /// Unique in the run: `build`, `test[unit]`, `ship/push`.
    pub id: String,
    /// The id by which expressions of its siblings call it (`steps.push`): without the path of its scope.
    pub local: String,
    /// The `workflow` frame whose names and inputs its expressions see; `None` at the top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<StepIx>,
    /// The frame it is a child of: starts only when that is open, counts towards its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<StepIx>,
    /// The steps that must have ended first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepIx>,
    /// A bare expression; `None` means `success()`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The work of the step.
    pub work: Work,
    /// Environment: name, template. A template that is one `${{ secrets.X }}` is passed on as a name. The
    /// environment of a workflow frame reaches the steps in it, below their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
    /// Working directory, a template, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// The timeout of one attempt; gates and back-off never count. For a workflow frame: of all of it,
    /// waiting counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// The retry of failed attempts; `None` means one attempt. For a workflow frame: the retry of the steps
    /// that failed in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Box<Retry>>,
    /// The effect of its failure on the run.
    #[serde(default)]
    pub on_error: OnError,
    /// Work tried in order after the last attempt; for a workflow frame, done in its place after its last
    /// try.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<Work>,
    /// The undo of the step.
    #[serde(default)]
    pub undo: Undo,
    /// Declared outputs: name, type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<(String, OutputType)>,
    /// Files to keep: glob patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// The meaning of a crash in mid-step.
    #[serde(default)]
    pub effect: EffectClass,
    /// True if its process ends when the engine that started it dies. Otherwise it goes on, and a later
    /// engine records its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ends_with_console: bool,
    /// The limits of each of its processes.
    #[serde(default, skip_serializing_if = "ProcessLimits::is_none")]
    pub limits: ProcessLimits,
    /// Bytes of output that are kept of each call; as many as ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_limit: Option<u64>,
    /// True if its processes reach no more than they were given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sandboxed: bool,
    /// On which machine it may run: looked at before the run is started.
    #[serde(default, skip_serializing_if = "Requires::is_nothing")]
    pub requires: Requires,
    /// Answers whether an effect of class `queryable` happened: exit 0 yes, 1 no, else unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Box<Work>>,
    /// The priority in the queue: higher starts first.
    #[serde(default)]
    pub priority: i32,
    /// Gives the type of its errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The least confidence of a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Box<ConfidenceRule>>,
    /// `matrix.*` of this copy.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub matrix: ValueMap,
    /// The title of the step, shown beside its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The budget of all its calls together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Box<Budget>>,
    /// The expected usage of one call: charged when the call begins, corrected by the usage that the call
    /// reports.
    #[serde(default, skip_serializing_if = "Amounts::is_nothing")]
    pub estimate: Amounts,
    /// When an earlier result may stand for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Box<CacheRule>>,
}

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

/// The retry of failed attempts. `max_attempts` counts all calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// All calls, the first one too; at least 1.
    pub max_attempts: u32,
    /// The growth of the delay.
    pub kind: RetryKind,
    /// Before the second attempt.
    pub delay: Span,
    /// Growth of each delay, in thousandths (2000 doubles).
    pub factor_thousandths: u32,
    /// Never longer than this.
    pub max_delay: Span,
    /// Up to this share more or less, drawn from the run's seed.
    pub jitter: Score,
    /// Only these modes; empty means every failure but the terminal ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<FailureMode>,
}

/// The growth of the delay between attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words are the field's")]
pub enum RetryKind {
    #[default]
    Exponential,
    Linear,
    Constant,
    None,
}

/// The effect of a step's failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// The run reacts by its `on-failure`.
    #[default]
    Abort,
    /// Dependents see it as skipped; the run goes on.
    Skip,
    /// Dependents decide by their `if`; the run goes on.
    Continue,
}

/// The effect of an aborting failure, or of a rejection, on the rest of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Starts nothing new; what runs may end.
    #[default]
    Stop,
    /// Goes on with steps that do not depend on it.
    Continue,
    /// Stops, then undoes the completed steps.
    Compensate,
}

/// The undo of a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// The file says nothing about undo.
    #[default]
    Unset,
    /// The file declares that it cannot be undone; shown at gates.
    Impossible,
    /// This work undoes the step.
    By(Box<Work>),
}

/// The type of a declared output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words are JSON Schema's")]
pub enum OutputType {
    #[default]
    String,
    Number,
    Integer,
    Boolean,
    Object,
    Array,
    Any,
}

/// The meaning of a crash in mid-step (`reliability.md` 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectClass {
    /// Nothing happens outside: run again.
    Pure,
    /// Twice is once: run again.
    Idempotent,
    /// The other side removes duplicates by our key: run again with the same key.
    Keyed,
    /// A check says whether it happened.
    Queryable,
    /// None of these: a person is asked.
    #[default]
    Once,
}

/// A result's confidence must be at least this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfidenceRule {
    /// The output that holds it; else the step reports `confidence`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The least that is good enough.
    pub min: Score,
    /// The effect of a confidence below `min`.
    pub below: ConfidenceBelow,
}

/// The effect of a result below its least confidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words are the file's")]
pub enum ConfidenceBelow {
    Gate,
    Fail,
    Warn,
}

/// The scope that `set` writes to, and its lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Ends with the run: `vars.key`, `state.run.key`.
    Run,
    /// Shared by all runs that one actor starts: `state.session.key`.
    Session,
    /// Shared by the whole workspace: `state.global.key`.
    Global,
}

/// The other runs that a run may not run beside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Concurrency {
    /// Name of the group, evaluated when the run was launched.
    pub group: String,
    /// The reaction when another run of the group is open.
    pub on_conflict: OnConflict,
    /// True if `cancel-running` also cancels a run that waits at a gate.
    #[serde(default)]
    pub cancel_waiting: bool,
}

/// The reaction of a second run of a concurrency group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// Waits for the first.
    #[default]
    Queue,
    /// Does not start; rests as cancelled with the reason.
    Skip,
    /// Cancels the first; one that waits at a gate only if told so.
    CancelRunning,
}

/// The most that a run, or one step of it, may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Millionths of a dollar.
    pub cost_micro_usd: Option<u64>,
    /// Calls: attempts of steps that do something outside.
    pub calls: Option<u64>,
    /// Tokens of models, input and output together.
    pub tokens: Option<u64>,
    /// The reaction at 100 %.
    pub on_exceed: OnExceed,
}

impl Budget {
    /// The most that may be used.
    pub const fn ceilings(&self) -> Ceilings {
        Ceilings::new(self.calls, self.tokens, self.cost_micro_usd)
    }
}

/// The reaction when a budget is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnExceed {
    /// Goes on, and says so once.
    Warn,
    /// Fails the step with `policy_budget`.
    #[default]
    Block,
    /// Opens a gate that can raise the ceiling for this run.
    Gate,
}

impl OnExceed {
    /// The word of the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Block => "block",
            Self::Gate => "gate",
        }
    }
}

/// The damage if the steps that a gate releases were wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Low risk: nothing changes.
    ReadOnly,
    /// Low risk: we can undo it.
    #[default]
    Reversible,
    /// Normal risk: only others can undo it.
    ExternallyReversible,
    /// High risk: nobody can undo it.
    Irreversible,
}

/// A need for people of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// The group; `None` means anybody who may decide.
    pub group: Option<String>,
    /// The number of different people.
    pub count: u32,
}

/// The reaction when nobody answered in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words are the file's")]
pub enum OnTimeout {
    #[default]
    Reject,
    Approve,
    Escalate,
}

/// A parameter that people may give or change at a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Need {
    /// Its name: `steps.approve.form.NAME`.
    pub name: String,
    /// The JSON type of its value.
    pub kind: OutputType,
    /// True if an approval must have it.
    pub required: bool,
    /// A regular expression a text must match.
    pub pattern: Option<String>,
    /// The only values it may have; empty means any.
    pub choices: Vec<Value>,
    /// The value when nobody gives another; every text in it is a template.
    pub default: Option<Value>,
    /// The description that people read.
    pub description: Option<String>,
}

/// The rules of one gate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GateRule {
    /// The question: a template.
    pub prompt: String,
    /// The requester's claim about it: a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// The risk of the steps that it releases.
    pub risk: Risk,
    /// The people who have to approve; empty means one person.
    pub require: Vec<Quorum>,
    /// The people who do not count: `run.actor`, a name, `group:NAME`, or a template that yields one of them.
    pub forbid: Vec<String>,
    /// The evidence that is shown: paths of files and templates.
    pub evidence: Vec<String>,
    /// The values that the approval is bound to: templates whose values are part of the ask.
    pub binds: Vec<String>,
    /// Typed parameters that people fill in.
    pub form: Vec<Need>,
    /// A bare expression that approves by policy.
    pub auto: Option<String>,
    /// When to ring again, counted from the opening.
    pub remind: Vec<Span>,
    /// After this long, this person or the people of this group (`group:NAME`) may decide as well: a
    /// template.
    pub escalate: Option<(Span, String)>,
    /// The timeout of the gate; `None` waits for ever.
    pub timeout: Option<Span>,
    /// The reaction at the timeout.
    pub on_timeout: OnTimeout,
    /// The effect of a rejection on the run.
    pub on_reject: OnFailure,
    /// The time in which an approval can be undone; `None` is the default.
    pub undo_window: Option<Span>,
    /// True if an approval needs a reason as well.
    pub reason_required: bool,
    /// The step, as it is called in the same file, from which all is done again when the ask is sent back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_back: Option<String>,
    /// Patterns of the files that are captured when the gate asks; the steps behind it run from them. An
    /// empty list means all files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Vec<String>>,
    /// The matrix whose copies are all covered by one answer: its value, the texts in it templates. The step
    /// is then one gate and no frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matrix: Option<Value>,
    /// True if an approval is signed with a security key that was touched.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub touch: bool,
    /// Asked in an earlier run that this one does again: it asks here too, whatever its `if` and `auto` say now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
}
