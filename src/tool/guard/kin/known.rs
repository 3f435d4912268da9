//! The owner of each process, and the strays.

use super::process_table::{Process, mark, name};
use cuelight_base::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Strays that are told of by name, however many there are: of more than these only their number. A step that starts processes
/// without end would else fill the line to the engine, and the records, with them.
pub const STRAYS_TOLD_MAX: usize = 64;
/// So often nothing of a call that has ended is seen before its mark is believed no more.
const LOOKS_AFTER_END: u32 = 8;

#[derive(Default)]
pub(super) struct Known {
    /// The first process of each call that runs: also the number of its group.
    pub(super) leaders: BTreeMap<i32, String>,
    /// The calls whose marks are believed, and how often nothing of one was seen since it ended.
    pub(super) calls: BTreeMap<String, u32>,
    /// `.cuelight` of the workspace.
    pub(super) ours: PathBuf,
    /// Programs that are being started: their numbers are not known yet.
    pub(super) starting: usize,
    /// A process and when it was born, and whose it is.
    pub(super) owners: BTreeMap<(i32, u64), String>,
    /// First processes of calls that were seen since somebody asked.
    pub(super) fresh: Vec<(String, i32, u64)>,
    /// Processes that belong to nobody we know of, with when they were born.
    pub(super) strays: BTreeMap<(i32, u64), Unowned>,
}

/// A process below a guard that no step is known to have started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// Process id of the stray.
    pub pid: i32,
    /// When it was born, in ticks of the kernel: its number may be given out again.
    pub born: u64,
    /// Name of the process, by its own account: foreign text.
    pub name: String,
}

/// Processes below a guard that no step is known to have started, for a report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strays {
    /// The strays with the lowest process ids, [`STRAYS_TOLD_MAX`] at most.
    pub named: Vec<Stray>,
    /// Number of further strays.
    pub more: usize,
}

/// The guard's knowledge of a stray.
pub(super) struct Unowned {
    pub(super) name: String,
    /// The calls that ran when it was first seen: one of them may have started it.
    pub(super) may_own: BTreeSet<String>,
    pub(super) stage: Stage,
}

/// Progress with a stray, from the first sight to the kill.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Seen for the first time: a program that begins has no name and no environment for an instant.
    Suspected,
    Told,
    /// Asked to end at this time.
    Asked(Timestamp),
    /// The stray was killed; nothing more can be done.
    Killed,
}

impl Known {
    /// Finds the strays: live processes without an owner, except the child that was started ahead. Returns
    /// true if anything changed. Not to be called while a program is being started: its owner is not known
    /// yet.
    pub(super) fn find_strays(&mut self, table: &BTreeMap<i32, Process>, ahead: Option<i32>) -> bool {
        let lives = |key: &(i32, u64)| {
            table.get(&key.0).is_some_and(|process| process.born == key.1 && !process.is_dead)
        };
        let owners = &self.owners;
        self.strays.retain(|key, _| lives(key) && !owners.contains_key(key));
        let mut is_new = false;
        let may_own: BTreeSet<String> = self.leaders.values().cloned().collect();
        for (pid, process) in table.iter().filter(|entry| !entry.1.is_dead) {
            let key = (*pid, process.born);
            if owners.contains_key(&key) || ahead == Some(*pid) {
                continue;
            }
            let stray = self.strays.entry(key).or_insert_with(|| {
                is_new = true;
                Unowned { name: String::new(), may_own: may_own.clone(), stage: Stage::Suspected }
            });
            if stray.stage == Stage::Suspected && !stray.name.is_empty() {
                (stray.stage, is_new) = (Stage::Told, true);
            }
            stray.name = name(*pid);
        }
        is_new
    }

    pub(super) fn told(&self) -> Strays {
        let mut told = self.strays.iter().filter(|entry| entry.1.stage != Stage::Suspected);
        let named = told.by_ref().take(STRAYS_TOLD_MAX);
        let named =
            named.map(|((pid, born), stray)| Stray { pid: *pid, born: *born, name: stray.name.clone() });
        Strays { named: named.collect(), more: told.count() }
    }

    /// Calls that have ended and of which nothing is left: no mark names them any more but a false one.
    pub(super) fn forget_calls(&mut self) {
        let live: BTreeSet<&String> = self.leaders.values().chain(self.owners.values()).collect();
        for (call, unseen) in &mut self.calls {
            *unseen = if live.contains(call) { 0 } else { *unseen + 1 };
        }
        self.calls.retain(|_, unseen| *unseen <= LOOKS_AFTER_END);
    }

    /// Parents before children, since a child belongs to whom its parent belongs.
    pub(super) fn sort(&mut self, table: &BTreeMap<i32, Process>) {
        self.owners.retain(|(pid, born), _| table.get(pid).is_some_and(|process| process.born == *born));
        let mut order: Vec<(&i32, &Process)> = table.iter().filter(|entry| !entry.1.is_dead).collect();
        order.sort_by_key(|(pid, process)| (process.born, **pid));
        for (pid, process) in order {
            let parent = table.get(&process.parent).map(|parent| (process.parent, parent.born));
            self.owner_of(*pid, process, parent);
        }
    }

    /// The step that owns a process with this parent. The answer is kept from the first time that it is
    /// known.
    pub(super) fn owner_of(
        &mut self,
        pid: i32,
        process: &Process,
        parent: Option<(i32, u64)>,
    ) -> Option<&String> {
        let key = (pid, process.born);
        if !self.owners.contains_key(&key) {
            let by_parent = parent.and_then(|parent| self.owners.get(&parent)).cloned();
            let by_group =
                || self.leaders.get(&process.group).or_else(|| self.leaders.get(&process.session)).cloned();
            let by_mark = || mark(pid, &self.ours).filter(|mark| self.calls.contains_key(mark));
            // Its parent it cannot choose; a group it can join, and its environment is written by whoever starts it.
            let owner = by_parent.or_else(by_group).or_else(by_mark)?;
            if self.leaders.contains_key(&pid) {
                self.fresh.push((owner.clone(), pid, process.born));
            }
            self.owners.insert(key, owner);
        }
        self.owners.get(&key)
    }
}
