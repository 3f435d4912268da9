//! The ask of a gate: everything that people see before they answer.

use crate::{FileFact, PeoplePolicy};
use cuelight_base::{
    Digest, Epoch, GateId, Launch, RunId, Span, Timestamp, Value, ValueMap, canonical_json, sha256,
};
use cuelight_plan::{EffectClass, OnTimeout, Quorum, Risk, ValueKind};
use serde::{Deserialize, Serialize};

/// The question to people: made by the engine, never by an agent, and hashed as canonical JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// The run that the gate belongs to.
    pub run: RunId,
    /// The number of the gate.
    pub gate: GateId,
    /// The number of asks of this gate, this one included.
    pub epoch: Epoch,
    /// The id of the gate's step.
    pub step: String,
    /// The name of the workflow.
    pub workflow: String,
    /// The hash of the plan.
    pub plan: Digest,
    /// Hash of the workflow's text.
    pub definition: Digest,
    /// The question that people read.
    pub prompt: String,
    /// The requester's own words; nothing checks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// The risk of the steps that it releases.
    pub risk: Risk,
    /// The first calls after an approval, resolved.
    pub will_run: Vec<WillRun>,
    /// The totals of all calls, if only the first of them are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<AllCalls>,
    /// Values that steps behind the gate set, and messages that they send.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<WillWrite>,
    /// Steps after that whose parameters are not known yet.
    pub later: Vec<Later>,
    /// The captured workspace from which the steps behind the gate run: first its hash, then the files that
    /// it leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshot: Vec<FileFact>,
    /// Steps that an approval lets start, sooner or later.
    pub starts: Vec<String>,
    /// Steps that a rejection skips.
    pub skips: Vec<String>,
    /// Steps that a rejection undoes, in order.
    pub undoes: Vec<String>,
    /// Steps done so far that cannot be undone.
    pub cannot_undo: Vec<String>,
    /// Values the approval is bound to.
    pub binds: Vec<String>,
    /// The evidence that is shown.
    pub evidence: Vec<Evidence>,
    /// Parameters, as they are now.
    pub form: Vec<FormField>,
    /// The people who have to approve.
    pub require: Vec<Quorum>,
    /// Principals that do not count, and the reason for each.
    pub excluded: Vec<(String, String)>,
    /// The `people.toml` by which answers are judged, if they depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PeoplePolicy>,
    /// The person who asked for the run.
    pub requester: String,
    /// The instant at which it first opened.
    pub opened_at: Timestamp,
    /// The instant at which it expires.
    pub expires_at: Option<Timestamp>,
    /// The reaction when it expires.
    pub on_timeout: OnTimeout,
    /// True if an approval needs a reason.
    pub reason_required: bool,
    /// True if an approval is signed with a security key that was touched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub touch: bool,
    /// The time in which an approval can be undone.
    pub undo_window: Span,
    /// The step from which all is done again when the gate is sent back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_back: Option<String>,
    /// True if the choice in the form is the answer: then the person who chooses counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_choice: bool,
    /// The budget whose ceiling an approval raises, if it is asked about one. Absent in logs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raises: Option<BudgetOf>,
    /// The person (`NAME`) or group (`group:NAME`) that may answer as well once the gate is escalated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<String>,
    /// Steps behind the gate that run although it is rejected, by their own `if`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs_anyway: Vec<String>,
}

/// The owner of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BudgetOf {
    /// The run as a whole.
    Run,
    /// A step, or the talk that it stands in.
    Step,
}

/// All calls that an approval releases, when only the first of them are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllCalls {
    /// The number of first calls.
    pub will_run: u64,
    /// The number of calls that are decided later.
    pub later: u64,
    /// The number of steps that set values or send a message.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub writes: u64,
    /// Hash over every one: its step, and the hash of its call or of its template.
    pub digest: Digest,
}

/// One call that an approval releases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WillRun {
    /// The id of the step.
    pub step: String,
    /// The call that will be made.
    pub launch: Launch,
    /// The hash of the call; compared with the call that is really launched.
    pub launch_hash: Digest,
    /// The files that it executes, as they are now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileFact>,
    /// The meaning of a crash in the middle of it.
    pub effect: EffectClass,
    /// The undo of the step: `yes`, `no` (declared impossible) or `unset`.
    pub undo: String,
    /// The calls that are made in its place when it has failed, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<WillFallBack>,
    /// The rule and the number of candidates, if one of several is chosen when the step begins.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub choice: String,
    /// True if a cached result may stand for the call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_cached: bool,
}

/// Values that a step behind the gate sets, or the message that it sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WillWrite {
    /// The id of the step.
    pub step: String,
    /// The kind of its work: `set` or `emit`.
    pub kind: String,
    /// The scope of the values, or the topic of the message.
    pub to: String,
    /// The values by key, or the parts of the message by name.
    pub values: ValueMap,
    /// The etag that each key must have; null or empty where the key must not exist.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub expect: ValueMap,
    /// The lifetime of the values or of the message; none for the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// True if these are templates, whose values are known only when the step begins.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_template: bool,
}

impl WillWrite {
    /// The hash over all of it; compared with what is really written.
    pub fn hash(&self) -> Digest {
        sha256("cuelight-write-v1", &[canonical_json(self).as_bytes()])
    }
}

/// A call that takes the place of one that has failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WillFallBack {
    /// The number of the fallback, counted from 1.
    pub number: u32,
    /// The call that will be made.
    pub launch: Launch,
    /// The hash of the call; compared with the call that is really launched.
    pub launch_hash: Digest,
    /// The files that it executes, as they are now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileFact>,
}

/// A step whose parameters are not known yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Later {
    /// The id of the step.
    pub step: String,
    /// The kind of its work.
    pub kind: String,
    /// Hash of its template.
    pub template: Digest,
    /// The script or program it names, as it is now; a file that does not exist yet is not bound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileFact>,
    /// The tools of which one is chosen, if it is such a choice; the first entry is the rule of the choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
    /// True if a cached result may stand for the call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_cached: bool,
}

/// One piece of evidence that is shown to those who decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The path, or the template it came from.
    pub title: String,
    /// The text itself, when it is no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Hash of the content; none when the file could not be read.
    pub digest: Option<Digest>,
    /// Its length in bytes.
    pub bytes: u64,
    /// The reason why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A parameter as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormField {
    /// The name of the parameter.
    pub name: String,
    /// The JSON type of its value.
    pub kind: ValueKind,
    /// True if an approval must have it.
    pub required: bool,
    /// A regular expression a text must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The only values it may have; empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Value>,
    /// The description that people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The value that it has now.
    pub value: Value,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
