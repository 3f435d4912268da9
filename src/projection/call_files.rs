//! Files of a call as people read them before they approve it: those of the workspace first, then its directory, then the
//! programs of the machine, then what is only named.

use cuelight_base::Digest;
use cuelight_engine::FileFact;

/// A head and a text for the captured workspace of an ask, and for what is left out of it.
pub fn snapshot_files(
    snapshot: &[FileFact],
    hash: impl Fn(&Digest) -> String,
) -> Vec<(&'static str, String)> {
    let line = |it: &FileFact| match (&it.digest, &it.problem) {
        (Some(digest), _) => ("snapshot", format!("of {}, {} bytes: {}", it.path, it.bytes, hash(digest))),
        (None, problem) => ("names", format!("{} {}", it.path, problem.clone().unwrap_or_default())),
    };
    snapshot.iter().map(line).collect()
}

/// A head and a text for each file, and for what no list can hold. In a captured workspace less is not bound.
pub fn call_files(
    files: &[FileFact],
    is_captured: bool,
    hash: impl Fn(&Digest) -> String,
) -> Vec<(&'static str, String)> {
    let rank = |it: &FileFact| match () {
        () if !it.is_bound() => 3,
        () if it.path.ends_with('/') => 1,
        () => usize::from(it.path.starts_with('/')) * 2,
    };
    let mut sorted: Vec<&FileFact> = files.iter().collect();
    sorted.sort_by_key(|it| rank(it));
    let line = |it: &FileFact| {
        let head = ["executes", "directory", "executes", "names"][rank(it)];
        let problem = || it.problem.clone().unwrap_or_else(|| "was not looked at".to_owned());
        (head, format!("{} {}", it.path, it.digest.as_ref().map_or_else(problem, &hash)))
    };
    let mut lines: Vec<_> = sorted.into_iter().map(line).collect();
    if !lines.is_empty() {
        let of_snapshot = if is_captured { "files outside of the snapshot" } else { "files" };
        lines.push(("not bound", format!("{of_snapshot} that these read or start while they run")));
    }
    lines
}
