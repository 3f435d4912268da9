//! The budget of a run, and the rule for a run that exceeds it.

use crate::Ceilings;
use serde::{Deserialize, Serialize};

/// The most that a run, or one step of it, may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Millionths of a dollar.
    pub cost_micro_usd: Option<u64>,
    /// Calls: attempts of steps that do something outside.
    pub calls: Option<u64>,
    /// Tokens of models, input and output together.
    pub tokens: Option<u64>,
    /// The reaction at 100 %.
    pub on_exceed: OnExceed,
}

impl Budget {
    /// The most that may be used.
    pub const fn ceilings(&self) -> Ceilings {
        Ceilings::new(self.calls, self.tokens, self.cost_micro_usd)
    }
}

/// The reaction when a budget is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnExceed {
    /// Goes on, and says so once.
    Warn,
    /// Fails the step with `policy_budget`.
    #[default]
    Block,
    /// Opens a gate that can raise the ceiling for this run.
    Gate,
}

impl OnExceed {
    /// The word of the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Block => "block",
            Self::Gate => "gate",
        }
    }
}
