//! Threads that start programs for a guard. The kernel holds up a thread that starts a program until the
//! program has begun, and a guard has one thread for all else: with several programs to start, these do it
//! side by side.
//!
//! Also for what ends with its guard: a death signal is that of the thread that started it (decision 15), and these end when their guard
//! does, and not before.

use super::spare::{Bench, Spare};
use std::{
    io,
    os::unix::net::UnixStream,
    process::{Child, Command},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};
use tokio::sync::oneshot;

/// More than a machine can start at once is of no use.
const HANDS_MAX: usize = 4;
/// Programs that wait for a hand.
const WAITING_MAX: usize = 64;

struct Job {
    command: Command,
    begun: Begun,
}

/// The receiver of the news that a program was started.
enum Begun {
    Awaited(oneshot::Sender<io::Result<Child>>),
    /// Nobody yet: it is put there, with the line to it.
    Ahead(UnixStream, Bench),
}

/// The threads; they are joined when this is dropped.
pub(crate) struct Hands {
    jobs: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Hands {
    /// As many as this machine can use; none where threads cannot be had, and then nothing is handed over.
    pub(super) fn new() -> Self {
        let (jobs, waiting) = sync_channel(WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        let count = thread::available_parallelism().map_or(1, usize::from).min(HANDS_MAX);
        let work = |_| {
            let waiting = Arc::clone(&waiting);
            thread::Builder::new().name("hand".to_owned()).spawn(move || serve(&waiting)).ok()
        };
        let threads: Vec<_> = (0..count).filter_map(work).collect();
        Self { jobs: (!threads.is_empty()).then_some(jobs), threads }
    }

    /// Starts a program on another thread, or on this one where all are busy.
    pub(crate) async fn spawn(&self, mut command: Command) -> io::Result<Child> {
        let Some(jobs) = &self.jobs else { return command.spawn() };
        let (begun, child) = oneshot::channel();
        match jobs.try_send(Job { command, begun: Begun::Awaited(begun) }) {
            Ok(()) => child.await.map_err(|_| io::Error::other("a fault of cuelight"))?,
            Err(full) => {
                let (std::sync::mpsc::TrySendError::Full(mut job)
                | std::sync::mpsc::TrySendError::Disconnected(mut job)) = full;
                job.command.spawn()
            }
        }
    }

    /// Starts a child that nobody waits for, and puts it on the bench; not where all are busy.
    pub(super) fn start_ahead(&self, command: Command, line: UnixStream, bench: &Bench) {
        let job = Job { command, begun: Begun::Ahead(line, bench.clone()) };
        if self.jobs.as_ref().is_none_or(|jobs| jobs.try_send(job).is_err()) {
            bench.put(None);
        }
    }
}

fn serve(waiting: &Mutex<Receiver<Job>>) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { mut command, begun }) = job else { return };
        let child = command.spawn();
        // With our end of its pipe: else that would not end with the program.
        drop(command);
        match begun {
            Begun::Awaited(begun) => {
                if let Err(Ok(mut child)) = begun.send(child) {
                    // Whoever asked has gone, and nobody else would end it.
                    drop(child.kill());
                    drop(child.wait());
                }
            }
            Begun::Ahead(line, bench) => bench.put(child.ok().map(|child| Spare { child, line })),
        }
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}
