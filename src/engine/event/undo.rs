//! The events of the undo of a step.

use cuelight_base::{Actor, ErrorRecord};
use serde::{Deserialize, Serialize};

/// The events of the undo of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum UndoEvent {
    /// The step is to be undone.
    Asked,
    /// The step was undone.
    Done {
        /// The person who undid it by hand, without running anything; none when a call did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// The undo has failed; a person is asked.
    Stuck {
        /// The error record of the failure.
        record: Box<ErrorRecord>,
    },
    /// The undo is to be tried again.
    Again {
        /// The person who asked for it.
        by: Actor,
    },
}
