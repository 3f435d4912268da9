//! A captured workspace laid out in a directory of its own, each file compared with its hash.

use super::{
    Entry, Kind, MANIFEST, MANIFEST_BYTES_MAX, MODE_MASK, digest_of, make_dirs, open_own, parent_of,
    remove_tree,
};
use crate::own_dir::make_own_dir;
use cuelight_base::{Digest, Hasher};
use rustix::fs::{Timespec, Timestamps, futimens};
use std::collections::BTreeSet;
use std::fs::{OpenOptions, Permissions};
use std::io;
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path};

/// Lays out a captured tree in a new directory.
///
/// # Errors
/// The file that is no longer as it was captured, or the reason why it could not be written.
pub fn lay_out_tree(store: &Path, digest: Digest, to: &Path) -> Result<(), String> {
    let from = store.join(digest.to_string());
    let entries = entries(&from, digest)?;
    let said =
        |error: io::Error| format!("the captured files could not be laid out: {error}; see {}", to.display());
    remove_tree(to).and_then(|()| make_own_dir(to)).map_err(said)?;
    entries.iter().try_for_each(|entry| lay_out(&from, entry, to))
}

pub(super) fn entries(from: &Path, digest: Digest) -> Result<Vec<Entry>, String> {
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

pub(super) fn lay_out(from: &Path, entry: &Entry, to: &Path) -> Result<(), String> {
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
            let found = Hasher::new().pour(kept.take(bytes + 1), &mut file).map_err(said)?;
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
