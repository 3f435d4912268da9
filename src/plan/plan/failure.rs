//! The rules after a failure: retry, and the rest of the run.

use cuelight_base::{FailureMode, Score, Span};
use serde::{Deserialize, Serialize};

/// The retry of failed attempts. `max_attempts` counts all calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// All calls, the first one too; at least 1.
    pub max_attempts: u32,
    /// The growth of the delay.
    pub kind: RetryKind,
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

/// The growth of the delay between attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words are the field's")]
pub enum RetryKind {
    #[default]
    Exponential,
    Linear,
    Constant,
    None,
}

/// The effect of a step's failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// The run reacts by its `on-failure`.
    #[default]
    Abort,
    /// Dependents see it as skipped; the run goes on.
    Skip,
    /// Dependents decide by their `if`; the run goes on.
    Continue,
}

/// The effect of an aborting failure, or of a rejection, on the rest of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Starts nothing new; what runs may end.
    #[default]
    Stop,
    /// Continues with steps that do not depend on it.
    Continue,
    /// Stops, then undoes the completed steps.
    Compensate,
}
