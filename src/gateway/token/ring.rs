//! The keys that count, and what a token is worth that one of them signed.

use super::{
    AgentType, Claims, Permission, Signer,
    claims::Age,
    jws::{Unchecked, sign},
};
use cuelight_base::{Actor, Channel, Proof, Span, TOKEN_NAME_CHARS_MAX, Timestamp, Token, is_name};
use cuelight_engine::Revoked;
use cuelight_projection::Board;
use cuelight_runtime::People;
use cuelight_store::{KeyKind, TokenKeys};
use std::sync::Arc;

/// A token can be renewed so often, …
const RENEWALS_MAX: u32 = 3;
/// … in the last of its minutes.
const RENEWED_WITHIN: Span = Span::seconds(5 * 60);

const UNKNOWN_KEY: &str = "its key is not known here";

/// Why a token opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenTrouble {
    /// It is none of ours, or says what it may not.
    #[error("could not accept the token: {0}")]
    Invalid(String),
    /// Its time is over.
    #[error("could not accept the token: it has expired; get another one")]
    Expired,
    /// The agent that it was made for has ended.
    #[error("could not accept the token: the agent that it was made for does not run any more")]
    Ended,
    /// Somebody took it back.
    #[error("could not accept the token: it was revoked; get another one")]
    Revoked,
}

/// The holder of a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// Claims of the token.
    pub claims: Claims,
    /// Type of the agent; `None` for a person.
    pub agent_type: Option<AgentType>,
    /// The holder, for an engine.
    pub actor: Arc<Actor>,
    /// True if the token was made here, so that it can be renewed here.
    renewable: bool,
    /// Until when its key counts, where another one has replaced that.
    key_until: Option<Timestamp>,
}

impl Bearer {
    /// True if the token grants this permission.
    pub fn may(&self, permission: Permission) -> bool {
        self.claims.permissions.contains(&permission)
    }

    /// True if the holder may use this name: the subject of the token, or a session of it.
    pub fn goes_by(&self, agent: &str) -> bool {
        let session = agent.strip_prefix(self.claims.sub.as_str()).and_then(|rest| rest.strip_prefix('/'));
        agent == self.claims.sub || session.is_some_and(is_name)
    }

    /// Checks that the call of the token still runs, if it is bound to one.
    ///
    /// # Errors
    /// When the call has ended.
    pub fn check_call(&self, board: &Board) -> Result<(), TokenTrouble> {
        match &self.claims.call {
            None => Ok(()),
            Some(call) if call.parse().is_ok_and(|call| board.is_running(call)) => Ok(()),
            Some(_) => Err(TokenTrouble::Ended),
        }
    }

    /// Checks an accepted token again with the same keys and people: for requests that take long, and for a
    /// token that is shown again.
    ///
    /// # Errors
    /// When the token or its key has expired, or the token was revoked.
    pub fn check_again(&self, now: Timestamp, revoked: &Revoked) -> Result<(), TokenTrouble> {
        if self.key_until.is_some_and(|key_until| key_until <= now) {
            return Err(TokenTrouble::Invalid(UNKNOWN_KEY.to_owned()));
        }
        is_current(&self.claims, now, revoked)
    }

    /// Checks everything that can change: expiry, revocation, and that the token's call still runs.
    ///
    /// # Errors
    /// The first of these that no longer holds.
    pub fn check_still(&self, now: Timestamp, board: &Board) -> Result<(), TokenTrouble> {
        self.check_again(now, board.revoked())?;
        self.check_call(board)
    }

    /// When its time is over, at the latest.
    pub fn ends(&self) -> Timestamp {
        self.claims.ends()
    }

    /// The project it is for.
    pub fn project(&self) -> &str {
        &self.claims.project_id
    }
}

/// Checks that a token is valid at this time and was not revoked.
fn is_current(claims: &Claims, now: Timestamp, revoked: &Revoked) -> Result<(), TokenTrouble> {
    match claims.age(now) {
        Age::Good if revoked.has(&claims.jti) => Err(TokenTrouble::Revoked),
        Age::Good => Ok(()),
        Age::Expired => Err(TokenTrouble::Expired),
        Age::Wrong(why) => Err(TokenTrouble::Invalid(why.to_owned())),
    }
}

/// The keys of a workspace, those of its people, and the project the workspace is for.
#[derive(Clone, Debug)]
pub struct KeyRing {
    /// Keys of the workspace.
    pub keys: Arc<TokenKeys>,
    /// Keys of its people.
    pub people: Arc<People>,
    /// The OS user whose engine this is.
    pub engine: u32,
    /// The project that everything belongs to that was not asked for with a token of another one.
    pub project: Arc<str>,
}

impl KeyRing {
    /// Returns the bearer of a token.
    ///
    /// # Errors
    /// When the token is not valid.
    pub fn check(&self, token: &str, now: Timestamp, revoked: &Revoked) -> Result<Bearer, TokenTrouble> {
        let invalid = |why: &str| TokenTrouble::Invalid(why.to_owned());
        let unchecked = Unchecked::read(token)
            .ok_or_else(|| invalid("it is no signed token of a form that is known here"))?;
        let of_people = self.people.token_key(unchecked.kid());
        let of_agents = self.keys.keys.iter().find(|key| key.kid == unchecked.kid() && key.is_live(now));
        let (kind, issuer, key_until) = match (of_people, of_agents) {
            (Some((key, issuer)), None) => (KeyKind::Public(key), issuer, None),
            (None, Some(key)) => (key.kind.clone(), key.issuer.as_str(), key.until),
            // Nobody knows which of the two it means.
            (Some(_), Some(_)) => {
                return Err(invalid("its key is one of people and one of agents; rename one of them"));
            }
            (None, None) => return Err(invalid(UNKNOWN_KEY)),
        };
        let claims =
            unchecked.claims(&kind).ok_or_else(|| invalid("its signature or what it says does not hold"))?;
        if claims.iss != issuer {
            return Err(invalid("another issuer signs with that key"));
        }
        if claims.aud != self.keys.audience {
            return Err(invalid("it is for another workspace; see `audience` in `cuelight token keys list`"));
        }
        let is_subject = |sub: &str| {
            !sub.is_empty() && sub.chars().count() <= TOKEN_NAME_CHARS_MAX && !sub.contains(char::is_control)
        };
        if !is_name(&claims.jti) || !is_name(&claims.project_id) || !is_subject(&claims.sub) {
            return Err(invalid("an id in it is none"));
        }
        is_current(&claims, now, revoked)?;
        let project = (*claims.project_id != *self.project).then(|| claims.project_id.clone());
        let (id, subject, key) = (claims.jti.clone(), claims.sub.clone(), unchecked.kid().to_owned());
        let proof = Token { id, subject, key, person: None, maker: None, project };
        if of_people.is_some() {
            self.person(claims, proof)
        } else {
            self.agent(claims, proof, (&kind, key_until))
        }
    }

    fn person(&self, claims: Claims, proof: Token) -> Result<Bearer, TokenTrouble> {
        if claims.agent_type.is_some() {
            return Err(TokenTrouble::Invalid("a key of people signs for no agent".to_owned()));
        }
        let actor = self.people.bearer(proof, (self.engine, Channel::Http)).map_err(TokenTrouble::Invalid)?;
        Ok(Bearer { claims, agent_type: None, actor: Arc::new(actor), renewable: false, key_until: None })
    }

    fn agent(
        &self,
        claims: Claims,
        proof: Token,
        (kind, key_until): (&KeyKind, Option<Timestamp>),
    ) -> Result<Bearer, TokenTrouble> {
        let invalid = |why: String| TokenTrouble::Invalid(why);
        if claims.permissions.contains(&Permission::DecideGates) {
            return Err(invalid(
                "an agent decides no gate; a person does, with a token of their own key".to_owned(),
            ));
        }
        if !is_name(&claims.sub) {
            return Err(invalid("the name of an agent has letters, digits and `_.:-`".to_owned()));
        }
        let agent_type =
            claims.agent_type.as_deref().unwrap_or_default().parse::<AgentType>().map_err(invalid)?;
        // Nobody goes by the name of a person by asking for a token.
        let name = format!("agent:{}", claims.sub);
        // The user whose engine it is has the secrets of the workspace, and can add a key of any kind to its list.
        let proof = Token { maker: Some(format!("uid:{}", self.engine)), ..proof };
        let actor =
            Actor { name, proof: Proof::Token(Box::new(proof)), groups: Vec::new(), channel: Channel::Http };
        let renewable = matches!(kind, KeyKind::Secret(_));
        Ok(Bearer { claims, agent_type: Some(agent_type), actor: Arc::new(actor), renewable, key_until })
    }

    /// The token that follows on one that is about to expire. The old one is to be revoked before this one is handed out.
    ///
    /// # Errors
    /// When it cannot be renewed: the end of a sentence.
    pub fn renewed(&self, bearer: &Bearer, now: Timestamp, id: String) -> Result<(String, Claims), String> {
        let refused = |why: &str| Err(why.to_owned());
        if !bearer.renewable {
            return refused("it was made elsewhere; get another one there");
        }
        if bearer.claims.renewed >= RENEWALS_MAX {
            return Err(format!("it was renewed {RENEWALS_MAX} times; get another one"));
        }
        let now_s = now.0.div_euclid(1000);
        let left = bearer.claims.exp.saturating_sub(now_s);
        if left > i64::try_from(RENEWED_WITHIN.0 / 1000).unwrap_or(0) {
            return refused("it is good for more than five minutes still; ask again later");
        }
        let Some(key) = self.keys.signing() else {
            return refused("no key signs any more; ask whoever keeps this workspace");
        };
        // A key that was replaced may have been stolen: what it has signed does not outlive it.
        if !matches!(&bearer.actor.proof, Proof::Token(proof) if proof.key == key.kid) {
            return refused("its key was replaced; get another one");
        }
        let KeyKind::Secret(secret) = &key.kind else {
            return refused("no key signs any more; ask whoever keeps this workspace");
        };
        let life = i64::try_from(bearer.claims.life().0 / 1000).unwrap_or(0);
        let claims = Claims {
            iss: key.issuer.clone(),
            exp: now_s.saturating_add(life),
            nbf: Some(now_s),
            iat: now_s,
            jti: id,
            renewed: bearer.claims.renewed + 1,
            ..bearer.claims.clone()
        };
        Ok((sign(&claims, &key.kid, &Signer::Secret(secret)), claims))
    }
}
