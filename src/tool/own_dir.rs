//! Makes directories below `.cuelight` one by one, and follows no symbolic link on the way: what a step wrote stays in its workspace.

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

/// Makes a directory and those above it up to `.cuelight`, for their user alone.
pub(super) fn make_own_dir(dir: &Path) -> io::Result<()> {
    let Some(own) = dir.ancestors().find(|ancestor| ancestor.ends_with(".cuelight")) else {
        return DirBuilder::new().recursive(true).mode(0o700).create(dir);
    };
    // It is there, unless a call is made outside of a workspace.
    DirBuilder::new().recursive(true).mode(0o700).create(own)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = rustix::fs::open(own, flags, Mode::empty())?;
    for part in dir.strip_prefix(own).unwrap_or(dir).components() {
        match rustix::fs::mkdirat(&at, part.as_os_str(), Mode::RWXU) {
            Err(error) if error != Errno::EXIST => return Err(error.into()),
            _ => at = rustix::fs::openat(&at, part.as_os_str(), flags, Mode::empty())?,
        }
    }
    Ok(())
}

/// Options for a file in such a directory: a link in its place is not followed.
pub(super) fn own_file() -> std::fs::OpenOptions {
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).expect("the flags of open are an int in C");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(flags);
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn no_directory_is_made_behind_a_link() {
        let (place, outside) = (tempfile::tempdir().expect("made"), tempfile::tempdir().expect("made"));
        let spool = place.path().join(".cuelight/spool");
        fs::create_dir_all(&spool).expect("made");
        symlink(outside.path(), spool.join("r-1")).expect("a link");
        make_own_dir(&spool.join("r-1/0.1")).expect_err("a link");
        make_own_dir(&spool.join("r-2/0.1/artifacts")).expect("made");
        symlink(outside.path().join("new"), spool.join("r-2/0.1/log")).expect("a link");
        own_file().open(spool.join("r-2/0.1/log")).expect_err("a link");
        assert_eq!(fs::read_dir(outside.path()).expect("there").count(), 0);
    }
}
