//! The token of an agent that is started here: made when its process begins, good for its call and no longer.

use super::{Claims, Permission, Signer, TOKEN_LIFE_MAX, sign};
use cuelight_base::{AttemptId, SpawnedAgent, Timestamp};
use cuelight_store::{KeyKind, TokenKeys};

/// The token of this agent for one of its calls; `id` is its own. Whatever its rule says, it decides at no gate.
///
/// # Errors
/// When no key of the workspace signs: the end of a sentence.
pub(crate) fn token_of_spawned(
    keys: &TokenKeys,
    agent: &SpawnedAgent,
    call: AttemptId,
    (now, id): (Timestamp, String),
) -> Result<String, String> {
    let unsigned = || "no key signs its token; `cuelight token keys new` makes one".to_owned();
    let key = keys.signing().ok_or_else(unsigned)?;
    let KeyKind::Secret(secret) = &key.kind else { return Err(unsigned()) };
    let permissions = agent.permissions.iter().filter_map(|permission| permission.parse().ok());
    let iat = now.0.div_euclid(1000);
    let life = agent.token_life.min(TOKEN_LIFE_MAX).0.div_ceil(1000);
    let claims = Claims {
        iss: key.issuer.clone(),
        aud: keys.audience.clone(),
        sub: agent.name.clone(),
        agent_type: Some(agent.agent_type.clone()),
        project_id: agent.project.clone(),
        permissions: permissions.filter(|permission| *permission != Permission::DecideGates).collect(),
        exp: iat.saturating_add(i64::try_from(life).unwrap_or(i64::MAX)),
        nbf: Some(iat),
        iat,
        jti: id,
        renewed: 0,
        call: Some(call.to_string()),
    };
    Ok(sign(&claims, &key.kid, &Signer::Secret(secret)))
}
