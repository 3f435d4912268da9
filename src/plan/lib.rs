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

pub use estimate::Estimate;
pub use expand::{expand, matrix_copies, model_copy};
pub use graph::{GraphFormat, graph};
pub use http::{Answers, HttpBody, HttpWork};
pub use lower::{lower, outline};
pub use model::{PlanModel, expected_of};
pub use order::{CriticalPath, critical_path, order};
pub use plan::{
    Budget, CacheRule, Concurrency, ConfidenceBelow, ConfidenceRule, EffectClass, Emission, Frame, FrameKind,
    GateRule, Later, ModelWork, Need, OnConflict, OnError, OnExceed, OnFailure, OnTimeout, OutputType, Plan,
    PlanStep, Quorum, Requires, Retry, RetryKind, Risk, Route, Scope, Talk, TalkTool, ToolUse, Undo, WaitFor,
    Work, is_within,
};
pub use requires::Machine;
pub use show::{PlanAnswer, show, show_value};
pub use spending::{Amounts, Ceilings, Currency, is_mostly_used};
pub use stage::stages;
pub use tool::{Given, McpWork, PlanAgent, PlanTool, PlanToolBody, PlanToolUndo};
