//! The process at the other end of a unix socket, and whether a step may stand behind it. Kernel facts alone count.
//!
//! A person's process is one whose parents can be followed to the first process of the machine (or of the container), and
//! none of them is a guard or carries the [mark of a step](super::step_mark). Everything else counts as a step: a process
//! below a guard, and one that is gone, reaped, hidden or in another pid namespace. A guard is the subreaper of all
//! processes below it, so no fork, session or cleared environment leads past it; the mark holds after the guard was killed.
//! `sshd` counts as a step too: it passes on the connection of somebody whom the kernel of this machine cannot see.
//!
//! An engine that a step has started counts everybody as a step: that step may have made the namespaces in which it looks.

use super::{
    guard::{GUARD_WORD, process},
    orphan::carries_mark,
    step_mark,
};
use nix::sys::socket::{getsockopt, sockopt::PeerPidfd};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};
use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
};
use tokio::net::UnixStream;

/// Processes between one and the first of its machine.
const ANCESTORS_MAX: u32 = 1024;
/// Walks up that are begun again because a process on the way has died.
const WALKS_MAX: u32 = 16;

/// The process that has opened a connection, held by a descriptor, so that a reused process number is not taken for it.
#[derive(Debug)]
pub struct Peer {
    uid: u32,
    /// Nothing when the process has ended, or has no number in this pid namespace.
    process: Option<(Pid, OwnedFd)>,
}

impl Peer {
    /// The peer of a connection, as it was when it connected.
    ///
    /// # Errors
    /// When the kernel does not tell even its user.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        let told = stream.peer_cred()?;
        let pid = told.pid().filter(|pid| *pid > 0).and_then(Pid::from_raw);
        let process = pid.and_then(|pid| Some((pid, handle(stream, pid)?)));
        Ok(Self { uid: told.uid(), process })
    }

    /// User id of the peer.
    pub const fn uid(&self) -> u32 {
        self.uid
    }

    /// The number of its process; nothing when it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().and_then(|(pid, _)| pid.as_raw_nonzero().get().try_into().ok())
    }

    /// True when it must be taken for a step's. Asked again before each decision: a process that has ended has no identity.
    pub fn is_of_a_step(&self) -> bool {
        if !cfg!(target_os = "linux") {
            return false;
        }
        step_mark::is_on_us()
            || self.process.as_ref().is_none_or(|(pid, handle)| is_process_of_a_step(*pid, handle))
    }

    /// True when the process that listens at the other end must be taken for a step's. This is for those who attach to an engine, which
    /// they may have started.
    pub fn listens_for_a_step(&self) -> bool {
        cfg!(target_os = "linux")
            && self.process.as_ref().is_none_or(|(pid, handle)| is_a_steps(*pid, handle, Below::Counts))
    }
}

/// Reports if the process that a handle holds must be taken for a step's.
pub(super) fn is_process_of_a_step(pid: Pid, handle: &OwnedFd) -> bool {
    is_a_steps(pid, handle, Below::IsAStep)
}

/// The meaning of a process below this one that has no mark.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    /// To an engine: it starts nothing but steps.
    IsAStep,
    /// To a command: it may have started an engine.
    Counts,
}

fn is_a_steps(pid: Pid, handle: &OwnedFd, below: Below) -> bool {
    // In this order: what was read is its own, since it lived afterwards.
    // An engine in a container is one; a step that listens in namespaces of its own still has its mark.
    let is_elsewhere = below == Below::IsAStep && !is_in_our_pid_namespace(pid);
    descends(pid, below) || is_elsewhere || is_sshd(pid) || has_ended(handle)
}

/// True if a process is in our pid namespace. A process in another one has no descendants outside of it, and
/// mounts its own `/proc`.
fn is_in_our_pid_namespace(pid: Pid) -> bool {
    let of = |who: String| fs::read_link(format!("/proc/{who}/ns/pid")).ok();
    let ours = of("self".to_owned());
    ours.is_some() && of(pid.as_raw_nonzero().to_string()) == ours
}

/// The kernel's own handle to the peer. One that is made from the number could be that of a later process; only where the kernel is
/// older than the question (Linux 6.5) is there no other.
fn handle(stream: &UnixStream, pid: Pid) -> Option<OwnedFd> {
    match getsockopt(stream, PeerPidfd) {
        Ok(handle) => Some(handle),
        Err(nix::errno::Errno::ENOPROTOOPT) => pidfd_open(pid, PidfdFlags::empty()).ok(),
        Err(_) => None,
    }
}

fn has_ended(handle: impl AsFd) -> bool {
    let mut ends = [PollFd::new(&handle, PollFlags::IN)];
    !matches!(poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0))
}

/// True when this process was started by a step.
pub fn are_we_of_a_step() -> bool {
    cfg!(target_os = "linux") && (step_mark::is_on_us() || descends_from_a_step(rustix::process::getpid()))
}

/// Reports if a process must be taken for a step's by its parents and its mark, which are readable for everybody.
pub(super) fn descends_from_a_step(pid: Pid) -> bool {
    descends(pid, Below::IsAStep)
}

fn descends(pid: Pid, below: Below) -> bool {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    // Numbers of another namespace say nothing here.
    let numbers_are_ours =
        fs::read_link("/proc/self").is_ok_and(|link| link.as_os_str() == own.to_string().as_str());
    let mut walks = (0..WALKS_MAX).map(|_| comes_from_a_step(pid.as_raw_nonzero().get(), (own, below)));
    !numbers_are_ours || walks.find_map(|walk| walk).unwrap_or(true)
}

/// Nothing when the way up changed, or ended before the first process.
fn comes_from_a_step(pid: i32, (own, below): (i32, Below)) -> Option<bool> {
    let mut at = pid;
    for _ in 0..ANCESTORS_MAX {
        let this_process = process(at)?;
        let is_marked = step_mark::is_on(at)? || carries_mark(at);
        if this_process.is_dead
            || is_marked
            || is_guard(at)?
            || (at == own && at != pid && below == Below::IsAStep)
        {
            return Some(true);
        }
        if this_process.parent == 0 {
            return Some(false);
        }
        // A parent that has died was replaced by one further up, and its number may be another's: it counts when it is still the
        // parent after it was seen.
        process(this_process.parent)?;
        if process(at)?.parent != this_process.parent {
            return None;
        }
        at = this_process.parent;
    }
    None
}

/// The guard of any workspace, by the words that it was started with.
fn is_guard(pid: i32) -> Option<bool> {
    let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(words.split(|number| *number == 0).nth(1) == Some(GUARD_WORD.as_bytes()))
}

/// True when a process forwards connections for the other end of `ssh`. Its program is hidden from its own user,
/// since it was root's before; so a program that cannot be read counts as well.
fn is_sshd(pid: Pid) -> bool {
    let program = fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero()));
    let name = program.ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    name.is_none_or(|name| name.starts_with("sshd"))
}
