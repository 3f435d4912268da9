//! Files that a step left: copied out of the workspace before the next step changes them, or hashed where they lie.
//!
//! Directories that are links are never entered, a file that is a link counts only if it ends inside, and our own
//! `.cuelight` is not looked at.

use super::{
    glob::Globs,
    own_dir::{make_own_dir, own_file},
};
use cuelight_base::{Digest, Hasher};
use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};
use tokio_util::sync::CancellationToken;

/// Entries looked at for one list of patterns.
const ENTRIES_MAX: usize = 1_000_000;

/// A file that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The original path, relative to the directory that the patterns count from.
    pub path: PathBuf,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// Digest of the file's content.
    pub digest: Digest,
}

/// Copies what the patterns mean from `dir` to `attempt_dir/artifacts`, in the order of their paths.
///
/// # Errors
/// The files that could not be kept, as a sentence; nothing is left out in silence.
pub fn collect_artifacts(
    dir: &Path,
    patterns: &[String],
    attempt_dir: &Path,
    bytes_max: u64,
) -> Result<Vec<Artifact>, String> {
    let target = attempt_dir.join("artifacts");
    find(dir, patterns)?
        .into_iter()
        .map(|path| {
            let said = |error: io::Error| format!("could not keep {}: {error}; see the file", path.display());
            let from = File::open(dir.join(&path)).map_err(said)?;
            let to = target.join(&path);
            let parent = to.parent().expect("an artifact lies in a directory");
            make_own_dir(parent).map_err(said)?;
            let mut to = own_file().open(&to).map_err(said)?;
            let (bytes, digest) = Hasher::new().pour(from.take(bytes_max + 1), &mut to).map_err(said)?;
            if bytes > bytes_max {
                return Err(format!(
                    "could not keep {}: it has more than {bytes_max} bytes; keep it elsewhere and write its address to \
                     $CUELIGHT_OUTPUT",
                    path.display()
                ));
            }
            Ok(Artifact { path, bytes, digest })
        })
        .collect()
}

/// GitHub's `hashFiles`: the SHA-256 over the SHA-256 of each file, in the order of their paths; empty when there is
/// none.
///
/// # Errors
/// The file that could not be read, or that there are more than `bytes_max` bytes, as a sentence.
pub fn hash_files(
    root: &Path,
    patterns: &[String],
    bytes_max: u64,
    stop: &CancellationToken,
) -> Result<String, String> {
    let mut whole = Hasher::new();
    let paths = find(root, patterns)?;
    let mut left = bytes_max;
    for path in &paths {
        let said = |error: io::Error| format!("could not hash {}: {error}; see the file", path.display());
        let too_large = || {
            format!(
                "could not hash {}: the files that match have more than {bytes_max} bytes; write patterns that \
                 leave large files out",
                path.display()
            )
        };
        let file = File::open(root.join(path)).map_err(said)?;
        if file.metadata().map_err(said)?.len() > left {
            return Err(too_large());
        }
        let (bytes, digest) =
            Hasher::new().pour(Stoppable(file.take(left + 1), stop), &mut io::sink()).map_err(said)?;
        left = left.checked_sub(bytes).ok_or_else(too_large)?;
        whole.update(digest);
    }
    Ok(if paths.is_empty() { String::new() } else { whole.finish().to_string() })
}

/// The files that patterns mean, sorted by path.
fn find(root: &Path, patterns: &[String]) -> Result<Vec<PathBuf>, String> {
    let said = |path: &Path, error: io::Error| {
        format!("could not look into {}: {error}; see its permissions", path.display())
    };
    let globs = Globs::new(patterns)?;
    let real_root = root.canonicalize().map_err(|error| said(root, error))?;
    let (mut found, mut left, mut entries) = (Vec::new(), vec![PathBuf::new()], 0);
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(root.join(&dir)).map_err(|error| said(&dir, error))? {
            let entry = entry.map_err(|error| said(&dir, error))?;
            entries += 1;
            if entries > ENTRIES_MAX {
                return Err(format!(
                    "could not look for {patterns:?}: more than {ENTRIES_MAX} files; begin with a directory"
                ));
            }
            let path = dir.join(entry.file_name());
            let names: Vec<&[u8]> = path.iter().map(OsStrExt::as_bytes).collect();
            let kind = entry.file_type().map_err(|error| said(&path, error))?;
            if kind.is_dir() {
                if path != Path::new(".cuelight") && globs.may_take_below(&names) {
                    left.push(path);
                }
            } else if globs.takes(&names)
                && (kind.is_file() || kind.is_symlink() && ends_inside(root, &path, &real_root))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn ends_inside(root: &Path, path: &Path, real_root: &Path) -> bool {
    root.join(path).canonicalize().is_ok_and(|real| real.starts_with(real_root) && real.is_file())
}

/// A reader that fails once it is told to stop, so that an engine ends while it hashes.
pub(super) struct Stoppable<'a, R>(pub(super) R, pub(super) &'a CancellationToken);

impl<R: io::Read> io::Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.is_cancelled() {
            return Err(io::Error::other("the engine is ending"));
        }
        self.0.read(buffer)
    }
}
