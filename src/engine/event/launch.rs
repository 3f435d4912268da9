//! Why a run was launched, and its changes against the run that it does again.

use crate::RetryFrom;
use cuelight_base::{Digest, RunId, Seq, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// The cause of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CauseOfLaunch {
    /// An actor asked for it.
    Asked,
    /// A schedule started it at this instant.
    Schedule(Timestamp),
    /// A retry of the steps that did not succeed in another run; completed steps keep their results.
    Retry {
        /// The run that is retried.
        of: RunId,
        /// The steps that are done again.
        from: RetryFrom,
        /// The changes against the other run; none when nothing was corrected.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrected: Option<Box<Corrected>>,
    },
    /// A fork of another run from an instant on, beside that run; steps that were done by then keep their
    /// results.
    Fork {
        /// The run that is forked.
        of: RunId,
        /// The last event of it that counts.
        at: Seq,
        /// The changes against the other run; none when nothing was corrected.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrected: Option<Box<Corrected>>,
    },
}

impl CauseOfLaunch {
    /// The run whose results it took over.
    pub const fn parent(&self) -> Option<RunId> {
        match self {
            Self::Retry { of, .. } | Self::Fork { of, .. } => Some(*of),
            Self::Asked | Self::Schedule(_) => None,
        }
    }

    /// The changes against the other run.
    pub fn corrected(&self) -> Option<&Corrected> {
        match self {
            Self::Retry { corrected, .. } | Self::Fork { corrected, .. } => corrected.as_deref(),
            Self::Asked | Self::Schedule(_) => None,
        }
    }
}

/// The changes of a run against the run that it does again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Corrected {
    /// The inputs that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputChange>,
    /// The steps that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepChange>,
    /// The rules of the run as a whole that differ, by the words of the file: `env`, `timeout` …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Hash of the text of the workflow before the change.
    pub definition: Digest,
}

/// An input that differs from the other run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputChange {
    /// The name of the input.
    pub name: String,
    /// The value before; none when it had none.
    #[serde(default)]
    pub before: Option<Value>,
    /// The value after; none when it has none.
    #[serde(default)]
    pub after: Option<Value>,
}

/// A step that differs from the other run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepChange {
    /// The id of the step.
    pub id: String,
    /// The kind of the change.
    pub how: Change,
}

/// The kind of a change between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Change {
    Added,
    Removed,
    Rewritten,
}

impl Change {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Rewritten => "rewritten",
        }
    }
}
