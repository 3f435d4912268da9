//! Who owns a workspace: the process that holds the lock, from start to end. Everybody else attaches to it or only reads.
//!
//! The lock keeps two owners apart; the epoch in the database (see `journal`) keeps out one that lost it and does not know.

use crate::{
    base::Timestamp,
    store::{StoreError, Workspace},
};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// Proof that this process owns a workspace. Dropping it gives it up.
#[derive(Debug)]
pub struct Owner {
    lock: File,
    workspace: Workspace,
}

/// Why this process does not own it.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// Another process does.
    #[error(
        "could not take {}: {} has owned it since {since}; attach to it, or end it first",
        path.display(),
        pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    Held {
        /// The workspace.
        path: PathBuf,
        /// Its owner; unknown for the instant in which it has the lock and has not yet written its number.
        pid: Option<u32>,
        /// When it took it.
        since: Timestamp,
    },
    /// The workspace cannot be used at all.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Owner {
    /// Takes the workspace, or says who has it. Never waits.
    pub fn take(workspace: &Workspace) -> Result<Self, OwnerError> {
        workspace.check()?;
        let path = workspace.dir().join("lock");
        let failed = |error: &io::Error| OwnerError::Store(StoreError::io("take", &path, error));
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| failed(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(held_by(workspace.root(), lock).map_err(|it| failed(&it))?);
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        lock.set_len(0)
            .and_then(|()| lock.write_all(format!("{}\n", std::process::id()).as_bytes()))
            .map_err(|error| failed(&error))?;
        Ok(Self { lock, workspace: workspace.clone() })
    }

    pub(super) fn owns(&self, workspace: &Workspace) -> bool {
        self.workspace == *workspace
    }
}

/// A process that another thread is just starting holds our files until it becomes another program; the lock goes at once.
impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.lock.unlock());
    }
}

fn held_by(root: &Path, mut lock: File) -> io::Result<OwnerError> {
    let mut text = String::new();
    lock.read_to_string(&mut text)?;
    let about = lock.metadata()?;
    let since = Timestamp(about.mtime() * 1000 + about.mtime_nsec() / 1_000_000);
    Ok(OwnerError::Held { path: root.to_owned(), pid: text.trim().parse().ok(), since })
}
