//! The keys that tokens of agents are signed with: a file of the workspace that its owner alone can read.
//! Keys of people are not here but in `people.toml`, since anyone who can read a secret can speak in
//! anybody's name with it.
//!
//! The shape of a token, and when one is good, is for `gateway`.

use super::private::{locked, read_private, write_private};
use crate::{StoreError, Workspace};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use cuelight_base::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, fs, io, ops::RangeInclusive, os::unix::fs::MetadataExt as _, path::Path};

/// Keys that are good at the same time.
const LIVE_KEYS_MAX: usize = 4;
/// The time for which a replaced key stays valid.
const GRACE: Span = Span::seconds(24 * 3600);
/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

/// The keys of a workspace, and the name under which it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenKeys {
    /// The audience of every token: no other workspace has it.
    pub audience: String,
    /// The keys, oldest first.
    pub keys: Vec<TokenKey>,
}

/// One key for tokens of agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenKey {
    /// The id of the key in tokens.
    pub kid: String,
    /// The issuer of tokens with this key.
    pub issuer: String,
    /// When it was made or imported.
    pub made_at: Timestamp,
    /// Until when it counts, when another one has replaced it.
    pub until: Option<Timestamp>,
    /// The key itself, with its algorithm.
    pub kind: KeyKind,
}

/// The one algorithm of a key.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyKind {
    /// HS256: the secret that verifies tokens can also make them.
    Secret([u8; 32]),
    /// Ed25519: the other half is elsewhere.
    Public([u8; 32]),
    /// RS256: the other half is elsewhere.
    Rsa(RsaKey),
}

/// A public key of RSA: its numbers, the highest byte first, without zeros before it.
#[derive(Clone, PartialEq, Eq)]
pub struct RsaKey {
    /// The modulus of the key.
    pub n: Vec<u8>,
    /// The public exponent of the key.
    pub e: Vec<u8>,
}

/// Bits of a modulus: fewer can be factored, more take too long to check.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

impl RsaKey {
    /// A key that can be relied on.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn new(n: &[u8], e: &[u8]) -> Result<Self, String> {
        let plain = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
        let (n, e) = (plain(n), plain(e));
        let bits = n.first().map_or(0, |byte| n.len() * 8 - byte.leading_zeros() as usize);
        if !RSA_BITS.contains(&bits) {
            return Err(format!(
                "it has {bits} bits; use one of {} to {} bits, such as `ssh-keygen -t rsa -b 3072` makes",
                RSA_BITS.start(),
                RSA_BITS.end()
            ));
        }
        // What is smaller than 65537 makes some faults of those who check usable; what is larger nobody has.
        let is_odd = |bytes: &[u8]| bytes.last().is_some_and(|byte| byte % 2 == 1);
        let is_usual = (3..=4).contains(&e.len()) && (e.len() > 3 || e >= vec![1, 0, 1]);
        if !is_odd(&n) || !is_odd(&e) || !is_usual {
            return Err("its numbers are none of a key that can be relied on; make another one".to_owned());
        }
        Ok(Self { n, e })
    }
}

impl KeyKind {
    /// Its name in the header of a token.
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Secret(_) => "HS256",
            Self::Public(_) => "EdDSA",
            Self::Rsa(_) => "RS256",
        }
    }
}

/// Prints the algorithm, never the secret.
impl fmt::Debug for KeyKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.algorithm())
    }
}

impl TokenKey {
    /// True if tokens that it signed are still valid.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    audience: String,
    keys: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kid: String,
    issuer: String,
    made_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public: Option<String>,
    /// The modulus of an RSA key, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    /// … and its public exponent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<String>,
}

impl TokenKeys {
    /// The keys of a workspace; none if no key was made yet.
    ///
    /// # Errors
    /// When others could read it, or it is not what was written.
    pub fn of(workspace: &Workspace) -> Result<Option<Self>, StoreError> {
        let path = workspace.token_keys();
        let next = "run `chmod 600` on it, make another with `cuelight token keys new`, and `cuelight token keys revoke` each of those before";
        let Some(text) = read_private(&path, next)? else { return Ok(None) };
        let file: File =
            serde_json::from_str(&text).map_err(|error| StoreError::damaged(&path, error.to_string()))?;
        let keys = file.keys.into_iter().map(key).collect::<Option<Vec<_>>>();
        let keys = keys.ok_or_else(|| StoreError::damaged(&path, "a key is not 32 bytes"))?;
        Ok(Some(Self { audience: file.audience, keys }))
    }

    /// A stamp that changes when the file changes; none if the file does not exist.
    pub fn stamp(workspace: &Workspace) -> Option<(u64, i64, i64)> {
        let about = fs::symlink_metadata(workspace.token_keys()).ok()?;
        Some((about.ino(), about.mtime(), about.mtime_nsec()))
    }

    /// Changes the keys: one change after the other, each whole or not at all. Keys whose grace is over go.
    ///
    /// # Errors
    /// The error of the change itself, or the reason why it could not be written.
    pub fn change<T>(
        workspace: &Workspace,
        now: Timestamp,
        chance: [u8; 32],
        change: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, StoreError> {
        let path = workspace.token_keys();
        let failed = |error: io::Error| StoreError::io("write", &path, &error);
        let _lock = locked(path.parent().unwrap_or(&path)).map_err(failed)?;
        let name: String = chance[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let mut keys = Self::of(workspace)?
            .unwrap_or_else(|| Self { audience: format!("cuelight/{name}"), keys: Vec::new() });
        keys.keys.retain(|key| key.is_live(now));
        let answer = change(&mut keys)
            .map_err(|why| StoreError::refused("change", &path, why, "see `cuelight token keys list`"))?;
        keys.write(&path).map_err(failed)?;
        Ok(answer)
    }

    /// A new secret, which signs from now on.
    ///
    /// # Errors
    /// When there are as many keys as may be.
    pub fn make(&mut self, now: Timestamp, secret: [u8; SECRET_BYTES]) -> Result<String, String> {
        let kid = self.next_kid(&secret);
        let issuer = self.audience.clone();
        self.add(TokenKey {
            kid: kid.clone(),
            issuer,
            made_at: now,
            until: None,
            kind: KeyKind::Secret(secret),
        })?;
        Ok(kid)
    }

    /// A key whose other half is elsewhere.
    ///
    /// # Errors
    /// When there are as many keys as may be, or one of that name.
    pub fn add(&mut self, key: TokenKey) -> Result<(), String> {
        if self.keys.len() >= LIVE_KEYS_MAX {
            return Err(format!(
                "{LIVE_KEYS_MAX} keys are good already, which is the most; revoke one first"
            ));
        }
        if self.keys.iter().any(|token_key| token_key.kid == key.kid) {
            return Err(format!("a key is called {} already; choose another --kid", key.kid));
        }
        self.keys.push(key);
        Ok(())
    }

    /// A new secret; those before it count for a day more.
    ///
    /// # Errors
    /// When there are as many keys as may be.
    pub fn rotate(&mut self, now: Timestamp, secret: [u8; SECRET_BYTES]) -> Result<String, String> {
        for key in self.keys.iter_mut().filter(|key| matches!(key.kind, KeyKind::Secret(_))) {
            key.until = Some(key.until.map_or(now + GRACE, |until| until.min(now + GRACE)));
        }
        self.make(now, secret)
    }

    /// A key that counts no longer, from this moment on.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn revoke(&mut self, kid: &str) -> Result<(), String> {
        let before = self.keys.len();
        self.keys.retain(|key| key.kid != kid);
        if self.keys.len() == before { Err("no key has that name".to_owned()) } else { Ok(()) }
    }

    /// The secret that signs: the newest one that nothing has replaced.
    pub fn signing(&self) -> Option<&TokenKey> {
        self.keys.iter().rfind(|key| key.until.is_none() && matches!(key.kind, KeyKind::Secret(_)))
    }

    /// A name that says nothing of the secret.
    fn next_kid(&self, secret: &[u8; SECRET_BYTES]) -> String {
        let digest = cuelight_base::sha256("cuelight-token-kid-v1", &[self.audience.as_bytes(), secret]);
        digest.to_string().chars().take(16).collect()
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let entry = |token_key: &TokenKey| {
            let text = |bytes: &[u8]| Some(BASE64_URL_SAFE_NO_PAD.encode(bytes));
            let (kid, issuer) = (token_key.kid.clone(), token_key.issuer.clone());
            let entry = Entry {
                kid,
                issuer,
                made_at: token_key.made_at,
                until: token_key.until,
                secret: None,
                public: None,
                n: None,
                e: None,
            };
            match &token_key.kind {
                KeyKind::Secret(bytes) => Entry { secret: text(bytes), ..entry },
                KeyKind::Public(bytes) => Entry { public: text(bytes), ..entry },
                KeyKind::Rsa(key) => Entry { n: text(&key.n), e: text(&key.e), ..entry },
            }
        };
        let file = File { audience: self.audience.clone(), keys: self.keys.iter().map(entry).collect() };
        write_private(path, &file)
    }
}

fn key(entry: Entry) -> Option<TokenKey> {
    let bytes = |text: &String| <[u8; 32]>::try_from(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok();
    let long = |text: &String| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let kind = match (&entry.secret, &entry.public, &entry.n, &entry.e) {
        (Some(secret), None, None, None) => KeyKind::Secret(bytes(secret)?),
        (None, Some(public), None, None) => KeyKind::Public(bytes(public)?),
        (None, None, Some(n), Some(e)) => KeyKind::Rsa(RsaKey::new(&long(n)?, &long(e)?).ok()?),
        // One algorithm for each key.
        _ => return None,
    };
    let Entry { kid, issuer, made_at, until, .. } = entry;
    Some(TokenKey { kid, issuer, made_at, until, kind })
}
