//! Files that their owner alone may read: read, and changed one after the other, each change whole or not at all.

use super::{StoreError, below};
use rustix::fs::{FlockOperation, OFlags, flock};
use serde::Serialize;
use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

/// Bytes of such a file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The text of a private file; none if it does not exist.
///
/// # Errors
/// When others could read it, or it cannot be read.
pub(super) fn read_private(path: &Path, next: &'static str) -> Result<Option<String>, StoreError> {
    let failed = |error: io::Error| StoreError::io("read", path, &error);
    let mut file = match below::open(path, OFlags::RDONLY | OFlags::NONBLOCK) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() || about.mode() & 0o077 != 0 {
        return Err(StoreError::refused("use", path, "others may read it", next));
    }
    if about.len() > FILE_BYTES_MAX {
        return Err(StoreError::damaged(path, "it is too large"));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}

/// Makes the directory, and keeps everybody else from changing what is in it until the lock is dropped.
pub(super) fn locked(dir: &Path) -> io::Result<File> {
    let lock = below::make_dir(dir)?;
    flock(&lock, FlockOperation::LockExclusive)?;
    Ok(lock)
}

/// Writes it in place of what was there.
pub(super) fn write_private(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut out = below::open(&new, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
    serde_json::to_writer(&mut out, content)?;
    out.write_all(b"\n")?;
    out.sync_all()?;
    fs::rename(&new, path)?;
    below::open(path.parent().unwrap_or(path), OFlags::RDONLY | OFlags::DIRECTORY)?.sync_all()
}
