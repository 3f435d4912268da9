//! The index of a git repository, read by ourselves: which files it tracks, and how each was when git saw it last. Asking `git status`
//! would let filters of a hostile repository run.

use std::collections::BTreeMap;

/// Entries that are read.
const ENTRIES_MAX: u32 = 200_000;
/// Bytes before the name of an entry: two times, six numbers, a hash, the flags.
const FIXED: usize = 62;
const HASH: usize = 20;
const STAGE_BITS: u16 = 0x3000;
const EXTENDED: u16 = 0x4000;

/// How a file was when git saw it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tool) struct Tracked {
    pub(super) modified_ns: i128,
    pub(super) size: u32,
    pub(super) hash: [u8; HASH],
}

/// The tracked files by path; nothing when it has a form that is not known here.
pub(in crate::tool) fn tracked(bytes: &[u8]) -> Option<BTreeMap<String, Tracked>> {
    if bytes.get(..4)? != b"DIRC" {
        return None;
    }
    let version = number(bytes, 4)?;
    let count = number(bytes, 8)?;
    if !(2..=4).contains(&version) || count > ENTRIES_MAX {
        return None;
    }
    let (mut at, mut name, mut all) = (12, Vec::new(), BTreeMap::new());
    for _ in 0..count {
        let flags = u16::from_be_bytes(bytes.get(at + 60..at + FIXED)?.try_into().ok()?);
        let mut rest = at + FIXED + if flags & EXTENDED == 0 { 0 } else { 2 };
        if version == 4 {
            let (dropped, after) = offset(bytes, rest)?;
            name.truncate(name.len().checked_sub(dropped)?);
            rest = after;
        } else {
            name.clear();
        }
        let length = bytes.get(rest..)?.iter().position(|it| *it == 0)?;
        name.extend_from_slice(&bytes[rest..rest + length]);
        let entry = Tracked {
            modified_ns: i128::from(number(bytes, at + 8)?) * 1_000_000_000
                + i128::from(number(bytes, at + 12)?),
            size: number(bytes, at + 36)?,
            hash: bytes.get(at + 40..at + 40 + HASH)?.try_into().ok()?,
        };
        let end = rest + length + 1;
        // Before version 4 an entry is as long as some eights of bytes.
        at = if version == 4 { end } else { at + (end - at).div_ceil(8) * 8 };
        if flags & STAGE_BITS == 0
            && let Ok(path) = String::from_utf8(name.clone())
        {
            all.insert(path, entry);
        }
    }
    // An index that lies in two files has most of its entries in the other one.
    let is_split = bytes.get(at..at + 4).is_some_and(|it| it == b"link");
    (!is_split).then_some(all)
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
            assert_eq!(tracked(bytes), None);
        }
        assert_eq!(tracked(b"DIRC\0\0\0\x02\0\0\0\0").map(|it| it.len()), Some(0));
        let mut bytes = b"DIRC\0\0\0\x04\0\0\0\x01".to_vec();
        bytes.extend([0xff; 300]);
        assert_eq!(tracked(&bytes), None);
    }
}
