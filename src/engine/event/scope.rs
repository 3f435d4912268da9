//! The events of values in a scope.

use cuelight_base::{Actor, Timestamp, Value};
use cuelight_plan::Scope;
use serde::{Deserialize, Serialize};

/// The events of a scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ScopeEvent {
    /// A value was set.
    Set {
        /// The scope that was written.
        scope: Scope,
        /// The owner of the value: a run, an actor's principal, or empty for the workspace.
        owner: String,
        /// The key of the value.
        key: String,
        /// The value that was set.
        value: Value,
        /// The instant at which the value expires.
        expires_at: Option<Timestamp>,
        /// The actor who set it; none when it was a step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
    },
    /// A value was removed by a person.
    Removed {
        /// The scope that was written.
        scope: Scope,
        /// The owner of the value: an actor's principal, or empty for the workspace.
        owner: String,
        /// The key of the value.
        key: String,
        /// The person who removed it.
        by: Actor,
    },
}
