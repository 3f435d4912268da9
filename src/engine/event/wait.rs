//! The reasons why a step waits.

use cuelight_base::{GateId, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// The event that a waiting step waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitReason {
    /// A person, at this gate.
    Person(GateId),
    /// An instant in time.
    Time(Timestamp),
    /// The next attempt, after a delay.
    BackOff {
        /// The instant of the next attempt.
        until: Timestamp,
        /// The number of the next attempt.
        next: u32,
    },
    /// Facts that were asked for: files and their hashes.
    Facts,
    /// A target that takes no call now.
    Target {
        /// The name of the target.
        name: String,
        /// The reason why it takes none.
        hold: TargetHold,
        /// The instant at which it may take one, if it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// None of the candidates of a choice takes a call now.
    Candidates {
        /// The targets, each with the reason why it takes none.
        names: Vec<(String, String)>,
        /// The instant at which one of them may take one, if it is known and no event tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// The instant at which the step fails because of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fails_at: Option<Timestamp>,
    },
    /// An agent that comes for it by itself.
    Agent {
        /// The agent's name: `agent:coder@1.0.0`.
        name: String,
        /// The capabilities of that agent: any agent that has all of them may claim the work as well.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        capabilities: Vec<String>,
        /// The instant at which the step fails because no agent came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fails_at: Option<Timestamp>,
    },
    /// Messages on a topic.
    Message {
        /// The topic of the messages.
        topic: String,
        /// The fields that the messages must have.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        filter: Vec<(String, Value)>,
        /// The number of messages.
        count: u32,
        /// The instant at which the step stops waiting.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
}

/// The reason why a target takes no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetHold {
    /// Its circuit is open: too many calls in a row have failed.
    Circuit,
    /// Another call tries it, after its circuit was open.
    Trial,
    /// Others have waited for it longer.
    Line,
    /// Calls come faster than its rate limit.
    Rate,
    /// The quota of the day is used up.
    Quota,
}
