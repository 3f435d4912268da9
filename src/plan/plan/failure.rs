//! The rules after a failure: retry, and the rest of the run.

use cuelight_base::{FailureMode, Score, Span};
use cuelight_definition::Backoff;
use serde::{Deserialize, Serialize};

/// The retry of failed attempts. `max_attempts` counts all calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// All calls, the first one too; at least 1.
    pub max_attempts: u32,
    /// The growth of the delay.
    pub kind: Backoff,
    /// Before the second attempt.
    pub delay: Span,
    /// Growth of each delay, in thousandths (2000 doubles).
    pub factor_thousandths: u32,
    /// Never longer than this.
    pub max_delay: Span,
    /// Up to this share more or less, drawn from the run's seed.
    pub jitter: Score,
    /// Only these modes; empty means every failure but the terminal ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<FailureMode>,
}
