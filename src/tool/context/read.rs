//! Reads files of a project by their path below its root, and only those: no part of the way may be a link, and what is opened has to
//! be a plain file.

use rustix::fs::{Mode, OFlags};
use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::OwnedFd,
    path::Path,
};

/// A directory, to look below.
pub(super) fn open_root(root: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(root, flags, Mode::empty())?)
}

/// The bytes of a file below a root, at most so many; one more byte than that says that there are more.
pub(super) fn read_below(root: &OwnedFd, path: &str, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = File::from(open_below(root, path)?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The kernel itself sees to it that the way stays below the root, also while somebody changes it.
#[cfg(target_os = "linux")]
fn open_below(root: &OwnedFd, path: &str) -> io::Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)?)
}

/// Elsewhere each part of the way is opened by itself.
#[cfg(not(target_os = "linux"))]
fn open_below(root: &OwnedFd, path: &str) -> io::Result<OwnedFd> {
    let plain = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = root.try_clone()?;
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        if part.is_empty() || part == "." || part == ".." {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let more = if parts.peek().is_some() { OFlags::DIRECTORY } else { OFlags::NONBLOCK };
        at = rustix::fs::openat(&at, part, plain | more, Mode::empty())?;
    }
    Ok(at)
}
