//! The value of a scope: as it is kept, and as somebody wants to set it.

use cuelight_base::{Span, Timestamp, Value};
use cuelight_plan::Scope;
use serde::{Deserialize, Serialize};

/// A new value of the session or the workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewValue {
    /// The scope; never that of a run.
    pub scope: Scope,
    /// The key of the value.
    pub key: String,
    /// The value; nothing takes it away.
    pub value: Option<Value>,
    /// The lifetime of the value; for ever when nothing is given.
    #[serde(default)]
    pub ttl: Option<Span>,
    /// Only if it is as it was seen.
    #[serde(default)]
    pub expect: Option<Expected>,
}

/// The condition on the old value under which it is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// The value does not exist.
    Absent,
    /// The one with this etag.
    Etag(String),
}

/// A value in a scope.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) value: Value,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) version: u64,
}

impl Stored {
    pub(crate) fn is_there(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| expires_at > now)
    }
}
