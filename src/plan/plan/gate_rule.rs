//! The rule of a gate: its risk, its quorum, the needed approvers and its timeout.

use cuelight_base::{Span, Value};
use cuelight_definition::{OnFailure, OnTimeout, Risk, ValueKind};
use serde::{Deserialize, Serialize};

/// A need for people of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// The group; `None` means anybody who may decide.
    pub group: Option<String>,
    /// The number of different people.
    pub count: u32,
}

/// A parameter that people may give or change at a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Need {
    /// Its name: `steps.approve.form.NAME`.
    pub name: String,
    /// The JSON type of its value.
    pub kind: ValueKind,
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
