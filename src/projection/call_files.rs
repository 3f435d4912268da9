//! Files of a call as people read them before they approve it: those of the workspace first, then its directory, then the
//! programs of the machine, then what is only named.

use cuelight_base::{Digest, NOT_BOUND};
use cuelight_engine::FileFact;

/// A head and a text for the captured workspace of an ask, and for what is left out of it.
pub fn snapshot_files(
    snapshot: &[FileFact],
    hash: impl Fn(&Digest) -> String,
) -> Vec<(&'static str, String)> {
    let line = |fact: &FileFact| match (&fact.digest, &fact.problem) {
        (Some(digest), _) => {
            ("snapshot", format!("of {}, {} bytes: {}", fact.path, fact.bytes, hash(digest)))
        }
        (None, problem) => {
            ("names", format!("{} {}", fact.path, not_checked(problem.as_deref().unwrap_or_default())))
        }
    };
    snapshot.iter().map(line).collect()
}

/// A head and a text for each file.
pub fn call_files(files: &[FileFact], hash: impl Fn(&Digest) -> String) -> Vec<(&'static str, String)> {
    let rank = |fact: &FileFact| match () {
        () if !fact.is_bound() => 3,
        () if fact.path.ends_with('/') => 1,
        () => usize::from(fact.path.starts_with('/')) * 2,
    };
    let mut sorted: Vec<&FileFact> = files.iter().collect();
    sorted.sort_by_key(|fact| rank(fact));
    let line = |fact: &FileFact| {
        let head = ["executes", "directory", "executes", "names"][rank(fact)];
        let problem = || not_checked(fact.problem.as_deref().unwrap_or("was not looked at"));
        (head, format!("{} {}", fact.path, fact.digest.as_ref().map_or_else(problem, &hash)))
    };
    sorted.into_iter().map(line).collect()
}

/// The words for a file that an ask names and whose content no approval holds for.
pub const NOT_CHECKED: &str = "NOT CHECKED";

/// The reason why a file is only named. Stored asks have another word for it, which stays as it is in the log.
pub fn not_checked(problem: &str) -> String {
    match problem.strip_prefix(NOT_BOUND) {
        Some("") => format!("{NOT_CHECKED}: the content of this file may change"),
        Some(why) => format!("{NOT_CHECKED}{why}"),
        None => problem.to_owned(),
    }
}
