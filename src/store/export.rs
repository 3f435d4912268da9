//! Exports of a log, which can be checked without it. One is the whole chain, line by line. Any other file
//! has a note about its digest, signed with the key of the workspace. Other modules write the content of
//! these files.

use crate::{
    Heads, Note, NoteKey, StoreError, Workspace,
    chain::ROOT,
    checkpoint::{NoteSignature, key_of, keys_of, sign, signatures_in},
    reader::ChainRecord,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use cuelight_base::{Digest, Seq, read_json};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// The first line of a note about a file. It has more lines than a head, so that neither is ever taken for the other.
const FILE_NOTE: &str = "cuelight-export-v1";

/// The last line of an exported chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainEnd {
    /// Records before this line.
    pub count: u64,
    /// The last of them.
    pub head: ChainHead,
    /// Signed heads, oldest first.
    pub notes: Vec<String>,
    /// The public keys, oldest first.
    pub keys: Vec<String>,
}

/// The last record of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// The place of the record in the log.
    pub seq: Seq,
    /// The hash of the record.
    pub hash: Digest,
}

/// An exported chain that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedChain {
    /// The number of records in the export.
    pub records: u64,
    /// Up to where a key that is believed has signed it.
    pub signed: Seq,
    /// The keys that were believed.
    pub keys: Vec<NoteKey>,
}

/// Checks a chain as `audit export` writes it: a record a line, then how many they are, the head, signed heads and keys.
/// Without `given` the first of its own keys is believed, and those it vouches for.
///
/// # Errors
/// The mistake in the export, and its place.
pub fn verify_chain(text: &str, given: &[NoteKey]) -> Result<ExportedChain, String> {
    let lines: Vec<&str> = text.lines().collect();
    let (last, lines) = lines.split_last().ok_or("it is empty")?;
    let end: ChainEnd = read_json(last).map_err(|why| {
        format!("its last line does not say how many records there are; it was cut or changed ({why})")
    })?;
    let mut heads = BTreeMap::from([(Seq(0), ROOT)]);
    let mut link = (Seq(0), ROOT);
    for (index, line) in lines.iter().enumerate() {
        let record: ChainRecord =
            read_json(line).map_err(|why| format!("line {}: it is no record ({why})", index + 1))?;
        if record.payload.is_none() {
            return Err(format!("record {}: what it says is not shown", record.seq));
        }
        link = record.follow(Some(link)).map_err(|error| format!("record {}: {}", error.seq, error.kind))?;
        heads.insert(link.0, link.1);
    }
    if end.count != lines.len() as u64 || (end.head.seq, end.head.hash) != link {
        return Err(format!("it says that it ends at record {}, and ends at {}", end.head.seq, link.0));
    }
    let parse = |note: &String| Note::parse(note.trim_end_matches('\n'));
    let notes: Vec<Note> = end.notes.iter().map(parse).collect::<Result<_, _>>()?;
    let keys: Vec<NoteKey> = end.keys.iter().map(|key| key.parse()).collect::<Result<_, String>>()?;
    let believed = Heads { notes: notes.clone(), keys }.believed(given);
    let mut signed = Seq(0);
    for note in &notes {
        if !note.is_signed_by(&believed) {
            return Err(format!("the head at record {} is not signed by a key that is believed", note.size));
        }
        if heads.get(&note.size) != Some(&note.head) {
            return Err(format!("record {} was signed, and is not here as it was", note.size));
        }
        signed = signed.max(note.size);
    }
    if signed == Seq(0) {
        return Err("no head of it is signed".to_owned());
    }
    Ok(ExportedChain { records: end.count, signed, keys: believed })
}

/// A signed statement by the workspace's key about a file that was made from its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileNote {
    /// The name of the log.
    pub origin: String,
    /// SHA-256 of the bytes of the file.
    pub file: Digest,
    /// The number of records in the log at that time.
    pub size: Seq,
    /// The hash of its last record.
    pub head: Digest,
    signatures: Vec<NoteSignature>,
}

impl FileNote {
    fn text(&self) -> String {
        let (file, head) = (self.file, BASE64_STANDARD.encode(self.head.0));
        format!("{FILE_NOTE}\n{}\n{file}\n{}\n{head}\n", self.origin, self.size.0)
    }

    /// Signs a file; nothing where no engine has made a key yet.
    ///
    /// # Errors
    /// When the key is missing, or others can read it: it is not replaced for this.
    pub fn sign(
        workspace: &Workspace,
        file: Digest,
        (size, head): (Seq, Digest),
    ) -> Result<Option<Self>, StoreError> {
        let keys = keys_of(workspace)?;
        let Some(first) = keys.first() else { return Ok(None) };
        let key = key_of(workspace)?;
        let mut note = Self { origin: first.log().to_owned(), file, size, head, signatures: Vec::new() };
        note.signatures = sign(&note.origin, &note.text(), &[&key]);
        Ok(Some(note))
    }

    /// Reads a note of a file.
    ///
    /// # Errors
    /// The mistake in the note, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (body, signatures) =
            text.split_once("\n\n").ok_or("a note has an empty line before its signatures")?;
        let [FILE_NOTE, origin, file, size, head] = body.split('\n').collect::<Vec<_>>()[..] else {
            return Err(format!("a note about a file begins with {FILE_NOTE} and has five lines"));
        };
        let head = BASE64_STANDARD.decode(head).ok().and_then(|value| <[u8; 32]>::try_from(value).ok());
        Ok(Self {
            origin: origin.to_owned(),
            file: file.parse()?,
            size: Seq(size.parse().map_err(|_| format!("{size:?} is no size"))?),
            head: Digest(head.ok_or("its hash is not 32 bytes in base64")?),
            signatures: signatures_in(signatures),
        })
    }

    /// True if one of these keys signed it.
    pub fn is_signed_by(&self, keys: &[NoteKey]) -> bool {
        keys.iter().any(|key| key.has_signed(&self.text(), &self.signatures))
    }
}

impl fmt::Display for FileNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text())?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}
