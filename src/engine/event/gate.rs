//! The events of a gate, and the votes that count.

use crate::{Ask, GateState, Verdict};
use cuelight_base::{Actor, DecisionId, Digest, Epoch, Span, Timestamp, ValueMap};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An answer that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// The id of the answer.
    pub decision: DecisionId,
    /// The person who answered.
    pub by: Actor,
    /// The answer: approve, reject or send back.
    pub verdict: Verdict,
    /// The reason that was given.
    pub reason: String,
    /// The hash of the ask that the person saw.
    pub ask: Digest,
    /// The time for which the ask was shown, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown_for: Option<Span>,
    /// People who had delegated their answer to this person at that time: none of them answers as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acting_for: Vec<Actor>,
    /// True if the groups that count are self-declared: somebody other than root could write `people.toml`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub self_declared: bool,
    /// Values of the form that the person filled in with the answer; null is a field left empty on purpose.
    #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
    pub form: ValueMap,
}

impl Vote {
    /// The person who answered, with the groups they could answer for.
    pub fn voter(&self) -> Actor {
        let groups = self.by.groups.iter().chain(self.acting_for.iter().flat_map(|actor| &actor.groups));
        Actor { groups: groups.cloned().collect(), ..self.by.clone() }
    }

    /// The name of who answered, with the groups where those are self-declared, and the touch of a security
    /// key: `ann (sre, self-declared)`, `bob (touched)`.
    pub fn who(&self) -> String {
        let groups = self.self_declared.then(|| format!("{}, self-declared", self.voter().groups.join(" ")));
        let touch = self.by.touch().map(|touch| touch.words().to_owned());
        let notes: Vec<String> = groups.into_iter().chain(touch).collect();
        if notes.is_empty() {
            self.by.name.clone()
        } else {
            format!("{} ({})", self.by.name, notes.join("; "))
        }
    }
}

impl GateEvent {
    /// The vote that this event brings, however it was given; none for every other event.
    pub fn vote(&self) -> Option<&Vote> {
        match self {
            Self::Voted(vote) | Self::GlassBroken(vote) | Self::Overridden(vote) => Some(vote),
            _ => None,
        }
    }
}

/// The events of a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GateEvent {
    /// People are asked. Also when the ask has changed: another epoch, and all votes are void.
    Asked {
        /// The ask that people see.
        ask: Arc<Ask>,
        /// The hash of the ask.
        hash: Digest,
        /// The reason why it is asked again; none the first time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Somebody answered, and it counts.
    Voted(Box<Vote>),
    /// Somebody answered, and it does not count.
    Refused {
        /// The person who answered.
        by: Actor,
        /// The reason why it does not count.
        why: String,
    },
    /// Somebody withdrew a vote or a delegation.
    Withdrawn {
        /// The person who withdrew it.
        by: Actor,
    },
    /// Somebody changed the parameters; an `Asked` follows.
    Edited {
        /// The person who changed them.
        by: Actor,
        /// The parameters after the change.
        values: ValueMap,
        /// The reason that was given.
        reason: String,
    },
    /// Somebody commented on the gate.
    Commented {
        /// The person who commented.
        by: Actor,
        /// The text of the comment.
        text: String,
    },
    /// Enough people have agreed; before the approval counts, the files that they were shown are looked at
    /// once more.
    Agreed {
        /// The decider, as in `Resolved`.
        by: String,
        /// The files that are evidence.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<String>,
        /// Argument lists of `hashFiles` that are evaluated again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        patterns: Vec<Vec<String>>,
    },
    /// The gate is approved, and the approval can still be withdrawn.
    Armed {
        /// The instant until which it can be withdrawn.
        until: Timestamp,
    },
    /// Nobody has answered yet, and people were reminded.
    Reminded {
        /// The number of the reminder, from 1.
        count: u32,
    },
    /// People of this group may decide as well from now on.
    Escalated {
        /// The group that may decide as well.
        group: String,
    },
    /// Somebody delegated their own answer to somebody else.
    Delegated {
        /// The person who delegated it.
        by: Actor,
        /// The name of the person who may answer instead.
        to: String,
        /// The instant at which the delegation ends.
        until: Timestamp,
        /// The reason that was given.
        reason: String,
    },
    /// An emergency approval: one person approved in place of the quorum. Another person reviews it
    /// afterwards.
    GlassBroken(Box<Vote>),
    /// An override: somebody closed the gate by hand, with the approvals that its rule asks for. Somebody
    /// else reviews it afterwards.
    Overridden(Box<Vote>),
    /// Another person has reviewed an emergency approval or an override.
    GlassReviewed {
        /// The person who reviewed it.
        by: Actor,
        /// The finding of the review.
        reason: String,
        /// The epoch of the gate in which it was approved so. Absent in old logs: then it is the last one
        /// before the review.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<Epoch>,
    },
    /// The gate is closed for good.
    Resolved {
        /// The final state of the gate.
        state: GateState,
        /// The decider: `people`, `policy:auto`, `timeout`, `break-glass`, `override`, `send-back`, `run`;
        /// `by-hand` in old logs.
        by: String,
        /// The parameters at that time.
        #[serde(default, skip_serializing_if = "ValueMap::is_empty")]
        form: ValueMap,
    },
}
