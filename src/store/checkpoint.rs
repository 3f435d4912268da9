//! Signed heads: what the chain was at a size, said by a key, in a file beside the database. Whoever holds one of them
//! elsewhere notices later that the log was cut, or that an old copy took its place.
//!
//! A head is a C2SP signed note (c2sp.org/signed-note, in the form of c2sp.org/tlog-checkpoint): origin, size and hash, a
//! line each, then signatures by Ed25519. A key is followed by another when a note carries signatures of both. When to
//! sign is said by `writer`; what a log is worth that nobody signed, by whoever verifies.

use crate::{
    base::{Digest, FILE_BYTES_MAX, Seq},
    store::{Reader, StoreError, Workspace, below},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use std::{
    fmt, fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Bytes of the files of signed heads and of the keys that vouch for them.
const HEADS_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The algorithm byte of Ed25519 in keys of signed notes.
const ED25519: u8 = 1;
/// Before the bytes of a secret key in its file.
const SECRET: &str = "cuelight-secret-key-v1";

/// A key that signatures can be checked with: `name+id+key`, as C2SP writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    key: VerifyingKey,
}

impl NoteKey {
    /// The first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key).
    pub fn id(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize();
        [digest[0], digest[1], digest[2], digest[3]]
    }

    /// Which log it signs, as it is called.
    pub fn log(&self) -> &str {
        &self.name
    }

    fn signs(&self, note: &Note) -> bool {
        self.has_signed(&note.text(), &note.signatures)
    }

    /// Whether one of these is its signature of that text.
    pub(super) fn has_signed(&self, text: &str, signatures: &[NoteSignature]) -> bool {
        let is_mine = |it: &&NoteSignature| it.name == self.name && it.key == self.id();
        let is_good = |it: &NoteSignature| self.key.verify_strict(text.as_bytes(), &it.signature).is_ok();
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
        let key = <[u8; 32]>::try_from(key).ok().and_then(|it| VerifyingKey::from_bytes(&it).ok());
        let key = Self { name: name.to_owned(), key: key.ok_or_else(wrong)? };
        let same_id = u32::from_str_radix(id, 16).is_ok_and(|it| it.to_be_bytes() == key.id());
        if name.is_empty() || !same_id { Err(wrong()) } else { Ok(key) }
    }
}

/// A signature under a note, and whose it says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoteSignature {
    name: String,
    key: [u8; 4],
    signature: Signature,
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.key.to_vec();
        bytes.extend_from_slice(&self.signature.to_bytes());
        write!(f, "\u{2014} {} {}", self.name, BASE64_STANDARD.encode(bytes))
    }
}

/// What the log was at a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which log: `cuelight/` and sixteen digits that its first key gave it.
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
        let head = BASE64_STANDARD.decode(head).ok().and_then(|it| <[u8; 32]>::try_from(it).ok());
        let head = Digest(head.ok_or("its hash is not 32 bytes in base64")?);
        let signatures = signatures_in(signatures);
        if signatures.is_empty() {
            return Err("a note has a signature".to_owned());
        }
        Ok(Self { origin: origin.to_owned(), size: Seq(size), head, signatures })
    }

    /// Whether one of these keys signed it.
    pub fn is_signed_by(&self, keys: &[NoteKey]) -> bool {
        keys.iter().any(|it| it.signs(self))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text())?;
        self.signatures.iter().try_for_each(|it| writeln!(f, "{it}"))
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
    Some(NoteSignature { name: name.to_owned(), key, signature: Signature::from_slice(&bytes[4..]).ok()? })
}

/// Every whole note of a file, oldest first, and how many bytes they take; what a crash left half-written is passed over.
pub fn read_notes(text: &str) -> Result<(Vec<Note>, usize), String> {
    let (mut notes, mut used) = (Vec::new(), 0);
    let mut rest = text;
    while let Some(end) =
        rest.find("\n\n").and_then(|body| Some(body + 2 + rest[body + 2..].find("\n\n")? + 2))
    {
        let note = Note::parse(&rest[..end - 1]).map_err(|why| format!("note {}: {why}", notes.len() + 1))?;
        notes.push(note);
        used += end;
        rest = &text[used..];
    }
    Ok((notes, used))
}

/// The signed heads and keys of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Oldest first.
    pub notes: Vec<Note>,
    /// Oldest first; each after the first is worth what a note says that both signed.
    pub keys: Vec<NoteKey>,
}

impl Heads {
    /// What lies in a workspace; nothing when nothing was signed there.
    pub fn of(workspace: &Workspace) -> Result<Self, StoreError> {
        let (path, text) = (workspace.checkpoints(), read_or_nothing(&workspace.checkpoints())?);
        let (notes, _) = read_notes(&text).map_err(|why| StoreError::damaged(&path, why))?;
        Ok(Self { notes, keys: keys_of(workspace)? })
    }

    /// The keys that are believed: those given, and each that a note ties to one before it.
    pub fn believed(&self, given: &[NoteKey]) -> Vec<NoteKey> {
        let mut believed =
            if given.is_empty() { self.keys.first().cloned().into_iter().collect() } else { given.to_vec() };
        for key in &self.keys {
            let ties = |note: &&Note| key.signs(note) && note.is_signed_by(&believed);
            if !believed.contains(key) && self.notes.iter().any(|it| ties(&it)) {
                believed.push(key.clone());
            }
        }
        believed
    }
}

fn keys_of(workspace: &Workspace) -> Result<Vec<NoteKey>, StoreError> {
    let (path, text) = (workspace.note_keys(), read_or_nothing(&workspace.note_keys())?);
    let keys: Result<_, _> = text.lines().filter(|it| !it.is_empty()).map(str::parse).collect();
    keys.map_err(|why: String| StoreError::damaged(&path, why))
}

/// The name of the log of a workspace, as its heads have it; nothing before an engine has opened it.
pub fn log_name(workspace: &Workspace) -> Result<String, StoreError> {
    Ok(keys_of(workspace)?.into_iter().next().map_or_else(String::new, |it| it.name))
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

/// Who signs heads: it keeps the last one it signed, and never signs two for one size.
pub(super) struct Notary {
    origin: String,
    key: SigningKey,
    path: PathBuf,
    last: Option<(Seq, Digest)>,
}

impl Notary {
    /// The one of a workspace; makes its key when there is none. `seed` is 32 bytes that nobody can guess.
    pub(super) fn open(workspace: &Workspace, seed: &[u8; 32]) -> Result<Self, StoreError> {
        let heads = Heads::of(workspace)?;
        let key = secret_key(workspace, seed)?;
        let origin = match heads.keys.first() {
            Some(first) => first.name.clone(),
            None => {
                let digest = Digest(Sha256::digest(key.verifying_key().as_bytes()).into()).to_string();
                format!("cuelight/{}", &digest[..16])
            }
        };
        let public = NoteKey { name: origin.clone(), key: key.verifying_key() };
        if !heads.keys.contains(&public) {
            append(&workspace.note_keys(), &format!("{public}\n"))?;
        }
        drop_torn_end(&workspace.checkpoints())?;
        // Not the one that stands last: an engine that hung may have signed an older one after it.
        let last = heads.notes.iter().max_by_key(|it| it.size).map(|it| (it.size, it.head));
        Ok(Self { origin, key, path: workspace.checkpoints(), last })
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
    let heads = Heads::of(workspace)?;
    let (Some(first), Some(note)) = (heads.keys.first(), heads.notes.last()) else {
        return Err(StoreError::refused("change", &path, "nothing was signed yet", "run a workflow first"));
    };
    let old = secret_key(workspace, seed)?;
    let new = SigningKey::from_bytes(&key_bytes(seed));
    let public = NoteKey { name: first.name.clone(), key: new.verifying_key() };
    let both = signed(&first.name, (note.size, note.head), &[&old, &new]);
    append(&workspace.note_keys(), &format!("{public}\n"))?;
    append(&workspace.checkpoints(), &format!("{both}\n"))?;
    write_secret(&workspace.secret_key(), &new)?;
    Ok(public)
}

fn signed(origin: &str, (size, head): (Seq, Digest), keys: &[&SigningKey]) -> Note {
    let mut note = Note { origin: origin.to_owned(), size, head, signatures: Vec::new() };
    note.signatures = sign(origin, &note.text(), keys);
    note
}

/// What each of these keys says to a text.
pub(super) fn sign(origin: &str, text: &str, keys: &[&SigningKey]) -> Vec<NoteSignature> {
    let signature = |key: &&SigningKey| {
        let public = NoteKey { name: origin.to_owned(), key: key.verifying_key() };
        NoteSignature { name: origin.to_owned(), key: public.id(), signature: key.sign(text.as_bytes()) }
    };
    keys.iter().map(signature).collect()
}

/// How it stands with the key that signs, in words for people; nothing where all is well, or nothing was signed yet.
pub fn key_trouble(workspace: &Workspace) -> Option<String> {
    let signed = !Heads::of(workspace).ok()?.keys.is_empty();
    if signed { key_of(workspace).err().map(|it| it.to_string()) } else { None }
}

/// The key in its file; a new one where it is missing.
fn secret_key(workspace: &Workspace, seed: &[u8; 32]) -> Result<SigningKey, StoreError> {
    let path = workspace.secret_key();
    if path.symlink_metadata().is_ok() {
        return key_of(workspace);
    }
    let key = SigningKey::from_bytes(&key_bytes(seed));
    write_secret(&path, &key)?;
    Ok(key)
}

/// The key in its file. One that others can read is refused.
pub(super) fn key_of(workspace: &Workspace) -> Result<SigningKey, StoreError> {
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
    let bytes = text.trim().strip_prefix(SECRET).and_then(|it| BASE64_STANDARD.decode(it.trim()).ok());
    let bytes = bytes.and_then(|it| <[u8; 32]>::try_from(it).ok());
    let bytes = bytes.ok_or_else(|| {
        StoreError::refused(
            "read",
            &path,
            "it is no key",
            "restore it, or move it away to sign with a new one",
        )
    })?;
    Ok(SigningKey::from_bytes(&bytes))
}

/// Other bytes than those that the same chance gives to payloads.
fn key_bytes(seed: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(b"cuelight-signing-key-v1").chain_update(seed).finalize().into()
}

/// Whole or not at all: under another name first.
fn write_secret(path: &Path, key: &SigningKey) -> Result<(), StoreError> {
    let failed = |error: io::Error| StoreError::io("write", path, &error);
    make_parent(path).map_err(failed)?;
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = below::open(&new, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
        writeln!(file, "{SECRET} {}", BASE64_STANDARD.encode(key.to_bytes()))?;
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

/// What a crash left half-written at the end is cut off before anything is added.
fn drop_torn_end(path: &Path) -> Result<(), StoreError> {
    let text = read_or_nothing(path)?;
    let (_, whole) = read_notes(&text).map_err(|why| StoreError::damaged(path, why))?;
    if whole == text.len() {
        return Ok(());
    }
    let cut = || below::open(path, OFlags::WRONLY)?.set_len(whole as u64);
    cut().map_err(|error| StoreError::io("write", path, &error))
}

fn read_or_nothing(path: &Path) -> Result<String, StoreError> {
    match below::read(path, HEADS_BYTES_MAX) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| StoreError::damaged(path, "it is not text")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(StoreError::io("read", path, &error)),
    }
}
