//! Examines guards from outside: the guarantees that this machine allows them, and the guards that live. It
//! only reads, for commands that check a set-up.

use super::{
    PROGRAM, PROTOCOL,
    client::{guard_lives, names},
    kin::{self, Stray},
    record::Log,
};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use std::{fs, path::Path};

/// A guard that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivingGuard {
    /// Process id of the guard.
    pub pid: i32,
    /// Programs that it has started and that have not ended.
    pub running: usize,
    /// True if it runs this version of the program.
    pub is_ours: bool,
    /// Processes below it that no step is known to have started, and that live.
    pub strays: Vec<Stray>,
}

/// Guarantees that do not hold on this machine, each as a sentence with its reason.
pub fn guard_weaknesses() -> Vec<String> {
    let mut weak = Vec::new();
    if cfg!(not(target_os = "linux")) {
        weak.push(
            "no child subreaper here: programs run below the engine, and `kill -9` of it makes them in doubt"
                .to_owned(),
        );
        weak.push(
            "no mark of steps here: at a gate every program of this user counts as a person; use `proof: touch`"
                .to_owned(),
        );
        return weak;
    }
    if fs::read("/proc/self/environ").is_err() {
        weak.push(
            "no readable /proc: what leaves the group of its step is not found when it is ended".to_owned(),
        );
    }
    if fs::read_to_string("/proc/thread-self/children").is_err() {
        weak.push(
            "the kernel does not list children (CONFIG_PROC_CHILDREN): the guard looks at every process instead".to_owned(),
        );
    }
    if pidfd_open(getpid(), PidfdFlags::empty()).is_err() {
        weak.push("no pidfd (Linux before 5.3): what has left its step's group is not signalled".to_owned());
    }
    if super::boot_id().is_empty() {
        weak.push("no boot id: a call without a start record counts as one that may have run".to_owned());
    }
    weak
}

/// The guards of a workspace that live.
pub fn living_guards(root: &Path) -> Vec<LivingGuard> {
    let dir = root.join(".cuelight/guard");
    let logs = names(&dir).into_iter().map(|name| dir.join(format!("{name}.log")));
    let living = logs.filter(|log| guard_lives(log)).filter_map(|log| Log::read(&log).ok());
    let about = |log: Log| {
        let head = log.head?;
        let running = log.begun.keys().filter(|key| !log.ended.contains_key(*key)).count();
        let is_ours = head.protocol == PROTOCOL && head.program == PROGRAM;
        let strays =
            log.strays.into_iter().filter(|stray| kin::born(stray.pid) == Some(stray.born)).collect();
        Some(LivingGuard { pid: head.pid, running, is_ours, strays })
    };
    living.filter_map(about).collect()
}
