//! One call as its parts know it: who it is, where its files go, and how its output is told while it comes.

use cuelight_base::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Identity of a call: passed to the process, and used to place its files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// A directory of this attempt alone; made here, 0700, when there is something to keep.
    pub attempt_dir: PathBuf,
    /// Value of the variable `CUELIGHT_RUN`.
    pub run: String,
    /// Value of the variable `CUELIGHT_STEP`.
    pub step: String,
    /// Value of the variable `CUELIGHT_ATTEMPT`.
    pub attempt: String,
    /// `CUELIGHT_KEY`: the same over all attempts, for the other side to notice a repetition.
    pub effect_key: String,
    /// The captured workspace in which it runs, in place of the workspace itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<PathBuf>,
    /// `TRACEPARENT`: where in a trace it stands, as the W3C writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// A report that new output has arrived.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The newest stretch, masked, as it was just written to the spool.
    pub bytes: &'a [u8],
    /// Bytes of output so far.
    pub total: u64,
    /// When that stretch came, as far as there is a clock.
    pub at: Option<Timestamp>,
}
