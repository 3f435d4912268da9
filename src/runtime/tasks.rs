//! The only place where tasks start, so that every one of them is joined before the program ends.

use std::{future::Future, sync::Arc};
use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinHandle},
};
use tokio_util::task::TaskTracker;

/// Pieces of work of one kind that are done at once: they keep processors busy, of which most machines have no more.
const WORK_AT_ONCE: usize = 4;

/// Kind of a piece of work that somebody waits for. Each kind has its own limit, so that quick work does not
/// wait behind work that reads many files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorkKind {
    /// A text is masked or judged.
    Text,
    /// Files are read, or something that was made of them is looked at.
    Files,
}

/// All tasks of one engine or seat.
#[derive(Clone, Debug)]
pub struct Tasks {
    all: TaskTracker,
    room_for_texts: Arc<Semaphore>,
    room_for_files: Arc<Semaphore>,
}

impl Default for Tasks {
    fn default() -> Self {
        let room = || Arc::new(Semaphore::new(WORK_AT_ONCE));
        Self { all: TaskTracker::default(), room_for_texts: room(), room_for_files: room() }
    }
}

impl Tasks {
    /// Starts something that waits.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.all.spawn(future)
    }

    /// Starts something that works or reads files, on a thread of its own.
    pub fn spawn_blocking<F, T>(&self, work: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.all.spawn_blocking(work)
    }

    /// Does a piece of work that somebody waits for as soon as there is room: a few of a kind at once, however many ask. Memory that a thread has freed stays with it, so a thread for each who asks would hold some for each.
    ///
    /// # Errors
    /// When the work panics.
    pub(super) async fn work<F, T>(&self, kind: WorkKind, work: F) -> Result<T, JoinError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // Until the work is done, and until that is known: else the next one begins before this thread is free, on another.
        let place = Arc::new(self.room(kind).acquire_owned().await);
        let held = Arc::clone(&place);
        let done = self.spawn_blocking(move || {
            let done = work();
            drop(held);
            done
        });
        let done = done.await;
        drop(place);
        done
    }

    fn room(&self, kind: WorkKind) -> Arc<Semaphore> {
        Arc::clone(match kind {
            WorkKind::Text => &self.room_for_texts,
            WorkKind::Files => &self.room_for_files,
        })
    }

    /// Waits until all have ended.
    pub async fn join(&self) {
        self.all.close();
        self.all.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    /// Time that stands still goes on only while no thread works: so nothing was begun when it is over.
    #[tokio::test(start_paused = true)]
    async fn work_waits_until_there_is_room_for_it_and_for_no_work_of_another_kind() {
        let tasks = Tasks::default();
        let all = u32::try_from(WORK_AT_ONCE).expect("a small number");
        for (kind, other) in [(WorkKind::Text, WorkKind::Files), (WorkKind::Files, WorkKind::Text)] {
            let others = tasks.room(kind).acquire_many_owned(all).await.expect("room");
            let waits = timeout(Duration::from_mins(1), tasks.work(kind, || 1)).await;
            assert!(waits.is_err(), "{kind:?} has not begun");
            assert_eq!(tasks.work(other, || 2).await.ok(), Some(2));
            drop(others);
            assert_eq!(tasks.work(kind, || 3).await.ok(), Some(3));
        }
    }
}
