//! A circuit breaker: when calls to a target are held back, and when they are let through again. Arithmetic alone: whose
//! calls they are and who waits is for `engine`.

use crate::{FailureMode, Span, Timestamp};
use serde::{Deserialize, Serialize};

/// When the circuit of a target opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BreakerRule {
    /// So many calls in a row have to fail.
    pub failures: u32,
    /// For so long nothing is let through.
    pub open_for: Span,
    /// So many calls in a row have to succeed after that.
    pub successes: u32,
    /// What becomes of a call meanwhile.
    pub when_open: WhenOpen,
}

impl Default for BreakerRule {
    fn default() -> Self {
        Self { failures: 5, open_for: Span::seconds(30), successes: 2, when_open: WhenOpen::Wait }
    }
}

/// What becomes of a call to a target whose circuit is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenOpen {
    /// It waits.
    #[default]
    Wait,
    /// It fails at once.
    Fail,
}

/// Where a breaker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// Calls are made; so many of the last ones in a row have failed.
    Closed {
        /// How many.
        failures: u32,
    },
    /// None is made until then.
    Open {
        /// Until when.
        until: Timestamp,
    },
    /// One at a time is made, to see whether they succeed again.
    HalfOpen {
        /// How many in a row have.
        successes: u32,
    },
}

impl Default for Circuit {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Circuit {
    /// Where it is after a call has ended. What began before it opened says nothing while it is open.
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
    /// Whether such a failure says something of what was called, and not of who called it, of a rule, or of this machine.
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
        let go =
            |from: Circuit, calls: &[bool]| calls.iter().fold(from, |it, ok| it.after_call(&rule, *ok, now));
        let (closed, half) = (Circuit::default(), Circuit::HalfOpen { successes: 0 });
        assert_eq!(go(closed, &[false, true, false]), Circuit::Closed { failures: 1 });
        assert_eq!(go(closed, &[false, false]), Circuit::Open { until });
        assert_eq!(go(Circuit::Open { until }, &[true, true, true]), Circuit::Open { until });
        assert_eq!(go(half, &[true]), Circuit::HalfOpen { successes: 1 });
        assert_eq!(go(half, &[true, false]), Circuit::Open { until });
        assert_eq!(go(half, &[true, true]), closed);
    }
}
