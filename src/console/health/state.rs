//! State of the view of health: the period shown, and the cursor. Part of the model; changed by `update` only.

use cuelight_projection::Period;

/// State of the view of health.
#[derive(Clone, Debug, Default)]
pub(crate) struct HealthState {
    pub period: Period,
    /// The reason under the cursor.
    pub reason: usize,
}
