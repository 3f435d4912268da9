//! Processes as the kernel shows them in `/proc`: one, those below another, and their marks.

use super::WALKS_MAX;
use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The mark in the environment of all that a call has started.
const MARK: &[u8] = b"CUELIGHT_ATTEMPT=";
/// A path below `.cuelight` of the workspace of that call.
const OUTPUT: &[u8] = b"CUELIGHT_OUTPUT=";

#[derive(Clone, Copy)]
pub(crate) struct Process {
    pub(crate) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    pub(super) born: u64,
    pub(crate) is_dead: bool,
    pub(super) is_stopped: bool,
}

/// A signal to this very process and to no later one with its number.
pub(in crate::guard) fn send(pid: i32, when: u64, signal: Signal) {
    let Some(pid_of) = Pid::from_raw(pid) else { return };
    if let Ok(descriptor) = pidfd_open(pid_of, PidfdFlags::empty())
        && born(pid) == Some(when)
    {
        // It has ended meanwhile, or does not take our signals.
        let _ = pidfd_send_signal(&descriptor, signal);
    }
}

/// When a process began, in ticks of the kernel; nothing when there is none.
pub(in crate::guard) fn born(pid: i32) -> Option<u64> {
    process(pid).filter(|process| !process.is_dead).map(|process| process.born)
}

/// True if a process is stopped (SIGSTOP, a debugger): it lives and does nothing.
pub(in crate::guard) fn is_stopped(pid: i32) -> bool {
    process(pid).is_some_and(|process| process.is_stopped)
}

/// True if a process is below this one: a child, or a descendant of a child. One that cannot be seen counts
/// as below.
pub(in crate::guard) fn is_below(pid: i32) -> bool {
    let Some(mut this_process) = process(pid) else { return true };
    let mut tries = 0;
    while this_process.parent > 0 {
        if this_process.parent == own_pid() {
            return true;
        }
        match process(this_process.parent) {
            Some(parent) => this_process = parent,
            // It has died on the way: from the start, by its new parent.
            None if tries < WALKS_MAX => {
                tries += 1;
                let Some(again) = process(pid) else { return true };
                this_process = again;
            }
            // Of another user, and hidden: not of ours.
            None => return false,
        }
    }
    false
}

/// Name of a process; the kernel keeps fifteen bytes.
pub(super) fn name(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

pub(super) fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap_or_default()
}

/// A process as the kernel shows it; nothing when there is none, or it is hidden.
pub(crate) fn process(pid: i32) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name may hold blanks and brackets.
    let (_, rest) = text.rsplit_once(')')?;
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| words.get(at)?.parse().ok();
    Some(Process {
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        born: words.get(19)?.parse().ok()?,
        is_dead: matches!(words.first(), Some(&("Z" | "X"))),
        is_stopped: matches!(words.first(), Some(&("T" | "t"))),
    })
}

/// Everything below a process, found from parent to child, which costs nothing for all others. What is born or dies
/// meanwhile may be missed: the next look finds it. So a look ends, however quickly they grow.
pub(super) fn below(root: i32) -> BTreeMap<i32, Process> {
    let until = now_in_ticks();
    let (mut table, mut open) = (BTreeMap::new(), vec![root]);
    while let Some(at) = open.pop() {
        let Some(children) = children(at) else { return descendants(&all(), root) };
        for child in children {
            if let Some(process) = process(child).filter(|process| process.born <= until)
                && table.insert(child, process).is_none()
            {
                open.push(child);
            }
        }
    }
    table
}

/// Nothing where the kernel does not tell.
pub(super) fn children(of: i32) -> Option<Vec<i32>> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{of}/task")) else { return Some(Vec::new()) };
    let mut found = Vec::new();
    for task in tasks.flatten() {
        match fs::read_to_string(task.path().join("children")) {
            Ok(text) => {
                found.extend(text.split_ascii_whitespace().filter_map(|word| word.parse::<i32>().ok()))
            }
            Err(_) if task.path().exists() => return None,
            Err(_) => {}
        }
    }
    Some(found)
}

/// The numbers first: what is born while they are looked at one by one would else be listed, too, and more of it meanwhile.
pub(super) fn all() -> BTreeMap<i32, Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    let numbers: Vec<i32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.into_iter().filter_map(|pid| Some((pid, process(pid)?))).collect()
}

/// The kernel's birth time of a process that begins now.
fn now_in_ticks() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let (seconds, nanoseconds) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    let ticks = clock_ticks_per_second();
    seconds * ticks + nanoseconds * ticks / 1_000_000_000
}

pub(super) fn by_parent(all: &BTreeMap<i32, Process>) -> BTreeMap<i32, Vec<i32>> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (pid, process) in all {
        children.entry(process.parent).or_default().push(*pid);
    }
    children
}

pub(super) fn descendants(all: &BTreeMap<i32, Process>, root: i32) -> BTreeMap<i32, Process> {
    let children = by_parent(all);
    let (mut found, mut open) = (BTreeMap::new(), vec![root]);
    while let Some(at) = open.pop() {
        for child in children.get(&at).into_iter().flatten() {
            found.insert(*child, all[child]);
            open.push(*child);
        }
    }
    found
}

/// The call in whose environment a process was started, when it is one of this workspace as it says.
pub(super) fn mark(pid: i32, ours: &Path) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value =
        |name: &[u8]| environment.split(|number| *number == 0).find_map(|part| part.strip_prefix(name));
    let inside = value(OUTPUT)?.strip_prefix(ours.as_os_str().as_bytes())?;
    inside.starts_with(b"/").then(|| String::from_utf8(value(MARK)?.to_vec()).ok())?
}
