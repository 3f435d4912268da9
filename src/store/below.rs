//! Opens files below `.cuelight` through a descriptor of that directory: no part of the way may be a symbolic link, and none leads out.
//!
//! A directory that came from somebody else can have a link under every name that is written to here.

use crate::StoreError;
use cuelight_base::FILE_BYTES_MAX;
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, statat},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Read as _, Take},
    os::fd::OwnedFd,
    path::{Component, Path},
};

/// The directory in which everything lies.
pub(super) const DIRECTORY: &str = ".cuelight";
/// Directories in it whose entries are looked at before anything is used.
const LOOKED_INTO: [&str; 9] =
    ["agents", "guard", "keys", "models", "scratch", "secrets", "spool", "tools", "workflows"];

/// Opens a file below `.cuelight`; one that is made is for its user alone. A path elsewhere is opened as it is, when it is no link itself.
pub(super) fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let (dir, rest) = split(path)?;
    let follows = if dir.ends_with(DIRECTORY) { OFlags::NOFOLLOW } else { OFlags::empty() };
    let own = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | follows;
    let dir = rustix::fs::open(dir, own, Mode::empty())?;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mode = if flags.contains(OFlags::CREATE) { Mode::RUSR | Mode::WUSR } else { Mode::empty() };
    Ok(resolve(&dir, rest, flags, mode)?.into())
}

/// Opens an ordinary file below `.cuelight` for reading. Anything else is refused without waiting for it, and a file that is too
/// large is refused before it is read, as `FileTooLarge`: the caller says what is to be done with it.
pub(super) fn open_plain(path: &Path, bytes_max: u64) -> io::Result<Take<File>> {
    // Without this flag a pipe waits for its other end.
    let file = open(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is not a regular file; remove it"));
    }
    if about.len() > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {bytes_max} bytes"),
        ));
    }
    Ok(file.take(bytes_max))
}

/// The bytes of a file below `.cuelight`.
pub(super) fn read(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_plain(path, bytes_max)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a file below `.cuelight` that a user has written.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let bytes = read(path, FILE_BYTES_MAX as u64).map_err(|error| match error.kind() {
        kind @ io::ErrorKind::FileTooLarge => {
            io::Error::new(kind, format!("{error}; shorten it, or remove it"))
        }
        _ => error,
    });
    String::from_utf8(bytes?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8"))
}

/// Makes a directory below `.cuelight`, for its user alone; one that is there already is opened.
pub(super) fn make_dir(path: &Path) -> io::Result<File> {
    if let Some((above, name)) = path.parent().zip(path.file_name()).filter(|_| !path.ends_with(DIRECTORY)) {
        let above = open(above, OFlags::RDONLY | OFlags::DIRECTORY)?;
        match rustix::fs::mkdirat(above, name, Mode::RWXU) {
            Err(error) if error != Errno::EXIST => return Err(error.into()),
            _ => {}
        }
    }
    open(path, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// Refuses a symbolic link, a pipe and a device in `.cuelight` and in its directories, by its name.
pub(super) fn refuse_links(dir: &Path) -> Result<(), StoreError> {
    for place in [""].into_iter().chain(LOOKED_INTO) {
        let path = if place.is_empty() { dir.to_owned() } else { dir.join(place) };
        let failed = |error: io::Error| StoreError::io("use", &path, &error);
        let opened = match open(&path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            // A file in the place of a directory is refused by whoever needs that directory.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory && !place.is_empty() => continue,
            opened => opened.map_err(failed)?,
        };
        for entry in Dir::read_from(&opened).map_err(|error| failed(error.into()))? {
            let entry = entry.map_err(|error| failed(error.into()))?;
            let name = entry.file_name();
            let kind = match entry.file_type() {
                FileType::Unknown => match statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Err(Errno::NOENT) => continue,
                    about => FileType::from_raw_mode(about.map_err(|error| failed(error.into()))?.st_mode),
                },
                known => known,
            };
            if !matches!(kind, FileType::RegularFile | FileType::Directory | FileType::Socket) {
                let why = if kind == FileType::Symlink { "it is a symbolic link" } else { "it is no file" };
                return Err(StoreError::refused("use", &path.join(Path::new(os(name))), why, "remove it"));
            }
        }
    }
    Ok(())
}

fn os(name: &std::ffi::CStr) -> &std::ffi::OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(name.to_bytes())
}

/// The directory that is trusted to be one, and the way below it.
fn split(path: &Path) -> io::Result<(&Path, &Path)> {
    let is_own = |ancestor: &&Path| ancestor.file_name().is_some_and(|name| name == DIRECTORY);
    let dir = path.ancestors().find(is_own).or_else(|| path.parent());
    let dir = dir.filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let rest = path.strip_prefix(dir).unwrap_or(path);
    let is_plain = rest.components().all(|component| matches!(component, Component::Normal(_)));
    match (is_plain, rest.as_os_str().is_empty()) {
        (false, _) => Err(io::Error::from(io::ErrorKind::InvalidInput)),
        (true, true) => Ok((dir, Path::new("."))),
        (true, false) => Ok((dir, rest)),
    }
}

/// The kernel itself keeps the way below the directory, also while somebody changes it.
#[cfg(target_os = "linux")]
fn resolve(dir: &OwnedFd, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    use rustix::fs::ResolveFlags;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(dir, path, flags, mode, beneath) {
        // A kernel before 5.6, or a container that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => each_part(dir, path, flags, mode),
        opened => Ok(opened?),
    }
}

#[cfg(not(target_os = "linux"))]
fn resolve(dir: &OwnedFd, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    each_part(dir, path, flags, mode)
}

/// Each part of the way is opened by itself, and none is followed.
fn each_part(dir: &OwnedFd, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let mut at = dir.try_clone()?;
    let mut parts = path.components().peekable();
    let on_the_way = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let (flags, mode) = if is_last { (flags, mode) } else { (on_the_way, Mode::empty()) };
        at = rustix::fs::openat(&at, part.as_os_str(), flags, mode)?;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn no_part_of_the_way_below_is_followed_by_the_kernel_or_by_hand() {
        let outside = tempfile::tempdir().expect("a directory");
        let place = tempfile::tempdir().expect("a directory");
        let own = place.path().join(DIRECTORY);
        fs::create_dir_all(own.join("keys")).expect("made");
        fs::write(outside.path().join("kept"), "kept").expect("written");
        symlink(outside.path(), own.join("away")).expect("a link");
        symlink(outside.path().join("kept"), own.join("keys/one")).expect("a link");
        let writing = OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC;
        let dir = OwnedFd::from(File::open(&own).expect("there"));
        for name in ["away/kept", "away/new", "keys/one"] {
            let refused = open(&own.join(name), writing).expect_err(name);
            assert_eq!(refused.raw_os_error(), Some(Errno::LOOP.raw_os_error()), "{name}: {refused}");
            each_part(&dir, Path::new(name), writing | OFlags::NOFOLLOW, Mode::RUSR).expect_err(name);
        }
        for name in ["../other", "keys/../../other"] {
            open(&own.join(name), writing).expect_err(name);
        }
        assert_eq!(fs::read_to_string(outside.path().join("kept")).expect("there"), "kept");
        assert_eq!(fs::read_dir(outside.path()).expect("there").count(), 1);
        open(&own.join("keys/two"), writing).expect("a plain file");
        let said = refuse_links(&own).expect_err("links").to_string();
        assert!(said.contains("it is a symbolic link; remove it"), "{said}");
    }
}
