//! The plan of a run: made once from a checked workflow and its inputs, never changed after that.
//!
//! A plan is stored in the log with its run, so a later version of cuelight cannot change the past.

mod estimate;
mod expand;
mod graph;
mod http;
mod lower;
mod model;
mod order;
mod plan;
mod requires;
mod secret;
mod show;
mod spending;
mod stage;
mod tool;
mod tool_undo;
mod words;
mod work;

/// Words of rules that the file and the plan share.
pub use cuelight_definition::{
    Backoff, Budget, ConfidenceBelow, EffectClass, OnConflict, OnError, OnExceed, OnFailure, OnTimeout,
    Requires, Risk, Scope, ValueKind,
};
pub use estimate::Estimate;
pub use expand::{expand, matrix_copies, model_copy};
pub use graph::{GraphFormat, graph};
pub use http::{Answers, HttpBody, HttpWork};
pub use lower::{lower, outline};
pub use model::{PlanModel, expected_of};
pub use order::{CriticalPath, critical_path, order};
pub use plan::{
    CacheRule, Concurrency, ConfidenceRule, Emission, Frame, FrameKind, GateRule, Later, ModelWork, Need,
    Plan, PlanStep, Quorum, Retry, Route, Talk, TalkTool, ToolUse, Undo, WaitFor, Work, is_within,
};
pub use requires::Machine;
pub use show::{PlanAnswer, show};
pub use spending::{Amounts, Ceilings, Currency, is_mostly_used};
pub use stage::stages;
pub use tool::{Given, McpWork, PlanAgent, PlanTool, PlanToolBody, PlanToolUndo};
pub use work::SHELL;
