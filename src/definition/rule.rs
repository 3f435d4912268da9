//! The words of rules that a file writes, a plan keeps and an engine follows: one type each, from the file to the log.
//!
//! Their JSON is part of the hash of a plan.

use serde::{Deserialize, Serialize};

/// The consequence of a failure for the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// No new step starts; those that run may end.
    #[default]
    Stop,
    /// Steps that do not depend on the failed one go on.
    Continue,
    /// No new step starts; then finished steps are undone.
    Compensate,
}

/// The consequence of the failure of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// The run reacts by its `on-failure`.
    #[default]
    Abort,
    /// Dependents see it as skipped.
    Skip,
    /// Dependents decide by their `if`.
    Continue,
}

/// The rule for a new run while another holds its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// The new run waits.
    #[default]
    Queue,
    /// The new run does not start; it ends as cancelled, with the reason.
    Skip,
    /// The new run cancels the other one; one that waits at a gate only if told so.
    CancelRunning,
}

/// The consequence of a used-up budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnExceed {
    /// The run continues, with a warning.
    Warn,
    /// The step over budget fails with `policy_budget`.
    #[default]
    Block,
    /// A person may raise the ceiling.
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

/// The growth of the delay between attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backoff {
    /// By a factor each time.
    #[default]
    Exponential,
    /// The same delay each time.
    Constant,
    /// By the first delay each time.
    Linear,
    /// No delay at all.
    None,
}

/// The consequence of a confidence below the minimum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfidenceBelow {
    /// A gate asks a person.
    #[default]
    Gate,
    /// The step with low confidence fails.
    Fail,
    /// It is said, and goes on.
    Warn,
}

/// The effect class of a step: the consequence of a crash in mid-step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectClass {
    /// The step changes nothing outside, so it is safe to repeat.
    Pure,
    /// The step is safe to repeat: a second call changes nothing more.
    Idempotent,
    /// The other side removes duplicates by our key: it is repeated with the same one.
    Keyed,
    /// The command under `check:` tells whether the effect happened.
    Queryable,
    /// None of these: a person is asked.
    #[default]
    Once,
}

impl EffectClass {
    /// The word of the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Idempotent => "idempotent",
            Self::Keyed => "keyed",
            Self::Queryable => "queryable",
            Self::Once => "once",
        }
    }

    /// True if nobody may repeat the step without asking, once it may have happened.
    pub const fn must_not_repeat(self) -> bool {
        matches!(self, Self::Once | Self::Queryable)
    }
}

/// The requirements of a step on the machine it runs on. All of them have to be met.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requires {
    /// Labels of the machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Capabilities of the worker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}

impl Requires {
    /// True if any machine will do.
    pub const fn is_nothing(&self) -> bool {
        self.labels.is_empty() && self.capabilities.is_empty()
    }
}

/// The damage that a wrong approval could do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// The approved action changes nothing.
    ReadOnly,
    /// We can take it back.
    #[default]
    Reversible,
    /// Somebody else can undo it.
    ExternallyReversible,
    /// Nobody can undo it.
    Irreversible,
}

impl Risk {
    /// The word used in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Reversible => "reversible",
            Self::ExternallyReversible => "externally-reversible",
            Self::Irreversible => "irreversible",
        }
    }
}

/// The consequence of the expiry of a gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnTimeout {
    /// Expiry counts as a rejection.
    #[default]
    Reject,
    /// Expiry counts as an approval; the linter warns loudly.
    Approve,
    /// The next group is asked.
    Escalate,
}

/// The scope in which state is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Ends with the run.
    #[default]
    Run,
    /// Ends with the session.
    Session,
    /// State stays with the workspace.
    Global,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueKind {
    /// Text; the kind when none is named.
    #[default]
    String,
    /// Any JSON number, with or without fraction.
    Number,
    /// A number without fraction.
    Integer,
    /// The values `true` and `false`.
    Boolean,
    /// A list of any values.
    Array,
    /// A mapping of keys to any values.
    Object,
    /// A value of any type.
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

/// The most that a run, or one step of it, may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
