//! Files that were looked at or kept, with their hashes.

use cuelight_base::{Digest, NOT_BOUND, Program};
use serde::{Deserialize, Serialize};

/// The files and hashes that a step asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Files, in the order they were asked for; a missing file has no digest.
    pub files: Vec<FileFact>,
    /// Arguments of `hashFiles`, and the result.
    pub hashes: Vec<(Vec<String>, String)>,
    /// Arguments of `hashFiles` that have no result, and the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unhashed: Vec<(Vec<String>, String)>,
    /// The programs that calls execute, each with its files: the program, and the script it reads.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<(Program, Vec<FileFact>)>,
}

/// A file that was looked at or kept; its content is a blob under its digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileFact {
    /// As it was named.
    pub path: String,
    /// Hash of its bytes; none when it could not be read.
    pub digest: Option<Digest>,
    /// Its length in bytes.
    pub bytes: u64,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl FileFact {
    /// True for a file that an approval is bound to; false for data that a call only names.
    pub fn is_bound(&self) -> bool {
        self.problem.as_ref().is_none_or(|problem| !problem.starts_with(NOT_BOUND))
    }
}
