//! A workspace as it was when a gate asked: every file is copied below `.cuelight` under the hash of its bytes, and a list of
//! all entries (path, mode, time, hash) has one hash over it. Approved steps run from a copy that is laid out anew for each
//! call; each file of it is compared with its hash while it is written.
//!
//! `.git` and `.cuelight` do not belong to it. A link is captured as a link.

use super::{
    executable::shown,
    glob::Globs,
    own_dir::{make_own_dir, own_file},
};
use cuelight_base::{Digest, NOT_BOUND, TREE_BYTES_MAX, TREE_ENTRIES_MAX, counted, sha256};
use rustix::fs::{CWD, OFlags, RenameFlags, Timespec, Timestamps, futimens, renameat_with};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink},
    },
    path::{Component, Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Directories that never belong to it.
const LEFT_OUT: [&str; 2] = [".cuelight", ".git"];
/// Entries that are looked at to find those that belong to it.
const LOOKED_AT_MAX: u64 = 1_000_000;
/// Notes of what does not belong to it; more are counted.
const NOTES_MAX: usize = 50;
/// Bytes of all notes: a path has at most 4096.
const NOTES_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The list of all entries, beside the files.
const MANIFEST: &str = "manifest";
/// Bytes of that list.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bits of a mode that are kept: no set-user-id.
const MODE_MASK: u32 = 0o777;

/// A captured tree of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Over the list of all entries.
    pub digest: Digest,
    /// Number of files captured.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Paths that nobody is bound to, each with the reason.
    pub notes: Vec<(String, String)>,
}

/// One line of the list.
#[derive(Serialize, Deserialize)]
struct Entry {
    path: String,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum Kind {
    Directory,
    File {
        mode: u32,
        modified_s: i64,
        modified_ns: i64,
        bytes: u64,
        digest: Digest,
    },
    Link {
        to: String,
    },
    /// Nobody is bound to it.
    Note {
        why: String,
    },
}

/// Captures the workspace below `store`, in a directory whose name is the hash. Patterns say which files belong to it; none
/// mean all. `copies` is where trees are laid out: it may lie in the workspace of a user whose home that is.
///
/// # Errors
/// Why it could not be captured, with what to do.
pub fn capture_tree(
    root: &Path,
    patterns: &[String],
    store: &Path,
    copies: &Path,
) -> Result<Captured, String> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let new = store.join(format!("new-{}-{number}", std::process::id()));
    let said =
        |error: io::Error| format!("could not capture the workspace: {error}; see {}", store.display());
    remove_tree(&new).and_then(|()| make_own_dir(&new)).map_err(said)?;
    let root = &root.canonicalize().map_err(said)?;
    let captured =
        Capture::of(root, patterns, copies).and_then(|capture| capture.copy(&new)).and_then(|captured| {
            let place = store.join(captured.digest.to_string());
            take_place(&new, &place).map_err(said)?;
            Ok(captured)
        });
    // What cannot be removed now is removed with its run.
    drop(remove_tree(&new));
    captured
}

/// The same tree may have been captured before, and somebody may have written to that copy. A call that reads it meanwhile
/// finds one of the two.
fn take_place(new: &Path, place: &Path) -> io::Result<()> {
    match renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(_) => remove_tree(place).and_then(|()| fs::rename(new, place)),
    }
}

/// A tree that was captured before.
///
/// # Errors
/// Why it cannot be used.
pub fn captured_tree(store: &Path, digest: Digest) -> Result<Captured, String> {
    let mut captured = Captured { digest, files: 0, bytes: 0, notes: Vec::new() };
    for entry in entries(&store.join(digest.to_string()), digest)? {
        match entry.kind {
            Kind::File { bytes, .. } => {
                captured.files += 1;
                captured.bytes += bytes;
            }
            Kind::Note { why } => captured.notes.push((entry.path, why)),
            Kind::Directory | Kind::Link { .. } => {}
        }
    }
    Ok(captured)
}

/// Entries of the workspace, before any file is read.
struct Capture<'a> {
    /// Without a link in its own path.
    root: &'a Path,
    paths: Vec<(PathBuf, String)>,
    notes: Vec<(String, String)>,
    notes_left_out: usize,
    /// Size of each entry of the workspace, including all below it.
    sizes: Sizes,
}

impl<'a> Capture<'a> {
    fn of(root: &'a Path, patterns: &[String], copies: &Path) -> Result<Self, String> {
        let copies = copies.canonicalize().ok();
        // All files, where nothing says which: also of a list that only takes away.
        let is_all = patterns.iter().all(|pattern| pattern.starts_with('!'));
        let all = is_all.then(|| "**".to_owned());
        let globs = Globs::new(&all.into_iter().chain(patterns.iter().cloned()).collect::<Vec<_>>())?;
        let mut capture =
            Self { root, paths: Vec::new(), notes: Vec::new(), notes_left_out: 0, sizes: Sizes::new() };
        let (mut left, mut looked_at, mut bytes) = (vec![PathBuf::new()], 0, 0);
        while let Some(dir) = left.pop() {
            let entries = match fs::read_dir(root.join(&dir)) {
                Ok(entries) => entries,
                Err(error) => {
                    capture.note(&dir, &format!("not captured: {error}"));
                    continue;
                }
            };
            for entry in entries {
                let path = dir.join(entry.map_err(|error| unread(&dir, &error))?.file_name());
                looked_at += 1;
                let Some(text) = path.to_str().map(str::to_owned) else {
                    capture.note(&path, "not captured: its name is no UTF-8");
                    continue;
                };
                if path.file_name().is_some_and(|other| LEFT_OUT.iter().any(|name| other == *name)) {
                    if path != Path::new(LEFT_OUT[0]) {
                        capture.note(&path, "not captured");
                    }
                    continue;
                }
                let Ok(about) = fs::symlink_metadata(root.join(&path)) else { continue };
                if about.is_dir() && copies.is_some() && root.join(&path).canonicalize().ok() == copies {
                    continue;
                }
                let names: Vec<&[u8]> = path.iter().map(OsStrExt::as_bytes).collect();
                let takes = globs.takes(&names);
                if about.is_dir() {
                    if takes || globs.may_take_below(&names) && !globs.leaves_out(&names) {
                        left.push(path.clone());
                    } else {
                        capture.note(&path, "not captured");
                    }
                } else if !takes {
                    capture.note(&path, "not captured");
                } else if !about.is_file() && !about.is_symlink() {
                    capture.note(&path, "not captured: it is no plain file");
                    continue;
                }
                if takes {
                    let length = if about.is_file() { about.len() } else { 0 };
                    bytes += length;
                    let size = capture.sizes.entry(path.iter().take(1).collect()).or_default();
                    *size = (size.0 + 1, size.1 + length);
                    capture.paths.push((path, text));
                }
                if capture.paths.len() as u64 > TREE_ENTRIES_MAX
                    || bytes > TREE_BYTES_MAX
                    || looked_at > LOOKED_AT_MAX
                {
                    return Err(too_large(&capture.sizes));
                }
            }
        }
        capture.paths.sort();
        capture.notes.sort();
        Ok(capture)
    }

    fn note(&mut self, path: &Path, why: &str) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push((shown(Path::new(""), path), format!("{NOT_BOUND}: {why}")));
        } else {
            self.notes_left_out += 1;
        }
    }

    fn copy(mut self, to: &Path) -> Result<Captured, String> {
        let (mut manifest, mut files, mut bytes) = (Vec::new(), 0, 0);
        for (path, text) in std::mem::take(&mut self.paths) {
            let kind = match self.entry(&path, to) {
                Ok(kind) => kind,
                Err(error) => {
                    self.note(&path, &format!("not captured: {error}"));
                    continue;
                }
            };
            if let Kind::File { bytes: length, .. } = &kind {
                (files, bytes) = (files + 1, bytes + length);
            }
            add(&mut manifest, &Entry { path: text, kind });
            if bytes > TREE_BYTES_MAX || manifest.len() as u64 > MANIFEST_BYTES_MAX - NOTES_BYTES_MAX {
                return Err(too_large(&self.sizes));
            }
        }
        if self.notes_left_out > 0 {
            let more = format!("… and {} more", self.notes_left_out);
            self.notes.push((more, format!("{NOT_BOUND}: not captured")));
        }
        for (path, why) in &self.notes {
            add(&mut manifest, &Entry { path: path.clone(), kind: Kind::Note { why: why.clone() } });
        }
        let written = own_file().open(to.join(MANIFEST)).and_then(|mut value| value.write_all(&manifest));
        written.map_err(|error| unread(to, &error))?;
        Ok(Captured { digest: digest_of(&manifest), files, bytes, notes: self.notes })
    }

    fn entry(&mut self, path: &Path, to: &Path) -> io::Result<Kind> {
        let from = self.root.join(path);
        // A directory that has become a link since it was listed leads elsewhere.
        let above = from.parent().unwrap_or(self.root);
        if above.canonicalize()? != above {
            return Err(io::Error::other("a directory above it has become a link"));
        }
        let about = fs::symlink_metadata(&from)?;
        if about.is_dir() {
            return Ok(Kind::Directory);
        }
        if about.is_symlink() {
            let target = fs::read_link(&from)?;
            let Some(text) = target.to_str() else {
                return Err(io::Error::other("it leads to a name that is no UTF-8"));
            };
            if leads_out(path, &target) {
                self.note(path, &format!("a link that leads out of the workspace, to {text}"));
            }
            return Ok(Kind::Link { to: text.to_owned() });
        }
        let flags = flags(OFlags::NOFOLLOW | OFlags::NONBLOCK);
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&from)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(io::Error::other("it is no plain file"));
        }
        let part = to.join("part");
        let (bytes, digest) = pour(file.take(TREE_BYTES_MAX + 1), &mut own_file().open(&part)?)?;
        fs::rename(&part, to.join(digest.to_string()))?;
        let mode = about.permissions().mode() & MODE_MASK;
        let (modified_s, modified_ns) = (about.mtime(), about.mtime_nsec());
        Ok(Kind::File { mode, modified_s, modified_ns, bytes, digest })
    }
}

/// True for a directory, and false for a link that leads to one.
pub fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// Lays out a captured tree in a new directory.
///
/// # Errors
/// What is no longer as it was captured, or why it could not be written.
pub fn lay_out_tree(store: &Path, digest: Digest, to: &Path) -> Result<(), String> {
    let from = store.join(digest.to_string());
    let entries = entries(&from, digest)?;
    let said =
        |error: io::Error| format!("the captured files could not be laid out: {error}; see {}", to.display());
    remove_tree(to).and_then(|()| make_own_dir(to)).map_err(said)?;
    entries.iter().try_for_each(|entry| lay_out(&from, entry, to))
}

fn entries(from: &Path, digest: Digest) -> Result<Vec<Entry>, String> {
    let mut manifest = Vec::new();
    let file = open_own(&from.join(MANIFEST));
    let read = file.and_then(|file| file.take(MANIFEST_BYTES_MAX).read_to_end(&mut manifest));
    read.map_err(|error| format!("the captured files are gone: {error}"))?;
    if digest_of(&manifest) != digest {
        return Err(format!("the captured list of files has changed: {}", digest_of(&manifest)));
    }
    let lines = manifest.split(|byte| *byte == b'\n').filter(|part| !part.is_empty());
    let read = lines.map(serde_json::from_slice).collect::<Result<Vec<Entry>, _>>();
    let entries = read.map_err(|error| format!("the captured list of files is not understood: {error}"))?;
    no_way_through_a_link(&entries).map(|()| entries)
}

/// Refuses entries below a link: somebody turned a directory into a link while it was captured, and writing there would leave the tree.
fn no_way_through_a_link(entries: &[Entry]) -> Result<(), String> {
    let is_link = |entry: &&Entry| matches!(entry.kind, Kind::Link { .. });
    let links: BTreeSet<&Path> = entries.iter().filter(is_link).map(|entry| Path::new(&entry.path)).collect();
    let is_behind = |entry: &&Entry| {
        let is_entry = !matches!(entry.kind, Kind::Note { .. });
        is_entry && Path::new(&entry.path).ancestors().skip(1).any(|above| links.contains(above))
    };
    match entries.iter().find(is_behind) {
        None => Ok(()),
        Some(entry) => Err(format!(
            "the captured {} lies behind a link; nothing may change while a gate asks",
            entry.path
        )),
    }
}

fn add(manifest: &mut Vec<u8>, entry: &Entry) {
    manifest.extend(serde_json::to_vec(entry).expect("its keys are texts"));
    manifest.push(b'\n');
}

fn lay_out(from: &Path, entry: &Entry, to: &Path) -> Result<(), String> {
    let path = &entry.path;
    if matches!(entry.kind, Kind::Note { .. }) {
        return Ok(());
    }
    let said = |error: io::Error| format!("the captured {path} could not be laid out: {error}");
    let is_below = Path::new(path).components().all(|component| matches!(component, Component::Normal(_)));
    if !is_below {
        return Err(said(io::Error::other("it leaves the workspace")));
    }
    let place = to.join(path);
    match &entry.kind {
        Kind::Note { .. } => Ok(()),
        Kind::Directory => make_dirs(&place).map_err(said),
        Kind::Link { to } => parent_of(&place).and_then(|()| symlink(to, &place)).map_err(said),
        Kind::File { mode, modified_s, modified_ns, bytes, digest } => {
            parent_of(&place).map_err(said)?;
            let kept = open_own(&from.join(digest.to_string())).map_err(said)?;
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&place);
            let mut file = file.map_err(said)?;
            let found = pour(kept.take(bytes + 1), &mut file).map_err(said)?;
            if found != (*bytes, *digest) {
                return Err(format!("the captured {path} has changed: {}", found.1));
            }
            let modified = Timespec { tv_sec: *modified_s, tv_nsec: *modified_ns };
            let times = Timestamps { last_access: modified, last_modification: modified };
            futimens(&file, &times).map_err(|error| said(error.into()))?;
            file.set_permissions(Permissions::from_mode(*mode & MODE_MASK)).map_err(said)
        }
    }
}

/// Removes a tree, also one that was never there.
///
/// # Errors
/// Why it could not be removed.
pub fn remove_tree(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Removes the trees in a directory that nobody needs any more, by their names.
pub fn tidy_trees(dir: &Path, is_needed: impl Fn(&str) -> bool) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_name().to_str().is_some_and(&is_needed) {
            // What cannot be removed now is tried again at the next start.
            drop(remove_tree(&entry.path()));
        }
    }
}

/// The directory of an entry, where only the entry itself was captured.
fn parent_of(place: &Path) -> io::Result<()> {
    place.parent().map_or(Ok(()), make_dirs)
}

fn make_dirs(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn open_own(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK)).open(path)
}

fn flags(flags: OFlags) -> i32 {
    i32::try_from(flags.bits()).expect("the flags of open are an int in C")
}

fn digest_of(manifest: &[u8]) -> Digest {
    sha256("cuelight-tree-v1", &[manifest])
}

/// True if a link leads out of the tree, judged by its target text alone.
fn leads_out(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::RootDir | Component::Prefix(_) => return true,
            Component::CurDir => {}
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
        }
    }
    false
}

fn unread(path: &Path, error: &io::Error) -> String {
    format!("could not capture {}: {error}; see its permissions", path.display())
}

/// Entries and bytes below each name in the workspace.
type Sizes = BTreeMap<PathBuf, (u64, u64)>;

/// Names the directories with the most entries, and the line that leaves them out.
fn too_large(below: &Sizes) -> String {
    let share = |(entries, bytes): (u64, u64)| {
        u128::from(entries) * u128::from(TREE_BYTES_MAX) + u128::from(bytes) * u128::from(TREE_ENTRIES_MAX)
    };
    let mut largest: Vec<_> = below.iter().collect();
    largest.sort_by_key(|entry| std::cmp::Reverse(share(*entry.1)));
    largest.truncate(3);
    let said = |(path, size): &(&PathBuf, &(u64, u64))| {
        format!("{}: {}, {} bytes", path.display(), counted(size.0, "entry", "entries"), size.1)
    };
    let named: Vec<String> = largest.iter().map(said).collect();
    let found = if named.is_empty() { String::new() } else { format!(" ({})", named.join("; ")) };
    let without = largest.first().map_or_else(|| "data".to_owned(), |entry| entry.0.display().to_string());
    format!(
        "could not capture the workspace: it has more than {TREE_ENTRIES_MAX} entries or {} MiB{found}; \
         leave some out, as in `consent: {{snapshot: \"!{without}\"}}`",
        TREE_BYTES_MAX / (1024 * 1024)
    )
}

/// Moves all bytes on and says how many and which they were.
fn pour(mut from: impl Read, to: &mut impl Write) -> io::Result<(u64, Digest)> {
    let (mut hasher, mut total) = (Sha256::new(), 0);
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut chunk)?;
        if length == 0 {
            return Ok((total, Digest(hasher.finalize().into())));
        }
        hasher.update(&chunk[..length]);
        to.write_all(&chunk[..length])?;
        total += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench(tempfile::TempDir);

    impl Bench {
        /// A workspace with a script, its data, a link, and what never belongs to it.
        fn new() -> Self {
            let bench = Self(tempfile::tempdir().expect("a directory"));
            for (path, text) in [
                ("bin/w.sh", "echo good"),
                ("data", "1"),
                (".git/config", "x"),
                (".cuelight/id", "x"),
                ("target/deep/big.o", "0"),
            ] {
                bench.write(path, text);
            }
            fs::set_permissions(bench.root().join("bin/w.sh"), Permissions::from_mode(0o750)).expect("set");
            symlink("bin", bench.root().join("current")).expect("linked");
            bench
        }

        fn root(&self) -> PathBuf {
            self.0.path().join("work")
        }

        fn store(&self) -> PathBuf {
            self.0.path().join("store")
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.root().join(path);
            fs::create_dir_all(path.parent().expect("below")).expect("made");
            fs::write(path, text).expect("written");
        }

        fn capture(&self, patterns: &[&str]) -> Result<Captured, String> {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            capture_tree(&self.root(), &patterns, &self.store(), &self.0.path().join("copy"))
        }

        fn lay_out(&self, digest: Digest) -> Result<PathBuf, String> {
            let to = self.0.path().join("copy");
            lay_out_tree(&self.store(), digest, &to).map(|()| to)
        }

        fn kept(&self, digest: Digest) -> Vec<PathBuf> {
            let entries = fs::read_dir(self.store().join(digest.to_string())).expect("there");
            entries.map(|entry| entry.expect("read").path()).collect()
        }
    }

    fn paths(notes: &[(String, String)]) -> Vec<&str> {
        notes.iter().map(|note| note.0.as_str()).collect()
    }

    #[test]
    fn a_copy_has_the_bytes_modes_times_and_links_of_the_moment_it_was_captured() {
        let bench = Bench::new();
        let captured = bench.capture(&[]).expect("captured");
        assert_eq!((captured.files, captured.bytes), (3, 11));
        assert_eq!(paths(&captured.notes), [".git"]);
        let before = fs::metadata(bench.root().join("bin/w.sh")).expect("there");
        bench.write("bin/w.sh", "echo evil");
        fs::remove_file(bench.root().join("data")).expect("removed");
        let copy = bench.lay_out(captured.digest).expect("laid out");
        let script = copy.join("current/w.sh");
        assert_eq!(fs::read_to_string(&script).expect("there"), "echo good");
        let after = fs::metadata(script).expect("there");
        assert_eq!(after.permissions().mode() & 0o777, 0o750);
        assert_eq!(after.modified().expect("told"), before.modified().expect("told"));
        assert_eq!(fs::read_to_string(copy.join("data")).expect("there"), "1");
        assert!(!copy.join(".git").exists() && !copy.join(".cuelight").exists());
        assert_eq!(captured_tree(&bench.store(), captured.digest), Ok(captured));
    }

    #[test]
    fn the_same_files_have_the_same_hash_and_a_mode_makes_another() {
        let bench = Bench::new();
        let first = bench.capture(&[]).expect("captured");
        assert_eq!(bench.capture(&[]).expect("captured"), first);
        fs::set_permissions(bench.root().join("data"), Permissions::from_mode(0o755)).expect("set");
        assert_ne!(bench.capture(&[]).expect("captured").digest, first.digest);
    }

    #[test]
    fn a_captured_file_or_list_that_somebody_wrote_to_is_not_laid_out() {
        let bench = Bench::new();
        let digest = bench.capture(&[]).expect("captured").digest;
        for path in bench.kept(digest) {
            let before = fs::read(&path).expect("read");
            fs::write(&path, b"echo evil").expect("written");
            let said = bench.lay_out(digest).expect_err("changed");
            assert!(said.contains("has changed"), "{said}");
            fs::remove_file(&path).expect("removed");
            bench.lay_out(digest).expect_err("gone");
            fs::write(&path, before).expect("written");
            bench.lay_out(digest).expect("as it was");
        }
        for path in bench.kept(digest) {
            fs::write(&path, b"echo evil").expect("written");
        }
        assert_eq!(bench.capture(&[]).expect("captured").digest, digest, "captured once more");
        bench.lay_out(digest).expect("whole again");
    }

    #[test]
    fn patterns_say_what_is_captured_and_what_is_left_out_is_noted() {
        let bench = Bench::new();
        let check = |patterns: &[&str], files: &[&str], notes: &[&str]| {
            let captured = bench.capture(patterns).expect("captured");
            let copy = bench.lay_out(captured.digest).expect("laid out");
            for file in ["bin/w.sh", "data", "target/deep/big.o"] {
                assert_eq!(copy.join(file).exists(), files.contains(&file), "{file} of {patterns:?}");
            }
            assert_eq!(paths(&captured.notes), notes, "{patterns:?}");
        };
        check(&["!target"], &["bin/w.sh", "data"], &[".git", "target"]);
        check(&["**", "!target/**"], &["bin/w.sh", "data"], &[".git", "target"]);
        check(&["bin/*.sh"], &["bin/w.sh"], &[".git", "current", "data", "target"]);
        let all = ["bin/w.sh", "data", "target/deep/big.o"];
        check(&["**", "!target", "target/deep"], &all, &[".git"]);
    }

    #[test]
    fn a_link_that_leads_out_stays_a_link_and_is_noted() {
        let bench = Bench::new();
        for (name, to) in [("etc", "/etc/hosts"), ("up", "bin/../../x"), ("bin/side", "../data")] {
            symlink(to, bench.root().join(name)).expect("linked");
        }
        let captured = bench.capture(&[]).expect("captured");
        assert_eq!(paths(&captured.notes), [".git", "etc", "up"]);
        assert!(captured.notes[1].1.ends_with("a link that leads out of the workspace, to /etc/hosts"));
        let copy = bench.lay_out(captured.digest).expect("laid out");
        assert_eq!(fs::read_link(copy.join("etc")).expect("a link"), Path::new("/etc/hosts"));
    }

    #[test]
    fn a_workspace_that_is_too_large_is_not_captured_and_the_largest_directory_is_named() {
        let bench = Bench::new();
        for number in 0..=TREE_ENTRIES_MAX {
            bench.write(&format!("node_modules/{number}"), "");
        }
        let said = bench.capture(&[]).expect_err("too large");
        assert!(said.contains("consent: {snapshot: \"!node_modules\"}"), "{said}");
        assert_eq!(fs::read_dir(bench.store()).expect("there").count(), 0, "nothing is left behind");
        bench.capture(&["!node_modules"]).expect("captured");
        let large = File::create(bench.root().join("image")).expect("made");
        large.set_len(TREE_BYTES_MAX + 1).expect("sparse");
        let said = bench.capture(&["!node_modules"]).expect_err("too large");
        assert!(said.contains("\"!image\""), "{said}");
    }
}
