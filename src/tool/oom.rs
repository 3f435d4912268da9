//! Whether the kernel ended a process because memory ran out: it says so in our control group, nowhere else.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Counts of the kernel's kills, looked at when a step was killed and never before.
pub(super) struct OomWatch {
    events: Option<PathBuf>,
    seen: AtomicU64,
}

impl OomWatch {
    /// Remembers what was killed before we came.
    pub(super) fn new() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").ok();
        let path = own.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("0::/")));
        let events = path.map(|it| Path::new("/sys/fs/cgroup").join(it).join("memory.events"));
        let seen = events.as_deref().and_then(count).unwrap_or(0);
        Self { events, seen: AtomicU64::new(seen) }
    }

    /// Whether the kernel killed something since this was last asked.
    pub(super) fn has_killed(&self) -> bool {
        let Some(now) = self.events.as_deref().and_then(count) else { return false };
        self.seen.swap(now, Ordering::Relaxed) < now
    }
}

fn count(events: &Path) -> Option<u64> {
    let text = fs::read_to_string(events).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}
