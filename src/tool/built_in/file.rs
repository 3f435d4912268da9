//! Files of the workspace: read, written, counted. A path stays below the workspace, also through links, and never
//! leads into our own directory.

use super::{Done, Site, flag, text};
use crate::Failure;
use crate::artifact::Stoppable;
use cuelight_base::{Digest, FailureMode, Hasher, Value, ValueMap};
use rustix::fs::OFlags;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Component, Path, PathBuf},
};

/// Bytes of a text when nothing is said.
const TEXT_BYTES_MAX: u64 = 512 * 1024;

pub(super) fn read(site: &Site<'_>, input: &ValueMap) -> Done {
    let path = text(input, "path");
    let most = input.get("max-bytes").and_then(Value::as_u64).unwrap_or(TEXT_BYTES_MAX);
    let file = open(site.root, path)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| trouble("read", path, &error))?;
    if bytes.len() as u64 > most {
        return Err(Failure::invalid(format!(
            "could not read {path}: it has more than {most} bytes; raise max-bytes, or let a program read it"
        )));
    }
    let digest = Digest::of(&bytes);
    let length = bytes.len();
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::invalid(format!(
            "could not read {path}: it is no UTF-8 text; use file.checksum, or a program"
        ))
    })?;
    Ok(ValueMap::from_iter([
        ("text".to_owned(), text.into()),
        ("bytes".to_owned(), length.into()),
        ("sha256".to_owned(), digest.to_string().into()),
    ]))
}

pub(super) fn checksum(site: &Site<'_>, input: &ValueMap) -> Done {
    let path = text(input, "path");
    let file = open(site.root, path)?;
    let poured = Hasher::new().pour(Stoppable(file, site.stop), &mut io::sink());
    let (bytes, digest) = poured.map_err(|error| trouble("read", path, &error))?;
    let digest = digest.to_string();
    let expected = text(input, "expect");
    if !expected.is_empty() && expected != digest {
        let message =
            format!("{path} is not what was expected: its SHA-256 is {digest}, and {expected} was asked for");
        return Err(Failure { mode: FailureMode::AgentValidation, message });
    }
    Ok(ValueMap::from_iter([("sha256".to_owned(), digest.into()), ("bytes".to_owned(), bytes.into())]))
}

pub(super) fn write(site: &Site<'_>, input: &ValueMap) -> Done {
    let (path, text) = (text(input, "path"), text(input, "text"));
    let target = target(site, path, flag(input, "create-dirs"))?;
    let before = fs::symlink_metadata(&target);
    if before.as_ref().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(Failure::invalid(format!(
            "could not write {path}: something else is there; name a plain file"
        )));
    }
    if before.is_ok() && input.get("overwrite") == Some(&Value::Bool(false)) {
        return Err(Failure::invalid(format!(
            "could not write {path}: it is there already; set overwrite, or name another"
        )));
    }
    let same = before.is_ok_and(|metadata| metadata.len() == text.len() as u64)
        && fs::read(&target).is_ok_and(|bytes| bytes == text.as_bytes());
    if !same {
        replace(&target, text.as_bytes()).map_err(|error| trouble("write", path, &error))?;
    }
    Ok(ValueMap::from_iter([
        ("path".to_owned(), path.into()),
        ("bytes".to_owned(), text.len().into()),
        ("sha256".to_owned(), Digest::of(text).to_string().into()),
        ("changed".to_owned(), (!same).into()),
    ]))
}

/// A plain file below the workspace.
fn open(root: &Path, path: &str) -> Result<File, Failure> {
    let real = below(root, &root.join(path), path, "read")?;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let flags = i32::try_from(flags).expect("the flags of open are an int in C");
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&real);
    let file = file.map_err(|error| trouble("read", path, &error))?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(Failure::invalid(format!("could not read {path}: it is no plain file; name one")));
    }
    Ok(file)
}

/// The real place of a file below the workspace that is not ours.
///
/// # Errors
/// Why it could not be read, as a sentence.
pub fn workspace_file(root: &Path, path: &str) -> Result<PathBuf, String> {
    below(root, &root.join(path), path, "read").map_err(|error| error.message)
}

/// Checks the path of a file to write: its directory exists (or is made), is below the workspace, and is not
/// ours.
fn target(site: &Site<'_>, path: &str, makes_dirs: bool) -> Result<PathBuf, Failure> {
    let relative = Path::new(path);
    let is_plain =
        relative.components().all(|component| matches!(component, Component::Normal(_) | Component::CurDir));
    let Some(name) = relative.file_name().filter(|_| is_plain) else {
        return Err(Failure::invalid(format!(
            "could not write {path}: it lies outside the workspace; name a file below it"
        )));
    };
    if let Some(refused) = kept_from(relative, path, "write") {
        return Err(refused);
    }
    let dir = site.root.join(relative.parent().unwrap_or(Path::new("")));
    if makes_dirs {
        // What is there already is looked at first: a link must not lead the new directories out of the workspace.
        let mut there = dir.as_path();
        while !there.exists() {
            there = there.parent().unwrap_or(site.root);
        }
        below(site.root, there, path, "write")?;
        fs::create_dir_all(&dir).map_err(|error| trouble("write", path, &error))?;
    }
    Ok(below(site.root, &dir, path, "write")?.join(name))
}

/// The real place of something that is there, when it is below the workspace and not ours.
fn below(root: &Path, target: &Path, path: &str, verb: &str) -> Result<PathBuf, Failure> {
    let root = root.canonicalize().map_err(|error| trouble(verb, path, &error))?;
    let real = target.canonicalize().map_err(|error| trouble(verb, path, &error))?;
    match real.strip_prefix(&root) {
        Err(_) => Err(Failure::invalid(format!(
            "could not {verb} {path}: it lies outside the workspace; name a file below it"
        ))),
        Ok(inside) => kept_from(inside, path, verb).map_or(Ok(real.clone()), Err),
    }
}

/// Why a path below the workspace is refused, at whatever depth: `.cuelight` is ours, and what stands in `.git` runs with the next command of git.
fn kept_from(inside: &Path, path: &str, verb: &str) -> Option<Failure> {
    let has =
        |name: &str| inside.components().any(|component| component.as_os_str().eq_ignore_ascii_case(name));
    let whose = match verb {
        _ if has(".cuelight") => "`.cuelight` is cuelight's own",
        "write" if has(".git") => "`.git` is git's own, which runs what stands there",
        _ => return None,
    };
    let message = format!("could not {verb} {path}: {whose}; name another file");
    Some(Failure { mode: FailureMode::PolicySecurity, message })
}

/// The whole of it under another name first, so that nobody ever sees half.
fn replace(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let beside = target.with_file_name(format!(".{name}.cuelight-{}", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, target)
    })();
    if written.is_err() {
        drop(fs::remove_file(&beside));
    }
    written
}

fn trouble(verb: &str, path: &str, error: &io::Error) -> Failure {
    let (mode, advice) = match error.kind() {
        io::ErrorKind::NotFound => {
            (FailureMode::UserInvalidInput, "see the path; it counts from the workspace")
        }
        io::ErrorKind::PermissionDenied => (FailureMode::UserPermission, "see its permissions"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (FailureMode::SystemDisk, "free some space")
        }
        _ => (FailureMode::SystemDisk, "see the path and the disk"),
    };
    Failure { mode, message: format!("could not {verb} {path}: {error}; {advice}") }
}
