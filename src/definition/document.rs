//! The shapes of the file as tables: every key, its other spellings, what it holds, what it is for.
//!
//! One source for three readers: `read` knows from it which keys there are, `format` in which order they stand, and
//! `json_schema` what an editor is told. What a value means is said in `read`.

mod gate;
mod kind;
mod step;
mod table;
mod tool;
mod words;
mod workflow;

pub(super) use gate::{CALL_GATES, CONSENT, ESCALATE, GATE, QUORUM};
pub(super) use kind::{AGENT, EMIT, EXPECT, HTTP, LLM, SET, WAIT};
pub(super) use step::{CACHE, CONFIDENCE, LIMITS, MATRIX, REQUIRES, ROUTE, STEP, STRATEGY};
pub(super) use table::{Convert, Key, Shape, Spelling, Table};
pub(super) use tool::{ACTION, AGENT_FILE, BREAKER, HINTS, MCP, MODEL, PRICE, RATE, TOOL};
pub(super) use words::{
    BACKOFFS, BELOW, CONSENTS, EFFECTS, GATE_SCOPES, GRADES, KINDS, MESSAGE_KINDS, METHODS, ON_CONFLICT,
    ON_CONSOLE_DEATH, ON_ERROR, ON_EXCEED, ON_FAILURE, ON_TIMEOUT, OVERLAPS, PROOFS, PROVIDERS,
    RELIABILITIES, RISKS, ROUTES, SANDBOXES, SCOPES, TOOL_GATES, VALUE_KINDS, WHEN_OPEN,
};
pub(super) use workflow::{
    BUDGET, CONCURRENCY, DEFAULTS, ESTIMATE, FIELD, RETRY, SCHEDULE, TRIGGERS, WORKFLOW,
};

/// The keys of a step in the order in which they are written.
pub fn step_keys() -> impl Iterator<Item = &'static str> {
    STEP.keys.iter().map(|key| key.name)
}

/// The keys of a workflow in the order in which they are written.
pub fn workflow_keys() -> impl Iterator<Item = &'static str> {
    WORKFLOW.keys.iter().map(|key| key.name)
}
