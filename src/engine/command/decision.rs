//! The answers of people: a decision at a gate, the outcome of a step in doubt, and a note on a failure.

use cuelight_base::{Actor, DecisionId, Digest, Epoch, GateId, Span, ValueMap};
use serde::{Deserialize, Serialize};

/// A person's answer at a gate, with all that makes it valid for this ask and no other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Chosen by the seat; the same id again gets the same answer.
    pub id: DecisionId,
    /// The gate that is answered.
    pub gate: GateId,
    /// The epoch that was seen.
    pub epoch: Epoch,
    /// The hash of the ask that was seen.
    pub ask: Digest,
    /// The answer: approve, reject or send back.
    pub verdict: Verdict,
    /// The reason; a rejection always has one.
    pub reason: String,
    /// The actor who answers.
    pub by: Actor,
    /// The time for which the ask was on the screen, if it is known.
    pub shown_for: Option<Span>,
    /// True for an emergency approval: it stands for the whole quorum.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// An override: closes the gate by hand, like an approval by the same people, and is reviewed by somebody
    /// else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overrides: bool,
    /// Values of the ask's form, filled in by the person who approves; null leaves an optional field empty.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub form: ValueMap,
}

/// The answers that a person can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Verdict {
    Approve,
    Reject,
    SendBack,
}

impl Verdict {
    /// The word for it, which is also that of the command.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::SendBack => "send-back",
        }
    }
}

/// The outcome of a step that may have happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoubtAnswer {
    /// It happened, with these outputs.
    Happened(ValueMap),
    /// It did not happen; the attempt is given back.
    NotHappened,
    /// The step counts as failed, with or without an effect.
    Abort,
}

/// The kinds of notes on a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureNote {
    /// Somebody has seen it and looks after it.
    Acknowledge,
    /// The failure is resolved.
    Resolve,
    /// The failure is open again.
    Reopen,
}

impl FailureNote {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
            Self::Reopen => "reopen",
        }
    }
}
