//! The shapes of a plan. A stored contract: fields are only added, each with a default.
//!
//! A `Text` here is the source of a template (`${{ }}` inside text) or, if its comment tells, of one bare
//! expression. The engine evaluates it when its step starts, never before.

mod call;
mod failure;
mod gate_rule;
mod step;
mod work;

pub use call::{ModelWork, Route, ToolUse};
pub use failure::Retry;
pub use gate_rule::{GateRule, Need, Quorum};
pub use step::{CacheRule, Concurrency, ConfidenceRule, PlanStep, Undo};
pub use work::{Emission, Frame, FrameKind, Later, Talk, TalkTool, WaitFor, Work};

use crate::{PlanModel, PlanTool};
use cuelight_base::{Digest, MODEL_TARGET, Span, SpawnedAgent, ValueMap, canonical_json, sha256};
use cuelight_definition::{Budget, OnFailure};
use serde::{Deserialize, Deserializer, Serialize};

/// All that one run will do, in file order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// The name of the workflow.
    pub name: String,
    /// The description of the workflow.
    pub description: String,
    /// The file it came from, as it was given.
    pub file: String,
    /// Hash of the text of the file and of every file it includes.
    pub definition: Digest,
    /// Inputs, checked and with defaults filled in.
    pub inputs: ValueMap,
    /// Environment of every step: name, template.
    pub env: Vec<(String, String)>,
    /// Names of secrets that steps may be given.
    pub secrets: Vec<String>,
    /// The steps. A step's needs may stand anywhere; children of a frame stand after it.
    #[serde(deserialize_with = "exactly")]
    pub steps: Vec<PlanStep>,
    /// Outputs of the run: name, template.
    pub outputs: Vec<(String, String)>,
    /// The effect of an aborting failure on the other steps.
    pub on_failure: OnFailure,
    /// The timeout of the run; waiting at a gate counts.
    pub timeout: Option<Span>,
    /// Steps running at once; 0 means the default.
    pub max_parallel: u32,
    /// The other runs that it may not run beside.
    pub concurrency: Option<Concurrency>,
    /// The budget of the run.
    pub budget: Option<Budget>,
    /// The tools its steps use, each as it was described when the plan was made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<PlanTool>,
    /// The models its steps ask, each as it was described when the plan was made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<PlanModel>,
    /// The agent that it starts, where somebody asked for one and for nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spawned: Option<Box<SpawnedAgent>>,
}

/// No more room than there are steps: a list that grows as it is read has up to twice as much.
fn exactly<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PlanStep>, D::Error> {
    let mut steps = Vec::deserialize(deserializer)?;
    steps.shrink_to_fit();
    Ok(steps)
}

impl Plan {
    /// The hash that the trail holds a run to: the same plan has the same hash, wherever it was made or
    /// stored.
    pub fn hash(&self) -> Digest {
        sha256("cuelight-plan-v1", &[canonical_json(self).as_bytes()])
    }

    /// The model of this name.
    pub fn model(&self, name: &str) -> Option<&PlanModel> {
        self.models.iter().find(|model| model.name == name)
    }

    /// The model that a target is.
    pub fn model_of_target(&self, target: &str) -> Option<&PlanModel> {
        self.model(target.strip_prefix(MODEL_TARGET)?)
    }

    /// The tool of this id, `name@1.2.3`.
    pub fn tool(&self, id: &str) -> Option<&PlanTool> {
        let (name, version) = id.split_once('@')?;
        self.tools.iter().find(|tool| tool.name == name && tool.version == version)
    }
}

/// True if a step stands in a frame, by the ids of both: `m[1]/g` stands in `m` and in `m[1]`.
pub fn is_within(id: &str, frame: &str) -> bool {
    id.strip_prefix(frame).is_some_and(|rest| rest.starts_with(['/', '[']))
}
