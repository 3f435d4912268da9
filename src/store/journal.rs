//! The one log: events in order, each batch whole or not at all, and on disk before anybody hears of it.
//!
//! Opening checks what is there and takes the next epoch; from then on one thread writes (see `writer`).

use super::verified::{self, Told, Verified};
use crate::{
    AppendError, Owner, Reader, StoreError, Workspace, chain,
    checkpoint::Notary,
    schema,
    writer::{self, Request, Writer},
};
use cuelight_base::{DecisionId, Digest, Epoch, GateId, INBOX_BATCHES_MAX, RunId, Seq, Span, Timestamp};
use cuelight_engine::Event;
use rusqlite::Connection;
use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{SendError, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
};

/// Records that are verified before anything is written; of a longer log, the last ones.
const VERIFIED_AT_START: u64 = 100_000;

/// Events and marks that are appended in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// In order. Whole commands, never a part of one.
    pub events: Vec<Event>,
    /// The marks that are set with the events.
    pub marks: Vec<Mark>,
    /// The time since the machine started, time asleep included; compared with wall time, it shows a clock
    /// that jumps.
    pub uptime: Span,
}

/// Facts that the store needs besides events, because it does not interpret them. They serve an index, and
/// the second protection of gates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A run is there, and is folded at the next start.
    RunOpened(RunId),
    /// The run ended; its events are read when somebody looks.
    RunRested(RunId),
    /// Somebody decided. Once for each decision, and once for each principal at one epoch of a gate.
    Voted {
        /// The id of the decision.
        decision: DecisionId,
        /// The gate that was answered.
        gate: GateId,
        /// The epoch of the ask.
        epoch: Epoch,
        /// The principal who decided.
        principal: String,
    },
    /// A gate closed, once.
    Resolved {
        /// The gate that closed.
        gate: GateId,
        /// The epoch of the ask.
        epoch: Epoch,
    },
}

/// The place of a batch in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The first event of the batch.
    pub first: Seq,
    /// Its last one; before `first` when the batch had none.
    pub last: Seq,
}

/// The state of the log when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// True if the log did not exist before.
    pub created: bool,
    /// The number of times that this log was opened for writing.
    pub epoch: u64,
    /// The last event, and its hash.
    pub head: (Seq, Digest),
    /// The time of the last event.
    pub last_at: Option<Timestamp>,
}

/// The log, to be written by its owner. Dropping it waits until all that was handed over is answered.
#[derive(Debug)]
pub struct Journal {
    inbox: Option<SyncSender<Request>>,
    closing: Arc<AtomicBool>,
    writer: Option<JoinHandle<()>>,
    workspace: Workspace,
}

impl Journal {
    /// Opens the log of a workspace, making or lifting it as needed. `seed` is 32 bytes that nobody can guess.
    pub fn open(workspace: &Workspace, owner: &Owner, seed: [u8; 32]) -> Result<(Self, Opened), StoreError> {
        let (journal, opened, ()) = Self::open_reading(workspace, owner, seed, |_| Ok(()))?;
        Ok((journal, opened))
    }

    /// The same; `read` takes in the events on a thread of its own while they are verified. It sees none that was not,
    /// and what it made of them is worth nothing when the log is not taken up.
    pub fn open_reading<T: Send>(
        workspace: &Workspace,
        owner: &Owner,
        seed: [u8; 32],
        read: impl FnOnce(&mut Verified) -> Result<T, StoreError> + Send,
    ) -> Result<(Self, Opened, T), StoreError> {
        let path = workspace.db();
        if !owner.owns(workspace) {
            return Err(StoreError::refused("open", &path, "this process does not own it", "take it first"));
        }
        workspace.check()?;
        let created = is_nothing(&path);
        if created {
            schema::create(&path)?;
        } else {
            make_private(&path).map_err(|error| StoreError::io("open", &path, &error))?;
        }
        let connection = schema::open_to_write(&path)?;
        let reader = Reader::open(workspace)?;
        let ((head, last_at), seen) =
            verified::both(workspace, |told| examine(workspace, &reader, told), read)?;
        let notary = notary_of(workspace, &seed, head, &reader)?;
        drop(reader);
        // The last step of opening: from here on an older owner that is still alive cannot append. Had it come first,
        // a log that is then found damaged would have lost its owner for nothing.
        let epoch = take_up(&connection).map_err(|error| StoreError::sql("open", &path, &error))?;
        let closing = Arc::new(AtomicBool::new(false));
        let writer = Writer::new(connection, workspace, epoch, head, (seed, notary), Arc::clone(&closing));
        let (inbox, requests) = sync_channel(INBOX_BATCHES_MAX);
        let thread = Builder::new()
            .name("writer".to_owned())
            .spawn(move || writer.run(&requests))
            .map_err(|error| StoreError::io("open", &path, &error))?;
        let journal =
            Self { inbox: Some(inbox), closing, writer: Some(thread), workspace: workspace.clone() };
        Ok((journal, Opened { created, epoch, head, last_at }, seen))
    }

    /// Hands a batch over; `reply` is called by the writer when it is on disk, or is not. Waits only when
    /// `INBOX_BATCHES_MAX` are waiting already. A batch behind one that found no space must not be handed over before
    /// that one is recorded.
    pub fn append(
        &self,
        batch: impl Into<Arc<Batch>>,
        reply: impl FnOnce(Result<Appended, AppendError>) + Send + 'static,
    ) {
        self.send(Request::Append(batch.into(), Box::new(reply)));
    }

    /// Keeps a value; `reply` is told its digest when it is on disk.
    pub fn put_blob(&self, bytes: Vec<u8>, reply: impl FnOnce(Result<Digest, AppendError>) + Send + 'static) {
        self.send(Request::Blob(bytes, Box::new(reply)));
    }

    /// True if the disk accepts a synced probe again. Callers ask between two tries after `NoSpace`.
    pub fn has_room(&self) -> bool {
        writer::has_room(&self.workspace)
    }

    fn send(&self, request: Request) {
        let sent = match &self.inbox {
            Some(inbox) => inbox.send(request),
            None => Err(SendError(request)),
        };
        if let Err(SendError(request)) = sent {
            let ended = AppendError::Fatal("its writer has ended".to_owned());
            match request {
                Request::Append(_, reply) => reply(Err(ended)),
                Request::Blob(_, reply) => reply(Err(ended)),
            }
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // First the flag: a writer that waits for a busy database gives up by it, and answers; then no more requests.
        self.closing.store(true, Ordering::Release);
        drop(self.inbox.take());
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has answered nobody since; there is nothing left to do for it.
            drop(writer.join());
        }
    }
}

/// True if no database exists yet: no file, or an empty one.
fn is_nothing(path: &Path) -> bool {
    fs::metadata(path).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |file| file.len() == 0)
}

/// The database and what lies beside it are for their user alone.
fn make_private(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        match fs::set_permissions(schema::beside(path, suffix), Permissions::from_mode(0o600)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            set => set?,
        }
    }
    Ok(())
}

/// Looks at what is there before anything is written to it.
fn examine(
    workspace: &Workspace,
    reader: &Reader,
    told: &mut Told,
) -> Result<((Seq, Digest), Option<Timestamp>), StoreError> {
    let (head, _) = reader.head()?;
    let from = Seq(head.0.saturating_sub(VERIFIED_AT_START - 1).max(1));
    told.holds_until(Seq(from.0 - 1));
    let verified = chain::verify_telling(reader, from, &mut |seq| told.holds_until(seq));
    told.all();
    // Pages that do not fit together say more than the record that could not be read from them.
    reader.quick_check()?;
    let verified = verified.map_err(|broken| {
        StoreError::damaged(&workspace.db(), format!("event {}: {}", broken.seq.0, broken.kind))
    })?;
    Ok((verified.head, verified.last_at))
}

/// The signer of heads from now on. A log that is shorter than its last signed head is refused.
fn notary_of(
    workspace: &Workspace,
    seed: &[u8; 32],
    head: (Seq, Digest),
    reader: &Reader,
) -> Result<Notary, StoreError> {
    let notary = Notary::open(workspace, seed)?;
    if let Some((size, hash)) = notary.last()
        && (size > head.0 || reader.hash_of(size)? != Some(hash))
    {
        return Err(StoreError::refused(
            "open",
            &workspace.db(),
            format!("record {size} was signed, and this log does not have it: it was cut, or is an old copy"),
            "restore the newer copy, or move .cuelight/checkpoints away to go on from here",
        ));
    }
    Ok(notary)
}

/// The next epoch. The holder of an earlier one finds out at its next append.
fn take_up(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "UPDATE head SET owner_epoch = owner_epoch + 1 RETURNING owner_epoch";
    let epoch: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(epoch.unsigned_abs())
}
