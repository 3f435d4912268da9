//! The checked form of a workflow file: plain data, as the author meant it, with the places that messages need.
//!
//! Texts that may hold `${{ }}` are kept as written; they have been checked to parse. What a run makes of it all is
//! for `plan`.

use crate::{
    Model, Place, Placed, Tool,
    policy::{
        Action, Budget, Cache, Concurrency, Confidence, Effect, Expected, Fallback, Gate, Limits,
        OnConsoleDeath, OnError, OnFailure, Requires, RetryPolicy, Sandbox, Schedule, Undo,
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

/// One workflow file.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    /// The name the file was read under.
    pub file: String,
    /// Its `name`, else the name of the file without its ending.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What is asked of whoever starts it.
    pub inputs: Vec<Field>,
    /// Environment of every step.
    pub env: Vec<(String, Text)>,
    /// Names of secrets that steps may take into their environment.
    pub secrets: Vec<Placed<String>>,
    /// When it starts by itself.
    pub schedule: Vec<Schedule>,
    /// Which other runs it must not meet.
    pub concurrency: Option<Concurrency>,
    /// Steps running at once.
    pub max_parallel: Option<u32>,
    /// Of the whole run, waiting at gates included.
    pub timeout: Option<Span>,
    /// What it may cost.
    pub budget: Option<Budget>,
    /// What a failure means for the run.
    pub on_failure: OnFailure,
    /// What it hands to a workflow that calls it.
    pub outputs: Vec<(String, Text)>,
    /// The steps in file order. `sequence: true` has already become `needs`, `defaults` have been filled in.
    pub steps: Vec<Step>,
    /// Steps after expansion of constant matrices and called workflows, as far as that is known before the run.
    pub step_count: usize,
}

/// One input of a workflow, or one field of a gate's form.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its key.
    pub name: Placed<String>,
    /// What it holds.
    pub kind: ValueKind,
    /// Whether it must be given (an input without default is not required unless it says so).
    pub required: bool,
    /// What it is when not given.
    pub default: Option<Value>,
    /// A regular expression that a string must match somewhere; anchor it with `^` and `$`.
    pub pattern: Option<String>,
    /// The only values allowed, when not empty.
    pub choices: Vec<Value>,
    /// What it is for.
    pub description: Option<String>,
}

/// What a value may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueKind {
    /// Text; the kind when none is named.
    #[default]
    String,
    /// Any JSON number.
    Number,
    /// A number without fraction.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A list.
    Array,
    /// A mapping.
    Object,
    /// Whatever it is.
    Any,
}

impl ValueKind {
    /// All of them with the word used in files.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("string", Self::String),
        ("number", Self::Number),
        ("integer", Self::Integer),
        ("boolean", Self::Boolean),
        ("array", Self::Array),
        ("object", Self::Object),
        ("any", Self::Any),
    ];

    /// The word used in files.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("any", |(word, _)| *word)
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Unique in its file.
    pub id: Placed<String>,
    /// For people.
    pub name: Option<Text>,
    /// Ids of the steps that must have come to rest.
    pub needs: Vec<Placed<String>>,
    /// `if`; absent means `success()`.
    pub condition: Option<Condition>,
    /// Environment of this step, over that of the workflow.
    pub env: Vec<(String, Text)>,
    /// Of one attempt; never of a gate.
    pub timeout: Option<Span>,
    /// How failed attempts are repeated; absent means not at all.
    pub retry: Option<RetryPolicy>,
    /// What its failure means for the run.
    pub on_error: OnError,
    /// Tried in order after the last attempt.
    pub fallback: Vec<Fallback>,
    /// How it is taken back.
    pub undo: Option<Undo>,
    /// Its copies.
    pub matrix: Option<Matrix>,
    /// Outputs it promises; empty means none were declared.
    pub outputs: Vec<Output>,
    /// Files to be kept.
    pub artifacts: Vec<Text>,
    /// When an earlier success may stand for it.
    pub cache: Option<Cache>,
    /// What a low confidence does.
    pub confidence: Option<Confidence>,
    /// Gives its failures their type.
    pub category: Option<String>,
    /// Higher goes first among ready steps; 0 when not said.
    pub priority: i32,
    /// What a crash in mid-step means; absent means by kind.
    pub effect: Option<Effect>,
    /// The command that tells whether the effect of a queryable step happened.
    pub check: Option<Script>,
    /// What becomes of its process when the console dies.
    pub on_console_death: OnConsoleDeath,
    /// What its process can reach; absent means as the workspace says.
    pub sandbox: Option<Sandbox>,
    /// What its process may use.
    pub limits: Limits,
    /// Where it may run.
    pub requires: Requires,
    /// What all its calls together may use up.
    pub budget: Option<Budget>,
    /// What one call is expected to use.
    pub estimate: Expected,
    /// What it does.
    pub kind: StepKind,
}

impl Step {
    /// The tools it uses: itself, in place of it, to take it back.
    pub fn tools(&self) -> impl Iterator<Item = &Uses> {
        let own = match &self.kind {
            StepKind::Uses(uses) | StepKind::Agent(uses) => Some(uses),
            _ => None,
        };
        let undo = self.undo.iter().filter_map(|it| match it {
            Undo::By(action) => Some(action),
            Undo::Impossible => None,
        });
        let actions = self.fallback.iter().map(|it| &it.action).chain(undo);
        own.into_iter().flat_map(Uses::all).chain(actions.filter_map(|it| match it {
            Action::Uses(uses) => Some(uses),
            Action::Run(_) => None,
        }))
    }
}

/// A declared output of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its key.
    pub name: Placed<String>,
    /// What it must be.
    pub kind: ValueKind,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// A script.
    Run(Run),
    /// A tool of the registry.
    Uses(Uses),
    /// One request.
    Http(Box<Http>),
    /// One model call.
    Llm(Box<Llm>),
    /// Work for an agent: a tool of the agents there are, or one that this step describes.
    Agent(Uses),
    /// Waits for a decision.
    Gate(Box<Gate>),
    /// Another workflow file.
    Workflow(Call),
    /// Waits for time or an event.
    Wait(Wait),
    /// Publishes an event.
    Emit(Emit),
    /// Writes state.
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
    /// What the shell gets: every expression is a quoted reference to a variable.
    pub script: String,
    /// The variables and the expressions whose values they take.
    pub bindings: Vec<Binding>,
}

/// One expression of a script, and the environment variable that carries its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// `CUE_1`, `CUE_2` …
    pub variable: String,
    /// The bare expression.
    pub expression: Condition,
}

/// `run:` with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The script.
    pub script: Script,
    /// The program and its arguments before the script.
    pub shell: Vec<String>,
    /// Whether it was given as words, of which the script is the last: no shell stands between.
    pub is_words: bool,
    /// Where it runs.
    pub working_directory: Option<Text>,
}

/// `uses:` and `with:`.
#[derive(Clone, Debug, PartialEq)]
pub struct Uses {
    /// `name@version` or `mcp:server/tool`.
    pub tool: Placed<String>,
    /// Its parameters.
    pub with: Vec<(String, Data)>,
    /// The tool itself, found in the registry; absent only when it is not there, and then there is an error.
    pub definition: Option<Arc<Tool>>,
    /// The tools of which one is chosen when the step begins; then the tool above is the first of them.
    pub route: Option<Box<Route>>,
}

/// Several tools, of which one is chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// How.
    pub policy: RoutePolicy,
    /// What it has to be able to do.
    pub wants: Vec<Placed<String>>,
    /// Whether the candidates are named; else they are all tools that can do that.
    pub is_named: bool,
    /// The candidates, each with what it is given.
    pub candidates: Vec<Uses>,
    /// Where all this stands.
    pub place: Place,
}

impl Uses {
    /// The tools that may be called: itself, or its candidates.
    pub fn all(&self) -> &[Self] {
        self.route.as_ref().map_or(std::slice::from_ref(self), |it| &it.candidates)
    }

    /// What a crash in the middle of it means: the worst that any of its tools says.
    pub fn effect(&self) -> Option<Effect> {
        self.all().iter().filter_map(|it| it.definition.as_ref()).map(|it| it.effect).max()
    }
}

/// `http:`
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// `GET` when not said.
    pub method: String,
    /// Where to.
    pub url: Text,
    /// Header fields.
    pub headers: Vec<(String, Text)>,
    /// What is sent.
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
    /// As it is.
    Text(Text),
    /// As JSON.
    Json(Data),
}

/// `llm:`
#[derive(Clone, Debug, PartialEq)]
pub struct Llm {
    /// The models that are named, the first to be asked first; none means the best for the hints.
    pub models: Vec<Text>,
    /// What is wanted of the model when none is named.
    pub hints: Hints,
    /// The models themselves, found in the registry; shorter only when one is not there, and then there is an error.
    pub candidates: Vec<Arc<Model>>,
    /// The system prompt.
    pub system: Option<Text>,
    /// What is asked.
    pub prompt: Text,
    /// JSON Schema that the answer must fit. Has been read once, so it is one.
    pub json_schema: Option<Value>,
    /// As written, between 0 and 2.
    pub temperature: Option<String>,
    /// Tokens of the answer.
    pub max_tokens: Option<u32>,
    /// The tools that it may ask for.
    pub tools: Vec<Offered>,
    /// How often what it asks for is worked off.
    pub rounds: Option<u32>,
    /// Whether each of its calls waits at a gate, also one that changes nothing.
    pub gates_all: bool,
    /// What the gates of its calls want beside that: who and how many, by when, how bad a wrong yes is at least.
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

/// `wait:`
#[derive(Clone, Debug, PartialEq)]
pub enum Wait {
    /// So long.
    For(Length),
    /// Until an instant: RFC 3339, or an expression that gives it.
    Until(Text),
    /// Until an event on the bus.
    Event {
        /// The topic.
        topic: Text,
        /// Fields the event must have.
        filter: Vec<(String, Data)>,
        /// How many of them.
        count: u32,
    },
}

/// A length of time that may be computed.
#[derive(Clone, Debug, PartialEq)]
pub enum Length {
    /// As written.
    Fixed(Span),
    /// A template that gives `30s` and the like.
    Computed(Text),
}

/// `emit:`
#[derive(Clone, Debug, PartialEq)]
pub struct Emit {
    /// The topic.
    pub topic: Text,
    /// What it is.
    pub kind: MessageKind,
    /// The same id again is the same message.
    pub id: Option<Text>,
    /// To whom, when it is not for all.
    pub to: Option<Text>,
    /// What it belongs to or answers.
    pub correlation: Option<Text>,
    /// What is said.
    pub data: Option<Data>,
    /// How long it can be taken.
    pub ttl: Option<Span>,
}

/// `set:`
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// How long and how far it is seen.
    pub scope: Scope,
    /// What is written.
    pub values: Vec<(String, Data)>,
    /// When it is forgotten.
    pub ttl: Option<Span>,
    /// The etags that were read, by key; nothing is written when another one stands there.
    pub expect: Vec<(String, Data)>,
}

/// Where state is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Ends with the run.
    #[default]
    Run,
    /// Ends with the session.
    Session,
    /// Stays.
    Global,
}

/// The copies of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Where they come from.
    pub source: MatrixSource,
    /// Copies running at once.
    pub max_parallel: Option<u32>,
    /// Whether one failed copy stops the others; so when not said.
    pub fail_fast: bool,
    /// Where it stands.
    pub place: Place,
}

/// Where the copies of a step come from.
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
    /// Left out.
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
