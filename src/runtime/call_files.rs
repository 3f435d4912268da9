//! Paths for the files of calls, and storage of evidence.

use super::{archive::Archive, in_flight::attempt_dir};
use cuelight_base::{AttemptId, Digest, RunId, Seq, sha256};
use cuelight_engine::Event;
use cuelight_store::{AppendError, Appended, Batch, Journal, Owner, Workspace};
use cuelight_tool::tidy_trees;
use std::{
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::{Arc, mpsc::sync_channel},
};
use tokio::sync::oneshot;

use super::{JournalPort, Tasks};

/// The files of a workspace, as far as calls need them.
#[derive(Clone, Debug)]
pub struct Keep {
    workspace: Workspace,
    trees: PathBuf,
    journal: Arc<Journal>,
    owner: Arc<Owner>,
}

impl Keep {
    /// Creates it for a workspace and its log. Captured workspaces are laid out below `trees`, outside of the
    /// workspace: programs that search parent directories would otherwise find the workspace's files.
    pub fn new(workspace: Workspace, trees: Option<&Path>, journal: Arc<Journal>, owner: Arc<Owner>) -> Self {
        let place = sha256("cuelight-place-v1", &[workspace.root().as_os_str().as_bytes()]);
        let trees = trees.map_or_else(|| workspace.trees(), |trees| trees.join(place.to_string()));
        Self { workspace, trees, journal, owner }
    }

    /// Directory of the workspaces that gates of a run have captured.
    pub(super) fn snapshots(&self, run: RunId) -> PathBuf {
        self.workspace.snapshots().join(run.to_string())
    }

    /// Directory of the captured workspace with this name.
    pub(super) fn tree(&self, name: &str) -> PathBuf {
        self.trees.join(name)
    }

    /// Parent directory of captured workspaces, also those of other workspaces.
    pub(super) fn copies(&self) -> &Path {
        self.trees.parent().unwrap_or(&self.trees)
    }

    /// Removes captured workspaces that nobody needs any more: of calls that are over, and of runs that rest.
    pub(super) fn tidy(&self, is_in_flight: impl Fn(&str) -> bool, is_open: impl Fn(&str) -> bool) {
        tidy_trees(&self.trees, is_in_flight);
        tidy_trees(&self.workspace.snapshots(), is_open);
    }

    /// True if nobody has taken the workspace over.
    pub(super) fn is_ours(&self) -> bool {
        self.owner.is_owner()
    }

    pub(super) fn root(&self) -> &Path {
        self.workspace.root()
    }

    pub(super) fn attempt_dir(&self, attempt: AttemptId) -> PathBuf {
        attempt_dir(&self.workspace.spool(), attempt)
    }

    /// Keeps bytes under their digest; returns when they are on disk. Waits, so it has a thread of its own.
    pub(super) fn put(&self, bytes: Vec<u8>) -> Result<Digest, String> {
        let (sender, receiver) = sync_channel(1);
        self.journal.put_blob(bytes, move |result| drop(sender.send(result)));
        match receiver.recv() {
            Ok(result) => result.map_err(|error| error.to_string()),
            Err(_) => Err("could not record: the writer has ended; start cuelight again".to_owned()),
        }
    }
}

/// The log as the loop sees it.
pub(super) struct Log {
    pub(super) journal: Arc<Journal>,
    pub(super) archive: Archive,
    pub(super) tasks: Tasks,
}

impl JournalPort for Log {
    async fn append(&mut self, batch: Arc<Batch>) -> Result<Appended, AppendError> {
        let (sender, receiver) = oneshot::channel();
        self.journal.append(batch, move |result| drop(sender.send(result)));
        receiver.await.unwrap_or_else(|_| Err(AppendError::Fatal("its writer has ended".to_owned())))
    }

    async fn history(&mut self, run: RunId) -> Result<Vec<(Seq, Event)>, String> {
        let archive = self.archive.clone();
        let read = self.tasks.spawn_blocking(move || archive.history(run).map_err(|error| error.to_string()));
        read.await.unwrap_or_else(|_| Err("could not read the log: a fault of cuelight".to_owned()))
    }

    async fn has_room(&mut self) -> bool {
        let journal = Arc::clone(&self.journal);
        self.tasks.spawn_blocking(move || journal.has_room()).await.unwrap_or(false)
    }
}
