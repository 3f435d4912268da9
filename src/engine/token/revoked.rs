//! The revoked tokens that are remembered.

use crate::TokenEvent;
use cuelight_base::{REVOKED_TOKENS_MAX, Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The time for which a revoked token is remembered after its end.
const KEPT: Span = Span::seconds(30 * 24 * 3600);

/// A token, by what tells it from every other; never the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenName {
    /// The id of the token (`jti`).
    pub id: String,
    /// The subject that holds the token.
    pub subject: String,
    /// After this it is not good any more anyway.
    pub until: Timestamp,
}

/// The tokens that were revoked and have not expired.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Revoked {
    ids: BTreeMap<String, Timestamp>,
    ends: BTreeSet<(Timestamp, String)>,
}

impl Revoked {
    /// Applies an event to the state. Tokens that expired long ago are forgotten, since they open no door any
    /// more. They are not forgotten sooner: a clock that stood ahead for a while would then admit a revoked
    /// token.
    pub fn apply(&mut self, at: Timestamp, event: &TokenEvent) {
        let TokenEvent::Revoked { id, until, .. } = event;
        while let Some((end, _)) = self.ends.first()
            && *end + KEPT < at
        {
            let Some((_, id)) = self.ends.pop_first() else { return };
            self.ids.remove(&id);
        }
        self.ids.insert(id.clone(), *until);
        self.ends.insert((*until, id.clone()));
    }

    /// True if this token was revoked.
    pub fn has(&self, id: &str) -> bool {
        self.ids.contains_key(id)
    }

    pub(super) fn is_full(&self, now: Timestamp) -> bool {
        self.ends.range((now, String::new())..).count() >= REVOKED_TOKENS_MAX
    }
}
