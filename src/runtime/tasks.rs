//! The only place where tasks start, so that every one of them is joined before the program ends.

use std::future::Future;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// All tasks of one engine or seat.
#[derive(Clone, Debug, Default)]
pub struct Tasks(TaskTracker);

impl Tasks {
    /// Starts something that waits.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(future)
    }

    /// Starts something that works or reads files, on a thread of its own.
    pub fn spawn_blocking<F, T>(&self, work: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.0.spawn_blocking(work)
    }

    /// Waits until all have ended.
    pub async fn join(&self) {
        self.0.close();
        self.0.wait().await;
    }
}
