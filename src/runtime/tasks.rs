//! The only place where tasks start, so that every one of them is joined before the program ends.

use std::{future::Future, sync::Arc};
use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinHandle},
};
use tokio_util::task::TaskTracker;

/// Pieces of short work that are done at once: they keep processors busy, of which most machines have no more.
const WORK_AT_ONCE: usize = 4;

/// All tasks of one engine or seat.
#[derive(Clone, Debug)]
pub struct Tasks {
    all: TaskTracker,
    /// Room for short work.
    room: Arc<Semaphore>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { all: TaskTracker::default(), room: Arc::new(Semaphore::new(WORK_AT_ONCE)) }
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

    /// Does a short piece of work that somebody waits for, such as reading some files or masking a text, as soon as there is room: a few at
    /// once, however many ask. Memory that a thread has freed stays with it, so a thread for each who asks would hold some for each.
    ///
    /// # Errors
    /// When the work panics.
    pub async fn work<F, T>(&self, work: F) -> Result<T, JoinError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // Until the work is done, and until that is known: else the next one begins before this thread is free, on another.
        let place = Arc::new(Arc::clone(&self.room).acquire_owned().await);
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
    async fn short_work_waits_until_there_is_room_for_it() {
        let tasks = Tasks::default();
        let all = u32::try_from(WORK_AT_ONCE).expect("a small number");
        let others = Arc::clone(&tasks.room).acquire_many_owned(all).await.expect("room");
        assert!(timeout(Duration::from_mins(1), tasks.work(|| 1)).await.is_err(), "it has not begun");
        drop(others);
        assert_eq!(tasks.work(|| 2).await.ok(), Some(2));
    }
}
