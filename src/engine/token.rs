//! Tokens that were revoked before they expired. The fold is shared with `projection`, which the doors ask;
//! other checks of a token are in `gateway`.

use crate::{
    Fact, Refusal, TokenEvent,
    handle::{Turn, required_reason},
};
use cuelight_base::{Actor, Proof, REVOKED_TOKENS_MAX, Span, TOKEN_NAME_CHARS_MAX, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The time for which a revoked token is remembered after its end.
const KEPT: Span = Span::seconds(30 * 24 * 3600);
/// No token is good for longer, and clocks differ.
const GOOD_MAX: Span = Span::seconds(25 * 3600);

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

    fn is_full(&self, now: Timestamp) -> bool {
        self.ends.range((now, String::new())..).count() >= REVOKED_TOKENS_MAX
    }
}

impl Turn<'_> {
    /// Somebody takes a token back: a person any, an agent its own.
    pub(super) fn revoke_token(
        &mut self,
        token: TokenName,
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        let refused = |why: &str| Err(Refusal::Other(format!("the token stays: {why}")));
        let reason = required_reason(reason, "revoke")?;
        let is_own = matches!(&by.proof, Proof::Token(proof) if proof.id == token.id);
        if by.decides_nothing().is_some() && !is_own {
            return refused("an agent can revoke only its own token; ask a person");
        }
        let is_name = |id: &str| {
            !id.is_empty() && id.chars().count() <= TOKEN_NAME_CHARS_MAX && !id.contains(char::is_control)
        };
        if !is_name(&token.id) || !is_name(&token.subject) {
            return refused("that is no id of a token; `cuelight token` prints it when it makes one");
        }
        if self.world.revoked.has(&token.id) {
            return Ok(());
        }
        if self.world.revoked.is_full(self.now) {
            return refused("too many tokens are revoked already; revoke the key that signed them");
        }
        let TokenName { id, subject, until } = token;
        // What a token says of its own end is believed only where it makes it last longer.
        let until = until.max(self.now + GOOD_MAX);
        self.emit(Fact::Token(TokenEvent::Revoked { id, subject, until, reason, by }));
        Ok(())
    }
}
