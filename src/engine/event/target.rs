//! The events of a target of calls: its circuit breaker and its rate limit.

use cuelight_base::{Bucket, Circuit, RateRule, RunId, StepIx, Timestamp};
use serde::{Deserialize, Serialize};

/// The events of a target of calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TargetEvent {
    /// The count of calls in a row that failed has changed; 0 after a success.
    Counted {
        /// The number of calls in a row that failed.
        failures: u32,
    },
    /// The circuit is open: calls are held back.
    Opened {
        /// The instant until which calls are held back.
        until: Timestamp,
        /// The reason why it opened.
        reason: String,
        /// The run whose call failed last.
        run: RunId,
        /// The step whose call failed last.
        step: StepIx,
    },
    /// The circuit is half open: one call at a time is made.
    HalfOpened,
    /// A trial call has succeeded, and more of them are needed.
    Succeeded {
        /// The number of trial calls in a row that succeeded.
        successes: u32,
    },
    /// A call took one of the tokens that its rate allows.
    Taken {
        /// The usage of the bucket so far.
        bucket: Bucket,
        /// The rate limit of the target.
        rate: RateRule,
    },
    /// The circuit is closed: calls are made as usual.
    Closed {
        /// The reason why it closed.
        reason: String,
    },
}

impl TargetEvent {
    /// The state of the breaker after this event; none when the event does not touch it.
    pub const fn circuit(&self) -> Option<Circuit> {
        Some(match self {
            Self::Counted { failures } => Circuit::Closed { failures: *failures },
            Self::Opened { until, .. } => Circuit::Open { until: *until },
            Self::HalfOpened => Circuit::HalfOpen { successes: 0 },
            Self::Succeeded { successes } => Circuit::HalfOpen { successes: *successes },
            Self::Closed { .. } => Circuit::Closed { failures: 0 },
            Self::Taken { .. } => return None,
        })
    }
}
