//! Content hashes. The one byte form that is hashed is made in `canonical`.

use ring::digest::{Context, SHA256, SHA512, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{
    fmt,
    io::{self, Read, Write},
    str::FromStr,
};

/// Bytes of a file that are hashed at once.
const PIECE_BYTES: usize = 64 * 1024;

/// A SHA-256, shown as 64 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The SHA-256 of bytes, as `sha256sum` gives it.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Hasher::new().with(bytes).finish()
    }

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

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// A SHA-256 whose bytes come one after the other.
#[derive(Clone)]
pub struct Hasher(Context);

impl Default for Hasher {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Hasher {
    /// The hash of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes behind those that are there.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes.as_ref());
    }

    /// The same with more bytes behind it.
    #[must_use]
    pub fn with(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.update(bytes);
        self
    }

    /// The hash of all bytes.
    pub fn finish(self) -> Digest {
        let mut digest = Digest::default();
        digest.0.copy_from_slice(self.0.finish().as_ref());
        digest
    }

    /// Moves all bytes on, and returns their number and the hash of everything so far.
    ///
    /// # Errors
    /// The errors of the reader and of the writer.
    pub fn pour(mut self, mut from: impl Read, to: &mut impl Write) -> io::Result<(u64, Digest)> {
        let (mut total, mut piece) = (0, vec![0; PIECE_BYTES]);
        loop {
            let length = from.read(&mut piece)?;
            if length == 0 {
                return Ok((total, self.finish()));
            }
            self.update(&piece[..length]);
            to.write_all(&piece[..length])?;
            total += length as u64;
        }
    }
}

/// The SHA-512 of bytes, for signatures that others make; our own hashes are all `Digest`.
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    let mut out = [0; 64];
    out.copy_from_slice(digest(&SHA512, bytes).as_ref());
    out
}

/// The SHA-256 over several parts, each preceded by its length, so that no two lists of parts run together.
pub fn sha256(domain: &str, parts: &[&[u8]]) -> Digest {
    let add = |hasher: Hasher, part: &&[u8]| hasher.with((part.len() as u64).to_be_bytes()).with(part);
    parts.iter().fold(Hasher::new().with(domain), add).finish()
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

    /// FIPS 180-4: the examples "abc" of both functions.
    #[test]
    fn the_examples_of_the_standard_have_the_hash_it_says() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of("abc").to_string(), abc);
        let (mut moved, pieces) = (Vec::new(), [&b"b"[..], b"c"].concat());
        let poured = Hasher::new().with("a").pour(&pieces[..], &mut moved).expect("memory");
        assert_eq!((poured.0, poured.1.to_string(), moved.as_slice()), (2, abc.to_owned(), &b"bc"[..]));
        assert_eq!(sha512(b"abc")[..8], [0xdd, 0xaf, 0x35, 0xa1, 0x93, 0x61, 0x7a, 0xba]);
    }

    #[test]
    fn two_lists_of_parts_never_have_one_hash() {
        assert_ne!(sha256("t", &[b"ab", b"c"]), sha256("t", &[b"a", b"bc"]));
    }
}
