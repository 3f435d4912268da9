//! The owner of a workspace: the process that holds the lock, from start to end. Everybody else attaches to
//! it or only reads.
//!
//! The lock keeps two owners apart. The epoch in the database (see `journal`) stops an owner that lost the
//! lock unnoticed.

use crate::{StoreError, Workspace, below, schema};
use cuelight_base::Timestamp;
use rustix::fs::OFlags;
use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Proof that this process owns a workspace. Dropping it gives it up.
#[derive(Debug)]
pub struct Owner {
    lock: File,
    workspace: Workspace,
    /// The lock, as long as it does not stand in the place of that of another process.
    beside: Option<PathBuf>,
}

/// Why this process does not own it.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// Another process owns it.
    #[error(
        "could not take {}: {} has owned it since {since}; attach to it, or end it first",
        path.display(),
        pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    Held {
        /// The root of the workspace.
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
        workspace.check_all()?;
        workspace.stay_out_of_version_control()?;
        let path = workspace.dir().join("lock");
        let failed = |error: &io::Error| OwnerError::Store(StoreError::io("take", &path, error));
        loop {
            let lock = open(&path).map_err(|error| failed(&error))?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(held_by(workspace.root(), lock).map_err(|error| failed(&error))?);
                }
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
            }
            // Whoever takes it over puts another file in the place of this one.
            if is_at(&lock, &path) {
                return Self::written(lock, workspace).map_err(|error| failed(&error));
            }
        }
    }

    /// Takes the workspace from a process that has it and does not answer any more. Its log can be opened with what comes back; from then on
    /// the epoch of the log keeps that process out, and with [`Owner::settle`] its lock is another.
    ///
    /// # Errors
    /// When another process than this one has it, or it stands in the middle of a write, which nobody but itself can finish or give up.
    pub fn take_over(workspace: &Workspace, from: Option<u32>) -> Result<Self, OwnerError> {
        workspace.check_all()?;
        let path = workspace.dir().join("lock");
        let failed = |error: &io::Error| OwnerError::Store(StoreError::io("take over", &path, error));
        let refused = |why: String, next| Err(StoreError::refused("take over", &path, why, next).into());
        let has_it = below::read_text(&path).ok().and_then(|text| text.trim().parse().ok());
        if from.is_some() && from != has_it {
            return refused(
                "another process has it by now".to_owned(),
                "look who that is, and whether it answers",
            );
        }
        if schema::is_being_written(&workspace.db())? {
            let who = has_it.map_or_else(|| "it".to_owned(), |pid| format!("process {pid}"));
            let why = format!("{who} stands in the middle of a write, and what it has told is on disk");
            return refused(why, "end that process with `kill -9`, then start cuelight here");
        }
        let beside = workspace.dir().join(format!("lock-{}", std::process::id()));
        let take = || {
            let lock = open(&beside)?;
            lock.lock()?;
            Self::written(lock, workspace)
        };
        let mut owner = take().map_err(|error| failed(&error))?;
        owner.beside = Some(beside);
        Ok(owner)
    }

    /// Puts the lock in the place of that of the process it was taken from, which finds out by that.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn settle(&mut self) -> Result<(), StoreError> {
        let Some(beside) = self.beside.take() else { return Ok(()) };
        let path = self.workspace.dir().join("lock");
        fs::rename(beside, &path).map_err(|error| StoreError::io("take over", &path, &error))
    }

    fn written(mut lock: File, workspace: &Workspace) -> io::Result<Self> {
        lock.set_len(0)?;
        lock.write_all(format!("{}\n", std::process::id()).as_bytes())?;
        Ok(Self { lock, workspace: workspace.clone(), beside: None })
    }

    /// True if no other process has taken the workspace over. It is also true if this cannot be determined:
    /// the epoch of the log decides in the end.
    pub fn is_owner(&self) -> bool {
        self.beside.is_some() || is_at(&self.lock, &self.workspace.dir().join("lock"))
    }

    pub(super) fn owns(&self, workspace: &Workspace) -> bool {
        self.workspace == *workspace
    }
}

/// A process that another thread is just starting holds our files until it becomes another program; the lock goes at once.
impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // What is left is of no use to anybody, and in nobody's way.
            drop(fs::remove_file(beside));
        }
        drop(self.lock.unlock());
    }
}

fn open(path: &Path) -> io::Result<File> {
    below::open(path, OFlags::RDWR | OFlags::CREATE)
}

/// True if the open file is still the one at this path, or if that cannot be determined.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(file), Ok(named)) = (file.metadata(), fs::symlink_metadata(path)) else { return true };
    (file.dev(), file.ino()) == (named.dev(), named.ino())
}

fn held_by(root: &Path, mut lock: File) -> io::Result<OwnerError> {
    let mut text = String::new();
    lock.read_to_string(&mut text)?;
    let about = lock.metadata()?;
    let since = Timestamp(about.mtime() * 1000 + about.mtime_nsec() / 1_000_000);
    Ok(OwnerError::Held { path: root.to_owned(), pid: text.trim().parse().ok(), since })
}
