//! The events of the schedules of a workflow.

use cuelight_base::Actor;
use serde::{Deserialize, Serialize};

/// The events of the schedules of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ScheduleEvent {
    /// The schedules were put on hold: they start no run until they are released.
    Held {
        /// The actor who asked for it.
        by: Actor,
        /// The reason that was given.
        reason: String,
    },
    /// The schedules were released: the next time starts a run.
    Released {
        /// The actor who asked for it.
        by: Actor,
    },
}
