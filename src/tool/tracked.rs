//! Files that version control tracks, as the index of git says: nothing is run for it, since a repository can have git run its code.

use super::context::{hash_bytes_of, tracked};
use rustix::fs::OFlags;
use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Bytes of an index.
const INDEX_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Entries of the directory that are looked at.
const ENTRIES_MAX: usize = 1000;
/// Directories of systems whose lists of files are not read here.
const OTHERS: [&str; 11] =
    [".hg", ".svn", ".jj", ".bzr", "_darcs", ".pijul", ".sl", "CVS", ".fslckout", "_FOSSIL_", ".p4config"];

/// The files below a directory that version control tracks, by path below the directory that holds it; nothing where that cannot be told.
pub fn tracked_files(dir: &Path) -> Option<Vec<String>> {
    let dir = dir.canonicalize().ok()?;
    // A repository of its own in there: its index knows files by other names.
    let is_repository = |dir: &Path| fs::symlink_metadata(dir.join(".git")).is_ok();
    let below = fs::read_dir(&dir).into_iter().flatten().flatten().map(|entry| entry.path());
    if is_repository(&dir) || below.take(ENTRIES_MAX).any(|path| is_repository(&path)) {
        return None;
    }
    tracked_below(&dir)
}

/// True if version control tracks a file, wherever it lies; nothing where that cannot be told. A file that is not there is not tracked.
pub fn is_tracked(file: &Path) -> Option<bool> {
    match file.canonicalize() {
        Ok(file) => tracked_below(&file).map(|tracked| !tracked.is_empty()),
        Err(error) => (error.kind() == io::ErrorKind::NotFound).then_some(false),
    }
}

/// The files that version control tracks at a path or below it, as the index of the repository above it names them.
fn tracked_below(path: &Path) -> Option<Vec<String>> {
    for top in path.ancestors().skip(1) {
        if let Some(index) = index_of(&top.join(".git")) {
            let hash = hash_bytes_of(config_of(&index), INDEX_BYTES_MAX)?;
            let below = path.strip_prefix(top).ok()?.to_str()?;
            let bytes = match read(&index) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(Vec::new()),
                bytes => bytes.ok()?,
            };
            let all = tracked(&bytes, hash)?.into_keys();
            return Some(all.filter(|key| Path::new(key).starts_with(below)).collect());
        }
        if OTHERS.iter().any(|other| fs::symlink_metadata(top.join(other)).is_ok()) {
            return None;
        }
    }
    Some(Vec::new())
}

/// The configuration of the repository of an index.
fn config_of(index: &Path) -> io::Result<Vec<u8>> {
    let dir = index.parent().unwrap_or(index);
    let common = read(&dir.join("commondir")).ok();
    let common = common.map(|common| dir.join(String::from_utf8_lossy(&common).trim()));
    read(&common.unwrap_or_else(|| dir.to_owned()).join("config"))
}

/// The index of a repository: in its directory, or in the one that a file in its place names.
fn index_of(git: &Path) -> Option<PathBuf> {
    let about = fs::metadata(git).ok()?;
    if about.is_dir() {
        return Some(git.join("index"));
    }
    let text = read(git).ok()?;
    let named = String::from_utf8_lossy(&text);
    let place = Path::new(named.strip_prefix("gitdir:")?.trim());
    Some(git.parent()?.join(place).join("index"))
}

/// One byte beyond the limit is read as well, so that what is too long can be told.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("the flags of open are an int in C");
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let mut bytes = Vec::new();
    file.take(INDEX_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
