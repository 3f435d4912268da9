//! Words that a key accepts as its value, and spellings that several tables share.

use super::table::{Convert, Spelling, same};

pub(super) const TIMEOUTS: &[Spelling] = &[
    Spelling { name: "timeout-minutes", value: Convert::Unit("m") },
    Spelling { name: "timeout_minutes", value: Convert::Unit("m") },
    Spelling { name: "timeout_sec", value: Convert::Unit("s") },
    Spelling { name: "timeout-sec", value: Convert::Unit("s") },
];

pub(super) const RETRIES: &[Spelling] = &[same("retry_policy"), same("retryStrategy")];
pub(super) const PARAMETERS: &[Spelling] = &[same("params"), same("parameters")];
/// Kinds of values of inputs, forms and outputs.
pub(crate) const VALUE_KINDS: &[&str] = &["string", "number", "integer", "boolean", "array", "object", "any"];
pub(crate) const ON_FAILURE: &[&str] = &["stop", "continue", "compensate"];
pub(crate) const ON_ERROR: &[&str] = &["abort", "skip", "continue"];
pub(crate) const ON_CONFLICT: &[&str] = &["queue", "skip", "cancel-running"];
pub(crate) const OVERLAPS: &[&str] = &["skip", "queue", "cancel", "allow"];
pub(crate) const ON_EXCEED: &[&str] = &["warn", "block", "gate"];
pub(crate) const BACKOFFS: &[&str] = &["exponential", "constant", "linear", "none"];
pub(crate) const BELOW: &[&str] = &["gate", "fail", "warn"];
pub(crate) const EFFECTS: &[&str] = &["pure", "idempotent", "keyed", "queryable", "once"];
pub(crate) const ON_CONSOLE_DEATH: &[&str] = &["keep", "kill"];
pub(crate) const SANDBOXES: &[&str] = &["strict", "off"];
pub(crate) const RISKS: &[&str] = &["read-only", "reversible", "externally-reversible", "irreversible"];
pub(crate) const ON_TIMEOUT: &[&str] = &["reject", "approve", "escalate"];
/// Proofs that an approval can require.
pub(crate) const PROOFS: &[&str] = &["touch"];
pub(crate) const GATE_SCOPES: &[&str] = &["step", "matrix"];
pub(crate) const CONSENTS: &[&str] = &["files", "snapshot"];
pub(crate) const SCOPES: &[&str] = &["run", "session", "global"];
pub(crate) const RELIABILITIES: &[&str] = &["high", "medium", "low", "experimental"];
pub(crate) const PROVIDERS: &[&str] = &["openai", "anthropic", "gemini", "stand-in"];
pub(crate) const TOOL_GATES: &[&str] = &["changes", "all"];
pub(crate) const GRADES: &[&str] = &["low", "medium", "high"];
pub(crate) const WHEN_OPEN: &[&str] = &["wait", "fail"];
pub(crate) const ROUTES: &[&str] =
    &["round-robin", "capability", "least-loaded", "priority", "manual", "learned"];
pub(crate) const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// The keys of which a step has exactly one.
pub(crate) const KINDS: &[&str] =
    &["run", "uses", "http", "llm", "agent", "gate", "workflow", "wait", "emit", "set"];

pub(crate) const MESSAGE_KINDS: &[&str] = &[
    "event",
    "task",
    "tool-call",
    "debate-proposal",
    "debate-critique",
    "debate-decision",
    "control",
    "error",
];
