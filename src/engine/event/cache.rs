//! The events of results that may stand for steps.

use cuelight_base::{Actor, Digest, RunId, Score, StepIx, Timestamp, ValueMap};
use serde::{Deserialize, Serialize};

/// The events of results that may stand for steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CacheEvent {
    /// The result of a step was cached.
    Stored {
        /// The id of the result, made from its key and the step as it is written.
        id: Digest,
        /// The key of the result.
        key: String,
        /// The outputs of the step.
        outputs: ValueMap,
        /// The confidence in the result.
        confidence: Score,
        /// The run of the step.
        run: RunId,
        /// The id of the step.
        step: String,
        /// The instant at which the result expires.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// A cached result stands for a step.
    Used {
        /// The id of the result.
        id: Digest,
        /// The key of the result.
        key: String,
        /// The run of the step that uses it.
        run: RunId,
        /// The step that uses it.
        step: StepIx,
    },
    /// An actor deleted cached results.
    Cleared {
        /// The key whose results were deleted; none means all keys.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The number of deleted results.
        count: u32,
        /// The actor who asked for it.
        by: Actor,
    },
    /// An actor cleared the workspace: no result is cached any more, and lists show no run that ended before.
    /// The log keeps all of it.
    Reset {
        /// The number of deleted results.
        count: u32,
        /// The reason that was given.
        reason: String,
        /// The actor who asked for it.
        by: Actor,
    },
}
