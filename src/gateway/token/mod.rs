//! Tokens: signed claims that say who is at the other end of a request, what they may ask, and for which project.
//!
//! Two kinds, told apart by the key alone. A key of the workspace signs for agents, who decide nothing: any process that reads it could
//! speak in anybody's name. A key of `people.toml` signs for people, and its other half is not here. What a token opens, the
//! callers decide.

mod checked;
mod claims;
mod jws;
mod ring;
mod rsa;
mod secret;
mod spawned;

pub use checked::CheckedTokens;
pub use claims::{AgentType, Claims, Permission, TOKEN_LIFE_DEFAULT, TOKEN_LIFE_MAX};
pub use jws::{Signer, peek, sign};
pub use ring::{Bearer, KeyRing, TokenTrouble};
pub use rsa::{means_rsa, rsa_key};
pub use secret::private_key;
pub(super) use spawned::token_of_spawned;
