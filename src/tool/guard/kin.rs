//! Attributes each process below a guard to a step. A process belongs to a step if it was seen to belong to
//! it before, or else by its parent, or by its group or session. Only then counts the mark in its environment
//! (`CUELIGHT_ATTEMPT`). A process that cannot be attributed to a step is a *stray*.
//!
//! The environment comes last because the starter of a process may write anything there. A mark is believed
//! only if the parent died before anybody looked. It must also name a call of this guard, in our workspace.
//!
//! A guard is the parent of every process whose parent died, so nothing that a step starts gets away. A
//! process that hides its environment and leaves its parent between two looks is a stray: it is reported with
//! its name. It is ended when every step that may have started it has ended.

use super::{
    hands::Hands,
    spare::{Bench, Spare},
    stage,
};
use cuelight_base::{KILL_GRACE, Timestamp};
use rustix::{
    param::clock_ticks_per_second,
    process::{
        Pid, PidfdFlags, Signal, WaitOptions, getpriority_process, pidfd_open, pidfd_send_signal,
        setpriority_process, waitpid,
    },
    time::{ClockId, clock_gettime},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    ops::ControlFlow,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

/// Limit of attempts to walk up from a process while its parents die.
const WALKS_MAX: u32 = 8;
/// The highest precedence there is.
const NICE_MIN: i32 = -20;
/// Limit of looks for processes of a call that still run while it is to be held up.
const HOLDS_MAX: u32 = 1_000;
/// The mark in the environment of all that a call has started.
const MARK: &[u8] = b"CUELIGHT_ATTEMPT=";
/// A path below `.cuelight` of the workspace of that call.
const OUTPUT: &[u8] = b"CUELIGHT_OUTPUT=";
/// Strays that are told of by name, however many there are: of more than these only their number. A step that starts processes
/// without end would else fill the line to the engine, and the records, with them.
pub const STRAYS_TOLD_MAX: usize = 64;
/// So often nothing of a call that has ended is seen before its mark is believed no more.
const LOOKS_AFTER_END: u32 = 8;

/// The guard's knowledge of the processes below it.
pub(crate) struct Kin {
    known: Mutex<Known>,
    /// Start programs, from the first one on that has others beside it.
    hands: OnceLock<Hands>,
    /// The child that was started ahead.
    ahead: Bench,
}

#[derive(Default)]
struct Known {
    /// The first process of each call that runs: also the number of its group.
    leaders: BTreeMap<i32, String>,
    /// The calls whose marks are believed, and how often nothing of one was seen since it ended.
    calls: BTreeMap<String, u32>,
    /// `.cuelight` of the workspace.
    ours: PathBuf,
    /// Programs that are being started: their numbers are not known yet.
    starting: usize,
    /// A process and when it was born, and whose it is.
    owners: BTreeMap<(i32, u64), String>,
    /// First processes of calls that were seen since somebody asked.
    fresh: Vec<(String, i32, u64)>,
    /// Processes that belong to nobody we know of, with when they were born.
    strays: BTreeMap<(i32, u64), Unowned>,
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
struct Unowned {
    name: String,
    /// The calls that ran when it was first seen: one of them may have started it.
    may_own: BTreeSet<String>,
    stage: Stage,
}

/// Progress with a stray, from the first sight to the kill.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Seen for the first time: a program that begins has no name and no environment for an instant.
    Suspected,
    Told,
    /// Asked to end at this time.
    Asked(Timestamp),
    /// The stray was killed; nothing more can be done.
    Killed,
}

#[derive(Clone, Copy)]
pub(crate) struct Process {
    pub(crate) parent: i32,
    group: i32,
    session: i32,
    born: u64,
    pub(crate) is_dead: bool,
    is_stopped: bool,
}

impl Kin {
    /// Creates the record for the calls of this workspace.
    pub(crate) fn new(root: &Path) -> Self {
        let known = Known { ours: root.join(".cuelight"), ..Known::default() };
        Self { known: Mutex::new(known), hands: OnceLock::new(), ahead: Bench::default() }
    }

    /// Starts a program: on another thread where others run beside it. From now on nobody is buried, until it is told that it [began](Kin::began) or [did not](Kin::never_began).
    pub(crate) async fn start(&self, mut command: Command) -> io::Result<Child> {
        let is_alone = {
            let mut known = self.lock();
            known.starting += 1;
            known.starting == 1 && known.leaders.is_empty()
        };
        if is_alone { command.spawn() } else { self.hands.get_or_init(Hands::new).spawn(command).await }
    }

    /// A child that was started ahead, if one waits: the same holds from now on as of one that was [started](Kin::start).
    pub(crate) fn spare(&self) -> Option<Spare> {
        let mut known = self.lock();
        let spare = self.ahead.take();
        known.starting += usize::from(spare.is_some());
        spare
    }

    /// Has one started ahead, beside all else, unless one waits already. Without one the next is started when it is needed.
    pub(crate) fn start_ahead(&self) {
        if self.ahead.reserve() {
            match stage::ahead() {
                Ok((command, line)) => {
                    self.hands.get_or_init(Hands::new).start_ahead(command, line, &self.ahead)
                }
                Err(_) => self.ahead.put(None),
            }
        }
    }

    /// Reports that a program failed to start.
    pub(crate) fn never_began(&self) {
        self.lock().starting -= 1;
    }

    /// A call has begun with this process, which was [started](Kin::start) here.
    pub(crate) fn began(&self, attempt: &str, leader: Pid) {
        let mut known = self.lock();
        known.starting -= 1;
        known.leaders.insert(leader.as_raw_nonzero().get(), attempt.to_owned());
        known.calls.insert(attempt.to_owned(), 0);
    }

    /// Its first process is buried; its number may be given out again.
    pub(crate) fn ended(&self, leader: Pid) {
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
        let ahead = self.ahead.seen();
        let before: BTreeSet<(i32, u64)> = known.owners.keys().copied().collect();
        known.sort(&table);
        let is_new = known.owners.keys().any(|pair| !before.contains(pair));
        let is_settled = known.starting == 0 && !ahead.is_starting;
        let is_new = is_settled && known.find_strays(&table, ahead.pid) || is_new;
        known.forget_calls();
        for (pid, process) in table.iter().filter(|_| is_settled) {
            let is_waited_for = known.leaders.contains_key(pid) || ahead.pid == Some(*pid);
            if process.is_dead && process.parent == own_pid() && !is_waited_for {
                // Gone already, or not ours after all: either way nothing is left to do.
                let _ = waitpid(Pid::from_raw(*pid), WaitOptions::NOHANG);
            }
        }
        is_new
    }

    /// The processes that belong to nobody, as of the last look.
    pub(super) fn strays(&self) -> Strays {
        self.lock().told()
    }

    /// True if a stray lives that has not been killed yet.
    pub(super) fn has_strays(&self) -> bool {
        self.lock().strays.values().any(|stray| stray.stage != Stage::Killed)
    }

    /// Ends the strays that no call may own that `runs`: they are asked, and later ended.
    pub(super) fn end_strays(&self, now: Timestamp, runs: impl Fn(&String) -> bool) {
        for ((pid, born), stray) in &mut self.lock().strays {
            match stray.stage {
                Stage::Told if !stray.may_own.iter().any(&runs) => {
                    for signal in [Signal::TERM, Signal::CONT] {
                        send(*pid, *born, signal);
                    }
                    stray.stage = Stage::Asked(now);
                }
                Stage::Asked(at) if now.since(at) >= KILL_GRACE => {
                    send(*pid, *born, Signal::KILL);
                    stray.stage = Stage::Killed;
                }
                Stage::Suspected | Stage::Told | Stage::Asked(_) | Stage::Killed => {}
            }
        }
    }

    /// Everything of a call that lives, its first process too.
    pub(crate) fn of(&self, attempt: &str) -> Vec<(i32, u64)> {
        // All there are: what is left out while a parent dies would be missed.
        let all = all();
        let table = descendants(&all, own_pid());
        let mut known = self.lock();
        known.sort(&table);
        let lives = |pair: &&(i32, u64)| {
            table.get(&pair.0).is_some_and(|found| !found.is_dead && found.born == pair.1)
        };
        known
            .owners
            .iter()
            .filter(|entry| entry.1 == attempt)
            .map(|entry| entry.0)
            .filter(lives)
            .copied()
            .collect()
    }

    /// Ends every process below this one, also those that start while others are ended.
    pub(crate) fn end_all(&self) {
        for _ in 0..HOLDS_MAX {
            let living: Vec<(i32, u64)> = below(own_pid())
                .iter()
                .filter(|entry| !entry.1.is_dead)
                .map(|(pid, process)| (*pid, process.born))
                .collect();
            if living.is_empty() {
                return;
            }
            for (pid, born) in living {
                send(pid, born, Signal::KILL);
            }
            std::thread::yield_now();
        }
    }

    /// Number of live processes of a call, as far as one look shows. Counts to `most` + 1 at most, so that a
    /// step that starts processes without end is not counted to the end.
    pub(crate) fn count(&self, attempt: &str, most: u64) -> u64 {
        let (mut count, mut seen) = (0, BTreeSet::new());
        self.visit(attempt, &mut seen, |_, process| {
            count += u64::from(!process.is_dead);
            if count > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        count
    }

    /// Holds up everything of a call: what is held up starts nothing, so that it can be ended however quickly it
    /// grew. Looks until one look finds nothing more that moves. A look costs no more than what is new: what is held up, or dead and
    /// not buried, keeps its number.
    pub(crate) fn hold(&self, attempt: &str) {
        let _before_others = Precedence::taken();
        let mut still = BTreeSet::new();
        for _ in 0..HOLDS_MAX {
            let before = still.len();
            self.visit(attempt, &mut still, |pid, process| {
                if !process.is_dead && !process.is_stopped {
                    send(pid, process.born, Signal::STOP);
                }
                ControlFlow::Continue(())
            });
            if still.len() == before {
                return;
            }
        }
    }

    /// Goes through all of a call that was not seen before, from parent to child, until told to stop. What a process has started is
    /// asked after it was visited.
    fn visit(
        &self,
        attempt: &str,
        seen: &mut BTreeSet<i32>,
        mut visit: impl FnMut(i32, &Process) -> ControlFlow<()>,
    ) {
        let mut known = self.lock();
        let mut all_children = None;
        let mut open = vec![(own_pid(), None)];
        while let Some((at, key)) = open.pop() {
            let children = children(at).unwrap_or_else(|| {
                let all = all_children.get_or_insert_with(|| by_parent(&all()));
                all.get(&at).cloned().unwrap_or_default()
            });
            for pid in children {
                if seen.contains(&pid) {
                    continue;
                }
                let Some(process) = process(pid) else { continue };
                if known.owner_of(pid, &process, key).is_some_and(|owner| owner == attempt) {
                    seen.insert(pid);
                    if visit(pid, &process).is_break() {
                        return;
                    }
                    open.push((pid, Some((pid, process.born))));
                }
            }
        }
    }

    /// A signal to everything of a call; says how much there was.
    pub(crate) fn signal(&self, attempt: &str, signal: Signal) -> usize {
        let found = self.of(attempt);
        for (pid, when) in &found {
            send(*pid, *when, signal);
        }
        found.len()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Finds the strays: live processes without an owner, except the child that was started ahead. Returns
    /// true if anything changed. Not to be called while a program is being started: its owner is not known
    /// yet.
    fn find_strays(&mut self, table: &BTreeMap<i32, Process>, ahead: Option<i32>) -> bool {
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

    fn told(&self) -> Strays {
        let mut told = self.strays.iter().filter(|entry| entry.1.stage != Stage::Suspected);
        let named = told.by_ref().take(STRAYS_TOLD_MAX);
        let named =
            named.map(|((pid, born), stray)| Stray { pid: *pid, born: *born, name: stray.name.clone() });
        Strays { named: named.collect(), more: told.count() }
    }

    /// Calls that have ended and of which nothing is left: no mark names them any more but a false one.
    fn forget_calls(&mut self) {
        let live: BTreeSet<&String> = self.leaders.values().chain(self.owners.values()).collect();
        for (call, unseen) in &mut self.calls {
            *unseen = if live.contains(call) { 0 } else { *unseen + 1 };
        }
        self.calls.retain(|_, unseen| *unseen <= LOOKS_AFTER_END);
    }

    /// Parents before children, since a child belongs to whom its parent belongs.
    fn sort(&mut self, table: &BTreeMap<i32, Process>) {
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
    fn owner_of(&mut self, pid: i32, process: &Process, parent: Option<(i32, u64)>) -> Option<&String> {
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

/// That this thread runs before all others for a while, where the system lets it (it lets root): beside thousands that want a
/// processor, it would else have a thousandth of one to end them with. The kernel shares processors out among sessions first, where
/// it does (`sched(7)`, autogroup), and among the threads of each by their nice values then.
struct Precedence {
    thread: Option<i32>,
    session: Option<i32>,
}

impl Precedence {
    const OF_SESSION: &str = "/proc/self/autogroup";

    fn taken() -> Self {
        let thread = getpriority_process(None).ok();
        // `/autogroup-130 nice 0`
        let told = fs::read_to_string(Self::OF_SESSION).ok();
        let session = told.and_then(|text| text.split_ascii_whitespace().last()?.parse().ok());
        Self {
            thread: thread.filter(|_| setpriority_process(None, NICE_MIN).is_ok()),
            session: session.filter(|_| fs::write(Self::OF_SESSION, NICE_MIN.to_string()).is_ok()),
        }
    }
}

impl Drop for Precedence {
    fn drop(&mut self) {
        // To have less is always allowed.
        if let Some(before) = self.thread {
            let _ = setpriority_process(None, before);
        }
        if let Some(before) = self.session {
            drop(fs::write(Self::OF_SESSION, before.to_string()));
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
    process(pid).filter(|process| !process.is_dead).map(|process| process.born)
}

/// True if a process is stopped (SIGSTOP, a debugger): it lives and does nothing.
pub(super) fn is_stopped(pid: i32) -> bool {
    process(pid).is_some_and(|process| process.is_stopped)
}

/// True if a process is below this one: a child, or a descendant of a child. One that cannot be seen counts
/// as below.
pub(super) fn is_below(pid: i32) -> bool {
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
fn name(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

fn own_pid() -> i32 {
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
fn below(root: i32) -> BTreeMap<i32, Process> {
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
fn children(of: i32) -> Option<Vec<i32>> {
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
fn all() -> BTreeMap<i32, Process> {
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

fn by_parent(all: &BTreeMap<i32, Process>) -> BTreeMap<i32, Vec<i32>> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (pid, process) in all {
        children.entry(process.parent).or_default().push(*pid);
    }
    children
}

fn descendants(all: &BTreeMap<i32, Process>, root: i32) -> BTreeMap<i32, Process> {
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
fn mark(pid: i32, ours: &Path) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value =
        |name: &[u8]| environment.split(|number| *number == 0).find_map(|part| part.strip_prefix(name));
    let inside = value(OUTPUT)?.strip_prefix(ours.as_os_str().as_bytes())?;
    inside.starts_with(b"/").then(|| String::from_utf8(value(MARK)?.to_vec()).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt as _;

    /// Waits for something to happen in another process, and yields the processor until then.
    fn until(what: &str, is_so: impl Fn() -> bool) {
        let looks = (0..1_000_000).find(|_| {
            std::thread::yield_now();
            is_so()
        });
        assert!(looks.is_some(), "{what}");
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a step that starts others")]
    async fn all_of_a_call_is_held_up_and_it_is_counted_no_further_than_it_has_to_be() {
        let kin = Kin::new(Path::new("/nowhere"));
        let mut command = Command::new("sh");
        command.args(["-c", "setsid sh -c 'sleep 60 & wait' & sleep 60"]).process_group(0);
        let mut child = kin.start(command).await.expect("started");
        let leader = Pid::from_child(&child);
        kin.began("a", leader);
        until("four of them live", || kin.count("a", 9) == 4);
        assert_eq!((kin.count("a", 2), kin.count("a", 4), kin.count("other", 4)), (3, 4, 0));
        kin.hold("a");
        let all = kin.of("a");
        until("all of them are held up", || all.iter().all(|pair| is_stopped(pair.0)));
        assert_eq!((all.len(), kin.signal("a", Signal::KILL)), (4, 4));
        drop(child.wait());
        kin.ended(leader);
        until("nothing is left", || kin.of("a").is_empty());
    }

    /// As many processes as a machine can have, each with a name that is dear to write down.
    #[test]
    fn of_processes_without_end_a_few_are_told_of_by_name_and_the_others_counted() {
        let mut known = Known::default();
        for pid in 1..=100_000 {
            let name = "\u{1}".repeat(15);
            let unowned = Unowned { name, may_own: BTreeSet::new(), stage: Stage::Told };
            known.strays.insert((pid, u64::MAX), unowned);
        }
        known.strays.entry((7, u64::MAX)).and_modify(|stray| stray.stage = Stage::Suspected);
        let told = known.told();
        assert_eq!((told.named.len(), told.more), (STRAYS_TOLD_MAX, 100_000 - 1 - STRAYS_TOLD_MAX));
        assert!(told.named.iter().all(|stray| stray.pid != 7), "one look is not enough");
        let bytes = serde_json::to_string(&told).expect("JSON").len();
        assert!(bytes < 16 * 1024, "{bytes}");
        known.strays.retain(|pair, _| pair.0 <= 8);
        let told = known.told();
        assert_eq!((told.named.len(), told.more), (7, 0));
    }
}
