//! Content hashes. The one byte form that is hashed is made in `canonical`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sha2::{Digest as _, Sha256};
use std::{fmt, str::FromStr};

/// A SHA-256, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Its first half, by which things are told apart in memory where there are many of them.
    pub fn half(&self) -> u128 {
        u128::from_be_bytes(std::array::from_fn(|index| self.0[index]))
    }

    /// The short code that people compare and type: the first 40 bits in Crockford base32, two groups of
    /// four, `c41f-92qd`.
    pub fn code(&self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let bits = self.0[..5].iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let letter = |group: u32| char::from(ALPHABET[(bits >> (35 - 5 * group) & 31) as usize]);
        (0..8).fold(String::with_capacity(9), |mut out, group| {
            if group == 4 {
                out.push('-');
            }
            out.push(letter(group));
            out
        })
    }

    /// The first eight hexadecimal digits, to tell digests apart at a glance.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("could not read {text:?} as a SHA-256; it has 64 hexadecimal digits");
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong());
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The SHA-256 over several parts, each preceded by its length, so that no two lists of parts run together.
pub fn sha256(domain: &str, parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(domain.as_bytes());
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    Digest(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_two_groups_of_four_and_no_letter_that_is_misread() {
        let code = sha256("test", &[b"x"]).code();
        assert_eq!(code.len(), 9);
        assert!(!code.contains(['i', 'l', 'o', 'u']));
        assert_eq!(Digest([0; 32]).code(), "0000-0000");
        assert_eq!(Digest([255; 32]).code(), "zzzz-zzzz");
    }

    #[test]
    fn two_lists_of_parts_never_have_one_hash() {
        assert_ne!(sha256("t", &[b"ab", b"c"]), sha256("t", &[b"a", b"bc"]));
    }
}
