//! Tokens that were checked before: a caller that shows one again is known without its signature and its words being read again. What can change
//! meanwhile is asked each time: whether its time or that of its key is over, and whether somebody took it back. Once the keys or the people
//! are read anew, every token is checked again.

use super::{Bearer, KeyRing, TokenTrouble};
use cuelight_base::{Digest, Timestamp, sha256};
use cuelight_engine::Revoked;
use cuelight_runtime::People;
use cuelight_store::TokenKeys;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Tokens that are kept at once, …
const CHECKED_MAX: usize = 4096;
/// … and bytes of one: a longer one is checked each time.
const CHECKED_BYTES_MAX: usize = 2048;

/// The tokens that were good when they were checked.
#[derive(Debug, Default)]
pub struct CheckedTokens {
    known: Mutex<Option<Known>>,
}

/// Bearers by the hashes of their tokens, and what these were checked with.
#[derive(Debug)]
struct Known {
    keys: Arc<TokenKeys>,
    people: Arc<People>,
    bearers: BTreeMap<Digest, Arc<Bearer>>,
}

impl Known {
    fn of(ring: &KeyRing) -> Self {
        Self { keys: Arc::clone(&ring.keys), people: Arc::clone(&ring.people), bearers: BTreeMap::new() }
    }

    fn is_of(&self, ring: &KeyRing) -> bool {
        Arc::ptr_eq(&self.keys, &ring.keys) && Arc::ptr_eq(&self.people, &ring.people)
    }

    /// When there is no more room, those go of the project that has most, so that one that shows many pushes out its own.
    fn make_room(&mut self) {
        if self.bearers.len() < CHECKED_MAX {
            return;
        }
        let mut counts = BTreeMap::<&str, usize>::new();
        for bearer in self.bearers.values() {
            *counts.entry(bearer.project()).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|count| count.1).map(|count| count.0.to_owned());
        self.bearers.retain(|_, bearer| most.as_deref() != Some(bearer.project()));
    }
}

impl CheckedTokens {
    /// Returns the bearer of a token, as [`KeyRing::check`] does. The engine and the project of the ring have
    /// to be the same each time.
    ///
    /// # Errors
    /// When the token is not valid.
    pub fn check(
        &self,
        ring: &KeyRing,
        token: &str,
        now: Timestamp,
        revoked: &Revoked,
    ) -> Result<Arc<Bearer>, TokenTrouble> {
        if token.len() > CHECKED_BYTES_MAX {
            return ring.check(token, now, revoked).map(Arc::new);
        }
        let hash = hash(token);
        if let Some(bearer) = self.find(ring, &hash) {
            bearer.check_again(now, revoked)?;
            return Ok(bearer);
        }
        let bearer = Arc::new(ring.check(token, now, revoked)?);
        self.keep(ring, hash, &bearer);
        Ok(bearer)
    }

    fn find(&self, ring: &KeyRing, hash: &Digest) -> Option<Arc<Bearer>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| known.is_of(ring))?.bearers.get(hash).cloned()
    }

    fn keep(&self, ring: &KeyRing, hash: Digest, bearer: &Arc<Bearer>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.as_ref().is_some_and(|known| known.is_of(ring)) {
            *known = None;
        }
        let known = known.get_or_insert_with(|| Known::of(ring));
        known.make_room();
        known.bearers.insert(hash, Arc::clone(bearer));
    }
}

fn hash(token: &str) -> Digest {
    sha256("cuelight-checked-token-v1", &[token.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Claims, Signer, sign};
    use cuelight_store::{KeyKind, TokenKey};
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn what_is_kept_has_a_bound_and_a_project_that_shows_many_tokens_pushes_out_its_own() {
        let key = TokenKey {
            kid: "k".to_owned(),
            issuer: "a".to_owned(),
            made_at: NOW,
            until: None,
            kind: KeyKind::Secret([7; 32]),
        };
        let keys = Arc::new(TokenKeys { audience: "a".to_owned(), keys: vec![key] });
        let ring = KeyRing { keys, people: Arc::default(), engine: 1000, project: "shop".into() };
        let checked = CheckedTokens::default();
        let show = |project: &str, id: usize, more: &str| {
            let iat = NOW.0 / 1000;
            let claims = json!({
                "iss": "a", "aud": "a", "sub": "x", "agent_type": "qa", "project_id": project, "permissions": [],
                "exp": iat + 600, "iat": iat, "jti": format!("t{id}"), "call": more,
            });
            let claims: Claims = serde_json::from_value(claims).expect("claims");
            let token = sign(&claims, "k", &Signer::Secret(&[7; 32]));
            checked.check(&ring, &token, NOW, &Revoked::default()).expect("it is good");
            token
        };
        let is_kept = |token: &str| checked.find(&ring, &hash(token)).is_some();
        let of_shop = show("shop", 0, "");
        let first = show("loud", 0, "");
        assert!(is_kept(&of_shop) && is_kept(&first));
        let last = (1..CHECKED_MAX).fold(String::new(), |_, index| show("loud", index, ""));
        assert!(is_kept(&of_shop) && is_kept(&last) && !is_kept(&first));
        assert!(!is_kept(&show("shop", 1, &"x".repeat(CHECKED_BYTES_MAX))), "a long one is not kept");
    }
}
