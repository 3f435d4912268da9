//! The index of a git repository, read by ourselves: which files it tracks, and how each was when git saw it last. Asking `git status`
//! would let filters of a hostile repository run.

use std::{collections::BTreeMap, io};

/// Entries that are read.
const ENTRIES_MAX: u32 = 200_000;
/// Bytes before the hash of an entry: two times, six numbers.
const BEFORE_HASH: usize = 40;
/// Bytes of an extension before its content: its name and its length.
const EXTENSION_HEAD: usize = 8;
/// Bytes of a hash, by the name of the object format.
const FORMATS: [(&str, usize); 2] = [("sha1", 20), ("sha256", SHA256_BYTES)];
const SHA256_BYTES: usize = 32;
const EXTENDED: u16 = 0x4000;

/// The state of a file when git saw it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tracked {
    pub(super) modified_ns: i128,
    pub(super) size: u32,
    pub(super) hash: Vec<u8>,
}

/// Bytes of a hash in a repository whose configuration was read as this, where a repository without one is of the usual format; nothing
/// where it cannot be read, is longer than it may be, or says a format that is not known here.
pub(crate) fn hash_bytes_of(config: io::Result<Vec<u8>>, bytes_max: u64) -> Option<usize> {
    match config {
        Ok(config) if config.len() as u64 > bytes_max => None,
        Ok(config) => hash_bytes(&String::from_utf8_lossy(&config)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => hash_bytes(""),
        Err(_) => None,
    }
}

fn hash_bytes(config: &str) -> Option<usize> {
    let mut bytes = FORMATS[0].1;
    for line in config.lines() {
        let line = line.to_lowercase();
        let line = line.trim_start();
        // A section may stand in front of its first key.
        let line =
            line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(line, |halves| halves.1);
        let Some((key, value)) = line.split_once('=') else { continue };
        if key.trim() == "objectformat" {
            let value = value.split(['#', ';']).next().unwrap_or_default().trim().trim_matches('"');
            bytes = FORMATS.iter().find(|(name, _)| *name == value)?.1;
        }
    }
    Some(bytes)
}

/// The tracked files by path; nothing for an index of an unknown form, of other hashes, or one that does not end where it says.
pub(crate) fn tracked(bytes: &[u8], hash: usize) -> Option<BTreeMap<String, Tracked>> {
    if bytes.get(..4)? != b"DIRC" {
        return None;
    }
    // Behind everything stands a checksum, which is all zeros where `index.skipHash` is set.
    let (bytes, sum) = bytes.split_at(bytes.len().checked_sub(hash)?);
    if hash == SHA256_BYTES
        && sum.iter().any(|number| *number != 0)
        && cuelight_base::Digest::of(bytes).0[..] != *sum
    {
        return None;
    }
    let fixed = BEFORE_HASH + hash + 2;
    let version = number(bytes, 4)?;
    let count = number(bytes, 8)?;
    if !(2..=4).contains(&version) || count > ENTRIES_MAX {
        return None;
    }
    let (mut at, mut name, mut all) = (12, Vec::new(), BTreeMap::new());
    for _ in 0..count {
        let flags = u16::from_be_bytes(bytes.get(at + fixed - 2..at + fixed)?.try_into().ok()?);
        let mut rest = at + fixed + if flags & EXTENDED == 0 { 0 } else { 2 };
        if version == 4 {
            let (dropped, after) = offset(bytes, rest)?;
            name.truncate(name.len().checked_sub(dropped)?);
            rest = after;
        } else {
            name.clear();
        }
        let length = bytes.get(rest..)?.iter().position(|byte| *byte == 0)?;
        name.extend_from_slice(&bytes[rest..rest + length]);
        let entry = Tracked {
            modified_ns: i128::from(number(bytes, at + 8)?) * 1_000_000_000
                + i128::from(number(bytes, at + 12)?),
            size: number(bytes, at + 36)?,
            hash: bytes.get(at + BEFORE_HASH..at + BEFORE_HASH + hash)?.to_vec(),
        };
        let end = rest + length + 1;
        // Before version 4 an entry is as long as some eights of bytes.
        at = if version == 4 { end } else { at + (end - at).div_ceil(8) * 8 };
        // In a conflict a file is there at each stage but the usual one: git carries it all the same.
        if let Ok(path) = String::from_utf8(name.clone()) {
            all.insert(path, entry);
        }
    }
    is_whole(bytes, at).then_some(all)
}

/// True when extensions fill all that follows the entries, and none of them moves entries elsewhere: `link` says that most of them
/// stand in another file, and a name in small letters may change what the entries mean.
fn is_whole(bytes: &[u8], mut at: usize) -> bool {
    while at < bytes.len() {
        let Some(length) = number(bytes, at + 4).filter(|_| bytes[at].is_ascii_uppercase()) else {
            return false;
        };
        at += EXTENSION_HEAD + length as usize;
    }
    at == bytes.len()
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A number as packs of git spell offsets.
fn offset(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut at = at;
    let mut byte = *bytes.get(at)?;
    let mut value = usize::from(byte & 0x7f);
    while byte & 0x80 != 0 {
        at += 1;
        byte = *bytes.get(at)?;
        value = value.checked_add(1)?.checked_mul(128)?.checked_add(usize::from(byte & 0x7f))?;
    }
    Some((value, at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_index_is_told_and_nothing_worse_happens() {
        for bytes in [&b""[..], b"DIRC", b"DIRC\0\0\0\x02\0\0\0\x01", b"DIRC\0\0\0\x09\0\0\0\0", &[0xff; 200]]
        {
            assert_eq!(tracked(bytes, 20), None);
        }
        let mut bytes = b"DIRC\0\0\0\x04\0\0\0\x01".to_vec();
        bytes.extend([0xff; 300]);
        assert_eq!(tracked(&bytes, 20), None);
    }

    /// An index without an entry, with this behind it.
    fn empty(rest: &[u8]) -> Vec<u8> {
        [b"DIRC\0\0\0\x02\0\0\0\0", rest].concat()
    }

    #[test]
    fn a_file_in_a_conflict_is_tracked() {
        // Of both sides, with the file of ours gone: stages 1 and 3.
        let entry = |stage: u16| {
            let flags = (stage << 12 | 1).to_be_bytes();
            [&[0; 60][..], &flags, b"x\0"].concat()
        };
        let bytes = [&b"DIRC\0\0\0\x02\0\0\0\x02"[..], &entry(1), &entry(3), &[0; 20]].concat();
        let tracked = tracked(&bytes, 20).expect("an index");
        assert_eq!(tracked.into_keys().collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn an_index_ends_where_its_extensions_and_its_checksum_end() {
        let count = |rest: &[u8], hash| tracked(&empty(rest), hash).map(|tracked| tracked.len());
        assert_eq!(count(&[7; 20], 20), Some(0));
        assert_eq!(count(&[7; 19], 20), None, "the checksum is cut");
        assert_eq!(count(&[7; 21], 20), None, "a byte too many");
        assert_eq!(count(&[0; 32], 32), Some(0), "index.skipHash");
        assert_eq!(count(&[7; 32], 32), None, "another checksum");
        assert_eq!(count(&[7; 20], 32), None, "an index of another format");
        let with = |head: &[u8]| [head, &[7; 20]].concat();
        assert_eq!(count(&with(b"TREE\0\0\0\x02ab"), 20), Some(0));
        assert_eq!(count(&with(b"TREE\0\0\0\x03ab"), 20), None, "an extension that is cut");
        assert_eq!(count(&with(b"link\0\0\0\x02ab"), 20), None, "entries in another file");
    }

    #[test]
    fn the_format_of_a_repository_is_read_or_refused() {
        for (config, bytes) in [
            ("[core]\n\tbare = false\n", Some(20)),
            ("[extensions]\n\tobjectformat = sha256\n", Some(32)),
            ("[Extensions] objectFormat = \"SHA256\" ; of this repository\n", Some(32)),
            ("[extensions]\n\tobjectFormat=sha1\n\tcompatObjectFormat = sha256\n", Some(20)),
            ("[extensions]\n\tobjectformat = blake3\n", None),
        ] {
            let read = |bytes_max| hash_bytes_of(Ok(config.as_bytes().to_vec()), bytes_max);
            assert_eq!(read(config.len() as u64), bytes, "{config}");
            assert_eq!(read(config.len() as u64 - 1), None, "{config}");
        }
        let failed = |kind: io::ErrorKind| hash_bytes_of(Err(kind.into()), 1);
        assert_eq!(failed(io::ErrorKind::NotFound), Some(20));
        assert_eq!(failed(io::ErrorKind::PermissionDenied), None);
    }
}
