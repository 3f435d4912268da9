//! Keys and signatures as `OpenSSH` writes them (`PROTOCOL.sshsig` and `PROTOCOL.u2f` of openssh-portable): enough to check an
//! Ed25519 signature that `ssh-keygen -Y sign` has made, with a key in a file or a security key. It makes none, and knows no other
//! kind of key.

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_STANDARD_NO_PAD};
use cuelight_base::{Digest, PublicKey, Touch, sha512};
use std::fmt;

/// A key that is a file.
const KIND: &str = "ssh-ed25519";
/// A key that never leaves its token (FIDO).
const SECURITY_KIND: &str = "sk-ssh-ed25519@openssh.com";
/// Before the name of what a security key is for; a key for a web site signs what that site likes.
const APPLICATION: &str = "ssh:";
/// Flags of a security key: somebody touched it, …
const USER_PRESENT: u8 = 0x01;
/// … and proved to it who they are.
const USER_VERIFIED: u8 = 0x04;
const MAGIC: &[u8] = b"SSHSIG";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// The Ed25519 key in a line of an `.pub` file.
///
/// # Errors
/// Why there is none, and what to do.
pub fn public_key(line: &str) -> Result<[u8; 32], String> {
    let key = SshKey::parse(line)?;
    key.plain().ok_or_else(|| "a security key signs no tokens; use one of `ssh-keygen -t ed25519`".to_owned())
}

/// A signature that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The fingerprint of the key.
    pub key: String,
    /// The proof of a person's touch, where a security key has signed.
    pub touch: Option<Touch>,
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.touch {
            Some(touch) => write!(f, "{}, {}", self.key, touch.words()),
            None => f.write_str(&self.key),
        }
    }
}

/// A public key of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SshKey {
    /// As it stands in a signature.
    blob: Vec<u8>,
    key: PublicKey,
    /// Application string of a security key; `None` for other keys.
    application: Option<Vec<u8>>,
}

impl SshKey {
    /// Reads a line of an `.pub` file: its kind, the key, and a comment that counts for nothing.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let kind = words.next().unwrap_or_default();
        if ![KIND, SECURITY_KIND].contains(&kind) {
            return Err(format!(
                "a key of kind {kind:?} cannot be checked; use one of `ssh-keygen -t ed25519` or `-t ed25519-sk`"
            ));
        }
        let blob = BASE64_STANDARD.decode(words.next().unwrap_or_default());
        let key = blob.ok().and_then(Self::of_blob).filter(|blob| blob.kind() == kind);
        key.ok_or_else(|| "the key is cut or mistyped, or not for ssh; copy its whole line".to_owned())
    }

    fn of_blob(blob: Vec<u8>) -> Option<Self> {
        let mut rest = blob.as_slice();
        let (kind, bytes) = (string(&mut rest)?, string(&mut rest)?);
        let application = match kind {
            _ if kind == KIND.as_bytes() => None,
            _ if kind == SECURITY_KIND.as_bytes() => Some(string(&mut rest)?.to_vec()),
            _ => return None,
        };
        let key = PublicKey::new(bytes.try_into().ok()?)?;
        let is_for_ssh =
            application.as_ref().is_none_or(|application| application.starts_with(APPLICATION.as_bytes()));
        (is_for_ssh && rest.is_empty()).then_some(Self { blob, key, application })
    }

    fn kind(&self) -> &'static str {
        if self.is_security_key() { SECURITY_KIND } else { KIND }
    }

    /// True if it signs only while somebody touches it.
    pub(super) fn is_security_key(&self) -> bool {
        self.application.is_some()
    }

    /// The key itself, where it signs bytes as they are.
    pub(super) fn plain(&self) -> Option<[u8; 32]> {
        (!self.is_security_key()).then(|| *self.key.as_bytes())
    }

    /// As `ssh-keygen -l` prints it.
    pub(super) fn fingerprint(&self) -> String {
        print_of(&self.blob)
    }

    /// The good signature of this key over a text for a purpose. One of a security key that nobody touched is none.
    pub(super) fn signature(&self, armored: &str, namespace: &str, text: &str) -> Option<Signed> {
        let bytes = unpacked(armored)?;
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let version = rest.split_off(..4)?;
        let (blob, space) = (string(&mut rest)?, string(&mut rest)?);
        let (reserved, hash, signature) = (string(&mut rest)?, string(&mut rest)?, string(&mut rest)?);
        if version != [0, 0, 0, 1] || blob != self.blob || space != namespace.as_bytes() || !rest.is_empty() {
            return None;
        }
        let hashed = match hash {
            b"sha256" => Digest::of(text).0.to_vec(),
            b"sha512" => sha512(text.as_bytes()).to_vec(),
            _ => return None,
        };
        let mut signed = [MAGIC, &packed(&[namespace.as_bytes(), reserved, hash, &hashed])].concat();
        let mut inner = signature;
        let (kind, raw) = (string(&mut inner)?, string(&mut inner)?);
        if kind != self.kind().as_bytes() {
            return None;
        }
        let mut touch = None;
        if let Some(application) = &self.application {
            let counted = inner.split_off(..5)?;
            touch = Some(touched(counted[0])?);
            signed = [&Digest::of(application).0[..], counted, &Digest::of(&signed).0[..]].concat();
        }
        if !inner.is_empty() {
            return None;
        }
        self.key.has_signed(&signed, raw).then(|| Signed { key: self.fingerprint(), touch })
    }
}

/// The fingerprint of an Ed25519 key, as `ssh-keygen -l` prints it.
pub(super) fn fingerprint(key: &[u8; 32]) -> String {
    print_of(&packed(&[KIND.as_bytes(), key]))
}

fn print_of(blob: &[u8]) -> String {
    format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(Digest::of(blob)))
}

/// The proof in the flags of a security key; nothing when nobody touched it.
fn touched(flags: u8) -> Option<Touch> {
    let verified = if flags & USER_VERIFIED == 0 { Touch::Touched } else { Touch::Verified };
    (flags & USER_PRESENT != 0).then_some(verified)
}

/// The key that has signed a text for a purpose, as the signature itself names it; nothing when it is not good. Whose key that is, it
/// does not say.
pub fn signing_key(armored: &str, namespace: &str, text: &str) -> Option<Signed> {
    let bytes = unpacked(armored)?;
    let mut rest = bytes.strip_prefix(MAGIC)?.get(4..)?;
    let key = SshKey::of_blob(string(&mut rest)?.to_vec())?;
    key.signature(armored, namespace, text)
}

fn unpacked(armored: &str) -> Option<Vec<u8>> {
    let inner = armored.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let packed: String = inner.split_whitespace().collect();
    BASE64_STANDARD.decode(packed).ok()
}

/// Strings as `OpenSSH` packs them.
fn packed(parts: &[&[u8]]) -> Vec<u8> {
    let len =
        |part: &[u8]| u32::try_from(part.len()).expect("what is packed fits into a signature").to_be_bytes();
    parts.iter().flat_map(|part| [&len(part)[..], part].concat()).collect()
}

/// A string as `OpenSSH` packs it: its length in four bytes, then it.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = u32::from_be_bytes(rest.split_off(..4)?.try_into().ok()?);
    rest.split_off(..usize::try_from(len).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by `ssh-keygen -t ed25519` and `printf 'ship it\n' | ssh-keygen -Y sign -n cuelight-decision` of OpenSSH 9.2.
    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID8V9bjaEJX8QvSGyPILheCRaW/9X+eOWIqzWwJ+5eaL ann@example";
    const FINGERPRINT: &str = "SHA256:fafusZVLIlGyHBNqZIkTsJn0x4FDQWBQrbCDa21WQ8k";
    const ARMORED: &str = "-----BEGIN SSH SIGNATURE-----\n\
        U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgPxX1uNoQlfxC9IbI8guF4JFpb/\n\
        1f545YirNbAn7l5osAAAARY3VlbGlnaHQtZGVjaXNpb24AAAAAAAAABnNoYTUxMgAAAFMA\n\
        AAALc3NoLWVkMjU1MTkAAABARDz09zK1jiXT+tYr73YkIonDYnB4sJznM2FCXFz1SlBl0O\n\
        mzQXMkG1lp+UhwwwlaHPVJexqtoDzzMSTrx9V8Cg==\n\
        -----END SSH SIGNATURE-----";

    #[test]
    fn what_openssh_has_signed_is_recognised_and_nothing_else() {
        let key = SshKey::parse(KEY).expect("a key");
        assert_eq!(key.fingerprint(), FINGERPRINT);
        assert!(key.signature(ARMORED, "cuelight-decision", "ship it\n").is_some());
        let named = signing_key(ARMORED, "cuelight-decision", "ship it\n");
        assert_eq!(named, Some(Signed { key: FINGERPRINT.to_owned(), touch: None }));
        assert_eq!(signing_key(ARMORED, "cuelight-decision", "ship\n"), None);
        assert!(key.signature(ARMORED, "cuelight-decision", "ship it").is_none(), "another text");
        assert!(key.signature(ARMORED, "file", "ship it\n").is_none(), "another purpose");
        let inner = ARMORED.trim().trim_start_matches(BEGIN).trim_end_matches(END);
        let packed: String = inner.split_whitespace().collect();
        let bytes = BASE64_STANDARD.decode(packed).expect("base64");
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            let bent = format!("{BEGIN}\n{}\n{END}", BASE64_STANDARD.encode(&bent));
            assert!(key.signature(&bent, "cuelight-decision", "ship it\n").is_none(), "byte {at}");
            assert_ne!(signing_key(&bent, "cuelight-decision", "ship it\n"), named, "byte {at}");
            let cut = format!("{BEGIN}\n{}\n{END}", BASE64_STANDARD.encode(&bytes[..at]));
            assert!(key.signature(&cut, "cuelight-decision", "ship it\n").is_none(), "cut at {at}");
        }
        for text in ["", "ssh-rsa AAAA", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-ed25519 ???"] {
            assert!(SshKey::parse(text).is_err(), "{text}");
        }
    }
}
