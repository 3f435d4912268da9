//! Why an attempt failed: 25 modes (O4), and which of them may be tried again.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! modes {
    ($($name:ident $word:literal $again:literal,)*) => {
        /// The class of a failure, by structured cause first (exit code, signal, errno, HTTP status), by text
        /// last.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FailureMode {
            $(#[doc = concat!("`", $word, "`")] #[serde(rename = $word)] $name,)*
        }

        impl FailureMode {
            /// All of them, in the order of the design.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word used in files, journal and messages.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// True if a retry may help without anybody changing anything.
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$name => $again,)* }
            }
        }
    };
}

modes! {
    AgentValidation "agent_validation" false,
    AgentTimeout "agent_timeout" true,
    AgentLogic "agent_logic" false,
    AgentContract "agent_contract" false,
    AgentState "agent_state" false,
    SystemNetwork "system_network" true,
    SystemTimeout "system_timeout" true,
    SystemCrash "system_crash" false,
    SystemOom "system_oom" false,
    SystemDisk "system_disk" false,
    ResourceTool "resource_tool" true,
    ResourceApi "resource_api" true,
    ResourceMemory "resource_memory" false,
    ResourceQuota "resource_quota" false,
    ResourceCircuit "resource_circuit" true,
    PolicySecurity "policy_security" false,
    PolicyBudget "policy_budget" false,
    PolicyAllowlist "policy_allowlist" false,
    PolicyRateLimit "policy_rate_limit" true,
    UserInvalidInput "user_invalid_input" false,
    UserCancelled "user_cancelled" false,
    UserPermission "user_permission" false,
    PartialToolFailures "partial_tool_failures" true,
    PartialStepFailures "partial_step_failures" true,
    PartialTimeout "partial_timeout" true,
}

impl FailureMode {
    /// True if nothing but a person's change can help.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::PolicySecurity
                | Self::PolicyBudget
                | Self::PolicyAllowlist
                | Self::SystemCrash
                | Self::SystemOom
                | Self::UserCancelled
                | Self::AgentContract
        )
    }

    /// The word without its family, as a column shows it: `TIMEOUT`, `RATE_LIMIT`, `PARTIAL`.
    pub fn label(self) -> String {
        match self.word().split_once('_') {
            Some(("partial", _)) | None => "PARTIAL".to_owned(),
            Some((_, rest)) => rest.to_uppercase(),
        }
    }
}

impl fmt::Display for FailureMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for FailureMode {
    type Err = ();
    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|mode| mode.word() == word).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_25_modes_and_none_is_both_terminal_and_retryable() {
        assert_eq!(FailureMode::ALL.len(), 25);
        assert_eq!(FailureMode::ALL.iter().filter(|mode| mode.is_terminal()).count(), 7);
        assert_eq!(FailureMode::ALL.iter().filter(|mode| mode.is_retryable()).count(), 10);
        assert!(FailureMode::ALL.iter().all(|mode| !(mode.is_terminal() && mode.is_retryable())));
    }
}
