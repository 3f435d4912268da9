//! The private key of a person, as `ssh-keygen -t ed25519 -N ''` writes it (`PROTOCOL.key` of openssh-portable): enough to sign a
//! token with. It knows no other kind of key, and asks for no passphrase.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use cuelight_base::SecretKey;

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
const MAGIC: &[u8] = b"openssh-key-v1\0";
const KIND: &[u8] = b"ssh-ed25519";

/// The key in such a file.
///
/// # Errors
/// Why there is none, and what to do.
pub fn private_key(text: &str) -> Result<SecretKey, String> {
    let wrong = || "it is no private key of `ssh-keygen -t ed25519`; make one".to_owned();
    let inner = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)).ok_or_else(wrong)?;
    let packed: String = inner.split_whitespace().collect();
    let bytes = BASE64_STANDARD.decode(packed).map_err(|_| wrong())?;
    let mut rest = bytes.strip_prefix(MAGIC).ok_or_else(wrong)?;
    if string(&mut rest).ok_or_else(wrong)? != b"none" {
        return Err("it has a passphrase, which is not asked for here; make one for tokens alone with `ssh-keygen -t ed25519 -N ''`"
            .to_owned());
    }
    key(rest).ok_or_else(wrong)
}

fn key(mut rest: &[u8]) -> Option<SecretKey> {
    let (_kdf, _options) = (string(&mut rest)?, string(&mut rest)?);
    let count = rest.split_off(..4)?;
    let _public = string(&mut rest)?;
    let mut inner = string(&mut rest)?;
    let (one, two) = (inner.split_off(..4)?, inner.split_off(..4)?);
    let (kind, public, both) = (string(&mut inner)?, string(&mut inner)?, string(&mut inner)?);
    let key = SecretKey::new(both.first_chunk().copied()?);
    let is_whole = both.len() == 64 && &both[32..] == public && key.public().as_bytes() == public;
    (count == [0, 0, 0, 1] && one == two && kind == KIND && is_whole).then_some(key)
}

/// A string as `OpenSSH` packs it: its length in four bytes, then it.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = u32::from_be_bytes(rest.split_off(..4)?.try_into().ok()?);
    rest.split_off(..usize::try_from(len).ok()?)
}
