//! Whose each process below a guard is: by its group or session, because it was seen to be somebody's before, by the mark in
//! its environment (`CUELIGHT_ATTEMPT`), or by its parent. What none of these tells belongs to nobody we know.
//!
//! A guard is the parent of everything whose parent died, so nothing that a step starts gets away unseen, unless it hides its
//! environment and leaves its group between two looks.

use super::hands::Hands;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    process::{Child, Command},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

/// The mark in the environment of all that a call has started.
const MARK: &[u8] = b"CUELIGHT_ATTEMPT=";

/// What the guard knows of the processes below it.
#[derive(Default)]
pub(in crate::tool) struct Kin(Mutex<Known>, OnceLock<Hands>);

#[derive(Default)]
struct Known {
    /// The first process of each call that runs: also the number of its group.
    leaders: BTreeMap<i32, String>,
    /// Programs that are being started: their numbers are not known yet.
    starting: usize,
    /// A process and when it was born, and whose it is.
    owners: BTreeMap<(i32, u64), String>,
    /// First processes of calls that were seen since somebody asked.
    fresh: Vec<(String, i32, u64)>,
}

#[derive(Clone, Copy)]
struct Process {
    parent: i32,
    group: i32,
    session: i32,
    born: u64,
    is_dead: bool,
    is_stopped: bool,
}

impl Kin {
    /// Starts a program: on another thread where others run beside it, but for one that dies with the thread that started it.
    /// From now on nobody is buried, until it is told that it [began](Kin::began) or [did not](Kin::never_began).
    pub(in crate::tool) async fn start(&self, mut command: Command, dies: bool) -> io::Result<Child> {
        let is_alone = {
            let mut known = self.lock();
            known.starting += 1;
            known.starting == 1 && known.leaders.is_empty()
        };
        if dies || is_alone { command.spawn() } else { self.1.get_or_init(Hands::new).spawn(command).await }
    }

    /// What was to be started was not.
    pub(in crate::tool) fn never_began(&self) {
        self.lock().starting -= 1;
    }

    /// A call has begun with this process, which was [started](Kin::start) here.
    pub(in crate::tool) fn began(&self, attempt: &str, leader: Pid) {
        let mut known = self.lock();
        known.starting -= 1;
        known.leaders.insert(leader.as_raw_nonzero().get(), attempt.to_owned());
    }

    /// Its first process is buried; its number may be given out again.
    pub(in crate::tool) fn ended(&self, leader: Pid) {
        self.lock().leaders.remove(&leader.as_raw_nonzero().get());
    }

    /// Calls that were seen to run since this was last asked, each with its first process. Most end before anybody looks.
    pub(super) fn fresh(&self) -> Vec<(String, i32, u64)> {
        std::mem::take(&mut self.lock().fresh)
    }

    /// Remembers whose the processes are that can be seen now, and buries what nobody else will. Says whether there was
    /// anything new.
    pub(super) fn look(&self) -> bool {
        let table = below(own_pid());
        let mut known = self.lock();
        let before: BTreeSet<(i32, u64)> = known.owners.keys().copied().collect();
        known.sort(&table);
        let is_new = known.owners.keys().any(|it| !before.contains(it));
        for (pid, it) in table.iter().filter(|_| known.starting == 0) {
            if it.is_dead && it.parent == own_pid() && !known.leaders.contains_key(pid) {
                // Gone already, or not ours after all: either way nothing is left to do.
                let _ = waitpid(Pid::from_raw(*pid), WaitOptions::NOHANG);
            }
        }
        is_new
    }

    /// Everything of a call that lives, its first process too.
    pub(in crate::tool) fn of(&self, attempt: &str) -> Vec<(i32, u64)> {
        // All there are: what is left out while a parent dies would be missed.
        let all = all();
        let table = descendants(&all, own_pid());
        let mut known = self.lock();
        known.sort(&table);
        let lives =
            |it: &&(i32, u64)| table.get(&it.0).is_some_and(|found| !found.is_dead && found.born == it.1);
        known.owners.iter().filter(|it| it.1 == attempt).map(|it| it.0).filter(lives).copied().collect()
    }

    /// A signal to everything of a call; says how much there was.
    pub(in crate::tool) fn signal(&self, attempt: &str, signal: Signal) -> usize {
        let found = self.of(attempt);
        for (pid, when) in &found {
            send(*pid, *when, signal);
        }
        found.len()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Parents before children, since a child without any sign belongs to whom its parent belongs.
    fn sort(&mut self, table: &BTreeMap<i32, Process>) {
        self.owners.retain(|(pid, born), _| table.get(pid).is_some_and(|it| it.born == *born));
        let mut order: Vec<(&i32, &Process)> = table.iter().filter(|it| !it.1.is_dead).collect();
        order.sort_by_key(|(pid, it)| (it.born, **pid));
        for (pid, it) in order {
            if self.owners.contains_key(&(*pid, it.born)) {
                continue;
            }
            let by_group = || self.leaders.get(&it.group).or_else(|| self.leaders.get(&it.session)).cloned();
            let by_parent = || {
                let parent = table.get(&it.parent)?;
                self.owners.get(&(it.parent, parent.born)).cloned()
            };
            if let Some(owner) = by_group().or_else(|| mark(*pid)).or_else(by_parent) {
                if self.leaders.contains_key(pid) {
                    self.fresh.push((owner.clone(), *pid, it.born));
                }
                self.owners.insert((*pid, it.born), owner);
            }
        }
    }
}

/// A signal to this very process and to no later one with its number.
pub(super) fn send(pid: i32, when: u64, signal: Signal) {
    let Some(pid_of) = Pid::from_raw(pid) else { return };
    if let Ok(descriptor) = pidfd_open(pid_of, PidfdFlags::empty())
        && born(pid) == Some(when)
    {
        // It has ended meanwhile, or does not take our signals.
        let _ = pidfd_send_signal(&descriptor, signal);
    }
}

/// When a process began, in ticks of the kernel; nothing when there is none.
pub(super) fn born(pid: i32) -> Option<u64> {
    process(pid).filter(|it| !it.is_dead).map(|it| it.born)
}

/// Whether a process is held up (SIGSTOP, a debugger): it lives and does nothing.
pub(super) fn is_stopped(pid: i32) -> bool {
    process(pid).is_some_and(|it| it.is_stopped)
}

fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap_or_default()
}

fn process(pid: i32) -> Option<Process> {
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
/// meanwhile may be missed: the next look finds it.
fn below(root: i32) -> BTreeMap<i32, Process> {
    let (mut table, mut open) = (BTreeMap::new(), vec![root]);
    while let Some(at) = open.pop() {
        let Some(children) = children(at) else { return descendants(&all(), root) };
        for child in children {
            if let Some(it) = process(child)
                && table.insert(child, it).is_none()
            {
                open.push(child);
            }
        }
    }
    table
}

/// Nothing where the kernel does not tell.
fn children(of: i32) -> Option<Vec<i32>> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{of}/task")) else { return Some(Vec::new()) };
    let mut found = Vec::new();
    for task in tasks.flatten() {
        match fs::read_to_string(task.path().join("children")) {
            Ok(text) => found.extend(text.split_ascii_whitespace().filter_map(|it| it.parse::<i32>().ok())),
            Err(_) if task.path().exists() => return None,
            Err(_) => {}
        }
    }
    Some(found)
}

fn all() -> BTreeMap<i32, Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    let numbers = entries.flatten().filter_map(|it| it.file_name().to_str()?.parse().ok());
    numbers.filter_map(|pid: i32| Some((pid, process(pid)?))).collect()
}

fn descendants(all: &BTreeMap<i32, Process>, root: i32) -> BTreeMap<i32, Process> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (pid, it) in all {
        children.entry(it.parent).or_default().push(*pid);
    }
    let (mut found, mut open) = (BTreeMap::new(), vec![root]);
    while let Some(at) = open.pop() {
        for child in children.get(&at).into_iter().flatten() {
            found.insert(*child, all[child]);
            open.push(*child);
        }
    }
    found
}

/// The call in whose environment a process was started.
fn mark(pid: i32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value = environment.split(|it| *it == 0).find_map(|it| it.strip_prefix(MARK))?;
    String::from_utf8(value.to_vec()).ok()
}
