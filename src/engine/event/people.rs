//! The events of the people of the workspace, and of the tokens that they hold.

use crate::Membership;
use cuelight_base::{Actor, Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// The events of tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TokenEvent {
    /// A token was revoked.
    Revoked {
        /// The id of the token (`jti`).
        id: String,
        /// The subject that held the token.
        subject: String,
        /// The instant at which the token would have expired anyway, and is forgotten here.
        until: Timestamp,
        /// The reason that was given.
        reason: String,
        /// The actor who revoked it.
        by: Actor,
    },
}

/// The events of the people of the workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PeopleEvent {
    /// `people.toml` was read and has changed. Open gates that depend on it ask again.
    Changed {
        /// The people now, by principal, with name and groups; `policy` has the hash of the file, if it is
        /// self-declared, its signer, and if it asks for touched keys.
        people: Box<Membership>,
        /// The hash of the file before; none the first time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Digest>,
        /// Groups that somebody has gained or lost.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<String>,
    },
}
