//! What can go wrong with what is kept, in sentences that finish "could not …" and say what to do next.

use rusqlite::{Error as SqlError, ErrorCode, ffi};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the workspace or its database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something stands in the way that a person can move.
    #[error("could not {doing} {}: {why}; {next}", path.display())]
    Refused {
        /// What was tried: `open`, `create`, `read`.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What stood in the way.
        why: String,
        /// What helps.
        next: &'static str,
    },
    /// A later cuelight wrote it; nothing was changed.
    #[error(
        "could not open {}: written by a newer cuelight (schema {found}, this one knows {known}); \
         use that version, or another --workspace",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// What is there is not what was written; nothing was changed.
    #[error(
        "could not read {}: it is damaged ({what}); keep a copy of it, then restore a backup, or move it away \
         to begin anew",
        path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What was found.
        what: String,
    },
}

impl StoreError {
    pub(super) fn refused(
        doing: &'static str,
        path: &Path,
        why: impl Into<String>,
        next: &'static str,
    ) -> Self {
        Self::Refused { doing, path: path.to_owned(), why: why.into(), next }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }

    /// What the system said, and what to do about it: `could not DOING PATH: …`.
    pub fn io(doing: &'static str, path: &Path, error: &io::Error) -> Self {
        if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
            return Self::refused(doing, path, "it is a symbolic link, or one leads to it", "remove it");
        }
        let next = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on that disk",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "allow writing there, or choose another place with --workspace"
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => {
                "move what is in its place, or choose another place with --workspace"
            }
            io::ErrorKind::FileTooLarge => "shorten it, or remove it",
            _ => "look at that disk, or choose another place with --workspace",
        };
        Self::refused(doing, path, error.to_string(), next)
    }

    pub(super) fn sql(doing: &'static str, path: &Path, error: &SqlError) -> Self {
        let next = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                return Self::damaged(path, error.to_string());
            }
            Some(ErrorCode::DiskFull) => "make room on that disk",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "close the other program that holds it, then try again"
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                "allow reading and writing there, or choose another place with --workspace"
            }
            // A value of the wrong type or size where we wrote another: somebody else's hand.
            None => return Self::damaged(path, error.to_string()),
            Some(_) => "look at that disk, then try again",
        };
        Self::refused(doing, path, error.to_string(), next)
    }
}

/// Why a batch is not on disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The disk is full. Nothing was recorded; the same batch may be appended again.
    #[error("could not record: the disk is full; make room, it goes on by itself")]
    NoSpace,
    /// Another owner took the database over; this one never writes again.
    #[error("could not record: another cuelight has taken over this workspace; attach to it")]
    Fenced,
    /// What is on disk is not known; this journal never writes again.
    #[error("could not record: {0}; look at the disk, then restart cuelight")]
    Fatal(String),
}

/// What a failed statement means for the one who waits for it.
pub(super) enum Meaning {
    /// Somebody else holds the lock. Nothing was begun, so waiting loses nothing.
    Wait,
    /// The disk is full, for sure.
    NoSpace,
    /// A write failed before any sync: a quota looks like this, and so does a dying disk.
    PerhapsNoSpace,
    /// The rest: after a failed sync, above all, nobody knows what is on disk.
    Fatal,
}

pub(super) fn meaning(error: &SqlError) -> Meaning {
    match error.sqlite_error() {
        Some(it) if it.code == ErrorCode::DatabaseBusy => Meaning::Wait,
        Some(it) if it.code == ErrorCode::DiskFull => Meaning::NoSpace,
        Some(it) if matches!(it.extended_code, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE) => {
            Meaning::PerhapsNoSpace
        }
        _ => Meaning::Fatal,
    }
}
