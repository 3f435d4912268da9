//! Signed heads: what the chain was at a size, said by a key, in a file beside the database. The holder of
//! one of them elsewhere notices later that the log was cut, or that an old copy took its place.
//!
//! A head is a C2SP signed note (c2sp.org/signed-note, in the form of c2sp.org/tlog-checkpoint): origin, size
//! and hash, a line each, then signatures by Ed25519. A key is followed by another when a note carries
//! signatures of both. `writer` decides when to sign, and the verifier what an unsigned log is worth.

use crate::{Reader, StoreError, Workspace, below};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use cuelight_base::{Digest, FILE_BYTES_MAX, Hasher, PublicKey, SecretKey, Seq};
use rustix::fs::OFlags;
use std::{
    fmt, fs,
    io::{self, BufRead, BufReader, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Bytes of one note. How many of them a file has is not bounded: an engine adds to them for as long as it lives.
const NOTE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the file of the keys that vouch for them.
const KEYS_BYTES_MAX: u64 = FILE_BYTES_MAX as u64;
/// The algorithm byte of Ed25519 in keys of signed notes.
const ED25519: u8 = 1;
/// Before the bytes of a secret key in its file.
const SECRET: &str = "cuelight-secret-key-v1";

/// A key that signatures can be checked with: `name+id+key`, as C2SP writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    key: PublicKey,
}

impl NoteKey {
    /// The first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key).
    pub fn id(&self) -> [u8; 4] {
        let digest = Hasher::new().with(&self.name).with([b'\n', ED25519]).with(self.key.as_bytes()).finish();
        std::array::from_fn(|index| digest.0[index])
    }

    /// The name of the log that it signs.
    pub fn log(&self) -> &str {
        &self.name
    }

    fn signs(&self, note: &Note) -> bool {
        self.has_signed(&note.text(), &note.signatures)
    }

    /// True if one of these signatures is its valid signature of that text.
    pub(super) fn has_signed(&self, text: &str, signatures: &[NoteSignature]) -> bool {
        let is_mine = |signature: &&NoteSignature| signature.name == self.name && signature.key == self.id();
        let is_good = |signature: &NoteSignature| self.key.has_signed(text.as_bytes(), &signature.signature);
        signatures.iter().find(is_mine).is_some_and(is_good)
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![ED25519];
        bytes.extend_from_slice(self.key.as_bytes());
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, BASE64_STANDARD.encode(bytes))
    }
}

impl FromStr for NoteKey {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("could not read {text:?} as a key; it looks like name+1a2b3c4d+base64");
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let bytes = BASE64_STANDARD.decode(key).map_err(|_| wrong())?;
        let Some((&ED25519, key)) = bytes.split_first() else { return Err(wrong()) };
        let key = <[u8; 32]>::try_from(key).ok().and_then(PublicKey::new);
        let key = Self { name: name.to_owned(), key: key.ok_or_else(wrong)? };
        let same_id = u32::from_str_radix(id, 16).is_ok_and(|number| number.to_be_bytes() == key.id());
        if name.is_empty() || !same_id { Err(wrong()) } else { Ok(key) }
    }
}

/// A signature under a note, and whose it says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoteSignature {
    name: String,
    key: [u8; 4],
    signature: [u8; 64],
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.key.to_vec();
        bytes.extend_from_slice(&self.signature);
        write!(f, "\u{2014} {} {}", self.name, BASE64_STANDARD.encode(bytes))
    }
}

/// A signed statement about the log at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The name of the log: `cuelight/` and sixteen digits that its first key gave it.
    pub origin: String,
    /// Records up to here.
    pub size: Seq,
    /// The hash of the last of them.
    pub head: Digest,
    signatures: Vec<NoteSignature>,
}

impl Note {
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size.0, BASE64_STANDARD.encode(self.head.0))
    }

    /// Reads one; an error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (body, signatures) =
            text.split_once("\n\n").ok_or("a note has an empty line before its signatures")?;
        let [origin, size, head] = body.split('\n').collect::<Vec<_>>()[..] else {
            return Err("a note has three lines: origin, size, hash".to_owned());
        };
        let size: u64 = size.parse().map_err(|_| format!("{size:?} is no size"))?;
        let head = BASE64_STANDARD.decode(head).ok().and_then(|value| <[u8; 32]>::try_from(value).ok());
        let head = Digest(head.ok_or("its hash is not 32 bytes in base64")?);
        let signatures = signatures_in(signatures);
        if signatures.is_empty() {
            return Err("a note has a signature".to_owned());
        }
        Ok(Self { origin: origin.to_owned(), size: Seq(size), head, signatures })
    }

    /// True if one of these keys signed it.
    pub fn is_signed_by(&self, keys: &[NoteKey]) -> bool {
        keys.iter().any(|key| key.signs(self))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text())?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// The signatures below a note; what is none is passed over.
pub(super) fn signatures_in(lines: &str) -> Vec<NoteSignature> {
    lines.lines().filter_map(signature).collect()
}

fn signature(line: &str) -> Option<NoteSignature> {
    let (name, bytes) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = BASE64_STANDARD.decode(bytes).ok()?;
    let key = <[u8; 4]>::try_from(bytes.get(..4)?).ok()?;
    Some(NoteSignature { name: name.to_owned(), key, signature: bytes[4..].try_into().ok()? })
}

/// Every whole note of a text, oldest first, and how many bytes they take; what a crash left half-written is passed over.
pub fn read_notes(text: &str) -> Result<(Vec<Note>, usize), String> {
    let mut notes = Vec::new();
    let read =
        each_note_in(text.as_bytes(), &mut |note| notes.push(note)).map_err(|error| error.to_string())?;
    Ok((notes, usize::try_from(read.whole).expect("no more than the text has")))
}

/// Bytes of a file of notes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct NoteBytes {
    /// The bytes of its whole notes.
    whole: u64,
    /// All of them: what comes after the whole notes was left half-written by a crash.
    all: u64,
}

/// Shows every whole note of a file, oldest first, and holds one of them at a time. An error of the kind `InvalidData` says what is
/// wrong with a note.
fn each_note_in(mut file: impl BufRead, see: &mut dyn FnMut(Note)) -> io::Result<NoteBytes> {
    let mut bytes = NoteBytes::default();
    let (mut count, mut note, mut part, mut parts) = (0_u64, Vec::new(), 0, 0);
    let wrong = |count: u64, why: &str| {
        io::Error::new(io::ErrorKind::InvalidData, format!("note {}: {why}", count + 1))
    };
    loop {
        let rest = (NOTE_BYTES_MAX - note.len() + 1) as u64;
        let length = file.by_ref().take(rest).read_until(b'\n', &mut note)?;
        bytes.all += length as u64;
        if note.len() > NOTE_BYTES_MAX {
            return Err(wrong(count, &format!("it has more than {NOTE_BYTES_MAX} bytes")));
        }
        if !note.ends_with(b"\n") || length == 0 {
            return Ok(bytes);
        }
        // An empty line ends a part, of which a note has two: what is signed, and the signatures.
        if length > 1 || note.len() - part == 1 {
            continue;
        }
        (part, parts) = (note.len(), parts + 1);
        if parts == 2 {
            note.pop();
            let text = std::str::from_utf8(&note).map_err(|_| wrong(count, "it is not text"))?;
            see(Note::parse(text).map_err(|why| wrong(count, &why))?);
            (count, part, parts) = (count + 1, 0, 0);
            note.clear();
            bytes.whole = bytes.all;
        }
    }
}

/// The same of the notes of a workspace; none where nothing was signed.
fn each_note(workspace: &Workspace, see: &mut dyn FnMut(Note)) -> Result<NoteBytes, StoreError> {
    let path = workspace.checkpoints();
    let file = below::open_plain(&path, u64::MAX);
    match file.and_then(|file| each_note_in(BufReader::new(file), see)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(NoteBytes::default()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(StoreError::damaged(&path, error.to_string()))
        }
        read => read.map_err(|error| StoreError::io("read", &path, &error)),
    }
}

/// The signed heads and keys of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// The notes, oldest first.
    pub notes: Vec<Note>,
    /// Oldest first; each after the first is worth what a note says that both signed.
    pub keys: Vec<NoteKey>,
}

impl Heads {
    /// The heads and keys of a workspace; empty when nothing was signed there.
    pub fn of(workspace: &Workspace) -> Result<Self, StoreError> {
        let mut notes = Vec::new();
        each_note(workspace, &mut |note| notes.push(note))?;
        Ok(Self { notes, keys: keys_of(workspace)? })
    }

    /// The numbers of heads and keys, without keeping them in memory.
    pub fn count(workspace: &Workspace) -> Result<(u64, usize), StoreError> {
        let mut notes = 0;
        each_note(workspace, &mut |_| notes += 1)?;
        Ok((notes, keys_of(workspace)?.len()))
    }

    /// The keys that are believed: those given, and each that a note ties to one before it.
    pub fn believed(&self, given: &[NoteKey]) -> Vec<NoteKey> {
        let mut believed =
            if given.is_empty() { self.keys.first().cloned().into_iter().collect() } else { given.to_vec() };
        for key in &self.keys {
            let ties = |note: &&Note| key.signs(note) && note.is_signed_by(&believed);
            if !believed.contains(key) && self.notes.iter().any(|note| ties(&note)) {
                believed.push(key.clone());
            }
        }
        believed
    }
}

/// The keys that vouch for heads, oldest first; none where nothing was signed.
pub(super) fn keys_of(workspace: &Workspace) -> Result<Vec<NoteKey>, StoreError> {
    let path = workspace.note_keys();
    let text = match below::read(&path, KEYS_BYTES_MAX) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| StoreError::damaged(&path, "it is not text"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        // Without the keys nobody checks what was signed: they are kept, whatever they have become.
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Err(StoreError::damaged(&path, error.to_string()));
        }
        Err(error) => return Err(StoreError::io("read", &path, &error)),
    };
    let keys: Result<_, _> = text.lines().filter(|line| !line.is_empty()).map(str::parse).collect();
    keys.map_err(|why: String| StoreError::damaged(&path, why))
}

/// The name of the log of a workspace, as its heads have it; nothing before an engine has opened it.
pub(super) fn log_name(workspace: &Workspace) -> Result<String, StoreError> {
    Ok(keys_of(workspace)?.into_iter().next().map_or_else(String::new, |key| key.name))
}

/// A signed head that the log does not bear out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadTrouble {
    /// The log is shorter, or another.
    #[error(
        "record {0} was signed, and the log does not have it as it was; the log was cut or exchanged: restore the newer copy"
    )]
    NotThere(Seq),
    /// No believed key signed it.
    #[error(
        "the head at record {0} is not signed by a key that is believed; name the key with --key, or ask who signed it"
    )]
    NotSigned(Seq),
}

/// Checks each signed head against a log that was verified; returns how far the log is signed.
pub fn check_heads(
    reader: &Reader,
    notes: &[Note],
    believed: &[NoteKey],
) -> Result<Result<Seq, HeadTrouble>, StoreError> {
    let mut signed = Seq(0);
    for note in notes {
        if !note.is_signed_by(believed) {
            return Ok(Err(HeadTrouble::NotSigned(note.size)));
        }
        if reader.hash_of(note.size)? != Some(note.head) {
            return Ok(Err(HeadTrouble::NotThere(note.size)));
        }
        signed = signed.max(note.size);
    }
    Ok(Ok(signed))
}

/// The signer of heads. It keeps the last head that it signed, and never signs two for one size.
pub(super) struct Notary {
    origin: String,
    key: SecretKey,
    path: PathBuf,
    last: Option<(Seq, Digest)>,
}

impl Notary {
    /// The one of a workspace; makes its key when there is none. `seed` is 32 bytes that nobody can guess.
    pub(super) fn open(workspace: &Workspace, seed: &[u8; 32]) -> Result<Self, StoreError> {
        let keys = keys_of(workspace)?;
        // Not the one that stands last: an engine that hung may have signed an older one after it.
        let mut last: Option<(Seq, Digest)> = None;
        let bytes = each_note(workspace, &mut |note| {
            if last.is_none_or(|(size, _)| note.size >= size) {
                last = Some((note.size, note.head));
            }
        })?;
        let key = secret_key(workspace, seed)?;
        let origin = match keys.first() {
            Some(first) => first.name.clone(),
            None => {
                let digest = Digest::of(key.public().as_bytes()).to_string();
                format!("cuelight/{}", &digest[..16])
            }
        };
        let public = NoteKey { name: origin.clone(), key: key.public() };
        if !keys.contains(&public) {
            append(&workspace.note_keys(), &format!("{public}\n"))?;
        }
        let path = workspace.checkpoints();
        // What a crash left half-written at the end is cut off before anything is added.
        if bytes.whole != bytes.all {
            let cut = || below::open(&path, OFlags::WRONLY)?.set_len(bytes.whole);
            cut().map_err(|error| StoreError::io("write", &path, &error))?;
        }
        Ok(Self { origin, key, path, last })
    }

    /// The last head that was signed.
    pub(super) const fn last(&self) -> Option<(Seq, Digest)> {
        self.last
    }

    /// Signs what the log is now; a size that was signed already is passed over.
    pub(super) fn sign(&mut self, (size, head): (Seq, Digest)) -> Result<(), StoreError> {
        if self.last.is_some_and(|(last, _)| last >= size) {
            return Ok(());
        }
        append(&self.path, &format!("{}\n", signed(&self.origin, (size, head), &[&self.key])))?;
        self.last = Some((size, head));
        Ok(())
    }
}

/// Another key takes the place of this one: the last head is signed by both. The engine has to be at rest.
pub fn rotate_key(workspace: &Workspace, seed: &[u8; 32]) -> Result<NoteKey, StoreError> {
    let path = workspace.note_keys();
    let (keys, mut last) = (keys_of(workspace)?, None);
    each_note(workspace, &mut |note| last = Some(note))?;
    let (Some(first), Some(note)) = (keys.first(), last) else {
        return Err(StoreError::refused("change", &path, "nothing was signed yet", "run a workflow first"));
    };
    let old = secret_key(workspace, seed)?;
    let new = SecretKey::new(key_bytes(seed));
    let public = NoteKey { name: first.name.clone(), key: new.public() };
    let both = signed(&first.name, (note.size, note.head), &[&old, &new]);
    append(&workspace.note_keys(), &format!("{public}\n"))?;
    append(&workspace.checkpoints(), &format!("{both}\n"))?;
    write_secret(&workspace.secret_key(), &new)?;
    Ok(public)
}

fn signed(origin: &str, (size, head): (Seq, Digest), keys: &[&SecretKey]) -> Note {
    let mut note = Note { origin: origin.to_owned(), size, head, signatures: Vec::new() };
    note.signatures = sign(origin, &note.text(), keys);
    note
}

/// The signature of each of these keys over a text.
pub(super) fn sign(origin: &str, text: &str, keys: &[&SecretKey]) -> Vec<NoteSignature> {
    let signature = |key: &&SecretKey| {
        let public = NoteKey { name: origin.to_owned(), key: key.public() };
        NoteSignature { name: origin.to_owned(), key: public.id(), signature: key.sign(text.as_bytes()) }
    };
    keys.iter().map(signature).collect()
}

/// The problem with the signing key, in words for people; none if all is well or nothing was signed yet.
pub fn key_trouble(workspace: &Workspace) -> Option<String> {
    let signed = !keys_of(workspace).ok()?.is_empty();
    if signed { key_of(workspace).err().map(|error| error.to_string()) } else { None }
}

/// The key in its file; a new one where it is missing.
fn secret_key(workspace: &Workspace, seed: &[u8; 32]) -> Result<SecretKey, StoreError> {
    let path = workspace.secret_key();
    if path.symlink_metadata().is_ok() {
        return key_of(workspace);
    }
    let key = SecretKey::new(key_bytes(seed));
    write_secret(&path, &key)?;
    Ok(key)
}

/// The key in its file. One that others can read is refused.
pub(super) fn key_of(workspace: &Workspace) -> Result<SecretKey, StoreError> {
    let path = workspace.secret_key();
    let mut file = match below::open_plain(&path, FILE_BYTES_MAX as u64) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::refused(
                "use",
                &path,
                "it is missing",
                "restore it; the next engine signs with another one otherwise, which no key vouches for",
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Err(no_key(&path)),
        file => file.map_err(|error| StoreError::io("read", &path, &error))?,
    };
    let about = file.get_ref().metadata().map_err(|error| StoreError::io("read", &path, &error))?;
    if about.permissions().mode() & 0o077 != 0 {
        return Err(StoreError::refused(
            "use",
            &path,
            "others can read it",
            "run `chmod 600` on it, then `cuelight keys rotate`",
        ));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|error| StoreError::io("read", &path, &error))?;
    let bytes = text.trim().strip_prefix(SECRET).and_then(|rest| BASE64_STANDARD.decode(rest.trim()).ok());
    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let bytes = bytes.ok_or_else(|| no_key(&path))?;
    Ok(SecretKey::new(bytes))
}

fn no_key(path: &Path) -> StoreError {
    StoreError::refused("read", path, "it is no key", "restore it, or move it away to sign with a new one")
}

/// Other bytes than those that the same chance gives to payloads.
fn key_bytes(seed: &[u8; 32]) -> [u8; 32] {
    Hasher::new().with("cuelight-signing-key-v1").with(seed).finish().0
}

/// Whole or not at all: under another name first.
fn write_secret(path: &Path, key: &SecretKey) -> Result<(), StoreError> {
    let failed = |error: io::Error| StoreError::io("write", path, &error);
    make_parent(path).map_err(failed)?;
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = below::open(&new, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
        writeln!(file, "{SECRET} {}", BASE64_STANDARD.encode(key.seed()))?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(failed)
}

fn append(path: &Path, text: &str) -> Result<(), StoreError> {
    let write = || -> io::Result<()> {
        make_parent(path)?;
        below::open(path, OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE)?.write_all(text.as_bytes())
    };
    write().map_err(|error| StoreError::io("write", path, &error))
}

fn make_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) => below::make_dir(dir).map(drop),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(sizes: &[u64]) -> String {
        let key = SecretKey::new([7; 32]);
        let one = |size: &u64| format!("{}\n", signed("cuelight/a", (Seq(*size), Digest([1; 32])), &[&key]));
        sizes.iter().map(one).collect()
    }

    #[test]
    fn whole_notes_are_read_wherever_a_crash_has_cut_the_last() {
        let (two, three) = (notes(&[1, 2]), notes(&[1, 2, 3]));
        for cut in two.len()..three.len() {
            let mut seen = 0;
            let bytes = each_note_in(&three.as_bytes()[..cut], &mut |_| seen += 1).expect("whole notes");
            assert_eq!((seen, bytes.whole, bytes.all), (2, two.len() as u64, cut as u64), "cut at {cut}");
        }
        assert_eq!(read_notes(&three).expect("whole notes").1, three.len());
        let mut seen = Vec::new();
        let bytes = each_note_in(three.as_bytes(), &mut |note| seen.push(note.size.0)).expect("whole notes");
        assert_eq!((seen, bytes.whole, bytes.all), (vec![1, 2, 3], three.len() as u64, three.len() as u64));
    }

    #[test]
    fn a_note_that_has_no_end_is_told_before_all_of_it_is_read() {
        let endless = notes(&[1]).into_bytes();
        let endless = BufReader::new(io::Cursor::new(endless).chain(io::repeat(0)));
        let why = each_note_in(endless, &mut drop).expect_err("no end").to_string();
        assert_eq!(why, "note 2: it has more than 65536 bytes");
    }
}
