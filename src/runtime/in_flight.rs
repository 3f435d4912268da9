//! Calls in flight, and the directory of each.

use cuelight_base::{AttemptId, Launch};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Calls that had begun and not ended.
pub(super) type InFlight = BTreeMap<AttemptId, Begun>;

/// A call that an engine before us has begun.
#[derive(Clone)]
pub(super) struct Begun {
    pub(super) launch: Box<Launch>,
    /// True when it runs in a captured workspace.
    pub(super) in_tree: bool,
}

/// The directory of an attempt: what it wrote, and what it left.
pub(super) fn attempt_dir(spool: &Path, attempt: AttemptId) -> PathBuf {
    spool.join(attempt.run.to_string()).join(format!("{}.{}", attempt.step.0, attempt.number))
}
