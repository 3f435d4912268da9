//! The one thread that writes. Each batch is one synced transaction; what it says is hashed and stored from the same bytes.
//!
//! After an error that leaves open what is on disk it never writes again: every later batch gets the same answer.

use crate::{
    AppendError, Appended, Batch, Mark, Workspace, below, blob,
    chain::{self, Header, Salt},
    checkpoint::Notary,
    codec,
    error::{Meaning, meaning},
    reader::number,
};
use cuelight_base::{Digest, EVENT_BYTES_MAX, EVENT_INLINE_BYTES_MAX, RunId, Seq};
use cuelight_engine::Event;
use rusqlite::{Connection, Error as SqlError, Transaction, TransactionBehavior, params};
use rustix::fs::OFlags;
use std::{
    fs,
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

/// Written and synced to see whether there is room again.
const PROBE_BYTES: usize = 1024 * 1024;
/// The bytes that a commit adds to the write-ahead log besides its events: the pages it touches.
const COMMIT_WAL_BYTES: usize = 24 * 1024;
/// The bytes that an event adds besides its payload.
const EVENT_WAL_BYTES: usize = 400;
/// The write-ahead log is moved into the database when it has grown by about this.
const CHECKPOINT_BYTES: usize = 16 * 1024 * 1024;
/// A head is signed after so many records,
const SIGNED_EVERY: u64 = 1_000;
/// after so long with fewer, after each decision, and at the end.
const SIGNED_AFTER: Duration = Duration::from_mins(1);

pub(super) type Reply<T> = Box<dyn FnOnce(Result<T, AppendError>) + Send>;

pub(super) enum Request {
    Append(Arc<Batch>, Reply<Appended>),
    Blob(Vec<u8>, Reply<Digest>),
}

pub(super) struct Writer {
    connection: Connection,
    workspace: Workspace,
    epoch: u64,
    head: (Seq, Digest),
    seed: [u8; 32],
    notary: Notary,
    boot: String,
    /// Since the last checkpoint, about.
    wal_bytes: usize,
    /// Why it writes no more.
    ended: Option<AppendError>,
    closing: Arc<AtomicBool>,
}

/// Why a transaction did not happen.
enum Failed {
    Sql(SqlError),
    Known(AppendError),
}

/// A record, ready to be stored.
struct Row {
    seq: Seq,
    run: Option<RunId>,
    kind: &'static str,
    at: i64,
    payload: String,
    salt: Salt,
    payload_hash: Digest,
    prev: Digest,
    hash: Digest,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        workspace: &Workspace,
        epoch: u64,
        head: (Seq, Digest),
        (seed, notary): ([u8; 32], Notary),
        closing: Arc<AtomicBool>,
    ) -> Self {
        let workspace = workspace.clone();
        Self {
            connection,
            workspace,
            epoch,
            head,
            seed,
            notary,
            boot: boot(),
            wal_bytes: 0,
            ended: None,
            closing,
        }
    }

    /// Until nobody can ask any more and all who asked are answered.
    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        while let Some(request) = self.next(requests) {
            match request {
                Request::Append(batch, reply) => {
                    reply(self.lasting(|writer| writer.append(&batch)));
                    let decides = batch.marks.iter().any(|mark| matches!(mark, Mark::Resolved { .. }));
                    if decides || self.unsigned() >= SIGNED_EVERY {
                        self.sign();
                    }
                }
                Request::Blob(bytes, reply) => reply(self.lasting(|writer| writer.put_blob(&bytes))),
            }
            if self.wal_bytes >= CHECKPOINT_BYTES && self.ended.is_none() {
                self.checkpoint();
            }
        }
        self.sign();
    }

    /// The next request. After a minute without one, what is not signed yet is signed.
    fn next(&mut self, requests: &Receiver<Request>) -> Option<Request> {
        if self.unsigned() > 0 && self.ended.is_none() {
            match requests.recv_timeout(SIGNED_AFTER) {
                Ok(request) => return Some(request),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.sign(),
            }
        }
        requests.recv().ok()
    }

    /// Records that no signed head covers.
    fn unsigned(&self) -> u64 {
        self.head.0.0 - self.notary.last().map_or(0, |pair| pair.0.0)
    }

    /// Signs the head. Where that cannot be written, the next one covers it too; the log itself does not depend on it.
    fn sign(&mut self) {
        if self.ended.is_none() && self.unsigned() > 0 && self.is_owner() {
            let _left_to_the_next = self.notary.sign(self.head);
        }
    }

    /// True if no other process has taken the log over. Only the owner signs it.
    fn is_owner(&self) -> bool {
        let read = "SELECT owner_epoch FROM head";
        self.connection
            .query_row(read, [], |row| row.get(0))
            .is_ok_and(|epoch: i64| epoch == number(self.epoch))
    }

    /// Tries until it is known what became of it.
    fn lasting<T>(&mut self, mut work: impl FnMut(&mut Self) -> Result<T, Failed>) -> Result<T, AppendError> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        loop {
            let error = match work(self) {
                Ok(done) => return Ok(done),
                Err(Failed::Known(error)) => error,
                Err(Failed::Sql(error)) => match meaning(&error) {
                    Meaning::Wait if !self.closing.load(Ordering::Acquire) => continue,
                    Meaning::NoSpace => AppendError::NoSpace,
                    Meaning::PerhapsNoSpace if !has_room(&self.workspace) => AppendError::NoSpace,
                    _ => AppendError::Fatal(error.to_string()),
                },
            };
            if error != AppendError::NoSpace {
                self.ended = Some(error.clone());
            }
            return Err(error);
        }
    }

    fn append(&mut self, batch: &Batch) -> Result<Appended, Failed> {
        let rows = self.link(batch)?;
        let head = rows.last().map_or(self.head, |row| (row.seq, row.hash));
        let appended = Appended { first: Seq(self.head.0.0 + 1), last: head.0 };
        let transaction = begin(&mut self.connection)?;
        move_head(&transaction, self.epoch, self.head.0, head)?;
        let payload_bytes = insert(&transaction, &rows, &self.boot, batch.uptime.0)?;
        batch.marks.iter().try_for_each(|mark| set_mark(&transaction, mark, appended))?;
        transaction.commit()?;
        self.head = head;
        self.wal_bytes += COMMIT_WAL_BYTES + payload_bytes + rows.len() * EVENT_WAL_BYTES;
        Ok(appended)
    }

    fn put_blob(&mut self, bytes: &[u8]) -> Result<Digest, Failed> {
        if bytes.len() > EVENT_BYTES_MAX {
            let why = format!("a value has {} bytes, at most {EVENT_BYTES_MAX} can be kept", bytes.len());
            return Err(Failed::Known(AppendError::Fatal(why)));
        }
        let digest = Digest::of(bytes);
        let transaction = begin(&mut self.connection)?;
        move_head(&transaction, self.epoch, self.head.0, self.head)?;
        blob::put(&transaction, digest, bytes)?;
        transaction.commit()?;
        self.wal_bytes += COMMIT_WAL_BYTES + bytes.len();
        Ok(digest)
    }

    /// Encodes and chains, before the transaction begins.
    fn link(&self, batch: &Batch) -> Result<Vec<Row>, Failed> {
        let (mut seq, mut prev) = self.head;
        let mut rows = Vec::with_capacity(batch.events.len());
        for Event { at, fact } in &batch.events {
            let payload = codec::encode(fact).map_err(|why| Failed::Known(AppendError::Fatal(why)))?;
            seq = Seq(seq.0 + 1);
            let salt = chain::salt(&self.seed, seq);
            let payload_hash = chain::payload_hash(&salt, payload.as_bytes());
            let (run, kind) = (fact.run(), codec::kind_of(fact));
            let header = Header {
                at: at.0,
                boot: &self.boot,
                kind,
                run,
                uptime: batch.uptime.0,
                version: codec::EVENT_VERSION,
            };
            let hash = chain::link(prev, seq, &header, payload_hash);
            rows.push(Row { seq, run, kind, at: at.0, payload, salt, payload_hash, prev, hash });
            prev = hash;
        }
        Ok(rows)
    }

    /// Moves the write-ahead log into the database. Without room it stays where it is, which loses nothing.
    fn checkpoint(&mut self) {
        self.wal_bytes = 0;
        let done = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = done {
            let harmless = match meaning(&error) {
                Meaning::Wait | Meaning::NoSpace => true,
                Meaning::PerhapsNoSpace => !has_room(&self.workspace),
                Meaning::Fatal => false,
            };
            if !harmless {
                self.ended = Some(AppendError::Fatal(error.to_string()));
            }
        }
    }
}

impl From<SqlError> for Failed {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>, Failed> {
    Ok(Transaction::new(connection, TransactionBehavior::Immediate)?)
}

/// The fence: a writer whose epoch has passed, or whose head is not the head, writes nothing.
fn move_head(
    transaction: &Transaction<'_>,
    epoch: u64,
    from: Seq,
    (seq, hash): (Seq, Digest),
) -> Result<(), Failed> {
    let sql = "UPDATE head SET seq = ?1, hash = ?2 WHERE owner_epoch = ?3 AND seq = ?4";
    let moved = transaction.prepare_cached(sql)?.execute(params![
        number(seq.0),
        hash.0,
        number(epoch),
        number(from.0)
    ])?;
    if moved == 1 { Ok(()) } else { Err(Failed::Known(AppendError::Fenced)) }
}

fn insert(transaction: &Transaction<'_>, rows: &[Row], boot: &str, uptime: u64) -> Result<usize, Failed> {
    let sql = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let mut insert = transaction.prepare_cached(sql)?;
    let mut payload_bytes = 0;
    for row in rows {
        payload_bytes += row.payload.len();
        let apart = (row.payload.len() > EVENT_INLINE_BYTES_MAX).then(|| Digest::of(&row.payload));
        if let Some(digest) = apart {
            blob::put(transaction, digest, row.payload.as_bytes())?;
        }
        insert.execute(params![
            number(row.seq.0),
            row.run.map(|run| run.0),
            row.kind,
            row.at,
            boot,
            number(uptime),
            codec::EVENT_VERSION,
            apart.is_none().then_some(&row.payload),
            apart.map(|apart| apart.0),
            row.salt,
            row.payload_hash.0,
            row.prev.0,
            row.hash.0,
        ])?;
    }
    Ok(payload_bytes)
}

fn set_mark(transaction: &Transaction<'_>, mark: &Mark, at: Appended) -> Result<(), Failed> {
    match mark {
        Mark::RunOpened(run) => {
            let sql = "INSERT INTO runs VALUES (?1, ?2, NULL) ON CONFLICT DO UPDATE SET rested = NULL";
            transaction.prepare_cached(sql)?.execute(params![run.0, number(at.first.0)])?;
        }
        Mark::RunRested(run) => {
            let sql = "UPDATE runs SET rested = ?2 WHERE run = ?1";
            transaction.prepare_cached(sql)?.execute(params![run.0, number(at.last.0)])?;
        }
        Mark::Voted { decision, gate, epoch, principal } => {
            let sql = "INSERT INTO votes VALUES (?1, ?2, ?3, ?4)";
            transaction.prepare_cached(sql)?.execute(params![decision.0, gate.0, epoch.0, principal])?;
        }
        Mark::Resolved { gate, epoch } => {
            let sql = "INSERT INTO resolutions VALUES (?1, ?2)";
            transaction.prepare_cached(sql)?.execute(params![gate.0, epoch.0])?;
        }
    }
    Ok(())
}

/// True if the disk of the workspace accepts a synced probe.
pub(super) fn has_room(workspace: &Workspace) -> bool {
    let path = workspace.dir().join("probe");
    let probe = || -> io::Result<()> {
        let mut file = below::open(&path, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
        file.write_all(&vec![0; PROBE_BYTES])?;
        file.sync_all()
    };
    let fits = probe().is_ok();
    // One that stays behind is written over by the next.
    drop(fs::remove_file(&path));
    fits
}

/// Tells one start of the machine from another: the first eight digits of its boot id.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.chars().filter(char::is_ascii_hexdigit).take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Journal, Owner, Reader, schema, verify};
    use cuelight_base::{Span, Timestamp};
    use cuelight_engine::Fact;

    #[test]
    fn a_full_disk_loses_nothing_and_the_same_batch_is_appended_when_there_is_room() {
        let dir = tempfile::tempdir().expect("a directory");
        let workspace = Workspace::create(dir.path()).expect("a workspace");
        let owner = Owner::take(&workspace).expect("nobody owns it");
        drop(Journal::open(&workspace, &owner, [1; 32]).expect("a journal"));
        let connection = schema::open_to_write(&workspace.db()).expect("its database");
        let head = (Seq(0), chain::ROOT);
        let notary = Notary::open(&workspace, &[1; 32]).expect("a key");
        let mut writer = Writer::new(connection, &workspace, 1, head, ([1; 32], notary), Arc::default());
        let event =
            |number| Event { at: Timestamp(number), fact: Fact::Recovered { away: Span(7), taken: None } };
        let batch = Batch { events: (0..2000).map(event).collect(), ..Batch::default() };
        let pages = |writer: &Writer, count: u32| {
            let set = |_: &rusqlite::Row<'_>| Ok(());
            writer.connection.pragma_update_and_check(None, "max_page_count", count, set).expect("a bound");
        };
        pages(&writer, 20);
        for _ in 0..3 {
            assert_eq!(writer.lasting(|writer| writer.append(&batch)), Err(AppendError::NoSpace));
            assert_eq!(Reader::open(&workspace).expect("a reader").head().expect("a head"), head);
        }
        pages(&writer, 1_000_000);
        let appended = writer.lasting(|writer| writer.append(&batch)).expect("there is room");
        assert_eq!(appended, Appended { first: Seq(1), last: Seq(2000) });
        writer.checkpoint();
        assert_eq!(writer.ended, None);
        assert!(verify(&Reader::open(&workspace).expect("a reader"), Seq(1)).is_ok());
        assert!(has_room(&workspace));
    }
}
