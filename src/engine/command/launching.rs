//! A run to be made: from a plan, or from another run that it does again or forks.

use crate::{CauseOfLaunch, Event};
use cuelight_base::{Actor, Digest, Seq};
use cuelight_plan::Plan;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A run to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Launching {
    /// The plan of the run.
    pub plan: Plan,
    /// The actor who asks.
    pub by: Actor,
    /// The seed of all chance in this run.
    pub seed: u64,
    /// The cause of the run.
    pub cause: CauseOfLaunch,
    /// The id that ties runs of one piece of work together.
    pub trace: String,
    /// The hash of the request that asks for it, if the request may be sent again: for a day it makes no
    /// second run.
    #[serde(default)]
    pub request: Option<Digest>,
}

/// The steps that a retry does again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryFrom {
    /// The steps that failed, and the steps that did not run because of them.
    Failed,
    /// The steps that failed, and every step that completed after the last step all others depend on.
    Checkpoint,
    /// All steps of the run.
    All,
}

impl RetryFrom {
    /// All values, in the order of the declaration.
    pub const ALL: &'static [Self] = &[Self::Failed, Self::Checkpoint, Self::All];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Checkpoint => "checkpoint",
            Self::All => "all",
        }
    }
}

/// The corrections before a run is done again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    /// The file its steps are read from as they are now; none means that they stay as they were.
    #[serde(default)]
    pub file: Option<String>,
    /// Inputs as they were typed; those that are not named stay as they were.
    #[serde(default)]
    pub words: Vec<(String, String)>,
    /// The new plan; made of the above by the owner of the workspace, never taken from a seat.
    #[serde(skip)]
    pub plan: Option<Box<Plan>>,
}

/// The point from which a run is forked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForkAt {
    /// After this event of the log.
    Seq(Seq),
    /// Before the step with this id began.
    Step(String),
}

/// The past of a run, up to an event of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The last of its events that counts.
    pub seq: Seq,
    /// All events of the run that are known, from the first on: gates may have asked since.
    pub events: Arc<Vec<Event>>,
    /// The number of these events that count.
    pub count: usize,
}
