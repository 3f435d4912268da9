//! Types of requests and answers over HTTP. The schemas of `OpenAPI` are made from these types, and requests
//! are checked against them.

use super::events::PriorityWord;
use crate::Permission;
use cuelight_base::{Value, ValueMap};
use cuelight_exchange::{KnowledgeKind, ResultStatus};
use cuelight_projection::{GateAnswer, KnowledgeAnswer, ResultAnswer, RunAnswer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An error of the API.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct ProblemShape {
    /// The status in words.
    error: String,
    /// The failed action, and the next step.
    message: String,
    /// Stable, for programs: `AUTH_001`.
    code: String,
    /// More, where there is more.
    details: Value,
    timestamp: String,
    request_id: String,
    /// When it is worth trying again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
}

/// Health of the engine.
#[derive(Serialize, JsonSchema)]
pub(super) struct Health {
    pub(super) status: &'static str,
    pub(super) service: &'static str,
    pub(super) version: &'static str,
    pub(super) uptime_seconds: u64,
    /// Each part, and `ok` or what is wrong with it.
    pub(super) checks: BTreeMap<&'static str, String>,
}

/// Counts, and no names.
#[derive(Serialize, JsonSchema)]
pub(super) struct Status {
    pub(super) uptime_seconds: u64,
    pub(super) agents: AgentCounts,
    pub(super) storage: StorageCounts,
    pub(super) events: EventCounts,
    pub(super) performance: Performance,
}

/// Counts of agents by activity.
#[derive(Serialize, JsonSchema)]
pub(super) struct AgentCounts {
    /// Calls of agents that run now.
    pub(super) at_work: u64,
    /// Agents that have registered and are not lost.
    pub(super) present: u64,
}

/// Counts of stored data.
#[derive(Serialize, JsonSchema)]
pub(super) struct StorageCounts {
    /// Records of the log.
    pub(super) records: u64,
    pub(super) runs: u64,
    pub(super) open_runs: u64,
    pub(super) open_gates: u64,
    /// Results that agents have handed in.
    pub(super) results: u64,
    /// Knowledge entries of agents and people.
    pub(super) knowledge: u64,
    /// Cached contexts of agents, …
    pub(super) context_cache_entries: u64,
    /// … and their size in bytes.
    pub(super) context_cache_bytes: u64,
    /// Share of contexts that came from the cache; null before the first.
    pub(super) cache_hit_rate: Option<f64>,
}

/// Counts of messages by state.
#[derive(Serialize, JsonSchema)]
pub(super) struct EventCounts {
    /// Messages that can still be taken.
    pub(super) kept: u64,
    /// Kept messages that no step took before they expired; reading over HTTP takes none.
    pub(super) dead: u64,
    /// Messages that were invalid and delivered to nobody.
    pub(super) rejected: u64,
}

/// Counts and times of answered requests.
#[derive(Serialize, JsonSchema)]
pub(super) struct Performance {
    pub(super) requests: u64,
    /// Requests that failed by a fault of the server.
    pub(super) failed: u64,
    pub(super) mean_microseconds: u64,
}

/// A token in place of one that is about to expire.
#[derive(Serialize, JsonSchema)]
pub(super) struct Renewed {
    pub(super) token: String,
    pub(super) id: String,
    pub(super) expires_at: String,
    pub(super) permissions: Vec<Permission>,
}

/// A question to people, from outside.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenGate {
    /// The question to people.
    #[schemars(length(min = 1, max = 500))]
    pub(super) title: String,
    /// Texts that are shown to those who decide.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub(super) evidence: Vec<EvidenceText>,
    /// Values that the answer holds for.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub(super) binds: BTreeMap<String, String>,
    /// Risk of a wrong approval.
    #[serde(default)]
    pub(super) risk: RiskWord,
    /// Groups that must agree, each with its number of people; anybody when it is empty.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub(super) require: Vec<Required>,
    /// If true, the requester may not answer.
    #[serde(default)]
    pub(super) four_eyes: bool,
    /// When it expires, and counts as a no: `30m`, `4h`; never when not given.
    #[serde(default)]
    #[schemars(regex(pattern = "^[1-9][0-9]{0,5}(ms|s|m|h|d)([0-9]{1,6}(ms|s|m|h))?$"))]
    pub(super) timeout: Option<String>,
}

/// A text that is shown.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceText {
    #[schemars(length(min = 1, max = 100))]
    pub(super) name: String,
    pub(super) text: String,
}

/// So many of a group.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Required {
    #[schemars(length(min = 1, max = 100))]
    pub(super) group: String,
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub(super) count: u32,
}

const fn one() -> u32 {
    1
}

/// Risk of a wrong approval.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RiskWord {
    ReadOnly,
    Reversible,
    #[default]
    ExternallyReversible,
    Irreversible,
}

impl RiskWord {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Reversible => "reversible",
            Self::ExternallyReversible => "externally-reversible",
            Self::Irreversible => "irreversible",
        }
    }
}

/// An answer at a gate, for this ask and no other.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Decide {
    /// Chosen by the person who decides; the same id again is the same answer.
    #[schemars(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}$"))]
    pub(super) decision_id: String,
    /// The `epoch` that was seen.
    #[schemars(range(max = 4_294_967_295_u32))]
    pub(super) gate_epoch: u32,
    /// The `ask_hash` that was seen.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub(super) ask_hash: String,
    pub(super) verdict: VerdictWord,
    /// Why; a no always says so.
    #[serde(default)]
    pub(super) reason: String,
    /// Values of the form, filled in by an approval; null leaves an optional field empty on purpose.
    #[serde(default)]
    pub(super) form: ValueMap,
}

/// An answer to a gate.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum VerdictWord {
    Approve,
    Reject,
    SendBack,
}

/// A page of gates.
#[derive(Serialize, JsonSchema)]
pub(super) struct Gates {
    pub(super) gates: Vec<GateAnswer>,
    /// True if more gates follow.
    pub(super) more: bool,
}

/// A workflow to be run.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartRun {
    /// A file below the workspace: `deploy.yaml`, `.cuelight/workflows/nightly.yaml`.
    #[schemars(length(min = 1, max = 500))]
    pub(super) workflow: String,
    /// Inputs of the workflow.
    #[serde(default)]
    pub(super) inputs: BTreeMap<String, Value>,
}

/// An agent to be started.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartAgent {
    /// Type of the agent: the name of its file in `.cuelight/agents`.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
    pub(super) agent_type: String,
    /// The piece of work.
    #[schemars(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}$"))]
    pub(super) issue_id: String,
    /// Task of the agent.
    #[schemars(length(min = 1, max = 65_536), regex(pattern = "^[^\\x00]*$"))]
    pub(super) task: String,
    /// Knowledge that the agent needs before it begins, as free text; it finds the entries in
    /// `CONTEXT_REQUIREMENTS`, a line each.
    #[serde(default)]
    #[schemars(length(max = 100), inner(length(min = 1, max = 500), regex(pattern = "^[^\\x00]*$")))]
    pub(super) context_requirements: Vec<String>,
    /// Variables that it finds beside its own.
    #[serde(default)]
    #[schemars(extend(
        "maxProperties" = 50,
        "propertyNames" = {"pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$"},
        "additionalProperties" = {"type": "string", "maxLength": 8192, "pattern": "^[^\\x00]*$"}
    ))]
    pub(super) environment: BTreeMap<String, String>,
    /// Inputs beside the task, as the agent's file describes them under `input`: JSON of 64 KiB at most.
    #[serde(default)]
    #[schemars(extend(
        "maxProperties" = 50,
        "propertyNames" = {"pattern": "^[A-Za-z_][A-Za-z0-9_.-]{0,127}$", "not": {"const": "task"}}
    ))]
    pub(super) with: BTreeMap<String, Value>,
    /// Priority of the work; the agent finds it in `AGENT_PRIORITY`.
    #[serde(default)]
    pub(super) priority: Option<PriorityWord>,
}

/// It is on record, and starts when people agree, or has begun.
#[derive(Serialize, JsonSchema)]
pub(super) struct Spawned {
    /// Name of the agent: the subject of its token.
    pub(super) agent_id: String,
    pub(super) agent_type: String,
    pub(super) issue_id: String,
    /// The run that starts it.
    pub(super) run: String,
    /// The gate that asks people, if any.
    pub(super) gate: Option<String>,
    /// State of that run: `waiting` at its gate, `running`, `completed` …
    pub(super) state: String,
    pub(super) timestamp: String,
}

/// Reason for a pause, resume or cancel.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Because {
    #[serde(default)]
    pub(super) reason: String,
    /// If true, finished steps are undone.
    #[serde(default)]
    pub(super) undo: bool,
}

/// A page of them, the newest first.
#[derive(Serialize, JsonSchema)]
pub(super) struct Runs {
    pub(super) runs: Vec<RunAnswer>,
    pub(super) more: bool,
}

/// A value to set.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutValue {
    pub(super) value: Value,
    /// Time in seconds until the value expires; it never does when not given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 315_360_000))]
    pub(super) ttl_seconds: Option<u64>,
}

/// Result of an agent's work.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HandIn {
    /// The subject of the token, or a session of it: `reviewer-1/s2`.
    #[schemars(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}(/[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127})?$"))]
    pub(super) agent_id: String,
    /// That of the token.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]{0,63}$"))]
    pub(super) agent_type: String,
    /// The piece of work it is about.
    #[schemars(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}$"))]
    pub(super) issue_id: String,
    /// That of the token.
    #[schemars(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}$"))]
    pub(super) project_id: String,
    #[schemars(with = "ResultBody")]
    pub(super) result: Value,
    /// When the agent says it was: 2026-01-31T09:00:00Z.
    #[serde(default)]
    #[schemars(length(max = 40), extend("format" = "date-time"))]
    pub(super) timestamp: Option<String>,
}

/// Content of a result. Additional fields are allowed; all of them are kept.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "the shape alone: what is said is kept as it is")]
pub(super) struct ResultBody {
    status: ResultStatus,
    #[serde(default)]
    #[schemars(length(max = 1000))]
    files_created: Vec<String>,
    #[serde(default)]
    #[schemars(length(max = 1000))]
    files_modified: Vec<String>,
    #[serde(default)]
    #[schemars(length(max = 1000))]
    files_deleted: Vec<String>,
    /// Texts, or `{decision, rationale, files_affected}`.
    #[serde(default)]
    #[schemars(length(max = 100))]
    decisions: Vec<Value>,
    #[serde(default)]
    errors: Vec<Value>,
    #[serde(default)]
    warnings: Vec<Value>,
    #[serde(default)]
    next_steps: Vec<Value>,
    /// Types of agents that are to go on, or `{agent_type, priority, reason}`.
    #[serde(default)]
    #[schemars(length(max = 100))]
    next_agents: Vec<Value>,
}

/// A result is on disk.
#[derive(Serialize, JsonSchema)]
pub(super) struct HandedIn {
    pub(super) id: String,
    pub(super) stored: bool,
    /// Path of the result among the others; it is read at `/api/results/{id}`.
    pub(super) storage_path: String,
    /// Agents that follow: as the result and the workspace say.
    pub(super) next_agents: Vec<Value>,
    pub(super) event_published: bool,
    /// The message `agent_completed` that says so.
    pub(super) event_id: String,
    /// When it was stored.
    pub(super) timestamp: String,
}

/// A page of them, the newest first.
#[derive(Serialize, JsonSchema)]
pub(super) struct AgentResults {
    pub(super) results: Vec<ResultAnswer>,
    pub(super) more: bool,
    /// Cursor for the next page.
    pub(super) next_cursor: Option<String>,
}

/// Something that an agent or a person knows, and others should.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Learn {
    /// Text of the knowledge, 64 KiB at most.
    #[schemars(length(min = 1, max = 65_536))]
    pub(super) text: String,
    /// Subject of the knowledge.
    #[serde(default, rename = "type")]
    pub(super) kind: KnowledgeKind,
    /// The piece of work it came from.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}$"))]
    pub(super) issue_id: Option<String>,
    /// A session of the subject of the token; the subject itself when not given.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}(/[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127})?$"))]
    pub(super) agent_id: Option<String>,
    /// That of the token.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,127}$"))]
    pub(super) project_id: Option<String>,
    /// Further data, by name.
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, Value>,
}

/// It is on disk.
#[derive(Serialize, JsonSchema)]
pub(super) struct Learned {
    pub(super) id: String,
    pub(super) stored: bool,
    /// Time at which it was stored.
    pub(super) timestamp: String,
}

/// Knowledge entries that match.
#[derive(Serialize, JsonSchema)]
pub(super) struct KnowledgeFound {
    pub(super) knowledge: Vec<KnowledgeAnswer>,
    /// True if more entries match.
    pub(super) more: bool,
}

/// Result of clearing the cache.
#[derive(Serialize, JsonSchema)]
pub(super) struct Forgotten {
    pub(super) cleared: bool,
    pub(super) entries_removed: u64,
    pub(super) bytes_freed: u64,
    pub(super) timestamp: String,
}
