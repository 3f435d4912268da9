//! Handling of memory that runs out: the kernel kills a step before it kills us. Only our control group
//! records the kill.

use rustix::process::Pid;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Added to our score for each step, of 1000, so that the kernel kills the step first.
const STEPS_GO_FIRST: u32 = 500;
/// The most there is: it goes before everything else.
const SCORE_MAX: u32 = 1000;

/// Counts of the kernel's kills, looked at when a step was killed and never before.
pub(super) struct OomWatch {
    events: Option<PathBuf>,
    seen: AtomicU64,
    /// Value for the `oom_score_adj` of a step; higher than ours.
    score_of_steps: Option<String>,
}

impl OomWatch {
    /// Remembers what was killed before we came.
    pub(super) fn new() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").ok();
        let path = own.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("0::/")));
        let events = path.map(|path| Path::new("/sys/fs/cgroup").join(path).join("memory.events"));
        let seen = events.as_deref().and_then(count).unwrap_or(0);
        let ours =
            fs::read_to_string("/proc/self/oom_score_adj").ok().and_then(|text| text.trim().parse().ok());
        // A negative one was given to us by somebody who may, and is no measure for steps.
        let ours = ours.map(|number: i32| u32::try_from(number).unwrap_or(0));
        let score_of_steps = ours.map(|number| (number + STEPS_GO_FIRST).min(SCORE_MAX).to_string());
        Self { events, seen: AtomicU64::new(seen), score_of_steps }
    }

    /// A step, and all that it starts from now on, is ended before we are. Where the kernel has no such score, nothing is done.
    pub(super) fn goes_first(&self, step: Pid) {
        if let Some(score) = &self.score_of_steps {
            drop(fs::write(format!("/proc/{}/oom_score_adj", step.as_raw_nonzero()), score));
        }
    }

    /// True if the kernel killed something since the last call.
    pub(super) fn has_killed(&self) -> bool {
        let Some(now) = self.events.as_deref().and_then(count) else { return false };
        self.seen.swap(now, Ordering::Relaxed) < now
    }
}

fn count(events: &Path) -> Option<u64> {
    let text = fs::read_to_string(events).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}
