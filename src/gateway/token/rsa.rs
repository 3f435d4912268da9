//! A public key of RSA as people have it: the line of an `.pub` file, or a JWK as those who issue tokens publish it.

use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use cuelight_base::{Value, read_json};
use cuelight_store::RsaKey;

/// True if a text has the form of an RSA key, valid or not.
pub fn means_rsa(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("ssh-rsa ") || text.starts_with('{')
}

/// The key as its parts.
///
/// # Errors
/// Why it is none, and what to do.
pub fn rsa_key(text: &str) -> Result<RsaKey, String> {
    let cut = || "the key is cut or mistyped; copy all of it".to_owned();
    if text.trim_start().starts_with('{') {
        let jwk: Value =
            read_json(text).map_err(|why| if why.is_data() { why.to_string() } else { cut() })?;
        if jwk.get("d").is_some() {
            return Err(
                "it is the private key, which is nobody's but its owner's; give the public one".to_owned()
            );
        }
        let is_for = |name: &str, wanted: &str| jwk.get(name).is_none_or(|value| value == wanted);
        if jwk["kty"] != "RSA" || !is_for("use", "sig") || !is_for("alg", "RS256") {
            return Err("it is a key for something else; give one with `kty` RSA, `use` sig and `alg` RS256"
                .to_owned());
        }
        let bytes = |name: &str| {
            jwk[name].as_str().and_then(|version| BASE64_URL_SAFE_NO_PAD.decode(version).ok()).ok_or_else(cut)
        };
        return RsaKey::new(&bytes("n")?, &bytes("e")?);
    }
    let blob =
        text.split_whitespace().nth(1).and_then(|word| BASE64_STANDARD.decode(word).ok()).ok_or_else(cut)?;
    let mut rest = blob.as_slice();
    let (Some(kind), Some(e), Some(n)) = (part(&mut rest), part(&mut rest), part(&mut rest)) else {
        return Err(cut());
    };
    if kind != b"ssh-rsa" || !rest.is_empty() {
        return Err(cut());
    }
    RsaKey::new(n, e)
}

/// The next part of what `OpenSSH` writes: four bytes of length, then so many.
fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_be_bytes(rest.split_off(..4)?.try_into().ok()?);
    rest.split_off(..usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_names_a_part_twice_is_refused() {
        let why = rsa_key(r#"{"kty": "RSA", "n": "AQAB", "n": "AAAA", "e": "AQAB"}"#)
            .map(|_| ())
            .expect_err("two keys");
        assert!(why.contains("the key \"n\" stands twice"), "{why}");
        assert!(rsa_key("{").is_err_and(|error| error.contains("cut or mistyped")));
    }
}
