//! The workflow file as the author wrote it: reading, checking and formatting. It never fails, it returns
//! diagnostics.
//!
//! Knows no disk (files come through [`Files`]) and no run; `plan` decides what will run.

mod check;
mod command_risk;
mod diagnostic;
mod document;
mod finding;
mod format;
mod inline;
mod inputs;
mod json_schema;
mod load;
mod model;
mod policy;
mod read;
mod reference;
mod rule;
mod shell;
mod source;
mod spelling;
mod tool;
mod workflow;
mod yaml;

pub use check::{CONTEXTS, KnownPeople, check_keys, check_people, check_secrets};
pub use command_risk::{CommandRisk, command_risk, words_risk};
pub use diagnostic::{Diagnostic, Edit, RULES, Related, Severity, findings_text, sarif, summary};
pub use document::{step_keys, workflow_keys};
pub use finding::FindingAnswer;
pub use format::fmt;
pub use inputs::{check_fields, check_input_texts, check_inputs};
pub use json_schema::json_schema;
pub use load::{Files, read};
pub use model::{Model, ModelRegistry};
pub use policy::{
    Action, Cache, Concurrency, Confidence, Escalate, Expected, Fallback, Forbidden, Gate, Limits,
    OnConsoleDeath, Overlap, Quorum, RetryOn, RetryPolicy, Sandbox, Schedule, Undo,
};
pub use rule::{
    Backoff, Budget, ConfidenceBelow, EffectClass, OnConflict, OnError, OnExceed, OnFailure, OnTimeout,
    Requires, Risk, Scope, ValueKind,
};
pub use shell::words as shell_words;
pub use source::{Place, Placed, Source};
pub use spelling::suggest;
pub use tool::{
    AgentTraits, Mcp, McpServer, Registry, Reliability, Tool, ToolBody, ToolUndo, Version, built_in_sources,
};
pub use workflow::{
    Axes, Binding, Body, Call, Condition, Data, Emit, Field, Http, Length, Llm, Matrix, MatrixSource,
    Offered, Output, Route, Run, Script, Set, Step, StepKind, Text, Usage, Uses, Wait, Workflow,
};
pub use yaml::{Entry as YamlEntry, Node as YamlNode, Scalar as YamlScalar, Shape as YamlShape, parse_yaml};
