//! The notes of people on failures.

use cuelight_base::{Actor, StepIx};
use serde::{Deserialize, Serialize};

/// The notes of people on a failure. It is the failure of a step, of the undo of a step, or, without a step,
/// of the run as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FailureEvent {
    /// A person has seen the failure and looks after it.
    Acknowledged {
        /// The step that failed; none when it is the run.
        #[serde(default)]
        step: Option<StepIx>,
        /// True if it is the undo of the step that failed.
        #[serde(default)]
        of_undo: bool,
        /// The person who wrote the note.
        by: Actor,
        /// The text of the note.
        #[serde(default)]
        reason: String,
    },
    /// A person has marked the failure as resolved.
    Resolved {
        /// The step that failed; none when it is the run.
        #[serde(default)]
        step: Option<StepIx>,
        /// True if it is the undo of the step that failed.
        #[serde(default)]
        of_undo: bool,
        /// The person who wrote the note.
        by: Actor,
        /// The change that resolved it.
        #[serde(default)]
        reason: String,
    },
    /// The note on the failure was withdrawn: the failure is open again.
    Reopened {
        /// The step that failed; none when it is the run.
        #[serde(default)]
        step: Option<StepIx>,
        /// True if it is the undo of the step that failed.
        #[serde(default)]
        of_undo: bool,
        /// The person who wrote the note.
        by: Actor,
        /// The reason that was given.
        #[serde(default)]
        reason: String,
    },
}

impl FailureEvent {
    /// The step whose failure it is.
    pub const fn step(&self) -> Option<StepIx> {
        match self {
            Self::Acknowledged { step, .. } | Self::Resolved { step, .. } | Self::Reopened { step, .. } => {
                *step
            }
        }
    }

    /// The step that failed, and true if it is the undo of the step that failed.
    pub const fn whose(&self) -> (Option<StepIx>, bool) {
        match self {
            Self::Acknowledged { step, of_undo, .. }
            | Self::Resolved { step, of_undo, .. }
            | Self::Reopened { step, of_undo, .. } => (*step, *of_undo),
        }
    }
}
