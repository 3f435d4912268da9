//! A circuit breaker: when calls to a target are held back, and when they are let through again. Arithmetic
//! alone: whose calls they are and who waits is for `engine`.

use crate::{FailureMode, Span, Timestamp};
use serde::{Deserialize, Serialize};

/// When the circuit of a target opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BreakerRule {
    /// The number of calls in a row that have to fail.
    pub failures: u32,
    /// The time for which no call is let through.
    pub open_for: Span,
    /// The number of calls in a row that have to succeed after that.
    pub successes: u32,
    /// The treatment of a call while the circuit is open.
    pub when_open: WhenOpen,
}

impl Default for BreakerRule {
    fn default() -> Self {
        Self { failures: 5, open_for: Span::seconds(30), successes: 2, when_open: WhenOpen::Wait }
    }
}

/// The treatment of a call to a target whose circuit is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenOpen {
    /// The call waits until the circuit lets it through.
    #[default]
    Wait,
    /// The call fails at once.
    Fail,
}

/// The state of a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Calls are made as usual.
    Closed {
        /// The number of last calls in a row that failed.
        failures: u32,
    },
    /// No call is made until an instant.
    Open {
        /// The instant from which a call is let through again.
        until: Timestamp,
    },
    /// One call at a time is made, to see if calls succeed again.
    HalfOpen {
        /// The number of calls in a row that succeeded.
        successes: u32,
    },
}

impl Default for Circuit {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Circuit {
    /// The state after a call has ended. A call that ends while the circuit is open changes nothing.
    #[must_use]
    pub fn after_call(self, rule: &BreakerRule, succeeded: bool, now: Timestamp) -> Self {
        let open = Self::Open { until: now + rule.open_for };
        match (self, succeeded) {
            (Self::Closed { .. }, true) => Self::Closed { failures: 0 },
            (Self::Closed { failures }, false) if failures.saturating_add(1) >= rule.failures => open,
            (Self::Closed { failures }, false) => Self::Closed { failures: failures.saturating_add(1) },
            (Self::Open { .. }, _) => self,
            (Self::HalfOpen { successes }, true) if successes.saturating_add(1) >= rule.successes => {
                Self::Closed { failures: 0 }
            }
            (Self::HalfOpen { successes }, true) => Self::HalfOpen { successes: successes.saturating_add(1) },
            (Self::HalfOpen { .. }, false) => open,
        }
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half-open",
        }
    }
}

impl FailureMode {
    /// True if such a failure is due to the call's target, not to the caller, a rule, or this machine.
    pub const fn blames_target(self) -> bool {
        !matches!(
            self,
            Self::PolicySecurity
                | Self::PolicyBudget
                | Self::PolicyAllowlist
                | Self::UserInvalidInput
                | Self::UserCancelled
                | Self::UserPermission
                | Self::ResourceCircuit
                | Self::SystemDisk
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_after_successes_in_a_row() {
        let rule = BreakerRule { failures: 2, ..BreakerRule::default() };
        let (now, until) = (Timestamp(1000), Timestamp(31_000));
        let go = |from: Circuit, calls: &[bool]| {
            calls.iter().fold(from, |sum, ok| sum.after_call(&rule, *ok, now))
        };
        let (closed, half) = (Circuit::default(), Circuit::HalfOpen { successes: 0 });
        assert_eq!(go(closed, &[false, true, false]), Circuit::Closed { failures: 1 });
        assert_eq!(go(closed, &[false, false]), Circuit::Open { until });
        assert_eq!(go(Circuit::Open { until }, &[true, true, true]), Circuit::Open { until });
        assert_eq!(go(half, &[true]), Circuit::HalfOpen { successes: 1 });
        assert_eq!(go(half, &[true, false]), Circuit::Open { until });
        assert_eq!(go(half, &[true, true]), closed);
    }
}
