//! Reads a file that people are shown before they decide. Only plain files of the workspace, never our own directory,
//! and nothing a link leads out to: what is shown and hashed has to be what the name says.

use cuelight_base::Digest;
use rustix::fs::OFlags;
use std::{fs::OpenOptions, io::Read as _, os::unix::fs::OpenOptionsExt as _, path::Path};

/// The bytes of a file below `root`.
///
/// # Errors
/// Why it could not be read, as a sentence.
pub fn read_evidence(root: &Path, path: &str, bytes_max: u64) -> Result<Vec<u8>, String> {
    let said = |why: &str| format!("could not read {path}: {why}");
    let real_root = root.canonicalize().map_err(|error| said(&format!("{error}; see the workspace")))?;
    let target = root.join(path).canonicalize().map_err(|error| said(&format!("{error}; see the path")))?;
    match target.strip_prefix(&real_root) {
        Err(_) => return Err(said("it lies outside the workspace; copy it there first")),
        Ok(inside) if inside.starts_with(".cuelight") => {
            return Err(said("`.cuelight` is cuelight's own; name another file"));
        }
        Ok(_) => {}
    }
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let flags = i32::try_from(flags).expect("the flags of open are an int in C");
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&target);
    let file = file.map_err(|error| said(&format!("{error}; see its permissions")))?;
    let about = file.metadata().map_err(|error| said(&format!("{error}; see the disk")))?;
    if !about.is_file() {
        return Err(said("it is no plain file; name one"));
    }
    let mut bytes = Vec::new();
    let read = file.take(bytes_max + 1).read_to_end(&mut bytes);
    read.map_err(|error| said(&format!("{error}; see the disk")))?;
    if bytes.len() as u64 > bytes_max {
        return Err(said(&format!("it has more than {bytes_max} bytes; show an extract of it")));
    }
    Ok(bytes)
}

/// The plain SHA-256 of such a file, and its length.
///
/// # Errors
/// Why it could not be read, as a sentence.
pub fn hash_evidence(root: &Path, path: &str, bytes_max: u64) -> Result<(Digest, u64), String> {
    let bytes = read_evidence(root, path, bytes_max)?;
    Ok((Digest::of(&bytes), bytes.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    #[test]
    fn only_plain_files_of_the_workspace_are_shown() {
        let outside = tempfile::tempdir().expect("a directory");
        let root = outside.path().join("work");
        fs::create_dir_all(root.join(".cuelight")).expect("made");
        for name in ["work/report.txt", "work/.cuelight/cuelight.db", "secret"] {
            fs::write(outside.path().join(name), name).expect("written");
        }
        symlink("report.txt", root.join("inside")).expect("linked");
        symlink("../secret", root.join("leak")).expect("linked");
        let check = |path: &str, expected: Result<&str, &str>| {
            let read =
                read_evidence(&root, path, 20).map(|evidence| String::from_utf8(evidence).expect("text"));
            match expected {
                Ok(text) => assert_eq!(read.as_deref(), Ok(text), "{path}"),
                Err(part) => {
                    assert!(read.as_ref().is_err_and(|error| error.contains(part)), "{path}: {read:?}")
                }
            }
        };
        check("report.txt", Ok("work/report.txt"));
        check("inside", Ok("work/report.txt"));
        check("leak", Err("outside the workspace"));
        check("../secret", Err("outside the workspace"));
        check(".cuelight/cuelight.db", Err("cuelight's own"));
        check(".", Err("no plain file"));
        check("nothing", Err("No such file"));
        fs::write(root.join("report.txt"), [0; 21]).expect("written");
        check("report.txt", Err("more than 20 bytes"));
    }
}
