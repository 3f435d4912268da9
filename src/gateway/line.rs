//! A line: both directions of one socket, each with a task of its own and a bounded queue, so that reading never waits
//! for writing and a message is never cut in two by somebody who stops waiting for it.

use super::frame::{receive, send};
use cuelight_runtime::Tasks;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use tokio::{
    io::{BufReader, BufWriter},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Messages that wait in each direction.
const QUEUE_MAX: usize = 64;
/// A peer that takes nothing for so long is gone.
const WRITE_MAX: Duration = Duration::from_secs(30);
/// When we go, what is still to be said has so long to go out: the answer to who ended the last run, say.
pub(super) const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// One end of a socket: `I` comes in, `O` goes out. Both tasks end when it is dropped; what was sent goes out first.
pub(super) struct Line<I, O> {
    /// Ends when the other side has gone or talks nonsense.
    pub(super) incoming: mpsc::Receiver<I>,
    /// Fails when the other side has gone.
    pub(super) outgoing: mpsc::Sender<O>,
    _reading: DropGuard,
}

impl<I: DeserializeOwned + Send + 'static, O: Serialize + Send + Sync + 'static> Line<I, O> {
    pub(super) fn new(stream: UnixStream, tasks: &Tasks, closing: &CancellationToken) -> Self {
        let (reader, writer) = stream.into_split();
        let (arrived, incoming) = mpsc::channel(QUEUE_MAX);
        let (outgoing, to_send) = mpsc::channel(QUEUE_MAX);
        let reading = closing.child_token();
        tasks.spawn(read_all(reader, arrived, reading.clone()));
        tasks.spawn(write_all(writer, to_send, closing.clone()));
        Self { incoming, outgoing, _reading: reading.drop_guard() }
    }
}

async fn read_all<I: DeserializeOwned>(
    reader: OwnedReadHalf,
    arrived: mpsc::Sender<I>,
    stop: CancellationToken,
) {
    let mut reader = BufReader::new(reader);
    let all = async {
        while let Ok(Some(message)) = receive(&mut reader).await {
            if arrived.send(message).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = all => {}
    }
}

async fn write_all<O: Serialize>(
    writer: OwnedWriteHalf,
    mut to_send: mpsc::Receiver<O>,
    closing: CancellationToken,
) {
    let mut writer = BufWriter::new(writer);
    let all = async {
        while let Some(message) = to_send.recv().await {
            if !matches!(timeout(WRITE_MAX, send(&mut writer, &message)).await, Ok(Ok(()))) {
                return;
            }
        }
    };
    tokio::pin!(all);
    tokio::select! {
        () = &mut all => return,
        () = closing.cancelled() => {}
    }
    drop(timeout(FAREWELL_MAX, all).await);
}
