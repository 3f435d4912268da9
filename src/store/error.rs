//! The errors of the store, in sentences that finish "could not …" and name the next step.

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
        /// The action that failed: `open`, `create`, `read`.
        doing: &'static str,
        /// The path that it concerned.
        path: PathBuf,
        /// The reason for the failure.
        why: String,
        /// The next step for a person.
        next: &'static str,
    },
    /// A later cuelight wrote it; nothing was changed.
    #[error(
        "could not open {}: written by a newer cuelight (schema {found}, this one knows {known}); \
         use that version, or another --workspace",
        path.display()
    )]
    Newer {
        /// The path of the database.
        path: PathBuf,
        /// The schema version of the database.
        found: i64,
        /// The newest schema version known here.
        known: i64,
    },
    /// The file differs from what was written; nothing was changed.
    #[error(
        "could not read {}: it is damaged ({what}); keep a copy of it, then restore a backup, or move it away \
         to begin anew",
        path.display()
    )]
    Damaged {
        /// The path of the database.
        path: PathBuf,
        /// The damage that was found.
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

    /// The error of the system, with the next step: `could not DOING PATH: …`.
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
    /// The content of the disk is unknown; this journal never writes again.
    #[error("could not record: {0}; look at the disk, then restart cuelight")]
    Fatal(String),
}

/// The consequence of a failed statement for its caller.
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
        Some(sqlite_error) if sqlite_error.code == ErrorCode::DatabaseBusy => Meaning::Wait,
        Some(sqlite_error) if sqlite_error.code == ErrorCode::DiskFull => Meaning::NoSpace,
        Some(sqlite_error)
            if matches!(sqlite_error.extended_code, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE) =>
        {
            Meaning::PerhapsNoSpace
        }
        _ => Meaning::Fatal,
    }
}
