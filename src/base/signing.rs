//! Signatures by Ed25519 (RFC 8032) and codes by HMAC-SHA256 (RFC 2104): the one place in which anything is signed, and in which
//! a signature is checked. All of it is done by `ring`, which encrypts connections as well.

use ring::{
    hmac,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use std::fmt;

/// The points of small order, in each form in which a key may spell them, with the sign bit cleared. Under such a key one signature
/// is good for many texts, so that it proves nothing ("Taming the many `EdDSAs`", Chalkias, Garillot, Nikolaenko, 2020, table 1).
const SMALL_ORDER: [[u8; 32]; 7] = [
    from_ends(0x00, 0x00, 0x00),
    from_ends(0x01, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    from_ends(0xec, 0xff, 0x7f),
    from_ends(0xed, 0xff, 0x7f),
    from_ends(0xee, 0xff, 0x7f),
];

const fn from_ends(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut out = [middle; 32];
    out[0] = first;
    out[31] = last;
    out
}

/// A key that signatures are checked with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key of these bytes; none where a signature by it would prove nothing. Bytes that are no point of the curve are a key under
    /// which no signature is good.
    pub fn new(bytes: [u8; 32]) -> Option<Self> {
        let mut point = bytes;
        point[31] &= 0x7f;
        (!SMALL_ORDER.contains(&point)).then_some(Self(bytes))
    }

    /// The key as it is written.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// True for the signature of this key over these bytes.
    pub fn has_signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(bytes, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A key that signs. It is never shown: it has neither `Debug` nor `Display`.
pub struct SecretKey {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl SecretKey {
    /// The key of 32 bytes that nobody can guess.
    pub fn new(seed: [u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes are a seed");
        Self { seed, pair }
    }

    /// The bytes that it was made of.
    pub const fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The key with which others check its signatures.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(bytes)
    }

    /// Its signature over these bytes.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        let mut out = [0; 64];
        out.copy_from_slice(self.pair.sign(bytes).as_ref());
        out
    }
}

/// The code of several parts, one behind the other.
pub fn mac(secret: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &parts.concat()).as_ref());
    out
}

/// True for the code of these parts. It takes the same time for every wrong one.
pub fn is_mac(secret: &[u8], parts: &[&[u8]], code: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), &parts.concat(), code).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_under_which_a_signature_proves_nothing_is_none_and_the_library_that_was_here_before_agrees() {
        for point in SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut bytes = point;
                bytes[31] |= sign;
                assert_eq!(PublicKey::new(bytes), None, "{bytes:?}");
                let other = ed25519_dalek::VerifyingKey::from_bytes(&bytes);
                assert!(other.is_err() || other.is_ok_and(|key| key.is_weak()), "{bytes:?}");
            }
        }
    }

    #[test]
    fn both_libraries_make_the_same_key_and_the_same_signature() {
        for first in 0..50 {
            let (seed, text) = ([first; 32], [first; 7]);
            let (ours, other) = (SecretKey::new(seed), ed25519_dalek::SigningKey::from_bytes(&seed));
            assert_eq!(ours.public().as_bytes(), other.verifying_key().as_bytes());
            let signature = ours.sign(&text);
            assert_eq!(signature, ed25519_dalek::Signer::sign(&other, &text).to_bytes());
            assert!(
                ours.public().has_signed(&text, &signature) && !ours.public().has_signed(b"", &signature)
            );
            assert!(is_mac(&seed, &[b"a", b"b"], &mac(&seed, &[b"ab"])) && !is_mac(&seed, &[b"a"], &[0; 32]));
        }
    }
}
