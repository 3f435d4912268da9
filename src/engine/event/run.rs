//! The events of a run, and the partial result of one that ended without completing.

use crate::{CauseOfLaunch, RunState};
use cuelight_base::{Actor, Digest, ErrorRecord, FailureMode, Score, StepIx, ValueMap};
use cuelight_plan::{Currency, Plan};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The events of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RunEvent {
    /// The run was asked for, and its plan is fixed.
    Created {
        /// The plan of the run, exactly as it will be carried out.
        plan: Arc<Plan>,
        /// The hash of the plan.
        plan_hash: Digest,
        /// The actor who asked for the run.
        by: Actor,
        /// The seed of all chance in this run, in decimal digits (it does not fit a JSON number everywhere).
        seed: String,
        /// The cause of the run.
        cause: CauseOfLaunch,
        /// The id that ties runs of one piece of work together.
        trace: String,
        /// The hash of the request that it was made for, if the request may be sent again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Digest>,
        /// The gates that have asked in the run that this one does again, by id, each with the people whom
        /// its `forbid` excluded there.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        asked: BTreeMap<String, Vec<String>>,
        /// The gates among them that escalate, by id, each with the person or group that its ask named first.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        escalates: Box<BTreeMap<String, String>>,
        /// The gates among them whose form was edited, by id, each with the principals that did it, and their names.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        editors: Box<BTreeMap<String, BTreeMap<String, String>>>,
        /// Principals that count as its requesters in addition to `by`, each with the reason: those of the run that this
        /// one does again, and, where a step asked for it, those of the runs that were open or had ended not long before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        requesters: Vec<(String, String)>,
        /// By gate, the steps behind it that corrections have removed, or rewritten after it asked, by id: new work stands behind it too.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        displaced: Box<BTreeMap<String, BTreeSet<String>>>,
        /// The same, of steps that wait for the gate and start also without its approval: new work waits for it too.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        displaced_behind: Box<BTreeMap<String, BTreeSet<String>>>,
    },
    /// Its place in the concurrency group is free; steps may start.
    Started,
    /// The run was paused: it starts no new step.
    Paused {
        /// The actor who asked for the pause.
        by: Actor,
    },
    /// The run was resumed.
    Resumed {
        /// The actor who asked for it.
        by: Actor,
    },
    /// The run is being cancelled: running calls are being ended.
    Cancelling {
        /// The actor who asked for it.
        by: Actor,
        /// The reason that was given.
        reason: String,
        /// True if completed steps are undone.
        undo: bool,
    },
    /// The run starts nothing new because a step failed or was rejected; `compensate` tells if undoing
    /// follows.
    Stopping {
        /// The step that failed or was rejected.
        because: StepIx,
        /// True if it was a rejection.
        rejected: bool,
        /// True if completed steps are undone.
        compensate: bool,
    },
    /// The timeout of the run was reached; running calls are being ended.
    TimedOut {
        /// The error record of the timeout.
        record: Box<ErrorRecord>,
    },
    /// Undoing of completed steps begins.
    Compensating,
    /// 80 % of a budget is used.
    BudgetWarned {
        /// The usage so far: calls, tokens, or millionths of a dollar, as `currency` says.
        calls: u64,
        /// The limit of the budget, in the same unit.
        limit: u64,
        /// The unit that is counted.
        #[serde(default)]
        currency: Currency,
        /// The step whose own budget it is; none when it is that of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepIx>,
    },
    /// The ceiling of a budget was raised for this run.
    BudgetRaised {
        /// The ceiling now: calls, tokens, or millionths of a dollar, as `currency` says.
        calls: u64,
        /// The actor who allowed it.
        by: Actor,
        /// The unit that is counted.
        #[serde(default)]
        currency: Currency,
        /// The step whose own budget it is; none when it is that of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepIx>,
    },
    /// The run has ended.
    Ended {
        /// The final state of the run.
        state: RunState,
        /// The outputs of the run.
        outputs: ValueMap,
        /// The partial result; none when the run completed.
        partial: Option<Box<PartialResult>>,
    },
}

/// The result of a run that ended without completing (O4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartialResult {
    /// The number of steps that completed.
    pub completed: u32,
    /// The number of steps that failed.
    pub failed: u32,
    /// The number of steps that never ran.
    pub remaining: u32,
    /// The share of steps that completed.
    pub completion_ratio: Score,
    /// The failure mode of the first failure.
    pub failure_mode: Option<FailureMode>,
    /// The step that failed first.
    pub failure_point: Option<String>,
    /// `manual`, `retry-failed`, `retry-from-checkpoint` or `retry-all`.
    pub suggestion: String,
    /// The step that completed last: its outputs are the last ones of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_done: Option<String>,
}
