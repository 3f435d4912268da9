//! One step of a plan, and the rules for its cache, its output, its undo and its machine.

use super::{failure::Retry, work::Work};
use crate::Amounts;
use cuelight_base::{ProcessLimits, Score, Span, StepIx, ValueMap};
use cuelight_definition::{Budget, ConfidenceBelow, EffectClass, OnConflict, OnError, Requires, ValueKind};
use serde::{Deserialize, Serialize};

/// When an earlier result may stand for a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheRule {
    /// Same key, same result; a template.
    pub key: String,
    /// The lifetime of a result; none means until it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
}

/// One step. A plan has many, and two copies of all while a run begins: fields that few steps use are boxed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanStep {
    /// Unique in the run: `build`, `test[unit]`, `ship/push`.
    pub id: String,
    /// The id by which expressions of its siblings call it (`steps.push`): without the path of its scope.
    pub local: String,
    /// The `workflow` frame whose names and inputs its expressions see; `None` at the top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<StepIx>,
    /// The frame it is a child of: starts only when that is open, counts towards its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<StepIx>,
    /// The steps that must have ended first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<StepIx>,
    /// A bare expression; `None` means `success()`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The work of the step.
    pub work: Work,
    /// Environment: name, template. A template that is one `${{ secrets.X }}` is passed on as a name. The
    /// environment of a workflow frame reaches the steps in it, below their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
    /// Working directory, a template, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// The timeout of one attempt; gates and back-off never count. For a workflow frame: of all of it,
    /// waiting counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// The retry of failed attempts; `None` means one attempt. For a workflow frame: the retry of the steps
    /// that failed in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Box<Retry>>,
    /// The effect of its failure on the run.
    #[serde(default)]
    pub on_error: OnError,
    /// Work tried in order after the last attempt; for a workflow frame, done in its place after its last
    /// try.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<Work>,
    /// The undo of the step.
    #[serde(default)]
    pub undo: Undo,
    /// Declared outputs: name, type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<(String, ValueKind)>,
    /// Files to keep: glob patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// The meaning of a crash in mid-step.
    #[serde(default)]
    pub effect: EffectClass,
    /// True if its process ends when the engine that started it dies. Otherwise it goes on, and a later
    /// engine records its end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ends_with_console: bool,
    /// The limits of each of its processes.
    #[serde(default, skip_serializing_if = "ProcessLimits::is_none")]
    pub limits: ProcessLimits,
    /// Bytes of output that are kept of each call; as many as ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_limit: Option<u64>,
    /// True if its processes reach no more than they were given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sandboxed: bool,
    /// On which machine it may run: looked at before the run is started.
    #[serde(default, skip_serializing_if = "Requires::is_nothing")]
    pub requires: Requires,
    /// Answers whether an effect of class `queryable` happened: exit 0 yes, 1 no, else unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Box<Work>>,
    /// The priority in the queue: higher starts first.
    #[serde(default)]
    pub priority: i32,
    /// Gives the type of its errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The least confidence of a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Box<ConfidenceRule>>,
    /// `matrix.*` of this copy.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub matrix: ValueMap,
    /// The title of the step, shown beside its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The budget of all its calls together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Box<Budget>>,
    /// The expected usage of one call: charged when the call begins, corrected by the usage that the call
    /// reports.
    #[serde(default, skip_serializing_if = "Amounts::is_nothing")]
    pub estimate: Amounts,
    /// When an earlier result may stand for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Box<CacheRule>>,
}

/// The undo of a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// The file says nothing about undo.
    #[default]
    Unset,
    /// The file declares that it cannot be undone; shown at gates.
    Impossible,
    /// This work undoes the step.
    By(Box<Work>),
}

/// A result's confidence must be at least this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfidenceRule {
    /// The output that holds it; else the step reports `confidence`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The least that is good enough.
    pub min: Score,
    /// The effect of a confidence below `min`.
    pub below: ConfidenceBelow,
}

/// The other runs that a run may not run beside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Concurrency {
    /// Name of the group, evaluated when the run was launched.
    pub group: String,
    /// The reaction when another run of the group is open.
    pub on_conflict: OnConflict,
    /// True if `cancel-running` also cancels a run that waits at a gate.
    #[serde(default)]
    pub cancel_waiting: bool,
}
