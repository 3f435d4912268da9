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

mod known;
mod precedence;
mod process_table;

use super::hands::Hands;
use super::spare::{Bench, Spare};
use super::stage;
use cuelight_base::{KILL_GRACE, Timestamp};
use known::{Known, Stage};
pub use known::{STRAYS_TOLD_MAX, Stray, Strays};
use precedence::Precedence;
pub(crate) use process_table::{Process, process};
use process_table::{all, below, by_parent, children, descendants, own_pid};
pub(super) use process_table::{born, is_below, is_stopped, send};
use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Limit of attempts to walk up from a process while its parents die.
const WALKS_MAX: u32 = 8;
/// Limit of looks for processes of a call that still run while it is to be held up.
const HOLDS_MAX: u32 = 1_000;

/// The guard's knowledge of the processes below it.
pub(crate) struct Kin {
    known: Mutex<Known>,
    /// Start programs, from the first one on that has others beside it.
    hands: OnceLock<Hands>,
    /// The child that was started ahead.
    ahead: Bench,
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
        // Between its fork and `began` a child of ours has no owner yet, and would look like a stray.
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
        // A process that is visited is stopped before its children are listed. A stop takes a moment, so a child may
        // come after the list: the rounds that end a call (`attend`) look at all of it again, and find that child.
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
            // Not every kernel lists children (`CONFIG_PROC_CHILDREN`): then the whole table is read, once.
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

#[cfg(test)]
mod tests {
    use super::known::Unowned;
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
        // A shell that waits for its child to become another program does not stop before that.
        let sleeps = |pid: i32| {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
        };
        until("two of them sleep", || kin.of("a").iter().filter(|pair| sleeps(pair.0)).count() == 2);
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
