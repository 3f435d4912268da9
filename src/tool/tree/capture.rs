//! The capture of a workspace: the entries that belong to it, their copies, and notes on what was left out.

use super::{Captured, Entry, Kind, MANIFEST, MANIFEST_BYTES_MAX, MODE_MASK, add, digest_of, flags};
use crate::executable::shown;
use crate::glob::Globs;
use crate::own_dir::own_file;
use cuelight_base::{Hasher, NOT_BOUND, TREE_BYTES_MAX, TREE_ENTRIES_MAX, counted};
use rustix::fs::OFlags;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

/// Directories that never belong to it.
const LEFT_OUT: [&str; 2] = [".cuelight", ".git"];
/// Entries that are looked at to find those that belong to it.
const LOOKED_AT_MAX: u64 = 1_000_000;
/// Notes of what does not belong to it; more are counted.
const NOTES_MAX: usize = 50;
/// Bytes of all notes: a path has at most 4096.
const NOTES_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Entries of the workspace, before any file is read.
pub(super) struct Capture<'a> {
    /// Without a link in its own path.
    pub(super) root: &'a Path,
    paths: Vec<(PathBuf, String)>,
    pub(super) notes: Vec<(String, String)>,
    notes_left_out: usize,
    /// Size of each entry of the workspace, including all below it.
    sizes: Sizes,
}

impl<'a> Capture<'a> {
    pub(super) fn of(root: &'a Path, patterns: &[String], copies: &Path) -> Result<Self, String> {
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

    pub(super) fn copy(mut self, to: &Path) -> Result<Captured, String> {
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
        let (bytes, digest) =
            Hasher::new().pour(file.take(TREE_BYTES_MAX + 1), &mut own_file().open(&part)?)?;
        fs::rename(&part, to.join(digest.to_string()))?;
        let mode = about.permissions().mode() & MODE_MASK;
        let (modified_s, modified_ns) = (about.mtime(), about.mtime_nsec());
        Ok(Kind::File { mode, modified_s, modified_ns, bytes, digest })
    }
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
