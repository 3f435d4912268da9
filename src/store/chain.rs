//! The chain: each record carries the hash of the one before, so that nothing can be changed, left out, put in or moved
//! unseen below a head that somebody remembers.
//!
//! `hash = SHA-256("cuelight-chain-v1" ‖ prev ‖ u64be(seq) ‖ header ‖ payload_hash)`, the header being JSON with sorted
//! keys; `payload_hash = SHA-256("cuelight-payload-v1" ‖ salt ‖ payload)`, so that a payload can be erased one day and the
//! chain still holds.

use crate::{
    Reader, StoreError, codec,
    reader::{ChainRecord, Record},
};
use cuelight_base::{Digest, Hasher, RunId, Seq, Timestamp};
use cuelight_engine::Event;
use serde::Serialize;
use std::fmt;

/// Before the first record.
pub(super) const ROOT: Digest = Digest([0; 32]);

/// Chance that keeps a payload from being guessed by its hash.
pub(super) type Salt = [u8; 16];

/// The part of a record besides its payload. The fields are in the order of their names, because this is
/// hashed.
#[derive(Debug, Serialize)]
pub(super) struct Header<'a> {
    pub(super) at: i64,
    pub(super) boot: &'a str,
    pub(super) kind: &'a str,
    pub(super) run: Option<RunId>,
    pub(super) uptime: u64,
    pub(super) version: u32,
}

/// The salt of a record, from the seed of its writer.
pub(super) fn salt(seed: &[u8; 32], seq: Seq) -> Salt {
    let digest = Hasher::new().with("cuelight-salt-v1").with(seed).with(seq.0.to_be_bytes()).finish();
    let mut salt = Salt::default();
    salt.copy_from_slice(&digest.0[..16]);
    salt
}

pub(super) fn payload_hash(salt: &Salt, payload: &[u8]) -> Digest {
    Hasher::new().with("cuelight-payload-v1").with(salt).with(payload).finish()
}

pub(super) fn link(prev: Digest, seq: Seq, header: &Header<'_>, payload_hash: Digest) -> Digest {
    let header = serde_json::to_vec(header).expect("a header is text and numbers");
    link_bytes(prev, seq, &header, payload_hash)
}

fn link_bytes(prev: Digest, seq: Seq, header: &[u8], payload_hash: Digest) -> Digest {
    Hasher::new()
        .with("cuelight-chain-v1")
        .with(prev)
        .with(seq.0.to_be_bytes())
        .with(header)
        .with(payload_hash)
        .finish()
}

/// A log that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The number of records checked.
    pub records: u64,
    /// The last one, and its hash.
    pub head: (Seq, Digest),
    /// When the last one looked at was written.
    pub last_at: Option<Timestamp>,
}

/// A log that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "could not verify the log at {seq}: {kind}; restore a copy that holds, and ask who can write to this one"
)]
pub struct Broken {
    /// The first record that is wrong, or missing.
    pub seq: Seq,
    /// The damage that was found.
    pub kind: Damage,
}

/// The kinds of damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is not there.
    Missing,
    /// It was never written.
    Surplus,
    /// It does not follow the one before.
    Unlinked,
    /// Its header was changed.
    Header,
    /// Its payload was changed.
    Payload,
    /// It cannot be read.
    Unreadable(String),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "it is missing",
            Self::Surplus => "it was put in",
            Self::Unlinked => "it does not follow the one before",
            Self::Header => "what it says about itself was changed",
            Self::Payload => "its payload was changed",
            Self::Unreadable(why) => return write!(f, "it cannot be read ({why})"),
        })
    }
}

/// Looks at every record from `from` on, up to the head. From 1 it covers the whole log.
pub fn verify(reader: &Reader, from: Seq) -> Result<Verified, Broken> {
    verify_telling(reader, from, &mut |_| {})
}

/// The same, and tells of each record that holds.
pub(super) fn verify_telling(
    reader: &Reader,
    from: Seq,
    holds: &mut dyn FnMut(Seq),
) -> Result<Verified, Broken> {
    let mut link = Link { seq: Seq(from.0.max(1) - 1), hash: ROOT, last_at: None };
    let seen_before = link.seq.0;
    let head = walk(reader, &mut link, holds).unwrap_or_else(|error| {
        Err(Broken { seq: Seq(link.seq.0 + 1), kind: Damage::Unreadable(error.to_string()) })
    })?;
    Ok(Verified { records: link.seq.0 - seen_before, head, last_at: link.last_at })
}

/// Follows the log as it stands at one instant; the owner may go on writing.
fn walk(
    reader: &Reader,
    link: &mut Link,
    holds: &mut dyn FnMut(Seq),
) -> Result<Result<(Seq, Digest), Broken>, StoreError> {
    let _snapshot = reader.snapshot()?;
    if link.seq.0 > 0 {
        match reader.hash_of(link.seq)? {
            Some(hash) => link.hash = hash,
            None => return Ok(Err(Broken { seq: link.seq, kind: Damage::Missing })),
        }
    }
    let from = (link.seq.0 > 0).then_some(Seq(link.seq.0 + 1));
    let mut broken = None;
    reader.each_record(from, &mut |record| {
        broken = link.follow(record).err();
        if broken.is_none() {
            holds(record.seq);
        }
        broken.is_none()
    })?;
    if let Some(broken) = broken {
        return Ok(Err(broken));
    }
    let head = reader.head()?;
    Ok(if link.seq < head.0 {
        Err(Broken { seq: Seq(link.seq.0 + 1), kind: Damage::Missing })
    } else if link.seq > head.0 {
        Err(Broken { seq: Seq(head.0.0 + 1), kind: Damage::Surplus })
    } else if link.hash != head.1 {
        Err(Broken { seq: head.0, kind: Damage::Header })
    } else {
        Ok(head)
    })
}

/// A record with its links, as it stands in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Linked {
    /// The place of the record in the log.
    pub seq: Seq,
    /// The event of the record.
    pub event: Event,
    /// The hash it says it follows.
    pub prev: Digest,
    /// The hash of this record.
    pub hash: Digest,
    /// True if both hashes are right.
    pub holds: bool,
}

/// Records in order, beginning at `from`, at most `limit` of them, each held against the one before.
///
/// # Errors
/// When one of them cannot be read.
pub fn linked(reader: &Reader, from: Seq, limit: usize) -> Result<Vec<Linked>, StoreError> {
    let _snapshot = reader.snapshot()?;
    let before = Seq(from.0.max(1) - 1);
    let hash = if before.0 == 0 { Some(ROOT) } else { reader.hash_of(before)? };
    // Where the record before is missing, none follows it.
    let mut link = Link { seq: before, hash: hash.unwrap_or(ROOT), last_at: None };
    let (mut out, mut failure) = (Vec::new(), None);
    reader.each_record(Some(Seq(before.0 + 1)), &mut |record| {
        if out.len() == limit {
            return false;
        }
        let holds = link.follow(record).is_ok();
        link = Link { seq: record.seq, hash: record.hash, last_at: None };
        match codec::decode(record.header.version, Timestamp(record.header.at), record.payload) {
            Ok(event) => {
                let (seq, prev, hash) = (record.seq, record.prev, record.hash);
                out.push(Linked { seq, event, prev, hash, holds });
            }
            Err(why) => failure = Some(format!("event {}: {why}", record.seq)),
        }
        failure.is_none()
    })?;
    match failure {
        Some(why) => Err(reader.damaged(&why)),
        None => Ok(out),
    }
}

impl ChainRecord {
    /// Holds a record that came from elsewhere against the one before it: its place and hash. Where a piece of the chain
    /// begins there is none. A payload that is not shown is taken at its hash.
    pub fn follow(&self, before: Option<(Seq, Digest)>) -> Result<(Seq, Digest), Broken> {
        let broken = |kind| Err(Broken { seq: self.seq, kind });
        if before.is_some_and(|(seq, hash)| seq.0.checked_add(1) != Some(self.seq.0) || hash != self.prev) {
            return broken(Damage::Unlinked);
        }
        if let Some(payload) = &self.payload {
            let Some(salt) = read_salt(&self.salt) else {
                return broken(Damage::Unreadable("its salt is not 32 hexadecimal digits".to_owned()));
            };
            if payload_hash(&salt, payload.as_bytes()) != self.payload_hash {
                return broken(Damage::Payload);
            }
        }
        if link_bytes(self.prev, self.seq, self.header.as_bytes(), self.payload_hash) == self.hash {
            Ok((self.seq, self.hash))
        } else {
            broken(Damage::Header)
        }
    }
}

fn read_salt(digits: &str) -> Option<Salt> {
    let mut salt = Salt::default();
    if digits.len() != 2 * salt.len() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in salt.iter_mut().zip((0..digits.len()).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    Some(salt)
}

/// The end of the part of the chain that is verified.
struct Link {
    seq: Seq,
    hash: Digest,
    last_at: Option<Timestamp>,
}

impl Link {
    fn follow(&mut self, record: &Record<'_>) -> Result<(), Broken> {
        let expected = Seq(self.seq.0 + 1);
        let broken = |kind| Err(Broken { seq: expected, kind });
        if record.seq < expected {
            return Err(Broken { seq: record.seq, kind: Damage::Surplus });
        }
        if record.seq > expected {
            return broken(Damage::Missing);
        }
        if record.prev != self.hash {
            return broken(Damage::Unlinked);
        }
        if payload_hash(&record.salt, record.payload) != record.payload_hash {
            return broken(Damage::Payload);
        }
        if link(record.prev, record.seq, &record.header, record.payload_hash) != record.hash {
            return broken(Damage::Header);
        }
        *self = Self { seq: expected, hash: record.hash, last_at: Some(Timestamp(record.header.at)) };
        Ok(())
    }
}
