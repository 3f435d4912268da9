//! Files that their owner alone may read: read, and changed one after the other, each change whole or not at all.

use super::StoreError;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use serde::Serialize;
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    },
    path::Path,
};

/// Bytes of such a file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What lies there; nothing where there is no file.
///
/// # Errors
/// When others could read it, or it cannot be read.
pub(super) fn read_private(path: &Path, next: &'static str) -> Result<Option<String>, StoreError> {
    let failed = |error: io::Error| StoreError::io("read", path, &error);
    let about = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        about => about.map_err(failed)?,
    };
    if !about.is_file() || about.mode() & 0o077 != 0 {
        return Err(StoreError::refused("use", path, "others may read it", next));
    }
    if about.len() > FILE_BYTES_MAX {
        return Err(StoreError::damaged(path, "it is too large"));
    }
    fs::read_to_string(path).map(Some).map_err(failed)
}

/// Makes the directory, and keeps everybody else from changing what is in it until the lock is dropped.
pub(super) fn locked(dir: &Path) -> io::Result<OwnedFd> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let lock = rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    flock(&lock, FlockOperation::LockExclusive)?;
    Ok(lock)
}

/// Writes it in place of what was there.
pub(super) fn write_private(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    serde_json::to_writer(&mut out, content)?;
    out.write_all(b"\n")?;
    out.sync_all()?;
    fs::rename(&new, path)?;
    fs::File::open(path.parent().unwrap_or(path))?.sync_all()
}
