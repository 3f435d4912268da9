//! The first process of a call, and the group that it leads.

use crate::guard::{Kin, Staged};
use crate::program::Obstacle;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, pidfd_open, waitid,
};
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};

/// The first process of a group. Dead but not reaped, it keeps the group's number from being given out again.
pub(super) struct Leader {
    child: Child,
    pub(super) pid: Pid,
    watch: Watch,
    reaped: bool,
    /// In a guard: where all that it starts is known, and by which name.
    pub(super) kin: Option<(Arc<Kin>, String)>,
    /// The release of a child that waits, and the explanation when that fails.
    pub(super) staged: Option<(Staged, Explain)>,
}

/// Turns an error of the start into a message for people.
pub(super) type Explain = Box<dyn Fn(&io::Error) -> Obstacle + Send>;

/// The source of the news that the process has ended.
enum Watch {
    Descriptor(AsyncFd<OwnedFd>),
    /// For kernels without process descriptors: a look after every SIGCHLD.
    Children(SignalStream),
}

impl Watch {
    #[expect(
        deprecated,
        reason = "an OwnedFd keeps its number while it lives, all that the unsafe form asks"
    )]
    fn new(pid: Pid) -> io::Result<Self> {
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => AsyncFd::with_interest(descriptor, Interest::READABLE).map(Self::Descriptor),
            Err(_) => signal(SignalKind::child()).map(Self::Children),
        }
    }
}

impl Leader {
    /// A child we cannot watch is ended at once, or nobody would.
    pub(super) fn new(mut child: Child) -> io::Result<Self> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child has a process id");
        let watch = Watch::new(pid).inspect_err(|_| {
            let _ = kill_process_group(pid, Signal::KILL);
            drop(child.kill());
            drop(child.wait());
        })?;
        Ok(Self { child, pid, watch, reaped: false, kin: None, staged: None })
    }

    /// Waits until it is dead; does not reap it.
    pub(super) async fn exited(&mut self) {
        match &mut self.watch {
            Watch::Descriptor(descriptor) => drop(descriptor.readable().await),
            Watch::Children(signals) => {
                let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
                while matches!(waitid(WaitId::Pid(self.pid), options), Ok(None)) {
                    signals.recv().await;
                }
            }
        }
    }

    /// TERM to the whole group, in a guard to all that is the step's, and CONT, since a stopped process would not hear it.
    pub(super) fn ask_to_end(&self) {
        for signal in [Signal::TERM, Signal::CONT] {
            self.signal(signal);
            self.signal_kin(signal);
        }
    }

    /// To all that is the step's, wherever it went; says how much there is.
    pub(super) fn signal_kin(&self, signal: Signal) -> usize {
        self.kin.as_ref().map_or(0, |(kin, attempt)| kin.signal(attempt, signal))
    }

    /// True if more than `most` processes of the step live.
    pub(super) fn has_more_than(&self, most: u64) -> bool {
        self.kin.as_ref().is_some_and(|(kin, attempt)| kin.count(attempt, most) > most)
    }

    /// Holds up all that is the step's, its group at once.
    pub(super) fn hold_kin(&self) {
        self.signal(Signal::STOP);
        if let Some((kin, attempt)) = &self.kin {
            kin.hold(attempt);
        }
    }

    /// True if any process of the step lives.
    pub(super) fn has_left(&self) -> bool {
        self.kin.as_ref().is_some_and(|(kin, attempt)| !kin.of(attempt).is_empty())
    }

    /// To the whole group, which exists as long as its leader is not reaped; to the leader alone before it has come so far as to make it.
    pub(super) fn signal(&self, signal: Signal) {
        if !self.reaped && kill_process_group(self.pid, signal).is_err() {
            // The only failure that is left is one that has just changed its user, which we may not signal.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Its status; it is dead, so this does not wait.
    pub(super) fn reap(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait();
        self.reaped = true;
        if let Some((kin, _)) = &self.kin {
            kin.ended(self.pid);
        }
        status
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if !self.reaped {
            self.signal(Signal::KILL);
            drop(self.reap());
        }
    }
}
