//! The processes that hold a socket, by `/proc/PID/fd`, each judged: a person's, a step's, or one that cannot be known.
//!
//! A process can hide its descriptors (`PR_SET_DUMPABLE`) and pass a copy of the socket to a program that shows them. Its
//! parents, its mark and its users stay readable for everybody. So a hidden process of a step counts as a holder, and a
//! hidden one of a person (an agent for keys, `sudo`, a session of `ssh`) does not.

use super::peer::{descends_from_a_step, is_process_of_a_step};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};
use std::{
    fs::{self, File},
    io::{self, Read as _},
};

/// Bytes of the list of subordinate users that are read.
const SUBUID_BYTES_MAX: u64 = 1024 * 1024;

/// A process that holds a socket, or may hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Person,
    Step,
    /// This process. It asks itself only for a step.
    Engine,
    /// It ended, or let go of the socket, before it was judged.
    Lost,
    /// A process of a step that hides its descriptors.
    Hidden,
}

/// The users as which a step can run.
#[derive(Debug)]
pub(super) struct StepUsers {
    engine: u32,
    /// `/etc/subuid`: numbers of users that were given to some user to start processes with.
    subordinate: String,
}

impl StepUsers {
    /// The users of steps on this host.
    pub(super) fn read() -> Self {
        let mut bytes = Vec::new();
        let read =
            File::open("/etc/subuid").and_then(|file| file.take(SUBUID_BYTES_MAX).read_to_end(&mut bytes));
        // A list that cannot be read to its end counts as far as it was read.
        drop(read);
        let subordinate = String::from_utf8_lossy(&bytes).into_owned();
        Self { engine: rustix::process::geteuid().as_raw(), subordinate }
    }

    /// Reports if a step can run as this user. A step of root can become anybody.
    pub(super) fn include(&self, uid: u32) -> bool {
        self.engine == 0 || self.engine == uid || is_subordinate(&self.subordinate, uid)
    }
}

/// The processes that hold a socket, and the hidden ones that may hold it.
pub(super) fn holders(inode: u64, users: &StepUsers) -> Vec<Holder> {
    let link = format!("socket:[{inode}]");
    // A holder that is not listed would acquit the others.
    let entries = fs::read_dir("/proc").and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let Ok(entries) = entries else { return vec![Holder::Lost] };
    let numbers = entries.into_iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let judge = |pid: Pid| match holds(pid, &link) {
        Holds::No => None,
        Holds::Yes => Some(judged(pid, |pid| holds(pid, &link) == Holds::Yes)),
        Holds::Hidden => hidden(pid, users),
    };
    numbers.filter_map(Pid::from_raw).filter_map(judge).collect()
}

/// The judgement of a holder. The handle is taken first: the process that still holds the socket afterwards is the one that
/// the handle names, and not a later one with the same number. A holder that cannot be followed counts as [`Holder::Lost`].
fn judged(pid: Pid, holds_it: impl Fn(Pid) -> bool) -> Holder {
    if pid == getpid() {
        return Holder::Engine;
    }
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) if holds_it(pid) => {
            if is_process_of_a_step(pid, &handle) {
                Holder::Step
            } else {
                Holder::Person
            }
        }
        Ok(_) | Err(_) => Holder::Lost,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    /// Not all of its descriptors can be read.
    Hidden,
}

fn holds(pid: Pid, link: &str) -> Holds {
    let process = format!("/proc/{}", pid.as_raw_nonzero());
    match holds_at(&format!("{process}/fd"), link) {
        // A thread can leave the table of its process. Only those of steps are asked: others have many, and decide nothing here.
        Holds::No if descends_from_a_step(pid) => {
            let threads = fs::read_dir(format!("{process}/task")).into_iter().flatten().flatten();
            let all = threads.map(|thread| holds_at(&format!("{}/fd", thread.path().display()), link));
            all.fold(Holds::No, |found, next| if found == Holds::No { next } else { found })
        }
        found => found,
    }
}

/// Looks for a descriptor in one table.
fn holds_at(table: &str, link: &str) -> Holds {
    let entries = match fs::read_dir(table) {
        Ok(entries) => entries,
        Err(why) if is_gone(&why) => return Holds::No,
        Err(_) => return Holds::Hidden,
    };
    let mut found = Holds::No;
    for target in entries.map(|entry| entry.and_then(|entry| fs::read_link(entry.path()))) {
        match target {
            Ok(target) if target.as_os_str() == link => return Holds::Yes,
            Ok(_) => {}
            Err(why) if is_gone(&why) => {}
            Err(_) => found = Holds::Hidden,
        }
    }
    found
}

/// A descriptor that was closed, or a process that has ended, meanwhile.
fn is_gone(why: &io::Error) -> bool {
    why.kind() == io::ErrorKind::NotFound
        || why.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// A process whose descriptors cannot be read, where it may be a step's.
fn hidden(pid: Pid, users: &StepUsers) -> Option<Holder> {
    let status = match fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())) {
        Ok(text) => Status::read(&text),
        Err(why) if is_gone(&why) => return None,
        Err(_) => None,
    };
    let may_hold = status
        .is_none_or(|status| !status.is_empty && status.users.into_iter().any(|uid| users.include(uid)));
    (may_hold && descends_from_a_step(pid)).then_some(Holder::Hidden)
}

/// The part of `/proc/PID/status` that every user can read.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    /// The real, the effective, the saved user and that of files: a program with the bit of another user keeps the real one.
    users: Vec<u32>,
    /// A zombie without further threads holds nothing.
    is_empty: bool,
}

impl Status {
    /// `None` when the text is not as it should be.
    fn read(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let users: Vec<u32> =
            field("Uid:")?.split_ascii_whitespace().map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let threads: u32 = field("Threads:")?.parse().ok()?;
        let has_ended = field("State:")?.starts_with(['Z', 'X']);
        (users.len() == 4).then_some(Self { users, is_empty: has_ended && threads <= 1 })
    }
}

/// `name:first:count`, a line each.
fn is_subordinate(text: &str, uid: u32) -> bool {
    text.lines().any(|line| {
        let mut parts = line.rsplit(':').map(|part| part.trim().parse::<u64>());
        let (Some(Ok(count)), Some(Ok(first))) = (parts.next(), parts.next()) else { return false };
        (first..first.saturating_add(count)).contains(&u64::from(uid))
    })
}

#[cfg(test)]
impl StepUsers {
    pub(super) fn of(engine: u32, subordinate: &str) -> Self {
        Self { engine, subordinate: subordinate.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step that keeps a socket in a chain of short-lived forks is dead when its handle is asked for.
    #[test]
    fn a_holder_that_is_dead_or_lets_go_is_lost() {
        // Above the highest number that Linux gives to a process.
        let dead = Pid::from_raw(i32::MAX).expect("a number");
        assert_eq!(judged(dead, |_| true), Holder::Lost);
        let alive = Pid::from_raw(1).expect("a number");
        assert_eq!(judged(alive, |_| false), Holder::Lost, "it let go before the second look");
        assert_eq!(judged(getpid(), |_| true), Holder::Engine);
    }

    #[test]
    fn a_step_runs_as_the_engine_or_as_a_subordinate_user() {
        let text = "ann:100000:65536\nodd\nbob:x:1\n1000:200000:1\n";
        let users = StepUsers::of(1000, text);
        for (uid, is_one) in [
            (0, false),
            (1000, true),
            (1001, false),
            (99_999, false),
            (100_000, true),
            (165_535, true),
            (165_536, false),
            (200_000, true),
        ] {
            assert_eq!(users.include(uid), is_one, "{uid}");
        }
        assert!(StepUsers::of(0, "").include(1000), "a step of root can be anybody");
    }

    #[test]
    fn a_hidden_process_shows_its_users_and_its_threads() {
        let text = |state: &str, users: &str, threads: &str| {
            format!("Name:\tsu\nState:\t{state}\nUid:\t{users}\nThreads:\t{threads}\n")
        };
        let read = |state, threads| Status::read(&text(state, "1000\t0\t0\t0", threads)).expect("read");
        assert_eq!(read("S (sleeping)", "1"), Status { users: vec![1000, 0, 0, 0], is_empty: false });
        assert!(read("Z (zombie)", "1").is_empty);
        assert!(!read("Z (zombie)", "2").is_empty, "its first thread alone has ended");
        for damaged in ["", "State:\tS\n", &text("S", "1000\t0\t0", "1"), &text("S", "x\t0\t0\t0", "1")] {
            assert_eq!(Status::read(damaged), None, "{damaged}");
        }
    }
}
