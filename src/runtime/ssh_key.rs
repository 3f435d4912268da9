//! Keys and signatures as `OpenSSH` writes them (`PROTOCOL.sshsig` of openssh-portable): enough to check an Ed25519 signature that
//! `ssh-keygen -Y sign` has made. It makes none, and knows no other kind of key.

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_STANDARD_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256, Sha512};

/// The one kind of key that is known.
const KIND: &str = "ssh-ed25519";
const MAGIC: &[u8] = b"SSHSIG";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// The Ed25519 key in a line of an `.pub` file.
///
/// # Errors
/// Why there is none, and what to do.
pub fn public_key(line: &str) -> Result<[u8; 32], String> {
    SshKey::parse(line).map(|it| it.bytes())
}

/// A public key of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SshKey {
    /// As it stands in a signature.
    blob: Vec<u8>,
    key: VerifyingKey,
}

impl SshKey {
    /// Reads a line of an `.pub` file: its kind, the key, and a comment that counts for nothing.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace();
        let kind = words.next().unwrap_or_default();
        if kind != KIND {
            return Err(format!(
                "a key of kind {kind:?} cannot be checked; use one of `ssh-keygen -t ed25519`"
            ));
        }
        let blob = BASE64_STANDARD.decode(words.next().unwrap_or_default());
        let blob = blob.map_err(|_| "the key is cut or mistyped; copy its whole line".to_owned())?;
        Self::of_blob(blob).ok_or_else(|| "the key is cut or mistyped; copy its whole line".to_owned())
    }

    fn of_blob(blob: Vec<u8>) -> Option<Self> {
        let mut rest = blob.as_slice();
        let (kind, bytes) = (string(&mut rest)?, string(&mut rest)?);
        let key = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
        (kind == KIND.as_bytes() && rest.is_empty()).then_some(Self { blob, key })
    }

    /// The key itself.
    pub(super) fn bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// As `ssh-keygen -l` prints it.
    pub(super) fn fingerprint(&self) -> String {
        format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }

    /// Whether this key has signed a text for a purpose.
    pub(super) fn has_signed(&self, armored: &str, namespace: &str, text: &str) -> bool {
        self.check(armored, namespace, text).is_some()
    }

    fn check(&self, armored: &str, namespace: &str, text: &str) -> Option<()> {
        let bytes = unpacked(armored)?;
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let version = rest.split_off(..4)?;
        let (blob, space) = (string(&mut rest)?, string(&mut rest)?);
        let (reserved, hash, signature) = (string(&mut rest)?, string(&mut rest)?, string(&mut rest)?);
        if version != [0, 0, 0, 1] || blob != self.blob || space != namespace.as_bytes() || !rest.is_empty() {
            return None;
        }
        let hashed = match hash {
            b"sha256" => Sha256::digest(text).to_vec(),
            b"sha512" => Sha512::digest(text).to_vec(),
            _ => return None,
        };
        let mut signed = MAGIC.to_vec();
        for part in [namespace.as_bytes(), reserved, hash, &hashed] {
            signed.extend(u32::try_from(part.len()).ok()?.to_be_bytes());
            signed.extend(part);
        }
        let mut inner = signature;
        let (kind, raw) = (string(&mut inner)?, string(&mut inner)?);
        let signature = Signature::from_slice(raw).ok()?;
        if kind != KIND.as_bytes() || !inner.is_empty() {
            return None;
        }
        self.key.verify_strict(&signed, &signature).ok()
    }
}

/// The fingerprint of the key that has signed a text for a purpose, as the signature itself names it; nothing when it is not good.
/// Whose key that is, it does not say.
pub fn signing_key(armored: &str, namespace: &str, text: &str) -> Option<String> {
    let bytes = unpacked(armored)?;
    let mut rest = bytes.strip_prefix(MAGIC)?.get(4..)?;
    let key = SshKey::of_blob(string(&mut rest)?.to_vec())?;
    key.has_signed(armored, namespace, text).then(|| key.fingerprint())
}

fn unpacked(armored: &str) -> Option<Vec<u8>> {
    let inner = armored.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let packed: String = inner.split_whitespace().collect();
    BASE64_STANDARD.decode(packed).ok()
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
        assert!(key.has_signed(ARMORED, "cuelight-decision", "ship it\n"));
        let named = signing_key(ARMORED, "cuelight-decision", "ship it\n");
        assert_eq!(named.as_deref(), Some(FINGERPRINT));
        assert_eq!(signing_key(ARMORED, "cuelight-decision", "ship\n"), None);
        assert!(!key.has_signed(ARMORED, "cuelight-decision", "ship it"), "another text");
        assert!(!key.has_signed(ARMORED, "file", "ship it\n"), "another purpose");
        let inner = ARMORED.trim().trim_start_matches(BEGIN).trim_end_matches(END);
        let packed: String = inner.split_whitespace().collect();
        let bytes = BASE64_STANDARD.decode(packed).expect("base64");
        for at in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            let bent = format!("{BEGIN}\n{}\n{END}", BASE64_STANDARD.encode(&bent));
            assert!(!key.has_signed(&bent, "cuelight-decision", "ship it\n"), "byte {at}");
            assert_ne!(signing_key(&bent, "cuelight-decision", "ship it\n"), named, "byte {at}");
            let cut = format!("{BEGIN}\n{}\n{END}", BASE64_STANDARD.encode(&bytes[..at]));
            assert!(!key.has_signed(&cut, "cuelight-decision", "ship it\n"), "cut at {at}");
        }
        for text in ["", "ssh-rsa AAAA", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-ed25519 ???"] {
            assert!(SshKey::parse(text).is_err(), "{text}");
        }
    }
}
