//! `token`: makes and revokes tokens, and keeps the keys that sign those of agents. `gateway` decides what a
//! token permits.

use super::{act, trail};
use crate::{
    config::Config,
    exit::{Outcome, Trouble},
    output::{Output, say},
    wiring,
};
use clap::{Args, Subcommand};
use cuelight_base::{Span, Timestamp, is_name, safe_text};
use cuelight_engine::{Command, Revoked, TokenName};
use cuelight_gateway::{
    AgentType, Claims, KeyRing, Permission, Signer, TOKEN_LIFE_MAX, means_rsa, peek, private_key, rsa_key,
    sign,
};
use cuelight_runtime::{Clock as _, Entropy, SystemClock, public_key};
use cuelight_store::{KeyKind, StoreError, TokenKey, TokenKeys, Workspace};
use schemars::JsonSchema;
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// A token that was made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Token")]
pub(super) struct TokenAnswer {
    token: String,
    id: String,
    subject: String,
    #[schemars(with = "String")]
    expires_at: Timestamp,
}

/// The keys that sign tokens, as `token keys list --json` lists them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenKeys")]
pub(super) struct TokenKeysAnswer {
    audience: String,
    keys: Vec<TokenKeyAnswer>,
}

/// A key that signs tokens.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenKey")]
struct TokenKeyAnswer {
    kid: String,
    algorithm: &'static str,
    issuer: String,
    #[schemars(with = "String")]
    made_at: Timestamp,
    /// The end of a key that was replaced.
    #[schemars(with = "Option<String>")]
    until: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    pub(super) command: Option<TokenCommand>,
    /// For an agent of this name; it decides at no gate
    #[arg(long, value_name = "NAME", conflicts_with = "person", required_unless_present = "person")]
    pub(super) agent: Option<String>,
    /// Type of that agent: coding, qa
    #[arg(long = "type", value_name = "TYPE", requires = "agent", required_unless_present = "person")]
    pub(super) agent_type: Option<AgentType>,
    /// For a person of people.toml, signed with a key of theirs
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(super) person: Option<String>,
    /// The private key, as `ssh-keygen -t ed25519 -N ''` writes it
    #[arg(long, value_name = "FILE", requires = "person")]
    pub(super) key: Option<PathBuf>,
    /// Name of its token-key in people.toml, if that cannot be read from here
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(super) kid: Option<String>,
    /// The workspace it is for, where that is another one; `cuelight token keys list` there prints it
    #[arg(long, value_name = "NAME", requires = "key")]
    pub(super) audience: Option<String>,
    /// The project it is for; the workspace's own when not said
    #[arg(long, value_name = "NAME")]
    pub(super) project: Option<String>,
    /// Permissions of the token, with commas between; see docs/sidecar.md
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub(super) permissions: Vec<Permission>,
    /// Lifetime of the token, at most a day
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(super) expires: Span,
    /// As JSON, with its id
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Revoke a token before it expires
    #[command(
        after_help = "Example: cuelight token revoke 9f2c51d0a7b34e68 --reason \"the laptop was stolen\""
    )]
    Revoke {
        /// Its id, or the token itself
        token: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// List, make and revoke the keys that sign tokens of agents
    #[command(after_help = "Example: cuelight token keys rotate")]
    Keys {
        #[command(subcommand)]
        command: Option<TokenKeysCommand>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenKeysCommand {
    /// List the keys, never the secrets
    #[command(after_help = "Example: cuelight token keys list --json")]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a new secret that signs from now on; older ones stay valid
    #[command(after_help = "Example: cuelight token keys new")]
    New,
    /// Make a new secret; older ones stay valid for 24 more hours
    #[command(after_help = "Example: cuelight token keys rotate")]
    Rotate,
    /// Revoke one key at once
    #[command(after_help = "Example: cuelight token keys revoke k-2")]
    Revoke {
        /// Its name
        kid: String,
    },
    /// Trust the public key of an issuer of tokens elsewhere
    #[command(after_help = "Example: cuelight token keys add \"$(cat issuer.pub)\" --kid issuer-1")]
    Add {
        /// The line of its .pub file, ssh-ed25519 AAAA… or ssh-rsa AAAA…, or the JWK of an RSA key, {"kty":"RSA"…
        key: String,
        /// Name of the key in tokens
        #[arg(long, value_name = "NAME")]
        kid: String,
        /// Issuer, as tokens name it; the same as --kid when not given
        #[arg(long, value_name = "NAME")]
        issuer: Option<String>,
    },
}

pub(super) async fn token(config: &Config, out: Output, args: TokenArgs) -> Outcome {
    match args.command {
        Some(TokenCommand::Revoke { token, reason }) => revoke(config, out, &token, reason).await,
        Some(TokenCommand::Keys { command }) => {
            config.require_trust(&trail::workspace(config)?)?;
            keys(config, out, command.unwrap_or(TokenKeysCommand::List { json: false }))
        }
        None => make(config, out, &args),
    }
}

fn unusable(error: StoreError) -> Trouble {
    Trouble::not_recorded(error.to_string())
}

fn make(config: &Config, out: Output, args: &TokenArgs) -> Outcome {
    let now = SystemClock.now();
    let workspace = config.find()?;
    let (claims, token) = match (&args.person, &args.key) {
        (Some(name), Some(file)) => {
            of_person(config, args, workspace.as_ref(), (name, &config.here.join(file)), now)?
        }
        _ => {
            let workspace = trail::workspace(config)?;
            config.require_trust(&workspace)?;
            of_agent(config, args, &workspace, now)?
        }
    };
    if args.json {
        let expires_at = Timestamp(claims.exp.saturating_mul(1000));
        out.json_pretty(&TokenAnswer { token, id: claims.jti, subject: claims.sub, expires_at });
    } else {
        out.line(&token);
        say(&format!("token {} of {} is good for {}", claims.jti, safe_text(&claims.sub), claims.life()));
    }
    Ok(ExitCode::SUCCESS)
}

fn of_agent(
    config: &Config,
    args: &TokenArgs,
    workspace: &Workspace,
    now: Timestamp,
) -> Result<(Claims, String), Trouble> {
    let name = args.agent.as_deref().unwrap_or_default();
    if args.permissions.contains(&Permission::DecideGates) {
        return Err(Trouble::usage(
            "could not make the token: an agent decides at no gate; a person does, see --person",
        ));
    }
    if !is_name(name) {
        return Err(Trouble::usage(
            "could not make the token: the name of an agent has letters, digits and `_.:-`, 128 at most; choose another",
        ));
    }
    if TokenKeys::of(workspace).map_err(unusable)?.is_none_or(|keys| keys.signing().is_none()) {
        let made =
            TokenKeys::change(workspace, now, Entropy.secret(), |keys| keys.make(now, Entropy.secret()));
        say(&format!("made the key {} for tokens", made.map_err(unusable)?));
    }
    let keys = TokenKeys::of(workspace).map_err(unusable)?;
    let key = keys.as_ref().and_then(|keys| Some((keys, keys.signing()?)));
    let Some((keys, key)) = key else {
        return Err(Trouble::failed(
            "could not make the token: no key signs; `cuelight token keys new` makes one",
        ));
    };
    let KeyKind::Secret(secret) = &key.kind else {
        return Err(Trouble::failed(
            "could not make the token: its key is public; `cuelight token keys new` makes one",
        ));
    };
    let claims = Claims {
        iss: key.issuer.clone(),
        aud: keys.audience.clone(),
        sub: name.to_owned(),
        agent_type: args.agent_type.as_ref().map(|agent_type| agent_type.as_str().to_owned()),
        permissions: said(args, Permission::OF_AGENTS),
        ..claims(config, args, Some(workspace), now)?
    };
    let token = sign(&claims, &key.kid, &Signer::Secret(secret));
    Ok((claims, token))
}

fn of_person(
    config: &Config,
    args: &TokenArgs,
    workspace: Option<&Workspace>,
    (name, file): (&str, &Path),
    now: Timestamp,
) -> Result<(Claims, String), Trouble> {
    let failed = |why: String| Trouble::usage(format!("could not use the key {}: {why}", file.display()));
    let text =
        fs::read_to_string(file).map_err(|error| failed(format!("{error}; give another with --key")))?;
    let key = private_key(&text).map_err(failed)?;
    let people = match workspace {
        Some(workspace) => config.people(workspace)?,
        None => Arc::default(),
    };
    let known = people.token_key_named(key.public().as_bytes());
    let (kid, issuer) = match (&args.kid, known) {
        (Some(kid), _) => (kid.clone(), kid.clone()),
        (None, Some((kid, issuer))) => (kid.to_owned(), issuer.to_owned()),
        (None, None) => {
            return Err(failed(
                "people.toml has no [[token-key]] with it; add one with its .pub line, or say its name with --kid".to_owned(),
            ));
        }
    };
    let audience = match (&args.audience, workspace) {
        (Some(audience), _) => audience.clone(),
        (None, Some(workspace)) => audience(workspace, now)?,
        (None, None) => {
            return Err(Trouble::usage(
                "could not tell which workspace the token is for; say --audience, or go there",
            ));
        }
    };
    let claims = Claims {
        iss: issuer,
        aud: audience,
        sub: people.token_of(name).unwrap_or(name).to_owned(),
        agent_type: None,
        permissions: said(args, Permission::OF_PEOPLE),
        ..claims(config, args, workspace, now)?
    };
    let token = sign(&claims, &kid, &Signer::Key(&key));
    // Another workspace has other keys and people, which cannot be asked from here.
    if let (Some(workspace), None) = (workspace, &args.audience)
        && let Some(ring) = key_ring(config, workspace)?
        && let Err(why) = ring.check(&token, now, &Revoked::default())
    {
        let why = why.to_string();
        let why = why.trim_start_matches("could not accept the token: ");
        return Err(failed(format!("this workspace would refuse the token: {why}")));
    }
    Ok((claims, token))
}

fn said(args: &TokenArgs, else_: &[Permission]) -> Vec<Permission> {
    if args.permissions.is_empty() { else_.to_vec() } else { args.permissions.clone() }
}

/// The claims that both kinds of token share; the caller fills in the rest.
fn claims(
    config: &Config,
    args: &TokenArgs,
    workspace: Option<&Workspace>,
    now: Timestamp,
) -> Result<Claims, Trouble> {
    if args.expires == Span(0) || args.expires > TOKEN_LIFE_MAX {
        return Err(Trouble::usage(
            "could not make the token: it is good for a second at least and a day at most; see --expires",
        ));
    }
    let project_id = match (&args.project, workspace) {
        (Some(project), _) if is_name(project) => project.clone(),
        (Some(_), _) => {
            return Err(Trouble::usage(
                "could not make the token: the name of a project has letters, digits and `_.:-`, 128 at most; choose another",
            ));
        }
        (None, Some(workspace)) => config.project(workspace)?,
        (None, None) => {
            return Err(Trouble::usage("could not tell which project the token is for; say --project"));
        }
    };
    let iat = now.0.div_euclid(1000);
    let life = i64::try_from(args.expires.0.div_ceil(1000)).unwrap_or(i64::MAX);
    Ok(Claims {
        iss: String::new(),
        aud: String::new(),
        sub: String::new(),
        agent_type: None,
        project_id,
        permissions: Vec::new(),
        exp: iat.saturating_add(life),
        nbf: Some(iat),
        iat,
        jti: Entropy.request_id().0,
        renewed: 0,
        call: None,
    })
}

/// The name under which tokens mean this workspace; it gets one when it has none.
fn audience(workspace: &Workspace, now: Timestamp) -> Result<String, Trouble> {
    if let Some(keys) = TokenKeys::of(workspace).map_err(unusable)? {
        return Ok(keys.audience);
    }
    let made = TokenKeys::change(workspace, now, Entropy.secret(), |keys| Ok(keys.audience.clone()));
    made.map_err(unusable)
}

async fn revoke(config: &Config, out: Output, token: &str, reason: String) -> Outcome {
    let name = match peek(token) {
        Some(claims) => {
            opens_something(config, token)?;
            TokenName { until: claims.until(), id: claims.jti, subject: claims.sub }
        }
        None => TokenName { id: token.to_owned(), subject: "unknown".to_owned(), until: SystemClock.now() },
    };
    let said = format!("the token with the id {} is revoked", safe_text(&name.id));
    let seat = wiring::act(config).await?;
    let by = seat.actor.clone();
    act::submit(seat, out, Command::RevokeToken { token: name, reason, by }, |_| said).await
}

/// Refuses a token that is not valid: with a changed id, the revocation would revoke nothing.
fn opens_something(config: &Config, token: &str) -> Result<(), Trouble> {
    let workspace = trail::workspace(config)?;
    let Some(ring) = key_ring(config, &workspace)? else {
        return Err(Trouble::failed(
            "could not revoke the token: this workspace has no signing key, so the token is not valid anyway",
        ));
    };
    match ring.check(token, SystemClock.now(), &Revoked::default()) {
        Ok(_) => Ok(()),
        Err(why) => {
            let why = why.to_string();
            let why = why.trim_start_matches("could not accept the token: ");
            Err(Trouble::failed(format!("could not revoke the token: it is not valid: {why}")))
        }
    }
}

/// All that a token is checked against in a workspace; nothing where it has no keys.
fn key_ring(config: &Config, workspace: &Workspace) -> Result<Option<KeyRing>, Trouble> {
    let Some(keys) = TokenKeys::of(workspace).map_err(unusable)? else { return Ok(None) };
    let (people, project) = (config.people(workspace)?, config.project(workspace)?);
    let engine = rustix::process::geteuid().as_raw();
    Ok(Some(KeyRing { keys: Arc::new(keys), people, engine, project: project.into() }))
}

fn keys(config: &Config, out: Output, command: TokenKeysCommand) -> Outcome {
    let workspace = trail::workspace(config)?;
    let now = SystemClock.now();
    let change = |change: &dyn Fn(&mut TokenKeys) -> Result<String, String>| {
        TokenKeys::change(&workspace, now, Entropy.secret(), change).map_err(unusable)
    };
    let told = match command {
        TokenKeysCommand::List { json } => {
            audience(&workspace, now)?;
            let keys = TokenKeys::of(&workspace).map_err(unusable)?;
            keys.into_iter().for_each(|keys| list(out, &keys, json, now));
            return Ok(ExitCode::SUCCESS);
        }
        TokenKeysCommand::New => change(&|keys| keys.make(now, Entropy.secret()))?,
        TokenKeysCommand::Rotate => change(&|keys| keys.rotate(now, Entropy.secret()))?,
        TokenKeysCommand::Revoke { kid } => {
            change(&|keys| keys.revoke(&kid).map(|()| format!("{} counts no longer", safe_text(&kid))))?
        }
        TokenKeysCommand::Add { key, kid, issuer } => {
            let kind = if means_rsa(&key) {
                rsa_key(&key).map(KeyKind::Rsa)
            } else {
                public_key(&key).map(KeyKind::Public)
            };
            let kind = kind.map_err(|why| Trouble::usage(format!("could not add the key: {why}")))?;
            if !is_name(&kid) {
                return Err(Trouble::usage(
                    "could not add the key: its name has letters, digits and `_.:-`, 128 at most; choose another",
                ));
            }
            let issuer = issuer.unwrap_or_else(|| kid.clone());
            let key = TokenKey { kid: kid.clone(), issuer, made_at: now, until: None, kind };
            change(&|keys| keys.add(key.clone()).map(|()| kid.clone()))?
        }
    };
    out.line(&told);
    Ok(ExitCode::SUCCESS)
}

fn list(out: Output, keys: &TokenKeys, as_json: bool, now: Timestamp) {
    let live = || keys.keys.iter().filter(|key| key.is_live(now));
    if as_json {
        let key = |key: &TokenKey| TokenKeyAnswer {
            kid: key.kid.clone(),
            algorithm: key.kind.algorithm(),
            issuer: key.issuer.clone(),
            made_at: key.made_at,
            until: key.until,
        };
        out.json_pretty(&TokenKeysAnswer {
            audience: keys.audience.clone(),
            keys: live().map(key).collect(),
        });
        return;
    }
    out.line(&format!("audience {}", keys.audience));
    let rows: Vec<Vec<String>> = live()
        .map(|key| {
            let until = key.until.map_or_else(|| "replaced or revoked".to_owned(), |until| until.to_string());
            let made = key.made_at.to_string();
            vec![key.kid.clone(), key.kind.algorithm().to_owned(), safe_text(&key.issuer), made, until]
        })
        .collect();
    if rows.is_empty() {
        out.line("no key yet; the first `cuelight token --agent` makes one");
    } else {
        out.table(&["KEY", "ALGORITHM", "ISSUER", "MADE", "COUNTS UNTIL"], &rows);
    }
}
