//! The checked form of a workflow file: plain data, as the author meant it, with the places that messages need.
//!
//! Texts that may hold `${{ }}` are kept as written; they have been checked to parse. What a run makes of it all is
//! for `plan`.

use crate::{
    Budget, EffectClass, Model, OnError, OnFailure, Place, Placed, Requires, Scope, Tool, ValueKind,
    policy::{
        Action, Cache, Concurrency, Confidence, Expected, Fallback, Gate, Limits, OnConsoleDeath,
        RetryPolicy, Sandbox, Schedule, Undo,
    },
};
use cuelight_base::{Hints, MessageKind, RoutePolicy, Span, Value, ValueMap};
use std::sync::Arc;

/// A text that may hold `${{ }}`, as written. Parses as an `expression::Template`.
pub type Text = Placed<String>;

/// One bare expression, without `${{ }}`.
pub type Condition = Placed<String>;

/// A JSON value; the strings in it may hold `${{ }}`.
pub type Data = Placed<Value>;

/// One workflow file, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    /// The name the file was read under.
    pub file: String,
    /// Its `name`, else the name of the file without its ending.
    pub name: String,
    /// The purpose of the workflow, for people.
    pub description: Option<String>,
    /// The inputs that its caller can give.
    pub inputs: Vec<Field>,
    /// Environment of every step.
    pub env: Vec<(String, Text)>,
    /// Names of secrets that steps may take into their environment.
    pub secrets: Vec<Placed<String>>,
    /// When it starts by itself.
    pub schedule: Vec<Schedule>,
    /// The rule that keeps runs of one group from running at the same time.
    pub concurrency: Option<Concurrency>,
    /// Steps running at once.
    pub max_parallel: Option<u32>,
    /// The timeout of the whole run, including the time spent at gates.
    pub timeout: Option<Span>,
    /// The limits on the usage of a run.
    pub budget: Option<Budget>,
    /// The consequence of a failure for the run.
    pub on_failure: OnFailure,
    /// The outputs that a calling workflow can read.
    pub outputs: Vec<(String, Text)>,
    /// The steps in file order. `sequence: true` has already become `needs`, `defaults` have been filled in.
    pub steps: Vec<Step>,
    /// Steps after expansion of constant matrices and called workflows, as far as that is known before the run.
    pub step_count: usize,
}

/// One input of a workflow, or one field of a gate's form.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The key of the field.
    pub name: Placed<String>,
    /// The type of its value.
    pub kind: ValueKind,
    /// True if a value must be given. An input without default is not required unless the file sets
    /// `required`.
    pub required: bool,
    /// The value when none is given.
    pub default: Option<Value>,
    /// A regular expression that a string must match somewhere; anchor it with `^` and `$`.
    pub pattern: Option<String>,
    /// The only values allowed, when not empty.
    pub choices: Vec<Value>,
    /// The purpose of the field, for people.
    pub description: Option<String>,
}

/// One step of a workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Unique in its file.
    pub id: Placed<String>,
    /// The name of the step for people.
    pub name: Option<Text>,
    /// Ids of the steps that must have ended.
    pub needs: Vec<Placed<String>>,
    /// `if`; absent means `success()`.
    pub condition: Option<Condition>,
    /// Environment of this step, over that of the workflow.
    pub env: Vec<(String, Text)>,
    /// The timeout of one attempt; never set for a gate.
    pub timeout: Option<Span>,
    /// The rule for repeating failed attempts; absent means that none is repeated.
    pub retry: Option<RetryPolicy>,
    /// The consequence of its failure for the run.
    pub on_error: OnError,
    /// Tried in order after the last attempt.
    pub fallback: Vec<Fallback>,
    /// The undo of the step.
    pub undo: Option<Undo>,
    /// The copies of the step; absent means a single step.
    pub matrix: Option<Matrix>,
    /// Outputs it promises; empty means none were declared.
    pub outputs: Vec<Output>,
    /// Files to be kept.
    pub artifacts: Vec<Text>,
    /// When an earlier success may stand for it.
    pub cache: Option<Cache>,
    /// The rule for a result with low confidence.
    pub confidence: Option<Confidence>,
    /// Gives its failures their type.
    pub category: Option<String>,
    /// Higher goes first among ready steps; 0 when not said.
    pub priority: i32,
    /// The effect class, which decides what a crash in mid-step means; absent means the default of the kind.
    pub effect: Option<EffectClass>,
    /// The command that tells whether the effect of a queryable step happened.
    pub check: Option<Script>,
    /// The fate of its process when the console dies.
    pub on_console_death: OnConsoleDeath,
    /// The access of its process to the machine; absent means the default of the workspace.
    pub sandbox: Option<Sandbox>,
    /// The resource limits of its process.
    pub limits: Limits,
    /// The conditions that a worker must meet to run it.
    pub requires: Requires,
    /// The expected and the allowed usage of its calls.
    pub usage: Usage,
    /// The kind of work that the step does.
    pub kind: StepKind,
}

/// The expected and the allowed usage of the calls of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// The limits on the usage of all its calls together.
    pub budget: Option<Budget>,
    /// The expected usage of one call.
    pub estimate: Expected,
}

impl Step {
    /// The tools it uses: itself, in place of it, to take it back.
    pub fn tools(&self) -> impl Iterator<Item = &Uses> {
        let own = match &self.kind {
            StepKind::Uses(uses) | StepKind::Agent(uses) => Some(uses),
            _ => None,
        };
        let undo = self.undo.iter().filter_map(|undo| match undo {
            Undo::By(action) => Some(action),
            Undo::Impossible => None,
        });
        let actions = self.fallback.iter().map(|fallback| &fallback.action).chain(undo);
        own.into_iter().flat_map(Uses::all).chain(actions.filter_map(|action| match action {
            Action::Uses(uses) => Some(uses),
            Action::Run(_) => None,
        }))
    }
}

/// A declared output of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The key of the output.
    pub name: Placed<String>,
    /// The required type of the value.
    pub kind: ValueKind,
}

/// The kind of work that a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// Runs a shell script.
    Run(Run),
    /// A tool of the registry.
    Uses(Uses),
    /// Sends one HTTP request.
    Http(Box<Http>),
    /// Asks a language model.
    Llm(Box<Llm>),
    /// Work for an agent: a tool of the agents there are, or one that this step describes.
    Agent(Uses),
    /// Waits for a decision.
    Gate(Box<Gate>),
    /// Calls another workflow file.
    Workflow(Call),
    /// Waits for time or an event.
    Wait(Wait),
    /// Publishes an event on the bus.
    Emit(Emit),
    /// Writes state to a scope.
    Set(Set),
}

impl StepKind {
    /// The key that names the kind in a file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Uses(_) => "uses",
            Self::Http(_) => "http",
            Self::Llm(_) => "llm",
            Self::Agent(_) => "agent",
            Self::Gate(_) => "gate",
            Self::Workflow(_) => "workflow",
            Self::Wait(_) => "wait",
            Self::Emit(_) => "emit",
            Self::Set(_) => "set",
        }
    }
}

/// A shell script, as written and as it is run: no value stands in its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// As written, with `${{ }}`.
    pub source: Text,
    /// The text that the shell gets: every expression is a quoted reference to a variable.
    pub script: String,
    /// The variables and the expressions whose values they take.
    pub bindings: Vec<Binding>,
}

/// One expression of a script, and the environment variable that carries its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The variable: `CUE_1`, `CUE_2` …
    pub variable: String,
    /// The expression without `${{ }}`.
    pub expression: Condition,
}

/// `run:` with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The script that runs.
    pub script: Script,
    /// The program and its arguments before the script.
    pub shell: Vec<String>,
    /// True if the file gives a list of words that ends with the script: no shell stands between.
    pub is_words: bool,
    /// The directory that the script runs in.
    pub working_directory: Option<Text>,
}

/// A call of a tool: `uses:` and `with:`.
#[derive(Clone, Debug, PartialEq)]
pub struct Uses {
    /// `name@version` or `mcp:server/tool`.
    pub tool: Placed<String>,
    /// The parameters of the tool.
    pub with: Vec<(String, Data)>,
    /// The tool itself, found in the registry; absent only when it is not there, and then there is an error.
    pub definition: Option<Arc<Tool>>,
    /// The tools of which one is chosen when the step begins; then the tool above is the first of them.
    pub route: Option<Box<Route>>,
}

/// Several tools, of which one is chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The policy that chooses one candidate.
    pub policy: RoutePolicy,
    /// The capabilities that a tool must have.
    pub wants: Vec<Placed<String>>,
    /// True if the candidates are named; otherwise they are all tools with the wanted capabilities.
    pub is_named: bool,
    /// The candidates, each with what it is given.
    pub candidates: Vec<Uses>,
    /// The place of the route in the file.
    pub place: Place,
}

impl Uses {
    /// The tools that may be called: itself, or its candidates.
    pub fn all(&self) -> &[Self] {
        self.route.as_ref().map_or(std::slice::from_ref(self), |route| &route.candidates)
    }

    /// The effect class: the riskiest one of its tools. It decides what a crash in the middle of the call
    /// means.
    pub fn effect(&self) -> Option<EffectClass> {
        self.all()
            .iter()
            .filter_map(|uses| uses.definition.as_ref())
            .map(|definition| definition.effect)
            .max()
    }
}

/// A step with `http:`: one request and the expected answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// `GET` when not said.
    pub method: String,
    /// The address of the request.
    pub url: Text,
    /// The header fields of the request.
    pub headers: Vec<(String, Text)>,
    /// The body of the request.
    pub body: Option<Body>,
    /// Status codes that count as success; empty means 200 to 299.
    pub expect_status: Vec<u16>,
    /// Paths into the JSON answer and the values they must have.
    pub expect_json: Vec<(String, Data)>,
    /// Redirects that are followed.
    pub redirects: u8,
    /// Bytes that an answer may have.
    pub bytes_max: Option<u64>,
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A text, sent as it is.
    Text(Text),
    /// A value, sent as JSON.
    Json(Data),
}

/// A step with `llm:`: a question to a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Llm {
    /// The models that are named, the first to be asked first; none means the best for the hints.
    pub models: Vec<Text>,
    /// The wishes that choose a model when none is named.
    pub hints: Hints,
    /// The models themselves, found in the registry; shorter only when one is not there, and then there is an error.
    pub candidates: Vec<Arc<Model>>,
    /// The system prompt of the conversation.
    pub system: Option<Text>,
    /// The question to the model.
    pub prompt: Text,
    /// JSON Schema that the answer must fit. Has been read once, so it is one.
    pub json_schema: Option<Value>,
    /// As written, between 0 and 2.
    pub temperature: Option<String>,
    /// Tokens of the answer.
    pub max_tokens: Option<u32>,
    /// The tools that it may ask for.
    pub tools: Vec<Offered>,
    /// The most rounds of tool calls, 1 to 50; absent means 8.
    pub rounds: Option<u32>,
    /// True if each of its calls waits at a gate, even one that changes nothing.
    pub gates_all: bool,
    /// Further conditions for the gates of its calls: approvers, quorum, timeout, least risk.
    pub gate: Option<Box<Gate>>,
}

/// A tool that a model may ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Offered {
    /// As it is named.
    pub tool: Placed<String>,
    /// The tool itself; absent only when it is not in the registry, and then there is an error.
    pub definition: Option<Arc<Tool>>,
}

/// `workflow:` and its inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The file, as written: beside the calling file.
    pub path: Placed<String>,
    /// The inputs it is given.
    pub inputs: Vec<(String, Data)>,
    /// The file as read; absent only when it could not be read, and then there is an error.
    pub body: Option<Arc<Workflow>>,
}

/// A step with `wait:`: the end of the wait.
#[derive(Clone, Debug, PartialEq)]
pub enum Wait {
    /// A length of time.
    For(Length),
    /// Until an instant: RFC 3339, or an expression that gives it.
    Until(Text),
    /// Until an event on the bus.
    Event {
        /// The topic of the event.
        topic: Text,
        /// Fields the event must have.
        filter: Vec<(String, Data)>,
        /// The number of events.
        count: u32,
    },
}

/// A length of time that may be computed.
#[derive(Clone, Debug, PartialEq)]
pub enum Length {
    /// A length as written.
    Fixed(Span),
    /// A template that gives `30s` and the like.
    Computed(Text),
}

/// A step with `emit:`: an event for the bus.
#[derive(Clone, Debug, PartialEq)]
pub struct Emit {
    /// The topic of the event.
    pub topic: Text,
    /// The kind of the message.
    pub kind: MessageKind,
    /// The same id again is the same message.
    pub id: Option<Text>,
    /// To whom, when it is not for all.
    pub to: Option<Text>,
    /// The message that this one belongs to or answers.
    pub correlation: Option<Text>,
    /// The content of the message.
    pub data: Option<Data>,
    /// The time for which the message can be received.
    pub ttl: Option<Span>,
}

/// A step with `set:`: state to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// The scope, which decides how long the values live and who sees them.
    pub scope: Scope,
    /// The values by key.
    pub values: Vec<(String, Data)>,
    /// When it is forgotten.
    pub ttl: Option<Span>,
    /// The etags that were read, by key; nothing is written when another one stands there.
    pub expect: Vec<(String, Data)>,
}

/// The copies of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// The source of the copies.
    pub source: MatrixSource,
    /// Copies running at once.
    pub max_parallel: Option<u32>,
    /// True if one failed copy stops the others; the default.
    pub fail_fast: bool,
    /// The place of the matrix in the file.
    pub place: Place,
}

/// The source of the copies of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum MatrixSource {
    /// Known before the run.
    Constant(Axes),
    /// A value with `${{ }}` in it: when the step becomes ready, evaluate it and read it as axes.
    Computed(Data),
}

/// The axes of a matrix, with what is added and left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axes {
    /// Each name with its values, in the order written.
    pub axes: Vec<(String, Vec<Value>)>,
    /// Added to the copies they fit, or new copies.
    pub include: Vec<ValueMap>,
    /// Combinations that are left out.
    pub exclude: Vec<ValueMap>,
}

/// The script or tool an action names, for messages.
impl Action {
    /// The tool, or the first line of the script.
    pub fn label(&self) -> &str {
        match self {
            Self::Uses(uses) => &uses.tool.value,
            Self::Run(script) => script.source.value.lines().next().unwrap_or_default(),
        }
    }
}
