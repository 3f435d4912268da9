//! Finds and ends what a dead console left running, before anything is run again; and tells the mark that a step carries.
//!
//! Under a guard nothing is left by a dead console; this is for a guard that died, and for what ran under none.
//!
//! Every process of a step carries a path below `.cuelight` of its workspace in its environment
//! (`CUELIGHT_OUTPUT`), and the caller here owns that workspace: a process with such a path was started by a
//! console that is no more. Without `/proc`, nothing is found (`docs/decisions/0005-orphans.md`).

use cuelight_base::Span;
use rustix::process::{Pid, PidfdFlags, Signal, getpgid, kill_process_group, pidfd_open, pidfd_send_signal};
use std::{fs, os::unix::ffi::OsStrExt as _, path::Path, time::Duration};
use tokio::time::sleep;

/// Between two looks at what is left.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Every step has it in its environment.
const MARK: &[u8] = b"CUELIGHT_OUTPUT=";
/// Number of looks for remaining processes after the kill.
const LOOKS_AFTER_KILL: u32 = 50;

/// Asks all that is left of these calls to end, waits, and ends what has not. Returns how many processes there were, and how many could
/// not be ended.
pub async fn end_orphans(root: &Path, grace: Span, which: impl Fn(&str) -> bool + Sync) -> (usize, usize) {
    let ours = root.join(".cuelight");
    let found = signal_all(&ours, &which, Signal::TERM);
    if found == 0 {
        return (0, 0);
    }
    let pause = u64::try_from(LOOK_PAUSE.as_millis()).unwrap_or(1);
    for _ in 0..grace.0.div_ceil(pause) {
        sleep(LOOK_PAUSE).await;
        if orphans(&ours, &which).is_empty() {
            return (found, 0);
        }
    }
    let mut left = 0;
    for _ in 0..LOOKS_AFTER_KILL {
        left = signal_all(&ours, &which, Signal::KILL);
        if left == 0 {
            break;
        }
        sleep(LOOK_PAUSE).await;
    }
    (found, left)
}

/// To every one of them and to its group; says how many there were.
fn signal_all(ours: &Path, which: &impl Fn(&str) -> bool, signal: Signal) -> usize {
    let found = orphans(ours, which);
    for pid in &found {
        // What has ended meanwhile needs no signal, and what belongs to another user does not take ours.
        if let Ok(descriptor) = pidfd_open(*pid, PidfdFlags::empty())
            && is_orphan(*pid, ours, which)
        {
            let _ = pidfd_send_signal(&descriptor, signal);
            if let Ok(group) = getpgid(Some(*pid)) {
                let _ = kill_process_group(group, signal);
                let _ = kill_process_group(group, Signal::CONT);
            }
        }
    }
    found.len()
}

fn orphans(ours: &Path, which: &impl Fn(&str) -> bool) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name());
    let numbers = names.filter_map(|name| name.to_str()?.parse().ok());
    numbers.filter_map(Pid::from_raw).filter(|pid| is_orphan(*pid, ours, which)).collect()
}

/// True if a process carries the mark and is not of our own process group.
fn is_orphan(pid: Pid, ours: &Path, which: &impl Fn(&str) -> bool) -> bool {
    is_of(pid, ours, which)
        && matches!((getpgid(Some(pid)), getpgid(None)), (Ok(theirs), Ok(own)) if theirs != own)
}

/// True if a process carries the mark of a step of any workspace, however the path of that workspace is
/// spelled.
pub(super) fn carries_mark(pid: i32) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut outputs = environment.split(|byte| *byte == 0).filter_map(|part| part.strip_prefix(MARK));
    outputs.any(|path| path.split(|byte| *byte == b'/').any(|part| part == b".cuelight"))
}

/// True if a process carries the mark of one of these calls.
fn is_of(pid: Pid, ours: &Path, which: &impl Fn(&str) -> bool) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())) else { return false };
    let carries = environment.split(|byte| *byte == 0).any(|variable| {
        variable
            .strip_prefix(MARK)
            .and_then(|path| path.strip_prefix(ours.as_os_str().as_bytes()))
            .is_some_and(|rest| rest.starts_with(b"/"))
    });
    let attempt =
        environment.split(|byte| *byte == 0).find_map(|part| part.strip_prefix(b"CUELIGHT_ATTEMPT="));
    carries && attempt.is_none_or(|attempt| which(&String::from_utf8_lossy(attempt)))
}
