//! Tokens that were revoked before they expired. The fold is shared with `projection`, which the doors ask;
//! other checks of a token are in `gateway`.

mod revoked;

pub use revoked::{Revoked, TokenName};

use crate::{
    Fact, Refusal, TokenEvent,
    handle::{Turn, required_reason},
};
use cuelight_base::{Actor, Proof, Span, TOKEN_NAME_CHARS_MAX};

/// No token is good for longer, and clocks differ.
const GOOD_MAX: Span = Span::seconds(25 * 3600);

impl Turn<'_> {
    /// Somebody takes a token back: a person any, an agent its own.
    pub(super) fn revoke_token(
        &mut self,
        token: TokenName,
        reason: String,
        by: Actor,
    ) -> Result<(), Refusal> {
        let refused = |why: &str| Err(Refusal::Other(format!("could not revoke the token: {why}")));
        let reason = required_reason(reason, "revoke")?;
        let is_own = matches!(&by.proof, Proof::Token(proof) if proof.id == token.id);
        if by.decides_nothing().is_some() && !is_own {
            return refused("an agent can revoke only its own token; ask a person");
        }
        let is_name = |id: &str| {
            !id.is_empty() && id.chars().count() <= TOKEN_NAME_CHARS_MAX && !id.contains(char::is_control)
        };
        if !is_name(&token.id) || !is_name(&token.subject) {
            return refused("this is not the id of a token; `cuelight token` prints it when it makes one");
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
